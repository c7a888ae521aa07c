"""What every classical method promises: labels 0 and 1 of the picture's own size, the same every time, for any picture."""

import dataclasses
import inspect
import math

import numpy as np
import pytest

from limner.classical import METHODS
from limner.classical.options import SHARED
from limner.core.errors import DataError, RecipeError
from limner.core.labels import LabelSpace
from limner.core.sample import Sample

each = pytest.mark.parametrize("name", METHODS)

DARK, BRIGHT, NOISE = 70, 160, 18  # background, object, standard deviation of both: a contrast of five deviations
SIZES = [(1, 1), (1, 2), (2, 1), (1, 50), (50, 1), (2, 3), (3, 4000), (37, 53), (128, 96)]


# methods that cannot find an object that fills most of the picture, and why
LOCAL = {"adaptive": "an object larger than the window resembles its surroundings"}
# methods that look at values as they stand, and why
AS_THEY_STAND = {"threshold": "a fixed number means something else in a picture of another contrast"}


def labels(name, image, **changes):
    return dataclasses.replace(METHODS[name], **changes).segment(Sample("a/b.png", image)).labels


def disc(size=(96, 128), center=(44, 71), radius=22):
    y, x = np.indices(size)
    return (y - center[0]) ** 2 + (x - center[1]) ** 2 <= radius**2


def picture(truth, low=DARK, high=BRIGHT, seed=0, channels=1):
    """Noise around two levels, 8 bit."""
    rng = np.random.default_rng(seed)
    values = np.where(truth, high, low)[..., None] + rng.normal(0, NOISE, (*truth.shape, channels))
    return np.clip(values, 0, 255).astype(np.uint8)


def dice(found, truth):
    return 2 * (found & truth).sum() / (found.sum() + truth.sum())


@each
def test_prediction_carries_name_classes_and_time(name):
    sample = Sample("a/b.png", picture(disc()))
    found = METHODS[name].segment(sample)
    assert found.name == "a/b.png" and found.scores is None and found.seconds > 0
    assert found.label_space.names == ("background", "foreground") and found.label_space == METHODS[name].label_space
    other = LabelSpace(("background", "nucleus"))
    assert dataclasses.replace(METHODS[name], label_space=other).segment(sample).label_space is other


@each
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_any_size_depth_and_number_of_channels(name, size, channels, dtype):
    rng = np.random.default_rng(1)
    values = rng.random((*size, channels))
    image = values.astype(dtype) if dtype == "float32" else (values * np.iinfo(dtype).max).astype(dtype)
    before = image.copy()
    found = labels(name, image)
    assert found.shape == size and found.dtype == np.uint8 and set(np.unique(found)) <= {0, 1}
    assert np.array_equal(image, before), "the picture was changed"
    assert np.array_equal(labels(name, image), found), "another answer the second time"


@each
@pytest.mark.parametrize("value", [0, 1, 255])
@pytest.mark.parametrize("size", [(1, 1), (5, 7), (3, 4000), (40, 30)])
def test_constant_pictures_are_background(name, value, size):
    for channels, dtype in ((1, np.uint8), (3, np.uint8), (1, np.uint16), (3, np.float32)):
        assert not labels(name, np.full((*size, channels), value, dtype)).any()


@each
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("channels", [1, 3])
def test_a_disc_is_found_in_noise(name, seed, channels):
    truth = disc()
    bright = labels(name, picture(truth, seed=seed, channels=channels)) > 0
    dark = labels(name, picture(truth, BRIGHT, DARK, seed=seed, channels=channels)) > 0
    assert dice(bright, truth) > 0.9 and dice(dark, truth) > 0.9


@each
def test_several_objects_of_which_one_is_cut_by_the_border(name):
    truth = disc(center=(30, 30), radius=12) | disc(center=(95, 60), radius=14) | disc(center=(40, 100), radius=16)
    assert dice(labels(name, picture(truth)) > 0, truth) > 0.9


@each
def test_polarity_can_be_told(name):
    image, truth = picture(disc()), disc()
    assert dice(labels(name, image, options={"polarity": "bright"}) > 0, truth) > 0.9
    assert dice(labels(name, image, options={"polarity": "dark"}) > 0, truth) < 0.2
    if name not in LOCAL:
        truth = disc(radius=75)  # holds most of the border
        image = picture(truth)
        assert dice(labels(name, image, options={"polarity": "bright"}) > 0, truth) > 0.9
        assert dice(labels(name, image) > 0, ~truth) > 0.9
    with pytest.raises(RecipeError, match="'upside'"):
        labels(name, image, options={"polarity": "upside"})


@each
@pytest.mark.parametrize("channels", [1, 3])
def test_depth_brightness_and_contrast_do_not_matter(name, channels):
    image = picture(disc(), channels=channels)
    found = labels(name, image)
    assert np.array_equal(labels(name, image.astype(np.uint16) * 257), found)
    unit = labels(name, image.astype(np.float32) / 255)
    assert (unit == found).mean() > 0.999
    twelve_bit = labels(name, image.astype(np.uint16) * 16)
    assert ((twelve_bit == found).mean() > 0.999) == (name not in AS_THEY_STAND)


@each
def test_a_mirrored_or_turned_picture_has_the_mirrored_or_turned_answer(name):
    image = picture(disc())
    found = labels(name, image)
    for turn in (np.fliplr, np.flipud, lambda a: a.swapaxes(0, 1)):
        # ties between neighbours may be broken the other way
        assert (labels(name, np.ascontiguousarray(turn(image))) == turn(found)).mean() > 0.995


@each
def test_from_coarse_to_fine(name):
    truth = disc((190, 260), (90, 150), 45)
    image = picture(truth)
    found = labels(name, image, levels=2)
    assert found.shape == truth.shape and dice(found > 0, truth) > 0.95
    assert np.array_equal(labels(name, image, levels=2), found)
    small = picture(disc((37, 53), (18, 20), 9))
    assert np.array_equal(labels(name, small, levels=5), labels(name, small))  # nothing to halve


@each
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused(name, bad):
    image = np.zeros((5, 7, 1), np.float32)
    image[2, 3] = bad
    with pytest.raises(DataError, match="not finite"):
        labels(name, image)


@each
def test_a_listing_can_say_where_it_comes_from(name):
    method = METHODS[name]
    assert method.name == name and "\n" not in method.source and any(year in method.source for year in ("19", "20"))
    assert method.function.__doc__


@each
def test_options_are_those_of_the_function_with_the_same_defaults(name):
    method = METHODS[name]
    arguments = list(inspect.signature(method.function).parameters.values())[2 if method.sees == "channels" else 1 :]
    assert {argument.name: argument.default for argument in arguments} == {
        key: option.default for key, option in method.own.items()
    }
    assert not set(method.own) & set(SHARED) and set(method.known) == set(method.own) | set(SHARED)
    assert method.all_options()["levels"] == method.levels
    for option in method.known.values():
        assert option.meaning and "\n" not in option.meaning and option.tries


@each
def test_every_value_that_tuning_tries_is_allowed_and_segments(name):
    method, truth = METHODS[name], disc((37, 53), (18, 20), 9)
    image = picture(truth, channels=3)
    for key, option in method.known.items():
        tries = option.tries if isinstance(option.tries, tuple) else (0.25,)
        assert option.checked(key, option.default) == option.default
        for value in tries:
            assert type(option.checked(key, value)) is type(option.default)
            found = method.with_options({key: value}).segment(Sample("a", image, truth.astype(np.uint8))).labels
            assert found.shape == truth.shape
        for wrong in (
            None,
            [1],
            {},
            math.nan,
            "nonsense",
            1 + 2j,
            *([True] if not isinstance(option.default, bool) else []),
        ):
            with pytest.raises(RecipeError, match=key) as caught:
                option.checked(key, wrong)
            assert caught.value.expected and caught.value.fix


@each
def test_untouched_options_say_the_same_as_none(name):
    image = picture(disc((70, 91), (30, 40), 15), channels=3)
    method = METHODS[name]
    told = method.with_options(method.all_options())
    assert np.array_equal(told.segment(Sample("a", image)).labels, method.segment(Sample("a", image)).labels)


@each
def test_an_unknown_option_names_the_nearest(name):
    with pytest.raises(RecipeError, match="unknown option 'polarities'") as caught:
        METHODS[name].with_options({"polarities": "dark"})
    assert "'polarity'" in caught.value.fix


@each
def test_colours_that_brightness_does_not_show(name):
    """A disc that is redder than its surroundings and equally bright is found in the plane of red minus green."""
    truth = disc((60, 80), (28, 37), 13)
    rng = np.random.default_rng(3)
    image = np.full((*truth.shape, 3), 120.0)
    image[truth] = (190, 90, 100)  # luminance 121
    image = np.clip(image + rng.normal(0, 4, image.shape), 0, 255).astype(np.uint8)
    method = METHODS[name].with_options({"plane": "red-green"})
    if name == "threshold":
        method = method.with_options({"threshold": 0.2})
    assert dice(method.segment(Sample("a", image)).labels > 0, truth) > 0.9
