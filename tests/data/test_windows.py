"""Windows of a file are windows of the picture, whatever the file's layout; only what they touch is decoded."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from limner.core.errors import DataError, MachineError
from limner.data import room, windows_tiff
from limner.data.images import read_image
from limner.data.windows import WholePicture, header_of, open_windows
from tests.make_data import picture, save

SIZE = (61, 83)


def agree(path, kind=None, seed=0):
    """Random windows against the whole picture."""
    windows, whole, header = open_windows(path), read_image(path), header_of(path)
    assert kind is None or type(windows).__name__ == kind
    assert (
        windows.size_hw == whole.shape[:2] == header.size_hw and windows.channels == whole.shape[2] == header.channels
    )
    assert windows.dtype == whole.dtype == header.dtype
    rng = np.random.default_rng(seed)
    for _ in range(12):
        rows, columns = (slice(*sorted(rng.choice(side + 1, 2, replace=False).tolist())) for side in windows.size_hw)
        found = windows.read(rows, columns)
        assert found.dtype == whole.dtype and np.array_equal(found, whole[rows, columns])
    return windows


@pytest.mark.parametrize("compression", [None, "lzw", "zlib", "zstd"])
@pytest.mark.parametrize("tile", [None, (16, 32)])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("channels", [1, 3, 5])
def test_strips_and_tiles(tmp_path, compression, tile, dtype, channels):
    pixels = picture(1, SIZE, channels, "uint8").astype(dtype) * (1 if dtype == "uint8" else 3)
    for planar in ("contig", "separate") if channels > 1 else (None,):
        array = pixels[..., 0] if channels == 1 else pixels.transpose(2, 0, 1) if planar == "separate" else pixels
        tifffile.imwrite(
            tmp_path / f"{planar}.tif", array, compression=compression, tile=tile, planarconfig=planar,
            photometric="rgb" if channels == 3 else "minisblack", rowsperstrip=None if tile else 7,
            predictor=True if compression in ("lzw", "zlib") else None,
        )  # fmt: skip
        agree(tmp_path / f"{planar}.tif", "TiffWindows")


def write(path, **words):
    tifffile.imwrite(path, picture(2, SIZE), photometric="rgb", **words)


def pyramid(path):
    with tifffile.TiffWriter(path) as file:
        file.write(picture(2, SIZE), subifds=1, tile=(32, 16), compression="zlib", photometric="rgb")
        file.write(picture(2, SIZE)[::2, ::2].copy(), subfiletype=1, tile=(16, 16), photometric="rgb")


FILES = {
    "bigtiff": lambda path: write(path, bigtiff=True, tile=(32, 16)),
    "big_endian": lambda path: tifffile.imwrite(path, picture(1, SIZE, 1, "uint16")[..., 0], byteorder=">"),
    "jpeg": lambda path: write(path, compression="jpeg", tile=(32, 16)),
    "one_strip": lambda path: write(path, compression="lzw", rowsperstrip=SIZE[0]),
    "pyramid": pyramid,
    "pages": lambda path: tifffile.imwrite(
        path, picture(1, SIZE).transpose(2, 0, 1), photometric="minisblack", metadata={"axes": "CYX"}
    ),
    "inverted": lambda path: tifffile.imwrite(path, picture(1, SIZE, 1)[..., 0], photometric="miniswhite"),
    "one_bit": lambda path: tifffile.imwrite(path, picture(1, SIZE, 1)[..., 0] > 90, photometric="minisblack"),
    "alpha": lambda path: tifffile.imwrite(
        path, picture(1, SIZE, 4), photometric="rgb", extrasamples=["unassalpha"], compression="zlib"
    ),
    "pillow": lambda path: Image.fromarray(picture(1, SIZE)).save(path, compression="tiff_lzw"),
    "palette": lambda path: Image.fromarray(picture(1, SIZE)).quantize(9).save(path, compression="tiff_lzw"),
}


@pytest.mark.parametrize("kind", FILES)
def test_other_tiff_files(tmp_path, kind):
    FILES[kind](tmp_path / "a.tif")
    agree(tmp_path / "a.tif", "TiffWindows")


def test_a_tile_that_was_never_written_is_empty(tmp_path):
    first = picture(1, (32, 32), 1)[..., 0]
    tifffile.imwrite(
        tmp_path / "a.tif", iter([first, None, first]), shape=(32, 83), dtype="uint8", tile=(32, 32), compression="zlib",
        photometric="minisblack",
    )  # fmt: skip
    agree(tmp_path / "a.tif", "TiffWindows")
    assert not open_windows(tmp_path / "a.tif").read(slice(0, 32), slice(32, 64)).any()


def test_only_what_a_window_touches_is_decoded_and_little_is_kept(tmp_path):
    write(tmp_path / "a.tif", compression="zlib", tile=(16, 16))
    windows = agree(tmp_path / "a.tif")
    decoded = []
    page = windows.pages[0]
    object.__setattr__(
        page,
        "decode",
        lambda data, index, _plain=page.decode, **w: (decoded.append(index), _plain(data, index, **w))[1],
    )
    windows._kept.clear()
    windows.read(slice(17, 20), slice(30, 50))
    assert decoded == [7, 8, 9]  # six across: the second row of tiles, columns 16 to 63
    windows.read(slice(18, 25), slice(30, 40))
    assert decoded == [7, 8, 9]  # kept
    for top in range(0, 61, 5):
        windows.read(slice(top, min(top + 5, 61)), slice(0, 83))
        assert len(windows._kept) <= 12
    assert len(decoded) <= 3 + 24  # each of the 24 tiles once


def test_files_that_are_decoded_whole(tmp_path, monkeypatch):
    tifffile.imwrite(tmp_path / "signed.tif", picture(1, SIZE, 1)[..., 0].astype(np.int16), photometric="minisblack")
    save(tmp_path / "a.png", picture(1, SIZE))
    np.save(tmp_path / "fortran.npy", np.asfortranarray(picture(1, SIZE)))
    file = Image.fromarray(picture(1, SIZE))
    exif = file.getexif()
    exif[0x0112] = 6
    file.save(tmp_path / "turned.tif", exif=exif)
    for name in ("signed.tif", "a.png", "fortran.npy", "turned.tif"):
        agree(tmp_path / name, "WholePicture")
    write(tmp_path / "strip.tif", compression="zlib", rowsperstrip=SIZE[0])
    monkeypatch.setattr(windows_tiff, "LARGEST_SEGMENT", 999)
    agree(tmp_path / "strip.tif", "WholePicture")


@pytest.mark.parametrize("dtype", ["uint8", ">u2", "float32"])
@pytest.mark.parametrize("channels", [0, 1, 3])
def test_arrays(tmp_path, dtype, channels):
    pixels = picture(3, SIZE, max(1, channels)).astype(dtype)
    np.save(tmp_path / "a.npy", pixels if channels else pixels[..., 0])
    if dtype != ">u2":  # read_image gives the file's own byte order
        agree(tmp_path / "a.npy", "RawWindows")
    found = open_windows(tmp_path / "a.npy").read(slice(3, 9), slice(5, 80))
    assert found.dtype.isnative and np.array_equal(found, pixels[3:9, 5:80])


def test_damaged_files_are_named(tmp_path):
    for name, words in (("tiles.tif", {"compression": "zlib", "tile": (16, 16)}), ("raw.tif", {})):
        write(tmp_path / name, **words)
    np.save(tmp_path / "a.npy", picture(1, SIZE))
    for name in ("tiles.tif", "raw.tif", "a.npy"):
        path = tmp_path / name
        whole = open_windows(path)  # opened while it was whole
        path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
        with pytest.raises(DataError, match=name):
            whole.read(slice(0, SIZE[0]), slice(0, SIZE[1]))
    with pytest.raises(DataError, match=r"gone\.tif"):
        open_windows(tmp_path / "gone.tif")
    with pytest.raises(DataError, match="stack of 4 pages"):
        tifffile.imwrite(tmp_path / "stack.tif", np.zeros((4, 5, 7), np.uint8), photometric="minisblack")
        open_windows(tmp_path / "stack.tif")


def test_values_that_are_not_finite_are_found_in_the_window_that_holds_them(tmp_path):
    pixels = picture(1, SIZE, 1)[..., 0].astype(np.float32)
    pixels[40, 50] = np.nan
    tifffile.imwrite(tmp_path / "a.tif", pixels, compression="zlib", tile=(16, 16))
    windows = open_windows(tmp_path / "a.tif")
    windows.read(slice(0, 40), slice(0, 83))
    with pytest.raises(DataError, match="1 values that are not finite"):
        windows.read(slice(35, 45), slice(0, 83))


def test_a_header_that_claims_more_than_memory_holds(tmp_path, monkeypatch):
    save(tmp_path / "a.png", picture(1, (300, 500)))
    write(tmp_path / "a.tif")
    monkeypatch.setattr(room, "SMALL", 1000)
    monkeypatch.setattr(room, "free_memory", lambda: 2**20)
    for name, size, free in (("a.png", "500 x 300", 2**20), ("a.tif", "83 x 61", 2**14)):
        monkeypatch.setattr(room, "free_memory", lambda free=free: free)
        with pytest.raises(MachineError) as caught:
            read_image(tmp_path / name)
        assert (
            f"{name} claims {size} pixels" in caught.value.found
            and f"{free / 2**20:.0f} MiB are free" in caught.value.found
        )
        assert "tiled TIFF" in caught.value.fix
    assert isinstance(open_windows(tmp_path / "a.tif"), windows_tiff.TiffWindows)  # by windows it can be read
    monkeypatch.undo()
    assert isinstance(open_windows(tmp_path / "a.png"), WholePicture)
