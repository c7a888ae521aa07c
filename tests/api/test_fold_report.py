"""What the report of a cross-validation says of how weights and thresholds were chosen."""

import dataclasses
import json
import math
from pathlib import Path

import pytest

import limner
from limner.api import run_report
from limner.api.fold_report import FoldRun, _best_and_last, _document, _notes
from limner.api.one_run import TrainResult
from limner.api.run_folder import RunFolder
from limner.core.bundle import read_bundle
from limner.core.recipe import Recipe
from limner.data.folds import Folds
from limner.data.splits import Split
from tests.api import tiny
from tests.api.test_folds import SETTINGS, SIZE

NO_SPLIT = Split((), "", "")


def fold_run(folder, number, best, history):
    """A fold with what it told of its training; nothing else is looked at."""
    path = folder / f"fold{number}"
    path.mkdir()
    if history:
        lines = [",".join(history[0]), *(",".join(map(str, row.values())) for row in history)]
        (path / "history.csv").write_text("\n".join(lines) + "\n")
    result = TrainResult(Path(), Path(), 1.0, 1, 1.0, "epochs", best, {})
    return FoldRun(number, RunFolder(path), NO_SPLIT, result)


@pytest.fixture
def of_objects(tmp_path):
    """Two folds whose weights were chosen by objects, beside a Dice that is far from it."""
    rows = [[0.31, 0.94], [0.25, 0.95]]
    return [
        fold_run(
            tmp_path, number, {"step": 10, "epoch": 1.0, "metric": "val_objects", "value": value},
            [{"step": 10, "val_dice": 0.9, "val_objects": value}, {"step": 20, "val_dice": dice, "val_objects": last}],
        )
        for number, (value, (last, dice)) in enumerate(zip((0.5, 0.4), rows, strict=True), 1)
    ]  # fmt: skip


def test_chosen_and_last_weights_are_compared_by_the_metric_that_chose(of_objects):
    assert _best_and_last(of_objects) == ("val_objects", pytest.approx(0.45), pytest.approx(0.28))
    rows = [{"fold": n, "dice": 0.9, "scores": {}, "n": 1} for n in (1, 2)]
    dealt = Folds((), {"a.png": 1, "b.png": 2}, (), "by hand")
    stored = _document(rows, of_objects, 1, dealt)["validation"]
    assert stored["metric"] == "val_objects" and stored["last_weights"] == pytest.approx(0.28)
    text = " ".join(_notes(of_objects, rows, 1, Recipe(), dealt))
    assert "mean validation F1 of objects of the folds: 0.450 with the chosen weights, 0.280 with the last ones" in text
    assert "Dice" not in text


def test_folds_of_pixels_alone_and_without_a_validation(tmp_path):
    best = {"step": 1, "epoch": 1.0, "metric": "val_dice", "value": 0.75}
    runs = [fold_run(tmp_path, 1, best, [{"step": 1, "val_dice": 0.75}, {"step": 2, "val_dice": "nan"}])]
    runs.append(fold_run(tmp_path, 2, best | {"value": None}, [{"step": 1, "val_dice": ""}]))
    metric, chosen, last = _best_and_last(runs)
    assert (metric, chosen) == ("val_dice", 0.75) and math.isnan(last)
    metric, chosen, last = _best_and_last([fold_run(tmp_path, 3, {}, [])])
    assert metric == "val_dice" and math.isnan(chosen) and math.isnan(last)


def test_thresholds_of_the_folds(tmp_path, monkeypatch):
    """One where they agree; none in the summary, and all in a note, where each has its own; of calibrated scores."""
    real = run_report.write_report
    monkeypatch.setattr(run_report, "write_figures", lambda *a, **k: [])
    monkeypatch.setattr(
        run_report, "write_report", lambda page, path, **k: real(page, path, **k) if page.folds else None
    )
    tiny.make_data(tmp_path / "data", count=6, size_hw=SIZE)
    changes = {"split.test_share": 0.0, "schedule.steps": 1, "split.group_by": "none", "inference.threshold": 0.5}
    run = tmp_path / "run"
    result = limner.train(tmp_path / "data", recipe=Recipe().override(SETTINGS | changes), folds=2, out=run)
    assert result.test["threshold"] == 0.5 and "thresholds of their own" not in (run / "report.html").read_text()
    bundle = read_bundle(run / "fold2")
    dataclasses.replace(bundle, contract=dataclasses.replace(bundle.contract, threshold=0.55, temperature=2.0)).save()
    (run / "train.json").unlink()
    again = limner.train(tmp_path / "data", out=run, resume=True)
    assert again.test["threshold"] is None
    assert json.loads((run / "evaluation/summary.json").read_text())["threshold"] is None
    # (0.55 / 0.45) ** 0.5 are odds of 1.105542
    assert "The folds have thresholds of their own: 0.5, 0.525063." in (run / "report.html").read_text()
    assert "also chose its best weights" in json.loads((run / "evaluation/summary.json").read_text())["notes"][0]
    assert (run / "report.html").read_text().count("also chose its best weights") == 1
