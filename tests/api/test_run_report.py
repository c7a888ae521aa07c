"""A whole small run: what lies in its folder at the end, and that what its model card says can be typed."""

import json
import re
import shlex

import numpy as np
import pytest
from PIL import Image

import limner
from limner.api.run_report import Timed
from limner.core.bundle import read_bundle
from limner.core.labels import LabelSpace
from limner.core.prediction import Prediction
from limner.core.sample import Sample
from tests.api import tiny
from tests.cli.call import limner as command


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Three classes in four groups, a split, and a licence beside the data."""
    home = tmp_path_factory.mktemp("run")
    tiny.make_data(home / "data", count=8, classes=3)
    parts = ["train"] * 4 + ["val"] * 2 + ["test"] * 2
    rows = [f"images/p.{i:02d}.png,masks/p.{i:02d}.png,{part},g{i // 2}" for i, part in enumerate(parts)]
    (home / "data/splits.csv").write_text("\n".join(["image,mask,split,group", *rows]) + "\n")
    (home / "data/DATASET.md").write_text("# Made up\n\nLicence: CC0 1.0\n")
    done = command("train", home / "data", "--out", home / "run", *tiny.words(schedule__epochs=6))
    assert done.code == 0, done.err
    return home


def test_the_folder_holds_scores_details_figures_and_card(run):
    names = {path.relative_to(run / "run").as_posix() for path in (run / "run").rglob("*") if path.is_file()}
    assert {"report.html", "evaluation/summary.json", "evaluation/details.json", "model/README.md"} <= names
    assert {f"figures/{name}.png" for name in ("loss", "curves", "confusion", "dice_histogram", "errors", "calibration",
                                               "worst-1-triptych", "worst-1-overlay", "best-1-triptych")} <= names  # fmt: skip
    with Image.open(run / "run/figures/worst-1-triptych.png") as image:
        assert image.size == (3 * 56 + 16, 40)
    summary = json.loads((run / "run/evaluation/summary.json").read_text())
    details = json.loads((run / "run/evaluation/details.json").read_text())
    table = np.array(summary["confusion"]["pixels"])
    assert details["inspection"]["errors"]["wrong_pixels"] == table.sum() - table.trace()
    assert [row["name"] for row in details["groups"]] == ["g3"] and {"hd95", "ece"} <= set(summary["scores"])
    assert summary["samples"] == details["inspection"]["pictures"] == len(details["shown"]) == 2
    assert 0 < details["seconds_per_picture"] < summary["seconds"] / 2  # without reading, metrics and intervals


def test_the_time_of_a_picture_is_that_of_its_first_prediction():
    """As the other methods beside it are timed; the pictures that are drawn are predicted once more, and do not count."""
    times = iter((2.0, 0.5, 9.0))

    class Slow:
        def segment(self, sample):
            return Prediction(
                sample.name, np.zeros((3, 5), np.uint8), LabelSpace(("background", "x")), seconds=next(times)
            )

    timed = Timed(Slow())
    assert timed.per_picture is None
    for name in ("a", "b", "a"):
        timed.segment(Sample(name, np.zeros((3, 5, 1), np.uint8)))
    assert timed.per_picture == 1.25


def test_the_page_and_the_card_speak_of_the_data(run):
    page, card = (run / "run/report.html").read_text(), (run / "run/model/README.md").read_text()
    assert "“Licence: CC0 1.0” (from DATASET.md beside the data)" in page
    assert "“Licence: CC0 1.0” (from DATASET.md beside the data)" in card
    assert "learnt from 4 pictures of 2 groups" in card and "56 x 40 pixels" in card
    bundle = read_bundle(run / "run")
    assert bundle.training["data_checksum"] in card and bundle.training["scores"]["split"] == "test"


def test_what_the_card_says_can_be_typed(run, tmp_path, monkeypatch, capsys):
    blocks = re.findall(r"```(sh|python)\n(.*?)```", (run / "run/model/README.md").read_text(), re.DOTALL)
    monkeypatch.chdir(run / "run/model")
    shell, python = (
        next(text for kind, text in blocks if kind == "sh"),
        next(t for kind, t in blocks if kind == "python"),
    )
    pictures = (run / "data/images").as_posix()
    words = shlex.split(shell.replace("PICTURES", pictures).replace("predicted", (tmp_path / "a").as_posix()))
    assert words[0] == "limner" and command(*words[1:]).code == 0
    exec(python.replace("PICTURES", pictures).replace('"predicted"', repr((tmp_path / "b").as_posix())), {})
    assert capsys.readouterr().out.count("class_2") == 8
    for folder in ("a", "b"):
        assert len(list((tmp_path / folder).glob("*.png"))) == 8
    report = limner.evaluate(".", run / "data", split="test")  # the folder still opens, with the card in it
    assert report.samples == 2
