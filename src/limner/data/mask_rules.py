"""Rules that explain the stored values of masks; the first that fits is taken. Each returns None where it does not fit."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from limner.data.findings import Finding
from limner.data.instance_maps import LOSSY_SUFFIXES
from limner.data.mask_census import DECLARE, Census, Decision, about, class_space
from limner.data.masks import IGNORED, MaskReading

LARGEST_ID = 63  # larger numbers are gray levels or object numbers unless classes are declared
MOST_LEVELS = 16  # so many different gray levels can be classes
LARGEST_DECLARED_ID = 65534  # where limner.toml says that the numbers are classes
USUAL_IGNORE = 255
LARGEST_IGNORE = 65535  # beside ids above 254
LEAST_FLAT = 0.3  # share of the pixels of numbers that mean classes whose neighbours have the same number
MOST_BETWEEN = 3  # pixels between the ends for each one at the upper end; edges of thin lines have fewer


def ids_reading(census: Census, count: int, words: str, ignore: int | None) -> MaskReading:
    """The reading that takes values as ids of `count` classes."""
    palette = next((s.palette for s in census.stats if s.kind == "palette" and len(s.palette) >= count), ())
    space = class_space(census.declared, count, tuple(palette[:count]))
    return MaskReading(space, ignore, words, rule="table", table=tuple((i, i) for i in range(len(space))))


def declared_ids(census: Census) -> Decision | None:
    """Declared classes, and no other values."""
    count = len(census.declared.classes)
    if any(value >= count for value in census.union):
        return None
    words = f"values are the ids of the {count} declared classes"
    return ids_reading(census, count, words, census.declared.ignore), []


def declared_ids_and_ignore(census: Census) -> Decision | None:
    """Declared classes and 255."""
    count = len(census.declared.classes)
    if census.declared.ignore is None and {v for v in census.union if v >= count} == {USUAL_IGNORE}:
        words = f"values are the ids of the {count} declared classes; {USUAL_IGNORE} is not known and not used"
        return ids_reading(census, count, words, USUAL_IGNORE), [_ignore_note(census)]
    return None


def _ignore_note(census: Census, value: int = USUAL_IGNORE) -> Finding:
    return about(
        "MASK_VALUES", "note", f"{census.counts[value]} pixels of value {value} are taken as not known",
        census.having(value), f"declare ignore or the class {value} in limner.toml if that is not meant",
    )  # fmt: skip


def two_values(census: Census) -> Decision | None:
    """One value above 0 in each file."""
    if not census.is_two_valued or len(census.declared.classes) > 2:
        return None
    above = census.above_zero
    palette = next((s.palette for s in census.stats if s.kind == "palette"), ())
    colors = (palette[0], palette[max(above)]) if palette and above and max(above) < len(palette) else ()
    space = class_space(census.declared, 2, colors)
    if above <= {1}:
        kind = "1-bit masks" if {s.kind for s in census.stats} == {"1-bit"} else "0 and 1"
        words = f"{kind}: 0 is {space.names[0]}, 1 is {space.names[1]}"
        return MaskReading(space, census.declared.ignore, words, rule="nonzero"), []
    found = " or ".join(str(v) for v in sorted(above))
    words = f"0 is {space.names[0]}, every value above 0 ({found}) is {space.names[1]}"
    odd = [s for s in census.stats if any(value > 1 and value in above for value in s.values)]
    mixed = f", in the others {min(above)}" if len(above) > 1 else ""
    message = f"{len(odd)} masks use {max(above)} for {space.names[1]}{mixed}; read as 1 in every file"
    return MaskReading(space, census.declared.ignore, words, rule="nonzero"), [
        about("MASK_VALUES", "fixed", message, odd)
    ]


def small_ids(census: Census) -> Decision | None:
    """Small numbers, or any of a palette; gaps stay gaps; 255 beside them is not known."""
    ids = census.above_zero - {USUAL_IGNORE}
    explicit = all(s.kind in ("palette", "index", "1-bit") for s in census.stats)
    if not ids or max(ids) > (254 if explicit else LARGEST_ID) or (evenly_spread(census.union) and not explicit):
        return None
    return _as_ids(census, ids)


def large_ids(census: Census) -> Decision | None:
    """``masks_are = "classes"``: numbers of any size that fill areas, which neither soft edges nor JPEG do."""
    if census.declared.masks_are != "classes" or any(s.path.suffix.lower() in LOSSY_SUFFIXES for s in census.stats):
        return None
    above = census.above_zero
    without = above - {LARGEST_IGNORE if LARGEST_IGNORE in above else USUAL_IGNORE}
    ids = above if max(without, default=0) > USUAL_IGNORE and LARGEST_IGNORE not in above else without
    if not ids or max(ids) > LARGEST_DECLARED_ID or evenly_spread(census.union):
        return None
    return _as_ids(census, ids) if census.flat_share(ids - {max(ids)}) >= LEAST_FLAT else None


def _as_ids(census: Census, ids: set[int]) -> Decision:
    """The reading of values above 0 as class ids; of another value, the usual one for it, pixels are not known."""
    others, declared = sorted(census.above_zero - ids), census.declared.ignore
    count = max(ids) + 1
    gaps = sorted(set(range(count)) - set(census.union))
    words = f"values are class ids 0 to {count - 1}" + (
        f" ({', '.join(map(str, gaps))} do not occur)" if 0 < len(gaps) <= 12 else ""
    )
    unknown = others if declared is None else [declared, *others]
    if unknown:
        words += f"; {' and '.join(map(str, unknown))} {'is' if len(unknown) == 1 else 'are'} not known and not used"
    reading = ids_reading(census, max(count, 2), words, unknown[0] if unknown else None)
    table = tuple(sorted((dict(reading.table) | dict.fromkeys(unknown[1:], IGNORED)).items()))
    return dataclasses.replace(reading, table=table), [_ignore_note(census, value) for value in others]


def evenly_spread(union: Sequence[int]) -> bool:
    """True for gray levels such as 0, 85, 170, 255: at least 3, at least 16 apart, each within 2 of its place."""
    if len(union) < 3 or union[0] != 0 or union[-1] / (len(union) - 1) < 16:
        return False
    step = union[-1] / (len(union) - 1)
    return all(abs(value - i * step) <= 2 for i, value in enumerate(union))


def levels(census: Census) -> Decision | None:
    """A few gray levels are classes in this order, when they fill patches; up to four evenly spread ones always."""
    union, count = census.union, len(census.declared.classes)
    between = census.above_zero - {max(union)}
    if not 3 <= len(union) <= MOST_LEVELS or union[0] != 0 or (count and count != len(union)):
        return None
    if any(value < count for value in census.above_zero):
        return None  # it is the id of a declared class, and the values above are strange
    if not (evenly_spread(union) and len(union) <= 4) and census.flat_share(between) < LEAST_FLAT:
        return None
    space = class_space(census.declared, len(union))
    shown = ", ".join(f"{v} = {name}" for v, name in zip(union, space.names, strict=True))
    table = tuple((v, i) for i, v in enumerate(union))
    reading = MaskReading(
        space, census.declared.ignore, f"gray levels in order: {shown}", rule="table", table=table
    )  # fmt: skip
    message, fix = f"gray levels are read as classes: {shown}", f"{DECLARE} to name them"
    return reading, [about("MASK_VALUES", "fixed", message, census.stats, fix)]


def soft_edges(census: Census) -> Decision | None:
    """Two values with soft edges (scaled or JPEG masks): nearly all near either end, the rest only along edges."""
    if census.union[-1] <= 64 or len(census.declared.classes) > 2:
        return None
    soft = [s for s in census.stats if s.num_values > 2]
    for stats in soft:
        scale = 65535 if stats.values[-1] > 255 else 255
        near = {v for v in stats.values if v <= 0.12 * scale or v >= 0.88 * scale}
        pixels = dict(zip(stats.values, stats.counts, strict=True))
        inside = dict(zip(stats.values, stats.flat, strict=True))
        between = [v for v in stats.values if v not in near and v != census.declared.ignore]
        rest = sum(pixels[v] for v in between)
        low = [v for v in near if 0 < v < scale / 2]
        solid = sum(inside[v] for v in low) > 0.2 * sum(pixels[v] for v in low)
        if (between or scale > 255) and stats.values[-1] < scale / 2 and solid:
            return None  # areas of small ids, perhaps with a stray value: cutting at half would empty this mask
        high = sum(pixels[v] for v in near) - sum(pixels[v] for v in near if v < scale / 2)
        if stats.path.suffix.lower() in LOSSY_SUFFIXES and rest > MOST_BETWEEN * high:
            return None  # many gray levels, blurred by JPEG
        if rest > 0.25 * sum(stats.counts) or sum(inside[v] for v in between) > 0.2 * rest:
            return None
    space = class_space(census.declared, 2)
    words = f"two values with soft edges: above half of the scale is {space.names[1]}"
    jpeg = " (JPEG)" if all(s.path.suffix.lower() in (".jpg", ".jpeg") for s in soft) else " (scaled or JPEG)"
    message = f"{len(soft)} masks have in-between values along edges{jpeg}; cut at half"
    fix = "save masks as PNG and scale them with nearest neighbour"
    reading = MaskReading(space, census.declared.ignore, words, rule="half")
    return reading, [about("MASK_ANTIALIASED", "fixed", message, soft, fix)]


def no_rule(census: Census) -> Decision:
    """Nothing explains the numbers: an error, with a reading that lets the check go on."""
    count = len(census.declared.classes)
    if count:
        words = f"values are the ids of the {count} declared classes"
        return ids_reading(census, count, words, census.declared.ignore), []
    worst = sorted(census.stats, key=lambda s: -s.num_values)
    files = [s for s in worst if s.num_values > MOST_LEVELS] or worst
    first = files[0]
    message = f"{first.path.name} has {first.num_values} different values up to {max(first.values)}: no rule reads them"
    fix = f"save masks losslessly (PNG, not JPEG) with one value per class, or {DECLARE}"
    finding = about("MASK_VALUES", "error", message, files, fix)
    return MaskReading(class_space(census.declared, 2), census.declared.ignore, "not understood", rule="nonzero"), [
        finding
    ]
