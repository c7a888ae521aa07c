"""The text of a model card: what a model is for, where it ends, how to use it, how good it is and what it was made of.

After Mitchell et al. 2019, doi:10.1145/3287560.3287596. Every sentence follows from the data, the recipe or the scores.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from limner.core.bundle import Bundle
from limner.core.report import Score
from limner.evaluation.answers_text import confidence_sentences, export_sentences, rules_sentences
from limner.evaluation.evaluate import FOREGROUND, MACRO
from limner.evaluation.names import visible
from limner.evaluation.page import ReportPage, group_rows, shown_classes
from limner.evaluation.sentences import SPLITS, plural, summary_sentences, warnings_of

CARD_METRICS = ("dice", "iou", "precision", "recall", "hd95", "surface_dice", "ece", "f1_at_iou", "ap50", "pq")
MOST_CLASSES = 60
SPECIAL = re.compile(r"([\\`*_\[\]#|~$])")


def model_card(bundle: Bundle, page: ReportPage | None) -> str:
    """The card of a bundle as Markdown; everything that comes from data is escaped.

    Parameters
    ----------
    bundle : the model.
    page : what the evaluation found; None when there was none, which the card then says.
    """
    name = str(bundle.training.get("data", "")) or bundle.architecture
    parts = [
        f"# Model card: {markdown(name)}",
        *_purpose(bundle),
        *_limits(bundle, page),
        *_use(bundle),
        *_scores(page),
        *_data(bundle, page),
        *_training(bundle, page),
        *_licences(bundle, page),
    ]
    return "\n\n".join(parts).encode("utf-8", "backslashreplace").decode("utf-8") + "\n"


def markdown(text: object) -> str:
    """Text that comes from data, as one line that Markdown and HTML show as it is.

    Examples
    --------
    >>> markdown("<img onerror=x> a|b *c*")
    '&lt;img onerror=x&gt; a\\\\|b \\\\*c\\\\*'
    """
    line = visible(" ".join(str(text).split()), longest=2000)
    return SPECIAL.sub(r"\\\1", line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))


def _purpose(bundle: Bundle) -> Iterable[str]:
    classes = list(bundle.label_space.foreground_names)
    shown = ", ".join(markdown(name) for name in classes[:MOST_CLASSES]) + (
        " ..." if len(classes) > MOST_CLASSES else ""
    )
    what = "A neural network" if bundle.method is None else "A method without a network"
    yield f"{what} ({markdown(bundle.method or bundle.architecture)}) that gives every pixel of a picture a class."
    yield "## What it is for"
    yield (
        f"Finding {shown} in pictures like those it was made from: the same kind of objects, device, magnification and "
        "preparation. It answers with a class for each pixel, at the picture's own size."
    )


def _limits(bundle: Bundle, page: ReportPage | None) -> Iterable[str]:
    facts = {} if page is None else page.facts
    channels, classes = bundle.contract.channels, len(bundle.label_space) - 1
    lines = [
        f"It knows {'one class' if classes == 1 else f'{classes} classes'} and the background. Anything else is given one of these "
        "all the same.",
        f"It wants pictures of {plural(channels, 'channel')}."
        + (" A gray picture is repeated three times." if channels == 3 else ""),
    ]
    if "sizes" in facts:
        lines.append(
            f"It was made from pictures of {markdown(facts['sizes'])} pixels; objects that appear larger or smaller than "
            "there may be missed."
        )
    if "values" in facts:
        lines.append(
            f"The values of those pictures were {markdown(facts['values'])}. Another exposure, stain or range is untested."
        )
    if page is not None and page.num_train is not None:
        lines.append(f"It learnt from {plural(page.num_train, 'picture')}{_training_groups(page)}.")
    lines.append(
        "How it does on pictures of other people, places, devices or seasons than those in the data is not known. It has not "
        "been tested for decisions about people."
    )
    lines += [markdown(sentence) for sentence in (warnings_of(page) if page is not None else [])]
    yield "## Limits"
    yield "\n".join(f"- {line}" for line in lines)


def _training_groups(page: ReportPage) -> str:
    return f" of {plural(len(page.train_groups), 'group')}" if page.train_groups else ""


def _use(bundle: Bundle) -> Iterable[str]:
    """Commands for the folder of the card, whatever it is called and wherever it was copied to."""
    yield "## How to use it"
    yield "In the folder that holds this file:"
    yield "```sh\nlimner predict . PICTURES --out predicted --overlay\n```"
    yield (
        '```python\nimport limner\n\nfound = limner.predict(".", ["PICTURES"], out="predicted")\n'
        'for picture in found["images"]:\n    print(picture["input"], picture.get("classes"))\n```'
    )
    above = bundle.calibrated_threshold
    if above is not None:
        yield f"A pixel is {markdown(bundle.label_space.names[1])} where its score is above {above:g}."
    lines = [*rules_sentences(bundle), *confidence_sentences(bundle), *export_sentences(bundle)]
    if lines:
        yield "\n".join(f"- {markdown(line)}" for line in lines)
    ids = ", ".join(
        f"{index} {markdown(name)}" for index, name in list(enumerate(bundle.label_space.names))[:MOST_CLASSES]
    )
    yield f"Values in the label pictures: {ids}{' ...' if len(bundle.label_space) > MOST_CLASSES else ''}."


def _scores(page: ReportPage | None) -> Iterable[str]:
    yield "## How good it is"
    if page is None:
        yield "Not known: it was not evaluated. Score it on labelled pictures that it has not seen before relying on it:"
        yield "```sh\nlimner evaluate . LABELLED_DATA --out scores\n```"
        return
    report = page.report
    yield markdown(" ".join(summary_sentences(page)[1:]))
    metrics = [metric for metric in CARD_METRICS if metric in report.scores]
    names = [name for name in shown_classes(page) if name != report.classes[0]][:MOST_CLASSES] if report.classes else []
    rows = [
        [markdown(name), metric, *_cells(report.scores[metric][name])]
        for metric in metrics for name in names if name in report.scores[metric]
    ]  # fmt: skip
    yield _table(("class", "metric", "mean", "95 % interval", "pooled", "n", "undefined"), rows)
    yield "\n".join(f"- `{metric}`: {markdown(report.definitions.get(metric, ''))}" for metric in metrics)
    which = SPLITS.get(report.split, report.split)
    groups = group_rows(page)
    rest = f" from {plural(len(groups), 'group')}" if groups else ""
    yield (
        f"Taken on {plural(report.samples, f'{which} picture')}{rest} at their own size. n: pictures where the score is defined; "
        f"undefined: where it is not, left out of the mean. {FOREGROUND}: all classes but the background as one mask; {MACRO}: "
        "mean over the classes. Lengths are in " + ("pixels." if report.unit == "px" else f"{markdown(report.unit)}.")
    )
    # Regions would contradict the counts of objects where the truth tells these apart.
    if page.inspection is not None and page.inspection.errors.total and not report.objects:
        errors = page.inspection.errors
        yield (
            f"Connected regions of one class: of {errors.true_objects} true ones, {errors.missed_objects} were missed whole; of "
            f"{errors.predicted_objects} predicted ones, {errors.invented_objects} were invented."
        )


def _cells(score: Score) -> list[str]:
    low, high = score.ci95
    interval = "none" if score.n < 2 or math.isnan(low) else f"{low:.3f} to {high:.3f}"
    return [_three(score.mean), interval, _three(score.pooled), str(score.n), str(score.undefined)]


def _three(value: float) -> str:
    return "undefined" if math.isnan(value) else f"{value:.3f}"


def _data(bundle: Bundle, page: ReportPage | None) -> Iterable[str]:
    training = bundle.training
    yield "## What it was made from"
    rows = [] if page is None else [[markdown(key), markdown(text)] for key, text in page.facts.items()]
    if page is None:
        rows.append(["pictures", markdown(_counts(training.get("pictures")))])
    rows += [
        ["checksum of the data", f"`{markdown(training.get('data_checksum', 'not known'))}`"],
        ["checksum of the split", f"`{markdown(training.get('split_checksum', 'not known'))}`"],
    ]
    yield _table(("", ""), rows)
    findings = [] if page is None else [f for f in page.findings if f.get("level") in ("error", "warning", "fixed")]
    if findings:
        yield "What the check of these data said, and training went on with:"
        yield "\n".join(f"- {_finding(finding)}" for finding in findings)


def _finding(finding: Mapping[str, Any]) -> str:
    allowed = ", allowed by the user" if finding.get("level") == "error" else ""
    return f"{markdown(finding.get('level', ''))}{allowed}, `{finding.get('code', '')}`: {markdown(finding.get('message', ''))}"


def _counts(counts: object) -> str:
    return (
        ", ".join(f"{number} {part}" for part, number in counts.items()) if isinstance(counts, Mapping) else "not known"
    )


def _training(bundle: Bundle, page: ReportPage | None) -> Iterable[str]:
    training = bundle.training
    best = training.get("best") or {}
    rows = [
        ["Limner", markdown(training.get("limner", "not known"))],
        ["architecture", markdown(bundle.architecture)],
        ["arguments", markdown(_pairs(bundle.arguments))],
        ["seed", markdown(training.get("seed", "not known"))],
        ["steps", markdown(training.get("steps", "not known"))],
        ["chosen by", markdown(_pairs(best) or "not known")],
        ["working scale", f"{bundle.contract.scale:g}"],
    ]
    if page is not None:
        rows += [[markdown(name), markdown(text)] for name, text in page.versions.items() if name != "limner"]
    yield "## How it was made"
    yield _table(("", ""), rows)
    if page is not None:
        yield "The recipe with the reason of each choice is `recipe.toml` in the run's folder. To repeat it:"
        yield f"```sh\n{_code(page.command)}\n```"


def _pairs(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {_short(value)}" for key, value in values.items())


def _short(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_short, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _code(text: str) -> str:
    """One line that cannot end its block."""
    return visible(" ".join(text.split()), longest=1000).replace("```", "'''")


def _licences(bundle: Bundle, page: ReportPage | None) -> Iterable[str]:
    data = "not stated" if page is None else page.facts.get("licence", "not stated")
    first = "; ".join(bundle.licences) or ("none: it started from random weights" if bundle.method is None else "none")
    yield "## Licences"
    yield (
        f"- Weights that the training started from: {markdown(first)}\n- Data: {markdown(data)}\n"
        "- This model: decided by whoever trained it, within the licences above."
    )


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
