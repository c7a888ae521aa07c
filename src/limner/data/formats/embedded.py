"""Pictures and masks that an annotation file carries inside as base64: bounded before anything is decoded."""

from __future__ import annotations

import base64
import binascii
import io
import struct
import zlib

import numpy as np
import numpy.typing as npt
import PIL.Image

from limner.data.formats.geometry import Refusal
from limner.data.formats.ledger import Ledger

MOST_PIXELS = 2**26  # of one mask
LARGEST_PICTURE = 64 * 2**20  # bytes
_PNG = b"\x89PNG\r\n\x1a\n"
_PICTURES = (_PNG, b"\xff\xd8\xff", b"BM", b"II*\x00", b"MM\x00*", b"RIFF", b"GIF8")
_ERRORS = (OSError, ValueError, SyntaxError, struct.error, zlib.error, IndexError, OverflowError, EOFError, KeyError)


def decoded(text: str, what: str) -> bytes:
    """The bytes of a base64 text; a ``data:`` prefix and white space are passed over.

    Raises
    ------
    Refusal : not base64 (``bad-base64``).
    """
    if text.startswith("data:"):
        text = text.partition(",")[2]
    try:
        return base64.b64decode(text)
    except (binascii.Error, ValueError) as error:
        raise Refusal("bad-base64", f"{what} is not base64 ({error}); a picture in base64 is expected") from None


def picture(text: str) -> bytes:
    """The encoded picture in a base64 text.

    Raises
    ------
    Refusal : too large, not base64, or the bytes do not begin like a picture.
    """
    if len(text) > LARGEST_PICTURE * 4 // 3:
        limit = f"at most {LARGEST_PICTURE // 2**20} MiB are read"
        raise Refusal("too-large", f"the picture inside the file takes {len(text) / 2**20:.0f} MiB; {limit}")
    data = decoded(text, "the picture inside the file")
    if not data.startswith(_PICTURES):
        raise Refusal(
            "not-a-picture", "what the file carries inside does not begin like a picture; PNG or JPEG is expected"
        )
    return data


def mask_of_png(data: bytes, ledger: Ledger) -> npt.NDArray[np.bool_]:
    """Which pixels of a PNG are not 0 in any colour, ``(H, W)``.

    Parameters
    ----------
    data : the file.
    ledger : keeps count of the pixels that all masks of the annotation file take.

    Raises
    ------
    Refusal : not a PNG, damaged, too large, or all 0.
    """
    if len(data) < 33 or not data.startswith(_PNG) or data[12:16] != b"IHDR":
        raise Refusal("bad-mask", "the mask is not a PNG; a PNG is expected")
    width, height = struct.unpack(">II", data[16:24])
    if width * height > MOST_PIXELS:
        raise Refusal("too-many-pixels", f"the mask has {width} x {height} pixels; at most {MOST_PIXELS} are read")
    ledger.take_pixels(width * height)
    try:
        with PIL.Image.open(io.BytesIO(data), formats=["PNG"]) as file:
            has_alpha = file.mode in ("LA", "PA", "RGBA")
            pixels = np.asarray(file)
    except _ERRORS as error:
        reason = " ".join(str(error).split())[:80] or type(error).__name__
        raise Refusal("bad-mask", f"the mask cannot be decoded ({reason}); a whole PNG is expected") from None
    mask: npt.NDArray[np.bool_] = np.asarray(pixels != 0)
    if mask.ndim == 3:
        seen = mask[..., -1]
        mask = np.any(mask[..., :-1] if has_alpha else mask, axis=2)
        mask = np.logical_and(mask, seen) if has_alpha else mask
    if not mask.any():
        raise Refusal("empty-mask", f"none of the {width} x {height} pixels of the mask is set; some are expected")
    return mask


def png_of_mask(mask: npt.NDArray[np.bool_], *, one: int = 1) -> bytes:
    """An 8-bit gray PNG: `one` where the mask is set, else 0."""
    buffer = io.BytesIO()
    PIL.Image.fromarray(mask.astype(np.uint8) * np.uint8(one)).save(buffer, format="PNG")
    return buffer.getvalue()


def encoded(data: bytes) -> str:
    """Bytes as base64."""
    return base64.b64encode(data).decode("ascii")
