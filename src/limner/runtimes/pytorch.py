"""Prediction with torch, on CPU or GPU."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from limner.core.bundle import Bundle
from limner.core.errors import BundleError, RecipeError
from limner.models import build
from limner.runtimes.packed import can_pack, pack_convolutions
from limner.runtimes.weights_file import build_fitting


class TorchPredictor:
    """A `Predictor` around a module.

    Parameters
    ----------
    model : returns logits at input size.
    bfloat16 : compute in bfloat16 where autocast allows.
    """

    def __init__(self, model: nn.Module, *, bfloat16: bool) -> None:
        self.model = model
        self.device = next(
            (p.device for p in model.parameters()), torch.device("cpu")
        )  # packed weights are no parameters
        self.bfloat16 = bfloat16
        self.name = "torch bfloat16" if bfloat16 else "torch"

    def __call__(self, batch: npt.NDArray[np.float32], /) -> npt.NDArray[np.float32]:
        """Logits ``(N, K, H, W)`` of a batch ``(N, C, H, W)``; the model is in evaluation mode while it runs."""
        training = self.model.training
        self.model.eval()
        x = torch.from_numpy(batch).to(self.device).contiguous(memory_format=torch.channels_last)
        cast: Any = torch.autocast(self.device.type, torch.bfloat16) if self.bfloat16 else contextlib.nullcontext()
        try:
            with torch.inference_mode(), cast:
                logits = self.model(x)
        finally:
            self.model.train(training)
        return np.asarray(logits.float().cpu().numpy(), np.float32)


def load(bundle: Bundle, *, bfloat16: bool, device: str = "cpu") -> TorchPredictor:
    """The network of `bundle`, ready to predict.

    Raises
    ------
    BundleError : a network that is not known or cannot be built so, or weights that are damaged or do not fit it.
    """
    arguments = dict(bundle.arguments)
    try:
        channels, maps = arguments.pop("channels"), arguments.pop("maps")
        wanted = bundle.contract.num_maps(bundle.label_space)
        if not (type(channels) is int and type(maps) is int and channels > 0 and maps == wanted):
            raise RecipeError(f"channels = {channels!r}, maps = {maps!r}", expected=f"{wanted} maps")
        model = build_fitting(
            lambda: build(bundle.architecture, arguments, channels=channels, maps=maps), bundle.weights,
            architecture=bundle.architecture,
        )  # fmt: skip
    except (RecipeError, KeyError) as error:
        raise BundleError(
            error.found if isinstance(error, RecipeError) else f"the arguments lack {error}",
            expected=error.expected if isinstance(error, RecipeError) else "the arguments of the network",
            where=str(bundle.folder / "bundle.json"),
            fix="copy the whole model folder again from the run, or update Limner: pip install -U limner",
        ) from None
    return ready(model, bfloat16=bfloat16, device=device)


def ready(model: nn.Module, *, bfloat16: bool, device: str = "cpu") -> TorchPredictor:
    """A predictor around a trained `model`, which is changed for speed and cannot be trained any more; answers are the same."""
    model = model.to(device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
    if bfloat16 and device == "cpu" and can_pack():
        pack_convolutions(model, dtype=torch.bfloat16)
    return TorchPredictor(model, bfloat16=bfloat16)
