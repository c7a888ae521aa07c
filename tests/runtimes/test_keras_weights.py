"""The networks of systems A to D are the published ones: same number of weights, same answers as an independent Keras build."""

import contextlib
import json
import pathlib
import warnings
import zipfile

import numpy as np
import pytest
import torch

from limner.api.network import model_arguments
from limner.core.errors import DataError
from limner.core.named_recipes import named_recipe
from limner.models import build, cost

keras_builds = pytest.importorskip("tests.runtimes.keras_builds", reason="needs the keras extra")
keras = keras_builds.keras

from limner.runtimes.keras_file import read_keras  # noqa: E402
from limner.runtimes.keras_weights import carry_over  # noqa: E402

SIZE_HW = (128, 64)
PUBLISHED = {
    "brain-tumour-unet": 31_055_297,
    "spleen-unet": 1_927_841,
    "workshop-unet": 1_941_105,
    "pets-unet": 6_667_639,
}
each = pytest.mark.parametrize("name", PUBLISHED)


def theirs(name, seed=0):
    make, channels = keras_builds.BUILDS[name]
    return keras_builds.with_random_weights(make(SIZE_HW, channels), seed)


def ours(name, channels):
    recipe = named_recipe(name)
    return build(recipe.model.architecture, model_arguments(recipe), channels=channels, maps=1).eval()


@each
@pytest.mark.parametrize("suffix", ["model.keras", "model.h5", "only.weights.h5"])
def test_answers_are_those_of_keras(name, suffix, tmp_path):
    model, channels = theirs(name), keras_builds.BUILDS[name][1]
    assert model.count_params() == PUBLISHED[name]
    path = tmp_path / suffix
    (model.save_weights if suffix.endswith("weights.h5") else model.save)(path)
    network = ours(name, channels)
    assert cost.weights_total(network) == PUBLISHED[name]
    carry_over(read_keras(path).layers, network, channels=channels)
    x = np.random.default_rng(1).random((1, *SIZE_HW, channels), np.float32)
    expected = model.predict(x, verbose=0)[..., 0]
    with torch.inference_mode():
        found = torch.sigmoid(network(torch.from_numpy(x).permute(0, 3, 1, 2)))[:, 0].numpy()
    assert expected.std() > 0.01  # an answer, not a constant
    assert np.abs(found - expected).max() < 1e-4


def test_weights_of_another_network_are_refused(tmp_path):
    path = tmp_path / "model.keras"
    theirs("workshop-unet").save(path)
    with pytest.raises(DataError, match="convolution layers in the file"):
        carry_over(read_keras(path).layers, ours("spleen-unet", 1), channels=1)


def test_layers_of_another_width_are_refused(tmp_path):
    path = tmp_path / "model.keras"
    theirs("workshop-unet").save(path)
    with pytest.raises(DataError, match=r"\(3, 3, 3, 16\)|\(16, 3, 3, 3\)"):
        carry_over(read_keras(path).layers, ours("workshop-unet", 5), channels=5)


def test_a_batch_norm_without_scale_in_a_file_of_weights_alone_is_refused(tmp_path):
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Conv2D(3, 1)(inputs)
    model = keras.Model(inputs, keras.layers.BatchNormalization(scale=False)(x))
    network = torch.nn.Sequential(torch.nn.Conv2d(1, 3, 1), torch.nn.BatchNorm2d(3, eps=1e-3))
    for name, save in (("whole.keras", model.save), ("only.weights.h5", model.save_weights)):
        save(tmp_path / name)
    carry_over(read_keras(tmp_path / "whole.keras").layers, network, channels=1)
    with pytest.raises(DataError, match=r"'batch_normalization.*' has 3 arrays of weights") as caught:
        carry_over(read_keras(tmp_path / "only.weights.h5").layers, network, channels=1)
    assert caught.value.expected.startswith("4 for") and "model.save(" in caught.value.fix


def test_code_in_a_file_is_refused(tmp_path):
    inputs = keras.Input((8, 8, 1))
    path = tmp_path / "lambda.keras"
    keras.Model(inputs, keras.layers.Lambda(lambda x: x * 2)(inputs)).save(path)
    with pytest.raises(DataError, match="'Lambda', which is code"):
        read_keras(path)


def test_a_file_is_inspected_as_it_will_be_read(tmp_path):
    """A harmless network in a ZIP behind an HDF5 file with code; Keras reads the HDF5 file, as the name says."""
    inputs = keras.Input((8, 8, 1))
    code, good, both = (tmp_path / name for name in ("code.h5", "good.keras", "both.h5"))
    keras.Model(inputs, keras.layers.Conv2D(1, 1)(inputs)).save(good)
    mark = keras.layers.Lambda(lambda x: (pathlib.Path("MARKER").touch(), x)[1])
    with contextlib.chdir(tmp_path):
        model = keras.Model(inputs, keras.layers.Conv2D(1, 1)(mark(inputs)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that this format is old
            model.save(code)
        (tmp_path / "MARKER").unlink()  # the layer ran when the model was built
        both.write_bytes(code.read_bytes())
        with zipfile.ZipFile(good) as archive, zipfile.ZipFile(both, "a") as appended:
            appended.writestr("config.json", archive.read("config.json"))
        with pytest.raises(DataError, match="'Lambda', which is code"):
            read_keras(code)
        with pytest.raises(DataError, match=r"both\.h5 is a ZIP archive"):
            read_keras(both)
        assert not (tmp_path / "MARKER").exists()
    for name in ("renamed.h5", "renamed.hdf5"):
        (tmp_path / name).write_bytes(good.read_bytes())
        with pytest.raises(DataError, match="is a ZIP archive"):
            read_keras(tmp_path / name)
    (tmp_path / "hdf.keras").write_bytes(code.read_bytes())
    with pytest.raises(DataError, match=r"hdf\.keras cannot be read"):
        read_keras(tmp_path / "hdf.keras")
    (tmp_path / "GOOD.KERAS").write_bytes(good.read_bytes())
    with pytest.raises(DataError, match=r"neither \.keras nor \.h5"):
        read_keras(tmp_path / "GOOD.KERAS")


@pytest.mark.parametrize(
    "entry",
    [
        {"class_name": "TorchModuleWrapper", "module": "keras.layers", "config": {"module": "AAAA"}},
        {"class_name": "TFSMLayer", "module": "keras.layers", "config": {"filepath": "/x"}},
        {"class_name": "Conv2D", "module": "keras_of_somebody.layers", "config": {}},
        {"class_name": "Conv2D", "module": "os", "config": {}},
        {"class_name": "Conv2D", "module": "keras.layers", "registered_name": "mine>Conv2D", "config": {}},
        {"class_name": "function", "module": "builtins", "config": "get_file"},
        {"class_name": "__lambda__", "config": {"value": "AAAA"}},
        {"class_name": "Layer2027", "module": "keras.layers", "config": {}},
        {"class_name": ["Lambda"], "module": "keras.layers", "config": {}},
    ],
)
def test_only_classes_that_are_known_to_run_nothing_pass(tmp_path, entry):
    """Wherever they stand, also as the argument of a layer."""
    path = tmp_path / "model.keras"
    good = {"class_name": "Conv2D", "module": "keras.layers", "registered_name": None, "config": {"x": [{"y": entry}]}}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps({"class_name": "Functional", "config": {"layers": [good]}}))
    with pytest.raises(DataError, match="which is code of its own"):
        read_keras(path)


@pytest.mark.parametrize("content", [b"", b"\x89HDF\r\n\x1a\n cut", b"PK\x03\x04 cut"])
def test_a_broken_file_is_named(tmp_path, content):
    path = tmp_path / "broken.h5"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"broken\.h5 cannot be read"):
        read_keras(path)
