"""What a device computes for a whole batch is what the processor computes patch by patch."""

import dataclasses

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from limner.core.recipe_parts import AugmentationPart
from limner.data.preprocess import to_network
from limner.training import device_intensity
from limner.training.augment import draw
from limner.training.crops import cut
from limner.training.device_jpeg import compress as compress_on_device
from limner.training.device_warp import warp_crops
from limner.training.intensity import change_intensity, compress
from limner.training.loader import to_device
from limner.training.mixing import Piece, Window, draw_windows, lay_down

CPU = torch.device("cpu")
STILL = AugmentationPart(
    flip_x=False, flip_y=False, rotation_degrees=0, scale_min=1, scale_max=1, brightness=0, contrast=0, gamma=0, noise=0
)
TURNED = AugmentationPart(exact_share=0.0, brightness=0, contrast=0, gamma=0, noise=0)
PATCH = (64, 96)


def scene(size_hw=(90, 130), channels=3, seed=0):
    """A smooth picture, and labels of a few large areas."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(20, 236, (5, 7, channels), dtype=np.uint8)
    image = cv2.resize(coarse, size_hw[::-1], interpolation=cv2.INTER_CUBIC).reshape(*size_hw, channels)
    labels = cv2.resize(rng.random((4, 5)).astype(np.float32), size_hw[::-1], interpolation=cv2.INTER_CUBIC)
    return image, np.digitize(labels, (0.35, 0.65)).astype(np.uint8)


def patches(part, seeds, *, size_hw=(90, 130), patch_hw=PATCH, channels=3):
    """What a loader would draw: a list of pieces for each patch."""
    out = []
    for seed in seeds:
        windows = draw_windows(np.random.default_rng([seed, 1]), part, patch_hw)
        out.append([])
        for number, window in enumerate(windows):
            rng = np.random.default_rng([seed, 2 + number])
            image, labels = scene(size_hw, channels, seed + number)
            center = (rng.uniform(0, size_hw[1]), rng.uniform(0, size_hw[0]))
            variation = draw(rng, part, center_xy=center, size_hw=size_hw, patch_hw=window.size_hw, channels=channels)
            out[-1].append(Piece(image, labels, variation, window))
    return out


def both(drawn, patch_hw=PATCH):
    """Images and labels before intensities: those of the processor, then those of the device."""
    images, labels = zip(*(lay_down(pieces, patch_hw) for pieces in drawn), strict=True)
    crops = cut(drawn, patch_hw, ignore=255, normalization="fixed")
    moved, target = warp_crops(crops, CPU)
    return np.stack(images).astype(float), np.stack(labels), moved.numpy(), target.numpy()


def inside(labels):
    """Pixels whose neighbours carry the same label."""
    square = np.ones((3, 3), np.uint8)
    return np.stack([cv2.dilate(each, square) == cv2.erode(each, square) for each in labels])


def check_agreement(drawn, patch_hw=PATCH):
    expected, labels, images, target = both(drawn, patch_hw)
    assert images.shape == expected.shape and target.shape == labels.shape and target.dtype == np.int64
    assert np.abs(images - expected).max() < 6  # OpenCV rounds places to 1/32 of a pixel and values to whole numbers
    assert np.abs(images - expected).mean() < 0.5
    assert (target != labels).mean() < 0.01
    assert not (target != labels)[inside(labels)].any()


BENT = {
    "affine": {},
    "perspective": {"perspective": 0.15},
    "elastic": {"elastic": 1.0, "elastic_pixels": 5.0},
    "grid": {"grid": 1.0},
    "all": {"perspective": 0.1, "elastic": 1.0, "grid": 1.0},
    "mosaic": {"mosaic": 1.0},
    "cutmix": {"cutmix": 1.0},
    "all mixed": {"perspective": 0.1, "elastic": 0.5, "grid": 0.5, "mosaic": 0.5, "cutmix": 0.5},
}


@pytest.mark.parametrize("kind", BENT)
def test_geometry_agrees(kind):
    check_agreement(patches(dataclasses.replace(TURNED, **BENT[kind]), range(12)))


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**31), size_hw=st.sampled_from([(90, 130), (20, 31), (7, 5), (1, 9), (33, 1)]),
    patch_hw=st.sampled_from([(32, 32), (64, 33), (5, 7)]),
)  # fmt: skip
def test_small_pictures_are_mirrored_the_same_way(seed, size_hw, patch_hw):
    """A patch larger than its picture shows it mirrored several times."""
    part = dataclasses.replace(TURNED, perspective=0.1, elastic=0.4, grid=0.4)
    check_agreement(patches(part, [seed], size_hw=size_hw, patch_hw=patch_hw), patch_hw)


def test_exact_patches_are_exact_on_the_device_too():
    expected, labels, images, target = both(patches(AugmentationPart(exact_share=1.0), range(20)))
    assert np.array_equal(images, expected) and np.array_equal(target, labels)


def test_crops_hold_what_is_needed_and_little_more():
    part = dataclasses.replace(STILL, exact_share=1.0)
    drawn = patches(part, range(4), size_hw=(400, 600), patch_hw=(32, 64))
    crops = cut(drawn, (32, 64), ignore=255, normalization="fixed")
    assert len(crops.pixels) <= 4 * (32 + 4) * (64 + 4)
    assert crops.pixels.dtype == torch.uint8 and crops.labels.shape == crops.pixels.shape[:1]


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_any_number_of_channels(channels):
    check_agreement(patches(dataclasses.replace(TURNED, elastic=0.5), range(3), channels=channels))


def test_pictures_of_floats_and_labels_of_many_classes():
    drawn = patches(TURNED, range(3))
    wide = [
        [dataclasses.replace(p, image=p.image.astype(np.float32) + 0.25, labels=p.labels.astype(np.uint16) * 300)]
        for (p,) in drawn
    ]
    crops = cut(wide, PATCH, ignore=65535, normalization="fixed")
    assert crops.pixels.dtype == torch.float32
    images, target = warp_crops(crops, CPU)
    plain_images, plain = warp_crops(cut(drawn, PATCH, ignore=255, normalization="fixed"), CPU)
    assert torch.equal(target, plain * 300) and torch.allclose(images, plain_images + 0.25, atol=1e-3)


VARIED = {
    "brightness": {"brightness": 0.3, "contrast": 0.4},
    "gamma": {"gamma": 0.5},
    "color": {"color": 0.3},
    "blur": {"blur": 1.0},
    "invert": {"invert": True},
    "low resolution": {"low_resolution": 1.0},
    "everything": {
        "brightness": 0.2, "contrast": 0.3, "gamma": 0.3, "color": 0.2, "blur": 0.5, "invert": True, "low_resolution": 0.5,
    },
}  # fmt: skip


@pytest.mark.parametrize("kind", VARIED)
@pytest.mark.parametrize("normalization", ["fixed", "unit"])
def test_intensities_agree(kind, normalization):
    """On exact patches, so that nothing but intensities can differ."""
    drawn = patches(dataclasses.replace(STILL, exact_share=1.0, **VARIED[kind]), range(10))
    expected = np.stack([
        to_network(change_intensity(pieces[0].variation, lay_down(pieces, PATCH)[0]), normalization=normalization)
        for pieces in drawn
    ])  # fmt: skip
    crops = cut(drawn, PATCH, ignore=255, normalization=normalization)
    images, target, valid = to_device(crops, CPU)
    assert images.dtype == torch.float32 and images.is_contiguous(memory_format=torch.channels_last)
    assert target.dtype == torch.int64 and valid.dtype == torch.bool and valid.all()
    assert np.abs(images.numpy() - expected).max() < 1e-3
    still = to_device(cut(patches(STILL, range(10)), PATCH, ignore=255, normalization=normalization), CPU)[0]
    assert not torch.allclose(images, still, atol=1e-2)


def test_noise_is_seeded_and_of_the_drawn_strength():
    (piece,), *_ = patches(dataclasses.replace(STILL, exact_share=1.0), [3])
    batch = [[dataclasses.replace(piece, variation=dataclasses.replace(piece.variation, noise=12.0, seed=seed))]
             for seed in (1, 1, 2)]  # fmt: skip
    crops = cut(batch, PATCH, ignore=255, normalization="fixed")
    still, _ = warp_crops(crops, CPU)
    noise = device_intensity.vary(still.clone(), crops) - still
    assert torch.equal(noise[0], noise[1]) and not torch.equal(noise[0], noise[2])
    assert abs(noise.mean()) < 0.5 and 11.5 < noise.std() < 12.5


@pytest.mark.parametrize("quality", [30, 49, 50, 90])
@pytest.mark.parametrize("size_hw", [(64, 96), (37, 50)])
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_jpeg_without_a_file_is_like_jpeg(quality, size_hw, channels):
    rng = np.random.default_rng(4)
    coarse = rng.integers(0, 256, (9, 11, channels), dtype=np.uint8)
    image = cv2.resize(coarse, size_hw[::-1], interpolation=cv2.INTER_CUBIC).reshape(*size_hw, channels)
    noisy = np.clip(image + rng.normal(0, 6, image.shape), -20, 280).astype(np.float32)
    other = np.ascontiguousarray(noisy[::-1])  # each picture of a batch has its own quality
    batch, qualities = torch.from_numpy(np.stack([other, noisy])), torch.tensor([120 - quality, quality])
    expected, found = compress(noisy, quality), compress_on_device(batch, qualities)[1].numpy()
    loss = np.abs(np.clip(noisy, 0, 255) - expected).mean()
    assert loss > 1 and found.shape == noisy.shape
    assert np.abs(found - expected).mean() < 0.25 * loss  # far nearer to the real file than the file is to the picture
    assert found.min() >= 0 and found.max() <= 255 and np.array_equal(found, found.round())


def test_unknown_pixels_are_not_valid():
    (piece,), *_ = patches(dataclasses.replace(STILL, exact_share=1.0), [3])
    labels = piece.labels.copy()
    labels[:, :60] = 255
    _, target, valid = to_device(
        cut([[dataclasses.replace(piece, labels=labels)]], PATCH, ignore=255, normalization="fixed"), CPU
    )
    _, known, _ = to_device(cut([[piece]], PATCH, ignore=255, normalization="fixed"), CPU)
    assert 0 < (~valid).sum() < valid.numel()
    assert torch.equal(target, torch.where(valid, known, 0))


def test_pieces_beyond_their_window_do_not_show():
    """The device warps each piece for the whole patch; only its window may be seen."""
    whole, corner = Window(0, 0, 5, 7), Window(1, 4, 2, 3)
    (piece,), *_ = patches(dataclasses.replace(STILL, exact_share=1.0), [0], size_hw=(5, 7), patch_hw=(5, 7))
    gray = np.full((5, 7, 3), 90, np.uint8)
    first = dataclasses.replace(piece, image=gray, labels=np.full((5, 7), 1, np.uint8), window=whole)
    second = dataclasses.replace(first, image=gray * 2, labels=np.full((5, 7), 2, np.uint8), window=corner)
    images, target = warp_crops(cut([[first], [first, second]], (5, 7), ignore=255, normalization="fixed"), CPU)
    expected = np.ones((2, 5, 7))
    expected[1, 1:3, 4:7] = 2
    assert np.array_equal(target, expected) and np.array_equal(images[..., 0], expected * 90)
