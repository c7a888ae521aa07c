"""One architecture, one file, one Config; the table below is all there is to register."""

from __future__ import annotations

import dataclasses
from typing import Any

from torch import nn

from limner.core.choices import choose
from limner.core.errors import RecipeError
from limner.models.plain_unet import PlainUNet
from limner.models.unet import UNet

ARCHITECTURES: dict[str, type[UNet] | type[PlainUNet]] = {"unet": UNet, "plain_unet": PlainUNet}


PLAIN = "plain"  # an encoder that is described by the architecture's own arguments, without pre-trained weights


def config_fields(architecture: str) -> frozenset[str]:
    """Names of the arguments of an architecture's Config.

    Raises
    ------
    RecipeError : unknown architecture.
    """
    config: Any = choose(ARCHITECTURES, architecture, kind="architecture").Config
    return frozenset(field.name for field in dataclasses.fields(config))


def build(architecture: str, arguments: dict[str, Any], *, channels: int, maps: int) -> nn.Module:
    """The network called `architecture` with `arguments` of its Config.

    Raises
    ------
    RecipeError : unknown architecture or argument.
    """
    config: Any = choose(ARCHITECTURES, architecture, kind="architecture").Config
    try:
        frozen = {key: tuple(value) if isinstance(value, list) else value for key, value in arguments.items()}
        network: nn.Module = config(**frozen).build(channels=channels, maps=maps)
        return network
    except TypeError as error:
        raise RecipeError(
            f"arguments of {architecture}: {error}", expected=f"those of {config.__qualname__}", where="model"
        ) from None
