"""Row 11 for OME-Zarr: stores whose metadata name codecs that run code, chunks without end, or arrays elsewhere."""

import json
import pickle

import numpy as np
import pytest

from tests.cli.call import limner
from tests.security.attacks import Evil

zarr = pytest.importorskip("zarr")

HONEST = {
    "zarr_format": 2, "shape": [5, 7], "chunks": [5, 7], "dtype": "|u1", "compressor": None, "fill_value": 0, "order": "C",
    "filters": None, "dimension_separator": ".",
}  # fmt: skip
PICKLE = {"id": "pickle", "protocol": 5}


def store(folder, chunk, *, path="0", **changes):
    """An OME-Zarr store of one array as its author writes it."""
    (folder / "0").mkdir(parents=True)
    scale = {"path": path, "coordinateTransformations": [{"type": "scale", "scale": [1, 1]}]}
    axes = [{"name": "y", "type": "space"}, {"name": "x", "type": "space"}]
    (folder / ".zgroup").write_text('{"zarr_format": 2}')
    (folder / ".zattrs").write_text(
        json.dumps({"multiscales": [{"version": "0.4", "axes": axes, "datasets": [scale]}]})
    )
    (folder / "0/.zarray").write_text(json.dumps({**HONEST, **changes}))
    (folder / "0/0.0").write_bytes(chunk)
    return folder


def predict(folder):
    return limner("predict", "otsu", folder, "--out", folder.parent / "out", "--json")


def test_the_honest_one_is_read(tmp_path):
    chunk = np.arange(35, dtype=np.uint8).tobytes()
    assert predict(store(tmp_path / "a.zarr", chunk)).document["images"][0]["size_hw"] == [5, 7]


@pytest.mark.parametrize(
    "changes",
    [
        {"compressor": PICKLE}, {"filters": [PICKLE]}, {"filters": [PICKLE], "dtype": "|O"},
        {"filters": [{"id": "delta", "dtype": "|u1"}, PICKLE]}, {"filters": [{"id": "vlen-utf8"}, PICKLE], "dtype": "|O"},
        {"filters": [PICKLE, {"id": "vlen-utf8"}], "dtype": "|O"},
    ],
    ids=str,
)  # fmt: skip
def test_a_codec_that_runs_code_is_not_asked(tmp_path, changes):
    mark = tmp_path / "ran"
    outcome = predict(store(tmp_path / "a.zarr", pickle.dumps(Evil(mark)), **changes))
    assert outcome.code == 1 and outcome.document["failed"] == 1
    assert not mark.exists()


@pytest.mark.parametrize(
    "changes",
    [{"shape": [10**6, 10**6], "chunks": [10**6, 10**6]}, {"chunks": [10**6, 10**6]}, {"shape": [-5, 7]}, {"shape": [2**62, 2**62]},
     {"shape": []}, {"chunks": [0, 0]}, {"dtype": "|V8"}, {"dtype": "<c16"}, {"order": "X"}, {"zarr_format": 99}],
    ids=str,
)  # fmt: skip
def test_sizes_beyond_belief_are_an_error(tmp_path, changes):
    outcome = predict(store(tmp_path / "a.zarr", bytes(35), **changes))
    assert outcome.code == 1 and "Traceback" not in outcome.err


@pytest.mark.parametrize("path", ["../secret.zarr/0", "/etc", "..", "http://127.0.0.1:9/x", ""])
def test_an_array_outside_of_the_store_is_not_read(tmp_path, path):
    store(tmp_path / "secret.zarr", np.full(35, 77, np.uint8).tobytes())
    outcome = predict(store(tmp_path / "a.zarr", bytes(35), path=path))
    assert outcome.code == 1 and outcome.document["failed"] == 1
