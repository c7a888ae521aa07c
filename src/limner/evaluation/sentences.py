"""The plain words of a report: what was done, how good it is, what that rests on, and what to worry about."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from limner.core.report import Report, Row
from limner.evaluation.evaluate import FOREGROUND, MACRO
from limner.evaluation.names import visible
from limner.evaluation.page import ReportPage, foreground_rows, group_rows, mean, shown_classes
from limner.evaluation.ranking import picture_scores

FEW_PICTURES = 20  # below, the bootstrap interval is too narrow
FEW_GROUPS = 5
WIDE_INTERVAL = 0.1
WIDE_GROUPS = 0.1  # between the means of the lowest and the highest group
APART = 0.05  # of mean and pooled value, worth a reason
OF_INTERVALS = "The intervals draw"  # how a note of a report begins that says how its intervals came about
SPLITS = {"train": "training", "val": "validation", "test": "test", "all": "scored", "out-of-fold": "held-out"}


def summary_sentences(page: ReportPage) -> list[str]:
    """The first paragraph: what was done, how good it is, what the interval means and what it rests on."""
    report, score = page.report, page.headline
    which = {"test": " that it had never seen", "val": ", which also chose the best epoch,"}.get(report.split, "")
    if page.num_train is None or (page.method and report.split == "val"):
        which = ""
    if page.folds:
        which = ", each predicted by the model that had not learnt from it,"
    pictures = f"{plural(report.samples, f'{SPLITS.get(report.split, report.split)} picture')}{which}"
    sentences = [_what_was_done(page)]
    if not score.n:
        return [*sentences, f"On {pictures} neither truth nor prediction shows a class, so there is no Dice to state."]
    of = ", the mean over the classes," if page.many else ""
    they = "they reach" if page.folds else "it reaches"
    sentences.append(
        f"On {pictures} {they} a Dice{of} of {score.mean:.3f} on average (1 is perfect, 0 shares no pixel with the truth)."
    )
    whole = report.scores["dice"][FOREGROUND]
    if page.many and whole.n:
        sentences.append(f"All classes taken as one mask reach {whole.mean:.3f}.")
    return [
        *sentences,
        _interval_sentence(page),
        *_object_sentence(report),
        *_group_sentence(page),
        *_baseline_sentence(page),
    ]


def _object_sentence(report: Report) -> list[str]:
    """How many objects were found; nothing where the truth tells none apart."""
    counts = report.objects.get("counts", {})
    true, found = (sum(numbers[key] for numbers in counts.values()) for key in ("true", "matched"))
    if not true:
        return []
    score = report.scores["f1_at_iou"][MACRO]
    alarms = sum(numbers["predicted"] for numbers in counts.values()) - found
    return [
        f"As objects, {found:,} of {true:,} are found with an IoU of at least 0.5, and {plural(alarms, 'more predicted one')} "
        f"{'is' if alarms == 1 else 'are'} none of them: F1 is {score.mean:.3f} on average."
    ]


def _interval_sentence(page: ReportPage) -> str:
    score, number = page.headline, _groups_with_a_dice(page.report)
    if score.n == 1:
        return "With a single picture nothing can be said about others."
    if math.isnan(score.ci95[0]):
        of_one = "All pictures are" if page.report.resampled[1] == 1 else "All pictures that have a Dice are"
        return f"{of_one} of one group, so nothing can be said about others."
    by_group = page.report.resampled[0] == "group"
    given = plural(number, "group") if by_group else plural(score.n, "picture")
    low, high = (f"{end:.3f}" for end in score.ci95)
    if (number if by_group else score.n) < FEW_GROUPS:
        return f"With only {given} an interval cannot be relied on; drawing them anew gives {low} to {high}."
    more = "groups" if by_group else "pictures"
    return f"With 95 % confidence, given {given}, the average over more {more} of the same kind lies between {low} and {high}."


def _groups_with_a_dice(report: Report) -> int:
    """How many groups the average rests on: those with a picture that has a Dice, and each such picture of no group."""
    groups = {row.image: row.group for row in report.rows}
    defined = [image for image, dice in picture_scores(report).items() if not math.isnan(dice)]
    return len({(groups[image], "" if groups[image] else image) for image in defined})


def _what_was_done(page: ReportPage) -> str:
    classes = few(page.label_space.foreground_names, 8)
    if page.recipe is None:
        return f"{visible(page.report.model)} was scored on finding: {classes}."
    on = "" if page.num_train is None else f" on {plural(page.num_train, 'picture')}"
    if page.method:
        return f"The method {page.method}, which has no network, was tuned{on} to find: {classes}."
    encoder = page.recipe.encoder.name
    kind = page.recipe.model.architecture + (f" with the encoder {encoder}" if encoder != "plain" else "")
    if page.folds:
        return (
            f"{len(page.folds)} neural networks ({kind}), one for each fold, were each trained{on} to find: {classes}."
        )
    return f"A neural network ({kind}) was trained{on} to find: {classes}."


def _group_sentence(page: ReportPage) -> list[str]:
    rows = group_rows(page)
    if len(rows) < 2:
        return []
    known = sum(row.in_training for row in rows)
    seen = "none of them in training" if not known else f"{known} of them in training, too"
    return [f"The pictures are of {len(rows)} groups{f' ({seen})' if page.train_groups else ''}."]


def _baseline_sentence(page: ReportPage) -> list[str]:
    """Whether a method without learning does as well; intervals that overlap do not tell."""
    known = [row for row in page.baselines if isinstance(row.get("dice"), (int, float)) and not math.isnan(row["dice"])]
    if not known:
        return []
    best = max(known, key=lambda row: float(row["dice"]))
    ours, name = page.report.scores["dice"][FOREGROUND], visible(str(best.get("name", "")))
    low, high = (math.nan if best.get(end) is None else float(best[end]) for end in ("lo", "hi"))
    if math.isnan(low + high + ours.ci95[0]):
        return [f"The best method without a network, {name}, reaches {best['dice']:.3f}."]
    if ours.ci95[0] > high:
        return [f"The best method without a network, {name}, reaches {best['dice']:.3f}, which is worse."]
    if ours.ci95[1] < low:
        return [f"A method without a network does better: {name} reaches {best['dice']:.3f}."]
    return [
        f"A method without a network, {name}, reaches {best['dice']:.3f}; the intervals overlap, which alone does not "
        "tell which is better."
    ]


def warnings_of(page: ReportPage) -> list[str]:
    """What a reader must know before believing the score: leaks first, then the notes of the page."""
    report, score = page.report, page.headline
    leaks = [f for f in page.findings if f.get("level") == "error"]
    how = "Data check" if page.recipe is None else "Trained although the check calls it an error"
    found = [f"{how}, {_finding(f)}" for f in leaks] + list(dict.fromkeys((*page.notes, *_doubts(report))))
    if report.samples < FEW_PICTURES:
        found.append(
            f"Only {plural(report.samples, 'picture')} scored: below {FEW_PICTURES} the interval is itself uncertain "
            "and rather too narrow. Score more pictures before comparing small differences."
        )  # fmt: skip
    if score.n > 1 and score.ci95[1] - score.ci95[0] > WIDE_INTERVAL:
        found.append(
            f"The interval of the Dice is wide ({score.ci95[0]:.3f} to {score.ci95[1]:.3f}): pictures differ a lot."
        )
    found += _group_warnings(page) + _class_warnings(page) + _picture_warnings(report)
    return found + [f"Data check, {_finding(f)}" for f in page.findings if f.get("level") == "warning"]


def interval_notes(report: Report) -> list[str]:
    """What the report says about how its intervals came about: to be read beside them, and no reason to doubt by itself."""
    return [note for note in report.notes if note.startswith(OF_INTERVALS)]


def _doubts(report: Report) -> list[str]:
    return [note for note in report.notes if note not in interval_notes(report)]


def _finding(finding: Mapping[str, Any]) -> str:
    return f"{finding.get('code', '')}: {finding.get('message', '')}"


def _group_warnings(page: ReportPage) -> list[str]:
    rows = group_rows(page)
    found = []
    known = [row for row in rows if row.in_training]
    if known:
        found.append(
            f"Groups in training and in the score: {few([row.name for row in known], 3)}. For pictures of new groups the score "
            "says less."
        )
    if rows and len(rows) < page.report.samples and len(rows) < FEW_GROUPS:
        found.append(
            f"The pictures come from {plural(len(rows), 'group')} only, and pictures of one group are alike: the interval is "
            "itself uncertain and rather too narrow."
        )
    defined = [row for row in rows if not math.isnan(row.dice)]
    if len(defined) > 1 and len(defined) < page.report.samples and defined[-1].dice - defined[0].dice > WIDE_GROUPS:
        low, high = defined[0], defined[-1]
        found.append(
            f"Groups differ: {visible(low.name)} reaches {low.dice:.3f} ({plural(low.pictures, 'picture')}), "
            f"{visible(high.name)} {high.dice:.3f} ({plural(high.pictures, 'picture')})."
        )
    return found


def _class_warnings(page: ReportPage) -> list[str]:
    names = [name for name in shown_classes(page) if name not in (FOREGROUND, MACRO) or len(page.label_space) == 2]
    predicted, true = dict.fromkeys(names, 0), dict.fromkeys(names, 0)
    for row in page.report.rows:
        if row.class_name in true:
            predicted[row.class_name] += row.tp + row.fp
            true[row.class_name] += row.tp + row.fn
    silent = [name for name in names if true[name] and not predicted[name]]
    absent = [name for name in names if not true[name]]
    found = [f"Never predicted, although the truth shows it: {few(silent, 8)}."] if silent else []
    if absent and page.report.rows:
        found.append(f"Shown by no scored picture, so this score cannot tell about it: {few(absent, 8)}.")
    return found


def _picture_warnings(report: Report) -> list[str]:
    rows, found = foreground_rows(report), []
    alarms = [row for row in rows if not row.tp + row.fn and row.fp]
    lost = [row for row in rows if row.fn and not row.tp]
    if alarms:
        empty = sum(not row.tp + row.fn for row in rows)
        found.append(
            f"False alarms: {len(alarms)} of {plural(empty, 'picture')} without any class got a prediction "
            f"({sum(row.fp for row in alarms)} pixels in all); each counts as Dice 0."
        )  # fmt: skip
    if lost:
        names = few([row.image for row in lost], 3)
        found.append(f"Missed: in {plural(len(lost), 'picture')} no pixel of what is there was found: {names}.")
    if report.missing:
        found.append(
            f"No prediction for {plural(len(report.missing), 'picture')}, counted as empty: {few(report.missing, 5)}."
        )
    return found


def why_pooled_differs(report: Report, class_name: str, metric: str = "dice") -> str:
    """Why the mean over pictures and the pooled value of a class are more than `APART` from each other; empty where they are not.

    The pooled value is the mean weighted by the denominators of the pictures, so the two differ where pictures of large and of
    small denominator score differently.

    Parameters
    ----------
    class_name : a row of the scores; for the mean over classes there is no single reason, so none is given.
    metric : one of `WEIGHTS`; of others the pooled value is something else, and nothing is said.
    """
    score = report.scores.get(metric, {}).get(class_name)
    if score is None or class_name == MACRO or metric not in WEIGHTS or not abs(score.mean - score.pooled) > APART:
        return ""
    rows = [row for row in report.rows if row.class_name == class_name and not math.isnan(_value(row, metric))]
    pixels, weight = WEIGHTS[metric]
    words = (
        f"{visible(class_name)}: mean {score.mean:.3f}, pooled {score.pooled:.3f}. Pooled weighs a picture by its {pixels} pixels, "
        "the mean weighs all pictures the same"
    )
    empty = sum(not row.tp + row.fn for row in rows)
    ranked = sorted(rows, key=lambda row: (weight(row), row.image))
    parts = []
    if empty and metric != "recall":
        parts.append(f"{plural(empty, 'picture')} without the class, but with false alarms, count as 0 in the mean")
    if len(ranked) > 1:
        halves = ranked[: len(ranked) // 2], ranked[len(ranked) // 2 :]
        low, high = (mean([_value(row, metric) for row in half]) for half in halves)
        parts.append(
            f"the half of the pictures with fewest of these has a mean of {low:.3f}, the other half {high:.3f}"
        )
    return f"{words}: {'; '.join(parts)}." if parts else f"{words}."


WEIGHTS: dict[str, tuple[str, Callable[[Row], int]]] = {  # metric to which pixels its denominator counts
    "dice": ("true and predicted", lambda row: 2 * row.tp + row.fp + row.fn),
    "iou": ("true and predicted", lambda row: row.tp + row.fp + row.fn),
    "precision": ("predicted", lambda row: row.tp + row.fp),
    "recall": ("true", lambda row: row.tp + row.fn),
}


def _value(row: Row, metric: str) -> float:
    return row.metrics.get(metric, math.nan)


def few(names: Sequence[str], most: int) -> str:
    """The first `most` names, made `visible`, and how many more there are."""
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(visible(name, longest=60) for name in names[:most]) + rest


def plural(number: int, noun: str) -> str:
    """``1 picture``, ``2 pictures``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
