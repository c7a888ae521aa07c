import csv
import dataclasses
import itertools
import json
import re

import numpy as np
import pytest

from limner.core.labels import LabelSpace
from limner.evaluation.evaluate import write_report_files
from limner.evaluation.gallery import Case, draw_case
from limner.evaluation.html import render_report, write_report
from limner.evaluation.names import visible
from tests.evaluation.pages import EVIL, PAIRS, Outline, inspected, make_page, make_report, make_rich_page, strip

STYLE = re.compile(r"<style>.*?</style>", re.DOTALL)


@pytest.fixture(scope="module")
def rich():
    page = make_rich_page()
    return page, render_report(page)


def check_page(text):
    """Well formed, alone, and nothing in it that a name could have brought."""
    tags = Outline(text).seen
    assert not [tag for tag, _ in tags if tag in ("script", "link", "iframe", "object", "b", "base", "form")]
    assert not re.search(r"https?://|url\((?!#)|@import|javascript:", text)
    for tag, attributes in tags:
        assert not [name for name in attributes if name.startswith("on")]
        if tag == "img":
            assert attributes["src"].startswith("data:image/") and attributes["alt"]
        if tag == "th":
            assert attributes["scope"] in ("row", "col")
        if tag == "svg":
            assert attributes["role"] == "img" and attributes["aria-label"]
        if tag == "a":
            assert attributes["href"].startswith("#")
    ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {attributes["href"][1:] for tag, attributes in tags if tag == "a"} <= set(ids)
    levels = [int(tag[1]) for tag, _ in tags if re.fullmatch("h[1-6]", tag)]
    assert levels.count(1) == 1 and levels[0] == 1 and ("html", {"lang": "en"}) in tags
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert "\u202e" not in STYLE.sub("", text) and "49.png" not in text
    return tags


def test_page_is_well_formed_self_contained_and_escaped():
    text = render_report(make_page())
    check_page(text)
    assert "<img src=x" not in text and "&lt;img src=x onerror=alert(1)&gt;" in text
    assert "<b>" not in text and "<i>" not in text and "<big>" not in text


def test_everything_at_once_with_hostile_names(rich):
    text = rich[1]
    check_page(text)
    assert (
        "<img src=x" not in text and "<b>wall" not in text and "patient &lt;0&gt;" in text and "otsu&lt;i&gt;" in text
    )
    for word in ("Is a network needed?", "Cross-validation", "Labels to look at again", "By group", "What goes wrong",
                 "Small and large objects", "Which class is taken for which", "Does it know how sure it is?",
                 "What other tools would have printed", "Curves"):  # fmt: skip
        assert word in text


def test_half_surrogates_and_endless_names_can_be_written(tmp_path):
    space = LabelSpace(("background", "half \ud800 " + "x" * 100_000))
    report = make_report([("p\udcff.png", strip(3, 1))], space)
    page = make_page(report=report, label_space=space, cases=(), findings=(), title="\ud800", inspection=None)
    write_report(page, tmp_path / "report.html", evaluation=tmp_path)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert (
        "half \\ud800" in text and "p\\udcff.png" in text and "x" * 200 not in re.sub(r'data-[a-z-]+="[^"]*"', "", text)
    )


def rows_of(text, key):
    """Cells with ``data-field`` by the value of `key` on the row they stand in."""
    outline, current, found = Outline(text), None, {}
    for tag, attributes in outline.seen:
        if tag == "tr":
            current = attributes.get(key)
            if "data-metric" in attributes and key == "data-class":
                current = (attributes["data-metric"], attributes["data-class"])
            if "data-bin" in attributes and key == "data-size-class":
                current = (attributes["data-size-class"], int(attributes["data-bin"]))
        if current is not None and "data-field" in attributes:
            value = [json.loads(part) for part in attributes["data-value"].split()]
            found.setdefault(current, {})[attributes["data-field"]] = value if len(value) > 1 else value[0]
    return found


@pytest.fixture(scope="module")
def twins(rich, tmp_path_factory):
    folder = tmp_path_factory.mktemp("twins")
    page, text = rich
    write_report_files(page.report, folder)
    write_report(page, folder / "report.html", evaluation=folder)
    assert (folder / "report.html").read_text(encoding="utf-8") == text
    read = [json.loads((folder / name).read_text(encoding="utf-8")) for name in ("summary.json", "details.json")]
    return text, *read, folder


def test_scores_on_the_page_are_those_of_the_json(twins):
    text, summary, _, _ = twins
    shown = rows_of(text, "data-class")
    expected = {
        (metric, visible(name)): score
        for metric, by_class in summary["scores"].items()
        for name, score in by_class.items()
    }
    assert shown == expected and len(shown) > 30
    for (metric, _), cells in shown.items():
        assert metric in summary["definitions"] and cells["n"] + cells["undefined"] == summary["samples"]
    for definition in summary["definitions"].values():
        assert definition.split(";")[0][:40].replace("<", "&lt;").replace("'", "&#39;") in text


def test_what_is_printed_is_the_rounded_value(twins):
    outline = Outline(twins[0])
    seen = 0
    for (_, attributes), printed in zip(outline.seen, outline.texts, strict=True):
        if attributes.get("data-field") in ("mean", "median", "pooled") or attributes.get("data-key") == "headline":
            value = json.loads(attributes["data-value"])
            assert printed == ("undefined" if value is None else f"{value:.3f}")
            seen += 1
    assert seen > 90


def test_headline_is_the_mean_over_classes(twins):
    text, summary, details, _ = twins
    keys = {a["data-key"]: a["data-value"] for _, a in Outline(text).seen if "data-key" in a}
    macro = summary["scores"]["dice"]["macro"]
    assert json.loads(keys["headline"]) == macro["mean"]
    assert [json.loads(part) for part in keys["interval"].split()] == macro["ci95"]
    assert json.loads(keys["samples"]) == summary["samples"] == 8
    assert json.loads(keys["groups"]) == len(details["groups"]) == 3
    assert json.loads(keys["missed_objects"]) == details["inspection"]["errors"]["missed_objects"]


def test_mistakes_sizes_and_groups_are_those_of_the_details(twins):
    text, summary, details, _ = twins
    errors = details["inspection"]["errors"]
    shown = rows_of(text, "data-error")
    assert {key: cells["pixels"] for key, cells in shown.items()} == {
        k: v["pixels"] for k, v in errors["kinds"].items()
    }
    assert sum(cells["pixels"] for cells in shown.values()) == errors["wrong_pixels"]
    assert sum(cells["share"] for cells in shown.values()) == pytest.approx(1)
    confusion = np.array(summary["confusion"]["pixels"])
    assert errors["wrong_pixels"] == confusion.sum() - confusion.trace()
    bins = rows_of(text, "data-size-class")
    for name in summary["confusion"]["classes"][1:]:
        expected = [one for one in details["inspection"]["sizes"] if one["class_name"] == name]
        for place, one in enumerate(expected):
            for field, value in bins[visible(name), place].items():
                assert one[field] == value
    assert len(bins) == len(details["inspection"]["sizes"])
    groups = rows_of(text, "data-group")
    assert [(visible(row["name"]), row["dice"], row["pictures"]) for row in details["groups"]] == [
        (name, cells["dice"], cells["pictures"]) for name, cells in groups.items()
    ]


def test_pictures_confusion_and_others_are_those_of_the_files(twins):
    text, summary, details, folder = twins
    with (folder / "per_image.csv").open(encoding="utf-8", newline="") as file:
        expected = {visible(row["image"]): row for row in csv.DictReader(file) if row["class"] == "foreground"}
    shown = rows_of(text, "data-image")
    assert set(shown) == set(expected)
    for image, cells in shown.items():
        for metric in summary["scores"]:
            assert cells[metric] == (float(expected[image][metric]) if expected[image][metric] else None)
    cells = [a for _, a in Outline(text).seen if "data-column" in a]
    table = np.zeros((3, 3), int)
    for cell in cells:
        table[int(cell["data-row"]), int(cell["data-column"])] = int(cell["data-value"])
    assert table.tolist() == summary["confusion"]["pixels"]
    assert {k: v["dice"] for k, v in rows_of(text, "data-baseline").items()} == {"otsu<i>": 0.25, "canny": None}
    assert [row["dice"] for row in details["baselines"]] == [0.25, None]
    keys = {a["data-key"]: a["data-value"] for _, a in Outline(text).seen if "data-key" in a}
    assert json.loads(keys["seconds-per-picture"]) == details["seconds_per_picture"] == 0.0625
    assert rows_of(text, "data-fold")["1"] == {visible(EVIL): 0.6, "<b>wall</b>": None}
    assert rows_of(text, "data-empty-class") == {
        visible(name): case for name, case in summary["empty_cases"].items() if case["n"]
    }


def test_page_without_training_or_pictures():
    nothing = dict.fromkeys(("cases", "history", "findings", "notes"), ())
    page = make_page(report=make_report([]), recipe=None, num_train=None, facts={}, inspection=None, **nothing)
    text = render_report(page)
    check_page(text)
    assert "there is no Dice to state" in text and "Decisions" not in text and ">nan" not in text
    assert "What goes wrong" not in text and "runs/a was scored on finding: nucleus." in text


def test_page_of_one_group_has_no_interval():
    report = make_report(PAIRS, groups={name: "g" for name, _ in PAIRS})
    text = render_report(make_page(report=report))
    check_page(text)
    assert "nan" not in STYLE.sub("", re.sub(r"data:image[^\"]*", "", text))
    assert "nothing can be said about others" in text and "its 95 % interval" not in text


def test_no_mistake_and_empty_bins_are_said():
    perfect = [(f"{i}", (np.eye(9, dtype=np.uint8), np.eye(9, dtype=np.uint8))) for i in range(10)]
    text = render_report(make_page(report=make_report(perfect), inspection=inspected(perfect), cases=()))
    check_page(text)
    assert "No pixel of the 10 pictures is wrong." in text
    assert text.count("empty: too many objects have the same area") == 3


def test_pictures_that_were_not_looked_at_are_not_called_right():
    perfect = [(f"{i}", (np.eye(9, dtype=np.uint8), np.eye(9, dtype=np.uint8))) for i in range(3)]
    told = "Not looked at, because too large: 2 pictures."
    for looked_at in ([], perfect, PAIRS):
        found = dataclasses.replace(inspected(looked_at), too_large=("a.png", "b.png"))
        text = render_report(make_page(report=make_report(perfect), inspection=found, cases=()))
        check_page(text)
        assert text.count(told) == 1
        assert ("No pixel of the 3 pictures is wrong." in text) == (looked_at is perfect)
        assert ("wrong pixels is of one kind" in text) == (looked_at is PAIRS) and "0 pictures" not in text


def test_many_classes_show_the_largest_confusions_only():
    space = LabelSpace(tuple(f"class {i}" for i in range(150)))
    target = np.arange(150 * 4, dtype=np.uint8).reshape(20, 30) % 150
    pred = np.where(target == 7, 9, target).astype(np.uint8)
    report = make_report([("a", (pred, target))], space)
    text = render_report(make_page(report=report, label_space=space, cases=(), inspection=None, history=()))
    check_page(text)
    assert "Largest confusions" in text and len(text) < 2_000_000 and "more classes are in" in text


def test_page_stays_below_eight_megabytes():
    random = np.random.default_rng(0)
    image = random.integers(0, 255, (900, 1400, 3), np.uint8)
    labels = np.zeros((900, 1400), np.uint8)
    labels[300:500, 200:700] = 1
    case = draw_case(
        Case("a", image, labels, np.zeros_like(labels), 1.0, "best"), LabelSpace(("background", "nucleus"))
    )
    text = render_report(make_page(cases=[case] * 12))
    assert len(text.encode()) < 8_000_000  # noise is the worst case for JPEG
    check_page(text)


def luminance(color):
    """Relative luminance of WCAG 2.2."""
    digits = color.lstrip("#")
    digits = digits if len(digits) == 6 else "".join(c * 2 for c in digits)
    channels = np.array([int(digits[i : i + 2], 16) for i in (0, 2, 4)]) / 255
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4) @ [
        0.2126,
        0.7152,
        0.0722,
    ]


def test_text_has_contrast_in_light_in_the_dark_and_on_paper():
    blocks = re.findall(r":root \{(.*?)\}", render_report(make_page()))
    assert len(blocks) == 3
    for block in blocks:
        colors = dict(re.findall(r"--([a-z-]+): (#\w+)", block))
        for text, ground in (("ink", "ground"), ("ink", "panel"), ("soft", "ground"), ("soft", "panel"), ("accent", "ground"),
                             ("alert", "alert-ground"), ("ink", "alert-ground")):  # fmt: skip
            light, dark = sorted((luminance(colors[text]), luminance(colors[ground])), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (text, ground, block)
