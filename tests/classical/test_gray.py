"""One plane of gray, and which side of it is the object."""

import numpy as np
import pytest

from limner.classical.gray import PLANES, disc, is_constant, smooth, to_channels, to_gray, to_unit
from limner.classical.polarity import border_values, choose_object, is_bright_object
from limner.core.errors import DataError, RecipeError


def test_luminance_by_hand():
    image = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [0, 0, 0], [255, 255, 255]]], np.uint8)
    assert to_gray(image)[0] == pytest.approx([76.245, 149.685, 29.07, 0, 255], abs=0.01)


def test_other_numbers_of_channels_are_averaged():
    image = np.array([[[0, 0], [100, 0], [100, 100]]], np.uint16)
    assert to_gray(image).tolist() == [[0, 127.5, 255]]
    assert to_gray(np.array([[[1.0], [3.0], [2.0]]])).tolist() == [[0, 255, 127.5]]


@pytest.mark.parametrize("channels", [1, 3])
def test_sixteen_bit_copies_are_exact(channels):
    image = np.random.default_rng(0).integers(3, 201, (20, 31, channels)).astype(np.uint8)
    gray = to_gray(image)
    assert gray.dtype == np.float32 and gray.min() == 0 and gray.max() == 255
    assert np.array_equal(to_gray(image.astype(np.uint16) * 257), gray)


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_floats_of_any_range(scale):
    values = np.array([[[-1.0], [0.0], [3.0]]], np.float32) * np.float32(scale)
    assert to_gray(values)[0] == pytest.approx([0, 63.75, 255], abs=0.01)


def test_constant_is_zero():
    assert not to_gray(np.full((4, 5, 3), 77, np.uint8)).any() and is_constant(np.zeros((1, 1), np.float32))
    assert not is_constant(np.array([[0, 1]], np.float32))


def test_smoothing_keeps_the_sum_away_from_borders():
    gray = np.zeros((21, 33), np.float32)
    gray[10, 16] = 100
    soft = smooth(gray, 1.5)
    assert soft.sum() == pytest.approx(100, rel=1e-4) and soft[10, 17] == soft[10, 15] < soft[10, 16] < 10
    assert smooth(gray, 0) is gray


def test_disc_of_radius_two():
    assert disc(2).sum() == 13 and disc(0).tolist() == [[1]]


def test_the_border_decides():
    ring = np.ones((5, 8), int)
    ring[1:4, 1:7] = 0
    assert np.array_equal(choose_object(ring), ring == 0)
    assert np.array_equal(choose_object(1 - ring), ring == 0)
    assert np.array_equal(choose_object(ring, polarity="bright"), ring == 1)
    assert np.array_equal(choose_object(ring, polarity="dark"), ring == 0)


def test_of_equal_borders_the_larger_class_is_background():
    classes = np.array([[0, 0, 1, 1], [0, 0, 0, 1], [0, 0, 1, 1]])
    assert (border_values(classes) == 0).sum() == (border_values(classes) == 1).sum()
    assert np.array_equal(choose_object(classes), classes == 1)
    assert choose_object(np.array([[0, 1]])).tolist() == [[False, True]]  # equal in all: the darker


def test_one_class_has_no_object():
    for polarity in ("auto", "bright", "dark"):
        assert not choose_object(np.full((3, 4), 2), polarity=polarity).any()
    with pytest.raises(RecipeError, match="did you mean 'bright'"):
        choose_object(np.zeros((3, 4), int), polarity="brigth")


@pytest.mark.parametrize("size", [(1, 1), (1, 6), (6, 1), (2, 2), (4, 7)])
def test_every_border_pixel_is_counted_once(size):
    plane = np.arange(size[0] * size[1]).reshape(size)
    inner = plane[1:-1, 1:-1].ravel().tolist()
    assert sorted(border_values(plane).tolist()) == sorted(set(plane.ravel().tolist()) - set(inner))


def test_shades_of_the_background_are_background():
    rng = np.random.default_rng(0)
    gray = rng.normal(60, 10, (40, 60)).astype(np.float32)
    gray[10:22, 20:35] = rng.normal(200, 10, (12, 15))
    classes = np.digitize(gray, [60, 130])  # the first cut goes through the middle of the background
    assert np.array_equal(choose_object(classes, gray), classes == 2)
    assert choose_object(classes).mean() > 0.3  # without the brightness nobody can know
    apart = np.where(classes == 1, gray + 40, gray)  # now the middle class is something of its own
    assert np.array_equal(choose_object(classes, apart, polarity="bright"), classes > 0)


def test_one_class_is_always_left():
    gray = np.linspace(0, 1, 60, dtype=np.float32).reshape(6, 10) ** 3
    classes = np.digitize(gray, [0.01, 0.02, 0.03])
    for polarity in ("auto", "bright", "dark"):
        assert choose_object(classes, gray, polarity=polarity).any()


def test_object_side_of_a_threshold():
    gray = np.zeros((6, 9), np.float32)
    gray[2:4, 3:5] = 200
    assert is_bright_object(gray, 100) and not is_bright_object(200 - gray, 100)
    assert not is_bright_object(gray, 100, polarity="dark")


def test_planes_of_colour():
    image = np.array([[[200, 0, 0], [0, 100, 0], [0, 0, 50], [100, 100, 100]]], np.uint8)
    assert to_gray(image, plane="red")[0] == pytest.approx([255, 0, 0, 127.5])
    assert to_gray(image, plane="green")[0] == pytest.approx([0, 255, 0, 255])
    assert to_gray(image, plane="blue")[0] == pytest.approx([0, 0, 127.5, 255])
    # red minus green: 200, -100, 0, 0
    assert to_gray(image, plane="red-green")[0] == pytest.approx([255, 0, 85, 85])
    # blue minus the mean of red and green: -100, -50, 50, 0
    assert to_gray(image, plane="blue-yellow")[0] == pytest.approx([0, 85, 255, 170])
    assert to_gray(image, plane="saturation")[0] == pytest.approx([255, 255, 255, 0])
    assert not to_gray(np.zeros((2, 3, 3), np.uint8), plane="saturation").any()


def test_one_channel_counts_as_three_equal_ones():
    image = np.array([[[3], [9], [5]]], np.uint8)
    for plane in PLANES:
        assert np.array_equal(to_gray(image, plane=plane), to_gray(np.repeat(image, 3, axis=2), plane=plane))
    for channels in (2, 4):
        with pytest.raises(DataError, match=f"'red' of a picture with {channels} channels"):
            to_gray(np.zeros((5, 7, channels), np.uint8), plane="red")
    with pytest.raises(RecipeError, match="'reed'"):
        to_gray(image, plane="reed")


def test_channels_are_stretched_together():
    image = np.array([[[10, 20], [60, 30]]], np.uint16)
    assert to_channels(image) == pytest.approx(np.array([[[0, 51], [255, 102]]]), abs=1e-3)
    assert not to_channels(np.full((2, 3, 4), 9.0)).any()
    with pytest.raises(DataError, match="not finite"):
        to_channels(np.array([[[np.nan, 1.0]]]))
    with pytest.raises(DataError, match="not finite"):
        to_unit(np.array([[[np.inf, 1.0]]]))


def test_one_class_alone_can_be_the_object():
    classes = np.array([[0, 0, 1, 2, 2], [0, 0, 1, 1, 2]])
    assert np.array_equal(choose_object(classes, polarity="brightest"), classes == 2)
    assert np.array_equal(choose_object(classes, polarity="darkest"), classes == 0)
    assert np.array_equal(choose_object(classes + 3, polarity="darkest"), classes == 0)
    assert not choose_object(np.zeros((2, 3), int), polarity="brightest").any()
