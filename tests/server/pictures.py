"""Picture files in memory."""

import io

import numpy as np
import tifffile
from PIL import Image

from tests.make_data import SMALL, picture


def array(seed=0, size_hw=SMALL, channels=3, dtype="uint8"):
    """A picture with bright and dark pixels."""
    found = picture(seed, size_hw, channels, dtype)
    found[: size_hw[0] // 2, : size_hw[1] // 2] = np.iinfo(found.dtype).max - seed
    return found


def encoded(pixels, kind="PNG", **options):
    file = io.BytesIO()
    if kind == "TIFF":
        tifffile.imwrite(file, pixels, **options)
    else:
        Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(file, format=kind, **options)
    return file.getvalue()


def decoded(data):
    """Class ids of a palette PNG."""
    return np.array(Image.open(io.BytesIO(data)))
