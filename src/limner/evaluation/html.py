"""One page that can be sent to somebody: what was trained on what, how good it is, and what to be careful about.

The page is one file without scripts, fonts or addresses outside it; the numbers are those of the `Report`.
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import jinja2
import numpy as np
import numpy.typing as npt
from markupsafe import Markup
from PIL import Image

from limner.core.labels import LabelSpace
from limner.core.recipe import Recipe
from limner.core.report import Report, Row, Score
from limner.evaluation.evaluate import FOREGROUND, MACRO
from limner.evaluation.figures import (
    CORRECT,
    FALSE_ALARM,
    MISSED,
    WRONG_CLASS,
    Picture,
    curve_figure,
    dice_figure,
    difference,
    overlay,
    to_display,
    to_svg,
)  # fmt: skip

CASE_WIDTH = 420  # pixels of an embedded picture; four of six cases make about 1 MB
FEW_PICTURES = 20  # below, the bootstrap interval is too narrow
WIDE_INTERVAL = 0.1
TITLES = {"dice": "Dice", "iou": "IoU", "precision": "Precision", "recall": "Recall", "accuracy": "Accuracy"}
SPLITS = {"train": "training", "val": "validation", "test": "test", "all": "scored"}


@dataclass(frozen=True)
class Case:
    """One picture to look at.

    Parameters
    ----------
    name : of the picture.
    image : ``(H, W, C)`` of any depth.
    target, pred : ``(H, W)`` class ids.
    dice : of all foreground classes as one mask; NaN when undefined.
    kind : ``best``, ``median`` or ``worst``.
    valid : ``(H, W)`` bool, or None: all valid.
    """

    name: str
    image: npt.NDArray[Any]
    target: npt.NDArray[np.integer]
    pred: npt.NDArray[np.integer]
    dice: float
    kind: str = ""
    valid: npt.NDArray[np.bool_] | None = None


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
    cases : pictures to look at, see `choose_cases`.
    notes : sentences that must not be overlooked.
    versions : of the software, name to text.
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
    cases: Sequence[Case] = ()
    notes: Sequence[str] = ()
    versions: Mapping[str, str] = field(default_factory=dict)


def choose_cases(report: Report, *, each: int = 2) -> list[tuple[str, str, float]]:
    """Which pictures to look at: ``(kind, name, dice)``, each picture once, best first.

    Parameters
    ----------
    report : pictures whose foreground Dice is undefined are left out.
    each : how many ``best``, ``median`` and ``worst`` ones; with few pictures the worst come first.
    """
    ranked = sorted(_defined(report), key=lambda row: (-row.metrics["dice"], row.image))
    chosen: dict[int, str] = {}
    wanted = [("worst", [len(ranked) - 1 - i for i in range(each)]), ("best", list(range(each)))]
    wanted.append(("median", sorted(range(len(ranked)), key=lambda i: abs(i - (len(ranked) - 1) / 2))))
    for kind, places in wanted:
        free = [place for place in places if 0 <= place < len(ranked) and place not in chosen]
        chosen |= dict.fromkeys(free[:each], kind)
    return [(kind, ranked[place].image, ranked[place].metrics["dice"]) for place, kind in sorted(chosen.items())]


def summary_sentences(page: ReportPage) -> list[str]:
    """The first paragraph: what was done, how good it is, and what the interval means."""
    report, score = page.report, page.report.scores["dice"][FOREGROUND]
    classes = ", ".join(page.label_space.foreground_names[:8]) + (" ..." if len(page.label_space) > 9 else "")
    which = {"test": " that it had never seen", "val": ", which also chose the best epoch,"}.get(report.split, "")
    sentences = [f"{report.model} was scored on finding: {classes}."]
    if page.recipe is not None:
        on = "" if page.num_train is None else f" on {_plural(page.num_train, 'picture')}"
        encoder = page.recipe.encoder.name
        kind = page.recipe.model.architecture + (f" with the encoder {encoder}" if encoder != "plain" else "")
        sentences = [f"A neural network ({kind}) was trained{on} to find: {classes}."]
    pictures = f"{_plural(report.samples, f'{SPLITS.get(report.split, report.split)} picture')}{which}"
    if not score.n:
        return [*sentences, f"On {pictures} neither truth nor prediction shows a class, so there is no Dice to state."]
    sentences.append(
        f"On {pictures} it reaches a Dice of {score.mean:.3f} on average "
        "(1 is perfect, 0 shares no pixel with the truth)."
    )
    low, high = score.ci95
    macro = report.scores["dice"][MACRO]
    if len(page.label_space) > 2 and macro.n:
        sentences[-1] = sentences[-1].replace("a Dice of", "a Dice, all classes taken as one, of")
        sentences.append(f"The mean over the classes, each by itself, is {macro.mean:.3f}.")
    if score.n == 1:
        sentences.append("With a single picture nothing can be said about others.")
    else:
        sentences.append(
            f"With 95 % confidence, given {score.n} pictures, the average over more pictures of the same kind "
            f"lies between {low:.3f} and {high:.3f}."
        )  # fmt: skip
    return sentences


def warnings_of(page: ReportPage) -> list[str]:
    """What a reader must know before believing the score, the notes of the page first."""
    report, score = page.report, page.report.scores["dice"][FOREGROUND]
    low, high = score.ci95
    found = list(page.notes)
    if report.samples < FEW_PICTURES:
        found.append(
            f"Only {_plural(report.samples, 'picture')} scored: below {FEW_PICTURES} the interval is itself uncertain "
            "and rather too narrow. Score more pictures before comparing small differences."
        )  # fmt: skip
    if score.n > 1 and high - low > WIDE_INTERVAL:
        found.append(f"The interval of the Dice is wide ({low:.3f} to {high:.3f}): pictures differ a lot.")
    found += _class_warnings(page) + _picture_warnings(report)
    serious = [finding for finding in page.findings if finding.get("level") in ("error", "warning")]
    return found + [f"Data check, {finding.get('code', '')}: {finding.get('message', '')}" for finding in serious]


def _class_warnings(page: ReportPage) -> list[str]:
    names = [name for name in _shown_classes(page) if name not in (FOREGROUND, MACRO) or len(page.label_space) == 2]
    predicted, true = dict.fromkeys(names, 0), dict.fromkeys(names, 0)
    for row in page.report.rows:
        if row.class_name in true:
            predicted[row.class_name] += row.tp + row.fp
            true[row.class_name] += row.tp + row.fn
    silent = [name for name in names if true[name] and not predicted[name]]
    absent = [name for name in names if not true[name]]
    found = [f"Never predicted, although the truth shows it: {', '.join(silent)}."] if silent else []
    if absent and page.report.rows:
        found.append(f"Shown by no scored picture, so this score cannot tell about it: {', '.join(absent)}.")
    return found


def _picture_warnings(report: Report) -> list[str]:
    rows, found = _rows(report), []
    alarms = [row for row in rows if not row.tp + row.fn and row.fp]
    lost = [row for row in rows if row.fn and not row.tp]
    if alarms:
        empty = sum(not row.tp + row.fn for row in rows)
        found.append(
            f"False alarms: {len(alarms)} of {_plural(empty, 'picture')} without any class got a prediction "
            f"({sum(row.fp for row in alarms)} pixels in all); each counts as Dice 0."
        )  # fmt: skip
    if lost:
        found.append(f"Missed: in {_plural(len(lost), 'picture')} no pixel of what is there was found: {_few(lost)}.")
    if report.missing:
        names = ", ".join(report.missing[:5]) + (" ..." if len(report.missing) > 5 else "")
        found.append(f"No prediction for {_plural(len(report.missing), 'picture')}, counted as empty: {names}.")
    return found


def render_report(page: ReportPage) -> str:
    """The page as one HTML text; everything that comes from data is escaped.

    Examples
    --------
    ``path.write_text(render_report(page), encoding="utf-8")``
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True,
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["score"] = _three
    shown = _shown_classes(page)
    settings, reasons = ([], {}) if page.recipe is None else (page.recipe.items(), page.recipe.reasons)
    rows = sorted(_rows(page.report), key=lambda row: (_or_two(row.metrics["dice"]), row.image))
    return environment.get_template("report.html.j2").render(
        page=page, report=page.report, summary=summary_sentences(page), warnings=warnings_of(page),
        shown=shown, titles=TITLES, curves=_curves(page), strip=_strip(page, shown),
        headline=page.report.scores["dice"][FOREGROUND], macro=page.report.scores["dice"][MACRO],
        decisions=[(key, value, reasons[key]) for key, value in settings if key in reasons],
        others=[(key, value) for key, value in settings if key not in reasons],
        empty={name: case for name, case in page.report.empty_cases.items() if name in shown and case["n"]},
        cases=[_pictures(case, page.label_space) for case in page.cases], rows=rows[:1000], more_rows=len(rows) - 1000,
        legend=[("correct", CORRECT), ("missed", MISSED), ("false alarm", FALSE_ALARM)]
        + ([("wrong class", WRONG_CLASS)] if len(page.label_space) > 2 else []),
        classes=list(zip(page.label_space.names[1:], page.label_space.colors[1:], strict=True)),
    )  # fmt: skip


def _curves(page: ReportPage) -> list[Markup]:
    figures = (
        ("loss", curve_figure(page.history, "train_loss", "Training loss"), "Training loss over time"),
        ("val", curve_figure(page.history, "val_dice", "Dice on validation pictures", best=True), "Validation Dice"),
    )
    return [Markup(to_svg(figure, name=name, label=label)) for name, figure, label in figures if figure is not None]


def _strip(page: ReportPage, shown: Sequence[str]) -> Markup:
    names = [name for name in shown if name not in (page.label_space.names[0], MACRO)][:16]
    figure = dice_figure(page.report, names)
    label = "Dice of each scored picture; the same numbers stand in the table of all pictures"
    return Markup("") if figure is None else Markup(to_svg(figure, name="dice", label=label))


def _pictures(case: Case, label_space: LabelSpace) -> dict[str, Any]:
    image = to_display(case.image)
    dark = image.size > 0 and float(np.percentile(image, 99)) < 110
    image = to_display(image, stretch=True) if dark else image
    panels = (
        ("picture", image), ("truth", overlay(image, case.target, label_space)),
        ("prediction", overlay(image, case.pred, label_space)),
        ("difference", difference(image, case.pred, case.target, valid=case.valid)),
    )  # fmt: skip
    return {
        "name": case.name, "kind": case.kind, "dice": case.dice, "dark": dark,
        "size": f"{case.image.shape[1]} x {case.image.shape[0]} pixels",
        "panels": [(kind, _data_uri(panel)) for kind, panel in panels],
    }  # fmt: skip


def _data_uri(picture: Picture) -> str:
    height, width = picture.shape[:2]
    scale = min(1.0, CASE_WIDTH / width, 2 * CASE_WIDTH / height)
    if scale < 1:
        size = max(1, round(width * scale)), max(1, round(height * scale))
        picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    content = io.BytesIO()
    Image.fromarray(picture).save(content, "JPEG", quality=84, subsampling=0)
    return "data:image/jpeg;base64," + base64.b64encode(content.getvalue()).decode("ascii")


def _shown_classes(page: ReportPage) -> list[str]:
    """Rows of the tables: with two classes the union and the mean say nothing new."""
    names = list(page.report.scores["dice"])
    if len(page.label_space) > 2:
        return [FOREGROUND, MACRO, *(name for name in names[1:] if name not in (FOREGROUND, MACRO)), names[0]]
    return [page.label_space.names[1], page.label_space.names[0]] if page.label_space.names[1] in names else names


def _few(rows: Sequence[Row]) -> str:
    return ", ".join(row.image for row in rows[:3]) + (" ..." if len(rows) > 3 else "")


def _rows(report: Report) -> list[Row]:
    return [row for row in report.rows if row.class_name == FOREGROUND]


def _defined(report: Report) -> list[Row]:
    return [row for row in _rows(report) if not math.isnan(row.metrics["dice"])]


def _or_two(value: float) -> float:
    return 2.0 if math.isnan(value) else value


def _three(value: float | Score) -> str:
    number = value.mean if isinstance(value, Score) else value
    return "undefined" if math.isnan(number) else f"{number:.3f}"


def _plural(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
