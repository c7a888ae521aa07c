"""Masks of any tool against the truth, worked out by hand."""

import numpy as np
import pytest

from tests.api import tiny
from tests.cli.call import limner, refused
from tests.make_data import make_folder, save, write_csv


@pytest.fixture
def home(tmp_path):
    """Ten pictures whose truth is the first two rows of four, and predictions that show the first row only."""
    make_folder(tmp_path / "data", count=10, size_hw=(4, 6))
    truth = np.zeros((4, 6), np.uint8)
    truth[:2] = 1
    pred = np.zeros((4, 6), np.uint8)
    pred[:1] = 1
    for i in range(10):
        save(tmp_path / f"data/masks/p.{i:02d}.png", truth)
        save(tmp_path / f"pred/p.{i:02d}.png", pred)
    return tmp_path


def test_scores_by_hand(home):
    found = limner("evaluate", home / "pred", home / "data", "--json").document
    scores = {metric: by_class["foreground"]["mean"] for metric, by_class in found["scores"].items()}
    assert scores == pytest.approx({"dice": 12 / 18, "iou": 0.5, "precision": 1.0, "recall": 0.5, "accuracy": 0.75})
    assert found["samples"] == 10 and found["split"] == "all" and found["missing"] == [] and found["threshold"] is None


def test_a_missing_prediction_is_empty_and_named(home):
    (home / "pred/p.07.png").unlink()
    found = limner("evaluate", home / "pred", home / "data", "--json").document
    assert found["missing"] == ["images/p.07.png"] and found["samples"] == 10
    assert found["scores"]["recall"]["foreground"]["mean"] == pytest.approx(0.45)
    assert found["scores"]["dice"]["foreground"]["mean"] == pytest.approx(0.9 * 12 / 18)
    assert found["scores"]["precision"]["foreground"]["undefined"] == 1


def test_suffixes_and_0_255_masks_of_other_tools(home):
    for i in range(10):
        path = home / f"pred/p.{i:02d}.png"
        path.unlink()
        mask = np.zeros((4, 6), np.uint8)
        mask[:1] = 255
        save(home / f"pred/p.{i:02d}_mask.png", mask)
    assert (
        limner("evaluate", home / "pred", home / "data", "--json").document["scores"]["iou"]["foreground"]["mean"]
        == 0.5
    )


def test_a_given_split_chooses_the_test_pictures(home):
    rows = [[f"images/p.{i:02d}.png", f"masks/p.{i:02d}.png", "test" if i < 3 else "train", ""] for i in range(10)]
    write_csv(home / "data/splits.csv", rows)
    found = limner("evaluate", home / "pred", home / "data", "--json").document
    assert (found["split"], found["samples"]) == ("test", 3)
    assert limner("evaluate", home / "pred", home / "data", "--split", "all", "--json").document["samples"] == 10
    assert limner("evaluate", home / "pred", home / "data", "--split", "tset").code == 2


def test_predictions_that_cannot_be_scored(home):
    save(home / "pred/p.02.png", np.zeros((4, 5), np.uint8))
    assert "p.02.png" in refused(limner("evaluate", home / "pred", home / "data"))
    save(home / "pred/p.02.png", np.array([[0, 1, 9, 0, 0, 0]] * 4, np.uint8))
    assert "holds the value 9" in refused(limner("evaluate", home / "pred", home / "data"))
    (home / "empty").mkdir()
    assert "no predicted masks" in refused(limner("evaluate", home / "empty", home / "data"))
    save(home / "other/q.png", np.zeros((4, 6), np.uint8))
    assert "no predicted mask belongs" in refused(limner("evaluate", home / "other", home / "data"))
    assert "no model at" in refused(limner("evaluate", home / "nowhere", home / "data"))


def test_a_model_of_other_classes_is_refused(tmp_path):
    tiny.make_data(tmp_path / "two", count=6)
    assert limner("train", tmp_path / "two", "--out", tmp_path / "run", *tiny.words(schedule__epochs=1)).code == 0
    tiny.make_data(tmp_path / "three", count=6, classes=3)
    text = refused(limner("evaluate", tmp_path / "run", tmp_path / "three"))
    assert "2" in text and "class" in text
