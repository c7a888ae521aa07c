"""``limner import-keras``: from a Keras file to a bundle that predicts."""

import itertools

import numpy as np
import PIL.Image
import pytest

from limner.api.open import open_segmenter
from limner.core.bundle import read_bundle
from limner.core.named_recipes import named_recipe
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


def normed(channels=3, epsilons=(1e-3,), bias=False):
    """A network of two levels with a batch norm after each convolution; `epsilons` in turn."""
    keras, layers = keras_builds.keras, keras_builds.layers
    numbers = itertools.cycle(epsilons)

    def level(x, width):
        for _ in range(2):
            x = layers.Conv2D(width, 3, padding="same", use_bias=bias)(x)
            x = layers.Activation("relu")(layers.BatchNormalization(epsilon=next(numbers))(x))
        return x

    inputs = keras.Input((48, 64, channels))
    skip = level(inputs, 4)
    x = keras_builds.doubled(level(layers.MaxPooling2D()(skip), 6), 4)
    model = keras_builds.answer(inputs, level(layers.concatenate([x, skip]), 4))
    model = keras_builds.with_random_weights(model)
    for layer in model.layers:  # where the variance is small, what is added to it counts
        if isinstance(layer, layers.BatchNormalization):
            layer.moving_variance.assign(layer.moving_variance * 1e-3)
    return model


def normed_recipe(folder):
    """The recipe of `normed`; it says nothing about what a batch norm adds."""
    options = {"encoder_widths": [4, 6], "upsampling": "transposed", "norm": "conv", "head_kernel": 1}
    recipe = named_recipe("workshop-unet").override({"model.options": options})
    (folder / "normed.toml").write_text(recipe.to_toml())
    return folder / "normed.toml"


@pytest.mark.parametrize("channels", [3, 4])
def test_the_bundle_is_the_network_that_was_compared(tmp_path, channels):
    model, file = normed(channels), tmp_path / "normed.keras"
    model.save(file)
    if channels == 4:  # no test picture has four
        model.save_weights(file := tmp_path / "normed.weights.h5")
    outcome = limner("import-keras", file, "--recipe", normed_recipe(tmp_path), "-o", tmp_path / "bundle", "--json")
    assert outcome.code == 0, outcome.err
    segmenter, bundle = open_segmenter(tmp_path / "bundle", runtime="torch", keep_scores=True)
    assert bundle.contract.channels == bundle.arguments["channels"] == channels
    if channels == 3:
        assert bundle.arguments["norm_eps"] == pytest.approx(1e-3)
        pixels = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
        expected = model.predict(pixels[None] / np.float32(255), verbose=0)[0, ..., 0]
        assert expected.std() > 0.01
        assert np.abs(segmenter.segment(Sample("a", pixels)).scores[0] - expected).max() < 1e-4


@pytest.mark.parametrize(
    "arguments, words", [({"epsilons": (1e-3, 1e-5)}, "to the variance"), ({"bias": True}, "has a bias")]
)
def test_what_the_network_cannot_have_is_refused(tmp_path, arguments, words):
    normed(**arguments).save(tmp_path / "normed.keras")
    recipe = normed_recipe(tmp_path)
    text = refused(limner("import-keras", tmp_path / "normed.keras", "--recipe", recipe, "-o", tmp_path / "bundle"))
    assert words in text and "model.options" in text and not (tmp_path / "bundle").exists()
