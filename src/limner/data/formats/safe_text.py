"""Text of a file that nobody vouches for: its encoding is named when it is not UTF-8, its size in memory is bounded."""

from __future__ import annotations

import codecs
import re
import shlex
from pathlib import Path

from limner.core.errors import DataError
from limner.data.formats.archives import HEAD, refuse_archive

LARGEST_FILE = 256 * 2**20
_CHUNK = 2**20
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_UTF32 = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)
_WIDE, _WIDEST = re.compile("[^\x00-\xff]"), re.compile("[\U00010000-\U0010ffff]")
_EXPECTED = "UTF-8, or UTF-16 with a byte-order mark"


def read_text(path: Path, *, encoding: str | None = None) -> str:
    """The text of a file, without its byte-order mark.

    Parameters
    ----------
    path : the file.
    encoding : how it is written; by default UTF-8, or what its byte-order mark says (UTF-8, UTF-16).

    Raises
    ------
    DataError : no file; an archive; more than 256 MiB, on disk or as text in memory, where signs beyond Latin-1 make all others
        wider; another encoding (the offset of the first wrong byte is named, and what it probably is); zero bytes, as files have
        that are no text.
    """
    path = Path(path)
    try:
        if not path.is_file():
            found = "this is a folder" if path.is_dir() else "there is no such file"
            raise DataError(found, expected="an annotation file", where=str(path))
        size = path.stat().st_size
        if size > LARGEST_FILE:
            raise _too_large(f"the file has {size / 2**20:.0f} MiB", path)
        with path.open("rb") as file:
            start = file.read(HEAD)
        refuse_archive(start, path)
        return _decode(path, *_encoding(start, encoding, path))
    except (OSError, ValueError) as error:  # a name with a zero sign in it is a ValueError
        raise DataError(
            f"the file cannot be read: {error}", where=repr(str(path)), fix="check its name and rights"
        ) from error


def _encoding(start: bytes, encoding: str | None, path: Path) -> tuple[int, str]:
    """Bytes of the mark, and the encoding."""
    name = "utf-8"
    if encoding is not None:
        try:
            name = codecs.lookup(encoding).name
            "".encode(name)  # base64 and the like are found, but are no encodings of text
        except LookupError as error:
            raise DataError(
                f"no encoding of text is called {encoding!r}", where=str(path), fix="name utf-8, utf-16, cp1252 or gbk"
            ) from error
    elif start.startswith(_UTF32):
        raise _undecodable(path, "the file is UTF-32", "UTF-32")
    for mark, of in _MARKS:
        if start.startswith(mark) and (encoding is None or name in (of, of[:6])):
            return len(mark), of
    return 0, name


def _decode(path: Path, skip: int, name: str) -> str:
    """Piece by piece: bytes and text of a large file are never in memory together."""
    decoder = codecs.getincrementaldecoder(name)()
    text, offset, width = "", skip, 1
    with path.open("rb") as file:
        file.seek(skip)
        while True:
            chunk = file.read(_CHUNK)
            offset -= len(decoder.getstate()[0])  # bytes of a sign that the last piece cut
            try:
                piece = decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                raise _wrong_byte(path, name, offset + error.start) from error
            if "\0" in piece:
                raise _zero_byte(path, name, offset + len(piece[: piece.index("\0")].encode(name)))
            width = max(width, _width(piece))
            if (len(text) + len(piece)) * width > LARGEST_FILE:
                raise _too_large(
                    f"the text takes more than {LARGEST_FILE // 2**20} MiB of memory, having wide signs", path
                )
            text += piece  # CPython grows a string in place when nothing else holds it
            if not chunk:
                return text
            offset = file.tell()


def _width(piece: str) -> int:
    """Bytes that each sign of a text takes in memory."""
    if piece.isascii() or not _WIDE.search(piece):
        return 1
    return 4 if _WIDEST.search(piece) else 2


def _too_large(found: str, path: Path) -> DataError:
    return DataError(
        found, expected=f"at most {LARGEST_FILE // 2**20} MiB", where=str(path), fix="split it into several files"
    )


def _wrong_byte(path: Path, name: str, offset: int) -> DataError:
    with path.open("rb") as file:
        file.seek(max(0, offset - 64))
        guess = guess_encoding(file.read(_CHUNK))
    return _undecodable(path, f"byte {offset} is not {name.upper()}; the file looks like {guess}", guess)


def _zero_byte(path: Path, name: str, offset: int) -> DataError:
    with path.open("rb") as file:
        head = file.read(64)
    is_zero = [byte == 0 for byte in head]
    for guess, zeros, others in (("UTF-16LE", is_zero[1::2], is_zero[::2]), ("UTF-16BE", is_zero[::2], is_zero[1::2])):
        if name == "utf-8" and 2 * sum(zeros) > len(zeros) and not any(others):
            return _undecodable(path, f"the file looks like {guess} without a byte-order mark", guess)
    return DataError(
        f"byte {offset} is zero; the file is no text", expected=_EXPECTED, where=str(path), fix="export it again"
    )


def _undecodable(path: Path, found: str, guess: str) -> DataError:
    fix = f"convert it: iconv -f {guess} -t UTF-8 {shlex.quote(path.name)} > new; or save it as UTF-8 in an editor"
    return DataError(found, expected=_EXPECTED, where=str(path), fix=fix)


def guess_encoding(sample: bytes) -> str:
    """What bytes that are not UTF-8 probably are: ``GBK``, ``CP1252`` or ``LATIN1``.

    In GBK text the bytes above 127 come in pairs, as all of the common signs have two of them; in Western text they mostly stand
    alone. CP1252 has quotes and dashes where LATIN1 has controls.
    """
    runs = re.findall(rb"[\x80-\xff]+", sample[:-1])  # a sign may be cut at the end
    paired = sum(len(run) for run in runs if len(run) % 2 == 0 and "�" not in run.decode("gbk", "replace"))
    if runs and paired >= 0.8 * sum(map(len, runs)):
        return "GBK"
    return "CP1252" if re.search(rb"[\x80\x82-\x8c\x8e\x91-\x9c\x9e\x9f]", sample) else "LATIN1"
