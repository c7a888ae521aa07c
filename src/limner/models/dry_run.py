"""Send shapes through a network instead of numbers, on torch's "meta" device: milliseconds, whatever the size."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Any

import torch
from torch import nn
from torch.func import functional_call


def dry_run(module: nn.Module, channels: int, size_hw: tuple[int, int]) -> Any:
    """What `module` returns for one picture ``(1, channels, *size_hw)`` in evaluation mode; tensors have shapes, no values.

    The module, its weights and its mode stay as they are.
    """
    state = {key: value.to("meta") for key, value in chain(module.named_parameters(), module.named_buffers())}
    with torch.no_grad(), _evaluating(module):
        return functional_call(module, state, (torch.empty(1, channels, *size_hw, device="meta"),))


@contextmanager
def _evaluating(module: nn.Module) -> Iterator[None]:
    """Evaluation mode inside, every part as it was afterwards."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training
