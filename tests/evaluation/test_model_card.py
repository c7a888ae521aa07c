import dataclasses
import json
import re

import pytest

from limner.api.model_card import find_licence, write_model_card
from limner.core.bundle import Bundle, InputContract, read_bundle
from limner.core.labels import LabelSpace
from limner.evaluation.model_card import markdown, model_card
from tests.evaluation.pages import EVIL, SPACE, make_page, make_rich_page

CONTRACT = InputContract(
    channels=3,
    scale=0.5,
    normalization="fixed",
    intensity_range=(0.0, 255.0),
    tile=0,
    overlap=0.5,
    flips="",
    threshold=0.4,
)


def make_bundle(folder, space=SPACE, architecture="unet"):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "weights.safetensors").write_bytes(b"weights")
    bundle = Bundle(
        folder, architecture, {"encoder": "x"}, space, CONTRACT, {
            "data": "cells", "data_checksum": "c0ffee", "split_checksum": "beef", "seed": 7, "steps": 42, "limner": "0.1",
            "best": {"epoch": 3.0, "metric": "val_dice", "value": 0.8}, "pictures": {"train": 9, "val": 2, "test": 3},
        }, ("lite0: Apache-2.0 (ImageNet weights)",),
    )  # fmt: skip
    bundle.save()
    return bundle


def test_card_says_what_where_how_good_and_of_what(tmp_path):
    facts = {"sizes": "64 x 48", "values": "0 to 255 (uint8)", "licence": "“CC0” (from DATASET.md beside the data)"}
    page = make_page(facts=facts)
    text = model_card(make_bundle(tmp_path), page)
    headings = re.findall(r"^#+ (.*)$", text, re.M)
    assert headings == [
        "Model card: cells", "What it is for", "Limits", "How to use it", "How good it is", "What it was made from",
        "How it was made", "Licences",
    ]  # fmt: skip
    score = page.report.scores["dice"]["nucleus"]
    assert f"| nucleus | dice | {score.mean:.3f} | {score.ci95[0]:.3f} to {score.ci95[1]:.3f} |" in text
    for word in ("c0ffee", "beef", "| seed | 7 |", "64 x 48 pixels", "0 to 255", "CC0", "Apache-2.0", "learnt from 64 pictures",
                 "above 0.4", "0 background, 1 nucleus", "SPLIT_LEAK", "allowed by the user", "train d --seed 0"):  # fmt: skip
        assert word in text
    for definition in ("dice", "iou"):
        assert markdown(page.report.definitions[definition]) in text


def test_card_before_the_evaluation_and_of_a_method_without_a_network(tmp_path):
    text = model_card(make_bundle(tmp_path), None)
    assert "it was not evaluated" in text and "9 train, 2 val, 3 test" in text and "not stated" in text
    text = model_card(make_bundle(tmp_path, architecture="classical/otsu"), None)
    assert "A method without a network (otsu)" in text and "score is above" not in text


def test_numbers_are_those_of_the_report_for_every_class_and_metric(tmp_path):
    page = make_rich_page()
    text = model_card(make_bundle(tmp_path, page.label_space), page)
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    rows = [line.split(" | ") for line in lines if line.count(" | ") == 6][2:]
    assert len(rows) == 6 * 4 + 4  # macro, foreground and two classes; six metrics and the calibration error
    names = {markdown(name): name for name in page.report.scores["dice"]}
    for name, metric, mean, _, pooled, n, undefined in rows:
        score = page.report.scores[metric][names[name.removeprefix("| ")]]
        assert (n, undefined) == (str(score.n), f"{score.undefined} |")
        assert (mean, pooled) == tuple("undefined" if v != v else f"{v:.3f}" for v in (score.mean, score.pooled))


def test_hostile_names_stay_text(tmp_path):
    space = LabelSpace(("background", EVIL + "`|[x](y)\n# heading"))
    bundle = make_bundle(tmp_path, space)
    text = model_card(
        bundle, make_page(label_space=space, report=make_rich_page().report, command="limner `x`\n```\n# y")
    )
    assert "<img" not in text and "\u202e" not in text and not re.search(r"^# heading|^# y", text, re.M)
    assert "\\`\\|\\[x\\]" in text and text.count("```") % 2 == 0
    for line in text.splitlines():
        if line.startswith("| "):
            assert line.endswith(" |")


def test_the_bundle_opens_as_before(tmp_path):
    bundle = make_bundle(tmp_path / "model")
    before = (tmp_path / "model/bundle.json").read_bytes()
    path = write_model_card(bundle, make_page())
    assert path == tmp_path / "model/README.md" and path.read_text(encoding="utf-8").startswith("# Model card: cells\n")
    assert (tmp_path / "model/bundle.json").read_bytes() == before
    assert read_bundle(tmp_path / "model").training == bundle.training
    assert "README" not in json.loads(before)["files"]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, "not stated"),
        ({"LICENSE": "\n\nMIT License\n\nCopyright"}, "“MIT License” (from LICENSE beside the data)"),
        ({"LICENSE-CC0.txt": "CC0 1.0"}, "“CC0 1.0” (from LICENSE-CC0.txt beside the data)"),
        ({"DATASET.md": "# Cells\n- Licence: CC BY 4.0, ask <me>\n"},
         "“Licence: CC BY 4.0, ask <me>” (from DATASET.md beside the data)"),
        ({"README.md": "# Cells\n\n## License\n\nMIT\n"}, "“MIT” (from README.md beside the data)"),
        ({"README.md": "nothing here", "dataset.json": '{"name": "a","licence":"CC-BY-SA 4.0", "x": 1}'},
         "“CC-BY-SA 4.0” (from dataset.json beside the data)"),
        ({"license_plates.png": "not text", "notes.txt": "licence: none"}, "not stated"),
        ({"LICENSE": "", "README": "free, see Creative Commons"}, "“free, see Creative Commons” (from README beside the data)"),
    ],
)  # fmt: skip
def test_the_licence_of_the_data_is_quoted_never_guessed(tmp_path, files, expected):
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert str(find_licence(tmp_path)) == expected


def test_licence_files_may_be_damaged_endless_or_gone(tmp_path):
    (tmp_path / "README.md").write_bytes(b"\xff\xfelicence \x00\xe2\x80\xae" + b"y" * 300_000)
    found = find_licence(tmp_path)
    assert len(found.line) <= 300 and "\u202e" not in found.line
    (tmp_path / "LICENSE").mkdir()
    assert find_licence(tmp_path) == found and str(find_licence(tmp_path / "via.json")) == str(found)
    assert str(find_licence(tmp_path / "nowhere" / "x")) == "not stated"


def test_the_threshold_on_the_card_is_that_of_the_scores_that_people_get(tmp_path):
    bundle = make_bundle(tmp_path)
    unsure = dataclasses.replace(bundle, contract=dataclasses.replace(CONTRACT, temperature=3.0))
    assert "score is above 0.466263." in model_card(unsure, None)  # 1 / (1 + (0.6 / 0.4) ** (1 / 3))


def test_regions_are_not_called_objects_and_do_not_stand_beside_them(tmp_path):
    page = make_page()
    assert "Connected regions of one class: of 10 true ones, 0 were missed whole" in model_card(
        make_bundle(tmp_path), page
    )
    told_apart = dataclasses.replace(page.report, objects={"counts": {}})
    card = model_card(make_bundle(tmp_path), dataclasses.replace(page, report=told_apart))
    assert "missed whole" not in card
