"""What a user without PyTorch has: a core install opens exports, predicts, scores and says what is missing.

Needs the environment that `make tests` builds in ``.venv-core``: ``pip install limner`` and nothing else.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from tests.api.tiny import make_data, words

ROOT = Path(__file__).parents[2]
CORE = Path(os.environ.get("LIMNER_CORE_VENV", ROOT / ".venv-core")) / "bin"
MOST_MEMORY_KIB = 400 * 2**10  # of a whole process that predicts one small picture

pytestmark = pytest.mark.skipif(
    not (CORE / "limner").exists(), reason="no environment without PyTorch; `make tests` builds one in .venv-core"
)


def core(*arguments, code=0, cache=None):
    """Run the core install's ``limner`` and return what it printed."""
    done = subprocess.run(
        [CORE / "limner", *map(str, arguments)],
        capture_output=True, text=True, env={**os.environ, "XDG_CACHE_HOME": str(cache or "/nonexistent")},
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    return done


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_data(tmp_path_factory.mktemp("core") / "data")


@pytest.fixture(scope="module")
def run(data):
    """A small network, trained with PyTorch and exported."""
    out = data.parent / "run"
    for call in (["train", data, "--out", out, *words(), "--json"], ["export", out, "--to", "onnx", "--json"]):
        done = subprocess.run([sys.executable, "-m", "limner", *map(str, call)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    return out


def test_there_is_no_torch():
    code = "import importlib.util as u; print(u.find_spec('torch'), u.find_spec('safetensors'), u.find_spec('fastapi'))"
    assert subprocess.run([CORE / "python", "-c", code], capture_output=True, text=True).stdout.split() == ["None"] * 3


def test_labels_equal_those_of_torch(run, data, tmp_path):
    core("predict", run, data / "images", "--out", tmp_path / "core")
    with_torch = [sys.executable, "-m", "limner", "predict", run, data / "images", "--out", tmp_path / "torch"]
    subprocess.run([*map(str, with_torch), "--runtime", "torch"], check=True, capture_output=True)
    different = pixels = 0
    for file in sorted((tmp_path / "torch").glob("*.png")):
        ours, theirs = (np.asarray(PIL.Image.open(tmp_path / name / file.name)) for name in ("core", "torch"))
        different, pixels = different + int((ours != theirs).sum()), pixels + ours.size
    assert pixels == 12 * 40 * 56 and different <= pixels * 0.001
    assert json.loads((tmp_path / "core/predictions.json").read_text())["failed"] == 0


@pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="no /proc, which tells the peak of this process alone"
)
def test_one_small_picture_takes_little_memory(run, data, tmp_path):
    # not ru_maxrss: it keeps the size of the process that started this one
    code = (
        "import sys; from limner.api.predict import predict; predict(*sys.argv[1:2], [sys.argv[2]], out=sys.argv[3]);"
        "assert not {'torch', 'matplotlib', 'onnx'} & set(sys.modules);"
        "print(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])"
    )
    picture = next((data / "images").glob("*.png"))
    done = subprocess.run(
        [CORE / "python", "-c", code, str(run), str(picture), str(tmp_path / "out")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert 50_000 < int(done.stdout) < MOST_MEMORY_KIB


def test_scores_equal_those_of_the_training(run, data, tmp_path):
    there = json.loads((run / "evaluation/summary.json").read_text())["scores"]["dice"]["foreground"]["mean"]
    here = json.loads(core("evaluate", run, data, "--json", "--out", tmp_path / "scores").stdout)
    assert here["scores"]["dice"]["foreground"]["mean"] == pytest.approx(there, abs=0.002)


def test_the_rest_works_or_says_what_to_install(run, data, tmp_path):
    assert json.loads(core("check", data, "--json").stdout)["samples"] == 12
    assert not json.loads(core("info", "--json").stdout)["extras"]["train"]["works"]
    assert "limner[train]" in core("train", data, "--out", tmp_path / "run", code=1).stderr
    assert (
        "limner[openvino]"
        in core("predict", run, data / "images", "--out", tmp_path / "a", "--runtime", "openvino", code=1).stderr
    )
    assert "limner[server]" in core("serve", run, code=1).stderr


def test_a_bundle_without_an_export_says_how_to_make_one(run, data, tmp_path):
    (tmp_path / "plain").mkdir()
    tree = json.loads((run / "model/bundle.json").read_text())
    weights = {"weights.safetensors": tree["files"]["weights.safetensors"]}
    (tmp_path / "plain/bundle.json").write_text(json.dumps({**tree, "exports": {}, "files": weights}))
    (tmp_path / "plain/weights.safetensors").write_bytes((run / "model/weights.safetensors").read_bytes())
    error = core("predict", tmp_path / "plain", data / "images", "--out", tmp_path / "out", code=1).stderr
    assert "limner export MODEL --to onnx" in error and "limner[train]" in error
