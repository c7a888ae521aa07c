"""Object ids as files: 16-bit PNG, or 32-bit TIFF for what PNG cannot hold."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import PIL.Image

from limner.core.files import write_bytes
from limner.core.objects import Instances
from limner.data.label_tiff import LARGE_PIXELS, write_label_tiff

LARGEST_PNG_ID = 65_535


def fits_png(ids: Instances) -> bool:
    """True for at most 65,535 objects on at most 100 megapixels."""
    return ids.size <= LARGE_PIXELS and int(ids.max(initial=0)) <= LARGEST_PNG_ID


def write_instances(target: Path, ids: Instances) -> Path:
    """Write object ids, whole or not at all: ``<target>.png``, 16-bit gray, or ``<target>.tif``, 32-bit, tiled and compressed.

    Parameters
    ----------
    target : where to, without suffix (dots in it stay); the parent folder is made.
    ids : ``(H, W)`` int32 from 0; 0 = no object. The file is TIFF from the id 65,536 on and above 100 megapixels.

    Returns
    -------
    The file that was written.

    Raises
    ------
    MachineError, OutputError : the disk is full or the folder may not be written.
    """
    if fits_png(ids):
        path = target.with_name(f"{target.name}.png")
        write_bytes(path, encode_instances(ids))
        return path
    path = target.with_name(f"{target.name}.tif")
    size_hw = (int(ids.shape[0]), int(ids.shape[1]))
    write_label_tiff(path, lambda start, stop: ids[start:stop], size_hw, None, dtype=np.uint32)
    return path


def encode_instances(ids: Instances) -> bytes:
    """The bytes of a 16-bit gray PNG of ids from 0 to 65,535.

    Raises
    ------
    ValueError : an id is larger.
    """
    if int(ids.max(initial=0)) > LARGEST_PNG_ID:
        raise ValueError(f"an object id of {int(ids.max())}; a 16-bit PNG holds ids up to {LARGEST_PNG_ID}")
    buffer = io.BytesIO()
    PIL.Image.fromarray(np.ascontiguousarray(ids, dtype=np.uint16)).save(buffer, format="PNG")
    return buffer.getvalue()
