"""Pages and frames of one file have the pixels that each would have as a file of its own."""

import io

import numpy as np
import pytest
import tifffile
from PIL import Image

from limner.core.errors import DataError
from limner.data.images import read_image
from limner.server.frames import count_frames, read_frames

SIZE = (5, 7)
RNG = np.random.default_rng(0)
GRAY = [RNG.integers(0, 256, SIZE, dtype=np.uint8) for _ in range(3)]
RGBA = [RNG.integers(0, 256, (*SIZE, 4), dtype=np.uint8) for _ in range(3)]
PALETTE = RNG.integers(0, 256, (3, 256)).astype(np.uint16) << 8

KINDS = {
    "black is bright": (GRAY, {"photometric": "miniswhite"}),
    "with alpha": (RGBA, {"photometric": "rgb", "extrasamples": ["unassalpha"]}),
    "gray with alpha": ([page[..., :2] for page in RGBA], {"photometric": "minisblack", "extrasamples": ["unassalpha"]}),
    "palette": (GRAY, {"photometric": "palette", "colormap": PALETTE}),
    "turned": (GRAY, {"extratags": [(274, 3, 1, 6, True)]}),
    "turned colours": (RGBA, {"photometric": "rgb", "extrasamples": ["unassalpha"], "extratags": [(274, 3, 1, 8, True)]}),
    "planes": ([np.moveaxis(page[..., :3], -1, 0) for page in RGBA], {"photometric": "rgb", "planarconfig": "separate"}),
    "one bit": ([page > 127 for page in GRAY], {"photometric": "miniswhite"}),
    "whole numbers of 32 bit": ([page.astype(np.int32) * 9 for page in GRAY], {}),
    "16 bit, the other way round": ([page.astype(np.uint16) * 9 for page in GRAY], {"byteorder": ">"}),
    "fractions": ([page.astype(np.float64) / 7 for page in GRAY], {}),
}  # fmt: skip


def write(path, pages, *, byteorder=None, **options):
    with tifffile.TiffWriter(path, byteorder=byteorder) as file:
        for page in pages:
            file.write(page, contiguous=False, metadata=None, **options)
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_pages_are_read_as_files_of_their_own(tmp_path, kind):
    pages, options = KINDS[kind]
    expected = [read_image(write(tmp_path / f"{i}.tif", [page], **options)) for i, page in enumerate(pages)]
    path = write(tmp_path / "all.tif", pages, **options)
    assert count_frames(path).number == 3
    found = read_frames(path)
    assert found.dtype == expected[0].dtype and np.array_equal(found, expected)


def test_what_the_numbers_of_a_page_mean_by_hand(tmp_path):
    def read(kind):
        pages, options = KINDS[kind]
        return read_frames(write(tmp_path / "all.tif", pages, **options))

    assert np.array_equal(read("black is bright")[..., 0], 255 - np.stack(GRAY))
    assert np.array_equal(read("with alpha"), np.stack(RGBA)[..., :3])
    assert np.array_equal(read("palette")[1, 2, 3], PALETTE[:, GRAY[1][2, 3]] >> 8)
    assert np.array_equal(read("turned")[2, ..., 0], np.rot90(GRAY[2], -1))
    assert np.array_equal(read("planes"), np.stack(RGBA)[..., :3])
    assert read("whole numbers of 32 bit").dtype == np.uint16


def test_one_depth_is_chosen_for_all_pages(tmp_path):
    pages = [GRAY[0].astype(np.int32), GRAY[1].astype(np.int32) * 1000]
    found = read_frames(write(tmp_path / "all.tif", pages))
    assert found.dtype == np.float32 and np.array_equal(found[..., 0], np.stack(pages))


@pytest.mark.parametrize("pages", [[GRAY[0], GRAY[1].astype(np.float32)], [GRAY[0], GRAY[1].astype(np.uint16)]])
def test_pages_of_several_kinds_are_refused(tmp_path, pages):
    with pytest.raises(DataError, match="differ in size or kind"):
        read_frames(write(tmp_path / "all.tif", pages))


def test_a_value_that_is_no_number_is_refused_on_every_page(tmp_path):
    pages = [page.astype(np.float32) for page in GRAY]
    pages[2][1, 1] = np.nan
    with pytest.raises(DataError, match="1 values that are not finite"):
        read_frames(write(tmp_path / "all.tif", pages))


def test_a_stack_written_in_one_piece_is_read_page_by_page(tmp_path):
    tifffile.imwrite(tmp_path / "stack.tif", np.stack(GRAY), photometric="miniswhite")
    tifffile.imwrite(tmp_path / "imagej.tif", np.stack(GRAY), imagej=True)
    assert np.array_equal(read_frames(tmp_path / "stack.tif")[..., 0], 255 - np.stack(GRAY))
    assert np.array_equal(read_frames(tmp_path / "imagej.tif")[..., 0], np.stack(GRAY))


def test_a_file_that_ends_early_is_refused(tmp_path):
    path = write(tmp_path / "all.tif", [RNG.integers(0, 256, (64, 64), dtype=np.uint8) for _ in range(2)])
    data = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as file:
        tag = file.pages[1].tags["StripOffsets"]
        data[tag.valueoffset : tag.valueoffset + 4] = (len(data) - 100).to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(DataError, match="ends before its pixels"):
        read_frames(path)


def test_gray_animations_stay_gray(tmp_path):
    frames = [Image.fromarray(np.full((5, 7), value, np.uint8)) for value in (10, 200)]
    frames[0].save(tmp_path / "a.png", save_all=True, append_images=frames[1:])
    found = read_frames(tmp_path / "a.png")
    assert found.shape == (2, 5, 7, 1) and found[:, 0, 0, 0].tolist() == [10, 200]


def test_animations_are_turned_and_their_depth_is_not_cut(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    frames = [Image.fromarray(page[..., :3]) for page in RGBA]
    frames[0].save(tmp_path / "a.png", save_all=True, append_images=frames[1:], exif=exif)
    assert np.array_equal(read_frames(tmp_path / "a.png"), [np.rot90(page[..., :3], -1) for page in RGBA])
    deep = [Image.fromarray(page.astype(np.uint16) * 200) for page in GRAY]
    file = io.BytesIO()
    deep[0].save(file, "PNG", save_all=True, append_images=deep[1:])
    (tmp_path / "b.png").write_bytes(file.getvalue())
    if count_frames(tmp_path / "b.png").number > 1:
        with pytest.raises(DataError, match="16 bit"):
            read_frames(tmp_path / "b.png")
