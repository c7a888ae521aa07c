"""From what stands on the command line to models with scores: stored or new ones, runs of one recipe taken together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from limner.api.evaluate import evaluate
from limner.core.errors import DataError, UsageError
from limner.core.protocols import Listener
from limner.core.recipe import Recipe
from limner.data.splits import read_rows
from limner.evaluation.compare import Contender
from limner.evaluation.stored import StoredScores, from_report, read_scores

MEASURED = "measured"  # how reasons of settings begin that follow from the machine's speed, not from a choice


@dataclass(frozen=True)
class Run:
    """One scored run.

    Parameters
    ----------
    argument : place on the command line; several runs of one folder share it.
    scores : what it scored.
    recipe : how it was trained; None where that is not known.
    split : part of each picture in its training; empty where not known.
    """

    argument: int
    scores: StoredScores
    recipe: Recipe | None = None
    split: Mapping[str, str] = field(default_factory=dict)


def open_runs(paths: Sequence[Path], *, data: Path | str | None, split: str | None, listener: Listener) -> list[Run]:
    """The scores of all runs: those stored, or new ones on `data`.

    Raises
    ------
    DataError, BundleError : a folder without scores, or what ``evaluate`` raises.
    UsageError : the same run twice.
    """
    found: list[Run] = []
    for place, path in enumerate(paths):
        for folder in _run_folders(path):
            name = folder.as_posix()
            if any(run.scores.name == name for run in found):
                raise UsageError(f"{folder} is named twice", expected="different runs", fix="leave one out")
            if data is not None:
                scores = from_report(name, evaluate(folder, data, split=split, listener=listener))
            else:
                scores = read_scores(name, _scores_folder(folder))
            found.append(_with_training(Run(place, scores), folder))
    return found


def gather(runs: Sequence[Run]) -> tuple[tuple[Contender, ...], tuple[str, ...]]:
    """Runs whose recipes differ only in the seed as one model, in the order of the command line; and notes.

    Raises
    ------
    DataError : the runs in one folder have different recipes.
    UsageError : one run alone.
    """
    sets: list[list[Run]] = []
    for run in runs:
        key = _choices(run)
        for known in sets:
            if run.argument == known[0].argument and key != _choices(known[0]):
                raise DataError(
                    f"{run.scores.name} and {known[0].scores.name} differ in {_difference(run, known[0])}",
                    expected="runs of one recipe in one folder", where=run.scores.name, fix="name the runs one by one",
                )  # fmt: skip
            if run.argument == known[0].argument or (key is not None and key == _choices(known[0])):
                known.append(run)
                break
        else:
            sets.append([run])
    if len(sets) == 1 and len(runs) == 1:
        raise UsageError("one run", expected="two or more", fix="limner compare RUN RUN")
    if len(sets) == 1:
        note = "The runs differ only in their seed: each is compared by itself, which shows the noise of training."
        return tuple(_contender([run]) for run in _aligned(runs)), (note,)
    ordered = iter(_aligned([run for known in sets for run in known]))
    return tuple(_contender([next(ordered) for _ in known]) for known in sets), ()


def _aligned(runs: Sequence[Run]) -> list[Run]:
    """Pictures of all runs in the order of the first, where they are the same, and with the groups that any run knows."""
    groups: dict[str, str] = {}
    for run in reversed(runs):
        groups |= {image: group for image, group in zip(run.scores.images, run.scores.groups, strict=True) if group}
    first = runs[0].scores
    order = {image: place for place, image in enumerate(first.images)}
    found = []
    for run in runs:
        same = set(run.scores.images) == set(order)
        scores = run.scores.in_order(sorted(run.scores.images, key=order.__getitem__)) if same else run.scores
        found.append(Run(run.argument, scores.with_groups(groups), run.recipe, run.split))
    return found


def _contender(runs: Sequence[Run]) -> Contender:
    seeds = tuple(run.recipe.seed if run.recipe is not None else None for run in runs)
    names = [run.scores.name for run in runs]
    name = names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
    return Contender(name, tuple(run.scores for run in runs), seeds)


def _choices(run: Run) -> tuple[tuple[str, str], ...] | None:
    """All settings but the seed and what was measured; None where the recipe is not known."""
    recipe = run.recipe
    if recipe is None:
        return None
    return tuple(
        (key, repr(value)) for key, value in recipe.items()
        if key != "seed" and not recipe.reasons.get(key, "").startswith(MEASURED)
    )  # fmt: skip


def _difference(one: Run, other: Run) -> str:
    a, b = dict(_choices(one) or ()), dict(_choices(other) or ())
    keys = [key for key in {**a, **b} if a.get(key) != b.get(key)]
    return ", ".join(keys[:4]) if keys else "the recipe, which one of them lacks"


def _run_folders(path: Path) -> list[Path]:
    """The folder itself, or the runs right below it."""
    if not path.is_dir() or _has_scores(path) or _has_scores(path / "evaluation"):
        return [path]
    inner = [folder for folder in sorted(path.iterdir()) if _has_scores(folder / "evaluation")]
    return inner or [path]


def _has_scores(folder: Path) -> bool:
    return (folder / "per_image.csv").is_file() and (folder / "summary.json").is_file()


def _scores_folder(path: Path) -> Path:
    for folder in (path / "evaluation", path):
        if _has_scores(folder):
            return folder
    raise DataError(
        f"no stored scores in {path}", expected="a finished run, or a folder that limner evaluate --out wrote", where=str(path),
        fix="add --data DATA to score it now",
    )  # fmt: skip


def _with_training(run: Run, folder: Path) -> Run:
    """The run with its recipe and its split, where these files are there."""
    recipe = Recipe.read(folder / "recipe.toml") if (folder / "recipe.toml").is_file() else None
    if not (folder / "split.csv").is_file():
        return Run(run.argument, run.scores, recipe)
    rows = read_rows(folder / "split.csv")
    scores = run.scores.with_groups({row["image"]: row["group"] for row in rows if row["group"]})
    return Run(run.argument, scores, recipe, {row["image"]: row["split"] for row in rows})
