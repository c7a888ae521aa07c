import codecs

import pytest

from limner.core.errors import DataError
from limner.data.formats import safe_text
from limner.data.formats.safe_text import guess_encoding, read_text

TEXT = '{"name": "猫", "größe": "naïve – 5 µm"}\r\n'


def write(tmp_path, data: bytes):
    path = tmp_path / "labels of Zoë.json"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    "data",
    [
        TEXT.encode(), codecs.BOM_UTF8 + TEXT.encode(), codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le"),
        codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"),
    ],
)  # fmt: skip
def test_marks_are_obeyed_and_dropped(tmp_path, data):
    assert read_text(write(tmp_path, data)) == TEXT


def test_empty(tmp_path):
    assert read_text(write(tmp_path, b"")) == ""
    assert read_text(write(tmp_path, codecs.BOM_UTF8)) == ""


@pytest.mark.parametrize(
    ("text", "encoding", "guess"),
    [
        ("Größe der Zelle: naïve café, Zürich", "latin-1", "LATIN1"), ("“quoted” – 5 €", "cp1252", "CP1252"),
        ("名称: 细胞, 背景, 坏死", "gbk", "GBK"),
    ],
)  # fmt: skip
def test_other_encodings_are_named_with_the_offset(tmp_path, text, encoding, guess):
    start = b'{"a": 1,\n "b": "'
    path = write(tmp_path, start + text.encode(encoding) + b'"}')
    with pytest.raises(DataError) as caught:
        read_text(path)
    first = next(i for i, byte in enumerate(path.read_bytes()) if byte > 127)
    assert f"byte {first} " in caught.value.found and guess in caught.value.found
    assert "iconv" in caught.value.fix and str(path) in caught.value.where
    assert read_text(path, encoding=encoding) == start.decode() + text + '"}'


@pytest.mark.parametrize("shift", [0, 1, 2, 3])
def test_offsets_across_pieces(tmp_path, monkeypatch, shift):
    """A sign of three bytes is cut by the border of a piece; the wrong byte comes later."""
    monkeypatch.setattr(safe_text, "_CHUNK", 8)
    good = ("x" * shift + "猫" * 9).encode()
    assert read_text(write(tmp_path, good)) == good.decode()
    with pytest.raises(DataError, match=f"byte {len(good)} "):
        read_text(write(tmp_path, good + b"\xffabc"))
    with pytest.raises(DataError, match=f"byte {len(good)} is zero"):
        read_text(write(tmp_path, good + b"\0abc"))
    with pytest.raises(DataError, match=f"byte {len(good)} "):
        read_text(write(tmp_path, good + "猫".encode()[:2]))  # ends within a sign


def test_other_marks_and_missing_marks(tmp_path):
    with pytest.raises(DataError, match="UTF-32"):
        read_text(write(tmp_path, codecs.BOM_UTF32_LE + b"abcd"))
    with pytest.raises(DataError, match="UTF-16LE without"):
        read_text(write(tmp_path, '{"a": 1}'.encode("utf-16-le")))
    with pytest.raises(DataError, match="UTF-16BE without"):
        read_text(write(tmp_path, '{"a": 1}'.encode("utf-16-be")))
    assert read_text(write(tmp_path, '{"a": 1}'.encode("utf-16-le")), encoding="utf-16-le") == '{"a": 1}'
    assert read_text(write(tmp_path, '{"a": 1}'.encode("utf-16")), encoding="utf-16") == '{"a": 1}'


def test_size(tmp_path, monkeypatch):
    monkeypatch.setattr(safe_text, "LARGEST_FILE", 2**20)
    assert len(read_text(write(tmp_path, b"a" * 2**20))) == 2**20
    with pytest.raises(DataError, match="MiB"):
        read_text(write(tmp_path, b"a" * (2**20 + 1)))
    with pytest.raises(DataError, match="wide"):
        read_text(write(tmp_path, b"a" * 2**19 + "😀".encode()))  # each sign takes 4 bytes then
    assert len(read_text(write(tmp_path, b"a" * 2**18 + "猫".encode()))) == 2**18 + 1


def test_no_file(tmp_path):
    for path in (tmp_path, tmp_path / "absent.json", tmp_path / "a\0b.json", tmp_path / ("x" * 5000)):
        with pytest.raises(DataError):
            read_text(path)


@pytest.mark.parametrize("encoding", ["klingon", "base64", "hex"])
def test_no_such_encoding(tmp_path, encoding):
    with pytest.raises(DataError, match="no encoding"):
        read_text(write(tmp_path, b"abc"), encoding=encoding)


def test_guesses_need_no_text():
    assert guess_encoding(b"") == "LATIN1"
    assert guess_encoding(b"\xff\xfe\xfd") in ("LATIN1", "CP1252", "GBK")
