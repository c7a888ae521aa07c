"""Masks of any tool against the truth, worked out by hand."""

import json

import numpy as np
import pytest

from limner.core.bundle import Bundle, InputContract
from limner.core.labels import LabelSpace
from limner.core.prediction import Prediction
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
    expected = {"dice": 12 / 18, "iou": 0.5, "precision": 1.0, "recall": 0.5, "accuracy": 0.75, "specificity": 1.0}
    expected |= {"volumetric_similarity": 12 / 18}
    # the truth is 2 rows of 6, all of it boundary; the prediction the upper row: 6 pixels at 0, 6 at 0, 6 at 1
    expected |= {"hd95": 1.0, "hd": 1.0, "assd": 6 / 18, "surface_dice": 1.0, "boundary_iou": 0.5}
    assert scores == pytest.approx(expected)
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


def test_overlap_alone_is_on_request(home):
    found = limner("evaluate", home / "pred", home / "data", "--metrics", "overlap", "--json").document
    assert list(found["scores"]) == list(found["definitions"]) == ["dice", "iou", "precision", "recall", "accuracy"]
    assert "overlap" in refused(limner("evaluate", home / "pred", home / "data", "--metrics", "over"), code=2)
    assert "tolerance" in refused(limner("evaluate", home / "pred", home / "data", "--tolerance", "-1"), code=2)


def test_a_tolerance_and_lengths_in_mm(home):
    found = limner("evaluate", home / "pred", home / "data", "--tolerance", "0.5", "--json").document
    assert found["scores"]["surface_dice"]["foreground"]["mean"] == pytest.approx(12 / 18) and found["unit"] == "px"
    (home / "data/limner.toml").write_text("spacing = [0.5, 3.0]\n")
    found = limner("evaluate", home / "pred", home / "data", "--json").document
    assert found["scores"]["hd95"]["foreground"]["mean"] == pytest.approx(0.5) and found["unit"] == "mm"
    assert "6 mm" in found["definitions"]["surface_dice"] and "in mm" in found["definitions"]["assd"]


def test_groups_of_the_data_are_drawn_together(home):
    rows = [[f"images/p.{i:02d}.png", f"masks/p.{i:02d}.png", "test", f"patient {i // 5}"] for i in range(10)]
    write_csv(home / "data/splits.csv", rows)
    found = limner("evaluate", home / "pred", home / "data", "--out", home / "out", "--json").document
    assert found["interval"] == {"unit": "group", "number": 2} and "2 groups" in found["notes"][0]
    assert (home / "out/per_image.csv").read_text().splitlines()[1].endswith(",patient 0")


def test_a_split_without_training_pictures_is_scored(home):
    rows = [[f"images/p.{i:02d}.png", f"masks/p.{i:02d}.png", "test" if i < 4 else "val", ""] for i in range(10)]
    write_csv(home / "data/splits.csv", rows)
    for part, number in ((None, 4), ("test", 4), ("val", 6), ("all", 10)):
        options = ["--split", part] if part else []
        assert limner("evaluate", home / "pred", home / "data", *options, "--json").document["samples"] == number


def test_what_other_tools_would_have_printed(home):
    found = limner("evaluate", home / "pred", home / "data", "--compat", "--json").document
    values = {(row["tool"], row["call"]): row["value"] for row in found["compat"]}
    assert values["system A", "mean over pictures of the Jaccard index"] == pytest.approx(0.5)
    assert values["system B", "Dice of all pixels, true masks of 0 and 255"] == pytest.approx(
        510 * 60 / (255 * 120 + 60)
    )
    assert "compat" not in limner("evaluate", home / "pred", home / "data", "--json").document
    shown = limner("evaluate", home / "pred", home / "data", "--compat").out
    assert "MONAI" in shown and "HD95" in shown


def test_stray_predictions_are_named(home):
    save(home / "pred/extra.png", np.zeros((4, 6), np.uint8))
    assert "extra.png" in limner("evaluate", home / "pred", home / "data").out
    save(home / "pred/old/p.03.png", np.zeros((4, 6), np.uint8))
    assert "2 files for the picture images/p.03.png" in refused(limner("evaluate", home / "pred", home / "data"))


def test_a_model_is_calibrated_and_one_of_other_classes_refused(tmp_path):
    tiny.make_data(tmp_path / "two", count=6)
    assert limner("train", tmp_path / "two", "--out", tmp_path / "run", *tiny.words(schedule__epochs=1)).code == 0
    found = limner("evaluate", tmp_path / "run", tmp_path / "two", "--json").document
    assert 0 <= found["scores"]["ece"]["foreground"]["pooled"] <= 1 and sum(
        row["n"] for row in found["calibration"]["foreground"]
    )
    assert "brier" in found["definitions"] and found["data_checksum"]
    assert not any("by number" in note for note in found["notes"])
    (tmp_path / "two/limner.toml").write_text('classes = ["background", "nucleus"]\n')
    named = limner("evaluate", tmp_path / "run", tmp_path / "two", "--metrics", "overlap", "--json").document
    assert any("compared by number: nucleus is its foreground" in note for note in named["notes"])
    tiny.make_data(tmp_path / "three", count=6, classes=3)
    text = refused(limner("evaluate", tmp_path / "run", tmp_path / "three"))
    assert "2" in text and "class" in text


class Stripes:
    """A model of cats and dogs: the third of a picture on the left is cat, that on the right is dog."""

    label_space = LabelSpace(("background", "cat", "dog"))

    def segment(self, sample):
        labels = np.zeros(sample.size_hw, np.uint8)
        labels[:, :2], labels[:, 4:] = 1, 2
        return Prediction(sample.name, labels, self.label_space)


@pytest.fixture
def stripes(tmp_path, monkeypatch):
    """The folder of a bundle that is opened as `Stripes`, and data of its very answers."""
    contract = InputContract(3, 1.0, "fixed", (0.0, 255.0), 0, 0.25, "", 0.5)
    bundle = Bundle(tmp_path / "model", "classical/otsu", {}, Stripes.label_space, contract)
    bundle.folder.mkdir()
    bundle.save()
    monkeypatch.setattr("limner.api.model_on_data.open_segmenter", lambda model, **_: (Stripes(), bundle))
    make_folder(tmp_path / "data", count=3, size_hw=(4, 6))
    return tmp_path


def declared(home, names, ids):
    (home / "data/limner.toml").write_text(f"classes = {json.dumps(names)}\n")
    for i in range(3):
        save(home / f"data/masks/p.{i:02d}.png", np.array([ids] * 4, np.uint8))
    return limner("evaluate", home / "model", home / "data", "--json")


def test_classes_are_compared_by_name(stripes):
    swapped = declared(stripes, ["background", "dog", "cat"], [2, 2, 0, 0, 1, 1]).document
    assert {name: score["mean"] for name, score in swapped["scores"]["dice"].items()} == dict.fromkeys(
        ("background", "cat", "dog", "foreground", "macro"), 1.0
    )
    assert swapped["confusion"]["classes"] == ["background", "cat", "dog"] and not swapped["notes"]
    fewer = declared(stripes, ["background", "dog"], [0, 0, 0, 0, 1, 1]).document
    assert fewer["scores"]["dice"]["dog"]["mean"] == 1.0 and fewer["empty_cases"]["cat"]["false_positive_pixels"] == 24
    assert any("finds cat, which the scored masks never show" in note for note in fewer["notes"])
    unknown = declared(stripes, ["background", "class 1", "class 2"], [1, 1, 0, 0, 2, 2]).document
    assert unknown["scores"]["dice"]["class 2"]["mean"] == 1.0
    assert any("by number: class 1 is its cat, class 2 is its dog" in note for note in unknown["notes"])


def test_classes_that_a_model_does_not_know_are_refused(stripes):
    moved = refused(declared(stripes, ["background", "dog", "horse"], [1, 1, 0, 0, 2, 2]))
    assert "does not know horse and has dog as number 2 in place of 1" in moved
    assert "and not animal" in refused(declared(stripes, ["background", "animal"], [0, 0, 0, 0, 1, 1]))
