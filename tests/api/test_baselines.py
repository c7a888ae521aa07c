"""Quick methods beside a network: scored like everything else, in the time that is given, or not at all."""

import numpy as np
import pytest

from limner.api.baselines import QUICK, baseline_seconds, baselines
from limner.api.evaluate import evaluate
from limner.classical import METHODS
from limner.core.protocols import Silent
from limner.core.recipe_parts import SplitPart
from limner.data.dataset import open_dataset
from limner.data.splits import make_split
from limner.evaluation.evaluate import Scorer
from tests.api.test_train_classical import pictures
from tests.make_data import make_folder, save, write_csv


class Hears(Silent):
    def __init__(self):
        self.said = []

    def message(self, text):
        self.said.append(text)


def opened(root):
    dataset = open_dataset(root)
    return dataset, make_split(dataset, rule=SplitPart(rule="given" if dataset.split_rule else "automatic"), seed=0)


def test_they_are_scored_as_a_run_is(tmp_path):
    root = pictures(tmp_path / "boxes")
    dataset, split = opened(root)
    found = baselines(dataset, split, budget_seconds=60)
    assert sorted(each.name for each in found) == sorted(QUICK)
    assert [each.dice_mean for each in found] == sorted((each.dice_mean for each in found), reverse=True)
    for each in found:
        method = METHODS[each.name].with_options(each.options)
        scorer = Scorer(dataset.label_space)
        for item in split.part("test"):
            sample = dataset.load(item)
            scorer.add(item.name, method.segment(sample).labels, sample.labels)
        report = scorer.report(model="", data="", split="test", threshold=None, split_checksum="", seconds=0)
        score = report.scores["dice"]["foreground"]
        assert (each.dice_mean, each.ci95) == (score.mean, score.ci95) and each.seconds_per_picture > 0
        row = each.as_row()
        assert each.is_complete and row["name"] == each.name
        assert set(row) >= {"name", "dice", "lo", "hi", "seconds"} and row["dice"] == each.dice_mean
    assert found[0].dice_mean > 0.9 > evaluate("otsu", root).scores["dice"]["foreground"].mean


def test_nothing_for_several_classes_or_without_objects(tmp_path):
    make_folder(tmp_path / "three", classes=3)
    assert baselines(*opened(tmp_path / "three")) == []
    for number in range(4):  # the only object is in the test
        values = np.random.default_rng(number).integers(0, 255, (21, 33, 1)).astype(np.uint8)
        save(tmp_path / "empty" / "images" / f"{number}.png", values)
        save(
            tmp_path / "empty" / "masks" / f"{number}.png",
            np.full((21, 33), number == 3, np.uint8) * np.tri(21, 33, dtype="u1"),
        )
    rows = [
        (f"images/{number}.png", f"masks/{number}.png", "test" if number == 3 else "train", "") for number in range(4)
    ]
    write_csv(tmp_path / "empty" / "splits.csv", rows)
    assert baselines(*opened(tmp_path / "empty")) == []


def test_too_many_pictures_for_the_time_are_left_out_with_a_word(tmp_path):
    dataset, split = opened(pictures(tmp_path / "boxes", count=30))
    hears = Hears()
    assert baselines(dataset, split, budget_seconds=0.001, listener=hears) == []
    assert len(hears.said) == 1 and "would take too long" in hears.said[0]


def test_a_method_without_time_to_be_tuned_says_so(tmp_path, monkeypatch):
    dataset, split = opened(pictures(tmp_path / "boxes"))
    monkeypatch.setattr("limner.api.baselines.TUNING_SHARE", 0.0)
    found = baselines(dataset, split, budget_seconds=60, names=("sobel", "otsu"))
    assert [each.is_complete for each in found] == [False, False] and "no time" in found[0].as_row()["name"]
    assert found[0].options == METHODS[found[0].name].all_options()


@pytest.mark.parametrize("run, time", [(0, 10), (100, 10), (600, 30)])
def test_time(run, time):
    assert baseline_seconds(run) == time
