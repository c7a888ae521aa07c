"""Huge pictures through the verb: by windows, in bands, continued after a kill; with a network of a few lines and low limits."""

import json
import os
import pickle
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from limner.api import predict as verb
from limner.api import predict_huge, predict_one, ruled_rows
from limner.api.predict import predict
from limner.core.bundle import Bundle, InputContract
from limner.core.errors import OutputError, UsageError
from limner.core.files import write_json
from limner.core.labels import LabelSpace
from limner.core.postprocess import Rules
from limner.data import label_tiff
from limner.inference import blend, capacity, segmenter
from limner.inference.postprocess import RuledSegmenter, apply_rules
from limner.inference.segmenter import NetworkSegmenter
from limner.inference.source import ArraySource
from tests.make_data import picture, save

SIZE = (1300, 300)
CONTRACT = InputContract(
    channels=3, scale=0.832, normalization="percentile", intensity_range=(0.0, 255.0), tile=200, overlap=0.25, flips="x",
    threshold=0.5,
)  # fmt: skip
SPACE = LabelSpace(("background", "cell"))


class Net:
    """Foreground where a pixel is brighter than its row; may end the process at its n-th call."""

    calls, last = 0, 10**9
    name = "none"

    def __call__(self, batch):
        Net.calls += 1
        if Net.calls > Net.last:
            os.kill(os.getpid(), signal.SIGKILL)
        gray = batch.mean(1, keepdims=True)
        return 9 * (gray - gray.mean(3, keepdims=True)).astype(np.float32)


def fake(monkeypatch, folder, *, rules=None, setattr_=None, **contract):
    """A model folder whose network is `Net`, and limits that make `SIZE` huge."""
    put = setattr_ or monkeypatch.setattr
    (folder / "run/model").mkdir(parents=True, exist_ok=True)
    write_json(folder / "run/model/bundle.json", {"tiny": True})

    def open_segmenter(model, *, tile=None, keep_scores=False, runtime="auto", tta=False):
        import dataclasses

        used = dataclasses.replace(CONTRACT, **contract, **({"tile": tile} if tile else {}))
        network = NetworkSegmenter(Net(), used, SPACE, 3, keep_scores)
        bundle = Bundle(Path(model), "unet", {"channels": 3}, SPACE, used)
        return (RuledSegmenter(network, rules) if rules else network), bundle

    put(predict_one, "open_segmenter", open_segmenter)
    put(predict_one, "PREPARED_PIXELS", 20_000)
    for module in (predict_one, predict_huge, label_tiff):
        put(module, "LARGE_PIXELS", 30_000)
    put(blend, "CHUNK_BYTES", 4 * SIZE[1] * 9)
    put(capacity, "BATCH_PIXELS", 0)
    return folder / "run"


def tiff(path, size=SIZE):
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, picture(3, size), photometric="rgb", compression="lzw", tile=(32, 48))
    return path


def labels_of(path):
    with Image.open(path) as file:
        return np.array(file)


def test_a_huge_picture_has_the_labels_of_a_small_one(monkeypatch, tmp_path):
    path = tiff(tmp_path / "in/big.tif")
    heard = []

    class Ear:
        def progress(self, stage, done, total, text=""):
            heard.append((done, total, text))

        def message(self, text):
            heard.append(text)

    run = fake(monkeypatch, tmp_path)
    manifest = predict(run, [path], out=tmp_path / "out", overlay=True, listener=Ear())
    row = manifest["images"][0]
    assert (
        row["output"] == "big.tif"
        and row["size_hw"] == list(SIZE)
        and manifest["failed"] == 0
        and manifest["runtime"] == "none"
    )
    found = labels_of(tmp_path / "out/big.tif")
    assert row["classes"] == {"background": int((found == 0).sum()), "cell": int((found == 1).sum())}
    monkeypatch.setattr(predict_one, "PREPARED_PIXELS", 10**9)
    predict(run, [path], out=tmp_path / "whole", overlay=True)
    assert (labels_of(tmp_path / "whole/big.tif") != found).mean() < 1e-3 and 0.2 < found.mean() < 0.8
    shares = [done for done, total, text in (entry for entry in heard if len(entry) == 3)]
    assert shares == sorted(shares) and len(set(shares)) > 10 and shares[-1] == 1 and "of big.tif" in heard[0][2]
    written = {p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*") if p.is_file()}
    assert written == {"big.tif", "overlays/big.png", "predictions.json", ".limner-output"}
    assert json.loads((tmp_path / "out/predictions.json").read_text()) == manifest


def test_overlays_of_huge_pictures_are_reduced(monkeypatch, tmp_path):
    run = fake(monkeypatch, tmp_path)
    monkeypatch.setattr(predict_huge, "OVERLAY_SIDE", 60)
    predict(run, [tiff(tmp_path / "in/big.tif")], out=tmp_path / "out", overlay=True)
    drawn = labels_of(tmp_path / "out/overlays/big.png")
    assert drawn.shape == (60, 14, 3)  # blocks of 22
    small = labels_of(tmp_path / "out/big.tif")[::22, ::22]
    plain = np.array(Image.fromarray(picture(3, SIZE)).resize((14, 60), Image.Resampling.BOX)).astype(int)
    assert np.abs(drawn.astype(int) - plain)[small == 0].mean() < np.abs(drawn.astype(int) - plain)[small == 1].mean()


@pytest.mark.parametrize("channels", [5, 7])
def test_pictures_of_many_channels_have_reduced_overlays(monkeypatch, channels):
    monkeypatch.setattr(predict_huge, "OVERLAY_SIDE", 60)
    image = np.repeat(picture(3, SIZE)[..., :1], channels, axis=2)
    ids = np.zeros(SIZE, np.uint8)

    class Rows:
        def read(self, start, stop):
            return ids[start:stop]

    drawn = predict_huge._reduced_overlay(ArraySource(image), Rows(), SPACE)
    expected = Image.fromarray(image[..., 0]).resize((14, 60), Image.Resampling.BOX)
    assert drawn.shape == (60, 14, 3) and np.ptp(expected) > 60
    assert np.abs(drawn.astype(int) - np.array(expected)[..., None]).max() <= 4


KILLED = """
    import sys
    from pathlib import Path
    from tests.api import test_predict_huge as t
    from limner.api.predict import predict
    folder, t.Net.last = Path(sys.argv[1]), int(sys.argv[2])
    predict(t.fake(None, folder, setattr_=setattr), [folder / "in"], out=folder / "out", overlay=True)
"""


def test_a_killed_call_goes_on_and_ends_alike(monkeypatch, tmp_path):
    run = fake(monkeypatch, tmp_path)
    save(tmp_path / "in/a.png", picture(1, (40, 56)))
    tiff(tmp_path / "in/big.tif")
    save(tmp_path / "in/z.png", picture(2, (40, 56)))
    monkeypatch.setattr(Net, "calls", 0)
    expected = predict(run, [tmp_path / "in"], out=tmp_path / "whole", overlay=True)
    calls = Net.calls
    words = [sys.executable, "-c", textwrap.dedent(KILLED), str(tmp_path), str(calls * 2 // 3)]
    path = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    killed = subprocess.run(words, capture_output=True, text=True, check=False, env=path)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    out = tmp_path / "out"
    first = (out / "a.png").stat().st_mtime_ns
    assert (
        list(out.rglob("journal.json")) and not (out / "big.tif").exists() and not (out / "predictions.json").exists()
    )
    Net.calls = 0
    found = predict(run, [tmp_path / "in"], out=out, overlay=True, resume=True)
    assert (out / "a.png").stat().st_mtime_ns == first  # it was not done again
    assert Net.calls < calls * 2 // 3  # nor was the upper part of the huge one
    names = {path.relative_to(tmp_path / "whole") for path in (tmp_path / "whole").rglob("*") if path.is_file()}
    assert names == {path.relative_to(out) for path in out.rglob("*") if path.is_file()}
    for name in names - {Path("predictions.json")}:
        assert (out / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    for row, other in zip(found["images"], expected["images"], strict=True):
        assert {**row, "seconds": 0} == {**other, "seconds": 0}


def test_resume_keeps_what_is_there_and_refuses_what_is_not_its_own(monkeypatch, tmp_path):
    run = fake(monkeypatch, tmp_path)
    save(tmp_path / "in/a.png", picture(1, (40, 56)))
    (tmp_path / "in/bad.png").write_bytes(b"no picture")
    first = predict(run, [tmp_path / "in"], out=tmp_path / "out", resume=True)  # begins
    assert first["failed"] == 1
    stamp = (tmp_path / "out/a.png").stat().st_mtime_ns
    save(tmp_path / "in/bad.png", picture(2, (40, 56)))
    save(tmp_path / "in/c.png", picture(3, (40, 56)))
    second = predict(run, [tmp_path / "in"], out=tmp_path / "out", resume=True)
    assert second["failed"] == 0 and [row["output"] for row in second["images"]] == ["a.png", "bad.png", "c.png"]
    assert second["images"][0] == first["images"][0] and (tmp_path / "out/a.png").stat().st_mtime_ns == stamp
    (tmp_path / "out/a.png").unlink()
    save(tmp_path / "in/c.png", picture(3, (30, 20)))  # written after its label map
    third = predict(run, [tmp_path / "in"], out=tmp_path / "out", resume=True)
    assert (tmp_path / "out/a.png").exists() and third["images"][2]["size_hw"] == [30, 20]
    (tmp_path / "out/.unfinished").mkdir()  # a call that ended before it began
    assert predict(run, [tmp_path / "in"], out=tmp_path / "out", resume=True)["images"] == third["images"]
    with pytest.raises(OutputError, match="tile differ"):
        predict(run, [tmp_path / "in"], out=tmp_path / "out", resume=True, tile=48)
    write_json(tmp_path / "run/model/bundle.json", {"tiny": False})
    with pytest.raises(OutputError, match="model_sha256 differ"):
        predict(run, [tmp_path / "in"], out=tmp_path / "out", resume=True)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("work")
    with pytest.raises(OutputError):
        predict(run, [tmp_path / "in"], out=tmp_path / "mine", resume=True)
    for words in ({"resume": True, "overwrite": True}, {"engine": "spark"}):
        with pytest.raises(UsageError):
            predict(run, [tmp_path / "in"], out=tmp_path / "new", **words)
    assert not (tmp_path / "new").exists() and (tmp_path / "mine/thesis.txt").exists()


def test_a_picture_that_changed_is_done_again(monkeypatch, tmp_path):
    run = fake(monkeypatch, tmp_path)
    save(tmp_path / "in/a.png", picture(1, (40, 56)))
    save(tmp_path / "in/b.png", picture(2, (40, 56)))
    whole = verb.Worker.__call__

    def stops(self, job, progress=lambda _: None):
        if job.target == "b":
            raise KeyboardInterrupt
        return whole(self, job, progress)

    monkeypatch.setattr(verb.Worker, "__call__", stops)
    with pytest.raises(KeyboardInterrupt):
        predict(run, [tmp_path / "in"], out=tmp_path / "out")
    assert not (tmp_path / "out/predictions.json").exists()
    monkeypatch.setattr(verb.Worker, "__call__", whole)
    save(tmp_path / "in/a.png", picture(7, (30, 20)))
    again = predict(run, [tmp_path / "in"], out=tmp_path / "out", resume=True)
    assert [row["size_hw"] for row in again["images"]] == [[30, 20], [40, 56]]


def test_scores_of_huge_pictures_are_refused_by_name(monkeypatch, tmp_path):
    run = fake(monkeypatch, tmp_path)
    tiff(tmp_path / "in/big.tif")
    tiff(tmp_path / "in/middle.tif", (120, 200))
    found = predict(run, [tmp_path / "in"], out=tmp_path / "out", scores=True, uncertainty=True)
    big, middle = found["images"]
    assert "megapixels" in big["error"]["found"] and big["error"]["fix"] and middle["output"] == "middle.png"
    assert np.load(tmp_path / "out/scores/middle.npy").shape == (1, 120, 200)
    unsure = labels_of(tmp_path / "out/uncertainty/middle.png")
    assert unsure.shape == (120, 200) and unsure.dtype == np.uint8 and unsure.max() > 200 and unsure.std() > 1


def test_what_was_done_otherwise_is_said(monkeypatch, tmp_path):
    rules = Rules(smallest=(0, 5), holes=(0, 0), largest=(False, False))
    run = fake(monkeypatch, tmp_path, rules=rules, tile=0)
    monkeypatch.setattr(capacity, "WHOLE_PIXELS", 100)
    monkeypatch.setattr(capacity, "DEFAULT_TILE", 128)
    monkeypatch.setattr(capacity, "SMALLEST_TILE", 64)
    monkeypatch.setattr(capacity, "free_memory", lambda: 170_000_000)
    said = predict(run, [tiff(tmp_path / "in/big.tif")], out=tmp_path / "out")["images"][0]["warnings"]
    assert any("rules for small objects" in line for line in said) and any("tiles of 64" in line for line in said)


def test_what_is_asked_besides_changes_no_label(monkeypatch, tmp_path):
    """With rules, by bands, and in memory as scores need it."""
    rules = Rules(smallest=(0, 30), holes=(0, 9), largest=(False, False))
    path = tiff(tmp_path / "in/big.tif")
    run = fake(monkeypatch, tmp_path, rules=rules)
    for module in (predict_one, predict_huge):
        monkeypatch.setattr(module, "LARGE_PIXELS", 10**8)
    monkeypatch.setattr(segmenter, "PREPARED_PIXELS", 20_000)
    row = predict(run, [path], out=tmp_path / "bands", overlay=True)["images"][0]
    other = predict(run, [path], out=tmp_path / "whole", scores=True)["images"][0]
    assert "warnings" not in row and {**row, "seconds": 0} == {**other, "seconds": 0}
    assert (tmp_path / "bands/big.png").read_bytes() == (tmp_path / "whole/big.png").read_bytes()
    monkeypatch.setattr(ruled_rows, "free_memory", lambda: 10**6)
    short = predict(run, [path], out=tmp_path / "short")["images"][0]
    assert any("rules for small objects" in line for line in short["warnings"])
    plain = labels_of(tmp_path / "short/big.png")
    labels = apply_rules(plain, rules, SPACE)
    assert np.array_equal(labels_of(tmp_path / "bands/big.png"), labels) and not np.array_equal(labels, plain)
    assert row["classes"] == {"background": int((labels == 0).sum()), "cell": int((labels == 1).sum())}


def test_a_worker_can_be_pickled_and_a_job_done_twice(monkeypatch, tmp_path):
    run = fake(monkeypatch, tmp_path)
    monkeypatch.chdir(tmp_path)
    save(tmp_path / "in/a.png", picture(1, (40, 56)))
    kept = verb.Kept(tmp_path / "out")
    kept.prepare({}, resume=False, overwrite=False)
    worker = verb.Worker(run, tmp_path / "out", verb.Options(), base=tmp_path, kept=kept)
    job = verb.Job(Path("in/a.png"), "a")
    first = worker(job)
    before = (tmp_path / "out/a.png").read_bytes()
    monkeypatch.chdir("/")
    again = pickle.loads(pickle.dumps(worker))(pickle.loads(pickle.dumps(job)))
    assert {**first, "seconds": 0} == {**again, "seconds": 0} and first["input"] == "in/a.png"
    assert (tmp_path / "out/a.png").read_bytes() == before


def test_memory_that_runs_out_on_one_picture_is_its_error_alone(monkeypatch, tmp_path):
    run = fake(monkeypatch, tmp_path)
    save(tmp_path / "in/a.png", picture(1, (40, 56)))
    save(tmp_path / "in/b.png", picture(1, (41, 56)))

    real = predict_one.read_image

    def read(path):
        if path.name == "b.png":
            raise MemoryError
        return real(path)

    monkeypatch.setattr(predict_one, "read_image", read)
    found = predict(run, [tmp_path / "in"], out=tmp_path / "out")
    assert found["failed"] == 1 and "memory ran out on b.png" in found["images"][1]["error"]["found"]


def test_zarr_folders_are_pictures_and_what_lies_in_them_is_not(monkeypatch, tmp_path):
    zarr = pytest.importorskip("zarr")
    run = fake(monkeypatch, tmp_path)
    pixels = picture(3, (160, 150))
    group = zarr.open_group(str(tmp_path / "in/deep/slide.zarr"), mode="w")
    group.create_array("0", shape=(3, 160, 150), dtype=np.uint8, chunks=(1, 64, 64))[...] = pixels.transpose(2, 0, 1)
    told = {"axes": [{"name": a} for a in "cyx"], "datasets": [{"path": "0"}]}
    group.attrs["ome"] = {"multiscales": [told]}
    save(tmp_path / "in/deep/slide.zarr/thumbnail.png", picture(1, (5, 7)))
    save(tmp_path / "in/a.png", pixels)
    rows = predict(run, [tmp_path / "in"], out=tmp_path / "out")["images"]
    assert [row.get("output") for row in rows] == ["a.png", "deep/slide.png"], rows
    by_name = predict(run, [tmp_path / "in/deep/slide.zarr"], out=tmp_path / "one")["images"]
    assert [row["output"] for row in by_name] == ["slide.png"] and by_name[0]["size_hw"] == [160, 150]
    assert (labels_of(tmp_path / "out/a.png") == labels_of(tmp_path / "one/slide.png")).all()
