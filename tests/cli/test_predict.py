"""What predict does with many files: good and bad ones, equal stems, folders in folders, patterns, models it cannot open."""

import json

import numpy as np
import pytest
import tifffile
from PIL import Image

from tests.api import tiny
from tests.cli.call import limner, refused
from tests.make_data import picture, save


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    tiny.make_data(folder / "data", count=6)
    done = limner("train", folder / "data", "--out", folder / "run", *tiny.words(schedule__epochs=1))
    assert done.code == 0, done.err
    return folder / "run" / "model"


def written(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*.png")}


def test_a_broken_file_does_not_stop_the_others(model, tmp_path):
    for i in range(3):
        save(tmp_path / f"in/{i}.png", picture(i))
    (tmp_path / "in/1.png").write_bytes((tmp_path / "in/1.png").read_bytes()[:300])
    five = picture(9, channels=5)
    tifffile.imwrite(tmp_path / "in/many.tif", five, photometric="minisblack", planarconfig="contig")
    done = limner("predict", model, tmp_path / "in", "--out", tmp_path / "out", "--json")
    assert done.code == 1 and "Traceback" not in done.err and written(tmp_path / "out") == {"0.png", "2.png"}
    listed = json.loads((tmp_path / "out/predictions.json").read_text())
    assert listed["failed"] == 2 and done.document["images"] == listed["images"]
    failed = {row["input"]: row["error"] for row in listed["images"] if "error" in row}
    assert set(failed) == {str(tmp_path / "in/1.png"), str(tmp_path / "in/many.tif")}
    assert "5 channels" in failed[str(tmp_path / "in/many.tif")]["found"] and all(e["fix"] for e in failed.values())
    assert done.document["error"]["found"] and "1.png" in done.err
    text = limner("predict", model, tmp_path / "in", "--out", tmp_path / "out", "--overwrite")
    assert text.code == 1 and "2 pictures failed" in text.out


def test_equal_stems_keep_their_suffix(model, tmp_path):
    save(tmp_path / "in/a.png", picture(1))
    save(tmp_path / "in/a.bmp", picture(2))
    save(tmp_path / "in/b.png", picture(3))
    assert limner("predict", model, tmp_path / "in", "--out", tmp_path / "out").code == 0
    assert written(tmp_path / "out") == {"a.png.png", "a.bmp.png", "b.png"}


def test_folders_in_folders_keep_their_places(model, tmp_path):
    save(tmp_path / "in/a.png", picture(1))
    save(tmp_path / "in/deep/er/a.png", picture(2, (20, 30)))
    done = limner("predict", model, tmp_path / "in", "--out", tmp_path / "out", "--overlay", "--json")
    assert written(tmp_path / "out") == {"a.png", "deep/er/a.png", "overlays/a.png", "overlays/deep/er/a.png"}
    assert {row["output"]: row["size_hw"] for row in done.document["images"]} == {
        "a.png": [40, 56],
        "deep/er/a.png": [20, 30],
    }


def test_patterns_and_files(model, tmp_path):
    for name in ("x1.png", "x2.png", "y1.png", "note.txt"):
        save(tmp_path / f"in/{name}", picture(1)) if name != "note.txt" else (tmp_path / "in/note.txt").write_text(
            "no picture"
        )
    assert limner("predict", model, f"{tmp_path}/in/x*.png", "--out", tmp_path / "out").code == 0
    assert written(tmp_path / "out") == {"x1.png", "x2.png"}
    both = limner(
        "predict",
        model,
        f"{tmp_path}/in/x*.png",
        tmp_path / "in/x1.png",
        tmp_path / "in/y1.png",
        "--out",
        tmp_path / "two",
    )
    assert both.code == 0 and written(tmp_path / "two") == {"x1.png", "x2.png", "y1.png"}


def test_two_folders_with_one_name_are_refused_before_anything_is_written(model, tmp_path):
    save(tmp_path / "a/x.png", picture(1))
    save(tmp_path / "b/x.png", picture(2))
    text = refused(limner("predict", model, tmp_path / "a", tmp_path / "b", "--out", tmp_path / "out"))
    assert "x.png" in text and "common parent" in text and not (tmp_path / "out").exists()


def test_inputs_that_are_not_there(model, tmp_path):
    (tmp_path / "empty").mkdir()
    assert "nothing found at" in refused(limner("predict", model, tmp_path / "no.png", "--out", tmp_path / "out"))
    assert "no pictures" in refused(limner("predict", model, tmp_path / "empty", "--out", tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_gray_deep_and_transparent_pictures_into_a_colour_network(model, tmp_path):
    save(tmp_path / "in/gray.png", picture(1, channels=1))
    save(tmp_path / "in/alpha.png", np.dstack([picture(2), np.full((40, 56), 200, np.uint8)]))
    Image.fromarray(picture(3, channels=1, dtype="uint16")[..., 0]).save(tmp_path / "in/deep.png")
    done = limner("predict", model, tmp_path / "in", "--out", tmp_path / "out", "--json")
    assert done.code == 0, done.document
    assert {tuple(row["size_hw"]) for row in done.document["images"]} == {(40, 56)}


def test_tiles_cover_and_agree_nearly(model, tmp_path):
    save(tmp_path / "in/a.png", picture(1, (250, 300)))
    for name, words in (("whole", []), ("tiled", ["--tile", "48"])):
        done = limner("predict", model, tmp_path / "in", "--out", tmp_path / name, "--scores", *words)
        assert done.code == 0, done.err
    whole, tiled = (np.load(tmp_path / name / "scores/a.npy").astype(float) for name in ("whole", "tiled"))
    assert whole.shape == tiled.shape == (1, 250, 300) and np.isfinite(tiled).all()
    assert np.abs(whole - tiled).max() > 0 and np.abs(whole - tiled).mean() < 0.1
    assert limner("predict", model, tmp_path / "in", "--out", tmp_path / "no", "--tile", "8").code == 2


def edit(bundle, change):
    file = bundle / "bundle.json"
    tree = json.loads(file.read_text())
    change(tree)
    file.write_text(json.dumps(tree))


def newer(bundle):
    edit(bundle, lambda tree: tree.update(format_version=99))


def broken(bundle):
    (bundle / "bundle.json").write_text('{"format_version": 1,')


def incomplete(bundle):
    edit(bundle, lambda tree: tree.pop("classes"))


def changed(bundle):
    path = bundle / "weights.safetensors"
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)


def missing(bundle):
    (bundle / "weights.safetensors").unlink()


def other(bundle):
    edit(bundle, lambda tree: tree["arguments"].update(decoder_widths=[16, 8, 8]))


def unknown(bundle):
    edit(bundle, lambda tree: tree.update(architecture="unets"))


DAMAGE = {newer: "version 99", broken: "cannot be read", incomplete: "classes", changed: "changed", missing: "missing",
          other: "do not fit", unknown: "'unets'"}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda f: f.__name__)
def test_models_that_cannot_be_opened(model, tmp_path, damage):
    import shutil

    shutil.copytree(model, tmp_path / "bundle")
    damage(tmp_path / "bundle")
    save(tmp_path / "in/a.png", picture(1))
    outcome = limner("predict", tmp_path / "bundle", tmp_path / "in", "--out", tmp_path / "out", "--json")
    text = refused(outcome)
    assert DAMAGE[damage] in text and outcome.document["error"]["found"] and not (tmp_path / "out").exists()


def test_a_model_that_is_not_there_and_an_output_that_is(model, tmp_path):
    save(tmp_path / "in/a.png", picture(1))
    text = refused(limner("predict", tmp_path / "nowhere", tmp_path / "in", "--out", tmp_path / "out"))
    assert "no model at" in text and "limner train" in text
    assert limner("predict", model, tmp_path / "in", "--out", tmp_path / "out").code == 0
    assert "--overwrite" in refused(limner("predict", model, tmp_path / "in", "--out", tmp_path / "out"))
    assert limner("predict", model, tmp_path / "in", "--out", tmp_path / "out", "--overwrite").code == 0
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("work")
    refused(limner("predict", model, tmp_path / "in", "--out", tmp_path / "mine", "--overwrite"))
    assert (tmp_path / "mine/thesis.txt").exists()


def test_a_call_is_continued_and_says_so(model, tmp_path):
    save(tmp_path / "in/a.png", picture(1))
    first = limner("predict", model, tmp_path / "in", "--out", tmp_path / "out", "--resume", "--json")
    assert first.code == 0 and first.document["failed"] == 0  # there was nothing to continue
    save(tmp_path / "in/b.png", picture(2))
    second = limner("predict", model, tmp_path / "in", "--out", tmp_path / "out", "--resume", "--json")
    assert second.code == 0 and "1 of 2 pictures are finished already" in second.err
    assert second.document["images"][0] == first.document["images"][0] and written(tmp_path / "out") == {
        "a.png",
        "b.png",
    }
    text = refused(limner("predict", model, tmp_path / "in", "--out", tmp_path / "out", "--resume", "--overlay"))
    assert "overlay differ" in text and "--overwrite" in text
    both = limner("predict", model, tmp_path / "in", "--out", tmp_path / "out", "--resume", "--overwrite")
    assert both.code == 2 and "--resume" in both.err


def test_uncertainty_mirrored_copies_and_the_runtime(model, tmp_path):
    save(tmp_path / "in/a.png", picture(1))
    words = ("predict", model, tmp_path / "in", "--out", tmp_path / "out", "--runtime", "torch", "--json")
    done = limner(*words, "--uncertainty", "--tta")
    assert done.code == 0 and done.document["runtime"] == "torch", done.err
    with Image.open(tmp_path / "out/uncertainty/a.png") as file:
        assert file.size == (56, 40) and file.mode == "L"
    assert limner(*words[:-3], "--runtime", "abacus", "--overwrite").code == 2
    assert limner(*words, "--ensemble", "--overwrite").code == 2  # one model has no folds
    for option in ("--tta", "--ensemble", "--uncertainty"):
        text = limner("predict", "otsu", tmp_path / "in", "--out", tmp_path / "otsu", option)
        assert text.code == 2 and "otsu" in text.err and not (tmp_path / "otsu").exists()
