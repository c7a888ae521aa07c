"""Test Dice and time of the classical methods, as they come and tuned on the training split, beside a network's result.

    python -m benchmarks.classical DATA_ROOT                        all methods on all sets; prints the table
    python -m benchmarks.classical DATA_ROOT --sets tongue_bmp --methods otsu grabcut
    python -m benchmarks.classical DATA_ROOT --table                only print what is stored

The split is that of ``limner train`` with seed 0. Score: mean test Dice of the foreground at native size, with the scorer of
``limner evaluate``. A result replaces the older one of the same set and method in `benchmarks/results/classical.json`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path

from benchmarks.accuracy import cells, stored
from limner.api.plan import split_dataset
from limner.api.training_samples import TrainingSamples, picture_dice
from limner.classical import METHODS
from limner.classical.segmenter import ClassicalSegmenter
from limner.classical.tune import tune
from limner.data.dataset import Dataset, open_dataset
from limner.data.splits import Split
from limner.evaluation.evaluate import Scorer

SETS = ("nuclei_dsb2018", "brain_tumour_via", "tongue_bmp", "chase_db1")
RESULTS = Path(__file__).parent / "results" / "classical.json"
BUDGET = 600.0  # seconds of tuning, as `limner train` gives by default


def score(method: ClassicalSegmenter, dataset: Dataset, split: Split) -> tuple[float, tuple[float, float], float]:
    """Mean Dice on the test pictures, its interval, and seconds a picture without reading."""
    scorer, seconds = Scorer(dataset.label_space), []
    for item in split.part("test"):
        sample = dataset.load(item)
        found = method.segment(sample)
        seconds.append(found.seconds)
        scorer.add(item.name, found.labels, sample.labels, sample.valid, group=item.group)
    report = scorer.report(model="", data="", split="test", threshold=None, split_checksum="", seconds=0.0)
    dice = report.scores["dice"]["foreground"]
    return dice.mean, dice.ci95, statistics.mean(seconds)


def run(dataset: Dataset, split: Split, name: str) -> dict[str, object]:
    """One method on one set, untouched and tuned."""
    method = METHODS[name]
    plain, _interval, plain_seconds = score(method, dataset, split)
    began = time.perf_counter()
    found = tune(method, TrainingSamples(dataset, split), dice=picture_dice, budget_seconds=BUDGET)
    tuning = time.perf_counter() - began
    tuned, interval, seconds = score(method.with_options(found.options), dataset, split)
    defaults = method.all_options()
    return {
        "untuned": round(plain, 4),
        "untuned_seconds": round(plain_seconds, 4),
        "tuned": round(tuned, 4),
        "interval": [round(end, 4) for end in interval],
        "seconds": round(seconds, 4),
        "tuning_seconds": round(tuning, 1),
        "settings": found.num_settings,
        "stopped": found.stopped,
        "train": round(found.score, 4),
        "changed": {key: value for key, value in found.options.items() if value != defaults[key]},
        "test_pictures": len(split.part("test")),
    }


def table(results: dict[str, dict[str, dict[str, object]]]) -> str:
    """Markdown: a line a method, per set the Dice as it comes, tuned, and seconds a picture; the best tuned one is bold."""
    sets = [name for name in SETS if name in results]
    lines = ["| | " + " | ".join(f"{name} ({_number(results[name])} test pictures)" for name in sets) + " |"]
    lines.append("|---" * (len(sets) + 1) + "|")
    best = {name: max(float(row["tuned"]) for row in results[name].values()) for name in sets}
    for method in METHODS:
        entries = []
        for name in sets:
            row = results[name].get(method)
            if row is None:
                entries.append("not measured")
                continue
            tuned = f"{row['tuned']:.3f}"
            tuned = f"**{tuned}**" if float(row["tuned"]) == best[name] else tuned
            entries.append(f"{row['untuned']:.3f} → {tuned}, {float(row['seconds']):.3f} s")
        lines.append(f"| `{method}` | " + " | ".join(entries) + " |")
    network = cells(stored(), "4m")
    entries = []
    for name in sets:
        scores = [float(r["dice"]) for r in network.get((name, "auto"), {}).values() if r.get("dice") is not None]
        entries.append(
            f"{statistics.mean(scores):.3f} ({len(scores)} seed{'s' if len(scores) > 1 else ''})"
            if scores
            else "not measured"
        )
    lines.append("| planned network, 4 minutes | " + " | ".join(entries) + " |")
    return "\n".join(lines)


def _number(rows: dict[str, dict[str, object]]) -> object:
    return next(iter(rows.values()))["test_pictures"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data_root", type=Path)
    parser.add_argument("--sets", nargs="+", default=SETS, choices=SETS)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--table", action="store_true")
    arguments = parser.parse_args()
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else {}
    for name in arguments.sets if not arguments.table else ():
        dataset = open_dataset(arguments.data_root / name)
        split = split_dataset(dataset, {})
        for method in arguments.methods:
            row = run(dataset, split, method)
            results.setdefault(name, {})[method] = row
            RESULTS.parent.mkdir(exist_ok=True)
            RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
            print(name, method, json.dumps(row), flush=True)
    print(table(results))


if __name__ == "__main__":
    main()
