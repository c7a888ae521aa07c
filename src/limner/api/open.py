"""From a name on the command line to something that segments."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from limner.api.choose_runtime import open_predictor
from limner.classical import METHODS
from limner.classical.segmenter import ClassicalSegmenter
from limner.core.bundle import Bundle, read_bundle
from limner.core.choices import nearest
from limner.core.errors import BundleError, RecipeError, UsageError
from limner.core.object_head import QUERIES
from limner.core.postprocess import read_rules
from limner.core.protocols import Segmenter
from limner.inference.postprocess import RuledSegmenter, with_rules
from limner.inference.query_segmenter import make_segmenter


def open_segmenter(
    model: Path, *, tile: int | None = None, keep_scores: bool = False, runtime: str = "auto", tta: bool = False
) -> tuple[Segmenter, Bundle]:
    """The network or the tuned classical method of a run folder or bundle, ready to segment.

    Parameters
    ----------
    model : run folder or bundle folder.
    tile : side of a tile in input pixels, in place of the bundle's own choice; networks only.
    keep_scores : predictions carry scores as well, where the model has any: classical methods have none.
    runtime : see `limner.api.choose_runtime.RUNTIMES`; of no consequence for classical methods.
    tta : average over all mirrored copies that the network saw in training; networks only.

    Raises
    ------
    BundleError : it cannot be opened, or not by this runtime.
    MachineError : no runtime for it is installed.
    UsageError : a tile or mirrored copies of a classical method; a tile of a network whose pictures all come at one size; mirrored
        copies of a network that never saw any, or that answers queries; an unknown runtime.
    """
    bundle = read_bundle(model)
    if bundle.method is not None:
        refuse_network_options(bundle.method, tile=tile, scores=False, tta=tta)
        return bundled_method(bundle), bundle
    if tile is not None and any(bundle.contract.resize_hw):
        raise UsageError(
            "tiles (--tile) for a network that sees whole pictures, brought to one size", expected="a network that sees tiles",
            where=str(bundle.folder), fix="leave --tile out",
        )  # fmt: skip
    contract = bundle.contract if tile is None else dataclasses.replace(bundle.contract, tile=tile)
    if tta:
        if contract.objects is not None and contract.objects.head == QUERIES:
            raise UsageError(
                "mirrored copies (--tta) for a network that answers queries", expected="a network that answers maps",
                where=str(bundle.folder), fix="leave --tta out: two answers do not ask the same queries",
            )  # fmt: skip
        contract = dataclasses.replace(contract, flips=_mirrored(bundle))
    predictor = open_predictor(bundle, runtime)
    channels = int(bundle.arguments["channels"])
    network = make_segmenter(predictor, contract, bundle.label_space, channels, keep_scores)
    return with_rules(network, read_rules(bundle.answers)), bundle


def runtime_of(segmenter: Segmenter) -> str | None:
    """What computes: the name of a network's runtime, None for anything else."""
    inner = segmenter.inner if isinstance(segmenter, RuledSegmenter) else segmenter
    return getattr(getattr(inner, "predictor", None), "name", None)


def _mirrored(bundle: Bundle) -> str:
    """The axes along which the network saw mirrored pictures, as letters.

    Raises
    ------
    UsageError : it saw none.
    """
    flips = "".join(sorted({*str(bundle.training.get("mirrored", "")), *bundle.contract.flips}))
    if not flips:
        raise UsageError(
            "mirrored copies (--tta) for a model that was trained without mirroring",
            expected="a model that saw mirrored pictures in training",
            where=str(bundle.folder),
            fix="leave --tta out; where left and right mean nothing, train with augmentation.flip_x=true",
        )
    return flips


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


def refuse_network_options(method: str, *, tile: int | None, scores: bool, tta: bool = False) -> None:
    """Refuse what only networks have.

    Raises
    ------
    UsageError : a tile, scores or mirrored copies of a classical method.
    """
    given = {"--tile": tile is not None, "--scores": scores, "--tta": tta}
    option = next((name for name, is_given in given.items() if is_given), None)
    if option:
        raise UsageError(
            f"{option} with the classical method {method}",
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
