"""What is kept in memory to validate on."""

import types

import pytest

from limner.api import network
from limner.core.recipe import Recipe
from limner.data.images import Header


@pytest.mark.parametrize(
    "channels, dtype, among, pixels",
    [
        (3, "uint8", 3, 400_000_000),
        (1, "uint8", 1, 800_000_000),
        (1, "uint8", 3, 400_000_000),
        (12, "float32", 12, 32_653_061),
    ],
)
def test_as_many_validation_pictures_are_kept_as_memory_takes(channels, dtype, among, pixels):
    """`pixels` of such pictures fill the memory that is meant for them."""
    for more in (0, 1):
        loaded = []
        item = types.SimpleNamespace(name="a")
        facts = {"a": types.SimpleNamespace(header=Header((1, pixels + more), channels, dtype))}
        dataset = types.SimpleNamespace(facts=facts, channels=among, load=loaded.append)
        network.make_validation(dataset, (item,), Recipe(), channels=3, bfloat16=False)
        assert loaded == ([] if more else [item])
