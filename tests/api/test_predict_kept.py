"""Calls that are continued: whose folder it is, which pictures are still the same, and what one bad picture costs."""

import json
import os
from pathlib import Path

import pytest

from limner.api import predict_one
from limner.api.convert import convert
from limner.api.predict import predict
from limner.classical import METHODS
from limner.core.errors import DataError, MachineError, OutputError
from limner.core.files import MARKER
from limner.core.unforeseen import LOG
from tests.cli.call import limner
from tests.make_data import make_folder, picture, save


def row_of(manifest, number=0):
    return {**manifest["images"][number], "seconds": 0}


def contents(root):
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def replace_by(path, seed, *, size_hw=(40, 56), mtime_ns=None):
    """Another picture under the same name."""
    save(path, picture(seed, size_hw))
    if mtime_ns is not None:
        os.utime(path, ns=(mtime_ns, mtime_ns))


def test_the_folder_of_another_command_is_left_alone(tmp_path):
    make_folder(tmp_path / "data", count=2, classes=2)
    convert(tmp_path / "data", tmp_path / "converted")
    save(tmp_path / "in/images/p.00.png", picture(9))
    before = contents(tmp_path)
    assert f"converted/{MARKER}" in before
    with pytest.raises(OutputError, match="another command") as caught:
        predict("otsu", tmp_path / "in", out=tmp_path / "converted", resume=True)
    assert caught.value.where == str(tmp_path / "converted") and contents(tmp_path) == before


@pytest.mark.parametrize("damage", ["gone", "no json", "[]"])
def test_without_a_manifest_only_an_empty_folder_is_continued(tmp_path, damage):
    save(tmp_path / "in/a.png", picture(1))
    first = predict("otsu", tmp_path / "in", out=tmp_path / "out")
    manifest = tmp_path / "out/predictions.json"
    manifest.unlink() if damage == "gone" else manifest.write_text(damage)
    before = contents(tmp_path)
    with pytest.raises(OutputError, match=r"predictions\.json cannot be read"):
        predict("otsu", tmp_path / "in", out=tmp_path / "out", resume=True)
    assert contents(tmp_path) == before
    for path in list((tmp_path / "out").iterdir()):
        if path.name != MARKER:
            path.unlink()
    (tmp_path / "out/.unfinished/rows").mkdir(parents=True)
    assert row_of(predict("otsu", tmp_path / "in", out=tmp_path / "out", resume=True)) == row_of(first)


@pytest.mark.parametrize("stopped", [False, True])
@pytest.mark.parametrize("years", [-3, 0, 3])
def test_another_picture_under_the_name_is_done_again(tmp_path, monkeypatch, years, stopped):
    """Older or newer than the label map, or of the same second."""
    path = tmp_path / "in/a.png"
    replace_by(path, 1)
    save(tmp_path / "in/b.png", picture(2))
    out = tmp_path / "out"
    if stopped:
        with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
            stop_at(patched, "b.png")
            predict("otsu", tmp_path / "in", out=out)
    else:
        predict("otsu", tmp_path / "in", out=out)
    replace_by(path, 7, size_hw=(30, 20), mtime_ns=path.stat().st_mtime_ns + years * 365 * 86_400 * 10**9)
    again = predict("otsu", tmp_path / "in", out=out, resume=True)
    assert [row["size_hw"] for row in again["images"]] == [[30, 20], [40, 56]]
    fresh = predict("otsu", tmp_path / "in", out=tmp_path / "fresh")
    assert [row_of(again, i) for i in (0, 1)] == [row_of(fresh, i) for i in (0, 1)]
    assert (out / "a.png").read_bytes() == (tmp_path / "fresh/a.png").read_bytes()


def stop_at(patched, name):
    real = predict_one.read_image

    def read(path):
        if path.name == name:
            raise KeyboardInterrupt
        return real(path)

    patched.setattr(predict_one, "read_image", read)


def test_one_name_in_two_places_is_two_pictures(tmp_path, monkeypatch):
    replace_by(tmp_path / "one/in/a.png", 1, mtime_ns=10**18)
    replace_by(tmp_path / "two/in/a.png", 2, size_hw=(30, 20), mtime_ns=10**18)
    monkeypatch.chdir(tmp_path / "one")
    first = predict("otsu", "in", out=tmp_path / "out")
    assert first["images"][0]["source"] == {
        "path": str(tmp_path / "one/in/a.png"), "bytes": Path("in/a.png").stat().st_size, "mtime_ns": 10**18,
    }  # fmt: skip
    monkeypatch.chdir(tmp_path / "two")
    assert predict("otsu", "in", out=tmp_path / "out", resume=True)["images"][0]["size_hw"] == [30, 20]
    stamp = (tmp_path / "out/a.png").stat().st_mtime_ns
    by_path = predict("otsu", tmp_path / "two/in", out=tmp_path / "out", resume=True)  # the same file, named otherwise
    assert (tmp_path / "out/a.png").stat().st_mtime_ns == stamp
    assert by_path["images"][0]["input"] == str(tmp_path / "two/in/a.png")


def test_manifests_without_sources_are_still_understood(tmp_path):
    for name in "ab":
        replace_by(tmp_path / f"in/{name}.png", 1, mtime_ns=10**18)
    predict("otsu", tmp_path / "in", out=tmp_path / "out")
    manifest = tmp_path / "out/predictions.json"
    old = json.loads(manifest.read_text())
    for row in old["images"]:
        del row["source"]
    manifest.write_text(json.dumps(old))
    replace_by(tmp_path / "in/b.png", 2, size_hw=(30, 20))  # newer than its label map
    stamp = (tmp_path / "out/a.png").stat().st_mtime_ns
    again = predict("otsu", tmp_path / "in", out=tmp_path / "out", resume=True)
    assert (tmp_path / "out/a.png").stat().st_mtime_ns == stamp and again["images"][1]["size_hw"] == [30, 20]
    assert [row["source"]["path"] for row in again["images"]] == [str(tmp_path / f"in/{name}.png") for name in "ab"]


def test_a_picture_that_failed_in_between_is_done_again(tmp_path, monkeypatch):
    """The manifest knows the first file, the label map may be of the second one."""
    path = tmp_path / "in/a.png"
    replace_by(path, 1, mtime_ns=10**18)
    save(tmp_path / "in/b.png", picture(2))
    first = predict("otsu", tmp_path / "in", out=tmp_path / "out")
    path.write_bytes(b"no picture")
    save(tmp_path / "in/b.png", picture(3))
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        stop_at(patched, "b.png")
        predict("otsu", tmp_path / "in", out=tmp_path / "out", resume=True)
    (tmp_path / "out/a.png").write_bytes(b"of the second file")
    replace_by(path, 1, mtime_ns=10**18)
    save(tmp_path / "in/b.png", picture(2))
    assert row_of(predict("otsu", tmp_path / "in", out=tmp_path / "out", resume=True)) == row_of(first)
    assert (tmp_path / "out/a.png").read_bytes()[:4] == b"\x89PNG"


class Fragile:
    """Otsu, which trips over pictures one pixel wide."""

    def __init__(self, error):
        self.error, self.label_space, self.name = error, METHODS["otsu"].label_space, "fragile"

    def segment(self, sample):
        if sample.image.shape[1] == 1:
            raise self.error
        return METHODS["otsu"].segment(sample)


def fragile(monkeypatch, tmp_path, error):
    for name, width in (("a", 7), ("b", 1), ("c", 8)):
        save(tmp_path / f"in/{name}.png", picture(1, (9, width)))
    segmenter = Fragile(error)
    monkeypatch.setattr(
        predict_one, "open_model", lambda model, options: predict_one.Opened(segmenter, segmenter.label_space)
    )


@pytest.mark.parametrize(
    "error", [ValueError("negative strides"), RuntimeError("no kernel"), OSError("odd"), KeyError(3)]
)
def test_what_nobody_foresaw_is_an_error_of_one_picture(monkeypatch, tmp_path, error):
    fragile(monkeypatch, tmp_path, error)
    heard = []

    class Ear:
        def progress(self, stage, done, total, text=""):
            heard.append(done)

        def message(self, text):
            heard.append(text)

    manifest = predict("fragile", tmp_path / "in", out=tmp_path / "out", listener=Ear())
    told = manifest["images"][1]["error"]
    assert manifest["failed"] == 1 and [row.get("output") for row in manifest["images"]] == ["a.png", None, "c.png"]
    assert manifest["images"][1]["input"] == str(tmp_path / "in/b.png")
    assert told["kind"] == "WorkerFailed" and told["found"] == f"{type(error).__name__}: {error}"
    assert "test_predict_kept.py" in told["where"] and told["where"].endswith("segment") and told["fix"]
    assert heard[:3] == [1, 2, 3] and "b.png" in heard[3] and str(error) in heard[3]
    assert not (tmp_path / "out/.unfinished").exists()
    monkeypatch.undo()
    assert predict("otsu", tmp_path / "in/b.png", out=tmp_path / "alone")["failed"] == 0


@pytest.mark.parametrize("debug", [False, True])
def test_its_traceback_is_shown_when_asked_for(monkeypatch, tmp_path, debug):
    fragile(monkeypatch, tmp_path, ValueError("negative strides"))
    call = ["predict", "fragile", tmp_path / "in", "--out", tmp_path / "out", *(["--debug"] if debug else [])]
    outcome = limner(*call)
    assert outcome.code == 1 and "ValueError: negative strides" in outcome.err
    assert ("Traceback (most recent call last)" in outcome.err) == debug
    assert (", in segment\n" in outcome.err) == debug and not LOG.handlers


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3)])
def test_the_end_of_the_call_is_no_error_of_a_picture(monkeypatch, tmp_path, error):
    fragile(monkeypatch, tmp_path, error)
    with pytest.raises(type(error)):
        predict("fragile", tmp_path / "in", out=tmp_path / "out")
    assert (tmp_path / "out/.unfinished").exists() and not (tmp_path / "out/predictions.json").exists()


def test_memory_and_known_errors_keep_their_kinds(monkeypatch, tmp_path):
    for error, kind in ((MemoryError(), "MachineError"), (DataError("odd", fix="mend it"), "DataError")):
        fragile(monkeypatch, tmp_path, error)
        manifest = predict("fragile", tmp_path / "in", out=tmp_path / "out", overwrite=True)
        assert manifest["failed"] == 1 and manifest["images"][1]["error"]["kind"] == kind


def test_a_full_disk_ends_the_call(monkeypatch, tmp_path):
    fragile(monkeypatch, tmp_path, ValueError("never met"))

    def full(self, target, row):
        raise MachineError("no space left")

    monkeypatch.setattr(predict_one.Kept, "keep", full)
    with pytest.raises(MachineError, match="no space"):
        predict("fragile", tmp_path / "in", out=tmp_path / "out")


def test_a_listener_may_end_the_call_inside_a_picture(monkeypatch, tmp_path):
    fragile(monkeypatch, tmp_path, ValueError("never met"))
    whole = predict_one.Worker._row

    def speaks(self, job, progress):
        progress(0.5)
        return whole(self, job, progress)

    class Cancelled(Exception):
        pass

    class Ear:
        def progress(self, *_):
            raise Cancelled

        def message(self, text):
            pass

    monkeypatch.setattr(predict_one.Worker, "_row", speaks)
    with pytest.raises(Cancelled):
        predict("fragile", tmp_path / "in", out=tmp_path / "out", listener=Ear())
