"""How much of the pictures the classes cover: nothing, everything, specks, or just the wrong part."""

from __future__ import annotations

from limner.data.checks.evidence import Evidence
from limner.data.findings import Finding, counted, finding
from limner.data.mask_survey import TINY_PIXELS, Objects
from limner.data.survey import Facts

MOSTLY = 0.6  # share of a picture from which its foreground may be the background
NEARLY_ALL = 0.9  # share of the pictures that must look inverted
FEWEST_FOR_INVERTED = 4
MANY_TINY = 0.3  # share of tiny objects from which they are likely left-overs of drawing or scaling


def empty_masks(evidence: Evidence) -> list[Finding]:
    """Masks without any foreground."""
    known = list(evidence.labelled())
    empty = [item.name for item, fact in known if not _above(fact)]
    if not empty:
        return []
    if len(empty) == len(known):
        fix = "check that the masks were exported with their objects, and that background is 0"
        return [finding("EMPTY_MASKS", "error", "all masks are empty: there is nothing to learn", empty, fix)]
    text = f"{len(empty)} of {len(known)} masks are empty; they count as pictures without objects"
    return [finding("EMPTY_MASKS", "note", text, empty)]


def full_masks(evidence: Evidence) -> list[Finding]:
    """Masks that hold one class above the background and nothing else."""
    known = list(evidence.labelled())
    full = [item.name for item, fact in known if len(_present(fact)) == 1 and _above(fact)]
    if not full:
        return []
    fix = "check that background is 0 in these masks"
    if len(full) == len(known) and len(evidence.reading.label_space) == 2:
        text = "all masks have no background at all: there is nothing to tell apart"
        return [finding("FULL_MASKS", "error", text, full, fix)]
    text = f"{len(full)} of {len(known)} masks show one class everywhere and no background"
    return [finding("FULL_MASKS", "warning", text, full, fix)]


def tiny_objects(evidence: Evidence) -> list[Finding]:
    """Objects of a few pixels, which a network that halves five times cannot see."""
    known = list(evidence.labelled())
    whole = [item.name for item, fact in known if 0 < _above(fact) < TINY_PIXELS]
    by_name = {item.name: sum(fact.objects.values(), start=Objects()) for item, fact in known}
    total = sum(by_name.values(), start=Objects())
    files = sorted((name for name, objects in by_name.items() if objects.tiny), key=lambda n: -by_name[n].tiny)
    files = list(dict.fromkeys([*whole, *files]))
    if not files:
        return []
    share = total.tiny / max(total.count, 1)
    text = f"{total.tiny} of {counted(total.count, 'object')} ({share:.1%}) have fewer than {TINY_PIXELS} pixels"
    if whole:
        text += f"; in {counted(len(whole), 'mask')} that is all there is"
    fix = ""
    if share > MANY_TINY:
        fix = "look whether they are specks left over from drawing, scaling or thresholding, and remove those"
    return [finding("TINY_OBJECTS", "note", text, files, fix, count=max(total.tiny, len(whole)))]


def inverted_masks(evidence: Evidence) -> list[Finding]:
    """Masks whose object and background may be swapped: all of them, or a few among others."""
    space = evidence.reading.label_space
    shares = {
        item.name: _above(fact) / _total(fact) for item, fact in evidence.labelled() if 0 < _above(fact) < _total(fact)
    }
    if len(space) != 2 or evidence.layout.declared.values or len(shares) < FEWEST_FOR_INVERTED:
        return []
    mostly = [name for name, share in shares.items() if share > MOSTLY]
    fix = f'if they are swapped, say so in limner.toml, as in values = {{0 = "{space.names[1]}", 255 = "background"}}'
    if len(mostly) >= NEARLY_ALL * len(shares):
        text = (
            f"{space.names[1]} covers more than {MOSTLY:.0%} of {len(mostly)} of {len(shares)} pictures: object and "
            "background may be swapped"
        )
        return [finding("MASK_VALUES", "note", text, mostly, fix)]
    odd = [name for name in mostly if shares[name] > 0.8]
    rest = sorted(share for name, share in shares.items() if name not in mostly)
    if odd and len(mostly) <= 0.2 * len(shares) and rest[len(rest) // 2] < 0.3:
        text = (
            f"{space.names[1]} covers more than 80 % of {counted(len(odd), 'picture')} and less than "
            f"30 % of most others: these masks may be inverted"
        )
        return [finding("MASK_VALUES", "note", text, odd, "look at them on the contact sheet; invert those that are")]
    return []


def _present(fact: Facts) -> list[int]:
    return [index for index, number in fact.pixels.items() if index >= 0 and number]


def _above(fact: Facts) -> int:
    return sum(number for index, number in fact.pixels.items() if index > 0)


def _total(fact: Facts) -> int:
    return sum(number for index, number in fact.pixels.items() if index >= 0)
