"""Files of object numbers are read in every encoding; what numbers cannot survive is refused by name."""

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from limner.core.errors import DataError
from limner.data.instance_maps import clean_ids, read_ids
from tests.data.scenes import same_objects, scene
from tests.make_data import save

IDS = scene(3)


def rgb_of(numbers):
    """``R + 256 G + 65536 B``."""
    return np.dstack([numbers & 255, numbers >> 8 & 255, numbers >> 16]).astype(np.uint8)


def random_colors(ids):
    table = np.random.default_rng(5).integers(1, 255, (int(ids.max()) + 1, 3)).astype(np.uint8)
    table[0] = 0
    return table[ids]


FILES = {
    "8-bit PNG": ("a.png", lambda ids: ids.astype(np.uint8)),
    "16-bit PNG": ("a.png", lambda ids: (ids * 4001).astype(np.uint16)),
    "16-bit TIFF": ("a.tif", lambda ids: (ids * 1000).astype(np.uint16)),
    "32-bit TIFF": ("a.tif", lambda ids: (ids * 300_000_001).astype(np.uint32)),
    "signed TIFF": ("a.tiff", lambda ids: (ids * 100_000_001).astype(np.int32)),
    "above 2^24": ("a.tif", lambda ids: np.where(ids > 0, ids + 2**24, 0).astype(np.uint32)),
    "float TIFF": ("a.tif", lambda ids: ids.astype(np.float32)),
    "double above 2^24": ("a.tif", lambda ids: np.where(ids > 0, ids + 2.0**24, 0)),
    "R + 256 G + 65536 B": ("a.png", lambda ids: rgb_of(ids * 70_001)),
    "random colours": ("a.png", random_colors),
    "colours on white": ("a.png", lambda ids: np.where(ids[..., None] > 0, random_colors(ids), 255).astype(np.uint8)),
    "BMP": ("a.bmp", lambda ids: ids.astype(np.uint8)),
}


@pytest.mark.parametrize("kind", FILES)
def test_every_encoding_gives_the_same_objects(tmp_path, kind):
    name, encode = FILES[kind]
    found = read_ids(save(tmp_path / name, encode(IDS)))
    assert same_objects(found.ids, IDS) and found.unknown is None
    assert found.ids.dtype == np.int32 and found.ids.max() == 12
    assert found.remarks.by_color == ("colours" in kind or "R +" in kind)


@pytest.mark.parametrize("dtype", [np.int64, np.uint16, np.float64, np.bool_])
def test_arrays_are_read(tmp_path, dtype):
    np.save(tmp_path / "a.npy", IDS.astype(dtype))
    assert same_objects(read_ids(tmp_path / "a.npy").ids, IDS if dtype != np.bool_ else IDS > 0)


def test_frames_of_a_stack_are_read_one_by_one(tmp_path):
    np.save(tmp_path / "a.npy", np.stack([IDS, IDS[::-1] * 7, IDS * 0]))
    assert same_objects(read_ids(tmp_path / "a.npy", frame=1).ids, IDS[::-1])
    assert read_ids(tmp_path / "a.npy", frame=2).ids.max() == 0


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.where(IDS > 0, IDS + 2**24, 0).astype(np.float32), "numbers above 16,777,216"),
        (IDS + 0.5, "not whole"),
        (np.where(IDS == 3, np.nan, IDS), "not whole"),
        (IDS * -1, "the number -12"),
    ],
)
def test_numbers_that_cannot_tell_objects_apart_are_refused(tmp_path, values, words):
    path = save(tmp_path / "a.tif", values)
    with pytest.raises(DataError, match=words) as caught:
        read_ids(path)
    assert caught.value.where == str(path) and "TIFF of 32-bit" in caught.value.fix


def test_photographs_are_refused(tmp_path):
    path = save(tmp_path / "a.png", np.random.default_rng(0).integers(0, 255, (61, 83, 3)).astype(np.uint8))
    with pytest.raises(DataError, match="photograph"):
        read_ids(path)
    np.save(tmp_path / "a.npy", IDS.astype(complex))
    with pytest.raises(DataError, match="complex128"):
        read_ids(tmp_path / "a.npy")


def test_jpeg_and_pages_are_refused(tmp_path):
    with pytest.raises(DataError, match="is a JPEG"):
        read_ids(save(tmp_path / "a.jpg", (IDS * 20).astype(np.uint8)))
    tifffile.imwrite(tmp_path / "b.tif", np.stack([IDS] * 3).astype(np.uint16), photometric="minisblack")
    with pytest.raises(DataError, match="stack of 3 pages"):
        read_ids(tmp_path / "b.tif")


def outlined(ids, mark):
    """The objects with a boundary of one pixel of their own around them."""
    edge = np.zeros(ids.shape, bool)
    edge[:-1] |= ids[1:] != ids[:-1]
    edge[:, :-1] |= ids[:, 1:] != ids[:, :-1]
    return np.where(edge, mark, ids), edge


@pytest.mark.parametrize(
    ("mark", "dtype"), [(-1, np.int32), (255, np.uint8), (65535, np.uint16), (2**32 - 1, np.uint32)]
)
def test_boundaries_are_not_known(mark, dtype):
    values, edge = outlined(IDS.astype(np.int64), mark)
    found = clean_ids(values.astype(dtype))
    assert np.array_equal(found.unknown, edge) and found.remarks.boundary == mark
    assert same_objects(found.ids, np.where(edge, 0, IDS))


def test_the_largest_number_may_be_an_object():
    apart = np.where(IDS[IDS > 0][-1] == IDS, 255, IDS).astype(np.uint8)  # lies by itself
    assert same_objects(clean_ids(apart).ids, IDS)
    assert clean_ids(np.full((5, 7), 65535, np.uint16)).ids.tolist() == np.ones((5, 7), int).tolist()


def many(count=300):
    """Objects of 4 x 5 pixels with numbers 1 to `count`, row by row; no two touch."""
    columns = 20
    ids = np.zeros((count // columns * 6 + 1, columns * 7 + 3), np.int32)
    for number in range(count):
        y, x = number // columns * 6, number % columns * 7
        ids[y : y + 4, x : x + 5] = number + 1
    return ids


def test_more_objects_than_eight_bits_hold_are_split_where_they_lie_apart():
    ids = many()
    found = clean_ids((ids & 255).astype(np.uint8))
    assert same_objects(found.ids, np.where(ids == 256, 0, ids)) and found.remarks.split == 44
    cut = clean_ids(np.minimum(ids, 255).astype(np.uint8))  # saturated instead
    assert same_objects(cut.ids, ids) and cut.remarks.split == 1


def test_crumbs_do_not_become_objects_and_sixteen_bits_are_never_split():
    ids = many()
    values = (ids & 255).astype(np.uint8)
    values[-1, -2:] = 7  # two pixels of the object 7, far away
    found = clean_ids(values)
    assert found.ids[-1, -1] in (found.ids[0, 6 * 7], found.ids[np.nonzero(ids == 263)].max())
    assert len(np.unique(found.ids)) == len(np.unique(ids)) - 1
    assert clean_ids((ids & 255).astype(np.uint16)).ids.max() == 255


def test_a_few_objects_in_several_pieces_stay_whole():
    ids = many(280)
    values = np.where(ids > 200, 0, ids).astype(np.uint8)
    values[ids == 250], values[ids == 201] = 5, 255  # 5 in two pieces, and the number 255 in use
    assert clean_ids(values).remarks.split == 0 and len(np.unique(clean_ids(values).ids)) == 202


@given(arrays(st.sampled_from([np.uint8, np.uint16, np.int32, np.int64]), (5, 7), elements=st.integers(0, 40)))
def test_any_small_map_is_told_apart_as_it_is(values):
    found = clean_ids(values)
    assert same_objects(found.ids, values) and found.ids.max() == len(set(values[values > 0].tolist()))
