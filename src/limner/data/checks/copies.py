"""Pictures that occur more than once, unchanged or changed, and groups: a leak where they are in two given splits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from limner.data.checks.evidence import Evidence
from limner.data.findings import Finding, counted, finding, shortened
from limner.data.groups import sure_groups
from limner.data.layouts import Item
from limner.data.near_duplicates import near_duplicates
from limner.data.survey import Facts

Sets = tuple[tuple[str, ...], ...]


def find_copies(items: Sequence[Item], facts: Mapping[str, Facts]) -> tuple[Sets, Sets]:
    """Sets of names of exact copies, and sets of exact and changed copies together; pictures of one value are left out.

    Slices of one file, and of one DICOM patient, are never called changed copies of each other.
    """
    same: dict[str, list[str]] = defaultdict(list)
    for item in items:
        if item.name in facts and facts[item.name].lowest < facts[item.name].highest:
            same[facts[item.name].digest].append(item.name)
    exact = {names[0]: tuple(names) for names in same.values()}
    looks = {name: look for name in exact if (look := facts[name].look) is not None}
    series = {item.name: facts[item.name].patient for item in items if item.name in looks and facts[item.name].patient}
    series |= {item.name: str(item.image) for item in items if item.name in looks and item.frame is not None}
    found = near_duplicates(looks, series=series)
    joined = [tuple(name for first in firsts for name in exact.pop(first)) for firsts in found]
    copies = tuple(sorted(tuple(names) for names in same.values() if len(names) > 1))
    alike = (*joined, *(names for names in exact.values() if len(names) > 1))
    return copies, tuple(sorted(tuple(sorted(names)) for names in alike))


def leaking_copies(evidence: Evidence) -> list[Finding]:
    """Copies in two given splits."""
    split_of = evidence.split_of()
    leaks = [names for names in evidence.alike if len({split_of[name] for name in names}) > 1]
    if not leaks:
        return []
    copies = {frozenset(names) for names in evidence.copies}
    changed = sum(frozenset(names) not in copies for names in leaks)
    shown = []
    for names in leaks:
        sign = " = " if frozenset(names) in copies else " ~ "
        shown.append(sign.join(f"{name} ({split_of[name]})" for name in names))
    how = f", {changed} of them as changed copies (~)" if changed else ""
    text = f"{counted(len(leaks), 'picture')} in two splits{how}, which leaks the answers: {shortened(shown)}"
    fix = "keep all copies in one split, or accept it with --allow-leaks"
    files = [name for names in leaks for name in names]
    return [finding("SPLIT_LEAK", "error", text, files, fix, count=len(leaks))]


def exact_copies(evidence: Evidence) -> list[Finding]:
    """Pictures with the same pixels in one split, or where no split is given."""
    sets = [names for names in evidence.copies if _in_one_split(evidence, names)]
    if not sets:
        return []
    shown = shortened([" = ".join(names) for names in sets])
    text = f"{counted(len(sets), 'picture')} more than once: {shown}"
    differing = [names for names in sets if len({_content(evidence.facts[name]) for name in names}) > 1]
    if differing:
        text += f"; the masks of {' and '.join(differing[0])} differ" + (
            f", as do those of {len(differing) - 1} more" if len(differing) > 1 else ""
        )
    fix = "remove the copies, or check that no picture was exported under a wrong name"
    files = [name for names in sets for name in names]
    return [finding("DUPLICATE_IMAGE", "warning", text, files, fix, count=len(sets))]


def changed_copies(evidence: Evidence) -> list[Finding]:
    """Copies that were compressed, scaled, brightened, slightly cropped, mirrored or turned, in one split or without splits."""
    exact = {frozenset(names) for names in evidence.copies}
    sets = [names for names in evidence.alike if frozenset(names) not in exact and _in_one_split(evidence, names)]
    if not sets:
        return []
    shown = shortened([" ~ ".join(names) for names in sets])
    text = (
        f"{counted(len(sets), 'set')} of pictures that show the same, as copies do that were compressed, scaled, brightened, "
        f"slightly cropped, mirrored or turned: {shown}"
    )
    fix = "an automatic split keeps them together; remove those that are there by mistake"
    files = [name for names in sets for name in names]
    return [finding("NEAR_DUPLICATE", "note", text, files, fix, count=len(sets))]


def broken_groups(evidence: Evidence) -> list[Finding]:
    """Groups in more than one given split: declared ones, patients of headers, those that names call patient or the like."""
    splits: dict[str, set[str]] = defaultdict(set)
    split_of = evidence.split_of()
    if len({part for part in split_of.values() if part}) < 2:
        return []
    groups = sure_groups(evidence.layout.items, evidence.facts)
    for name, group in groups.items():
        if group and split_of[name]:
            splits[group].add(split_of[name])
    broken = {group for group, names in splits.items() if len(names) > 1}
    if not broken:
        return []
    files = [name for name, group in groups.items() if group in broken]
    text = f"{len(broken)} of {counted(len(splits), 'group')} in more than one split: {', '.join(sorted(broken)[:8])}"
    fix = "keep a group in one split, else the score says little about new groups"
    return [finding("SPLIT_LEAK", "warning", text, files, fix, count=len(broken))]


def _in_one_split(evidence: Evidence, names: Sequence[str]) -> bool:
    split_of = evidence.split_of()
    return len({split_of[name] for name in names}) == 1


def _content(fact: Facts) -> tuple[tuple[int, int], ...]:
    """The pixels of each class, by which masks are compared."""
    return tuple(sorted((index, number) for index, number in fact.pixels.items() if number))
