"""Options that would change nothing are refused, not ignored."""

import dataclasses

import pytest

from limner.core.bundle import Bundle, InputContract
from limner.core.labels import LabelSpace
from limner.core.object_head import QUERIES, ObjectHead
from limner.inference.query_segmenter import make_segmenter
from limner.server.loaded import Loaded
from limner.server.options import Options, segmenter_for
from limner.server.refused import Refused
from limner.server.routes.huggingface import Parameters, options_for
from limner.server.routes.inference_protocol import size_of_queries

THINGS = LabelSpace(("background", "cell"), things=("cell",))
STUFF = LabelSpace(("background", "cell"))
QUERY = ObjectHead(head=QUERIES, decoder=QUERIES, diameter=1.0)
WHOLE = InputContract(3, 1.0, "fixed", (0.0, 255.0), 0, 0.25, "", 0.5, resize_hw=(64, 96))
TILED = dataclasses.replace(WHOLE, resize_hw=(0, 0))
MASKS = dataclasses.replace(WHOLE, objects=QUERY)


def loaded(tmp_path, contract, space=THINGS):
    bundle = Bundle(tmp_path, "net", {"channels": 3}, space, contract, training={"mirrored": "x"})
    return Loaded("m", "1", make_segmenter(lambda batch: batch, contract, space, 3), space, bundle, "fake")


@pytest.mark.parametrize(
    ("contract", "space", "options", "words"),
    [
        (MASKS, THINGS, Options(tta=True), "tta is asked of 'm', which answers queries"),
        (MASKS, THINGS, Options(threshold=0.3), "threshold is asked of 'm', whose queries"),
        (MASKS, THINGS, Options(tile=64), "tile is asked of 'm', which sees whole pictures"),
        (WHOLE, STUFF, Options(tile=64), "tile is asked of 'm', which sees whole pictures"),
        (MASKS, STUFF, Options(tta=True), "tta is asked of 'm', which answers queries"),
    ],
)  # fmt: skip
def test_what_would_be_ignored_is_refused(tmp_path, contract, space, options, words):
    with pytest.raises(Refused, match=words) as caught:
        segmenter_for(loaded(tmp_path, contract, space), options)
    assert (caught.value.status, caught.value.code) == (422, "option")


@pytest.mark.parametrize(
    ("contract", "space", "options", "changed"),
    [
        (MASKS, STUFF, Options(threshold=0.3), {"threshold": 0.3}),  # labels are decided from scores
        (WHOLE, THINGS, Options(threshold=0.3, tta=True), {"threshold": 0.3, "flips": "x"}),
        (TILED, THINGS, Options(tile=64), {"tile": 64}),
    ],
)  # fmt: skip
def test_what_can_be_obeyed_is_obeyed(tmp_path, contract, space, options, changed):
    found = segmenter_for(loaded(tmp_path, contract, space), options)
    assert found.contract == dataclasses.replace(contract, **changed)


def test_the_parameters_of_hugging_face_are_no_options_without_effect(tmp_path):
    given = Parameters(threshold=0.5, mask_threshold=0.4, overlap=0.8)
    by_queries, alone = (options_for(loaded(tmp_path, contract, THINGS), given) for contract in (MASKS, WHOLE))
    assert (by_queries.threshold, alone.threshold) == (None, 0.4) and by_queries.scores and alone.scores
    assert segmenter_for(loaded(tmp_path, MASKS, THINGS), by_queries).keep_scores


def test_scores_are_asked_of_any_network(tmp_path):
    assert segmenter_for(loaded(tmp_path, MASKS), Options(scores=True)).keep_scores


def test_the_size_of_queries():
    assert (size_of_queries(MASKS), size_of_queries(WHOLE), size_of_queries(TILED)) == ((64, 96), None, None)
