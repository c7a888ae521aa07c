"""Convolutions whose weights lie as oneDNN wants them: for prediction on a CPU, with the same numbers.

Otherwise every call converts the weights to bfloat16 and into the blocked order that the processor's kernels read. ReLU behind a
convolution is computed with it.
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn

from limner.models.blocks.dropout import ReluDropout


class PackedConv(nn.Module):
    """A convolution of fixed weights; ``(N, in, H, W)`` to ``(N, out, H', W')`` in the dtype of its weights.

    Parameters
    ----------
    conv : its weights are copied.
    dtype : of weights and output.
    relu : negative outputs become 0.
    """

    def __init__(self, conv: nn.Conv2d, *, dtype: torch.dtype, relu: bool) -> None:
        super().__init__()
        self.dtype, self.activation = dtype, "relu" if relu else "none"
        self.bias = None if conv.bias is None else conv.bias.detach().to(dtype)
        assert not isinstance(conv.padding, str)
        self.geometry = (list(conv.padding), list(conv.stride), list(conv.dilation), conv.groups)
        weight = conv.weight.detach().to(dtype)
        self.weight = torch.ops.mkldnn._reorder_convolution_weight(weight, *self.geometry, None)

    def forward(self, x: Tensor) -> Tensor:
        """The convolution's output."""
        out: Tensor = torch.ops.mkldnn._convolution_pointwise(
            x.to(self.dtype), self.weight, self.bias, *self.geometry, self.activation, [], ""
        )
        return out


def can_pack() -> bool:
    """Whether this build of torch has the operations of its own compiler that packing uses."""
    names = ("_reorder_convolution_weight", "_convolution_pointwise")
    available: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return available and all(hasattr(torch.ops.mkldnn, name) for name in names)


def pack_convolutions(module: nn.Module, *, dtype: torch.dtype) -> None:
    """Replace the convolutions inside `module`, which is to predict on a CPU in `dtype` from now on and never to train again.

    Left as they are: convolutions in groups or of one pixel, which are quicker unpacked (`benchmarks/packing.py`); those that pad
    with words ("same") or with other values than 0.
    """
    children = list(module.named_children())
    for (name, child), (after_name, after) in itertools.zip_longest(children, children[1:], fillvalue=("", None)):
        if child is None:
            continue
        if not _gains(child):
            pack_convolutions(child, dtype=dtype)
            continue
        assert isinstance(child, nn.Conv2d)
        relu = isinstance(module, nn.Sequential) and isinstance(after, nn.ReLU | ReluDropout)
        setattr(module, name, PackedConv(child, dtype=dtype, relu=relu))
        if relu:
            setattr(module, after_name, nn.Identity())


def _gains(module: nn.Module) -> bool:
    """Whether `module` is a convolution that is quicker packed."""
    return (
        type(module) is nn.Conv2d
        and module.groups == 1
        and max(module.kernel_size) > 1
        and not isinstance(module.padding, str)
        and module.padding_mode == "zeros"
    )
