"""Published weights of query masks: read from a folder or the hub, with their licence and the colours that they expect."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from limner.core.errors import MachineError, RecipeError

# mean and deviation of colours in 0..1 that published weights expect where they state none
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HEAD = ("class_predictor.", "criterion.", "attn_mask_probs")  # what may differ from published weights
# published weights: the beginning of their name, and their licence
LICENCES = (
    ("facebook/mask2former", "CC-BY-NC-4.0: no commercial use"),
    ("tue-mps/", "MIT"),
)


def colours(weights: str) -> tuple[Tensor, Tensor]:
    """``(1, 3, 1, 1)`` each: what brings ``(x - 127) / 128`` of 8 bit to what `weights` were trained on; 1 and 0 for none."""
    gain, shift = torch.ones(1, 3, 1, 1), torch.zeros(1, 3, 1, 1)
    if weights:
        mean, deviation = (torch.tensor(values).reshape(1, 3, 1, 1) for values in _colour_statistics(weights))
        gain, shift = 128 / (255 * deviation), (127 / 255 - mean) / deviation
    return gain, shift


def licence_of(family: str, weights: str) -> str:
    """The licence of published weights in one line, as far as it is known: of a folder, what its model card states."""
    folder = Path(weights)
    card = folder / "README.md"
    if card.is_file():
        head = card.read_text(encoding="utf-8", errors="replace")[:4000]
        stated = re.search(r"^license:\s*(\S+)", head, re.MULTILINE)
        if stated:
            return f"{folder.name}: {stated[1]} (its model card)"
    for beginning, licence in LICENCES:
        if not folder.exists() and weights.startswith(beginning):
            return f"{weights}: {licence}"
    name = folder.name if folder.exists() else weights
    if family == "mask2former":
        return f"{name}: not stated; published Mask2Former weights are CC-BY-NC-4.0: no commercial use"
    return f"{name}: not stated, see where it comes from"


def filled(network_class: Any, weights: str, settings: Any) -> nn.Module:
    """The network with published weights; its class head has new ones, since the classes are others."""
    with named_errors(weights):
        network, info = network_class.from_pretrained(
            weights, config=settings, ignore_mismatched_sizes=True, output_loading_info=True, use_safetensors=True,
            local_files_only=Path(weights).is_dir(), dtype=torch.float32,
        )  # fmt: skip
    names = sorted({*info["missing_keys"], *(str(entry[0]) for entry in info["mismatched_keys"])})
    strange = [name for name in names if not name.startswith(HEAD)]
    if strange:
        raise RecipeError(
            f"{len(strange)} weights are missing or have another shape, first {strange[0]}",
            expected="the weights that belong to config.json beside them", where=weights,
            fix="fetch the whole folder again, or choose other weights",
        )  # fmt: skip
    made: nn.Module = network
    return made


def _colour_statistics(weights: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation of colours in 0..1, as ``preprocessor_config.json`` of a folder states them; else those of ImageNet."""
    file = Path(weights) / "preprocessor_config.json"
    if not file.is_file():
        return IMAGENET
    try:
        tree = json.loads(file.read_text(encoding="utf-8"))
        mean, deviation = (tuple(float(v) for v in tree[name]) for name in ("image_mean", "image_std"))
    except (ValueError, KeyError, TypeError):
        return IMAGENET
    return (mean, deviation) if len(mean) == len(deviation) == 3 and min(deviation) > 0 else IMAGENET


@contextmanager
def named_errors(weights: str) -> Iterator[None]:
    """Turn whatever the package raises for weights that cannot be had into an error with a remedy."""
    try:
        yield
    except RecipeError:
        raise
    except Exception as error:  # the package and its hub client raise classes of many kinds
        raise MachineError(
            f"no weights could be had from '{weights}' ({one_line(error)})",
            expected="a folder with config.json and model.safetensors, or the name of such a model on the hub and the network",
            where="encoder.weights", fix="correct it, or fetch the folder on another machine and name it here",
        ) from None  # fmt: skip


@contextmanager
def quiet() -> Iterator[None]:
    """No progress bars and no words about the class head, which is new on purpose."""
    logging: Any = importlib.import_module("transformers.utils.logging")
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def one_line(error: Exception) -> str:
    """Kind and words of another library's error."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:160]
