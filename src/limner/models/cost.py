"""What a network costs: its weights, the arithmetic of one forward pass, and both per layer.

Nothing is computed: shapes alone are sent through the network, on torch's "meta" device. Multiply-accumulates are those of
convolutions, transposed convolutions, matrix products and attention; norms, activations and interpolation are left out, as usual.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from limner.models.dry_run import dry_run

STATISTICS = ("running_mean", "running_var")


@dataclass(frozen=True)
class LayerRow:
    """One layer of `layer_table`.

    Parameters
    ----------
    name : where it stands in the network, as in the state dict.
    kind : its class.
    output_shape : without the batch; () for a layer that the forward pass does not call by itself.
    weights : its own, as in `weights_total`.
    """

    name: str
    kind: str
    output_shape: tuple[int, ...]
    weights: int


def parameters(module: nn.Module) -> int:
    """Numbers that training changes by gradients."""
    return sum(parameter.numel() for parameter in module.parameters())


def weights_total(module: nn.Module) -> int:
    """`parameters` plus the running means and variances of batch norms: what Keras calls the number of weights."""
    return parameters(module) + sum(
        buffer.numel() for name, buffer in module.named_buffers() if name.rpartition(".")[2] in STATISTICS
    )


def gmacs(module: nn.Module, channels: int, size_hw: tuple[int, int]) -> float:
    """Billions of multiply-accumulates of one forward pass of one picture ``(channels, *size_hw)``.

    Examples
    --------
    >>> gmacs(nn.Conv2d(3, 10, 3, padding=1), 3, (100, 200))
    0.0054
    """
    with FlopCounterMode(display=False) as counter:
        dry_run(module, channels, size_hw)
    return float(counter.get_total_flops()) / 2 / 1e9


def output_hw(module: nn.Module, channels: int, size_hw: tuple[int, int]) -> tuple[int, int]:
    """Height and width of the network's output for a picture of `size_hw`."""
    height, width = dry_run(module, channels, size_hw).shape[-2:]
    return height, width


def layer_table(module: nn.Module, channels: int, size_hw: tuple[int, int]) -> list[LayerRow]:
    """The layers in the order in which the forward pass calls them; those that it does not call by themselves come last."""
    names = {layer: name for name, layer in module.named_modules() if _is_layer(layer)}
    weights = {layer: _own_weights(layer) for layer in names}
    shapes: dict[nn.Module, tuple[int, ...]] = {}

    def note(layer: nn.Module, inputs: Any, output: Any) -> None:
        if isinstance(output, Tensor):
            shapes.setdefault(layer, tuple(output.shape[1:]))

    hooks = [layer.register_forward_hook(note) for layer in names]
    try:
        dry_run(module, channels, size_hw)
    finally:
        for hook in hooks:
            hook.remove()
    silent = [layer for layer in names if layer not in shapes and weights[layer]]
    return [
        LayerRow(names[layer], type(layer).__name__, shapes.get(layer, ()), weights[layer])
        for layer in [*shapes, *silent]
    ]


def _is_layer(module: nn.Module) -> bool:
    return not any(module.children()) or any(True for _ in module.parameters(recurse=False))


def _own_weights(layer: nn.Module) -> int:
    own = sum(parameter.numel() for parameter in layer.parameters(recurse=False))
    return own + sum(b.numel() for name, b in layer.named_buffers(recurse=False) if name in STATISTICS)
