"""Decide, once for a data set, what the numbers in its mask files mean. Every rule is stated in `MaskReading.words`.

In this order: what ``limner.toml`` declares value by value; declared classes; transparency; colours; stray values set aside; two
values; trimaps; small ids; gray levels; soft edges; object numbers. Last, whether objects are told apart: `mask_objects`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from limner.core.labels import LabelSpace
from limner.data.alpha_masks import are_shapes, with_colors, with_opacity
from limner.data.declared import IGNORE, Declared
from limner.data.findings import Finding, shortened
from limner.data.mask_census import Census, Decision, take_census
from limner.data.mask_colors import by_alpha, by_color, has_private_palettes, needs_colors, palettes_disagree
from limner.data.mask_numbers import (
    clear_numbers,
    declared_numbers,
    number_colors,
    numbers,
    numbers_in_order,
    objects_alone,
)
from limner.data.mask_objects import decide_objects
from limner.data.mask_rules import (
    declared_ids,
    declared_ids_and_ignore,
    large_ids,
    levels,
    no_rule,
    small_ids,
    soft_edges,
    two_values,
)
from limner.data.mask_survey import read_again, survey_mask
from limner.data.masks import IGNORED, UNKNOWN, MaskReading, MaskStats, as_colors
from limner.data.stray_values import set_aside, without_strays
from limner.data.trimap import trimap


def decide_reading(
    paths: Sequence[Path], declared: Declared, *, stats: Sequence[MaskStats] | None = None, root: Path | None = None
) -> Decision:
    """How all mask files of a data set are read, and what had to be decided for it.

    Parameters
    ----------
    paths : the mask files.
    declared : ``limner.toml``.
    stats : the surveys of the files, when they are made already.
    root : file names in findings are relative to it.

    Returns
    -------
    The reading, which is usable even when a finding is an error, and the findings.
    """
    surveys = list(stats) if stats is not None else [survey_mask(path) for path in sorted(paths)]
    findings: list[Finding] = []
    by_opacity = are_shapes(surveys, declared)
    surveys = [with_opacity(s) if by_opacity else with_colors(s) for s in surveys]
    known = declared_numbers(surveys, declared) or objects_alone(surveys, declared) or number_colors(surveys, declared)
    if declared.values:
        reading = _as_declared(declared, by_opacity)
    elif known:
        reading, findings = known
    elif by_opacity:
        reading, findings = by_alpha(surveys, declared)
    elif needs_colors(surveys, declared):
        reading, findings = by_color(surveys, declared)
    else:
        reading, findings = _by_value(take_census(surveys, declared))
        findings += _private_palettes(surveys, declared)
    findings += _unknown_values(surveys, reading, declared)
    reading, findings = decide_objects((reading, findings), surveys, declared)
    return reading, [_relative(finding, root) for finding in findings]


def _relative(finding: Finding, root: Path | None) -> Finding:
    if root is None:
        return finding
    names = tuple(Path(f).relative_to(root).as_posix() if Path(f).is_relative_to(root) else f for f in finding.files)
    return dataclasses.replace(finding, files=names)


def _as_declared(declared: Declared, by_opacity: bool) -> MaskReading:
    """The reading that ``values`` in ``limner.toml`` states, to the letter; of the transparency where that is the shape."""
    space = LabelSpace(declared.classes, declared.colors)
    ids = {name: index for index, name in enumerate(space.names)}
    table = tuple(sorted((value, ids.get(name, IGNORED)) for value, name in declared.values))
    shown = ", ".join(
        f"{f'#{value:06x}' if declared.by_color else value} = {'not known' if name == IGNORE else name}"
        for value, name in declared.values
    )
    ignored = [value for value, name in declared.values if name == IGNORE]
    ignore = declared.ignore if declared.ignore is not None or not ignored else ignored[0]
    words = f"as limner.toml declares: {shown}"
    source: Literal["value", "colour", "alpha"] = "alpha" if by_opacity else "colour" if declared.by_color else "value"
    return MaskReading(space, ignore, words, source=source, rule="table", table=table)


def _by_value(census: Census) -> Decision:
    """The first rule that explains the numbers; stray values are set aside unless classes are declared."""
    strict: list[Callable[[Census], Decision | None]]
    strict = [declared_ids, two_values, declared_ids_and_ignore, trimap, clear_numbers, soft_edges, levels]
    free = [two_values, trimap, numbers_in_order, small_ids, large_ids, levels, soft_edges, numbers]
    rules = strict if census.declared.classes else free
    clean, strays = (census, []) if census.declared.classes else without_strays(census)
    for rule in rules:
        decision = rule(clean)
        if decision is not None:
            return set_aside(decision, strays, clean.union)
    return no_rule(census)


def _private_palettes(surveys: Sequence[MaskStats], declared: Declared) -> list[Finding]:
    if not (palettes_disagree(surveys) and has_private_palettes(surveys, declared)):
        return []
    files = [s for s in surveys if s.kind == "palette"]
    message = (
        "each mask has a colour table of its own that shares hardly a colour with the others; the numbers are taken as "
        "class ids and the colours are passed over"
    )
    fix = "if the colours are the classes, declare them in limner.toml: classes and colors"
    return [Finding("MASK_COLOURS", "warning", len(files), message, tuple(str(s.path) for s in files), fix)]


def _unknown_values(surveys: Sequence[MaskStats], reading: MaskReading, declared: Declared) -> list[Finding]:
    """Values that the reading does not know: an error that names file, value, pixels and the first place."""
    files, sentences = [], []
    for stats in surveys:
        if not reading.count(stats).get(UNKNOWN):
            continue
        values = np.array(stats.values)
        values = as_colors(values, stats.kind, stats.palette) if reading.source == "colour" else values
        ids = reading.ids(values, 1)
        strange = [(int(v), c) for v, i, c in zip(values, ids, stats.counts, strict=True) if i == UNKNOWN]
        files.append(str(stats.path))
        shown = ", ".join(f"{reading.show(value)} in {pixels} pixels" for value, pixels in strange[:4])
        more = f" and {len(strange) - 4} more values" if len(strange) > 4 else ""
        place = _first_place(stats, reading, strange[0][0]) if len(files) <= 5 else ""
        if stats.has_alpha and reading.source == "colour" and strange[0][0] == 0:
            place += "; transparent pixels count as black"
        sentences.append(f"{stats.path.name} holds {shown}{more}{place}")
    if not files:
        return []
    what = f"{len(declared.values)} values" if declared.values else f"{len(reading.label_space)} classes"
    message = f"{what} are declared, but {shortened(sentences)}"
    fix = (
        'correct the masks, or add the value to limner.toml, as in values = {3 = "ignore"}' if declared.values
        else "correct the masks, add the classes to limner.toml, or declare the value as ignore"
    )  # fmt: skip
    return [Finding("UNKNOWN_VALUE", "error", len(files), message, tuple(files), fix)]


def _first_place(stats: MaskStats, reading: MaskReading, value: int) -> str:
    """Where the first pixel of an unknown value is, in words; empty when the file cannot be read any more."""
    raw = read_again(stats, alpha=reading.source == "alpha")
    if raw is None:
        return ""
    grid = as_colors(raw.values, raw.kind, raw.palette) if reading.source == "colour" else raw.values
    places = np.argwhere(grid == value)
    return f" (the first at row {places[0][0]}, column {places[0][1]}, counted from 0)" if len(places) else ""
