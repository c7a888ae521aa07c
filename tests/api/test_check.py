"""`check --out` writes its three files, shows what it can, and leaves the data as they are."""

import hashlib
import json
import re

import numpy as np
import pytest

from limner.api.check import check
from limner.core.errors import OutputError
from limner.core.files import MARKER
from limner.data.images import read_image
from tests.make_data import gray, labels, make_folder, palette, picture, save


def digest(root):
    return hashlib.sha256(b"".join(p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file())).hexdigest()


def test_a_broken_set_gets_a_sheet_that_names_and_shows_what_is_wrong(tmp_path):
    data, out = tmp_path / "data", tmp_path / "out"
    make_folder(data, count=14, classes=3, encode=palette)
    (data / "masks/p.00.png").unlink()
    save(data / "masks/p.01.png", gray(labels(1, (80, 112), 3)))
    path = data / "images/p.02.png"
    path.write_bytes(path.read_bytes()[:200])
    save(data / "images/a&<b>.png", picture(20))
    save(data / "masks/a&<b>.png", palette(labels(20, classes=3)))
    before = digest(data)
    report = check(data, out=out)
    assert digest(data) == before and report.blocking
    assert json.loads((out / "check.json").read_text()) == report.as_dict()
    page = (out / "contact_sheet.html").read_text(encoding="utf-8")
    figures = re.findall(r'<figure id="(p\d+)" data-codes="([^"]*)">(.*?)</figure>', page, re.S)
    shown = {
        re.search(r"(images/\S+)", body.split("figcaption")[1])[1]: (codes.split(), body) for _, codes, body in figures
    }
    assert len(figures) == 15 and "images/a&amp;&lt;b&gt;.png" in shown
    assert "UNPAIRED_IMAGE" in shown["images/p.00.png"][0] and shown["images/p.00.png"][1].count("<img") == 1
    assert "SIZE_MISMATCH" in shown["images/p.01.png"][0]
    assert "UNREADABLE" in shown["images/p.02.png"][0] and "cannot be shown" in shown["images/p.02.png"][1]
    assert shown["images/p.05.png"][1].count("<img") == 2  # the picture and its classes
    links = set(re.findall(r'href="#(p\d+)"', page))
    assert links and links <= {place for place, _, _ in figures}
    rows = re.findall(
        r"</i>(background|class_\d)</th><td class=\"right\">([^<]*)</td><td class=\"right\">(\d+)</td>", page
    )
    assert [name for name, _, _ in rows] == ["background", "class_1", "class_2"] and rows[2][2] == "13"
    sheet = read_image(out / "contact_sheet.png")
    assert sheet.shape[1] == 8 * 164 and len(np.unique(sheet)) > 20


def test_sixteen_bit_pictures_with_ignored_pixels_are_shown(tmp_path):
    data = tmp_path / "data"
    make_folder(data, count=2)
    for i in range(2):
        save(data / f"images/p.0{i}.png", picture(i, channels=1, dtype="uint16"))
    ids = labels(0)
    ids[:4] = 255
    save(data / "masks/p.00.png", ids)
    check(data, out=tmp_path / "out")
    page = (tmp_path / "out/contact_sheet.html").read_text(encoding="utf-8")
    assert page.count('class="classes"') == 2 and "1 x uint16" in page and "255" in page


def test_single_objects_are_outlined_where_they_are_told_apart(tmp_path):
    ids = np.zeros((60, 90), np.uint16)
    ids[20:40, 10:45], ids[20:40, 45:80] = 3, 9
    seams = []
    for kind in ("areas", "objects"):
        data = tmp_path / kind
        for i in range(2):
            save(data / f"images/p{i}.png", picture(i, (60, 90)))
            save(data / f"masks/p{i}.png", (ids > 0).astype(np.uint8))
            if kind == "objects":
                save(data / f"instances/p{i}.png", ids)
        check(data, out=tmp_path / f"{kind}_out")
        sheet = read_image(tmp_path / f"{kind}_out/contact_sheet.png").astype(int)
        seams.append(sheet[30, 43:47])
        page = (tmp_path / f"{kind}_out/contact_sheet.html").read_text(encoding="utf-8")
        assert ("OBJECT_SIZES" in page) == (kind == "objects")
    assert (np.abs(seams[1] - seams[0]).sum(axis=1) > 60).sum() >= 2  # both sides of the seam are drawn as outlines


def test_the_data_are_not_replaced_by_their_own_report(tmp_path):
    data = tmp_path / "data"
    make_folder(data, count=2)
    (tmp_path / MARKER).touch()
    (data / MARKER).touch()  # as convert leaves it
    before = digest(tmp_path)
    for read, out in ((data, data), (data, tmp_path), (data / "images", data)):
        with pytest.raises(OutputError, match="this call reads"):
            check(read, out=out, overwrite=True)
    assert digest(tmp_path) == before
    for _ in range(2):
        check(data, out=data / "report", overwrite=True)
    assert (data / "report/check.json").exists()
