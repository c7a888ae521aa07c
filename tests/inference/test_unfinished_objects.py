"""Objects survive the end of the process: whatever was noted is there again, whatever was not is found once more."""

import json

import cv2
import numpy as np
import pytest

from limner.core.objects import Objects, number_objects
from limner.inference.capacity import Pieces
from limner.inference.object_bands import object_rows
from limner.inference.object_runs import measure, runs_of
from limner.inference.unfinished import Unfinished
from limner.inference.unfinished_objects import UnfinishedObjects

SIZE = (60, 11)
PIECES = Pieces(64)
COMB = np.zeros((1, *SIZE), np.float32)  # four arms longer than a band, which the lowest row connects, and a dot
COMB[0, :50, ::3] = COMB[0, 50] = COMB[0, 57, 5] = 1


def decode(maps):
    labels = (maps[0] > 0.5).astype(np.uint8)
    found = number_objects(cv2.connectedComponents(labels)[1], labels)
    return labels, Objects(found.ids, found.classes, np.full(len(found), 0.7, np.float32))


def new(folder, key=3):
    return Unfinished(
        folder / "work", SIZE, np.dtype(np.uint8), {"bytes": key}, objects=UnfinishedObjects(folder / "work", 11)
    )


def some(rows, count=10**9):
    """Append so many bands."""
    state = rows.objects.state
    first = state.first_row(1)
    stream = object_rows(
        iter([(first, COMB[:, first:])]), decode, size_hw=SIZE, reach=1, band_rows=8, join_share=0, state=state
    )
    for _, part in zip(range(count), stream, strict=False):
        rows.append_objects(part, PIECES)


@pytest.mark.parametrize("noted", [0, 1, 3, 7])
@pytest.mark.parametrize("more", [0, 2])
def test_bands_come_back(tmp_path, noted, more):
    rows = new(tmp_path)
    rows.open(resume=True, classes=2)
    some(rows, noted)
    if noted:
        rows.note()
    some(rows, more)  # written, not noted: the process dies here
    again = new(tmp_path)
    start = again.open(resume=True, classes=2)
    assert start == again.objects.state.start and (start > 0) == (noted > 1)
    some(again)
    again.note()
    labels, whole = decode(COMB)
    numbers = again.objects.numbers()
    assert np.array_equal(again.objects.read(0, 60, numbers), whole.ids) and np.array_equal(again.read(0, 60), labels)
    assert np.array_equal(again.objects.read(49, 52, numbers), whole.ids[49:52])
    found, expected = again.objects.found(), measure(runs_of(whole.ids))
    assert found["area"].tolist() == expected["area"].tolist() == [4 * 50 + 11, 1] and (found["class_id"] == 1).all()
    assert (found["score"].astype(np.float32) == np.float32(0.7)).all()
    assert len(list((tmp_path / "work").glob("state-*"))) == 1
    again.remove()
    assert not list(tmp_path.iterdir())


def begun(folder):
    rows = new(folder)
    rows.open(resume=False, classes=2)
    some(rows, 4)
    rows.note()
    return folder / "work"


def cut(path):
    path.write_bytes(path.read_bytes()[:-3])


@pytest.mark.parametrize(
    "damage",
    [
        lambda work: cut(work / "ids"),
        lambda work: cut(work / "found") if (work / "found").stat().st_size else (work / "found").unlink(),
        lambda work: (work / "joined").unlink(),
        lambda work: cut(next(work.glob("state-*"))),
        lambda work: next(work.glob("state-*")).write_bytes(b""),
        lambda work: next(work.glob("state-*")).unlink(),
        lambda work: (work / "journal.json").write_text(
            json.dumps({**json.loads((work / "journal.json").read_text()), "rows": 1})
        ),
        lambda work: (work / "journal.json").write_text(
            json.dumps({k: v for k, v in json.loads((work / "journal.json").read_text()).items() if k != "objects"})
        ),
    ],
)
def test_what_is_damaged_is_begun_anew(tmp_path, damage):
    work = begun(tmp_path)
    assert new(tmp_path).open(resume=True, classes=2) > 1
    damage(work)
    rows = new(tmp_path)
    assert rows.open(resume=True, classes=2) == 0 == rows.objects.state.start and rows.objects.state.next_id == 1
    some(rows)
    assert np.array_equal(rows.objects.read(0, 60, rows.objects.numbers()), decode(COMB)[1].ids)


def test_another_picture_is_begun_anew(tmp_path):
    begun(tmp_path)
    assert new(tmp_path, key=4).open(resume=True, classes=2) == 0
    begun(tmp_path)
    assert new(tmp_path).open(resume=False, classes=2) == 0
