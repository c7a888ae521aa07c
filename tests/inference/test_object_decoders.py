"""Decoders against objects whose maps are known, and the rules that hold for all of them."""

import cv2
import numpy as np
import pytest

from limner.core.labels import LabelSpace
from limner.core.object_head import DECODERS, MAPS, QUERIES, ObjectHead
from limner.inference.object_decoders import components, from_centres, from_distance
from limner.inference.objects import ObjectDecoder, activate_maps, mirrored_signs, without_small_stuff
from limner.training.object_targets import object_targets

CELLS = LabelSpace(("background", "cell"), things=("cell",))
SCENE = LabelSpace(("background", "sky", "round", "square"), things=("round", "square"))
READERS = tuple(name for name in DECODERS if name not in ("components", QUERIES))


def discs(size_hw=(71, 113)):
    """Rows of discs that touch each other, of two sizes."""
    ids = np.zeros(size_hw, np.int32)
    for number, (x, y, radius) in enumerate(
        [(12, 12, 10), (32, 12, 10), (53, 14, 11), (90, 20, 17), (20, 50, 14), (48, 50, 14)]
    ):
        cv2.circle(ids, (x, y), radius, number + 1, -1)
    return ids


def maps_of(ids, head="both", diameter=20.0):
    return np.concatenate([(ids > 0)[None].astype(np.float32), object_targets(ids, head=head, diameter=diameter)])


def head(decoder, **options):
    return ObjectHead("both", decoder, 20.0, **{"reach": 60, "seed": 0.4, **options})


def least_iou(found, true):
    """The least over the true objects of the best IoU with any found one."""
    return min(
        max(
            ((found == f) & (true == t)).sum() / ((found == f) | (true == t)).sum() for f in np.unique(found[true == t])
        )
        for t in np.unique(true[true > 0])
    )


@pytest.mark.parametrize("decoder", READERS)
def test_touching_objects_come_apart(decoder):
    ids = discs()
    labels, objects = ObjectDecoder(CELLS, head(decoder), 0.5)(maps_of(ids))
    assert len(objects) == 6 and least_iou(objects.ids, ids) > 0.85
    assert ((labels > 0) == (ids > 0)).all() and not objects.ids[labels == 0].any() and objects.scores.min() > 0.99
    assert components(ids > 0).max() == 3  # they touch


@pytest.mark.parametrize("decoder", ["components", *READERS])
def test_the_scale_changes_only_the_size(decoder):
    ids = discs()
    large = cv2.resize(maps_of(ids).transpose(1, 2, 0), None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR).transpose(
        2, 0, 1
    )
    small = ObjectDecoder(CELLS, head(decoder), 0.5)(maps_of(ids))[1]
    found = ObjectDecoder(CELLS, head(decoder, reach=120), 0.5, scale=2.0)(large)[1]
    assert len(found) == len(small)


@pytest.mark.parametrize("decoder", ["components", *READERS])
def test_nothing_everything_and_one_pixel(decoder):
    decode = ObjectDecoder(CELLS, head(decoder), 0.5)
    for ids in (np.zeros((5, 7), np.int32), np.ones((5, 7), np.int32), np.zeros((1, 1), np.int32)):
        labels, objects = decode(maps_of(ids))
        assert labels.shape == ids.shape == objects.ids.shape
        assert len(objects) == (1 if ids.any() else 0)


def test_an_area_without_seed_is_an_object_of_its_own():
    inside = np.zeros((9, 20), bool)
    inside[2:7, 2:7] = inside[2:7, 12:17] = True
    distance = np.where(inside, np.float32(0.1), np.float32(0))
    distance[4, 4] = 0.9
    assert from_distance(inside, distance, seed=0.5).max() >= 2
    flat = np.zeros_like(distance)
    assert len(np.unique(from_centres(inside, flat, flat, flat, seed=0.5, diameter=5))) == 3


def test_a_flow_that_leads_nowhere_is_given_up():
    ids = discs()
    maps = maps_of(ids)
    right, radius = ids == 4, np.random.default_rng(0).normal(size=(2, *ids.shape))
    maps[5:, right] = (radius / np.linalg.norm(radius, axis=0))[:, right]
    strict = ObjectDecoder(CELLS, head("flow", flow_error=0.6), 0.5)(maps)[1]
    lenient = ObjectDecoder(CELLS, head("flow", flow_error=4.0), 0.5)(maps)[1]
    assert (strict.ids[right] > 0).mean() < 0.05 < 0.5 < (lenient.ids[right] > 0).mean()
    assert len(np.unique(strict.ids[~right])) == 6  # the five others and the background


def test_classes_by_majority_and_small_ones_taken_away():
    scores = np.zeros((4, 12, 20), np.float32)
    scores[0] = 0.1
    scores[2, 2:8, 2:8], scores[3, 2:8, 7] = 0.9, 0.95  # one object, a column of which looks like another class
    scores[3, 10, 15] = 0.9  # a crumb
    scores[1, :2] = 0.8  # stuff
    maps = np.concatenate(
        [scores, (scores[2:].max(0) > 0.5)[None].astype(np.float32), np.zeros((3, 12, 20), np.float32)]
    )
    labels, objects = ObjectDecoder(SCENE, ObjectHead("watershed", "watershed", 5.0, min_area=4), 0.5)(maps)
    assert objects.classes.tolist() == [2] and (objects.ids[2:8, 2:8] == 1).all() and not objects.ids[10, 15]
    assert labels[10, 15] == 3 and (labels[2:8, 7] == 3).all()  # the class map stays what it is
    assert (labels[:2] == 1).all() and not objects.ids[:2].any()


def test_connected_areas_of_two_classes_that_touch_are_two_objects():
    scores = np.zeros((4, 9, 20), np.float32)
    scores[0] = 0.1
    scores[2, 2:7, 2:9], scores[3, 2:7, 9:15] = 0.9, 0.9
    objects = ObjectDecoder(SCENE, ObjectHead("components", "components", 5.0), 0.5)(scores)[1]
    assert objects.classes.tolist() == [2, 3] and objects.areas().tolist() == [35, 30]


def test_a_map_of_nothing_is_survived():
    ids = discs()
    maps = maps_of(ids)
    maps[1:, :, :40] = np.nan
    for decoder in READERS:
        assert ObjectDecoder(CELLS, head(decoder), 0.5)(maps)[1].ids.shape == ids.shape


def test_one_seed_for_a_large_area_is_quick():
    inside = np.ones((700, 900), bool)
    distance = np.zeros(inside.shape, np.float32)
    distance[3, 3] = 1
    inside[10:690, 5:] = False  # a frame around nothing: far along, never wide
    assert len(np.unique(from_distance(inside, distance, seed=0.5))) == 2


def test_small_stuff_becomes_void():
    labels = np.zeros((8, 12), np.uint8)
    labels[:4], labels[6, 3], labels[7, 10:] = 1, 1, 2
    things = np.array([False, False, True, True])
    found = without_small_stuff(labels, things, 3)
    assert (found[:4] == 1).all() and found[6, 3] == 0 and (found[7, 10:] == 2).all() and labels[6, 3] == 1


def test_a_mirrored_picture_gives_mirrored_maps():
    ids = discs()
    maps = maps_of(ids)
    for letters, axes in (("x", (2,)), ("y", (1,)), ("xy", (1, 2))):
        mirrored = maps_of(np.ascontiguousarray(np.flip(ids, [axis - 1 for axis in axes])))
        back = np.flip(mirrored, axes) * mirrored_signs(head("flow"), 1, letters)
        assert np.allclose(back, maps, atol=0.02)


def test_only_classes_are_activated():
    logits = np.random.default_rng(0).normal(size=(2, 3 + len(MAPS["flow"]), 5, 7)).astype(np.float32)
    found = activate_maps(logits, 3, ObjectHead("flow", "flow", 5.0))
    assert np.allclose(found[:, :3].sum(1), 1, atol=1e-5) and (found[:, 3:] == logits[:, 3:]).all()
    assert activate_maps(logits[:, :3], 3, None).shape == (2, 3, 5, 7)


def test_a_picture_wider_than_opencv_looks_up(monkeypatch):
    ids = discs()
    expected = ObjectDecoder(CELLS, head("flow"), 0.5)(maps_of(ids))[1]
    monkeypatch.setattr("limner.inference.object_decoders.LARGEST_REMAP", 10)
    found = ObjectDecoder(CELLS, head("flow"), 0.5)(maps_of(ids))[1]
    assert len(found) == len(expected) and (found.ids != expected.ids).mean() < 0.001


def test_what_a_watershed_cuts_off_belongs_to_its_neighbour():
    ids = np.zeros((30, 44), np.int32)
    cv2.ellipse(ids, (14, 15), (11, 5), 30, 0, 360, 1, -1)
    cv2.ellipse(ids, (31, 15), (9, 4), -50, 0, 360, 2, -1)
    ids[15, 25:28] = 1  # a thin arm
    found = ObjectDecoder(CELLS, head("watershed"), 0.5)(maps_of(ids))[1]
    assert len(found) == 2 and ((found.ids > 0) == (ids > 0)).all()


def test_what_flows_together_in_several_places_is_one_object():
    """Two long cells that touch along their sides; their flow is cut in pieces along the middle."""
    ids = np.zeros((40, 90), np.int32)
    ids[8:18, 5:80], ids[18:28, 10:85] = 1, 2
    maps = maps_of(ids)
    maps[6] += 0.3 * np.sin(np.arange(90) / 4)  # along x: several places where pixels gather
    apart = ObjectDecoder(CELLS, head("flow"), 0.5)(maps)[1]
    joined = ObjectDecoder(CELLS, head("flow", flow_merge=0.8), 0.5)(maps)[1]
    assert len(apart) > 2 and len(joined) == 2 and least_iou(joined.ids, ids) > 0.95
