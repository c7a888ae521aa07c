"""Windows at working scale hold the values that the whole picture would have, at any scale, size, depth and normalisation."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limner.core.bundle import InputContract
from limner.core.errors import DataError
from limner.data import preprocess
from limner.data.preprocess import prepare, resize_image
from limner.inference import working as module
from limner.inference.resample import method_of, resize_columns, taps
from limner.inference.source import ArraySource
from limner.inference.working import WindowedRows

CONTRACT = InputContract(
    channels=3, scale=1.0, normalization="fixed", intensity_range=(0.0, 255.0), tile=0, overlap=0.25, flips="", threshold=0.5
)  # fmt: skip
SCALES = st.one_of(st.sampled_from([0.37, 0.5, 0.832, 1.0, 1.415, 2.0]), st.floats(0.05, 3.0))


def smooth(height, width, channels, dtype, seed=0):
    """Noise with structure at all scales, unlike along both axes."""
    rng = np.random.default_rng(seed)
    coarse = rng.random((-(-height // 9), -(-width // 5), channels))
    values = np.kron(coarse, np.ones((9, 5, 1)))[:height, :width] * 0.7 + rng.random((height, width, channels)) * 0.3
    return (values * (255 if dtype == "uint8" else 4000)).astype(dtype)


def whole(image, contract, channels=3):
    return prepare(
        image, channels=channels, scale=contract.scale, normalization=contract.normalization,
        intensity_range=contract.intensity_range, resize_hw=contract.resize_hw,
    )  # fmt: skip


@settings(max_examples=80, deadline=None)
@given(
    st.integers(1, 70), st.integers(1, 70), SCALES, st.sampled_from(["uint8", "uint16", "float32"]),
    st.sampled_from(["fixed", "unit", "percentile"]), st.sampled_from([1, 3]), st.integers(0, 9),
)  # fmt: skip
def test_rows_equal_those_of_the_whole(height, width, scale, dtype, normalization, channels, seed):
    contract = dataclasses.replace(
        CONTRACT, scale=scale, normalization=normalization, intensity_range=(0.0, 255.0 if dtype == "uint8" else 3000.0)
    )
    image = smooth(height, width, channels, dtype, seed)
    expected = whole(image, contract)
    rows = WindowedRows(ArraySource(image), contract, 3)
    assert rows.size_hw == expected.shape[:2]
    rng, start = np.random.default_rng(seed), 0
    while start < len(expected):
        stop = int(rng.integers(start + 1, len(expected) + 1))
        found = rows.read(start, stop)
        assert found.dtype == expected.dtype and found.shape == expected[start:stop].shape
        # 8 bit is rounded, by OpenCV from weights of 11 bit; the rest is exact to float32
        limit = 1 if expected.dtype == np.uint8 else 0.005
        assert np.abs(found.astype(float) - expected[start:stop].astype(float)).max() <= limit
        start = int(rng.integers(start + 1, stop + 1))  # the next window may overlap this one


def test_strips_leave_no_trace(monkeypatch):
    image = smooth(97, 61, 3, "uint8")
    contract = dataclasses.replace(CONTRACT, scale=0.832, normalization="percentile")
    at_once = WindowedRows(ArraySource(image), contract, 3).read(0, 81)
    monkeypatch.setattr(module, "STRIP_BYTES", 4 * 61 * 3 * 5)  # five rows
    assert np.array_equal(WindowedRows(ArraySource(image), contract, 3).read(0, 81), at_once)


@pytest.mark.parametrize("most", [50, 400, 2000])
def test_percentiles_are_those_of_the_same_thinned_pixels(monkeypatch, most):
    for place in (preprocess, module):
        monkeypatch.setattr(place, "MOST_VALUES", most)
    monkeypatch.setattr(module, "STRIP_BYTES", 5000)
    image = smooth(157, 83, 3, "uint16")
    contract = dataclasses.replace(CONTRACT, normalization="percentile")
    assert np.array_equal(WindowedRows(ArraySource(image), contract, 3).read(0, 157), whole(image, contract))


@pytest.mark.parametrize("target", [(40, 30), (10, 90), (90, 10), (37, 53), (5, 200)])
def test_one_size_for_all_pictures(target):
    image = smooth(37, 53, 3, "float32")
    contract = dataclasses.replace(CONTRACT, resize_hw=target, intensity_range=(0.0, 4000.0))
    rows = WindowedRows(ArraySource(image), contract, 3)
    assert np.abs(rows.read(0, target[0]) - whole(image, contract)).max() < 0.005


@pytest.mark.parametrize("channels", [5, 7])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("target", [(13, 22), (60, 75), (9, 80)])
def test_rows_of_many_channels(channels, dtype, target):
    image = smooth(37, 53, channels, dtype)
    contract = dataclasses.replace(CONTRACT, channels=channels, resize_hw=target, normalization="percentile")
    rows = WindowedRows(ArraySource(image), contract, channels)
    assert np.abs(rows.read(0, target[0]) - whole(image, contract, channels)).max() < 0.01


def test_the_network_gets_its_channels_or_an_error():
    gray = smooth(9, 7, 1, "uint8")
    rows = WindowedRows(ArraySource(gray), CONTRACT, 3).read(2, 5)
    assert rows.shape == (3, 7, 3) and np.array_equal(rows[..., 2], gray[2:5, :, 0])
    with pytest.raises(DataError, match="5 channels") as caught:
        WindowedRows(ArraySource(smooth(9, 7, 5, "uint8")), CONTRACT, 3, "slide.tif").read(0, 1)
    assert caught.value.where == "slide.tif"


@pytest.mark.parametrize(("size", "target"), [((30, 41), (13, 41)), ((30, 41), (47, 60)), ((30, 41), (7, 50))])
def test_both_axes_by_weights_equal_opencv(size, target):
    image = smooth(*size, 2, "float32")
    method = method_of(size, target)
    columns = resize_columns(image, target[1], method)
    found = taps(size[0], target[0], method).rows(columns, 0, 0, target[0])
    assert np.allclose(found, resize_image(image, target), atol=4000 * 1e-5)


def test_area_weights_by_hand():
    third = taps(4, 3, "area")  # each output covers 4/3 inputs
    assert np.allclose(
        third.rows(np.array([[3.0], [6.0], [9.0], [12.0]], np.float32), 0, 0, 3).ravel(), [3.75, 7.5, 11.25]
    )
    assert third.needed(1, 2) == (1, 4)
