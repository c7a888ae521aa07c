"""From a name on the command line to something that segments."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from limner.api.extras import require_training
from limner.classical import METHODS
from limner.classical.segmenter import ClassicalSegmenter
from limner.core.bundle import Bundle, read_bundle
from limner.core.choices import nearest
from limner.core.errors import BundleError, RecipeError, UsageError
from limner.core.protocols import Segmenter
from limner.inference.segmenter import NetworkSegmenter


def open_segmenter(model: Path, *, tile: int | None = None, keep_scores: bool = False) -> tuple[Segmenter, Bundle]:
    """The network or the tuned classical method of a run folder or bundle, ready to segment.

    Parameters
    ----------
    model : run folder or bundle folder.
    tile : side of a tile in input pixels, in place of the bundle's own choice; networks only.
    keep_scores : predictions carry scores as well, where the model has any: classical methods have none.

    Raises
    ------
    BundleError : it cannot be opened.
    MachineError : no runtime for it is installed.
    UsageError : a tile of a classical method.
    """
    bundle = read_bundle(model)
    if bundle.method is not None:
        refuse_network_options(bundle.method, tile=tile, scores=False)
        return bundled_method(bundle), bundle
    return _open_network(bundle, tile=tile, keep_scores=keep_scores), bundle


def _open_network(bundle: Bundle, *, tile: int | None, keep_scores: bool) -> NetworkSegmenter:
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
    return NetworkSegmenter(predictor, contract, bundle.label_space, int(bundle.arguments["channels"]), keep_scores)


def bundled_method(bundle: Bundle) -> ClassicalSegmenter:
    """The classical method of a bundle, with its options and classes.

    Raises
    ------
    BundleError : a method or an option that is not known here.
    """
    file = str(bundle.folder / "bundle.json")
    method = METHODS.get(bundle.method or "")
    if method is None:
        raise BundleError(
            f"unknown method '{bundle.architecture}'",
            expected=f"one of {', '.join(METHODS)}",
            where=file,
            fix="update Limner: pip install -U limner",
        )
    try:
        tuned = method.with_options(bundle.arguments)
    except RecipeError as error:
        raise BundleError(error.found, expected=error.expected, where=file, fix=error.fix) from None
    return dataclasses.replace(tuned, label_space=bundle.label_space)


def refuse_network_options(method: str, *, tile: int | None, scores: bool) -> None:
    """Refuse what only networks have.

    Raises
    ------
    UsageError : a tile, or scores, of a classical method.
    """
    if tile is not None or scores:
        raise UsageError(
            f"{'--tile' if tile is not None else '--scores'} with the classical method {method}",
            expected="a trained network",
            fix="leave the option out: classical methods see whole pictures and have no scores",
        )


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
