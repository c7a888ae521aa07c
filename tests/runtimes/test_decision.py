"""Labels that a gate decides are those that prediction decides, also of query masks."""

import numpy as np
import pytest

from limner.core.bundle import Bundle, InputContract
from limner.core.labels import LabelSpace
from limner.core.object_head import QUERIES, ObjectHead
from limner.core.query_answer import class_rows
from limner.inference.query_decoder import class_scores
from limner.runtimes.decision import Decision, query_scores


def packed(masks, classes):
    """Masks ``(N, Q, h, w)`` with class logits ``(N, Q, C + 1)`` in the rows below them."""
    number, queries, _, width = masks.shape
    rows = class_rows(classes.shape[2] - 1, width)
    tail = np.zeros((number, queries, rows * width), np.float32)
    tail[..., : classes.shape[2]] = classes
    return np.concatenate([masks, tail.reshape(number, queries, rows, width)], axis=2)


def bundle(names, head=None, threshold=0.5):
    contract = InputContract(3, 1.0, "fixed", (0.0, 255.0), 0, 0.25, "", threshold, objects=head)
    return Bundle("", "unet", {"channels": 3}, LabelSpace(names), contract)


@pytest.mark.parametrize("names", [("background", "a"), ("background", "a", "b", "c", "d")])
@pytest.mark.parametrize("threshold", [0.5, 0.2])
def test_queries_are_decided_from_the_scores_of_prediction(names, threshold):
    random = np.random.default_rng(0)
    made = bundle(names, ObjectHead(QUERIES, QUERIES, 20.0), threshold)
    masks = random.normal(-1, 3, (2, 7, 9, 3)).astype(np.float32)  # narrower than five class logits
    answer = packed(masks, random.normal(0, 2, (2, 7, len(names))).astype(np.float32))
    decision = Decision.of(made)
    labels = decision.labels(answer)
    assert labels.shape == (2, 9, 3) and labels.any() and not labels.all()
    for one, found in zip(answer, labels, strict=True):
        scores = class_scores(one, made.label_space, (9, 3))
        np.testing.assert_array_equal(found, made.label_space.decode(scores, threshold=threshold))
    assert decision.beside(answer).shape == answer.shape


def test_scores_of_queries_worked_out_by_hand():
    masks = np.array([[[[0.0, 50.0]], [[-50.0, 0.0]]]], np.float32)  # sigmoid 0.5, 1 / 0, 0.5
    classes = np.log(np.array([[[0.5, 0.25, 0.25], [0.25, 0.75, 1e-9]]])).astype(np.float32)
    found = query_scores(packed(masks, classes), 2)
    np.testing.assert_allclose(found, [[[[0.25, 0.625]], [[0.125, 0.625]]]], atol=1e-6)


def test_maps_beside_the_classes():
    answer = np.zeros((1, 5, 2, 2), np.float32)
    assert Decision(0.5).beside(answer).shape[1] == 0
    assert Decision(0.5, 3).beside(answer).shape[1] == 2
    assert Decision(0.5, 5).beside(answer).shape[1] == 0
    flow = Decision.of(bundle(("background", "a"), ObjectHead("flow", "flow", 20.0)))
    assert flow == Decision(0.5, 1) and flow.beside(answer[:, :3]).shape[1] == 2
