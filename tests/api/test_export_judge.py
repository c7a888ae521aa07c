"""The gate sees what becomes of objects: of query masks, and of the maps behind those of the classes."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from limner.api.export_judge import Judge
from limner.core.bundle import Bundle, InputContract
from limner.core.labels import LabelSpace
from limner.core.object_head import QUERIES, ObjectHead
from limner.core.protocols import Silent
from limner.runtimes.parity import check_vectors, read_vectors, write_vectors
from tests.runtimes.test_decision import packed

SPACE = LabelSpace(("background", "cell"), things=("cell",))
HEIGHT, WIDTH = 40, 64
TILE = np.zeros((1, 3, HEIGHT, WIDTH), np.float32)


def bundle(head):
    contract = InputContract(3, 1.0, "fixed", (0.0, 255.0), 0, 0.25, "", 0.5, objects=ObjectHead(head, head, 20.0))
    return Bundle(Path(), "unet", {"channels": 3, "maps": 1}, SPACE, contract)


def judge(head, network):
    pairs = ((TILE, network(TILE)),)
    return Judge(bundle(head), pairs, pairs, "validation", None, None, Silent())


def queries(batch, *, shift=0, noise=0.0):
    """Query 3 shows a cell, `shift` pixels to the right; query 0, which the class logits silence, shows the same everywhere."""
    masks = np.full((len(batch), 5, *batch.shape[2:]), -5.0, np.float32)
    masks[:, 0] = 5
    masks[:, 3, 10:30, 10 + shift : 30 + shift] = 5
    classes = np.zeros((len(batch), 5, 2), np.float32)
    classes[..., 1] = 6
    classes[:, 3] = 6, -6
    return packed(masks + np.float32(noise), classes)


def flows(batch, *, factor=1.0):
    """Two cells side by side, told apart by the flow to their centres alone."""
    y, x = np.mgrid[: batch.shape[2], : batch.shape[3]].astype(np.float32)
    down, right = 20 - y, np.where(x < 32, 18, 46) - x
    length = np.maximum(np.hypot(down, right), 1)
    maps = np.full((len(batch), 3, *batch.shape[2:]), -5.0, np.float32)
    maps[:, 0, 4:36, 4:60] = 5
    maps[:, 1], maps[:, 2] = factor * down / length, factor * right / length
    return maps


def test_query_masks_that_moved_are_noticed():
    for moved in (lambda tile: queries(tile, shift=20), lambda tile: queries(tile, shift=1)):
        _, failures = judge(QUERIES, queries).bfloat16(moved)
        assert any("another label" in text for text in failures)
    parity, failures = judge(QUERIES, queries).bfloat16(lambda tile: queries(tile, noise=0.01))
    assert failures == [] and parity.label_disagreement == 0 and parity.pixels == HEIGHT * WIDTH
    parity, failures = judge(QUERIES, queries).float32(lambda tile: queries(tile, shift=20))
    assert parity.label_disagreement == 2 * 20 * 20 / (HEIGHT * WIDTH) and len(failures) >= 2


def test_a_lost_flow_is_noticed_although_every_label_stays():
    parity, failures = judge("flow", flows).bfloat16(lambda tile: flows(tile, factor=0.0))
    assert parity.label_disagreement == 0 and len(failures) == 1 and "a map of objects differs by" in failures[0]
    assert judge("flow", flows).bfloat16(lambda tile: flows(tile, factor=1.01))[1] == []


@pytest.mark.parametrize(("f1", "words"), [(0.895, None), (0.85, "F1 of objects falls by 0.0500 from 0.9000")])
def test_where_pictures_show_objects_these_decide(monkeypatch, f1, words):
    monkeypatch.setattr(Judge, "measure", lambda self, predictor: (0.7, f1))
    known = dataclasses.replace(judge("flow", flows), dice=0.7, f1=0.9)
    _, failures = known.bfloat16(lambda tile: flows(tile, factor=0.9))
    assert failures == [] if words is None else words in failures[0]


def test_vectors_of_query_masks_hold_their_labels(tmp_path):
    made = dataclasses.replace(bundle(QUERIES), folder=tmp_path)

    def network(batch):
        return queries(np.zeros((len(batch), 3, HEIGHT, WIDTH)))

    write_vectors(tmp_path / "parity.npz", network, made)
    with np.load(tmp_path / "parity.npz") as archive:
        labels = archive["labels_0"]
    assert labels.shape == (1, HEIGHT, WIDTH) and labels.sum() == 400 and labels[0, 10:30, 10:30].all()
    assert len(read_vectors(tmp_path / "parity.npz")) > 1
    assert check_vectors(network, made).label_disagreement == 0
