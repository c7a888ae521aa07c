"""Which kind of file some bytes are, by what they begin with; names and stated types prove nothing."""

from __future__ import annotations

import importlib.util

from limner.server.limits import FORMATS
from limner.server.refused import Refused

_STARTS = (
    (b"\xff\xd8\xff", ".jpg"), (b"\x89PNG\r\n\x1a\n", ".png"), (b"II*\0", ".tif"), (b"MM\0*", ".tif"),
    (b"II+\0", ".tif"), (b"MM\0+", ".tif"), (b"BM", ".bmp"),
)  # fmt: skip
_OTHERS = (
    (b"GIF8", "a GIF file"), (b"%PDF", "a PDF file"), (b"PK\x03\x04", "a ZIP archive"), (b"\x1f\x8b", "a gzip file"),
    (b"BZh", "a bzip2 file"), (b"\xfd7zXZ", "an xz file"), (b"7z\xbc\xaf", "a 7z archive"), (b"\x93NUMPY", "an NPY array"),
    (b"\x80\x04", "a pickle"), (b"\x80\x02", "a pickle"), (b"<svg", "an SVG drawing"), (b"<?xml", "an XML file"),
    (b"{", "a JSON file"), (b"<", "a page or drawing in markup"),
)  # fmt: skip


def suffix_of(data: bytes) -> str:
    """The suffix that stands for the kind of picture file: ``.jpg .png .tif .bmp .webp``, and ``.dcm`` with its extra.

    Raises
    ------
    Refused : 415; anything else; the kind is named where it is known.

    Examples
    --------
    >>> suffix_of(b"BM" + bytes(60))
    '.bmp'
    """
    for start, suffix in _STARTS:
        if data.startswith(start):
            return suffix
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return ".webp"
    if data[128:132] == b"DICM":
        if importlib.util.find_spec("pydicom") is not None:
            return ".dcm"
        raise Refused(415, "kind", 'a DICOM file; this server reads none: pip install "limner[medical]" would add it')
    if not data:
        raise Refused(422, "empty", "the picture is empty: not one byte")
    head = data[:64].lstrip()
    known = next((words for start, words in _OTHERS if head.startswith(start)), "no picture that is known here")
    raise Refused(415, "kind", f"the file is {known}; {', '.join(FORMATS)} are read", limit={"formats": list(FORMATS)})
