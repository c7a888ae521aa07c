"""From what stands on the command line to models with scores: stored or new ones, runs of one recipe taken together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from limner.api.model_on_data import check_split, open_both, pictures_to_score, score
from limner.api.trained_on import TrainedOn, find_training
from limner.core.errors import DataError, UsageError
from limner.core.protocols import Listener
from limner.evaluation.compare import Contender
from limner.evaluation.evaluate import Scorer
from limner.evaluation.stored import StoredScores, from_report, read_scores

Choices = tuple[tuple[str, str], ...]  # keys of a recipe and their values

MEASURED = "measured"  # how reasons of settings begin that follow from the machine's speed, not from a choice


@dataclass(frozen=True)
class Run:
    """One scored run.

    Parameters
    ----------
    argument : place on the command line; several runs of one folder share it.
    scores : what it scored.
    trained : what it learnt from, as far as that is known.
    """

    argument: int
    scores: StoredScores
    trained: TrainedOn = field(default_factory=TrainedOn)


def open_runs(paths: Sequence[Path], *, data: Path | str | None, split: str | None, listener: Listener) -> list[Run]:
    """The scores of all runs: those stored, or new ones on `data`.

    Raises
    ------
    DataError, BundleError : a folder without scores, or what ``evaluate`` raises.
    UsageError : the same run twice.
    """
    named: list[tuple[int, Path]] = []
    for place, path in enumerate(paths):
        for folder in _run_folders(path):
            if any(folder.as_posix() == other.as_posix() for _, other in named):
                raise UsageError(f"{folder} is named twice", expected="different runs", fix="leave one out")
            named.append((place, folder))
    folders = [folder for _, folder in named]
    trained = [find_training(folder) for folder in folders]
    if data is None:
        stored = [read_scores(folder.as_posix(), _scores_folder(folder)) for folder in folders]
        # Stored scores are of the data that the run's split names; new ones may be of namesakes in other groups.
        scores = [one.with_groups(known.groups) for one, known in zip(stored, trained, strict=True)]
    else:
        scores = _scored_anew(folders, Path(data), split, listener)
    return [Run(place, one, known) for (place, _), one, known in zip(named, scores, trained, strict=True)]


def _scored_anew(folders: Sequence[Path], data: Path, split: str | None, listener: Listener) -> list[StoredScores]:
    """The scores of all models on the same pictures of `data`.

    Which ones that are, the first model says that was trained on these data: a method without a split of its own, or a folder of
    masks, is scored on the pictures that this model has not seen. Groups are those of that split, or of the data themselves.
    """
    check_split(split)
    opened = [open_both(folder, data, listener=listener) for folder in folders]
    seen = next((one.seen for one in opened if one.seen.is_whole), None)
    found = []
    for folder, one in zip(folders, opened, strict=True):
        name, items, _ = pictures_to_score(one.dataset, seen or one.seen, split)
        scorer = Scorer(one.dataset.label_space, metrics="all", spacing=one.dataset.spacing)
        found.append(from_report(folder.as_posix(), score(one, name, items, scorer=scorer, listener=listener)[0]))
    return found


def gather(runs: Sequence[Run]) -> tuple[tuple[Contender, ...], tuple[str, ...]]:
    """Runs that differ in their seed alone as one model, in the order of the command line; and notes.

    They have the same recipe but for the seed, and learnt from the same pictures and labels. Where two of them share a seed,
    something else made them differ, and none of them are taken together.

    Raises
    ------
    DataError : the runs in one folder have different recipes or data, or one seed.
    UsageError : one run alone.
    """
    sets: list[list[Run]] = []
    notes: list[str] = []
    for units in _by_recipe(_by_argument(runs)):
        parts: list[list[list[Run]]] = []
        for unit in units:
            part = next((part for part in parts if all(_alike(unit[0], known[0]) for known in part)), None)
            if part is None:
                parts.append([unit])
            else:
                part.append(unit)
        if len(parts) > 1:
            one, other = (part[0][0] for part in parts[:2])
            notes.append(
                f"{one.scores.name} and {other.scores.name} have the same recipe but differ in {_difference(one, other)}, "
                "so they are not taken together as seeds of one model."
            )
        for part in parts:
            together = [run for unit in part for run in unit]
            twice = _same_seed(together) if len(part) > 1 else None
            if twice is None:
                sets.append(together)
                continue
            sets += part
            notes.append(
                f"{twice[0].scores.name} and {twice[1].scores.name} have the same recipe, seed and training pictures, so they are "
                "not taken together as seeds of one model: where their scores differ, so did something else, such as the labels, "
                "the machine or the number of steps."
            )
    if len(runs) == 1:
        raise UsageError("one run", expected="two or more", fix="limner compare RUN RUN")
    if len(sets) == 1:
        note = "The runs differ only in their seed: each is compared by itself, which shows the noise of training."
        return tuple(_contender([run]) for run in _aligned(runs)), (note,)
    place = {run.scores.name: number for number, run in enumerate(runs)}
    sets.sort(key=lambda known: place[known[0].scores.name])
    ordered = iter(_aligned([run for known in sets for run in known]))
    return tuple(_contender([next(ordered) for _ in known]) for known in sets), tuple(notes)


def _by_argument(runs: Sequence[Run]) -> list[list[Run]]:
    """The runs of each argument.

    Raises
    ------
    DataError : those of one folder are not seeds of one model.
    """
    units: dict[int, list[Run]] = {}
    for run in runs:
        units.setdefault(run.argument, []).append(run)
    for first, *others in units.values():
        for other in others:
            if _choices(first) != _choices(other) or not _alike(first, other):
                raise DataError(
                    f"{other.scores.name} and {first.scores.name} differ in {_difference(other, first)}",
                    expected="runs of one recipe, trained on the same data, in one folder", where=other.scores.name,
                    fix="name the runs one by one",
                )  # fmt: skip
        twice = _same_seed([first, *others])
        if twice is not None:
            raise DataError(
                f"{twice[0].scores.name} and {twice[1].scores.name} have the same seed",
                expected="another seed for each run in one folder", where=twice[1].scores.name, fix="name the runs one by one",
            )  # fmt: skip
    return list(units.values())


def _by_recipe(units: Sequence[list[Run]]) -> list[list[list[Run]]]:
    """Units whose recipes are the same but for the seed; one whose recipe is not known stands alone."""
    found: dict[Choices, list[list[Run]]] = {}
    alone = []
    for unit in units:
        choices = _choices(unit[0])
        if choices is None:
            alone.append([unit])
        else:
            found.setdefault(choices, []).append(unit)
    return [*found.values(), *alone]


def _same_seed(runs: Sequence[Run]) -> tuple[Run, Run] | None:
    """The first two runs with one seed; None where there are none, or seeds are not known."""
    by_seed: dict[int, Run] = {}
    for run in runs:
        if run.trained.recipe is not None:
            known = by_seed.setdefault(run.trained.recipe.seed, run)
            if known is not run:
                return known, run
    return None


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
        found.append(Run(run.argument, scores.with_groups(groups), run.trained))
    return found


def _contender(runs: Sequence[Run]) -> Contender:
    seeds = tuple(run.trained.recipe.seed if run.trained.recipe is not None else None for run in runs)
    names = [run.scores.name for run in runs]
    name = names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
    return Contender(name, tuple(run.scores for run in runs), seeds)


def _choices(run: Run) -> Choices | None:
    """All settings but the seed and what was measured; None where the recipe is not known."""
    recipe = run.trained.recipe
    if recipe is None:
        return None
    return tuple(
        (key, repr(value)) for key, value in recipe.items()
        if key != "seed" and not recipe.reasons.get(key, "").startswith(MEASURED)
    )  # fmt: skip


def _alike(one: Run, other: Run) -> bool:
    """Whether two runs of one recipe learnt from the same, so that their scores differ by the seed alone.

    A run of an earlier version does not tell which labels it learnt from; they are then taken for the same.
    """
    a, b = one.trained, other.trained
    labels = {a.labels_checksum, b.labels_checksum} - {""}
    return a.pictures == b.pictures and a.data_checksum == b.data_checksum and len(labels) < 2


def _difference(one: Run, other: Run) -> str:
    a, b = dict(_choices(one) or ()), dict(_choices(other) or ())
    keys = [key for key in {**a, **b} if a.get(key) != b.get(key)]
    if keys:
        return ", ".join(keys[:4])
    if (one.trained.recipe is None) != (other.trained.recipe is None):
        return "the recipe, which one of them lacks"
    ours, theirs = one.trained, other.trained
    if ours.pictures != theirs.pictures:
        return "the names of the training pictures"
    if ours.data_checksum != theirs.data_checksum:
        known = ours.data_checksum and theirs.data_checksum
        return "the pictures they learnt from" + ("" if known else ", which one of them does not tell")
    return "the labels they learnt from"


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
