"""A comparison as one HTML page: sentences and tables, no scripts, nothing from outside; all names are escaped."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape

from limner.evaluation.compare import Contender, Difference, Versus, headline_title, summary_of
from limner.evaluation.names import visible
from limner.metrics.object_table import EVERY_METRIC

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
body { color: #1c2128; background: #fff }
table { border-collapse: collapse; margin: .5rem 0 1.5rem } th, td { padding: .25rem .75rem; text-align: right }
th:first-child, td:first-child { text-align: left } thead th { border-bottom: 2px solid #8a8f98 }
tbody tr { border-bottom: 1px solid #d5d9df } .soft { color: #57606a } .better { color: #04684c } .worse { color: #a3245f }
@media (prefers-color-scheme: dark) { body { color: #dfe3e8; background: #16191d } .soft { color: #a2abb5 }
.better { color: #4fd0a5 } .worse { color: #f08fc0 } tbody tr { border-color: #3a4048 } }
"""
WORDS = {"noise": "smaller than the noise", "same": "the same", "unclear": "too few to tell"}


def render_comparison(
    versus: Sequence[Versus], contenders: Sequence[Contender], *, metric: str, unit: str, notes: Sequence[str]
) -> str:
    """The page.

    Parameters
    ----------
    versus : pairs of models, in the order to show.
    contenders : all models.
    metric : the one that comes first and that the sentences are about.
    unit : of lengths.
    notes : sentences that must not be overlooked.
    """
    title = f"Comparison of {len(contenders)} models"
    parts = [f"<h1>{title}</h1>", _contenders(contenders, metric)]
    parts += [f"<p>{_text(note)}</p>" for note in notes]
    for one in versus:
        parts.append(
            f"<h2>{_text(one.second)} against {_text(one.first)}</h2><p><strong>{_text(one.sentence)}</strong></p>"
        )
        names = list(dict.fromkeys((metric, *(d.metric for d in one.differences))))
        for name in names:
            parts.append(_differences(one, name, unit, is_open=name == metric))
        parts.append(_regressions(one, metric))
    parts.append(
        '<p class="soft">Each difference is the mean over the pictures where both models have a score, second minus first. The '
        "interval is a paired 95 % bootstrap; where it holds 0, these pictures do not show which model is better.</p>"
    )
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>'
    return (
        f'<!doctype html>\n<html lang="en"><head>{head}<style>{STYLE}</style></head>\n<body>\n'
        + "\n".join(parts)
        + "\n</body></html>\n"
    )


def _contenders(contenders: Sequence[Contender], metric: str) -> str:
    rows = []
    for one in contenders:
        found = summary_of(one, metric)
        each = ", ".join(_three(value) for value in found["mean_of_runs"]) if len(one.runs) > 1 else ""
        rows.append((one.name, str(len(one.runs)), _three(found["mean"]), each))
    title = headline_title(metric, contenders[0].headline)
    return _table(("model", "runs", f"{title}, mean over pictures", "of each run"), rows)


def _differences(versus: Versus, metric: str, unit: str, *, is_open: bool) -> str:
    entry = EVERY_METRIC[metric]
    head = ("class", versus.first, versus.second, "difference", "95 % interval", "pictures", "")
    rows = [_cells(found) for found in versus.differences if found.metric == metric]
    better = "higher is better" if entry.higher_is_better else "lower is better"
    title = f"{entry.title}{f', {unit}' if entry.is_length else ''} ({better})"
    if is_open:
        return f"<h3>{escape(title)}</h3>" + _table(head, rows)
    return f"<details><summary>{escape(title)}</summary>{_table(head, rows)}</details>"


def _cells(found: Difference) -> tuple[str, ...]:
    low, high = found.ci95
    interval = "" if math.isnan(low) else f"{low:+.3f} to {high:+.3f}"
    difference = "" if math.isnan(found.difference) else f"{found.difference:+.3f}"
    words = WORDS.get(found.verdict, found.verdict)
    return (
        found.class_name, _three(found.first), _three(found.second), difference, interval, str(found.pairs), words
    )  # fmt: skip


def _regressions(versus: Versus, metric: str) -> str:
    if not versus.regressions:
        return '<p class="soft">On no picture is it worse.</p>'
    head = ("picture", versus.first, versus.second, "difference")
    rows = [(image, _three(one), _three(other), f"{other - one:+.3f}") for image, one, other in versus.regressions]
    title = headline_title(metric, versus.headline)
    return f"<h3>Pictures that got worse: {escape(title)}</h3>{_table(head, rows)}"


def _table(head: Iterable[str], rows: Iterable[Sequence[str]]) -> str:
    cells = "".join(f'<th scope="col">{_text(name)}</th>' for name in head)
    body = "".join("<tr>" + "".join(_cell(cell) for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>"


def _cell(text: str) -> str:
    kind = f' class="{text}"' if text in ("better", "worse") else ""
    return f"<td{kind}>{_text(text)}</td>"


def _text(text: str) -> str:
    return escape(visible(text, longest=400))


def _three(value: float | None) -> str:
    return "undefined" if value is None or math.isnan(value) else f"{value:.3f}"
