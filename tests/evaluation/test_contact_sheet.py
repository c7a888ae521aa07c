"""The contact sheet: one file, everything escaped, pictures that findings name first, small objects still seen."""

import re

import numpy as np

from limner.core.labels import LabelSpace
from limner.evaluation.contact_sheet import (
    MOST_OF_NOTES,
    MOST_PICTURES,
    Cell,
    ClassRow,
    ContactSheet,
    choose_pictures,
    render_contact_sheet,
    share_text,
)
from limner.evaluation.thumbnails import EDGE, FILL, NOT_KNOWN, VEIL, class_layer, make_thumbnail, small_picture

SPACE = LabelSpace(("background", "cell", "gap"))
EVIL = '<script>alert("x")</script>.png'


def finding(level, files, code="MASK_VALUES"):
    return {"code": code, "level": level, "count": len(files), "message": "words", "files": files, "fix": "do"}


def test_named_pictures_come_first_and_the_rest_is_counted():
    names = [f"p{i:03d}.png" for i in range(300)]
    owners = {f"m{i:03d}.png": name for i, name in enumerate(names)}
    findings = [finding("error", ["m250.png", "lonely.png"]), finding("note", names)]
    chosen, (left, named) = choose_pictures(findings, names, owners)
    assert chosen[:2] == ["p250.png", "lonely.png"] and len(set(chosen)) == len(chosen)
    assert len(chosen) == 48 and {"p000.png", "p299.png"} <= set(chosen)
    assert sum(name in chosen for name in names) + left == 300 and named == left
    chosen, (left, named) = choose_pictures([finding("warning", names)], names, {})
    assert chosen == names[:MOST_PICTURES] and left == named == 300 - MOST_PICTURES
    chosen, left_out = choose_pictures([finding("fixed", names[:60])], names[:60], {})
    assert (
        len(chosen) == 48 and chosen[0] == names[0] and chosen[MOST_OF_NOTES - 1] == names[59] and left_out == (12, 12)
    )
    assert choose_pictures([], [], {}) == ([], (0, 0))


def test_the_page_is_one_file_and_escapes_names():
    thumbnail = make_thumbnail(np.full((30, 50, 3), 90, np.uint8), np.eye(30, 50, dtype=np.uint8), SPACE)
    report = {
        "format": "folders", "samples": 2, "channels": 3, "classes": [], "mask_reading": f"reading {EVIL}",
        "splits": {"train": 1, "test": 1}, "findings": [finding("error", [EVIL, "gone.png"])], "blocking": True,
    }  # fmt: skip
    sheet = ContactSheet(
        f"sheet {EVIL}", f"limner check {EVIL}", report, SPACE,
        [Cell(EVIL, thumbnail, ["50 x 30"], ["MASK_VALUES"], [(EVIL, 0.25)]), Cell("gone.png", None)], (7, 3),
        [ClassRow(EVIL, (1, 2, 3), 0.5, [2, 1, 1], 4, 1)], ["train", "test"], {"Width x height": [("50 x 30", "2")]},
    )  # fmt: skip
    page = render_contact_sheet(sheet)
    assert EVIL not in page and page.count("<script>") == 1 and "&lt;script&gt;alert" in page
    assert not re.search(r"(src|href)=[\"'](?!data:|#)", page) and "http" not in page
    assert '<a href="#p1">' in page and 'id="p2"' in page and "cannot be shown" in page
    assert "7 pictures are not shown here, 3 of them named in findings" in page and "25 %" in page
    assert "Training would be refused" in page and 'data-code="MASK_VALUES"' in page


def test_layers_have_outlines_areas_and_veils():
    labels = np.zeros((20, 30), np.uint8)
    labels[5:15, 5:20] = 1
    valid = np.ones((20, 30), bool)
    valid[:, 25:] = False
    layer = class_layer(labels, SPACE, (20, 30), valid=valid)
    assert layer[5, 5].tolist() == [*SPACE.colors[1], EDGE] and layer[9, 9].tolist() == [*SPACE.colors[1], FILL]
    assert layer[0, 0, 3] == 0 and layer[3, 27].tolist() == [*NOT_KNOWN, VEIL]
    # a speck of 2 x 2 pixels is seen at a quarter of the size
    speck = np.zeros((40, 60), np.uint8)
    speck[8:10, 8:10] = 2
    assert class_layer(speck, SPACE, (10, 15))[2, 2, 3] == EDGE


def test_small_pictures_keep_their_shape_and_dark_ones_are_stretched():
    dark = np.arange(700 * 300).reshape(700, 300, 1) % 30
    small, is_stretched = small_picture(dark.astype(np.uint8))
    assert small.shape == (320, 137, 3) and is_stretched and small.max() > 200
    small, is_stretched = small_picture(np.full((5, 7, 5), 200, np.uint8))
    assert small.shape == (5, 7, 3) and not is_stretched
    deep = np.linspace(0, 60000, 35).reshape(5, 7, 1).astype(np.uint16)
    assert small_picture(deep)[0].max() == 255
    assert make_thumbnail(dark.astype(np.uint8), None, SPACE).outlines == ""
    assert make_thumbnail(deep, np.zeros((5, 7), np.uint8), SPACE).outlines == ""


def test_shares():
    assert [share_text(s) for s in (1.0, 0.099, 0.0005, 1e-6)] == ["100 %", "9.9 %", "0.05 %", "< 0.01 %"]
