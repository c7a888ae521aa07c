"""From predictions and truth to numbers (`evaluate`), pictures (`figures`) and a page to send to somebody (`html`)."""

from limner.evaluation.evaluate import Scorer, evaluate_pairs, write_report_files

__all__ = ["Scorer", "evaluate_pairs", "write_report_files"]
