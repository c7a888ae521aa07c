"""What a network is taught about objects, against brute force, and that geometry keeps ids."""

import math

import cv2
import numpy as np
import pytest

from limner.core.object_head import MAPS
from limner.core.recipe_parts import AugmentationPart
from limner.data.object_fields import centres_of, edges, flow_of, inner_distance
from limner.training.augment import draw, warp_ids
from limner.training.mixing import BEYOND, Piece, Window, lay_down_ids
from limner.training.object_targets import UNKNOWN, object_targets


def scene():
    """Two objects that touch, one alone, one in two pieces, on a picture that is no square."""
    ids = np.zeros((23, 37), np.int32)
    ids[3:12, 4:14] = 1
    ids[3:12, 14:22] = 2
    cv2.circle(ids, (29, 14), 5, 3, -1)
    ids[17:20, 2:6] = ids[17:20, 9:12] = 4
    return ids


def brute_distance(ids):
    """1 at pixels beside another object or the background, and 1 more for each pixel of way to the nearest of those or outside."""
    stops = np.argwhere(edges(ids) | (ids == 0))
    out = np.zeros(ids.shape)
    for y, x in np.argwhere(ids > 0):
        out[y, x] = 1 + np.hypot(*(stops - (y, x)).T).min()
    return out


def test_distance_is_that_to_the_outline():
    ids = scene()
    distance, deepest = inner_distance(ids)
    assert np.allclose(distance, brute_distance(ids), atol=0.15)  # OpenCV's 5 x 5 distance is right to a few hundredths
    for number in (1, 2, 3, 4):
        assert deepest[number] == distance[ids == number].max()
    assert deepest[0] == 0


def test_two_objects_that_touch_have_a_line_between_them():
    found = edges(scene())
    assert found[7, 13] and found[7, 14] and not found[7, 9] and not found[0, 0]


@pytest.mark.parametrize(
    "ids", [np.ones((5, 7), np.int32), np.zeros((5, 7), np.int32), np.full((5, 7), UNKNOWN, np.int32)]
)
def test_a_patch_without_any_outline(ids):
    for head in ("watershed", "flow", "both"):
        maps = object_targets(ids, head=head, diameter=9.0)
        assert maps.shape == (len(MAPS[head]), 5, 7) and np.isfinite(maps).all()


def test_offsets_lead_to_the_centre_of_mass():
    ids = scene()
    offset_y, offset_x, diameter = centres_of(ids)
    rows, columns = np.mgrid[: ids.shape[0], : ids.shape[1]]
    for number in (1, 2, 3, 4):
        own = ids == number
        assert np.allclose((rows + offset_y)[own], rows[own].mean(), atol=1e-4)
        assert np.allclose((columns + offset_x)[own], columns[own].mean(), atol=1e-4)
        assert diameter[own][0] == pytest.approx(math.sqrt(4 * own.sum() / math.pi), rel=1e-5)
    assert not offset_y[ids == 0].any()


def test_flow_points_inwards_and_does_not_see_the_neighbour():
    ids = scene()
    flow_y, flow_x = flow_of(ids)
    length = np.hypot(flow_y, flow_x)
    assert np.isclose(length[ids > 0], 1, atol=1e-4).mean() > 0.9 and not length[ids == 0].any()
    assert flow_x[7, 4] > 0.9 and flow_x[7, 13] < -0.9  # both sides of object 1
    assert flow_x[7, 14] > 0.9  # the neighbour's side of the line
    alone = np.where(ids == 1, ids, 0)
    assert np.allclose(flow_of(alone)[1][ids == 1], flow_x[ids == 1])


def test_a_disc_flows_to_its_centre():
    disc = np.zeros((41, 51), np.int32)
    cv2.circle(disc, (25, 20), 15, 1, -1)
    flow_y, flow_x = flow_of(disc)
    rows, columns = np.nonzero(disc)
    away = np.hypot(20 - rows, 25 - columns)
    far = away > 3
    cosine = (flow_y[disc > 0] * (20 - rows) + flow_x[disc > 0] * (25 - columns))[far] / away[far]
    assert cosine.min() > 0.85 and cosine.mean() > 0.98


def test_what_is_not_known_is_no_outline():
    ids = np.full((9, 30), 1, np.int32)
    ids[:, 20:] = UNKNOWN
    distance, _ = inner_distance(ids)
    assert distance.min() == 0 and not edges(ids).any()
    ids[:, :2] = 0
    assert inner_distance(ids)[0][4, 19] > inner_distance(ids)[0][4, 4]


@pytest.mark.parametrize("elastic", [0.0, 1.0])
@pytest.mark.parametrize("perspective", [0.0, 0.1])
def test_geometry_never_mixes_ids(elastic, perspective):
    part = AugmentationPart(exact_share=0.0, elastic=elastic, perspective=perspective)
    ids = (scene() * 257).astype(np.uint16)
    for seed in range(5):
        variation = draw(
            np.random.default_rng(seed), part, center_xy=(18, 11), size_hw=ids.shape, patch_hw=(32, 48), channels=3
        )
        patch = warp_ids(variation, ids, (32, 48), beyond=BEYOND)
        assert set(np.unique(patch)) <= {*np.unique(ids), BEYOND}


def test_pieces_of_a_patch_never_share_an_id():
    ids = scene().astype(np.uint16)
    part = AugmentationPart()
    windows = Window(0, 0, 32, 20), Window(0, 20, 32, 28)
    pieces = [
        Piece(
            np.zeros((*ids.shape, 3), np.uint8), ids,
            draw(np.random.default_rng(seed), part, center_xy=(15, 9), size_hw=ids.shape, patch_hw=window.size_hw, channels=3),
            window, ids,
        )
        for seed, window in enumerate(windows)
    ]  # fmt: skip
    found = lay_down_ids(pieces, (32, 48))
    left, right = (set(np.unique(part[part > 0])) for part in (found[:, :20], found[:, 20:]))
    assert left and right and not left & right and found.min() >= -1
