"""Files are whole or not there, and only folders of ours are ever replaced."""

import errno
import hashlib
import json
from pathlib import Path

import pytest

from limner.core.errors import MachineError, OutputError
from limner.core.files import (
    MARKER,
    check_output,
    disk_errors,
    prepare_output,
    sha256,
    write_atomic,
    write_bytes,
    write_json,
    write_text,
)


def test_what_is_written_is_there_and_nothing_else(tmp_path):
    write_text(tmp_path / "deep/er/a.txt", "ä\n")
    write_bytes(tmp_path / "b", b"\x00\xff")
    write_json(tmp_path / "c.json", {"x": [1, None]})
    assert (tmp_path / "deep/er/a.txt").read_bytes() == "ä\n".encode() and (tmp_path / "b").read_bytes() == b"\x00\xff"
    assert json.loads((tmp_path / "c.json").read_text()) == {"x": [1, None]}
    assert sorted(p.name for p in tmp_path.rglob("*") if p.is_file()) == ["a.txt", "b", "c.json"]
    assert sha256(tmp_path / "b") == hashlib.sha256(b"\x00\xff").hexdigest()


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("no"), OSError(errno.EIO, "broken")])
def test_a_writer_that_fails_leaves_the_old_file_and_no_other(tmp_path, error):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail(temporary):
        temporary.write_text("half")
        raise error

    with pytest.raises(type(error)):
        write_atomic(path, fail)
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_not_a_number_is_refused_in_json(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"x": float("nan")})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_says_what_to_do(tmp_path, code):
    def full(temporary):
        temporary.write_text("half")
        raise OSError(code, "full")

    with pytest.raises(MachineError, match=r"no space left while writing a\.bin") as caught:
        write_atomic(tmp_path / "a.bin", full)
    assert "--resume" in caught.value.fix and not list(tmp_path.iterdir())


@pytest.mark.parametrize("code", [errno.EACCES, errno.EPERM, errno.EROFS])
def test_a_missing_right_names_the_place(tmp_path, code):
    with pytest.raises(OutputError, match="cannot be written") as caught, disk_errors(tmp_path / "a"):
        raise OSError(code, "not allowed")
    assert caught.value.where == str(tmp_path / "a") and "--out" in caught.value.fix


def test_names_that_are_taken(tmp_path):
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "file/inside", tmp_path / "folder", tmp_path / ("n" * 300)):
        with pytest.raises(OutputError, match="cannot be written"):
            write_text(path, "y")
    with pytest.raises(OutputError, match="cannot be written"):
        prepare_output(tmp_path / "file/inside", overwrite=True)
    with pytest.raises(OutputError, match="is a file"):
        prepare_output(tmp_path / "file", overwrite=True)
    assert (tmp_path / "file").read_text() == "x" and not list((tmp_path / "folder").iterdir())


def test_other_troubles_are_not_hidden(tmp_path):
    with pytest.raises(OSError, match="odd"), disk_errors(tmp_path):
        raise OSError(errno.EIO, "odd")


def test_new_and_empty_folders_are_marked(tmp_path):
    (tmp_path / "empty").mkdir()
    for name in ("new/er", "empty"):
        folder = prepare_output(tmp_path / name, overwrite=False)
        assert folder == tmp_path / name and [p.name for p in folder.iterdir()] == [MARKER]
        prepare_output(folder, overwrite=False)  # a call that failed before it wrote anything may be repeated


def test_folders_of_others_are_never_replaced(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("work")
    for overwrite, words in ((False, "exists already"), (True, "not made by Limner")):
        with pytest.raises(OutputError, match=words) as caught:
            prepare_output(tmp_path / "mine", overwrite=overwrite)
        assert caught.value.where == str(tmp_path / "mine") and "--out" in caught.value.fix
    assert (tmp_path / "mine/thesis.txt").read_text() == "work"


def test_folders_of_ours_are_replaced_when_asked(tmp_path):
    folder = prepare_output(tmp_path / "run", overwrite=False)
    write_text(folder / "deep/a.txt", "old")
    with pytest.raises(OutputError, match="exists already") as caught:
        prepare_output(folder, overwrite=False)
    assert "--overwrite" in caught.value.fix
    prepare_output(folder, overwrite=True)
    assert [p.name for p in folder.iterdir()] == [MARKER]


def inside(tmp_path, monkeypatch):
    """An output of ours with pictures in it, and pictures beside it that links lead to."""
    monkeypatch.chdir(tmp_path)
    out = prepare_output(tmp_path / "out", overwrite=False)
    write_text(out / "deep/a.png", "drawn by hand")
    write_text(tmp_path / "pics/b.png", "drawn by hand")
    (tmp_path / "link").symlink_to(out)
    (tmp_path / "pics/c.png").symlink_to(out / "deep/a.png")
    (out / "d.png").symlink_to(tmp_path / "pics/b.png")
    return out


@pytest.mark.parametrize(
    "read", ["out", "out/deep", "out/deep/a.png", "pics/../out", "link", "link/deep", "pics/c.png", "out/d.png"]
)
@pytest.mark.parametrize("written", ["out", "link", "./pics/../out"])
@pytest.mark.parametrize("overwrite", [False, True])
def test_what_is_read_is_never_replaced(tmp_path, monkeypatch, read, written, overwrite):
    out = inside(tmp_path, monkeypatch)
    before = sorted(path.relative_to(out).as_posix() for path in out.rglob("*"))
    with pytest.raises(OutputError, match="this call reads") as caught:
        prepare_output(Path(written), overwrite=overwrite, inputs=[Path("nowhere"), Path("pics/b.png"), Path(read)])
    assert caught.value.where == str(Path(written)) and "--overwrite" not in caught.value.fix
    assert before == sorted(path.relative_to(out).as_posix() for path in out.rglob("*"))


@pytest.mark.parametrize("read", ["nowhere", "otsu", "pics", "pics/b.png", "out/../pics", ".", "outer", "broken"])
def test_an_output_beside_or_inside_what_is_read_is_allowed(tmp_path, monkeypatch, read):
    out = inside(tmp_path, monkeypatch)
    (tmp_path / "outer").mkdir()  # its name begins alike
    (tmp_path / "broken").symlink_to("nowhere")
    prepare_output(Path("out"), overwrite=True, inputs=(Path(read),))
    assert [path.name for path in out.iterdir()] == [MARKER]
    monkeypatch.chdir(out)
    check_output(Path(), overwrite=True, inputs=[Path("..")])
