"""``limner models``: the list, one model, names that do not exist; and classical methods where a model is expected."""

import json

import numpy as np
import PIL.Image
import pytest

from limner.core.named_recipes import named_recipe, recipe_names
from tests.cli.call import limner, refused

PUBLISHED = {
    "brain-tumour-unet": (3, 31_055_297),
    "spleen-unet": (1, 1_927_841),
    "workshop-unet": (3, 1_941_105),
    "pets-unet": (3, 6_667_639),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_recipes_have_the_published_number_of_weights(name):
    channels, weights = PUBLISHED[name]
    row = limner("models", name, "--channels", channels, "--classes", 1, "--json").document
    assert row["weights_total"] == weights
    assert row["input_hw"] == row["output_hw"] == [256, 256]
    assert sum(layer["weights"] for layer in row["layers"]) == weights
    assert row["parameters"] <= weights and row["gmacs"] > 1


def test_the_enhanced_deeplab_is_large_and_cheap_enough():
    row = limner("models", "tongue-deeplabv3plus", "--json").document
    assert row["weights_total"] > 40_000_000 and row["gmacs"] < 160
    assert row["input_hw"] == row["output_hw"] == [512, 512]


def test_channels_and_classes_change_first_and_last_layer():
    one = limner("models", "workshop-unet", "--channels", 1, "--json").document["weights_total"]
    four = limner("models", "workshop-unet", "--channels", 1, "--classes", 4, "--json").document["weights_total"]
    assert one == 1_940_817 and four - one == 3 * (16 + 1)


def test_all_kinds_are_listed_with_their_source():
    rows = limner("models", "--json").document["models"]
    kinds = {
        kind: {row["name"] for row in rows if row["kind"] == kind} for kind in ("architecture", "recipe", "classical")
    }
    assert {"unet", "unetpp", "attention-unet", "fpn", "deeplabv3plus", "deeplabv3plus-enhanced"} <= kinds[
        "architecture"
    ]
    assert set(recipe_names()) == kinds["recipe"]
    assert {"otsu", "canny", "watershed", "fuzzy-cmeans"} <= kinds["classical"]
    assert all(len(row["source"]) > 10 for row in rows if "missing" not in row)
    assert all(row["weights_total"] > 0 and row["gmacs"] > 0 for row in rows if "weights_total" in row)


def test_a_table_for_people():
    shown = limner("models", "pets-unet").out
    assert "6,667,639 weights" in shown and "head" in shown and "System D" in shown
    assert "1979" in limner("models", "otsu").out


def test_an_unknown_name_names_the_nearest():
    assert "'pets-unet'" in refused(limner("models", "pet-unet"))
    refused(limner("models", "unet", "--channels", 0))


@pytest.mark.parametrize("name", recipe_names())
def test_named_recipes_are_read_and_survive_the_round_trip(name):
    recipe = named_recipe(name)
    assert type(recipe).from_toml(recipe.to_toml()) == recipe
    assert recipe.data.resize_hw == recipe.data.patch_hw and not recipe.encoder.pretrained


def picture(path, seed=0):
    rng = np.random.default_rng(seed)
    image = rng.normal(60, 5, (41, 57)).clip(0, 255)
    image[10:25, 20:45] += 120
    PIL.Image.fromarray(image.astype(np.uint8)).save(path)


def test_a_classical_method_predicts_where_a_model_is_expected(tmp_path):
    picture(tmp_path / "a.png")
    outcome = limner("predict", "otsu", tmp_path / "a.png", "--out", tmp_path / "out", "--json")
    assert outcome.code == 0 and outcome.document["classes"] == ["background", "foreground"]
    labels = np.array(PIL.Image.open(tmp_path / "out" / "a.png"))
    expected = np.zeros((41, 57), int)
    expected[10:25, 20:45] = 1
    assert (labels != expected).mean() < 0.01
    manifest = json.loads((tmp_path / "out" / "predictions.json").read_text())
    assert manifest["model"] == "otsu"


def test_options_that_need_a_network_are_refused_for_a_classical_method(tmp_path):
    picture(tmp_path / "a.png")
    text = refused(limner("predict", "otsu", tmp_path / "a.png", "--out", tmp_path / "out", "--scores"), code=2)
    assert "--scores" in text and not (tmp_path / "out").exists()


def test_a_misspelt_method_names_the_nearest(tmp_path):
    picture(tmp_path / "a.png")
    assert "'otsu'" in refused(limner("predict", "otsuu", tmp_path / "a.png", "--out", tmp_path / "out"))
    assert "'watershed'" in refused(limner("evaluate", "watersheds", tmp_path))


def test_a_classical_method_is_scored(tmp_path):
    for part in ("images", "masks"):
        (tmp_path / part).mkdir()
    for number in range(3):
        picture(tmp_path / "images" / f"{number}.png", number)
        mask = np.zeros((41, 57), np.uint8)
        mask[10:25, 20:45] = 255
        PIL.Image.fromarray(mask).save(tmp_path / "masks" / f"{number}.png")
    found = limner("evaluate", "otsu", tmp_path, "--json").document
    assert found["model"] == "otsu" and found["scores"]["dice"]["foreground"]["mean"] > 0.95
