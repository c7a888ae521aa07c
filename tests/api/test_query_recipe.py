"""What follows from an architecture with query masks."""

import pytest

from limner.api.query_recipe import is_query, with_queries
from limner.core.errors import RecipeError
from limner.core.recipe import Recipe


def test_a_recipe_without_queries_stays_as_it_is():
    recipe = Recipe()
    assert with_queries(recipe) is recipe and not is_query(recipe)


def test_pictures_are_whole_and_of_one_size():
    given = Recipe().override({"model.architecture": "query/eomt", "inference.flips": "x", "augmentation.mosaic": 0.3})
    recipe = with_queries(given)
    assert recipe.data.resize_hw == recipe.data.patch_hw == (512, 512)
    assert recipe.model.options["input_hw"] == (512, 512)
    assert (recipe.objects.head, recipe.inference.flips, recipe.augmentation.mosaic) == ("queries", "", 0.0)
    assert "query masks" in recipe.reasons["data.patch_hw"] and with_queries(recipe) is recipe


def test_only_published_weights_are_moved_slowly():
    random = Recipe().override({"model.architecture": "query/eomt"})
    assert not with_queries(random).encoder.pretrained
    assert with_queries(random.override({"encoder.weights": "folder"})).encoder.pretrained


def test_a_size_that_is_given_holds():
    given = Recipe().override(
        {"model.architecture": "query/eomt", "data.resize_hw": [64, 96], "model.options": {"width": 32}}
    )
    recipe = with_queries(given)
    assert recipe.data.patch_hw == (64, 96) and recipe.model.options == {"width": 32, "input_hw": (64, 96)}
    assert with_queries(Recipe.from_toml(recipe.to_toml())).to_toml().count("input_hw = [64, 96]") == 1


def test_queries_without_a_network_that_has_them():
    with pytest.raises(RecipeError, match=r"objects\.head") as caught:
        with_queries(Recipe().override({"objects.head": "queries"}))
    assert "query/mask2former" in caught.value.fix
