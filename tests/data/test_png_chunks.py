"""A PNG is opened for its orientation only where a chunk may state one."""

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from limner.data.png_chunks import may_state_orientation

PIXELS = np.arange(35, dtype=np.uint8).reshape(5, 7)


def test_plain_png_cannot_state_one(tmp_path):
    Image.fromarray(PIXELS).save(tmp_path / "a.png", dpi=(72, 72))
    assert not may_state_orientation(tmp_path / "a.png")


@pytest.mark.parametrize("how", ["exif", "text", "jpeg", "cut", "empty"])
def test_all_others_may(tmp_path, how):
    path = tmp_path / "a.png"
    picture = Image.fromarray(PIXELS)
    if how == "exif":
        exif = picture.getexif()
        exif[0x0112] = 6
        picture.save(path, exif=exif)
    elif how == "text":
        info = PngImagePlugin.PngInfo()
        info.add_text("Raw profile type exif", "x")
        picture.save(path, pnginfo=info)
    else:
        picture.save(path, format="JPEG" if how == "jpeg" else "PNG")
        if how != "jpeg":
            path.write_bytes(path.read_bytes()[: -14 if how == "cut" else 0])
    assert may_state_orientation(path)
