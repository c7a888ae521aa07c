"""Measurements of objects against scikit-image where that is installed, and against figures known by hand."""

import math

import cv2
import numpy as np
import pytest

from limner.core.objects import Objects, number_objects
from limner.inference.object_table import measure_objects


def blobs(seed=3, size_hw=(71, 103), number=14):
    """Overlapping, touching, border-cut and one-pixel objects, one of them in two pieces."""
    rng = np.random.default_rng(seed)
    ids = np.zeros(size_hw, np.int32)
    for i in range(1, number + 1):
        centre = int(rng.integers(0, size_hw[1])), int(rng.integers(0, size_hw[0]))
        axes = int(rng.integers(3, 16)), int(rng.integers(2, 9))
        cv2.ellipse(ids, centre, axes, float(rng.integers(0, 180)), 0, 360, i, -1)
    ids[5, 7] = number + 1
    ids[60:63, 90], ids[66:70, 95:97] = number + 2, number + 2
    return number_objects(ids, (ids > 0).astype(np.uint8) + (ids > 7))


def picture(size_hw, channels=3, dtype=np.uint16, seed=0):
    return np.random.default_rng(seed).integers(0, 4000, (*size_hw, channels)).astype(dtype)


def test_against_scikit_image():
    measure = pytest.importorskip("skimage.measure")
    objects = blobs()
    image = picture(objects.ids.shape)
    found = measure_objects(objects, image)
    expected = measure.regionprops(objects.ids, intensity_image=image)
    assert found["id"].tolist() == [one.label for one in expected] and len(expected) >= 12
    for row, one in enumerate(expected):
        y, x = one.centroid
        top, left, bottom, right = one.bbox
        assert found["area_px"][row] == one.area
        assert found["centroid_x"][row] == pytest.approx(x + 0.5, abs=1e-9)
        assert found["centroid_y"][row] == pytest.approx(y + 0.5, abs=1e-9)
        box = [int(found[name][row]) for name in ("left", "top", "width", "height")]
        assert box == [left, top, right - left, bottom - top]
        assert found["major_axis_px"][row] == pytest.approx(one.axis_major_length, abs=1e-6)
        assert found["minor_axis_px"][row] == pytest.approx(one.axis_minor_length, abs=1e-6)
        assert found["eccentricity"][row] == pytest.approx(one.eccentricity, abs=1e-6)
        assert found["equivalent_diameter_px"][row] == pytest.approx(one.equivalent_diameter_area)
        assert found["perimeter_px"][row] == pytest.approx(measure.perimeter_crofton(np.pad(one.image, 1), 4))
        for channel in range(3):
            assert found[f"mean_{channel + 1}"][row] == pytest.approx(one.intensity_mean[channel])
            assert found[f"min_{channel + 1}"][row] == one.intensity_min[channel]
            assert found[f"max_{channel + 1}"][row] == one.intensity_max[channel]
        if one.axis_major_length > 1.05 * one.axis_minor_length:
            # there from the axis of rows towards the columns; here from the x axis, rising
            turned = math.degrees(one.orientation) - 90
            assert (found["orientation_deg"][row] - turned) % 180 == pytest.approx(0, abs=1e-6) or (
                found["orientation_deg"][row] - turned
            ) % 180 == pytest.approx(180, abs=1e-6)


def test_orientation_rises_to_the_right():
    ids = np.zeros((40, 60), np.int32)
    cv2.line(ids, (5, 35), (35, 5), 1, 3)  # from the lower left to the upper right
    ids[30:33, 40:59] = 2
    ids[2:28, 50:53] = 3
    ids[35, 45] = 4
    found = measure_objects(Objects(ids, np.ones(4, np.int32)))
    assert found["orientation_deg"].tolist() == pytest.approx([45, 0, 90, 0], abs=1e-6)
    assert found["solidity"].tolist()[1:] == [1, 1, 1] and 0.5 < found["solidity"][0] < 1
    assert found["eccentricity"][3] == 0 and found["minor_axis_px"][3] == 0


def test_a_disk_and_a_rectangle_in_millimetres():
    """A disk on pixels of 0.5 x 0.25 mm is an ellipse in the picture; its perimeter is within a few percent of 2 pi r."""
    y, x = np.mgrid[0:130, 0:230]
    ids = ((((y - 60) * 0.5) ** 2 + ((x - 110) * 0.25) ** 2) < 20**2).astype(np.int32)
    ids[120:124, 3:9] = 2
    found = measure_objects(Objects(ids, np.array([1, 1], np.int32)), spacing=(0.5, 0.25))
    assert found["area_mm2"].tolist() == pytest.approx([math.pi * 400, 4 * 0.5 * 6 * 0.25], rel=5e-3)
    assert found["perimeter_mm"][0] == pytest.approx(2 * math.pi * 20, rel=0.03)
    assert found["major_axis_mm"][0] == pytest.approx(40, rel=0.01)
    assert found["minor_axis_mm"][0] == pytest.approx(40, rel=0.01)
    assert found["equivalent_diameter_mm"][0] == pytest.approx(40, rel=5e-3)
    assert found["centroid_x_mm"][1] == pytest.approx(6 * 0.25) and found["centroid_y_mm"][1] == pytest.approx(
        122 * 0.5
    )
    in_pixels = measure_objects(Objects(ids, np.array([1, 1], np.int32)))
    assert np.array_equal(found["perimeter_px"], in_pixels["perimeter_px"]) and "area_mm2" not in in_pixels.columns


def test_hidden_objects_have_no_row_and_the_border_is_seen():
    ids = np.zeros((5, 7), np.int32)
    ids[0, 2], ids[2, 3], ids[4, 6], ids[1:3, 0] = 1, 3, 4, 5
    found = measure_objects(
        Objects(ids, np.array([1, 2, 3, 4, 5], np.int32), np.linspace(0.5, 0.9, 5, dtype=np.float32))
    )
    assert found["id"].tolist() == [1, 3, 4, 5] and found["class"].tolist() == [1, 3, 4, 5]
    assert found["score"].tolist() == pytest.approx([0.5, 0.7, 0.8, 0.9])
    assert found["touches_border"].tolist() == [True, False, True, True]


@pytest.mark.parametrize("size_hw", [(5, 7), (0, 7), (3, 0)])
@pytest.mark.parametrize("spacing", [None, (1.0, 2.0)])
def test_no_objects(size_hw, spacing):
    found = measure_objects(Objects.none(size_hw), np.zeros((*size_hw, 2), np.uint8), spacing=spacing)
    assert len(found) == 0 and {len(column) for column in found.columns.values()} == {0}
    assert {"area_px", "solidity", "mean_1", "max_2"} <= set(found.columns)


def test_float_pictures_and_wrong_sizes():
    objects = blobs()
    image = picture(objects.ids.shape, 1, np.float32) / 7
    found = measure_objects(objects, image)
    inside = image[..., 0][objects.ids == 4].astype(np.float64)
    assert [found[name][3] for name in ("mean_1", "min_1", "max_1")] == pytest.approx(
        [inside.mean(), inside.min(), inside.max()]
    )
    with pytest.raises(ValueError, match="an image of"):
        measure_objects(objects, image[1:])
    with pytest.raises(ValueError, match="spacing"):
        measure_objects(objects, image, spacing=(1.0, 0.0))
