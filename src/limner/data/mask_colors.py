"""Read masks by their transparency or by their colours: one class per colour, the background first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from limner.core.labels import Color, LabelSpace
from limner.data.declared import Declared
from limner.data.findings import Finding
from limner.data.mask_census import Decision, about, class_space
from limner.data.masks import IGNORED, MaskReading, MaskStats
from limner.data.soft_colors import (
    MOST_COLORS,
    SAME_COLOR,
    ColorCensus,
    NearestColor,
    channels_of,
    class_colors,
    colors_in,
    in_doubt,
    soft_colors,
    take_color_census,
)
from limner.data.stray_values import LARGEST_SHARE, MOST_STRAYS, Stray, find_strays, told

MANY_COLORS = 16  # from here on colours may be numbers of objects


def by_alpha(surveys: Sequence[MaskStats], declared: Declared) -> Decision:
    """Transparency carries the shape."""
    space = class_space(declared, 2)
    clear = [s for s in surveys if s.kind == "alpha"]
    words = f"transparency: more than half opaque is {space.names[1]}"
    message = f"{len(clear)} masks carry their shape in the transparency; opaque is {space.names[1]}"
    reading = MaskReading(space, declared.ignore, words, source="alpha", rule="half")
    return reading, [about("MASK_ALPHA", "fixed", message, clear)]


def needs_colors(surveys: Sequence[MaskStats], declared: Declared) -> bool:
    """Colours decide when a file has them, when palettes disagree, or when declared colours are what the values are."""
    if any(s.kind == "colour" for s in surveys):
        return True
    if palettes_disagree(surveys):
        return not has_private_palettes(surveys, declared)
    grays = {r for r, g, b in declared.colors if r == g == b}
    values = {value for s in surveys for value in s.values} - {declared.ignore}
    return bool(declared.colors) and max(values, default=0) >= len(declared.classes) and values <= grays


def palettes_disagree(surveys: Sequence[MaskStats]) -> bool:
    """A number that is used has different colours in two files."""
    seen: dict[int, Color] = {}
    return any(
        seen.setdefault(value, stats.palette[value]) != stats.palette[value]
        for stats in surveys if stats.kind == "palette" for value in stats.values
    )  # fmt: skip


def has_private_palettes(surveys: Sequence[MaskStats], declared: Declared) -> bool:
    """Each file has colours of its own, so they cannot name classes that files share: the numbers are meant."""
    files: Counter[Color] = Counter()
    palettes = [s for s in surveys if s.kind == "palette"]
    for stats in palettes:
        files.update({stats.palette[value] for value in stats.values if value})
    own = sum(number == 1 for number in files.values())
    return not declared.colors and len(palettes) >= 4 and own > 0.8 * len(files)


def by_color(surveys: Sequence[MaskStats], declared: Declared) -> Decision:
    """One class per colour; colours that only lie between classes are the nearest of them; stray colours are not known."""
    strays = [] if declared.classes else _stray_colors(surveys)
    void = _ignored_colors(surveys, declared)
    census = take_color_census(surveys, without=void | {stray.value for stray in strays})
    order = [r << 16 | g << 8 | b for r, g, b in declared.colors]
    centres = order or class_colors(census)
    soft = soft_colors(census, centres)
    if not soft and any(s.num_values > MOST_COLORS for s in surveys):
        return _no_mask(surveys, declared)
    order = order or _in_order(centres if soft else list(census.pixels), census)
    if len(order) > MOST_COLORS and not declared.colors:
        return _no_mask(surveys, declared)
    space = class_space(declared, len(order), tuple((c >> 16, c >> 8 & 255, c & 255) for c in order))
    if len(space) != len(order):
        message = f"{len(order)} colours for {len(space)} declared classes"
        fix = "declare their colours in limner.toml, in the order of the classes: colors = [[0, 0, 0], [220, 20, 60]]"
        reading = MaskReading(space, None, "not understood", rule="nonzero")
        return reading, [about("MASK_COLOURS", "error", message, surveys, fix)]
    shown = ", ".join(f"#{color:06x} = {name}" for color, name in zip(order, space.names, strict=True))
    words = f"colours: {shown}" + ("; transparent is black" if any(s.has_alpha for s in surveys) else "")
    if void:
        words += f"; {', '.join(f'#{color:06x}' for color in sorted(void))}, of value {declared.ignore}, is not known and not used"
    findings = [_told_colors(surveys, declared, order, shown)]
    table = dict.fromkeys([*void, *(s.value for s in strays)], IGNORED) | {c: i for i, c in enumerate(order)}
    pairs = tuple(sorted(table.items()))
    reading = MaskReading(space, None, words, source="colour", rule="table", table=pairs)
    if soft:
        words = f"{words}; other colours, along edges, are the nearest of these"
        reading = NearestColor(space, None, words, source="colour", rule="table", table=pairs)
        findings.append(_edges(surveys, soft, order, space))
    return reading, findings + ([told(strays, reading)] if strays else [])


def _ignored_colors(surveys: Sequence[MaskStats], declared: Declared) -> frozenset[int]:
    """The colours of the declared ignore value in files of numbers, but for those that are declared for classes."""
    found = {
        colors_in(s)[s.values.index(declared.ignore)]
        for s in surveys if s.kind != "colour" and declared.ignore in s.values
    }  # fmt: skip
    return frozenset(found - {r << 16 | g << 8 | b for r, g, b in declared.colors})


def _told_colors(surveys: Sequence[MaskStats], declared: Declared, order: Sequence[int], shown: str) -> Finding:
    """The classes; a warning where most colours are in one file only, as the numbers of objects are."""
    files = Counter(color for stats in surveys for color in set(colors_in(stats)) if color in order[1:])
    single = sum(number == 1 for number in files.values())
    if declared.classes or len(order) <= MANY_COLORS or len(surveys) < 2 or single < 0.8 * len(files):
        return about("MASK_COLOURS", "fixed", f"colours are read as classes: {shown}", surveys)
    text = (
        f"{single} of {len(files)} colours occur in one mask only; each is read as a class, but they look like the numbers of "
        "objects, as COCO panoptic writes them"
    )
    fix = "give limner the annotation file that explains them, or declare classes and colors in limner.toml"
    return about("MASK_COLOURS", "warning", text, surveys, fix)


def _stray_colors(surveys: Sequence[MaskStats]) -> list[Stray]:
    """Scattered single pixels of colours that hardly occur; none in files of very many colours."""
    census = take_color_census(surveys)
    rare = {
        c for c, n in census.pixels.items()
        if n <= LARGEST_SHARE * census.total and census.inside[c] <= 0.05 * n
    }  # fmt: skip
    if census.is_lossy or not rare or len(rare) > MOST_STRAYS or len(census.pixels) - len(rare) < 2:
        return []
    return find_strays(surveys, frozenset(rare), colors=True)


def _in_order(colors: Sequence[int], census: ColorCensus) -> list[int]:
    """The background first: black, or the commonest colour where there is no black; the others by their value."""
    nearly = SAME_COLOR if census.is_lossy and 0 not in colors else 0
    black = [color for color in colors if channels_of([color]).max() <= nearly]
    if not black and len(colors) > 1:
        black = [max(sorted(colors), key=lambda color: census.pixels[color])]
    first = black[0] if black else 0
    return [first, *sorted(set(colors) - {first})]


def _edges(surveys: Sequence[MaskStats], soft: set[int], order: Sequence[int], space: LabelSpace) -> Finding:
    files = [stats for stats in surveys if soft & set(colors_in(stats))]
    message = (
        f"{len(files)} masks have in-between colours along edges (smoothed, scaled or JPEG); each such pixel takes the "
        "nearest class colour"
    )
    fix = "save masks as PNG without smoothing and scale them with nearest neighbour"
    doubtful = [space.names[place] for place in in_doubt(order)]
    if not doubtful:
        return about("MASK_ANTIALIASED", "fixed", message, files, fix)
    message += (
        f"; edges between other classes may wrongly become {', '.join(doubtful)}, whose colour lies between theirs"
    )
    return about("MASK_ANTIALIASED", "warning", message, files, fix)


def _no_mask(surveys: Sequence[MaskStats], declared: Declared) -> Decision:
    worst = [s for s in surveys if s.num_values > MOST_COLORS] or list(surveys)
    most = max(s.num_values for s in surveys)
    message = f"colour masks with {most} different colours in a file: no exact colour per class"
    fix = "save colour masks losslessly (PNG, not JPEG) without smoothing"
    reading = MaskReading(class_space(declared, 2), None, "not understood", rule="nonzero")
    return reading, [about("MASK_VALUES", "error", message, worst, fix)]
