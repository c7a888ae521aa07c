"""All that a report shows, before it is drawn; and the numbers that stand on it beside those of `Report`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from limner.core.bundle import CLASSICAL
from limner.core.labels import LabelSpace
from limner.core.recipe import Recipe
from limner.core.report import Report, Row, Score
from limner.evaluation.evaluate import FOREGROUND, MACRO
from limner.evaluation.gallery import DrawnCase, DrawnSuspect
from limner.evaluation.inspection import Inspection
from limner.evaluation.object_gallery import DrawnObjects
from limner.evaluation.ranking import picture_scores


@dataclass(frozen=True)
class ReportPage:
    """All that the page shows.

    Parameters
    ----------
    title : heading.
    command : what to type to repeat it.
    report : the scores.
    label_space : the classes and their colours.
    recipe : of the training; None when nothing was trained.
    num_train : pictures that the network learnt from; None when nothing was trained.
    facts : what the data are, label to text.
    findings : of the check, as in ``check --json``.
    history : rows with ``step epoch seconds train_loss val_dice learning_rate``.
    kept_step : of the row of `history` whose weights were kept; None where there is none.
    seconds_per_picture : mean time of a prediction alone, reading and measuring not included; None where it was not taken.
    cases : pictures to look at, see `limner.evaluation.gallery.choose_cases` and `draw_case`.
    notes : sentences that must not be overlooked.
    versions : of the software, name to text.
    inspection : kinds of mistakes and objects by size; None where they were not looked at.
    train_groups : groups of the pictures that the network learnt from.
    folds : of a cross-validation, rows with ``fold``, ``scores`` (class to Dice) and ``n`` pictures.
    baselines : of other methods on the same pictures, rows with ``name dice lo hi seconds``; seconds per picture.
    suspects : labels that may be wrong, see `limner.evaluation.gallery.draw_suspect`.
    licences : of the weights that the training started from.
    object_cases : pictures with outlined objects, see `limner.evaluation.object_gallery.draw_objects`.
    """

    title: str
    command: str
    report: Report
    label_space: LabelSpace
    recipe: Recipe | None = None
    num_train: int | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
    findings: Sequence[Mapping[str, Any]] = ()
    history: Sequence[Mapping[str, Any]] = ()
    cases: Sequence[DrawnCase] = ()
    notes: Sequence[str] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    inspection: Inspection | None = None
    train_groups: frozenset[str] = frozenset()
    folds: Sequence[Mapping[str, Any]] = ()
    baselines: Sequence[Mapping[str, Any]] = ()
    suspects: Sequence[DrawnSuspect] = ()
    licences: Sequence[str] = ()
    object_cases: Sequence[DrawnObjects] = ()
    kept_step: int | None = None
    seconds_per_picture: float | None = None

    @property
    def method(self) -> str:
        """The classical method that was tuned; empty for a network, and where nothing was trained."""
        name = "" if self.recipe is None else self.recipe.model.architecture
        return name.removeprefix(CLASSICAL) if name.startswith(CLASSICAL) else ""

    @property
    def many(self) -> bool:
        """Whether there is more than one class beside the background."""
        return len(self.label_space) > 2

    @property
    def headline(self) -> Score:
        """The Dice that the page leads with: of the class, or the mean over the classes where there are several."""
        return self.report.scores["dice"][MACRO if self.many else FOREGROUND]


@dataclass(frozen=True)
class GroupRow:
    """The scored pictures of one group.

    Parameters
    ----------
    name : of the group.
    pictures : how many were scored.
    dice : mean over those where it is defined, as in `picture_scores`; NaN when there is none.
    in_training : whether the network learnt from pictures of the same group.
    """

    name: str
    pictures: int
    dice: float
    in_training: bool


def group_rows(page: ReportPage) -> list[GroupRow]:
    """The groups of the scored pictures, lowest Dice first; empty where no group is known."""
    groups = {row.image: row.group for row in page.report.rows}
    members: dict[str, list[float]] = {}
    for image, value in picture_scores(page.report).items():
        if groups[image]:
            members.setdefault(groups[image], []).append(value)
    rows = [GroupRow(name, len(v), mean(v), name in page.train_groups) for name, v in members.items()]
    return sorted(rows, key=lambda row: (math.inf if math.isnan(row.dice) else row.dice, row.name))


def details(page: ReportPage) -> dict[str, Any]:
    """Every number of the page that is not in ``summary.json`` or ``per_image.csv``, as JSON: ``evaluation/details.json``.

    The rows of ``folds`` and ``baselines`` are those of the page.
    """
    names = page.label_space.names
    return {
        "inspection": None if page.inspection is None else page.inspection.as_dict(names),
        "groups": [{**vars(row), "dice": None if math.isnan(row.dice) else row.dice} for row in group_rows(page)],
        "folds": [without_nan(row) for row in page.folds],
        "baselines": [without_nan(row) for row in page.baselines],
        "seconds_per_picture": page.seconds_per_picture,
        "shown": [
            {"kind": case.kind, "image": case.name, "dice": None if math.isnan(case.dice) else case.dice}
            for case in page.cases
        ],
    }  # fmt: skip


def without_nan(value: Any) -> Any:
    """The same tree of dicts and lists, with null for numbers that JSON does not have."""
    if isinstance(value, Mapping):
        return {str(key): without_nan(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_nan(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def shown_classes(page: ReportPage) -> list[str]:
    """Rows of the tables: with two classes the union and the mean say nothing new."""
    names = list(page.report.scores["dice"])
    if page.many:
        return [MACRO, FOREGROUND, *(name for name in names[1:] if name not in (FOREGROUND, MACRO)), names[0]]
    return [page.label_space.names[1], page.label_space.names[0]] if page.label_space.names[1] in names else names


def foreground_rows(report: Report) -> list[Row]:
    """One row per picture: all classes but the background as one mask."""
    return [row for row in report.rows if row.class_name == FOREGROUND]


def mean(values: Sequence[float]) -> float:
    """Mean of what is not NaN; NaN of nothing."""
    defined = [value for value in values if not math.isnan(value)]
    return math.fsum(defined) / len(defined) if defined else math.nan
