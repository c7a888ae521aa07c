"""Bent patches: image and labels alike, without folds, and within the box that is cut for them."""

import dataclasses

import cv2
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from limner.core.recipe_parts import AugmentationPart
from limner.training import augment
from limner.training.augment import draw, warp, warp_ids
from limner.training.deform import Deformation, displacement, draw_deformation, source_box, source_map, source_matrix

STILL = AugmentationPart(flip_x=False, flip_y=False, rotation_degrees=0, scale_min=1, scale_max=1, exact_share=0.0)
KINDS = {"perspective": 0.15, "elastic": 1.0, "grid": 1.0}
STAYS = np.array([[1.0, 0, 0], [0, 1, 0]])


def drawn(seed, *, patch_hw=(96, 128), size_hw=(96, 128), part=STILL, center_xy=None, **kinds):
    return draw(
        np.random.default_rng(seed), dataclasses.replace(part, **kinds), center_xy=center_xy or (64, 48), size_hw=size_hw,
        patch_hw=patch_hw, channels=1,
    )  # fmt: skip


def coordinates(size_hw):
    """A picture whose first channel is x and whose second is y."""
    y, x = np.mgrid[: size_hw[0], : size_hw[1]].astype(np.float32)
    return np.dstack([x, y])


@pytest.mark.parametrize("kind", KINDS)
def test_labels_go_where_the_image_goes(kind):
    labels = np.zeros((96, 128), np.uint8)
    labels[10:40, 8:90], labels[50:90, 20:44], labels[60:76, 80:118] = 1, 2, 3
    moved_any = 0.0
    for seed in range(12):
        variation = drawn(seed, **{kind: KINDS[kind]})
        image, target = warp(variation, labels[..., None] * 60, labels, (96, 128))
        square = np.ones((5, 5), np.uint8)
        flat = cv2.dilate(target, square) == cv2.erode(target, square)
        flat[:2], flat[-2:], flat[:, :2], flat[:, -2:] = False, False, False, False
        assert flat.mean() > 0.3 and np.abs(image[..., 0].astype(int) - 60 * target)[flat].max() <= 1
        moved_any += (target != labels).mean()
    assert moved_any / 12 > 0.01


@pytest.mark.parametrize("kind", [*KINDS, "all"])
@pytest.mark.parametrize("patch_hw", [(96, 128), (33, 64), (5, 7)])
def test_the_warp_follows_its_map(kind, patch_hw):
    """A picture of coordinates comes out as the map itself."""
    kinds = KINDS if kind == "all" else {kind: KINDS[kind]}
    variation = drawn(3, patch_hw=patch_hw, size_hw=(300, 400), center_xy=(200, 150), **kinds)
    image, _ = warp(variation, coordinates((300, 400)), np.zeros((300, 400), np.uint8), patch_hw)
    x, y = source_map(variation.matrix, variation.deformation, patch_hw)
    assert np.abs(image - np.dstack([x, y])).max() < 0.05  # OpenCV rounds places to 1/32 of a pixel


@pytest.mark.parametrize("kind", ["elastic", "grid", "both"])
@pytest.mark.parametrize("patch_hw", [(256, 256), (96, 128), (32, 64)])
def test_no_patch_folds_over_itself(kind, patch_hw):
    part = dataclasses.replace(
        STILL, elastic=1.0 if kind != "grid" else 0.0, grid=1.0 if kind != "elastic" else 0.0, elastic_pixels=20.0
    )
    areas = []
    for seed in range(100):
        field = displacement(draw_deformation(np.random.default_rng(seed), part, patch_hw=patch_hw), patch_hw)
        dx, dy = np.gradient(field[..., 0]), np.gradient(field[..., 1])  # along y, along x
        areas.append(((1 + dx[1]) * (1 + dy[0]) - dx[0] * dy[1]).min())
    if kind == "both":
        assert np.mean(np.array(areas) > 0) > 0.95  # two fields are added; their sum is not bounded as each alone is
    else:
        assert min(areas) > 0


def test_strength_is_what_the_recipe_says():
    part = dataclasses.replace(STILL, elastic=1.0, elastic_pixels=5.0)
    nodes = [draw_deformation(np.random.default_rng(seed), part, patch_hw=(256, 384)).elastic for seed in range(60)]
    assert nodes[0].shape == (4, 6, 2) and nodes[0].dtype == np.float32
    assert 4.0 < np.std(nodes) < 5.0 and np.abs(nodes).max() <= 10.0  # a normal distribution cut at two deviations
    small = [draw_deformation(np.random.default_rng(s), part, patch_hw=(32, 64)).elastic for s in range(60)]
    assert np.abs(small).max() <= 2 * 16 / 8  # an eighth of the distance of 16 between nodes, twice


def test_straight_cells_stay_straight():
    """Between two nodes the grid deformation is linear: second differences vanish but at the nodes."""
    nodes = np.random.default_rng(0).uniform(-9, 9, (3, 4, 2)).astype(np.float32)
    field = displacement(Deformation(grid=nodes), (96, 128))
    bends = np.abs(np.diff(field, 2, axis=1)).max(axis=(0, 2)) > 1e-3
    assert 1 <= bends.sum() <= 8  # four columns of nodes, each between two pixels


def test_perspective_moves_corners_by_at_most_its_share():
    shifts = []
    for seed in range(80):
        bent = drawn(seed, perspective=0.1).deformation
        corners = np.array([[0, 0, 1], [127, 0, 1], [127, 95, 1], [0, 95, 1]], float)
        moved = corners @ bent.perspective.T
        shifts.append((moved[:, :2] / moved[:, 2:] - corners[:, :2]) / (128, 96))
    assert 0.09 < np.abs(shifts).max() <= 0.1001 and abs(np.mean(shifts)) < 0.02


@example(seed=6443, size_hw=(126, 1), patch_hw=(2, 2))  # sees the horizon
@given(
    seed=st.integers(0, 2**31), size_hw=st.tuples(st.integers(1, 200), st.integers(1, 200)),
    patch_hw=st.tuples(st.integers(2, 90), st.integers(2, 90)),
)  # fmt: skip
def test_the_box_holds_every_pixel_that_is_looked_at(seed, size_hw, patch_hw):
    part = AugmentationPart(exact_share=0.1, perspective=0.15, elastic=0.5, grid=0.5, scale_min=0.3)
    center = tuple(np.random.default_rng(seed).uniform(-0.2, 1.2, 2) * size_hw[::-1])
    variation = drawn(seed, part=part, patch_hw=patch_hw, size_hw=size_hw, center_xy=center)
    bent = variation.deformation or Deformation()
    back = source_matrix(variation.matrix, variation.deformation)
    top, bottom, left, right = source_box(back, variation.deformation, patch_hw=patch_hw, size_hw=size_hw)
    assert 0 <= top < bottom <= size_hw[0] and 0 <= left < right <= size_hw[1]
    for place, low, high, size in zip(
        source_map(variation.matrix, bent, patch_hw), (left, top), (right, bottom), size_hw[::-1], strict=True
    ):
        for pixel in (np.floor(place), np.floor(place) + 1):
            period = max(2 * (size - 1), 1)
            mirrored = np.abs(pixel) % period
            mirrored = np.minimum(mirrored, period - mirrored) if size > 1 else 0 * mirrored
            used = place != np.floor(place)  # a neighbour of weight 0 need not be there
            inside = (mirrored >= low) & (mirrored <= high - 1)
            assert inside[used | (pixel == place)].all()


@pytest.mark.parametrize("center_xy", [(200, 150), (3, 290), (397, 2)])
@pytest.mark.parametrize("rotation", [0, 180])
def test_a_part_of_a_picture_gives_the_same_patch_as_the_whole(monkeypatch, center_xy, rotation):
    rng = np.random.default_rng(1)
    image = rng.integers(0, 255, (301, 400, 5), np.uint8)
    labels, ids = rng.integers(0, 9, (301, 400), np.uint8), rng.integers(0, 999, (301, 400)).astype(np.uint16)
    part = dataclasses.replace(STILL, rotation_degrees=rotation, scale_min=0.5, scale_max=1.5)
    for seed in range(8):
        variation = drawn(
            seed, patch_hw=(33, 64), size_hw=(301, 400), center_xy=center_xy, part=part, elastic=1.0, grid=1.0,
            perspective=0.1 * (seed % 2),
        )  # fmt: skip
        found = []
        for bound in (2**15 - 1, 0):
            monkeypatch.setattr(augment, "REMAP_BELOW", bound)
            found.append([*warp(variation, image, labels, (33, 64)), warp_ids(variation, ids, (33, 64), beyond=65535)])
        assert all(np.array_equal(one, other) for one, other in zip(*found, strict=True))


@pytest.mark.parametrize("size_hw", [(40, 32_767), (40_000, 41)])
def test_pictures_longer_than_a_short_number_can_be_bent(size_hw):
    far = (size_hw[1] - 40, size_hw[0] - 20)
    variation = drawn(3, patch_hw=(24, 32), size_hw=size_hw, center_xy=far, elastic=1.0, grid=1.0)
    labels = (np.add.outer(np.arange(size_hw[0]), np.arange(size_hw[1])) % 251).astype(np.uint8)
    image, target = warp(variation, labels[..., None], labels, (24, 32))
    x, y = source_map(variation.matrix, variation.deformation, (24, 32))
    inside = (x > 0) & (x < size_hw[1] - 1) & (y > 0) & (y < size_hw[0] - 1)
    expected = (np.rint(x) + np.rint(y)) % 251
    assert inside.mean() > 0.5 and (target == expected)[inside].mean() > 0.95
    ids = warp_ids(variation, labels.astype(np.uint16), (24, 32), beyond=65535)
    assert np.array_equal(ids[inside], target[inside]) and image.shape == (24, 32, 1)


def test_nothing_is_drawn_for_nothing():
    rng = np.random.default_rng(0)
    assert draw_deformation(rng, STILL, patch_hw=(64, 64)) is None
    assert rng.random() == np.random.default_rng(0).random()
    assert np.array_equal(source_matrix(STAYS, None), np.eye(3))
