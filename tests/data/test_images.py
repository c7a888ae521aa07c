"""Pictures come out whole, upright and at their own depth."""

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps

from limner.core.errors import DataError
from limner.core.labels import LabelSpace
from limner.data.images import read_header, read_image, write_image, write_labels
from tests.make_data import SMALL, picture, save

A = np.arange(15, dtype=np.uint8).reshape(3, 5) * 16


def agree(path):
    image, header = read_image(path), read_header(path)
    assert (header.size_hw, header.channels, header.dtype) == (image.shape[:2], image.shape[2], image.dtype.name)
    return image


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".webp"])
@pytest.mark.parametrize("channels", [1, 3])
def test_lossless_kinds_keep_every_pixel(tmp_path, suffix, channels):
    pixels = picture(3, SMALL, channels)
    path = tmp_path / f"a.b{suffix}"
    if suffix == ".webp":
        if channels == 1:
            pytest.skip("WebP has no gray")
        Image.fromarray(pixels).save(path, lossless=True)
    else:
        save(path, pixels)
    assert np.array_equal(agree(path), pixels)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_as_pillow_turns_it(tmp_path, orientation):
    file = Image.fromarray(A)
    exif = file.getexif()
    exif[0x0112] = orientation
    file.save(tmp_path / "a.png", exif=exif)
    expected = np.array(ImageOps.exif_transpose(Image.open(tmp_path / "a.png")))
    assert np.array_equal(agree(tmp_path / "a.png")[..., 0], expected)
    assert read_header(tmp_path / "a.png").size_hw == ((5, 3) if orientation >= 5 else (3, 5))


def test_sixteen_bit_colour_png_keeps_its_low_bits_and_channel_order(tmp_path):
    pixels = np.array([[[1, 300, 65535], [2, 301, 60000]]], np.uint16)
    cv2.imwrite(str(tmp_path / "a.png"), pixels[..., ::-1])
    assert agree(tmp_path / "a.png").tolist() == pixels.tolist()


def test_sixteen_bit_gray_png(tmp_path):
    Image.fromarray(np.array([[0, 257, 65535]], np.uint16)).save(tmp_path / "a.png")
    assert agree(tmp_path / "a.png")[..., 0].tolist() == [[0, 257, 65535]]


def test_palette_becomes_colour_alpha_is_dropped_one_bit_is_0_and_255(tmp_path):
    file = Image.fromarray(np.array([[0, 1, 1]], np.uint8))
    file.putpalette([10, 20, 30, 40, 50, 60])
    file.save(tmp_path / "p.png")
    assert agree(tmp_path / "p.png").tolist() == [[[10, 20, 30], [40, 50, 60], [40, 50, 60]]]
    rgba = np.array([[[9, 8, 7, 0], [1, 2, 3, 255]]], np.uint8)
    Image.fromarray(rgba).save(tmp_path / "a.png")
    assert agree(tmp_path / "a.png").tolist() == [[[9, 8, 7], [1, 2, 3]]]
    Image.fromarray(np.array([[[5, 0], [6, 255]]], np.uint8), "LA").save(tmp_path / "la.png")
    assert agree(tmp_path / "la.png").tolist() == [[[5], [6]]]
    Image.fromarray(np.array([[0, 255, 0]], np.uint8)).convert("1").save(tmp_path / "b.png")
    assert agree(tmp_path / "b.png")[..., 0].tolist() == [[0, 255, 0]]


def test_tiff_planar_and_many_channels(tmp_path):
    pixels = picture(1, SMALL, 5, "uint16")
    tifffile.imwrite(
        tmp_path / "planar.tif", pixels.transpose(2, 0, 1), photometric="minisblack", planarconfig="separate"
    )
    assert np.array_equal(agree(tmp_path / "planar.tif"), pixels)
    tifffile.imwrite(tmp_path / "contig.tif", pixels, photometric="minisblack", planarconfig="contig")
    assert np.array_equal(agree(tmp_path / "contig.tif"), pixels)


def test_inverted_gray_tiff_is_read_as_seen(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.array([[0, 255, 200]], np.uint8), photometric="miniswhite")
    assert agree(tmp_path / "a.tif")[..., 0].tolist() == [[255, 0, 55]]


def test_a_stack_of_pages_is_refused_by_name(tmp_path):
    tifffile.imwrite(tmp_path / "stack.tif", np.zeros((4, 5, 7), np.uint8), photometric="minisblack")
    for read in (read_image, read_header):
        with pytest.raises(DataError, match=r"stack\.tif is a stack of 4 pages"):
            read(tmp_path / "stack.tif")


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.bmp", "a.tif", "a.webp"])
def test_truncated_files_are_named(tmp_path, name):
    path = save(tmp_path / name, picture(0, (64, 80)))
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    with pytest.raises(DataError, match=name):
        read_image(path)


def test_truncated_deep_png_is_named(tmp_path):
    path = tmp_path / "deep.png"
    cv2.imwrite(str(path), picture(0, (64, 80), 3, "uint16"))
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    with pytest.raises(DataError, match=r"deep\.png"):
        read_image(path)


def test_missing_foreign_and_not_finite_files(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        read_image(tmp_path / "none.png")
    (tmp_path / "a.gif").write_bytes(b"GIF89a")
    with pytest.raises(DataError, match=r"a\.gif"):
        read_image(tmp_path / "a.gif")
    tifffile.imwrite(tmp_path / "nan.tif", np.array([[1.0, np.nan]], np.float32))
    with pytest.raises(DataError, match="1 values that are not finite"):
        read_image(tmp_path / "nan.tif")


def test_labels_round_trip_as_palette_and_as_sixteen_bit(tmp_path):
    ids = np.array([[0, 1, 2], [2, 1, 0]], np.uint8)
    space = LabelSpace(("background", "a", "b"), ((0, 0, 0), (1, 2, 3), (4, 5, 6)))
    write_labels(tmp_path / "sub" / "a.png", ids, space)
    file = Image.open(tmp_path / "sub" / "a.png")
    assert file.mode == "P" and np.array_equal(np.array(file), ids) and file.getpalette()[3:6] == [1, 2, 3]
    many = LabelSpace(tuple(f"c{i}" for i in range(300)))
    write_labels(tmp_path / "b.png", np.array([[0, 299]], np.uint16), many)
    assert np.array(Image.open(tmp_path / "b.png")).tolist() == [[0, 299]]
    assert [p.name for p in (tmp_path / "sub").iterdir()] == ["a.png"]


def test_write_image_gray_and_colour(tmp_path):
    write_image(tmp_path / "g.png", picture(0, SMALL, 1))
    write_image(tmp_path / "c.png", picture(0, SMALL, 3))
    assert np.array_equal(read_image(tmp_path / "g.png"), picture(0, SMALL, 1))
    assert np.array_equal(read_image(tmp_path / "c.png"), picture(0, SMALL, 3))
