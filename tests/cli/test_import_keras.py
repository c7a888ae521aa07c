"""``limner import-keras``: from a Keras file to a bundle that predicts."""

import numpy as np
import PIL.Image
import pytest

from limner.api.open import open_segmenter
from limner.core.bundle import read_bundle
from limner.core.sample import Sample
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
    assert read_bundle(tmp_path / "bundle").contract.resize_hw == (96, 64)
    assert "resized to 96 x 64" in outcome.err and "256 x 256" in outcome.err


def test_a_model_of_any_size_keeps_the_size_of_the_recipe(tmp_path):
    file = tmp_path / "any.keras"
    keras_builds.with_random_weights(keras_builds.workshop((None, None))).save(file)
    outcome = limner("import-keras", file, "--recipe", "workshop-unet", "-o", tmp_path / "bundle")
    assert outcome.code == 0 and "resized" not in outcome.err
    assert read_bundle(tmp_path / "bundle").contract.resize_hw == (256, 256)


@pytest.mark.parametrize("kind", ["activation", "layer", "logits"])
def test_two_maps_that_compete_become_one_with_the_same_scores(tmp_path, kind):
    keras, layers = keras_builds.keras, keras_builds.layers
    whole = keras_builds.workshop((48, 64))
    maps = layers.Conv2D(2, 1, activation="softmax" if kind == "activation" else None)(whole.layers[-1].input)
    maps = layers.Softmax()(maps) if kind == "layer" else maps
    model = keras_builds.with_random_weights(keras.Model(whole.input, maps))
    file = tmp_path / "two.keras"
    model.save(file)
    outcome = limner("import-keras", file, "--recipe", "workshop-unet", "-o", tmp_path / "bundle", "--json")
    assert outcome.code == 0 and outcome.document["max_abs_difference"] < 1e-4 and "two maps" in outcome.err
    segmenter, bundle = open_segmenter(tmp_path / "bundle", runtime="torch", keep_scores=True)
    assert bundle.arguments["maps"] == 1 and bundle.label_space.names == ("background", "foreground")
    pixels = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
    logits = model.predict(pixels[None] / np.float32(255), verbose=0)[0]
    expected = logits.argmax(-1)
    found = segmenter.segment(Sample("a", pixels))
    assert (found.labels != expected).mean() < 0.001
    scores = logits if kind != "logits" else np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    assert np.abs(found.scores[0] - scores[..., 1]).max() < 1e-3


def test_two_maps_that_do_not_compete_are_refused(tmp_path):
    keras, layers = keras_builds.keras, keras_builds.layers
    whole = keras_builds.workshop((48, 64))
    maps = layers.Conv2D(2, 1, activation="sigmoid")(whole.layers[-1].input)
    file = tmp_path / "two.keras"
    keras_builds.with_random_weights(keras.Model(whole.input, maps)).save(file)
    text = refused(limner("import-keras", file, "--recipe", "workshop-unet", "-o", tmp_path / "bundle"))
    assert "apart on a test picture" in text and not (tmp_path / "bundle").exists()
