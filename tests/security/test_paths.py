"""Rows 6 and 7: names that lead elsewhere, and archives, none of which is opened."""

import os
from pathlib import Path

import pytest

from limner.core.files import sha256
from tests.cli.call import limner, refused
from tests.security import attacks
from tests.security.commands import check_refuses, coco, pictures

NAMES = [
    "../out.png",
    "../../../../etc/cron.d/x.png",
    "/etc/x.png",
    "..\\..\\x.png",
    "C:\\Windows\\x.png",
    "\\\\server\\share\\x.png",
    "%2e%2e%2fx.png",
    "a/../../x.png",
    "CON",
    "con.png",
    "NUL.png",
    "LPT1",
    "COM1.png",
    "a\x00b.png",
    "a\nb.png",
    "x" * 300 + ".png",
    ".",
    "..",
    "",
    " ",
    "a:b.png",
    "<img src=x>.png",
    "-rf.png",
    "~root/x.png",
    "\u202egnp.exe",
]


def everything(folder):
    """All files below a folder with their content."""
    return {path.relative_to(folder).as_posix(): sha256(path) for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("to", ["masks", "labelme", "yolo-seg"])
def test_names_in_annotations_lead_nowhere(tmp_path, to):
    home = tmp_path / "deep/er/home"
    pictures(home, "x.png", "out.png")
    (home / "coco.json").write_text(coco(*NAMES))
    before = everything(tmp_path)
    out = tmp_path / "deep/er/out"
    outcome = limner("convert", home / "coco.json", out, "--to", to)
    assert outcome.code in (0, 1) and "Traceback" not in outcome.err
    after = everything(tmp_path)
    assert {name: after[name] for name in before} == before
    new = sorted(set(after) - set(before))
    assert all(name.startswith("deep/er/out/") for name in new), new
    for name in new:
        parts = Path(name).parts
        assert all(len(os.fsencode(part)) <= 255 and part.isprintable() for part in parts)
        assert not {part.split(".")[0].lower() for part in parts} & {"con", "nul", "lpt1", "com1"}


def test_a_link_that_leads_out_is_not_written_through(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    data = pictures(tmp_path / "data", "a.png")
    out = tmp_path / "out"
    out.symlink_to(outside)
    outcome = limner("predict", "otsu", data, "--out", out, "--overwrite")
    assert outcome.code != 0 or not (outside / "predictions.json").exists() or out.is_symlink()
    assert not list(tmp_path.glob("*.tmp"))


ARCHIVES = {
    "data.zip": attacks.archive(),
    "data.tar": attacks.tar(),
    "data.tar.gz": attacks.tar("gz"),
    "data.tar.bz2": attacks.tar("bz2"),
    "data.tar.xz": attacks.tar("xz"),
    "data.gz": attacks.archive("gzip"),
    "data.json": attacks.archive(),
    "data": attacks.tar(),
}


@pytest.mark.parametrize("name", ARCHIVES)
def test_an_archive_is_refused_by_name_and_not_unpacked(tmp_path, name):
    file = tmp_path / name
    file.write_bytes(ARCHIVES[name])
    before = everything(tmp_path)
    check_refuses(file, "archive", "unpack")
    assert limner("predict", "otsu", file, "--out", tmp_path / "out").code == 1
    assert limner("predict", file, file, "--out", tmp_path / "out2").code != 0
    refused(limner("convert", file, tmp_path / "out3", "--to", "masks"))
    after = everything(tmp_path)
    assert set(after) - set(before) <= {"out/predictions.json", "out/.limner-output"}


def test_an_archive_that_calls_itself_a_picture_is_damage(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    for name in ("a.png", "b.tif", "c.jpg", "d.npy"):
        (data / name).write_bytes(attacks.archive())
    outcome = limner("predict", "otsu", data, "--out", tmp_path / "out", "--json")
    assert outcome.code == 1 and outcome.document["failed"] == 4
    assert all("cannot be read" in row["error"]["found"] for row in outcome.document["images"])
    assert not list(tmp_path.rglob("escape*"))
