"""What annotation files show that a person should know: missing pictures, undecided classes, refused objects, boxes, points."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from limner.core.annotation import Box, Points, Problem
from limner.data.annotated_set import BOXES_LOCATE, Annotated
from limner.data.findings import Finding, Level, counted, shortened

MOST_SHOWN = 5


def findings_of(annotated: Annotated) -> list[Finding]:
    """Missing and unused pictures, undecided classes, what was refused or put right, boxes and points; empty when all is well."""
    found = []
    files = ", ".join(path.name for path in annotated.files[:3])
    if missing := annotated.missing:
        unclear = [entry for entry in missing if entry.match.candidates]
        text = f"{len(missing)} pictures that {files} names were not found"
        if unclear:
            text += (
                f"; {len(unclear)} of them because several pictures share a name, such as {unclear[0].annotation.image}"
            )
        fix = "put them beside the annotation file; limner convert keeps the good rest"
        names = tuple(entry.annotation.image for entry in missing)
        found.append(Finding("UNPAIRED_MASK", "error", len(missing), text, names, fix))
    if annotated.unused:
        text = f"{len(annotated.unused)} pictures are in no annotation file and are not used"
        fix = "annotate them, an empty picture too"
        found.append(Finding("UNPAIRED_IMAGE", "warning", len(annotated.unused), text, annotated.unused, fix))
    if bare := unanswered(annotated):
        text = f"{counted(len(bare), 'picture')} without anybody's answer, open or skipped, are not used: {shortened(bare)}"
        found.append(Finding("UNPAIRED_IMAGE", "warning", len(bare), text, bare, "annotate them, an empty picture too"))
    for problem in annotated.undecided:
        fix = 'name the attribute in limner.toml: class_attribute = "...", or default_class = "..."'
        found.append(Finding("UNKNOWN_VALUE", "error", 1, problem.message, (problem.file,), fix))
    for code, kind in (("ORIENTATION", "orientation"), ("SIZE_MISMATCH", "size-mismatch")):
        doubts = [problem for problem in annotated.doubts if problem.code == kind]
        found += _told(doubts, code, "pictures are not as the annotations state", level="error")
    found += _told(annotated.all_refused, "UNREADABLE", "objects cannot be used and are left out")
    found += _told(annotated.all_warnings, "MASK_VALUES", "places were put right or need a look")
    return [*found, *_without_outline(annotated)]


def unanswered(annotated: Annotated) -> tuple[str, ...]:
    """The pictures that the files name without anybody's answer."""
    return tuple(entry.annotation.image for entry in annotated.entries if not entry.annotation.is_annotated)


def _told(problems: Sequence[Problem], code: str, what: str, *, level: Level = "warning") -> list[Finding]:
    """One finding for each kind of problem."""
    found = []
    by_code: dict[str, list[Problem]] = defaultdict(list)
    for problem in problems:
        by_code[problem.code].append(problem)
    for kind, several in by_code.items():
        shown = "; ".join(f"{p.message} ({p.where})" if p.where else p.message for p in several[:MOST_SHOWN])
        more = f"; and {len(several) - MOST_SHOWN} more" if len(several) > MOST_SHOWN else ""
        files = tuple(dict.fromkeys(p.file for p in several if p.file))
        text = f"{len(several)} {what} ({kind}): {shown}{more}"
        found.append(Finding(code, level, len(several), text, files, "correct them in the annotation file"))
    return found


def _without_outline(annotated: Annotated) -> list[Finding]:
    """Boxes that only locate, and points."""
    shapes = Counter(type(region.shape) for entry in annotated.entries for region in entry.annotation.regions)
    total, found = sum(shapes.values()), []
    if annotated.format in BOXES_LOCATE and shapes[Box]:
        level: Level = "error" if shapes[Box] == total else "warning"
        text = f"{shapes[Box]} of {total} objects have a box and no outline; their pixels are not known and not learned"
        fix = "outline them, or use a tool for boxes"
        found.append(Finding("MASK_VALUES", level, shapes[Box], text, (), fix))
    if shapes[Points]:
        text = f"{shapes[Points]} of {total} objects are points; points have no area and are passed over"
        level = "error" if shapes[Points] == total else "warning"
        found.append(Finding("MASK_VALUES", level, shapes[Points], text, (), "outline them"))
    return found
