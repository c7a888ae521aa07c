"""Changed copies are found; neighbours and pictures of a series are not."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.fft import dctn

from limner.data.images import read_image
from limner.data.look import SIDE, look_at
from limner.data.look_agreement import agreement, differ_by_more_than_gain, same_values
from limner.data.look_alignment import is_slight_crop, lay_over
from limner.data.look_windows import coarse_structure, is_roughly_alike
from limner.data.near_duplicates import codes, likeness_of, near_duplicates, oriented, turned_codes

SHARED = Path(__file__).parents[3] / "shared" / "data"


def scene(seed, size_hw=(150, 210), shift=0):
    """Smooth blobs with a fine pattern, ``(H, W, 3)``; another shift is the same scene moved by pixels."""
    rng = np.random.default_rng(seed)
    h, w = size_hw
    yy, xx = np.mgrid[:h, :w] + shift
    picture = np.zeros(size_hw)
    for _ in range(25):
        y, x, r = rng.uniform(0, h), rng.uniform(0, w), rng.uniform(4, 25)
        picture += rng.uniform(-40, 60) * np.exp(-((yy - y) ** 2 + (xx - x) ** 2) / (2 * r * r))
    picture += 90 + 8 * np.sin(xx / rng.uniform(2, 5)) * np.cos(yy / rng.uniform(2, 5))
    return np.stack([picture, 0.8 * picture + 20, 0.6 * picture], axis=2).clip(0, 255).astype(np.uint8)


def jpeg(image, quality):
    content = io.BytesIO()
    Image.fromarray(image).save(content, "JPEG", quality=quality)
    return np.array(Image.open(content))


def scaled(image, factor):
    size = round(image.shape[1] * factor), round(image.shape[0] * factor)
    return np.array(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC))


def cropped(image, left, right, top, bottom):
    h, w = image.shape[:2]
    return image[round(h * top) : h - round(h * bottom), round(w * left) : w - round(w * right)]


CHANGES = {
    "jpeg": lambda x: jpeg(x, 40),
    "half": lambda x: scaled(x, 0.5),
    "larger": lambda x: scaled(x, 1.6),
    "another shape": lambda x: np.array(Image.fromarray(x).resize((120, 120))),
    "brighter": lambda x: (x * 1.3).clip(0, 255).astype(np.uint8),
    "less contrast": lambda x: (x * 0.5 + 70).astype(np.uint8),
    "gray": lambda x: np.array(Image.fromarray(x).convert("L"))[..., None],
    "16 bit": lambda x: x.astype(np.uint16) * 200,
    "cropped on one side": lambda x: cropped(x, 0.03, 0, 0, 0),
    "cropped on all sides": lambda x: cropped(x, 0.03, 0.02, 0.01, 0.03),
    "mirrored": lambda x: x[:, ::-1],
    "upside down": lambda x: x[::-1, ::-1],
    "turned": lambda x: np.rot90(x),
    "turned back": lambda x: np.rot90(x, 3),
    "transposed": lambda x: x.swapaxes(0, 1),
    "much": lambda x: jpeg((cropped(x[:, ::-1], 0.02, 0, 0.01, 0) * 0.9).astype(np.uint8), 60),
}


def pixels(image):
    return look_at(image).pixels.astype(np.float32)


@pytest.mark.parametrize("change", CHANGES)
def test_changed_copies_are_found_among_others(change):
    looks = {f"p{i}": look_at(scene(i)) for i in range(6)} | {"copy": look_at(CHANGES[change](scene(3)))}
    assert near_duplicates(looks) == (("copy", "p3"),)


def test_different_and_moved_scenes_are_no_copies():
    looks = {f"p{i}": look_at(scene(i)) for i in range(20)}
    assert near_duplicates(looks) == ()
    # a neighbouring tile or slice: all that is seen moves by pixels, and something new appears on one side of each axis
    moved = {f"z{shift}": look_at(scene(1, shift=shift)) for shift in (0, 3, 6)}
    assert near_duplicates(moved) == ()


def test_copies_of_copies_are_one_set_and_order_does_not_matter():
    images = {"a": scene(1), "b": jpeg(scene(1), 50), "c": scene(2), "d": scene(1)[:, ::-1], "e": scaled(scene(2), 0.6)}
    found = near_duplicates({name: look_at(image) for name, image in images.items()})
    assert found == (("a", "b", "d"), ("c", "e"))
    assert near_duplicates({name: look_at(images[name]) for name in "ebdca"}) == found
    assert near_duplicates({"a": look_at(scene(1))}) == () == near_duplicates({})


def test_slices_of_a_series_are_told_from_a_copy_in_it():
    """Each slice is very like its neighbours, so that none stands out; a copy of one of them does."""
    rng = np.random.default_rng(5)
    ends = [scene(seed).astype(float) for seed in (11, 12, 13, 14)]
    slices = []
    for z in range(12):
        place = z / 11 * (len(ends) - 1)
        low = min(int(place), len(ends) - 2)
        mixed = ends[low] + (place - low) * (ends[low + 1] - ends[low])
        slices.append((mixed + rng.normal(0, 2, mixed.shape)).clip(0, 255).astype(np.uint8))
    looks = {f"z{z:02d}": look_at(image) for z, image in enumerate(slices)}
    likeness = [
        likeness_of(
            looks[f"z{z:02d}"].pixels.astype(np.float32), looks[f"z{z + 1:02d}"].pixels.astype(np.float32), 0.08
        )
        for z in range(11)
    ]
    assert max(likeness) > 0.8  # the threshold alone would join them
    assert near_duplicates(looks) == ()
    assert near_duplicates(looks | {"copy": look_at(jpeg(slices[6], 60))}) == (("copy", "z06"),)


def test_slices_of_a_known_series_are_not_compared():
    volume = {f"v/{z}": look_at(jpeg(scene(1), 90 - z)) for z in range(3)}
    assert near_duplicates(volume) == (("v/0", "v/1", "v/2"),)
    assert near_duplicates(volume, series=dict.fromkeys(volume, "v")) == ()
    copy = {"copy": look_at(scene(1)[::-1])}
    found = near_duplicates(volume | copy, series=dict.fromkeys(volume, "v"))
    assert found == (("copy", "v/0", "v/1", "v/2"),)


def test_values_are_mapped_by_rank():
    one = pixels(scene(3))
    bent = np.sign(one) * np.abs(one) ** 1.7  # a rising function
    assert differ_by_more_than_gain(one, bent) and not differ_by_more_than_gain(one, one)
    assert np.abs(same_values(one, bent) - bent)[3:-3, 3:-3].mean() < 0.02
    assert agreement(one, bent, grain=0.08) > 0.98
    coarse = [coarse_structure(look) for look in (one, bent, pixels(scene(9)))]
    assert is_roughly_alike(coarse[0], coarse[1], least=0.75)
    assert not is_roughly_alike(coarse[0], coarse[2], least=0.5)


def test_pictures_that_share_a_ramp_or_an_empty_ground_differ():
    """Noise on the same ramp; spots on black; a bright disc as of a retina with other vessels in each."""
    yy, xx = np.mgrid[:90, :130]
    looks = {}
    for seed in range(8):
        rng = np.random.default_rng(seed)
        looks[f"ramp{seed}"] = look_at((yy + xx + 30 * rng.random((90, 130)))[..., None].astype(np.uint8))
        spots = np.zeros((90, 130))
        for _ in range(6):
            spots += 200 * np.exp(-((yy - rng.uniform(5, 85)) ** 2 + (xx - rng.uniform(5, 125)) ** 2) / 20)
        looks[f"spots{seed}"] = look_at(spots.clip(0, 255).astype(np.uint8)[..., None])
        disc = np.where((yy - 45) ** 2 + (xx - 65) ** 2 < 1600, 120.0, 0.0)
        disc[disc > 0] += 25 * np.sin((yy * rng.uniform(-1, 1) + xx * rng.uniform(-1, 1)) / 2)[disc > 0]
        looks[f"disc{seed}"] = look_at(disc.astype(np.uint8)[..., None])
    assert near_duplicates(looks) == ()


def test_looks():
    look = look_at(scene(0)).pixels
    assert look.shape == (SIDE, SIDE) and look.dtype == np.float16
    assert abs(float(look.mean())) < 1e-2 and float(look.astype(float).std()) == pytest.approx(1, abs=1e-2)
    assert look_at(np.full((5, 7, 3), 9, np.uint8)) is None
    for channels in (1, 2, 3, 5):
        tiny = np.random.default_rng(0).integers(0, 2000, (5, 7, channels)).astype(np.uint16)
        assert look_at(tiny).pixels.shape == (SIDE, SIDE)
    large = np.random.default_rng(0).random((700, 1100, 6)).astype(np.float32)
    assert np.isfinite(look_at(large).pixels).all()
    faint = (scene(0) // 64 + 3).astype(np.uint8)  # four gray levels: not lost by rounding
    assert likeness_of(pixels(scene(0)), pixels(faint), look_at(faint).grain) > 0.8
    assert look_at(faint).grain > 10 * look_at(scene(0)).grain and look_at(scene(0).astype(np.uint16)).grain == 0.02


def test_codes_of_turned_pictures_are_turned_codes():
    one = pixels(scene(4))
    weight = np.sqrt(np.hypot(*np.mgrid[:16, :16]))
    own = codes([one])
    for orientation, turned in enumerate(turned_codes(own)):
        whole = dctn(oriented(one, orientation).astype(float), type=2)[:16, :16] * weight
        assert np.allclose(turned[0], whole / np.linalg.norm(whole), atol=1e-3)


def test_laying_over_undoes_a_crop():
    image = scene(7, (256, 320))
    one, other = pixels(image), pixels(cropped(image, 0.03, 0.01, 0.0, 0.02))
    before = agreement(one, other, grain=0.08)
    moved = lay_over(one, other)
    assert moved is not None and agreement(one, moved, grain=0.08) > 0.9 > before
    assert lay_over(one, pixels(scene(8, (256, 320)))) is None


@pytest.mark.parametrize(
    "move, is_crop",
    [
        ((0, 0, 0, 0), True),
        ((0.015, -0.015, 0, 0), True),  # x from 0.03 to 1: the left end is cropped
        ((0.0, -0.03, 0.0, 0.02), True),  # inside on one axis, outside on the other
        ((0.03, 0, 0, 0), False),  # moved
        ((0, 0, -0.01, 0), False),
        ((0, -0.06, 0, 0), False),  # cropped by 6 % on both ends
    ],
)
def test_what_counts_as_a_slight_crop(move, is_crop):
    assert is_slight_crop(np.array(move)) is is_crop


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data are not there")
@pytest.mark.parametrize("name", ["chase_db1", "spleen_ct", "spinal_cord_mr", "isbi2012_membranes"])
def test_slices_and_pictures_of_a_series_are_no_copies(name):
    files = sorted((SHARED / name / "images").iterdir())[:20]
    looks = {path.name: look_at(read_image(path)) for path in files}
    assert near_duplicates(looks) == ()
    copy = read_image(files[5])[::-1]
    assert near_duplicates(looks | {"copy": look_at(copy)}) == (tuple(sorted(("copy", files[5].name))),)
