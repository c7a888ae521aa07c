"""Row 11: models that nobody vouches for run no code, reach out of no folder, and take no memory that their weights do not fill."""

import dataclasses
import io
import json
import pickle
import resource
import struct
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from limner.core.bundle import Bundle, InputContract, read_bundle
from limner.core.labels import LabelSpace
from tests.cli.call import limner, refused
from tests.security.attacks import Evil, good
from tests.security.commands import canary

torch = pytest.importorskip("torch")
safetensors = pytest.importorskip("safetensors.torch")

ARGUMENTS = {"encoder": "test_efficientnet", "decoder_widths": [8, 8, 8], "dropout": 0.0, "channels": 3, "maps": 1}
CONTRACT = InputContract(
    channels=3, scale=1.0, normalization="fixed", intensity_range=(0.0, 255.0), tile=0, overlap=0.25, flips="", threshold=0.5
)  # fmt: skip


@pytest.fixture(scope="module")
def weights():
    """Weights that fit `ARGUMENTS`, as safetensors bytes."""
    from limner.models import build

    rest = {name: value for name, value in ARGUMENTS.items() if name not in ("channels", "maps")}
    network = build("unet", rest, channels=3, maps=1)
    return safetensors.save({name: value.contiguous() for name, value in network.state_dict().items()})


@pytest.fixture
def bundle(tmp_path, weights):
    """Writes a bundle whose hashes are right, whatever is in it: its author is the attacker."""
    (tmp_path / "a.png").write_bytes(good(size_hw=(40, 56)))

    def write(*, content=weights, architecture="unet", exports=None, files=None, **arguments):
        folder = tmp_path / "bundle"
        folder.mkdir(exist_ok=True)
        (folder / "weights.safetensors").write_bytes(content)
        for name, data in (files or {}).items():
            (folder / name).write_bytes(data)
        space = LabelSpace(("background", "cell"))
        Bundle(folder, architecture, {**ARGUMENTS, **arguments}, space, CONTRACT, exports=exports or {}).save()
        return folder

    return write


def predict(folder, *options):
    return limner("predict", folder, folder.parent / "a.png", "--out", folder.parent / "out", "--overwrite", *options)


def test_the_honest_one_works(bundle):
    assert predict(bundle()).code == 0


def test_a_pickle_in_the_place_of_weights_does_not_run(bundle, tmp_path):
    mark = tmp_path / "ran"
    saved = io.BytesIO()
    torch.save({"x": Evil(mark)}, saved)
    for content in (pickle.dumps(Evil(mark)), saved.getvalue(), pickle.dumps({"a": Evil(mark)}, protocol=2)):
        refused(predict(bundle(content=content)))
        assert not mark.exists()
    pickle.loads(pickle.dumps(Evil(mark))).close()
    assert mark.exists()  # the canary can sing


@pytest.mark.parametrize(
    "name", ["model.pt", "model.pth", "model.pt2", "model.pkl", "model.ckpt", "model.h5", "model.bin", "model.joblib"]
)
def test_a_file_of_weights_is_no_model(tmp_path, name):
    mark = tmp_path / "ran"
    (tmp_path / name).write_bytes(pickle.dumps(Evil(mark)))
    (tmp_path / "a.png").write_bytes(good())
    refused(limner("predict", tmp_path / name, tmp_path / "a.png", "--out", tmp_path / "out"))
    refused(limner("evaluate", tmp_path / name, tmp_path))
    outcome = limner("serve", tmp_path / name, "--port", "0")
    assert outcome.code != 0 and not mark.exists()


def test_weights_of_an_encoder_are_no_pickle_either(tmp_path):
    from limner.core.errors import LimnerError
    from limner.models.encoder import Encoder, load_pretrained

    mark = tmp_path / "ran"
    (tmp_path / "w.safetensors").write_bytes(pickle.dumps(Evil(mark)))
    with pytest.raises(LimnerError):
        load_pretrained(
            Encoder("test_efficientnet", channels=3), "test_efficientnet", weights=str(tmp_path / "w.safetensors")
        )
    assert not mark.exists()


def test_arrays_with_objects_are_refused(tmp_path):
    mark = tmp_path / "ran"
    np.save(tmp_path / "a.npy", np.array([Evil(mark)], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "c.npz", a=np.zeros(3))
    (tmp_path / "c.npz").rename(tmp_path / "c.npy")
    (tmp_path / "b.npy").write_bytes(pickle.dumps(Evil(mark)))
    outcome = limner(
        "predict", "otsu", *(tmp_path / f"{name}.npy" for name in "abc"), "--out", tmp_path / "out", "--json"
    )
    assert outcome.code == 1 and outcome.document["failed"] == 3 and not mark.exists()


def header(tensors, *, length=None):
    """A safetensors file with a header that says what it likes, and 64 bytes of data."""
    text = tensors if isinstance(tensors, bytes) else json.dumps(tensors).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + bytes(64)


def entry(shape, offsets=(0, 64), dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": list(offsets)}


HEADERS = {
    "length of an exabyte": header(b"{}", length=2**60),
    "length below zero": header(b"{}", length=2**64 - 1),
    "length beyond the file": header(b"{}", length=200),
    "shape of a terabyte": header({"a": entry([2**20, 2**18])}),
    "shape that overflows": header({"a": entry([2**32, 2**32])}),
    "negative shape": header({"a": entry([-4, -4])}),
    "offsets beyond the file": header({"a": entry([2**30], (0, 2**32))}),
    "offsets that overlap": header({"a": entry([16]), "b": entry([16])}),
    "offsets turned round": header({"a": entry([16], (64, 0))}),
    "unknown type": header({"a": entry([16], dtype="PICKLE")}),
    "no json": header(b"\xff" * 40),
    "deep json": header(b"[" * 100_000),
    "a million names": header({str(i): entry([0], (0, 0)) for i in range(100_000)}),
    "names of other layers": header({"a": entry([16])}),
    "empty": b"",
    "zeros": bytes(1000),
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_header_that_lies_is_refused_with_the_file(bundle, name):
    text = refused(predict(bundle(content=HEADERS[name])))
    assert "weights" in text and len(text) < 1500


HUGE = [
    {"decoder_widths": [100_000, 100_000, 100_000]},
    {"decoder_widths": [8] * 100_000},
    {"channels": 10**9},
    {"maps": 10**9},
    {"channels": 4},
    {"decoder_widths": [8, 8, 16]},
    {"channels": "3"},
    {"maps": None},
    {"channels": -1},
    {"maps": 0},
]


@pytest.mark.parametrize("arguments", HUGE, ids=lambda arguments: str(arguments)[:60])
def test_the_size_of_a_network_is_held_against_the_file_before_memory_is_taken(bundle, arguments):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused(predict(bundle(**arguments)))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300 * 1024  # KiB


NAMES = [
    "os.system",
    "limner.models.unet.UNet",
    "../unet",
    "__import__('os')",
    "",
    "UNet",
    "classical/../otsu",
    "classical/none",
    "torch.nn.Linear",
    "x" * 5000,
]


@pytest.mark.parametrize("name", NAMES, ids=lambda name: name[:30] or "empty")
def test_networks_come_from_our_table_alone(bundle, name):
    assert len(refused(predict(bundle(architecture=name)))) < 12_000


def test_an_encoder_is_never_fetched_and_no_folder_is_read_for_it(bundle, tmp_path, monkeypatch):
    """timm takes names with a source in front, ``hf-hub:`` and ``local-dir:``."""
    with canary() as bird:
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{bird.port}")
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{bird.port}")
        (tmp_path / "config.json").write_text('{"architecture": "test_efficientnet"}')
        for name in (
            "hf-hub:evil/model",
            "hf_hub:evil/model",
            f"local-dir:{tmp_path}",
            f"http://127.0.0.1:{bird.port}/m",
            "timm/resnet18",
            "./x",
        ):
            refused(predict(bundle(encoder=name)))


def test_unknown_arguments_are_refused(bundle):
    for arguments in (
        {"weights": "/etc/passwd"},
        {"pretrained": True},
        {"__class__": "x"},
        {"encoder": {"a": 1}},
        {"encoder": ["x"]},
        {"dropout": "x"},
    ):
        refused(predict(bundle(**arguments)))


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "a/../../secret", "..\\secret", "C:\\secret", "\x00", ""])
def test_files_of_a_bundle_lie_in_its_folder(bundle, name, tmp_path):
    (tmp_path / "secret").write_bytes(b"x")
    folder = bundle()
    tree = json.loads((folder / "bundle.json").read_text())
    for change in ({"files": {name: "0" * 64}}, {"exports": {"onnx": {"files": [name]}}}):
        (folder / "bundle.json").write_text(json.dumps({**tree, **change}))
        refused(predict(folder))


DOCUMENTS = [
    "",
    "[]",
    "null",
    "{}",
    "[" * 100_000,
    '{"format_version": 1e400}',
    '{"format_version": NaN}',
    "\xff",
    '{"format_version": "1"}',
]


@pytest.mark.parametrize("text", DOCUMENTS, ids=lambda text: text[:20] or "empty")
def test_a_bundle_that_is_none_is_refused(bundle, text):
    folder = bundle()
    (folder / "bundle.json").write_bytes(text.encode("latin-1"))
    refused(predict(folder))


@pytest.mark.parametrize(
    "change",
    [
        {"input": {"channels": 3}},
        {"input": []},
        {"classes": {"names": ["a"]}},
        {"classes": {"names": ["a", "a"]}},
        {"classes": None},
        {"classes": {"names": ["a", "b"], "colors": [[0, 0, 0]]}},
        {"arguments": []},
        {"exports": []},
        {"files": []},
    ],
)
def test_tables_of_another_kind_are_refused(bundle, change):
    folder = bundle()
    tree = json.loads((folder / "bundle.json").read_text())
    (folder / "bundle.json").write_text(json.dumps({**tree, **change}))
    refused(predict(folder))


CONTRACTS = [
    {"scale": 1e9}, {"scale": 0}, {"scale": -1}, {"scale": "1"}, {"scale": True}, {"resize_hw": [10**6, 9]},
    {"resize_hw": [-1, 5]},
    {"resize_hw": [5, 0]}, {"resize_hw": 5}, {"tile": 10**9}, {"tile": -5}, {"tile": 1.5}, {"overlap": 1.5}, {"overlap": -1},
    {"flips": "z"}, {"flips": "xyx"}, {"flips": ["x"]}, {"normalization": "eval"}, {"intensity_range": [1, 0]},
    {"intensity_range": ["0", 1]}, {"temperature": 0}, {"threshold": "x"}, {"threshold": float("nan")}, {"channels": -1},
    {"channels": 10**9}, {"unknown": 1},
]  # fmt: skip


@pytest.mark.parametrize("change", CONTRACTS, ids=str)
def test_an_input_contract_has_bounds(bundle, change):
    """Working size, tiles and mirrored copies decide how much memory and time a picture takes."""
    folder = bundle()
    tree = json.loads((folder / "bundle.json").read_text())
    (folder / "bundle.json").write_text(json.dumps({**tree, "input": {**dataclasses.asdict(CONTRACT), **change}}))
    assert f"input.{next(iter(change))}" in refused(predict(folder))


def test_an_onnx_file_reads_no_other_file_and_brings_no_code(tmp_path):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    from onnx import TensorProto, helper

    from limner.core.errors import BundleError
    from limner.runtimes.onnx import load

    folder = tmp_path / "bundle"
    folder.mkdir()
    (tmp_path / "secret").write_bytes(bytes(range(64)))

    def model(initializers, node):
        x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, "h", "w"])
        y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 1, "h", "w"])
        graph = helper.make_graph([node], "g", [x], [y], initializers)
        return helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("evil", 1)], ir_version=8
        )

    def outside(location):
        tensor = TensorProto(
            name="w", data_type=TensorProto.FLOAT, dims=[1, 3, 1, 1], data_location=TensorProto.EXTERNAL
        )
        for key, value in (("location", location), ("offset", "0"), ("length", "12")):
            tensor.external_data.add(key=key, value=value)
        return tensor

    convolution = helper.make_node("Conv", ["x", "w"], ["y"])
    inner = helper.make_tensor("w", TensorProto.FLOAT, [1, 3, 1, 1], [1.0, 0.0, 0.0])
    file = folder / "model.onnx"
    file.write_bytes(model([inner], convolution).SerializeToString())
    assert load(file, threads=1)(np.ones((1, 3, 5, 7), np.float32)).shape == (1, 1, 5, 7)
    hostile = [
        model([outside(place)], convolution)
        for place in ("../secret", str(tmp_path / "secret"), "a/../../secret", "/etc/passwd")
    ]
    hostile.append(model([], helper.make_node("Run", ["x"], ["y"], domain="evil")))
    mark = tmp_path / "ran"
    for content in (
        *(one.SerializeToString() for one in hostile),
        b"",
        b"\x08\x07",
        bytes(1000),
        pickle.dumps(Evil(mark)),
    ):
        file.write_bytes(content)
        with pytest.raises(BundleError):
            load(file, threads=1)
    assert not mark.exists()


def test_a_changed_file_is_named_with_its_hash(bundle):
    folder = bundle()
    file = folder / "weights.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    text = refused(predict(folder))
    assert "weights.safetensors is changed: sha256 " in text
    assert read_bundle  # what every verb opens models by


def test_a_keras_file_unpacks_to_no_more_than_it_should(tmp_path):
    """In a process of its own, in which Keras is an empty name: it must not come to asking it."""
    pytest.importorskip("h5py")
    bomb = tmp_path / "bomb.keras"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("config.json", "w") as config:
            for _ in range(100):
                config.write(bytes(2**20))
        archive.writestr("../../escape.txt", "x")
    code = "import sys, types, pathlib; sys.modules['keras'] = types.ModuleType('keras')\n"
    code += "from limner.runtimes.keras_file import read_keras; read_keras(pathlib.Path(sys.argv[1]))"
    done = subprocess.run([sys.executable, "-c", code, bomb], capture_output=True, text=True)
    assert "DataError: error: bomb.keras unpacks to 100 MiB" in done.stderr, done.stderr
    assert not list(tmp_path.parent.rglob("escape.txt"))
