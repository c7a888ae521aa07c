"""What predict takes for its inputs: one or many, never its own answers, and never two results in one file."""

import json
import os
import shutil
from pathlib import Path

import pytest

from limner.api import predict as verb
from limner.api.predict import predict
from limner.api.predict_inputs import find_inputs
from limner.core.bundle import Bundle, InputContract
from limner.core.errors import BundleError, DataError, OutputError, UsageError
from limner.core.files import MARKER, write_json
from limner.core.labels import LabelSpace
from limner.core.object_head import ObjectHead
from tests.make_data import picture, save


class Ear:
    def __init__(self):
        self.messages = []

    def progress(self, *_):
        pass

    def message(self, text):
        self.messages.append(text)


def tree(root, *names):
    for number, name in enumerate(names):
        save(root / name, picture(number, (9, 7)))
    return root


def contents(root):
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def names(found, root):
    return [picture.relative_to(root).as_posix() for picture, _ in found.pictures]


@pytest.mark.parametrize("kind", [str, Path, lambda path: [path], lambda path: iter([str(path)])])
def test_one_input_need_not_be_in_a_list(tmp_path, monkeypatch, kind):
    tree(tmp_path / "in", "a.png", "deep/b.png")
    monkeypatch.chdir(
        tree(tmp_path / "elsewhere", "n.png")
    )  # a name taken letter by letter would lead here or to the root
    manifest = predict("otsu", kind(tmp_path / "in"), out=tmp_path / "out")
    assert [row["output"] for row in manifest["images"]] == ["a.png", "deep/b.png"]


def test_a_pattern_alone(tmp_path):
    tree(tmp_path / "in", "a.png", "b.png", "c.bmp")
    assert len(predict("otsu", f"{tmp_path}/in/*.png", out=tmp_path / "out")["images"]) == 2


@pytest.mark.parametrize("again", [{"resume": True}, {"overwrite": True}])
@pytest.mark.parametrize("out", ["in/out", "in/deep/er/out"])
def test_answers_among_the_pictures_are_no_pictures(tmp_path, out, again):
    tree(tmp_path / "in", "a.png", "deep/b.png")
    first = predict("otsu", tmp_path / "in", out=tmp_path / out, overlay=True)
    ear = Ear()
    second = predict("otsu", tmp_path / "in", out=tmp_path / out, overlay=True, listener=ear, **again)
    rows = [[{**row, "seconds": 0} for row in manifest["images"]] for manifest in (first, second)]
    assert rows[0] == rows[1] and len(rows[0]) == 2
    assert [message for message in ear.messages if "not searched" in message] == [
        f"{tmp_path / out} was not searched: it is for predictions"
    ]
    third = predict("otsu", tmp_path / "in", out=tmp_path / "beside", overlay=True)
    assert [row["input"] for row in third["images"]] == [row["input"] for row in first["images"]]


def test_which_folders_are_searched(tmp_path):
    root = tree(tmp_path, "a.png", "done/b.png", "begun/c.png", "run/d.png", "mine/e.png", "new/f.png")
    for name in ("done", "begun", "run"):
        (root / name / MARKER).touch()
    (root / "done/predictions.json").write_text("{}")
    (root / "mine/predictions.json").write_text("{}")  # of another program
    (root / "begun/.unfinished").mkdir()
    found = find_inputs(root, out=root / "new")
    assert names(found, root) == ["a.png", "mine/e.png", "run/d.png"]
    assert sorted(path.name for path in found.skipped) == ["begun", "done", "new"]
    assert names(find_inputs([str(root / "**/*.png")], out=root / "new"), root) == names(found, root)
    assert names(find_inputs([f"{root}/*"], out=root / "no"), root) == ["a.png", "mine/e.png", "new/f.png", "run/d.png"]
    for named in (root / "done", root / "done/b.png", f"{root}/done/*.png"):  # by name it is meant
        assert names(find_inputs(named, out=root / "no"), root) == ["done/b.png"]
    shutil.rmtree(root / "mine")
    with pytest.raises(DataError, match="nothing found"):
        find_inputs(f"{root}/done*", out=root / "no")


def test_a_folder_of_nothing_but_predictions_says_so(tmp_path):
    tree(tmp_path / "in", "a.png")
    predict("otsu", tmp_path / "in/a.png", out=tmp_path / "results/out")
    with pytest.raises(DataError, match="no pictures") as caught:
        predict("otsu", tmp_path / "results", out=tmp_path / "new")
    assert str(tmp_path / "results/out") in caught.value.fix


def test_links_and_hidden_files(tmp_path):
    root = tree(tmp_path / "in", "a.png", ".b.png", "deep/c.png")
    (root / "d.png").symlink_to(root / "a.png")
    (root / "e.png").symlink_to("nowhere")
    (root / "loop").symlink_to(root)
    found = find_inputs(root, out=tmp_path / "out")
    assert names(found, root) == ["a.png", "d.png", "deep/c.png"] and found.read == (root, root / "d.png")


@pytest.mark.parametrize("words", [{"overwrite": True}, {"resume": True}, {}])
@pytest.mark.parametrize(
    ("model", "inputs"),
    [
        ("otsu", ["home/a.png"]),
        ("otsu", ["in", "home"]),
        ("otsu", ["home/deep"]),
        ("otsu", ["links"]),
        ("home", ["in"]),
        ("home/model", ["in"]),
        ("folds", ["in"]),
    ],
)
def test_neither_model_nor_pictures_are_replaced(tmp_path, monkeypatch, words, model, inputs):
    monkeypatch.chdir(tmp_path)
    tree(tmp_path, "home/a.png", "home/deep/b.png", "in/c.png", "links/d.png")
    (tmp_path / "links/e.png").symlink_to(tmp_path / "home/a.png")
    for folder in ("home/model", "folds/model"):
        write_json(tmp_path / folder / "bundle.json", {"tiny": True})
    (tmp_path / "folds/fold2").symlink_to(tmp_path / "home")
    (tmp_path / "home" / MARKER).touch()
    before = contents(tmp_path)
    with pytest.raises(OutputError, match="this call reads"):
        predict(model, inputs, out="home", **words)
    assert contents(tmp_path) == before


def test_an_output_inside_a_run_or_among_the_pictures_is_allowed(tmp_path):
    tree(tmp_path / "in", "a.png")
    write_json(tmp_path / "run/model/bundle.json", {"tiny": True})
    for out in ("run/predictions", "in/out"):
        with pytest.raises(BundleError):  # it went on to open the model
            predict(tmp_path / "run", tmp_path / "in", out=tmp_path / out)
        assert not (tmp_path / out).exists()


def bundle(kind):
    space = LabelSpace(("background", "cell"), things=("cell",))
    contract = InputContract(
        channels=3, scale=1.0, normalization="percentile", intensity_range=(0.0, 255.0), tile=64, overlap=0.25, flips="",
        threshold=0.5, objects=ObjectHead("components", "components", 20.0) if kind == "objects" else None,
    )  # fmt: skip
    return Bundle(Path("model"), "unet", {"channels": 3}, space, contract)


@pytest.mark.parametrize(
    ("side", "asked", "refused"),
    [
        ("overlays", {"overlay": True}, True),
        ("overlays", {}, False),
        ("scores", {"scores": True}, False),  # arrays: another suffix
        ("uncertainty", {"uncertainty": True}, True),
        ("instances", {"kind": "objects"}, True),
        ("instances", {"kind": "classes"}, False),
        (".unfinished", {}, True),
    ],
)
def test_no_two_results_in_one_file(tmp_path, side, asked, refused):
    tree(tmp_path, "a.png", f"{side}/a.png", f"{side}/deep/b.png", "other/a.png")
    jobs = verb.plan_outputs(find_inputs(tmp_path, out=tmp_path / "out").pictures)
    kind = asked.get("kind")
    opened = verb.Opened(None, LabelSpace(("background", "cell")), bundle=bundle(kind) if kind else None)
    sides = verb._sides(verb.Options(**{name: value for name, value in asked.items() if name != "kind"}), opened)
    if not refused:
        return verb.refuse_shared(jobs, sides)
    with pytest.raises(DataError, match=r"would both be .*\.png") as caught:
        verb.refuse_shared(jobs, sides)
    told = caught.value.found
    assert str(tmp_path / side) in told and f"{side}/" in told and side in caught.value.fix
    assert side == ".unfinished" or str(tmp_path / "a.png") in told


def test_shared_files_are_refused_before_anything_is_written(tmp_path):
    tree(tmp_path / "in", "a.png", "overlays/a.png")
    with pytest.raises(DataError, match=r"overlays/a\.png"):
        predict("otsu", tmp_path / "in", out=tmp_path / "out", overlay=True)
    assert not (tmp_path / "out").exists()
    assert predict("otsu", tmp_path / "in", out=tmp_path / "out")["failed"] == 0


def test_options_are_judged_by_their_own_names(tmp_path):
    tree(tmp_path / "in", "a.png")
    for words, told in (
        ({"runtime": "foo"}, "unknown runtime 'foo'"),
        ({"uncertainty": True}, "--uncertainty with the classical method otsu"),
        ({"scores": True}, "--scores with the classical method otsu"),
        ({"ensemble": True}, "--ensemble with the classical method otsu"),
    ):
        with pytest.raises(UsageError, match=told) as caught:
            predict("otsu", tmp_path / "in", out=tmp_path / "out", **words)
        assert caught.value.expected and not (tmp_path / "out").exists()
    assert predict("otsu", tmp_path / "in", out=tmp_path / "out", runtime="onnx")["failed"] == 0


def test_names_that_are_not_in_utf_8(tmp_path):
    save(tmp_path / "in/a.png", picture(1))
    odd = os.fsdecode(b"b\xf6.png")
    try:
        save(tmp_path / "in" / odd, picture(2))
    except OSError:
        pytest.skip("this file system takes UTF-8 alone")
    manifest = predict("otsu", tmp_path / "in", out=tmp_path / "out", overlay=True)
    assert [row["output"] for row in manifest["images"]] == ["a.png", odd] and manifest["failed"] == 0
    stored = json.loads((tmp_path / "out/predictions.json").read_text(encoding="utf-8"))
    assert stored["images"][1]["output"] == odd and (tmp_path / "out/overlays" / odd).is_file()
    again = predict("otsu", tmp_path / "in", out=tmp_path / "out", overlay=True, resume=True)
    assert again["images"] == manifest["images"]
