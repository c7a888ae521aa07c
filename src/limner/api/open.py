"""From a name on the command line to something that segments."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from limner.api.extras import require_training
from limner.classical import METHODS
from limner.classical.segmenter import ClassicalSegmenter
from limner.core.bundle import Bundle, read_bundle
from limner.core.choices import nearest
from limner.core.errors import BundleError
from limner.inference.segmenter import NetworkSegmenter


def open_segmenter(
    model: Path, *, tile: int | None = None, keep_scores: bool = False
) -> tuple[NetworkSegmenter, Bundle]:
    """The network of a run folder or bundle, ready to segment.

    Parameters
    ----------
    model : run folder or bundle folder.
    tile : side of a tile in input pixels, in place of the bundle's own choice.
    keep_scores : predictions carry scores as well.

    Raises
    ------
    BundleError : it cannot be opened.
    MachineError : no runtime for it is installed.
    """
    bundle = read_bundle(model)
    require_training()
    import torch

    from limner.runtimes import pytorch
    from limner.runtimes.allocator import keep_freed_memory
    from limner.runtimes.precision import use_bfloat16

    keep_freed_memory()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    predictor = pytorch.load(
        bundle, bfloat16=use_bfloat16(str(bundle.training.get("precision", "auto"))), device=device
    )
    contract = bundle.contract if tile is None else dataclasses.replace(bundle.contract, tile=tile)
    segmenter = NetworkSegmenter(
        predictor, contract, bundle.label_space, int(bundle.arguments["channels"]), keep_scores
    )
    return segmenter, bundle


def classical_method(model: Path | str) -> ClassicalSegmenter | None:
    """The classical method called `model`; None where that is a path, which wins over a name, or names no method.

    Raises
    ------
    BundleError : neither a path nor a name; the nearest names are given.
    """
    if Path(model).exists():
        return None
    if str(model) in METHODS:
        return METHODS[str(model)]
    if len(Path(model).parts) == 1 and not Path(model).suffix:
        hint = nearest(str(model), METHODS)
        raise BundleError(
            f"no model at {model}",
            expected="a run folder, a bundle or the name of a classical method",
            where=str(model),
            fix=f"check the path; methods: {hint}" if hint.startswith("known") else f"check the path, or {hint}",
        )
    return None
