"""Which chunks a PNG file has before its pixels end; so that nothing is decoded to learn that it states no orientation."""

from __future__ import annotations

import struct
from pathlib import Path

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_MAY_HOLD_ORIENTATION = frozenset({b"eXIf", b"tEXt", b"zTXt", b"iTXt"})  # EXIF itself, or EXIF and XMP as text


def may_state_orientation(path: Path) -> bool:
    """True for a PNG with a chunk that can hold an EXIF orientation, for damaged ones and for all other files."""
    with path.open("rb") as file:
        if file.read(8) != _SIGNATURE:
            return True
        while head := file.read(8):
            if len(head) < 8:
                return True
            length, kind = struct.unpack(">I4s", head)
            if kind in _MAY_HOLD_ORIENTATION:
                return True
            if kind == b"IEND":
                return False
            file.seek(length + 4, 1)
    return True
