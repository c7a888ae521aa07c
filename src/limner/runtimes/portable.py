"""A network as other runtimes can hold it: pictures of any size, and only operations that ONNX has.

A traced graph keeps what was computed from the sizes of its input, and forgets every ``if`` on the way. So the padding of
`limner.models.blocks.sizes.padded`, which is left out where a size fits, is written here without an ``if``; padding inside the
network, which is the same for all sizes that are left then, becomes constant; and two operations that ONNX lacks become products
with matrices that are computed from the sizes:

    y = A(h, H) @ x @ A(w, W)^T
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from timm.layers.conv2d_same import Conv2dSame
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from limner.models.smp import DIVISOR

CUBIC = (
    -0.5
)  # parameter of the cubic kernel that torch uses with antialiasing; Keys 1981, doi:10.1109/TASSP.1981.1163711


class AnySize(nn.Module):
    """`network` behind padding that stays in a traced graph; the same logits for every batch, height and width of at least 1.

    Parameters
    ----------
    network : pads to the last of its encoder's strides (to `DIVISOR` where the encoder names none) and to its own ``least``.
        One that pads to anything else gives other logits here than by itself, which the parity of an export shows.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        strides = getattr(network.encoder, "strides", (DIVISOR,))
        self.multiple, least = int(strides[-1]), int(getattr(network, "least", 1))
        self.least = -(-least // self.multiple) * self.multiple
        self.eval()

    @property
    def traced_hw(self) -> tuple[int, int]:
        """A size that needs no padding, so that the network's own leaves nothing in the graph; its sides differ."""
        return 2 * self.least, 2 * self.least + self.multiple

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``(N, K, H, W)`` of ``(N, C, H, W)``."""
        height, width = x.shape[-2:]
        pads = (0, self._missing(width), 0, self._missing(height))
        x = F.pad(x, pads, mode="replicate")
        with PortableOperations(), constant_padding(self.network):
            logits: Tensor = self.network(x)
        return logits[..., :height, :width]

    def _missing(self, side: Any) -> Any:
        """Pixels that `side` lacks; a tensor while tracing, so that the graph computes it anew for every picture."""
        side = torch.as_tensor(side)
        whole = (side + self.multiple - 1) // self.multiple * self.multiple
        return torch.clamp(whole, min=self.least) - side


@contextmanager
def constant_padding(network: nn.Module) -> Iterator[None]:
    """While it is active, convolutions of `network` that compute their "same" padding from the size of the map take a constant.

    It is the same number for every map whose sides are multiples of the stride, as all maps of an encoder are whose input has
    sides that are multiples of its last stride. Runtimes compute a constant padding within the convolution, and save a tenth.
    """
    layers = [module for module in network.modules() if type(module) is Conv2dSame]
    for layer in layers:
        layer.forward = partial(_convolved, layer)  # type: ignore[method-assign]
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward


def _convolved(layer: nn.Conv2d, x: Tensor) -> Tensor:
    amounts: list[int] = []
    for kernel, stride, dilation in zip(layer.kernel_size[::-1], layer.stride[::-1], layer.dilation[::-1], strict=True):
        total = max((kernel - 1) * dilation + 1 - stride, 0)
        amounts += [total // 2, total - total // 2]
    return F.conv2d(F.pad(x, amounts), layer.weight, layer.bias, layer.stride, 0, layer.dilation, layer.groups)


class PortableOperations(TorchFunctionMode):
    """While it is active, adaptive average pooling and antialiased enlarging are computed by matrices; the same numbers."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """`func`, or what stands for it."""
        kwargs = kwargs or {}
        if func is F.adaptive_avg_pool2d:
            return _pooled(*args, **kwargs)
        if func is F.interpolate and kwargs.get("mode") == "area":
            return _pooled(args[0], kwargs["size"])
        if func is F.interpolate and kwargs.get("mode") == "bicubic" and kwargs.get("antialias"):
            x, (height, width) = args[0], kwargs["size"]
            return cubic(x.shape[2], height) @ x @ cubic(x.shape[3], width).T
        return func(*args, **kwargs)


def _pooled(x: Tensor, output_size: int | Sequence[int | None]) -> Tensor:
    height, width = (output_size, output_size) if isinstance(output_size, int) else output_size
    if height == width == 1:
        return x.mean((2, 3), keepdim=True)
    for axis, size in ((2, height), (3, width)):
        if size is not None:
            x = averages(x.shape[axis], size) @ x if axis == 2 else x @ averages(x.shape[axis], size).T
    return x


def averages(num_in: Any, num_out: int) -> Tensor:
    """``(num_out, num_in)`` weights of adaptive average pooling along one axis: output i is the mean of the inputs from
    ``i * num_in // num_out`` to before ``(i + 1) * num_in / num_out``, rounded up.
    """
    length = torch.as_tensor(num_in)
    row = torch.arange(num_out)
    first, end = row * length // num_out, ((row + 1) * length + num_out - 1) // num_out
    column = torch.arange(length)  # type: ignore[call-overload]
    inside = (column[None] >= first[:, None]) & (column[None] < end[:, None])
    weights: Tensor = inside.float() / (end - first).float()[:, None]
    return weights


def cubic(num_in: Any, num_out: Any) -> Tensor:
    """``(num_out, num_in)`` weights of antialiased bicubic interpolation along one axis; the kernel widens when it shrinks."""
    scale = torch.as_tensor(num_in).float() / torch.as_tensor(num_out).float()
    center = (torch.arange(num_out).float() + 0.5) * scale
    column = torch.arange(num_in).float() + 0.5
    t = ((column[None] - center[:, None]) / torch.clamp(scale, min=1.0)).abs()
    near = ((CUBIC + 2) * t - (CUBIC + 3)) * t * t + 1
    far = (((t - 5) * t + 8) * t - 4) * CUBIC
    weights = torch.where(t < 1, near, torch.where(t < 2, far, torch.zeros_like(t)))
    return weights / weights.sum(1, keepdim=True)
