from __future__ import annotations

import pytest

from limner.core.annotation import Problem
from limner.data.formats.geometry import Note, Refusal
from limner.data.formats.ledger import FREE_PIXELS, PIXELS_PER_CHARACTER, Ledger
from tests.data.formats.contents import json_content


def test_the_same_sentence_is_told_once_with_its_places():
    ledger = Ledger("a.json")
    for index in range(7):
        ledger.warn("box", "no mask", f"annotations/{index}")
    ledger.warn("box", "no mask at all", "annotations/9")
    first, second = ledger.warnings
    assert first.message.startswith("no mask (7 times: annotations/0, annotations/1") and first.message.endswith("...)")
    assert first.where == "annotations/0" and second == Problem("box", "no mask at all", "a.json", "annotations/9")


def test_a_record_is_refused_alone_and_its_notes_are_warnings():
    ledger = Ledger("a.json")
    with ledger.record("1") as notes:
        notes.append(Note("repeated-points", "2 points"))
    with ledger.record("2") as notes:
        notes.append(Note("lost", "nobody hears this"))
        raise Refusal("no-area", "nothing")
    assert ledger.warnings == (Problem("repeated-points", "2 points", "a.json", "1"),)
    assert ledger.refused == (Problem("no-area", "nothing", "a.json", "2"),)
    with pytest.raises(KeyError), ledger.record("3"):
        raise KeyError("a fault of ours is not hidden")


def test_masks_may_have_as_many_pixels_as_the_file_explains():
    ledger = Ledger.of(json_content([0] * 100))
    ledger.take_pixels(FREE_PIXELS + PIXELS_PER_CHARACTER * 299)
    with pytest.raises(Refusal) as caught:
        ledger.take_pixels(PIXELS_PER_CHARACTER * 2)
    assert caught.value.code == "too-many-pixels"
    ledger.allow_pixels(PIXELS_PER_CHARACTER)
    ledger.take_pixels(PIXELS_PER_CHARACTER * 2)
