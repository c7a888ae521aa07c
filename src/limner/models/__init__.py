"""One architecture, one file, one Config; the table below is all there is to register."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from torch import nn

from limner.core.choices import choose, nearest
from limner.core.errors import RecipeError
from limner.models.attention_unet import AttentionUNet
from limner.models.deeplabv3plus import DeepLabV3Plus
from limner.models.deeplabv3plus_enhanced import EnhancedDeepLabV3Plus
from limner.models.fpn import FPN
from limner.models.plain_encoder import PLAIN
from limner.models.query_masks import QUERY_MASKS
from limner.models.residual_unet import ResidualUNet
from limner.models.smp import SMP
from limner.models.unet import UNet
from limner.models.unetpp import UNetPlusPlus

__all__ = ["ARCHITECTURES", "NETWORKS", "PLAIN", "build", "config_fields"]


# each has `Config`, a frozen dataclass with ``build(channels=, maps=)``, and `source`, the paper in one line
ARCHITECTURES: dict[str, Any] = {
    "unet": UNet,
    "attention-unet": AttentionUNet,
    "unetpp": UNetPlusPlus,
    "residual-unet": ResidualUNet,
    "fpn": FPN,
    "deeplabv3plus": DeepLabV3Plus,
    "deeplabv3plus-enhanced": EnhancedDeepLabV3Plus,
    **SMP,
}

NETWORKS: dict[str, Any] = {**ARCHITECTURES, **QUERY_MASKS}  # the latter answer masks of queries, not maps of classes


def config_fields(architecture: str) -> frozenset[str]:
    """Names of the arguments of an architecture's Config.

    Raises
    ------
    RecipeError : unknown architecture.
    """
    config: Any = choose(NETWORKS, architecture, kind="architecture").Config
    return frozenset(field.name for field in dataclasses.fields(config))


def build(architecture: str, arguments: Mapping[str, Any], *, channels: int, maps: int) -> nn.Module:
    """The network called `architecture` with `arguments` of its Config; lists and tuples are the same.

    Raises
    ------
    RecipeError : unknown architecture or argument, or a value of another kind.
    """
    config: Any = choose(NETWORKS, architecture, kind="architecture").Config
    kinds = {field.name: str(field.type) for field in dataclasses.fields(config)}
    given: dict[str, Any] = {}
    for name, value in arguments.items():
        if name not in kinds:
            raise RecipeError(
                f"{architecture} has no argument '{name}'",
                expected=f"one of {', '.join(sorted(kinds))}",
                where=f"model.options.{name}",
                fix=nearest(name, kinds),
            )
        converted = _convert(value, kinds[name])
        if converted is None or (name == "dropout" and not 0 <= converted < 1):
            raise RecipeError(
                f"{name} = {value!r}",
                expected="a share from 0 to below 1" if name == "dropout" else WORDS[kinds[name]],
                where=f"model.options.{name}",
                fix=f"correct {name}",
            )
        given[name] = converted
    network: nn.Module = config(**given).build(channels=channels, maps=maps)
    return network


WORDS = {  # kinds of arguments, as the Configs write them
    "str": "a word",
    "bool": "true or false",
    "int": "a whole number above 0",
    "float": "a number",
    "tuple[int, ...]": "a list of whole numbers above 0",
    "tuple[float, ...]": "a list of numbers",
}


def _convert(value: Any, kind: str) -> Any:
    """`value` as the kind of its argument; None when it is another."""
    if kind.startswith("tuple") and isinstance(value, list | tuple):
        entries = tuple(_convert(entry, kind[len("tuple[") :].partition(",")[0]) for entry in value)
        return None if None in entries else entries
    if kind == "float" and type(value) in (int, float):
        return float(value)
    if kind == "int":
        return value if type(value) is int and value > 0 else None
    return value if type(value).__name__ == kind else None
