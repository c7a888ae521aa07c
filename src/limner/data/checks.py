"""Read a whole data set and say what is wrong with it, what was put right, and how its masks are understood."""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from limner.core.labels import LabelSpace
from limner.core.protocols import Listener, Silent
from limner.data.findings import Finding, Level
from limner.data.layouts import Item, Layout, find_layout
from limner.data.mask_values import decide_reading
from limner.data.masks import MaskReading
from limner.data.survey import Facts, Survey, survey

__all__ = ["CheckReport", "Examination", "Finding", "check_dataset", "examine"]

FEW_IMAGES = 10  # below, scores depend on which pictures happen to be in the test
TINY_PIXELS = 16  # a foreground of fewer pixels is lost in a network that halves five times
_QUIET = Silent()
_ORDER: dict[Level, int] = {"error": 0, "warning": 1, "fixed": 2, "note": 3}


@dataclass(frozen=True)
class CheckReport:
    """What `check` answers.

    Parameters
    ----------
    format : how the annotations are stored.
    samples : pictures with a mask.
    channels : channels that the pictures have, or are given when gray and colour are mixed.
    classes : (id, name), the background first.
    mask_reading : how mask values become classes, as a sentence.
    splits : pictures in each given split; empty when none is given.
    findings : errors first.
    blocking : True when a finding is an error.
    """

    format: str
    samples: int
    channels: int
    classes: tuple[tuple[int, str], ...]
    mask_reading: str
    splits: Mapping[str, int]
    findings: tuple[Finding, ...]
    blocking: bool

    def as_dict(self) -> dict[str, Any]:
        """The document that ``limner check --json`` prints."""
        return {
            "format": self.format, "samples": self.samples, "channels": self.channels,
            "classes": [{"id": index, "name": name} for index, name in self.classes],
            "mask_reading": self.mask_reading, "splits": dict(self.splits),
            "findings": [finding.as_dict() for finding in self.findings], "blocking": self.blocking,
        }  # fmt: skip


@dataclass(frozen=True)
class Examination:
    """A layout with all that reading it showed; `facts` have the pixels of each class filled in."""

    root: Path
    layout: Layout
    facts: Mapping[str, Facts]
    reading: MaskReading
    channels: int
    findings: tuple[Finding, ...]

    def report(self) -> CheckReport:
        """What a person or a script is told."""
        names = self.reading.label_space.names
        splits = Counter(item.split for item in self.layout.items if item.split)
        return CheckReport(
            format="folders",
            samples=len(self.layout.items),
            channels=self.channels,
            classes=tuple(enumerate(names)),
            mask_reading=self.reading.words,
            splits={split: splits[split] for split in ("train", "val", "test") if splits[split]},
            findings=self.findings,
            blocking=any(finding.level == "error" for finding in self.findings),
        )


def check_dataset(root: Path, *, listener: Listener = _QUIET) -> CheckReport:
    """Read every image and mask below `root` and report.

    Raises
    ------
    DataError : nothing to read, or ``limner.toml`` or ``splits.csv`` cannot be obeyed; bad pictures are findings.
    """
    return examine(root, listener=listener).report()


def examine(root: Path, *, label_space: LabelSpace | None = None, listener: Listener = _QUIET) -> Examination:
    """Find the layout, read all files, decide how masks are read, and run the checks.

    Parameters
    ----------
    root : the data folder.
    label_space : classes that a model knows; taken as declared unless ``limner.toml`` declares its own.
    listener : hears of progress.

    Raises
    ------
    DataError : see `check_dataset`.
    """
    layout = find_layout(root)
    if label_space is not None and not layout.declared.classes:
        layout = dataclasses.replace(layout, declared=dataclasses.replace(layout.declared, classes=label_space.names))
    read = survey(root, layout.items, listener=listener)
    masks = [read.masks[item.name] for item in layout.items if item.name in read.masks]
    reading, findings = decide_reading([stats.path for stats in masks], layout.declared, stats=masks, root=root)
    facts = {}
    for name, fact in read.facts.items():
        stats = read.masks.get(name)
        if stats is not None:
            fact = dataclasses.replace(fact, pixels=reading.count(stats), mask_size_hw=stats.size_hw)
        facts[name] = fact
    counts = Counter(fact.header.channels for fact in facts.values())
    channels = 3 if set(counts) == {1, 3} else counts.most_common(1)[0][0] if counts else 0
    found = [
        *_pairing(layout), *_unreadable(read), *_sizes(layout, facts), *findings, *_extents(layout, facts, reading),
        *_copies(layout, facts), *_groups(layout), *_classes_in_splits(layout, facts, reading),
        *_pixels(facts), *_few(layout),
    ]  # fmt: skip
    found.sort(key=lambda finding: (_ORDER[finding.level], finding.code))
    return Examination(root, layout, facts, reading, channels, tuple(found))


def _finding(
    code: str, level: Level, message: str, files: list[str] | tuple[str, ...], fix: str = "", count: int | None = None
) -> Finding:
    return Finding(code, level, len(files) if count is None else count, message, tuple(files), fix)


def _mask_name(item: Item) -> str:
    """The mask's path in the manner of the item's name."""
    if item.mask is None:
        return ""
    depth = len(Path(item.name).parts)
    root = item.image.parents[depth - 1]
    return item.mask.relative_to(root).as_posix() if item.mask.is_relative_to(root) else str(item.mask)


def _pairing(layout: Layout) -> list[Finding]:
    found = []
    if layout.lonely_images:
        text = f"images without a mask: {len(layout.lonely_images)}; an image without objects needs an empty mask"
        found.append(
            _finding(
                "UNPAIRED_IMAGE",
                "error",
                text,
                layout.lonely_images,
                "add the masks with the same stem, or remove the images",
            )
        )
    if layout.lonely_masks:
        text = f"masks without an image: {len(layout.lonely_masks)}"
        found.append(
            _finding(
                "UNPAIRED_MASK",
                "error",
                text,
                layout.lonely_masks,
                "add the images with the same stem, or remove the masks",
            )
        )
    if layout.ambiguous:
        files = [file for files in layout.ambiguous for file in files]
        shown = "; ".join(" + ".join(files) for files in layout.ambiguous[:5])
        text = f"{len(layout.ambiguous)} pairings are ambiguous: {shown}"
        fix = "leave one image and one mask per stem, or say which belong together in limner.toml: [pairs]"
        found.append(_finding("AMBIGUOUS_PAIR", "error", text, files, fix, len(layout.ambiguous)))
    if layout.unlisted:
        text = f"{len(layout.unlisted)} files beside the listed images are not in splits.csv and are not used"
        found.append(_finding("UNPAIRED_IMAGE", "note", text, layout.unlisted, "add rows to splits.csv to use them"))
    return found


def _unreadable(read: Survey) -> list[Finding]:
    if not read.failures:
        return []
    text = "; ".join(error.found for _, error in read.failures[:5]) + (" and more" if len(read.failures) > 5 else "")
    return [_finding("UNREADABLE", "error", text, [name for name, _ in read.failures], read.failures[0][1].fix)]


def _sizes(layout: Layout, facts: Mapping[str, Facts]) -> list[Finding]:
    files, sentences, turned = [], [], []
    for item in layout.items:
        fact = facts.get(item.name)
        if fact is None or fact.mask_size_hw is None:
            continue
        size, mask_size = fact.header.size_hw, fact.mask_size_hw
        if size != mask_size:
            hint = ""
            if size == mask_size[::-1]:
                reason = (
                    " (the image has an EXIF orientation, the mask has none)" if fact.header.orientation >= 5 else ""
                )
                hint = f": one is turned by 90 degrees{reason}"
            files += [item.name, _mask_name(item)]
            sentences.append(
                f"{item.name} is {size[0]} x {size[1]}, {_mask_name(item)} is {mask_size[0]} x {mask_size[1]}{hint}"
            )
        elif fact.header.orientation != 1:
            turned.append(item.name)
    found = []
    if files:
        text = f"height x width of image and mask differ: {'; '.join(sentences[:5])}" + (
            f" and {len(sentences) - 5} more" if len(sentences) > 5 else ""
        )
        fix = "export the mask at the size of its image, or correct the pairing"
        found.append(_finding("SIZE_MISMATCH", "error", text, files, fix, len(sentences)))
    if turned:
        text = (
            f"{len(turned)} images are stored turned and set upright by their EXIF orientation, which fits their masks"
        )
        found.append(
            _finding(
                "ORIENTATION",
                "fixed",
                text,
                turned,
                "look at some of them: a mask drawn on the unturned picture would not fit",
            )
        )
    return found


def _extents(layout: Layout, facts: Mapping[str, Facts], reading: MaskReading) -> list[Finding]:
    """Masks without any foreground, with nothing else, or with next to nothing."""
    known = [
        (item.name, facts[item.name].pixels) for item in layout.items if item.name in facts and facts[item.name].pixels
    ]
    above = {name: sum(number for index, number in pixels.items() if index > 0) for name, pixels in known}
    empty = [name for name, number in above.items() if number == 0]
    full = (
        [name for name, pixels in known if above[name] and not pixels.get(0)] if len(reading.label_space) == 2 else []
    )
    tiny = [name for name, number in above.items() if 0 < number < TINY_PIXELS]
    found = []
    if empty and len(empty) == len(known):
        fix = "check that the masks were exported with their objects, and that background is 0"
        found.append(_finding("EMPTY_MASKS", "error", "all masks are empty: there is nothing to learn", empty, fix))
    elif empty:
        found.append(
            _finding(
                "EMPTY_MASKS",
                "note",
                f"{len(empty)} of {len(known)} masks are empty; they count as pictures without objects",
                empty,
            )
        )
    if full:
        fix = "check that background is 0 in these masks"
        found.append(_finding("FULL_MASKS", "warning", f"{len(full)} masks have no background at all", full, fix))
    if tiny:
        found.append(
            _finding("TINY_OBJECTS", "note", f"{len(tiny)} masks have fewer than {TINY_PIXELS} foreground pixels", tiny)
        )
    return found


def _copies(layout: Layout, facts: Mapping[str, Facts]) -> list[Finding]:
    """Exact copies: a leak when they are in two given splits, else a warning."""
    same: dict[str, list[Item]] = defaultdict(list)
    for item in layout.items:
        if item.name in facts and facts[item.name].lowest < facts[item.name].highest:
            same[facts[item.name].digest].append(item)
    copies = [items for items in same.values() if len(items) > 1]
    leaks = [items for items in copies if len({item.split for item in items}) > 1]
    inside = [items for items in copies if len({item.split for item in items}) == 1]
    found = []
    if leaks:
        shown = "; ".join(" = ".join(f"{item.name} ({item.split})" for item in items) for items in leaks[:5])
        text = f"{len(leaks)} pictures are in two splits, which leaks the answers: {shown}"
        fix = "keep all copies in one split, or accept it with --allow-leaks"
        found.append(
            _finding("SPLIT_LEAK", "error", text, [item.name for items in leaks for item in items], fix, len(leaks))
        )
    if inside:
        shown = "; ".join(" = ".join(item.name for item in items) for items in inside[:5])
        fix = "remove the copies, or check that no picture was exported under a wrong name"
        text = f"{len(inside)} pictures occur more than once: {shown}"
        found.append(
            _finding(
                "DUPLICATE_IMAGE", "warning", text, [item.name for items in inside for item in items], fix, len(inside)
            )
        )
    return found


def _groups(layout: Layout) -> list[Finding]:
    splits: dict[str, set[str]] = defaultdict(set)
    for item in layout.items:
        if item.group and item.split:
            splits[item.group].add(item.split)
    broken = {group for group, names in splits.items() if len(names) > 1}
    if not broken:
        return []
    files = [item.name for item in layout.items if item.group in broken]
    text = f"{len(broken)} of {len(splits)} groups are in more than one split: {', '.join(sorted(broken)[:8])}"
    fix = "keep a group in one split, else the score says little about new groups"
    return [_finding("SPLIT_LEAK", "warning", text, files, fix, len(broken))]


def _classes_in_splits(layout: Layout, facts: Mapping[str, Facts], reading: MaskReading) -> list[Finding]:
    present: dict[str, set[int]] = defaultdict(set)
    for item in layout.items:
        if item.split and item.name in facts:
            present[item.split] |= {index for index, number in facts[item.name].pixels.items() if number}
    anywhere = set().union(*present.values()) if present else set()
    names = reading.label_space.names
    missing = [
        (split, index)
        for split in ("train", "val", "test")
        if split in present
        for index in sorted(anywhere - present[split])
        if index > 0
    ]
    if not missing:
        return []
    text = "; ".join(f"class {names[index]} does not occur in {split}" for split, index in missing)
    return [
        _finding(
            "CLASS_MISSING_IN_SPLIT",
            "warning",
            text,
            [],
            "move pictures with these classes to that split",
            len(missing),
        )
    ]


def _pixels(facts: Mapping[str, Facts]) -> list[Finding]:
    """Channels, depth and contrast of the pictures."""
    channels: dict[int, list[str]] = defaultdict(list)
    depths: dict[str, list[str]] = defaultdict(list)
    for name, fact in facts.items():
        channels[fact.header.channels].append(name)
        depths[fact.header.dtype].append(name)
    found = []
    if set(channels) == {1, 3}:
        text = f"{len(channels[1])} gray and {len(channels[3])} colour images; gray is repeated to red, green and blue"
        found.append(_finding("CHANNELS_MIXED", "fixed", text, min(channels.values(), key=len)))
    elif len(channels) > 1:
        shown = ", ".join(f"{len(names)} with {count}" for count, names in sorted(channels.items()))
        text = f"images of different channel counts: {shown}"
        found.append(
            _finding(
                "CHANNELS_MIXED",
                "error",
                text,
                min(channels.values(), key=len),
                "export all images with the same channels",
            )
        )
    if len(depths) > 1:
        shown = ", ".join(f"{len(names)} {kind}" for kind, names in sorted(depths.items()))
        text = f"images of different depth: {shown}; values are used as they are"
        found.append(
            _finding(
                "BIT_DEPTH",
                "warning",
                text,
                min(depths.values(), key=len),
                'export all at one depth, or set data.normalization = "percentile"',
            )
        )
    constant = [name for name, fact in facts.items() if fact.lowest == fact.highest]
    if constant:
        text = f"{len(constant)} images have one value everywhere"
        found.append(_finding("CONSTANT_IMAGE", "warning", text, constant, "export them again or remove them"))
    return found


def _few(layout: Layout) -> list[Finding]:
    count = len(layout.items)
    if count >= FEW_IMAGES:
        return []
    level: Level = "error" if count < 2 else "warning"
    fix = (
        "add pictures; two are the least that can be trained and chosen on"
        if count < 2
        else "label more pictures before trusting a score"
    )
    return [_finding("FEW_SAMPLES", level, f"{count} pictures with a mask", [], fix, count)]
