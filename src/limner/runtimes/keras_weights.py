"""Carry weights of a Keras network over to the same network in torch, layer by layer in the order of computation."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from limner.core.errors import DataError
from limner.runtimes.keras_file import KINDS, KerasLayer

TORCH_KINDS: dict[type[nn.Module], str] = {
    nn.ConvTranspose2d: "Conv2DTranspose",
    nn.Conv2d: "Conv2D",
    nn.BatchNorm2d: "BatchNormalization",
}


def layers_in_order(network: nn.Module, *, channels: int, side: int = 64) -> list[tuple[str, nn.Module]]:
    """Layers with weights as one forward pass meets them."""
    met: list[tuple[str, nn.Module]] = []
    kinds = (nn.Conv2d, nn.ConvTranspose2d, nn.BatchNorm2d)
    hooks = [
        module.register_forward_hook(lambda m, _, __, name=name: met.append((name, m)))
        for name, module in network.named_modules()
        if isinstance(module, kinds)
    ]
    was_training = network.training
    with torch.inference_mode():
        network.eval()(torch.zeros(1, channels, side, side))
    network.train(was_training)
    for hook in hooks:
        hook.remove()
    return met


def carry_over(layers: Sequence[KerasLayer], network: nn.Module, *, channels: int) -> None:
    """Fill `network` with the weights of `layers`.

    Kinds are compared in order; within a file of weights alone, where the order between kinds is lost, each kind has its own
    order and the result is the same.

    Parameters
    ----------
    layers : from `read_keras`.
    network : the same network; changed in place.
    channels : of its input.

    Raises
    ------
    DataError : another number of layers, a layer of another shape, a bias that the network has not, or a batch norm that adds
        another number to the variance.
    """
    own: dict[str, list[tuple[str, nn.Module]]] = defaultdict(list)
    for name, module in layers_in_order(network, channels=channels):
        kind = next(kind for torch_kind, kind in TORCH_KINDS.items() if isinstance(module, torch_kind))
        own[kind].append((name, module))
    theirs: dict[str, list[KerasLayer]] = defaultdict(list)
    for layer in layers:
        theirs[layer.kind].append(layer)
    for kind, word in KINDS.items():
        if len(own[kind]) != len(theirs[kind]):
            raise DataError(
                f"{len(theirs[kind])} {word} layers in the file",
                expected=f"{len(own[kind])}, as the recipe's network has",
                fix="choose the recipe that the network was built from (--recipe)",
            )
        for (name, module), layer in zip(own[kind], theirs[kind], strict=True):
            _fill(name, module, layer)


def _fill(name: str, module: nn.Module, layer: KerasLayer) -> None:
    if isinstance(module, nn.BatchNorm2d):
        assert module.running_mean is not None and module.running_var is not None
        targets: list[Tensor] = [module.weight, module.bias, module.running_mean, module.running_var]
        sources = list(layer.arrays)
        if layer.epsilon and not math.isclose(layer.epsilon, module.eps, rel_tol=1e-4):
            raise DataError(
                f"batch norm '{layer.name}' adds {layer.epsilon:g} to the variance",
                expected=f"{module.eps:g}, as {name} of the recipe's network does",
                fix="give a recipe whose network can have this number in all its batch norms: norm_eps in model.options",
            )
    else:
        assert isinstance(module, nn.Conv2d | nn.ConvTranspose2d)
        # Keras: (h, w, in, out), transposed (h, w, out, in); torch: (out, in, h, w), transposed (in, out, h, w): the same move
        targets = [module.weight]
        sources = [np.ascontiguousarray(layer.arrays[0].transpose(3, 2, 0, 1))]
        if module.bias is not None:
            targets.append(module.bias)
            sources.append(layer.arrays[1] if len(layer.arrays) > 1 else np.zeros(len(module.bias), np.float32))
        elif any(array.any() for array in layer.arrays[1:]):
            raise DataError(
                f"layer '{layer.name}' has a bias",
                expected=f"none, as {name} of the recipe's network has none",
                fix="give a recipe whose network has it: norm_bias = true in model.options",
            )
    if len(sources) != len(targets):
        raise DataError(
            f"layer '{layer.name}' has {len(layer.arrays)} arrays of weights", expected=f"{len(targets)} for {name}",
            fix="save the whole model instead, which says what each layer was made without: model.save('model.keras')",
        )  # fmt: skip
    for target, source in zip(targets, sources, strict=True):
        if tuple(target.shape) != source.shape:
            raise DataError(
                f"layer '{layer.name}' has weights of shape {source.shape}",
                expected=f"{tuple(target.shape)} for {name}",
                fix="choose the recipe that the network was built from (--recipe)",
            )
        with torch.no_grad():
            target.copy_(torch.from_numpy(source))
