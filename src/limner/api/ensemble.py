"""The models of a cross-validation as one: open all folds of a run, answer with the mean of their scores."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Sequence
from pathlib import Path

from limner.api.choose_runtime import runtime_for_all
from limner.api.open import open_segmenter
from limner.core.answers import POSTPROCESS
from limner.core.bundle import Bundle, read_bundle
from limner.core.errors import BundleError, UsageError
from limner.core.object_head import QUERIES
from limner.core.postprocess import Rules, read_rules
from limner.core.protocols import Segmenter
from limner.inference.ensemble import EnsembleSegmenter
from limner.inference.postprocess import RuledSegmenter, with_rules
from limner.inference.segmenter import NetworkSegmenter


def open_ensemble(
    run: Path, *, tile: int | None = None, keep_scores: bool = False, runtime: str = "auto", tta: bool = False
) -> tuple[Segmenter, Bundle]:
    """The mean of the models of all folds of a run.

    Parameters
    ----------
    run : run folder of a cross-validation: ``fold1``, ``fold2``, ... lie in it.
    tile, keep_scores, runtime, tta : see `limner.api.open.open_segmenter`; ``auto`` is one runtime for all folds.

    Returns
    -------
    The segmenter, and the bundle of the run with the ensemble's threshold, temperature and rules: the means of thresholds and the
    geometric mean of temperatures; of each rule the median of the folds. Its confidence was fitted to single models, and is a
    little low for their mean.

    Raises
    ------
    UsageError : not a run with folds.
    BundleError, MachineError : a fold cannot be opened.
    """
    folds = fold_folders(run)
    if runtime == "auto":  # or each fold would choose for itself
        networks_of_folds = [bundle for bundle in map(read_bundle, folds) if bundle.method is None]
        runtime = runtime_for_all(networks_of_folds) if networks_of_folds else runtime
    opened = [open_segmenter(folder, tile=tile, keep_scores=keep_scores, runtime=runtime, tta=tta) for folder in folds]
    networks = [_network(segmenter, folder) for (segmenter, _), folder in zip(opened, folds, strict=True)]
    ensemble = EnsembleSegmenter(networks, keep_scores=keep_scores)
    rules = median_rules([read_rules(bundle.answers) for _, bundle in opened])
    bundle = read_bundle(run)
    contract = dataclasses.replace(bundle.contract, threshold=ensemble.threshold, temperature=ensemble.temperature)
    answers = {name: value for name, value in bundle.answers.items() if name != POSTPROCESS}
    if rules is not None:
        answers[POSTPROCESS] = {**bundle.answers.get(POSTPROCESS, {}), "rules": rules.as_dict()}
    return with_rules(ensemble, rules), dataclasses.replace(bundle, contract=contract, answers=answers)


def fold_folders(run: Path) -> list[Path]:
    """The run folders of all folds, in order.

    Raises
    ------
    UsageError : the run has no folds.
    BundleError : a fold has no model.
    """
    numbers = sorted(
        int(path.name.removeprefix("fold"))
        for path in run.glob("fold*")
        if path.is_dir() and path.name.removeprefix("fold").isdecimal()
    )
    if not numbers:
        raise UsageError(
            f"an ensemble of {run}",
            expected="the run folder of a cross-validation, with fold1, fold2, ... in it",
            where=str(run),
            fix="train one with: limner train DATA --folds 5 --out RUN, or leave --ensemble out",
        )
    folders = [run / f"fold{number}" for number in numbers]
    without = [folder for folder in folders if not (folder / "model" / "bundle.json").is_file()]
    if without:
        raise BundleError(
            f"{without[0].name} has no model",
            expected="a model in every fold",
            where=str(without[0]),
            fix="finish the cross-validation: limner train DATA --out RUN --resume",
        )
    return folders


def median_rules(folds: Sequence[Rules | None]) -> Rules | None:
    """Of each rule the lower median of the folds, where no rule is 0; None where nothing is left."""
    known = [rules for rules in folds if rules is not None]
    if 2 * len(known) <= len(folds):
        return None
    size, missing = len(known[0]), len(folds) - len(known)

    def middle(values: list[int]) -> int:
        return statistics.median_low([*values, *[0] * missing])

    rules = Rules(
        tuple(middle([one.smallest[index] for one in known]) for index in range(size)),
        tuple(middle([one.holes[index] for one in known]) for index in range(size)),
        tuple(bool(middle([int(one.largest[index]) for one in known])) for index in range(size)),
    )
    return rules if rules.change_labels else None


def _network(segmenter: Segmenter, folder: Path) -> NetworkSegmenter:
    """The network of a fold, without its rules."""
    inner = segmenter.inner if isinstance(segmenter, RuledSegmenter) else segmenter
    if not isinstance(inner, NetworkSegmenter):
        raise UsageError(f"the model of {folder} is no network", expected="networks", where=str(folder))
    if inner.contract.objects is not None and inner.contract.objects.head == QUERIES:
        raise UsageError(
            "an ensemble of networks that answer queries", expected="networks whose answers have a mean",
            where=str(folder), fix="leave --ensemble out: two networks do not ask the same queries",
        )  # fmt: skip
    return inner
