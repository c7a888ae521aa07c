"""One page that can be sent to somebody: what was trained on what, how good it is, and what to be careful about.

The page is one file without scripts, fonts or addresses outside it. Its numbers are those of the `Report` and of `details`: each
carries the unrounded value as ``data-value``, so that a test can hold it against the JSON files.
"""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from limner.core.files import write_json, write_text
from limner.core.report import Score
from limner.evaluation.encode import data_uris
from limner.evaluation.error_map import BAND_SHARE, KINDS, NARROWEST_BAND
from limner.evaluation.evaluate import FOREGROUND, MACRO
from limner.evaluation.figure_style import to_svg
from limner.evaluation.figures import calibrated, plots_of
from limner.evaluation.names import visible
from limner.evaluation.object_gallery import OUTLINES
from limner.evaluation.page import ReportPage, details, foreground_rows, group_rows, mean, shown_classes
from limner.evaluation.pictures import LABEL_LINE, PREDICTION_LINE
from limner.evaluation.ranking import picture_scores
from limner.evaluation.sentences import (
    WEIGHTS,
    interval_notes,
    plural,
    summary_sentences,
    warnings_of,
    why_pooled_differs,
)
from limner.metrics.object_table import OBJECT_TABLE
from limner.metrics.table import TABLE

__all__ = ["ReportPage", "render_report", "write_report"]

MOST_ROWS, MOST_CLASSES, MOST_CONFUSIONS = 1000, 100, 20
MATRIX_CLASSES = 12  # more are shown as the largest confusions only
TITLES = {name: metric.title for name, metric in TABLE.items()}
LABELS = {
    "loss": "Training loss over time", "validation_dice": "Validation Dice over time",
    "curves": "Training loss and validation Dice over the same time",
    "dice_per_image": "Dice of each scored picture; the same numbers stand in the table of all pictures",
    "dice_histogram": "How many pictures have which Dice; the same numbers stand in the table of all pictures",
    "confusion": "Confusion matrix; the same numbers stand in the table beside it or in summary.json",
    "objects_by_iou": "F1 of the objects over the IoU that they have to reach; the same numbers stand in summary.json",
    "calibration": "How often the model is right against how sure it is; the same numbers stand in the table",
}  # fmt: skip


def render_report(page: ReportPage) -> str:
    """The page as one HTML text; everything that comes from data is escaped, and made `visible` where it is a name.

    Examples
    --------
    ``path.write_text(render_report(page), encoding="utf-8")``
    """
    text = _environment().get_template("report.html.j2").render(
        page=page, report=page.report, many=page.many, headline=page.headline,
        summary=summary_sentences(page), warnings=warnings_of(page),
        figures=_figures(page), objects=_objects(page),
        **_scores(page), **_mistakes(page), **_settings(page), **_pictures(page),
    )  # fmt: skip
    return text.encode("utf-8", "backslashreplace").decode("utf-8")  # a half of a surrogate pair cannot be written


def write_report(page: ReportPage, html: Path, *, evaluation: Path) -> None:
    """Write the page to the file `html`, and its numbers that are not in ``summary.json`` to ``details.json`` in `evaluation`.

    Raises
    ------
    MachineError, OutputError : the disk is full or the folder may not be written.
    """
    write_json(evaluation / "details.json", details(page))
    write_text(html, render_report(page))


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True,
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {
        "score": _three, "exact": _exact, "name": _name, "visible": visible, "text": _text, "setting": _setting, "share": _share,
    }  # fmt: skip
    environment.tests["undefined_number"] = lambda value: value is None or value != value
    environment.globals |= {"plural": plural}
    return environment


def _scores(page: ReportPage) -> dict[str, Any]:
    """What the sections of the scores need."""
    report, ranked = page.report, picture_scores(page.report)
    shown = shown_classes(page)
    rows = sorted(foreground_rows(report), key=lambda row: (_or_two(ranked.get(row.image, math.nan)), row.image))
    reasons = {metric: [why_pooled_differs(report, name, metric) for name in shown[:-1]] for metric in WEIGHTS}
    groups = group_rows(page)
    return {
        "shown": shown[:MOST_CLASSES], "hidden_classes": len(shown) - MOST_CLASSES, "titles": TITLES,
        "pixel_scores": {metric: found for metric, found in report.scores.items() if metric not in OBJECT_TABLE},
        "lower_is_better": [n for n, metric in {**TABLE, **OBJECT_TABLE}.items() if not metric.higher_is_better],
        "reasons": {metric: [text for text in texts if text] for metric, texts in reasons.items()},
        "one_sided": {n: c for n, c in report.one_sided.items() if n in shown and (c["missed"] or c["invented"])},
        "empty": {name: case for name, case in report.empty_cases.items() if name in shown and case["n"]},
        "rows": rows[:MOST_ROWS], "more_rows": len(rows) - MOST_ROWS, "ranked": ranked, "foreground": FOREGROUND,
        "groups": groups[:MOST_ROWS], "grouped": len(groups) < report.samples,
        "interval_notes": interval_notes(report),
        "num_groups": len(groups), "confusion": _confusion(page), "fold_names": _fold_names(page),
        "fold_means": {name: mean(_fold_values(page, name)) for name in _fold_names(page)},
        "fold_spread": {name: _deviation(_fold_values(page, name)) for name in _fold_names(page)},
        "baselines": page.baselines, "calibration": {name: report.calibration[name] for name in calibrated(report)},
        "classes": list(zip(page.label_space.names[1:], page.label_space.colors[1:], strict=True)),
    }  # fmt: skip


def _mistakes(page: ReportPage) -> dict[str, Any]:
    """What the sections of the mistakes and sizes need."""
    found = page.inspection
    if found is None:
        return {"mistakes": (), "sizes": {}, "band": "", "kinds": KINDS}
    total = found.errors.total
    kinds = KINDS if page.many else KINDS[:-1]  # with one class there is no other to take it for
    rows = [(kind, n, n / total if total else math.nan) for kind, n in zip(KINDS, found.errors.pixels, strict=True)]
    sizes: dict[str, list[Any]] = {}
    for one in () if page.report.objects else found.sizes:  # regions say less where objects are told apart
        sizes.setdefault(one.class_name, []).append(one)
    low, high = found.band
    width = f"{low} pixels" if low == high else f"{low} to {high} pixels, by the size of the picture"
    rule = f"{BAND_SHARE:.2%} of the picture's diagonal, at least {NARROWEST_BAND} pixels"
    return {"mistakes": rows[: len(kinds)], "sizes": sizes, "band": f"{width} ({rule})", "kinds": kinds}


def _objects(page: ReportPage) -> dict[str, Any]:
    """What the section of the objects needs; empty where the truth tells none apart."""
    found = page.report.objects
    if not found:
        return {}
    counts = list(found["counts"].items())
    return {
        "counts": counts[:MOST_CLASSES], "hidden": len(counts) - MOST_CLASSES,
        "f1": {name: rows[0]["f1"] for name, rows in found["by_iou"].items()},
        "by_size": [(name, found["by_size"][name]) for name, _ in counts[:MOST_CLASSES]],
        "scores": [(metric, page.report.scores[metric]) for metric in OBJECT_TABLE],
        "headline": MACRO,
    }  # fmt: skip


def _settings(page: ReportPage) -> dict[str, Any]:
    items, reasons = ([], {}) if page.recipe is None else (list(page.recipe.items()), page.recipe.reasons)
    return {
        "decisions": [(key, value, reasons[key]) for key, value in items if key in reasons],
        "others": [] if page.method else [(key, value) for key, value in items if key not in reasons],
    }


def _pictures(page: ReportPage) -> dict[str, Any]:
    """All pictures as addresses, under one common limit."""
    flat = [picture for case in page.cases for _, picture in (*case.panels, *case.close_up)]
    flat += [picture for suspect in page.suspects for _, picture in suspect.panels]
    flat += [picture for case in page.object_cases for _, picture in (*case.panels, *case.close_up)]
    uris = iter(data_uris(flat))
    cases = [
        {
            "case": case,
            "panels": [(kind, next(uris)) for kind, _ in case.panels],
            "close_up": [(kind, next(uris)) for kind, _ in case.close_up],
        }
        for case in page.cases
    ]
    suspects = [(suspect, [(kind, next(uris)) for kind, _ in suspect.panels]) for suspect in page.suspects]
    objects = [
        {
            "case": case,
            "panels": [(kind, next(uris)) for kind, _ in case.panels],
            "close_up": [(kind, next(uris)) for kind, _ in case.close_up],
        }
        for case in page.object_cases
    ]
    return {
        "cases": cases, "suspects": suspects, "lines": (LABEL_LINE, PREDICTION_LINE), "object_cases": objects,
        "outlines": OUTLINES, "object_titles": {name: metric.title for name, metric in OBJECT_TABLE.items()},
    }  # fmt: skip


def _figures(page: ReportPage) -> dict[str, Markup]:
    """The plots that there are data for, as inline SVG; the bars of the mistakes are part of their table."""
    names = page.label_space.foreground_names[:16]
    plots = plots_of(page.report, history=page.history, kept_step=page.kept_step, names=names)
    drawn = {name: draw() for name, draw in plots.items() if name in LABELS}
    return {
        name: Markup(to_svg(figure, name=name.replace("_", "-"), label=LABELS[name]))
        for name, figure in drawn.items()
        if figure is not None
    }


def _confusion(page: ReportPage) -> dict[str, Any] | None:
    """The table with shares of each true class; the largest confusions alone where there are many classes."""
    table, names = page.report.confusion, page.report.classes
    if not table:
        return None
    sums = [sum(row) for row in table]
    shares = [[count / total if total else math.nan for count in row] for row, total in zip(table, sums, strict=True)]
    wrong = [
        (table[i][j], names[i], names[j], shares[i][j])
        for i in range(len(names)) for j in range(len(names)) if i != j and table[i][j]
    ]  # fmt: skip
    wrong.sort(key=lambda entry: (-entry[0], entry[1], entry[2]))
    small = len(names) <= MATRIX_CLASSES
    return {"names": names, "counts": table, "shares": shares, "small": small, "largest": wrong[:MOST_CONFUSIONS]}


def _fold_names(page: ReportPage) -> list[str]:
    """Classes of the folds, in the order of their first mention."""
    return list(dict.fromkeys(name for fold in page.folds for name in fold.get("scores", {})))[:MOST_CLASSES]


def _fold_values(page: ReportPage, name: str) -> list[float]:
    """The score of a class in the folds where it is defined."""
    values = [fold.get("scores", {}).get(name) for fold in page.folds]
    return [float(value) for value in values if value is not None and value == value]


def _deviation(values: Sequence[float]) -> float:
    return statistics.stdev(values) if len(values) > 1 else math.nan


def _or_two(value: float) -> float:
    return 2.0 if math.isnan(value) else value


def _three(value: float | Score | None) -> str:
    shown = value.mean if isinstance(value, Score) else value
    return "undefined" if shown is None or math.isnan(shown) else f"{shown:.3f}"


def _share(value: float) -> str:
    if math.isnan(value):
        return "none"
    return "< 0.1%" if 0 < value < 0.0005 else f"{value:.1%}"


def _exact(value: float | int | None) -> str:
    """The number as ``json`` writes it."""
    return "null" if value is None or value != value else json.dumps(value)


def _name(value: object) -> Markup:
    """A name in its own reading order, so that it cannot turn the text around it."""
    return Markup("<bdi>{}</bdi>").format(visible(str(value)))


def _text(value: object) -> str:
    """A sentence that may hold names."""
    return visible(" ".join(str(value).split()), longest=4000)


def _setting(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(str, value)) or "none"
    return str(value) or "none"
