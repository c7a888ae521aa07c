"""A thin border between object and background is not a class; a sheath around an object is one."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from limner.data.declared import Declared
from limner.data.mask_values import decide_reading
from limner.data.trimap import coding_of, measure_band
from tests.make_data import save

SHARED = Path(__file__).parents[3] / "shared"


def animal(seed, size_hw=(180, 240)):
    """A lumpy shape away from the rim, ``(H, W)`` bool."""
    rng = np.random.default_rng(seed)
    mask = np.zeros(size_hw, np.uint8)
    for _ in range(5):
        centre = (int(rng.integers(80, 160)), int(rng.integers(60, 120)))
        cv2.ellipse(
            mask, centre, (int(rng.integers(20, 45)), int(rng.integers(15, 35))), int(rng.integers(180)), 0, 360, 1, -1
        )
    return mask > 0


def grown(mask, radius):
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return cv2.dilate(mask.astype(np.uint8), kernel) > 0


def bordered(mask, radius, values):
    """`values` for object, background and a border of `radius` pixels around the object."""
    obj, background, border = values
    out = np.where(mask, obj, background)
    out[grown(mask, radius) & ~mask] = border
    return out.astype(np.uint8)


def write(folder, masks):
    return [save(folder / f"m{i}.png", Image.fromarray(mask)) for i, mask in enumerate(masks)]


@pytest.mark.parametrize("values, radius", [((1, 2, 3), 6), ((1, 2, 3), 10), ((255, 0, 128), 4), ((255, 0, 127), 3)])
def test_trimaps_are_read_as_object_and_background(tmp_path, values, radius):
    animals = [animal(seed) for seed in range(4)]
    paths = write(tmp_path, [bordered(mask, radius, values) for mask in animals])
    reading, (finding,) = decide_reading(paths, Declared())
    assert (finding.code, finding.level, finding.count) == ("MASK_VALUES", "fixed", 4)
    assert "trimap" in reading.words and str(values[2]) in reading.words and len(reading.label_space) == 2
    for path, mask in zip(paths, animals, strict=True):
        labels, valid = reading.labels(path)
        assert np.array_equal(labels == 1, mask) and np.array_equal(~valid, grown(mask, radius) & ~mask)


def test_what_is_declared_goes_before_the_shape(tmp_path):
    paths = write(tmp_path, [bordered(animal(seed), 6, (1, 2, 3)) for seed in range(3)])
    declared = Declared(classes=("background", "pet", "edge"), values=((1, "pet"), (2, "background"), (3, "edge")))
    reading, findings = decide_reading(paths, declared)
    labels, valid = reading.labels(paths[0])
    assert set(np.unique(labels)) == {0, 1, 2} and valid.all() and not findings
    reading, _ = decide_reading(paths, Declared(ignore=3))
    assert reading.ignore_value == 3 and "trimap" not in reading.words


@pytest.mark.parametrize("values", [(1, 2, 3), (255, 0, 128)])
def test_a_thick_sheath_is_a_class(tmp_path, values):
    """Axons of radius 14 in a sheath of 10 pixels, the usual ratio of inner to outer radius (0.6)."""
    masks = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        inside, outside = np.zeros((200, 260), np.uint8), np.zeros((200, 260), np.uint8)
        for y, x in ((50, 60), (60, 190), (140, 80), (145, 200)):
            centre = (x + int(rng.integers(-5, 5)), y + int(rng.integers(-5, 5)))
            cv2.circle(inside, centre, 14, 1, -1)
            cv2.circle(outside, centre, 24, 1, -1)
        out = np.full((200, 260), values[1])
        out[outside > 0] = values[2]
        out[inside > 0] = values[0]
        masks.append(out.astype(np.uint8))
    reading, _ = decide_reading(write(tmp_path, masks), Declared())
    assert "trimap" not in reading.words and len(reading.label_space) >= 3


def test_three_classes_side_by_side_are_no_trimap(tmp_path):
    masks = []
    for seed in range(3):
        labels = cv2.resize(
            np.random.default_rng(seed).integers(1, 4, (6, 8)).astype(np.uint8), (160, 120), interpolation=0
        )
        masks.append(labels)
    reading, _ = decide_reading(write(tmp_path, masks), Declared())
    assert "trimap" not in reading.words and len(reading.label_space) == 4


def test_the_band_of_a_ring_by_hand():
    yy, xx = np.mgrid[:101, :121]
    away = np.hypot(yy - 50, xx - 60)
    band = measure_band(away < 30, away >= 36, (away >= 30) & (away < 36))
    assert band.width == pytest.approx(6, abs=0.7) and band.thickness == pytest.approx(0.2, abs=0.03)
    assert band.touching == 0 and band.between == 1 and band.spread < 0.3


def test_codings():
    assert coding_of((0, 1, 2)) is None and coding_of((0, 1, 255)) is None and coding_of((1, 2)) is None
    assert (
        coding_of((0, 40, 80)) is None and coding_of((0, 128, 255)).border == 128 and coding_of((1, 2, 3)).border == 3
    )


@pytest.mark.skipif(not (SHARED / "data/axon_sem").is_dir(), reason="the shared data are not there")
@pytest.mark.parametrize("levels", [(0, 127, 255), (2, 3, 1)])
def test_real_myelin_is_a_class(tmp_path, levels):
    """0 background, 1 myelin, 2 axon, in the gray levels and in the order that would be mistaken."""
    paths = []
    for path in sorted((SHARED / "data/axon_sem/masks").iterdir()):
        ids = np.array(Image.open(path))[::2, ::2]
        paths.append(save(tmp_path / path.name, Image.fromarray(np.array(levels, np.uint8)[ids])))
    reading, _ = decide_reading(paths, Declared())
    assert "trimap" not in reading.words and len(reading.label_space) >= 3
