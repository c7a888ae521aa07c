"""An export is written where it says what the network says, and nowhere else: into the bundle, with its figures."""

import dataclasses
import json
import math
import shutil

import numpy as np
import onnx as onnx_format
import pytest
from onnx import numpy_helper

import limner
from limner.api import export_judge
from limner.api.export_tiles import pick_pictures
from limner.api.plan import split_dataset
from limner.core.bundle import Bundle, read_bundle
from limner.core.errors import BundleError, DataError, MachineError, OutputError, UsageError
from limner.data.dataset import open_dataset
from limner.runtimes import export_onnx as exporter
from limner.runtimes import onnx
from limner.runtimes.parity import VECTORS, check_vectors, failures_float32
from limner.runtimes.portable import AnySize
from tests.api import tiny
from tests.cli.call import limner as call
from tests.cli.call import refused

KEYS = {"path", "runtime", "max_abs_logit_difference", "label_disagreement", "tiles", "passed"}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    tiny.make_data(folder / "data")
    settings = tiny.SETTINGS | {"split.val_share": 0.3, "schedule.epochs": 6}
    limner.train(folder / "data", settings=settings, out=folder / "run")
    return folder


@pytest.fixture
def run(trained, tmp_path):
    """A copy of the run; its data stay where they are."""
    shutil.copytree(trained / "run", tmp_path / "run")
    return tmp_path / "run"


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_run_remembers_where_its_data_lie_and_its_bundle_does_not(trained):
    origin = json.loads((trained / "run/origin.json").read_text())
    assert origin["data"] == str((trained / "data").resolve()) and len(origin["split_checksum"]) == 64
    assert str(trained) not in (trained / "run/model/bundle.json").read_text()


def test_an_export_lands_in_the_bundle_with_its_figures(run):
    result = limner.export(run, to="onnx")
    assert result.passed and result.tiles_from == "validation" and result.tiles > 0
    assert result.label_disagreement == 0.0 and 0 <= result.max_abs_logit_difference < 1e-4
    bundle = read_bundle(run)  # the hashes of all files agree
    entry = bundle.exports["onnx"]
    assert entry["files"] == ["model.onnx", VECTORS]
    assert entry["tiles"] == result.tiles and entry["precision"] == "float32" and entry["versions"]["onnx"]
    tree = json.loads((run / "model/bundle.json").read_text())
    assert set(tree["files"]) == {"weights.safetensors", "model.onnx", VECTORS}
    assert not [path for path in run.rglob(".*") if path.name != ".limner-output"]


def test_the_bundle_of_a_run_knows_the_runs_pictures_until_it_is_copied(run, tmp_path):
    assert limner.export(run / "model", to="onnx").tiles_from == "validation"
    shutil.copytree(run / "model", tmp_path / "copied/model")
    assert limner.export(tmp_path / "copied/model", to="onnx").tiles_from == "synthetic"


def test_pictures_validate_only_where_the_split_is_known(run, trained, tmp_path):
    dataset = open_dataset(trained / "data")
    shutil.copytree(run / "model", tmp_path / "copied/model")
    copied = read_bundle(tmp_path / "copied")
    assert pick_pictures(run, copied, dataset).judged_from == "validation"
    assert pick_pictures(tmp_path / "copied", copied, dataset).judged_from == "given"
    drawn = {**copied.training, "split_checksum": split_dataset(dataset, {}).checksum}  # as if trained with defaults
    known = dataclasses.replace(copied, training=drawn)
    found = pick_pictures(tmp_path / "copied", known, dataset)
    assert found.judged_from == "validation" and {item.name for item in found.judged}.isdisjoint(
        item.name for item in found.trained
    )


def test_another_machine_can_check_an_export_by_the_vectors(run):
    limner.export(run, to="onnx")
    bundle = read_bundle(run)
    parity = check_vectors(onnx.load(bundle.folder / "model.onnx", threads=1), bundle)
    assert failures_float32(parity) == [] and parity.tiles == 7


def test_the_vectors_show_nobodys_picture(run, trained):
    """Other pictures, the same vectors."""
    limner.export(run, to="onnx")
    first = (run / "model" / VECTORS).read_bytes()
    (run / "origin.json").unlink()
    assert limner.export(run, to="onnx").tiles_from == "synthetic"
    with np.load(run / "model" / VECTORS) as again:
        (run / "kept.npz").write_bytes(first)
        with np.load(run / "kept.npz") as before:
            assert all(np.array_equal(again[name], before[name]) for name in before.files if name.startswith("tile"))


def test_openvino_stands_beside_onnx(run):
    pytest.importorskip("openvino")
    limner.export(run, to="onnx")
    result = limner.export(run, to="openvino")
    bundle = read_bundle(run)
    assert list(bundle.exports) == ["onnx", "openvino"]
    entry = bundle.exports["openvino"]
    assert entry["files"] == ["openvino/model.xml", "openvino/model.bin", VECTORS]
    if result.bfloat16 is not None:
        assert entry["bfloat16"]["label_disagreement"] == result.bfloat16["label_disagreement"]
        assert result.bfloat16["max_abs_logit_difference"] > result.max_abs_logit_difference
    limner.export(run, to="openvino")  # replaces it
    assert list(read_bundle(run).exports) == ["onnx", "openvino"]


@pytest.mark.parametrize("to", ["onnx", "openvino"])
def test_int8_states_what_it_costs(run, to):
    if to == "openvino":
        pytest.importorskip("nncf")
    result = limner.export(run, to=to, int8=True)
    assert result.precision == "int8" and result.dice_loss <= 0.003 and result.tiles_from == "validation"
    entry = read_bundle(run).exports[f"{to}-int8"]
    assert entry["dice_loss"] == result.dice_loss
    assert entry["files"][0] == {"onnx": "model.int8.onnx", "openvino": "openvino-int8/model.xml"}[to]


def test_int8_without_pictures_is_refused(run):
    (run / "origin.json").unlink()
    with pytest.raises(DataError, match="not at hand") as caught:
        limner.export(run, to="onnx", int8=True)
    assert "--data" in caught.value.fix and caught.value.details["passed"] is False


def test_int8_that_costs_dice_is_refused_after_the_edges_were_tried(run, monkeypatch):
    losses, heard = iter([0.9, 0.85, 0.8]), []

    class Listener:
        def progress(self, *arguments, **names):
            pass

        def message(self, text):
            heard.append(text)

    monkeypatch.setattr(export_judge.Judge, "measure", lambda self, predictor: (next(losses), math.nan))
    before = files(run)
    with pytest.raises(BundleError, match=r"Dice falls by 0\.1000 from 0\.9000 \(at most 0\.003\)") as caught:
        limner.export(run, to="onnx", int8=True, listener=Listener())
    assert files(run) == before
    assert caught.value.details["dice_loss"] == 0.1 and len(caught.value.details["kept_float32"]) == 2
    assert sum("Dice falls" in text for text in heard) == 2 and "both ends in float32" in heard[-1]


def test_int8_that_costs_objects_is_refused(run, monkeypatch):
    found = iter([(0.9, 0.85), (0.9, 0.83), (0.9, 0.83)])
    monkeypatch.setattr(export_judge.Judge, "measure", lambda self, predictor: next(found))
    with pytest.raises(BundleError, match=r"F1 of objects falls by 0\.0200 from 0\.8500 \(at most 0\.01\)"):
        limner.export(run, to="onnx", int8=True)


def test_changed_data_are_not_taken_for_the_models(run, trained, tmp_path):
    shutil.copytree(trained / "data", tmp_path / "data")
    victim = next((tmp_path / "data/images").iterdir())
    shutil.copyfile(sorted((tmp_path / "data/images").iterdir())[-1], victim)
    (run / "origin.json").write_text(json.dumps({"data": str(tmp_path / "data")}))
    assert limner.export(run, to="onnx").tiles_from == "synthetic"
    assert limner.export(run, to="onnx", data=tmp_path / "data").tiles_from == "given"  # some of them did train


def weight_changed(network, file, *, channels, metadata=None):
    """As the exporter, but for one weight of the head."""
    exporter_before(network, file, channels=channels, metadata=metadata)
    model = onnx_format.load(file)
    last = [node for node in model.graph.node if node.op_type == "Conv"][-1]
    weight = next(entry for entry in model.graph.initializer if entry.name == last.input[1])
    values = numpy_helper.to_array(weight).copy()
    values.flat[0] += 0.25
    weight.CopyFrom(numpy_helper.from_array(values, weight.name))
    onnx_format.save(model, file)


exporter_before = exporter.export_onnx


def pad_off_by_one(self, side):
    return missing_before(self, side) + 1


missing_before = AnySize._missing


def pad_forgotten(self, side):
    return missing_before(self, side) * 0


BREAKAGES = {
    "a changed weight": (exporter, "export_onnx", weight_changed),
    "a pad too many": (AnySize, "_missing", pad_off_by_one),
    "a pad forgotten": (AnySize, "_missing", pad_forgotten),
}


@pytest.mark.parametrize("name", BREAKAGES)
@pytest.mark.parametrize("has_pictures", [True, False])
def test_a_broken_graph_is_refused_and_nothing_is_written(run, monkeypatch, name, has_pictures):
    if not has_pictures:
        (run / "origin.json").unlink()
    monkeypatch.setattr(*BREAKAGES[name])
    before = files(run)
    outcome = call("export", run, "--to", "onnx", "--json")
    assert "onnx says something else than the network" in refused(outcome)
    document = outcome.document
    assert set(document) >= KEYS and document["passed"] is False and document["error"]["found"]
    assert document["max_abs_logit_difference"] is None or document["max_abs_logit_difference"] > 1e-3
    assert files(run) == before


def test_a_failed_export_leaves_the_earlier_one_in_place(run, monkeypatch):
    limner.export(run, to="onnx")
    before = files(run)
    monkeypatch.setattr(*BREAKAGES["a changed weight"])
    with pytest.raises(BundleError):
        limner.export(run, to="onnx")
    assert files(run) == before


def test_a_replacement_that_is_killed_leaves_a_bundle_that_opens(run, monkeypatch):
    limner.export(run, to="onnx")
    saves, save = iter([True, False]), Bundle.save

    def killed(bundle):
        if not next(saves):
            raise KeyboardInterrupt
        save(bundle)

    monkeypatch.setattr(Bundle, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        limner.export(run, to="onnx")
    assert read_bundle(run).exports == {}
    monkeypatch.undo()
    limner.export(run, to="onnx")
    assert list(read_bundle(run).exports) == ["onnx"]
    assert not [path for path in (run / "model").iterdir() if path.name.startswith(".")]


def test_out_is_one_file_and_the_bundle_stays(run, tmp_path):
    before = files(run)
    result = limner.export(run, to="onnx", out=tmp_path / "new/a.onnx")
    assert result.path == tmp_path / "new/a.onnx"
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.onnx"]
    assert files(run) == before
    with pytest.raises(OutputError, match="exists already"):
        limner.export(run, to="onnx", out=tmp_path / "new/a.onnx")
    (tmp_path / "new/a.onnx").write_bytes(b"old")
    limner.export(run, to="onnx", out=tmp_path / "new/a.onnx", overwrite=True)
    assert onnx.load(tmp_path / "new/a.onnx", threads=1)


def test_out_never_replaces_a_folder_of_other_things(run, tmp_path):
    pytest.importorskip("openvino")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("years of work")
    with pytest.raises(OutputError):
        limner.export(run, to="openvino", out=tmp_path / "mine", overwrite=True)
    assert (tmp_path / "mine/thesis.txt").exists()
    with pytest.raises(UsageError, match=r"-o .*model\.pt"):
        limner.export(run, to="onnx", out=tmp_path / "model.pt")


def test_the_command_prints_figures_and_one_document(run):
    outcome = call("export", run, "--to", "onnx", "--json")
    assert outcome.code == 0 and set(outcome.document) >= KEYS and outcome.document["passed"] is True
    assert outcome.document["path"] == str(run / "model/model.onnx")
    words = call("export", run, "--to", "onnx").out
    assert "pixels with another label" in words and "validation tiles" in words


def test_all_folds_of_a_cross_validation_are_exported(run):
    plain = files(run)
    for fold in (1, 2):
        for name, content in plain.items():
            (run / f"fold{fold}" / name).parent.mkdir(parents=True, exist_ok=True)
            (run / f"fold{fold}" / name).write_bytes(content)
    (run / "folds.csv").write_text("image,fold\n")
    outcome = call("export", run, "--to", "onnx", "--json")
    assert [row["fold"] for row in outcome.document["folds"]] == [1, 2]
    for folder in (run, run / "fold1", run / "fold2"):
        assert list(read_bundle(folder).exports) == ["onnx"]
    assert outcome.document["folds"][0]["tiles_from"] == "validation"
    assert "folds" not in read_bundle(run).exports["onnx"]


def test_what_cannot_be_exported_is_refused(run, tmp_path):
    assert "otsu is a classical method" in refused(call("export", "otsu", "--to", "onnx"))
    assert "--to onxx" in refused(call("export", run, "--to", "onxx"), code=2)
    assert "no model at" in refused(call("export", tmp_path / "nothing", "--to", "onnx"))
    limner.export(run, to="onnx")
    (run / "model/weights.safetensors").unlink()
    assert "weights.safetensors is missing" in refused(call("export", run, "--to", "openvino"))


@pytest.mark.parametrize(
    ("module", "arguments", "extra"),
    [("onnx", ["--to", "onnx"], "train"), ("openvino", ["--to", "openvino"], "openvino"),
     ("nncf", ["--to", "openvino", "--int8"], "openvino")],
)  # fmt: skip
def test_a_missing_package_is_named_with_its_extra(run, monkeypatch, module, arguments, extra):
    from limner.api import export

    find = export.importlib.util.find_spec
    monkeypatch.setattr(export.importlib.util, "find_spec", lambda name: None if name == module else find(name))
    outcome = call("export", run, *arguments, "--json")
    assert f"not installed: {module}" in refused(outcome) and f"limner[{extra}]" in outcome.err
    assert set(outcome.document) >= KEYS and outcome.document["passed"] is False


def test_missing_is_an_error_of_the_machine(run, monkeypatch):
    from limner.api import export

    monkeypatch.setattr(export.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MachineError):
        limner.export(run, to="onnx")


def test_figures_of_a_bundle_are_json(run):
    result = limner.export(run, to="onnx")
    row = dataclasses.replace(result, dice_loss=-0.001).as_entry(["a"])
    assert json.loads(json.dumps(row)) == row and "path" not in row and row["dice_loss"] == -0.001
