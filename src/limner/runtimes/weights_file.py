"""Weights of a bundle that may come from anybody: what the file states is held against the network before memory is taken."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from limner.core.errors import BundleError

Shapes = dict[str, tuple[int, ...]]
MOST_NAMED = 3  # layers that a message names
FIX = "copy the whole model folder again from the run"


def stated_shapes(file: Path) -> Shapes:
    """Shapes of the tensors of a safetensors file, from its header alone.

    Raises
    ------
    BundleError : no safetensors file, or a header that does not fit its data.
    """
    try:
        with safe_open(file, framework="pt") as opened:
            return {name: tuple(opened.get_slice(name).get_shape()) for name in opened.keys()}  # noqa: SIM118 - no mapping
    except (SafetensorError, OSError, ValueError) as error:
        raise BundleError(
            f"the weights cannot be read: {' '.join(str(error).split())[:160]}",
            expected="a safetensors file", where=str(file), fix=FIX,
        ) from None  # fmt: skip


def build_fitting(make: Callable[[], nn.Module], file: Path, *, architecture: str) -> nn.Module:
    """The network of `make` with the weights of `file`.

    It is made without memory first (torch's "meta" device), so that arguments which somebody wrote into a bundle cannot ask for
    more than the weights beside them fill.

    Parameters
    ----------
    make : builds the network; called twice.
    file : safetensors.
    architecture : for messages.

    Raises
    ------
    BundleError : the file is none, or holds other layers or shapes than the network has.
    """
    stated = stated_shapes(file)
    with torch.device("meta"):
        wanted: Mapping[str, Tensor] = make().state_dict()
    check_shapes(stated, {name: tuple(value.shape) for name, value in wanted.items()}, file, architecture=architecture)
    network = make()
    network.load_state_dict(load_file(file))
    return network


def check_shapes(stated: Shapes, wanted: Shapes, file: Path, *, architecture: str) -> None:
    """Hold the shapes that a file states against those of a network.

    Raises
    ------
    BundleError : they differ; a few of the differences are named.
    """
    differences = [
        f"{name} is {list(stated[name])}, not {list(shape)}" if name in stated else f"{name} is missing"
        for name, shape in wanted.items()
        if stated.get(name) != shape
    ] + [f"{name} is not in the network" for name in stated if name not in wanted]
    if differences:
        more = f" and {len(differences) - MOST_NAMED} more" if len(differences) > MOST_NAMED else ""
        named = "; ".join(text[:120] for text in differences[:MOST_NAMED])
        raise BundleError(
            f"the weights do not fit {architecture}: {named}{more}",
            expected="the weights of this bundle", where=str(file), fix=FIX,
        )  # fmt: skip
