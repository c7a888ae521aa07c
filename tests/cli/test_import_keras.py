"""``limner import-keras``: from a Keras file to a bundle that predicts."""

import numpy as np
import PIL.Image
import pytest

from tests.cli.call import limner, refused

keras_builds = pytest.importorskip("tests.runtimes.keras_builds", reason="needs the keras extra")


@pytest.fixture(scope="module")
def model():
    return keras_builds.with_random_weights(keras_builds.workshop((256, 256)))


def test_the_bundle_answers_as_keras_does_and_predicts(model, tmp_path):
    file = tmp_path / "trained.keras"
    model.save(file)
    outcome = limner("import-keras", file, "--recipe", "workshop-unet", "-o", tmp_path / "bundle", "--json")
    assert outcome.code == 0, outcome.err
    assert outcome.document["weights"] == 1_941_105 and outcome.document["max_abs_difference"] < 1e-4
    pixels = np.random.default_rng(0).integers(0, 255, (256, 256, 3), np.uint8)
    PIL.Image.fromarray(pixels).save(tmp_path / "picture.png")
    outcome = limner("predict", tmp_path / "bundle", tmp_path / "picture.png", "--out", tmp_path / "out", "--scores")
    assert outcome.code == 0, outcome.err
    expected = model.predict(pixels[None] / np.float32(255), verbose=0)[0, ..., 0]
    found = np.load(tmp_path / "out" / "scores" / "picture.npy")[0]
    assert np.abs(found - expected).max() < 2e-3  # scores are written as float16


def test_weights_alone_come_over_uncompared(model, tmp_path):
    file = tmp_path / "only.weights.h5"
    model.save_weights(file)
    outcome = limner("import-keras", file, "--recipe", "workshop-unet", "-o", tmp_path / "bundle", "--json")
    assert outcome.document["max_abs_difference"] is None and "nothing was compared" in outcome.err


def test_another_recipe_is_refused_and_nothing_is_written(model, tmp_path):
    file = tmp_path / "trained.keras"
    model.save(file)
    text = refused(limner("import-keras", file, "--recipe", "pets-unet", "-o", tmp_path / "bundle"))
    assert "--recipe" in text and not (tmp_path / "bundle").exists()


def test_another_activation_is_noticed(tmp_path):
    layers = keras_builds.layers

    def other(layer):
        config = layer.get_config()
        if isinstance(layer, layers.Conv2D) and layer.filters == 256:
            config["activation"] = "tanh"
        return type(layer).from_config(config)

    tampered = keras_builds.keras.models.clone_model(keras_builds.workshop((256, 256)), clone_function=other)
    file = tmp_path / "other.keras"
    keras_builds.with_random_weights(tampered).save(file)
    text = refused(limner("import-keras", file, "--recipe", "workshop-unet", "-o", tmp_path / "bundle"))
    assert "apart on a test picture" in text and not (tmp_path / "bundle").exists()


def test_a_file_that_is_not_there(tmp_path):
    refused(limner("import-keras", tmp_path / "no.h5", "--recipe", "pets-unet", "-o", tmp_path / "bundle"))
    (tmp_path / "some.h5").write_bytes(b"text")
    refused(limner("import-keras", tmp_path / "some.h5", "--recipe", "pet-unet", "-o", tmp_path / "bundle"))


def test_a_model_of_another_input_size_is_compared_at_its_own(tmp_path):
    file = tmp_path / "tall.keras"
    keras_builds.with_random_weights(keras_builds.workshop((96, 64))).save(file)
    outcome = limner("import-keras", file, "--recipe", "workshop-unet", "-o", tmp_path / "bundle", "--json")
    assert outcome.code == 0 and outcome.document["max_abs_difference"] < 1e-4
