"""Archives are named and never opened: whoever unpacks one decides where its names lead and how large it may grow."""

from __future__ import annotations

from pathlib import Path

from limner.core.errors import DataError

HEAD = 512  # bytes that tell
_STARTS = (
    (b"PK\x03\x04", "ZIP"), (b"PK\x05\x06", "ZIP"), (b"\x1f\x8b", "gzip"), (b"BZh", "bzip2"), (b"\xfd7zXZ", "xz"),
    (b"7z\xbc\xaf\x27\x1c", "7z"), (b"Rar!\x1a\x07", "RAR"), (b"\x28\xb5\x2f\xfd", "Zstandard"),
)  # fmt: skip
_TAR = (257, b"ustar")  # POSIX.1-1988, "ustar" interchange format: the magic field of a header block


def archive_kind(head: bytes) -> str | None:
    """The kind of archive that a file beginning with `head` is; None for none.

    Examples
    --------
    >>> archive_kind(b"PK\\x03\\x04 and more"), archive_kind(b"{}")
    ('ZIP', None)
    """
    at, magic = _TAR
    if head[at : at + len(magic)] == magic:
        return "tar"
    return next((kind for start, kind in _STARTS if head.startswith(start)), None)


def refuse_archive(head: bytes, path: Path) -> None:
    """Refuse a file that begins as an archive does.

    Raises
    ------
    DataError : it is one.
    """
    kind = archive_kind(head)
    if kind is not None:
        raise DataError(
            f"{path.name} is a {kind} archive, which is not opened", expected="a folder, or an annotation file",
            where=str(path), fix="unpack it, look at what is in it, and give the folder",
        )  # fmt: skip
