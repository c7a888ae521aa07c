"""Decide, once for a data set, what the numbers in its mask files mean. Every rule is stated in `MaskReading.words`.

In this order: declared classes; transparency; colours; two values; small ids; soft edges; gray levels; object numbers.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from limner.core.labels import Color, LabelSpace
from limner.data.declared import Declared
from limner.data.findings import Finding
from limner.data.masks import UNKNOWN, MaskReading, MaskStats, as_colors, survey_mask

LARGEST_ID = 63  # larger numbers are gray levels or object numbers unless classes are declared
MOST_LEVELS = 16  # so many different gray levels can be classes
MOST_COLORS = 64
USUAL_IGNORE = 255
_FULL = {1, 255, 65535}  # what "yes" is in 1, 8 and 16 bit
_DECLARE = 'declare the classes in limner.toml, as in classes = ["background", "nucleus"]'

Decision = tuple[MaskReading, list[Finding]]


@dataclass(frozen=True)
class _Values:
    """The values of all files together, without the declared ignore value."""

    stats: tuple[MaskStats, ...]
    declared: Declared
    union: tuple[int, ...]
    counts: Counter[int]
    flat: Counter[int]

    @property
    def above_zero(self) -> set[int]:
        return {value for value in self.union if value > 0}

    @property
    def is_two_valued(self) -> bool:
        """No file has more than one value above 0, and all of them mean yes."""
        single = all(sum(v > 0 and v != self.declared.ignore for v in s.values) <= 1 for s in self.stats)
        return single and (len(self.above_zero) <= 1 or self.above_zero <= _FULL)

    def flat_share(self, values: set[int]) -> float:
        """Share of the pixels of `values` that lie inside a patch of one value; 1 when there are none."""
        total = sum(self.counts[v] for v in values)
        return sum(self.flat[v] for v in values) / total if total else 1.0


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
    if any(s.kind == "alpha" for s in surveys):
        surveys = [survey_mask(s.path, alpha=True) if s.has_alpha and s.kind != "alpha" else s for s in surveys]
        reading, findings = _by_alpha(surveys, declared)
    elif _needs_colors(surveys, declared):
        reading, findings = _by_color(surveys, declared)
    else:
        reading, findings = _by_value(_gather(surveys, declared))
    findings += _unknown_values(surveys, reading)
    return reading, [_relative(finding, root) for finding in findings]


def _relative(finding: Finding, root: Path | None) -> Finding:
    if root is None:
        return finding
    names = tuple(Path(f).relative_to(root).as_posix() if Path(f).is_relative_to(root) else f for f in finding.files)
    return dataclasses.replace(finding, files=names)


def _gather(surveys: Sequence[MaskStats], declared: Declared) -> _Values:
    counts: Counter[int] = Counter()
    flat: Counter[int] = Counter()
    for stats in surveys:
        counts.update(dict(zip(stats.values, stats.counts, strict=True)))
        flat.update(dict(zip(stats.values, stats.flat, strict=True)))
    union = tuple(sorted(value for value in counts if value != declared.ignore))
    return _Values(tuple(surveys), declared, union, counts, flat)


def _space(declared: Declared, count: int, colors: tuple[Color, ...] = ()) -> LabelSpace:
    """The declared classes, or plain names for `count` of them."""
    names = declared.classes or (
        ("background", "foreground") if count <= 2 else ("background", *(f"class_{i}" for i in range(1, count)))
    )
    colors = declared.colors or (colors if len(colors) == len(names) else ())
    return LabelSpace(names, colors)


def _fixed(message: str, code: str = "MASK_VALUES", *, files: Sequence[MaskStats] = (), fix: str = "") -> Finding:
    return Finding(code, "fixed", len(files), message, tuple(str(s.path) for s in files), fix)


# -- stored values


def _by_value(values: _Values) -> Decision:
    """The first rule that explains the numbers."""
    declared = len(values.declared.classes)
    rules: list[Callable[[_Values], Decision | None]] = (
        [_declared_ids, _two_values, _declared_ids_and_ignore, _soft_edges, _levels, _no_rule]
        if declared
        else [_two_values, _objects_in_order, _small_ids, _levels, _soft_edges, _objects, _no_rule]
    )
    for rule in rules:
        decision = rule(values)
        if decision is not None:
            return decision
    raise AssertionError("the last rule always decides")


def _ids(values: _Values, count: int, words: str, ignore: int | None) -> MaskReading:
    palette = next((s.palette for s in values.stats if s.kind == "palette" and len(s.palette) >= count), ())
    space = _space(values.declared, count, tuple(palette[:count]))
    return MaskReading(space, ignore, words, rule="table", table=tuple((i, i) for i in range(len(space))))


def _declared_ids(values: _Values) -> Decision | None:
    count = len(values.declared.classes)
    if any(value >= count for value in values.union):
        return None
    return _ids(values, count, f"values are the ids of the {count} declared classes", values.declared.ignore), []


def _declared_ids_and_ignore(values: _Values) -> Decision | None:
    count = len(values.declared.classes)
    if values.declared.ignore is None and {v for v in values.union if v >= count} == {USUAL_IGNORE}:
        words = f"values are the ids of the {count} declared classes; {USUAL_IGNORE} is not known and not used"
        return _ids(values, count, words, USUAL_IGNORE), [_ignore_note(values)]
    return None


def _ignore_note(values: _Values) -> Finding:
    files = [s for s in values.stats if USUAL_IGNORE in s.values]
    return Finding(
        "MASK_VALUES", "note", len(files), f"{values.counts[USUAL_IGNORE]} pixels of value 255 are taken as not known",
        tuple(str(s.path) for s in files), "declare ignore or the class 255 in limner.toml if that is not meant",
    )  # fmt: skip


def _two_values(values: _Values) -> Decision | None:
    if not values.is_two_valued or len(values.declared.classes) > 2:
        return None
    above = values.above_zero
    palette = next((s.palette for s in values.stats if s.kind == "palette"), ())
    colors = (palette[0], palette[max(above)]) if palette and above and max(above) < len(palette) else ()
    space = _space(values.declared, 2, colors)
    if above <= {1}:
        kind = "1-bit masks" if {s.kind for s in values.stats} == {"1-bit"} else "0 and 1"
        words = f"{kind}: 0 is {space.names[0]}, 1 is {space.names[1]}"
        return MaskReading(space, values.declared.ignore, words, rule="nonzero"), []
    found = " or ".join(str(v) for v in sorted(above))
    words = f"0 is {space.names[0]}, every value above 0 ({found}) is {space.names[1]}"
    odd = [s for s in values.stats if max(s.values) > 1]
    mixed = f", in the others {min(above)}" if len(above) > 1 else ""
    message = f"{len(odd)} masks use {max(above)} for {space.names[1]}{mixed}; read as 1 in every file"
    return MaskReading(space, values.declared.ignore, words, rule="nonzero"), [_fixed(message, files=odd)]


def _small_ids(values: _Values) -> Decision | None:
    ids = values.above_zero - {USUAL_IGNORE}
    explicit = all(s.kind in ("palette", "index", "1-bit") for s in values.stats)
    if not ids or max(ids) > (254 if explicit else LARGEST_ID) or (_evenly_spread(values.union) and not explicit):
        return None
    ignore = USUAL_IGNORE if USUAL_IGNORE in values.above_zero else values.declared.ignore
    count = max(ids) + 1
    gaps = sorted(set(range(count)) - set(values.union))
    words = f"values are class ids 0 to {count - 1}" + (
        f" ({', '.join(map(str, gaps))} do not occur)" if 0 < len(gaps) <= 12 else ""
    )
    if ignore is not None:
        words += f"; {ignore} is not known and not used"
    return _ids(values, max(count, 2), words, ignore), [
        _ignore_note(values)
    ] if USUAL_IGNORE in values.above_zero else []


def _evenly_spread(union: Sequence[int]) -> bool:
    """True for gray levels such as 0, 85, 170, 255: at least 3, at least 16 apart, each within 2 of its place."""
    if len(union) < 3 or union[0] != 0 or union[-1] / (len(union) - 1) < 16:
        return False
    step = union[-1] / (len(union) - 1)
    return all(abs(value - i * step) <= 2 for i, value in enumerate(union))


def _levels(values: _Values) -> Decision | None:
    """A few gray levels are classes in this order, when they fill patches; up to four evenly spread ones always."""
    union, count = values.union, len(values.declared.classes)
    between = values.above_zero - {max(union)}
    if not 3 <= len(union) <= MOST_LEVELS or union[0] != 0 or (count and count != len(union)):
        return None
    if not (_evenly_spread(union) and len(union) <= 4) and values.flat_share(between) < 0.3:
        return None
    space = _space(values.declared, len(union))
    shown = ", ".join(f"{v} = {name}" for v, name in zip(union, space.names, strict=True))
    reading = MaskReading(
        space,
        values.declared.ignore,
        f"gray levels in order: {shown}",
        rule="table",
        table=tuple((v, i) for i, v in enumerate(union)),
    )
    return reading, [
        _fixed(f"gray levels are read as classes: {shown}", files=values.stats, fix=f"{_DECLARE} to name them")
    ]


def _soft_edges(values: _Values) -> Decision | None:
    """Two values with soft edges (scaled or JPEG masks): nearly all near either end, the rest only along edges."""
    if values.union[-1] <= 64 or len(values.declared.classes) > 2:
        return None
    soft = [s for s in values.stats if s.num_values > 2]
    for stats in soft:
        scale = 65535 if stats.values[-1] > 255 else 255
        near = {v for v in stats.values if v <= 0.12 * scale or v >= 0.88 * scale}
        pixels = dict(zip(stats.values, stats.counts, strict=True))
        inside = dict(zip(stats.values, stats.flat, strict=True))
        between = [v for v in stats.values if v not in near]
        rest = sum(pixels[v] for v in between)
        low = [v for v in near if 0 < v < scale / 2]
        solid = sum(inside[v] for v in low) > 0.2 * sum(pixels[v] for v in low)
        if between and stats.values[-1] < scale / 2 and solid:
            return None  # areas of a small id and a stray value: cutting at half would empty this mask
        if rest > 0.25 * sum(stats.counts) or sum(inside[v] for v in between) > 0.2 * rest:
            return None
    space = _space(values.declared, 2)
    words = f"two values with soft edges: above half of the scale is {space.names[1]}"
    message = f"{len(soft)} masks have in-between values along edges (scaled or JPEG); cut at half"
    fix = "save masks as PNG and scale them with nearest neighbour"
    return MaskReading(space, None, words, rule="half"), [_fixed(message, "MASK_ANTIALIASED", files=soft, fix=fix)]


def _objects_in_order(values: _Values) -> Decision | None:
    """Object numbers: every file counts 1, 2, ... without a gap to another number, more than 20 in some."""
    if len(values.stats) < 2 or any(s.kind in ("palette", "colour") for s in values.stats):
        return None
    tops = [max(s.values) for s in values.stats]
    in_order = all(set(s.values) | {0} == set(range(top + 1)) for s, top in zip(values.stats, tops, strict=True))
    return _objects(values) if in_order and max(tops) > 20 and len(set(tops)) > 1 else None


def _objects(values: _Values) -> Decision | None:
    """Many numbers, each filling a patch: one per object; all objects are one class."""
    if len(values.union) <= MOST_LEVELS or 0 not in values.union or values.flat_share(values.above_zero) < 0.25:
        return None
    space = _space(values.declared, 2)
    words = f"object numbers up to {values.union[-1]}: every number above 0 is {space.names[1]}"
    message = f"masks number their objects (up to {values.union[-1]}); all objects are read as one class"
    finding = Finding(
        "MASK_VALUES",
        "warning",
        len(values.stats),
        message,
        tuple(str(s.path) for s in values.stats),
        f"if they are class ids, {_DECLARE}",
    )
    return MaskReading(space, values.declared.ignore, words, rule="nonzero"), [finding]


def _no_rule(values: _Values) -> Decision:
    """Nothing explains the numbers: an error, with a reading that lets the check go on."""
    count = len(values.declared.classes)
    if count:
        return _ids(values, count, f"values are the ids of the {count} declared classes", values.declared.ignore), []
    worst = sorted(values.stats, key=lambda s: -s.num_values)
    files = [s for s in worst if s.num_values > MOST_LEVELS] or worst
    first = files[0]
    message = f"{first.path.name} has {first.num_values} different values up to {max(first.values)}: no rule reads them"
    fix = f"save masks losslessly (PNG, not JPEG) with one value per class, or {_DECLARE}"
    finding = Finding("MASK_VALUES", "error", len(files), message, tuple(str(s.path) for s in files), fix)
    return MaskReading(_space(values.declared, 2), values.declared.ignore, "not understood", rule="nonzero"), [finding]


# -- transparency and colours


def _by_alpha(surveys: Sequence[MaskStats], declared: Declared) -> Decision:
    space = _space(declared, 2)
    clear = [s for s in surveys if s.kind == "alpha"]
    words = f"transparency: more than half opaque is {space.names[1]}"
    finding = _fixed(
        f"{len(clear)} masks carry their shape in the transparency; opaque is {space.names[1]}",
        "MASK_ALPHA",
        files=clear,
    )
    return MaskReading(space, declared.ignore, words, source="alpha", rule="half"), [finding]


def _needs_colors(surveys: Sequence[MaskStats], declared: Declared) -> bool:
    """Colours decide when a file has them, when palettes disagree, or when declared colours are what the values are."""
    if any(s.kind == "colour" for s in surveys):
        return True
    seen: dict[int, Color] = {}
    for stats in surveys:
        for value in stats.values if stats.kind == "palette" else ():
            if seen.setdefault(value, stats.palette[value]) != stats.palette[value]:
                return True
    grays = {r for r, g, b in declared.colors if r == g == b}
    values = {value for s in surveys for value in s.values} - {declared.ignore}
    return bool(declared.colors) and max(values, default=0) >= len(declared.classes) and values <= grays


def _by_color(surveys: Sequence[MaskStats], declared: Declared) -> Decision:
    found = {int(c) for s in surveys for c in as_colors(np.array(s.values), s.kind, s.palette)}
    many = [s for s in surveys if s.num_values > MOST_COLORS]
    if declared.colors:
        order = [r << 16 | g << 8 | b for r, g, b in declared.colors]
    else:
        order = [0, *sorted(found - {0})]
        if 0 not in found and len(found) > 1:  # no black at all: the commonest colour is the background
            pixels: Counter[int] = Counter()
            for s in surveys:
                pixels.update(
                    dict(zip(as_colors(np.array(s.values), s.kind, s.palette).tolist(), s.counts, strict=True))
                )
            common = max(sorted(found), key=lambda color: pixels[color])
            order = [common, *sorted(found - {common})]
    if many or (len(order) > MOST_COLORS and not declared.colors):
        files = tuple(str(s.path) for s in many or surveys)
        most = max(s.num_values for s in surveys)
        message = f"colour masks with {most} different colours in a file: no exact colour per class"
        finding = Finding(
            "MASK_VALUES",
            "error",
            len(files),
            message,
            files,
            "save colour masks losslessly (PNG, not JPEG) without smoothing",
        )
        return MaskReading(_space(declared, 2), None, "not understood", rule="nonzero"), [finding]
    colors = tuple((c >> 16, c >> 8 & 255, c & 255) for c in order)
    space = _space(declared, len(order), colors)
    if len(space) != len(order):
        message = f"{len(order)} colours for {len(space)} declared classes"
        fix = "declare their colours in limner.toml, in the order of the classes: colors = [[0, 0, 0], [220, 20, 60]]"
        finding = Finding("MASK_COLOURS", "error", len(order), message, tuple(str(s.path) for s in surveys), fix)
        return MaskReading(space, None, "not understood", rule="nonzero"), [finding]
    shown = ", ".join(f"#{color:06x} = {name}" for color, name in zip(order, space.names, strict=True))
    table = tuple(sorted((color, index) for index, color in enumerate(order)))
    reading = MaskReading(space, None, f"colours: {shown}", source="colour", rule="table", table=table)
    return reading, [_fixed(f"colours are read as classes: {shown}", "MASK_COLOURS", files=surveys)]


def _unknown_values(surveys: Sequence[MaskStats], reading: MaskReading) -> list[Finding]:
    """Values outside the declared classes: an error that names file, value and pixels."""
    files, sentences = [], []
    for stats in surveys:
        if reading.count(stats).get(UNKNOWN):
            values = (
                as_colors(np.array(stats.values), stats.kind, stats.palette)
                if reading.source == "colour"
                else np.array(stats.values)
            )
            ids = reading.ids(values, 1)
            strange = [
                (reading.show(int(v)), c) for v, i, c in zip(values, ids, stats.counts, strict=True) if i == UNKNOWN
            ]
            files.append(str(stats.path))
            sentences.append(f"{stats.path.name} holds {', '.join(f'{v} in {c} pixels' for v, c in strange[:4])}")
    if not files:
        return []
    classes = f"{len(reading.label_space)} classes are declared"
    message = f"{classes}, but {'; '.join(sentences[:5])}" + (
        f" and {len(sentences) - 5} more" if len(sentences) > 5 else ""
    )
    fix = "correct the masks, add the classes to limner.toml, or declare the value as ignore"
    return [Finding("UNKNOWN_VALUE", "error", len(files), message, tuple(files), fix)]
