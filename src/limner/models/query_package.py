"""The half of query masks that knows the package `transformers`: its classes and settings.

The package takes seconds to import, so that it is imported when a network is built.
"""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limner.core.errors import MachineError, RecipeError
from limner.models.query_weights import filled, named_errors, one_line, quiet

NEEDS = 'pip install "transformers>=5.0" scipy'
DEFAULT_HW = (256, 256)  # of a random network
PUBLISHED_HW = (512, 512)  # where weights name no size
OF_BACKBONES = ("out_features", "out_indices")  # settings that every backbone of the package has
UNUSED = ("encoder.swin.layernorm.weight", "encoder.swin.layernorm.bias")  # behind the last map that anything reads


def build_inner(family: str, config: Any, *, num_classes: int) -> tuple[nn.Module, tuple[int, int], str]:
    """The package's network with a class head for `num_classes`, the size of its pictures, and its settings as JSON.

    Raises
    ------
    MachineError : the package is missing, or the weights cannot be had.
    RecipeError : sizes that do not go together, or weights of another family.
    """
    package = _package(family)
    if config.settings:
        settings = _from_text(package, config.settings)
    elif config.weights:
        settings = _from_weights(package, family, config.weights)
    else:
        settings = _small(package, family, config)
    settings.num_labels = num_classes
    _set_dropout(family, settings, config.dropout)
    input_hw = _input_size(family, settings, config)
    text = json.dumps(_plain(package, settings.to_diff_dict()), sort_keys=True)
    with quiet():
        if config.weights and not config.settings:
            return filled(package.Network, config.weights, settings), input_hw, text
        return package.Network(settings), input_hw, text


class _Package:
    """The classes of one family."""

    def __init__(self, network: Any, settings: Any, backbone: Any) -> None:
        self.Network, self.Settings, self.Backbone = network, settings, backbone


def _package(family: str) -> _Package:
    """The package's classes, the network's with a method ``answers`` that returns what each layer answers, in order."""
    try:
        importlib.import_module("scipy.optimize")  # the package's networks ask for it when they are built
        transformers: Any = importlib.import_module("transformers")
    except ImportError as error:
        raise MachineError(
            f"query/{family} needs the packages transformers and scipy ({error})", expected="both",
            where="model.architecture", fix=NEEDS,
        ) from None  # fmt: skip
    if family == "mask2former":

        class Mask2Former(transformers.Mask2FormerForUniversalSegmentation):  # type: ignore[misc]
            """The network, with the answers of its layers."""

            def answers(self, x: Tensor) -> list[tuple[Tensor, Tensor]]:
                found = self(pixel_values=x, output_auxiliary_logits=True)
                layers = [
                    (each["masks_queries_logits"], each["class_queries_logits"]) for each in found.auxiliary_logits
                ]
                return [*layers, (found.masks_queries_logits, found.class_queries_logits)]

        return _Package(Mask2Former, transformers.Mask2FormerConfig, transformers.SwinConfig)

    class Eomt(transformers.EomtForUniversalSegmentation):  # type: ignore[misc]
        """The network, with the answers of its layers: all while training, else the last."""

        def answers(self, x: Tensor) -> list[tuple[Tensor, Tensor]]:
            self._found: list[tuple[Tensor, Tensor]] = []
            self(pixel_values=x)
            found, self._found = self._found, []
            return found

        def predict(self, logits: Tensor) -> tuple[Tensor, Tensor]:
            masks, classes = super().predict(logits)
            self._found.append((masks, classes))
            return masks, classes

    return _Package(Eomt, transformers.EomtConfig, None)


def adapt(inner: nn.Module, family: str, input_hw: tuple[int, int]) -> nn.Module:
    """`inner` for pictures of `input_hw`; the places of a ViT's patches are interpolated, those of Mask2Former need nothing.

    EoMT's masks over its attention, which its training fades out (section 3.3 of the paper), are left out from the beginning: the
    published networks have none any more, and without them a network answers alike in training and in use.
    """
    if next(inner.parameters()).is_meta:
        # a network without numbers, for its shapes alone; the package makes some weights elsewhere all the same
        inner = inner.to("meta")
    if family == "mask2former":
        for name, weight in inner.named_parameters():
            if name.endswith(UNUSED):  # several processes would wait for its gradient
                weight.requires_grad_(False)
        return inner
    eomt: Any = inner
    patch, side = int(eomt.config.patch_size), int(eomt.config.image_size)
    grid, old = (input_hw[0] // patch, input_hw[1] // patch), side // patch
    if grid != (old, old):
        places = eomt.embeddings.position_embeddings.weight.detach().reshape(1, old, old, -1).permute(0, 3, 1, 2)
        resized = F.interpolate(places, size=grid, mode="bicubic", align_corners=False)
        resized = resized.permute(0, 2, 3, 1).reshape(grid[0] * grid[1], -1)
        eomt.embeddings.position_embeddings = nn.Embedding(grid[0] * grid[1], resized.shape[1], _weight=resized)
        numbers = torch.arange(len(resized), device=resized.device).expand((1, -1))
        eomt.embeddings.register_buffer("position_ids", numbers, persistent=False)
    eomt.grid_size = grid
    probabilities = eomt._buffers.pop("attn_mask_probs")
    eomt.attn_mask_probs = (0.0,) * len(probabilities)
    return inner


def _plain(package: _Package, tree: Any) -> dict[str, Any]:
    """Those settings that describe the network: numbers and words that its class and its backbone's class know.

    Nothing else of a stranger's file is obeyed: the package knows settings that fetch code or further weights from the hub.

    Raises
    ------
    TypeError : settings of another kind, or another backbone than Swin.
    """
    if not isinstance(tree, dict):
        raise TypeError("no table")
    known = {k: v for k, v in tree.items() if k in package.Settings.__annotations__ and _is_plain(v)}
    backbone = tree.get("backbone_config")
    if package.Backbone is not None:
        if not isinstance(backbone, dict) or backbone.get("model_type", "swin") != "swin":
            raise TypeError("another backbone than swin")
        names = {*package.Backbone.__annotations__, *OF_BACKBONES}
        inner = {k: v for k, v in backbone.items() if k in names and _is_plain(v)}
        known["backbone_config"] = {"model_type": "swin", **inner}
    return known


def _is_plain(value: Any) -> bool:
    return isinstance(value, int | float | str) or (isinstance(value, list | tuple) and all(map(_is_plain, value)))


def _from_text(package: _Package, text: str) -> Any:
    try:
        return package.Settings.from_dict(_plain(package, json.loads(text)))
    except Exception as error:  # the package checks its settings with classes of its own
        raise RecipeError(
            f"model.options.settings cannot be read ({one_line(error)})", expected="the JSON that a bundle of this network carries",
            where="model.options.settings", fix="leave it out, or update transformers: pip install -U transformers",
        ) from None  # fmt: skip


def _from_weights(package: _Package, family: str, weights: str) -> Any:
    """The settings that belong to published weights, without the classes of the data they were trained on."""
    with quiet(), named_errors(weights):
        tree, _ = package.Settings.get_config_dict(weights, local_files_only=Path(weights).is_dir())
    found = tree.get("model_type")
    if found != family:
        raise RecipeError(
            f"{weights} holds a model of the kind '{found}'", expected=f"'{family}'", where="encoder.weights",
            fix=f"choose weights of {family}, or --set model.architecture=query/{found}",
        )  # fmt: skip
    try:
        return package.Settings.from_dict(_plain(package, tree))
    except TypeError as error:
        raise RecipeError(
            f"{weights} cannot be used here: {error}", expected="Mask2Former on Swin, or EoMT", where="encoder.weights",
            fix="choose other weights",
        ) from None  # fmt: skip


def _small(package: _Package, family: str, config: Any) -> Any:
    """Settings of a small network."""
    width, layers = config.width, config.layers
    if width % 32:
        raise RecipeError(
            f"width = {width}", expected="a multiple of 32", where="model.options.width", fix="use 32, 64 or 128"
        )
    if family == "eomt":
        return package.Settings(
            hidden_size=width, num_hidden_layers=2 * layers, num_blocks=layers, num_attention_heads=width // 16,
            num_queries=config.queries, image_size=max(config.input_hw or DEFAULT_HW), num_register_tokens=1,
            layerscale_value=1.0,
        )  # fmt: skip
    swin = package.Backbone(
        embed_dim=width // 2, depths=[1, 1, 1, 1], num_heads=[width // 32 * n for n in (1, 2, 4, 8)], window_size=8,
        image_size=max(config.input_hw or DEFAULT_HW), drop_path_rate=0.0,
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )  # fmt: skip
    return package.Settings(
        backbone_config=swin, feature_size=width, mask_feature_size=width, hidden_dim=width, encoder_layers=2,
        decoder_layers=layers + 1, encoder_feedforward_dim=2 * width, dim_feedforward=2 * width,
        num_attention_heads=width // 16, num_queries=config.queries,
    )  # fmt: skip


def _set_dropout(family: str, settings: Any, dropout: float) -> None:
    names = ("dropout",) if family == "mask2former" else ("hidden_dropout_prob", "attention_dropout")
    for name in names:
        setattr(settings, name, dropout)


def _input_size(family: str, settings: Any, config: Any) -> tuple[int, int]:
    if config.input_hw:
        if len(config.input_hw) != 2:
            raise RecipeError(
                f"input_hw = {list(config.input_hw)}", expected="height and width", where="model.options.input_hw",
                fix="use [512, 512]",
            )  # fmt: skip
        return config.input_hw[0], config.input_hw[1]
    if family == "eomt":
        return int(settings.image_size), int(settings.image_size)
    return PUBLISHED_HW if config.weights else DEFAULT_HW
