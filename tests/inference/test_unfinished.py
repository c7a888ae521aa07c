"""The journal never says more than the disk holds; rows behind its last word are forgotten."""

import json

import numpy as np
import pytest

from limner.inference.capacity import Pieces
from limner.inference.unfinished import Unfinished

PIECES = Pieces(512, 2, ("a note",))


def new(folder, key=None, dtype=np.uint8):
    return Unfinished(folder / "work", (9, 7), np.dtype(dtype), key or {"bytes": 12, "size": (9, 7)})


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_rows_come_back(tmp_path, dtype):
    labels = np.random.default_rng(0).integers(0, 3, (9, 7)).astype(dtype)
    rows = new(tmp_path, dtype=dtype)
    assert rows.open(resume=True, classes=3) == 0  # nothing there yet
    rows.append(labels[:4], PIECES)
    rows.note()
    rows.append(labels[4:6], PIECES)  # written, not noted: the process dies here
    again = new(tmp_path, dtype=dtype)
    assert again.open(resume=True, classes=3) == 4 and again.pieces == PIECES
    again.append(labels[4:], PIECES)
    assert np.array_equal(again.read(0, 9), labels) and np.array_equal(again.read(3, 5), labels[3:5])
    assert again.counts == tuple(np.bincount(labels.ravel(), minlength=3))
    again.remove()
    assert not list(tmp_path.iterdir())


def test_what_is_begun_anew(tmp_path):
    labels = np.ones((9, 7), np.uint8)

    def begun():
        rows = new(tmp_path)
        rows.open(resume=False, classes=2)
        rows.append(labels[:5], PIECES)
        rows.note()

    begun()
    assert new(tmp_path).open(resume=False, classes=2) == 0  # not asked to go on
    begun()
    assert new(tmp_path, {"bytes": 13, "size": (9, 7)}).open(resume=True, classes=2) == 0  # another file
    begun()
    (tmp_path / "work/rows").write_bytes(b"123")
    assert new(tmp_path).open(resume=True, classes=2) == 0  # fewer rows than the journal says
    begun()
    (tmp_path / "work/journal.json").write_text('{"rows": 5')
    rows = new(tmp_path)
    assert rows.open(resume=True, classes=2) == 0 and rows.counts == (0, 0)
    assert json.loads(json.dumps(rows.key)) and (tmp_path / "work/rows").read_bytes() == b""
