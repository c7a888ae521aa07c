"""Makes a timm network that returns feature maps, and refuses with a reason the ones that no decoder here can use."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import timm
from timm.layers.eca import EcaModule
from torch import nn

from limner.core.choices import nearest
from limner.core.errors import RecipeError
from limner.models.dry_run import dry_run

REMEDY = "use tf_efficientnet_lite0, resnet34, convnext_tiny or swin_tiny_patch4_window7_224"
ONE_SIZE = "it takes pictures of one size only"
REFUSALS = (RuntimeError, AttributeError, TypeError, AssertionError, ValueError, NotImplementedError, KeyError)


def make_backbone(name: str, *, channels: int, output_stride: int, eca: bool) -> nn.Module:
    """The timm network `name` as a list of feature maps, with random weights; for arguments see `Encoder`.

    Raises
    ------
    RecipeError : an unknown name, or timm will not make it so.
    """
    sizes = size_options(name)
    if output_stride not in (8, 16, 32):
        raise RecipeError(
            f"output_stride = {output_stride}",
            expected="8, 16 or 32",
            where="model.options.output_stride",
            fix="use 16",
        )
    strides: list[dict[str, Any]] = [{}] if output_stride == 32 else [{"output_stride": output_stride}, {}]
    attention: dict[str, Any] = {"block_args": {"attn_layer": "eca"}} if eca else {}
    why = ""
    for size, stride in product(sizes, strides):
        options = {**size, **stride, **attention}
        try:
            made: nn.Module = timm.create_model(
                name, features_only=True, pretrained=False, in_chans=channels, **options
            )
        except REFUSALS as error:
            why = first_line(error)
            continue
        if not eca or eca_modules(made):
            return made
    if eca:
        raise RecipeError(
            f"encoder '{name}' takes no channel attention into its blocks",
            expected="a ResNet",
            where="encoder.name",
            fix="use --set encoder.name=resnet101, or --set 'model.options={eca=false}'",
        )
    raise no_pyramid(name, ONE_SIZE if sizes[0] else why)


def size_options(name: str) -> list[dict[str, Any]]:
    """Arguments to try in turn so that the timm network `name` takes pictures of any size; for most it needs none.

    Raises
    ------
    RecipeError : timm does not know the name.
    """
    if not timm.is_model(name):
        raise RecipeError(
            f"unknown encoder '{name}'",
            expected="a timm model",
            where="encoder.name",
            fix=nearest(name, timm.list_models()),
        )
    facts = timm.models.get_pretrained_cfg(name)
    fixed = facts is not None and facts.fixed_input_size
    return [{"dynamic_img_size": True}, {"strict_img_size": False}] if fixed else [{}]


def eca_modules(backbone: nn.Module) -> tuple[str, ...]:
    """Names of the modules of efficient channel attention."""
    return tuple(name for name, module in backbone.named_modules() if isinstance(module, EcaModule))


def check_maps(encoder: nn.Module, name: str, *, inputs: int, channels: Sequence[int], strides: Sequence[int]) -> None:
    """Run a new encoder once without numbers, to be sure that its maps are what `channels` and `strides` say.

    Raises
    ------
    RecipeError : they are not, or there is one stride only.
    """
    if len(set(strides)) == 1 or sorted(strides) != list(strides) or any(s & (s - 1) for s in strides):
        raise no_pyramid(name, f"its maps have strides {', '.join(map(str, strides))}")
    height, width = 2 * strides[-1], 3 * strides[-1]
    try:
        maps = dry_run(encoder, inputs, (height, width))
    except REFUSALS as error:
        raise no_pyramid(name, f"a picture of {height} x {width} is refused: {first_line(error)}") from None
    found = [tuple(y.shape[1:]) for y in maps]
    if found != [(c, height // s, width // s) for c, s in zip(channels, strides, strict=True)]:
        raise no_pyramid(name, f"for {height} x {width} its maps are {found}, not as its strides say")


def no_pyramid(name: str, why: str) -> RecipeError:
    """The error for an encoder that cannot be used."""
    return RecipeError(
        f"encoder '{name}' does not suit this network ({why})",
        expected="maps of several strides for pictures of any size",
        where="encoder.name",
        fix=f"{REMEDY}; vision transformers with one stride fit --set model.architecture=smp/dpt",
    )


def first_line(error: Exception) -> str:
    """What an error of another library says, in one line."""
    return (str(error) or type(error).__name__).splitlines()[0]
