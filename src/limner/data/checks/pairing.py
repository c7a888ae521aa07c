"""Files without a partner, with too many, or that cannot be read."""

from __future__ import annotations

from limner.data.checks.evidence import Evidence
from limner.data.checks.listing import rows_in_two_splits
from limner.data.findings import Finding, counted, finding, shortened


def lonely_images(evidence: Evidence) -> list[Finding]:
    """Images without a mask: they are never taken for empty ones."""
    files = evidence.layout.lonely_images
    if not files:
        return []
    text = f"{counted(len(files), 'image')} without a mask; an image without objects needs an empty mask"
    return [
        finding("UNPAIRED_IMAGE", "error", text, files, "add the masks with the same stem, or remove the images"),
    ]


def lonely_masks(evidence: Evidence) -> list[Finding]:
    """Masks without an image."""
    files = evidence.layout.lonely_masks
    if not files:
        return []
    text = f"{counted(len(files), 'mask')} without an image"
    return [finding("UNPAIRED_MASK", "error", text, files, "add the images with the same stem, or remove the masks")]


def ambiguous_pairs(evidence: Evidence) -> list[Finding]:
    """Files that could be paired in several ways."""
    leaking = rows_in_two_splits(evidence)
    sets = [files for files in evidence.layout.ambiguous if files[0] not in leaking]
    if not sets:
        return []
    text = f"{counted(len(sets), 'pairing')} can be read in several ways: {shortened([' + '.join(s) for s in sets])}"
    fix = "leave one image and one mask per stem, or say which belong together in limner.toml: [pairs]"
    return [finding("AMBIGUOUS_PAIR", "error", text, [file for s in sets for file in s], fix, count=len(sets))]


def unlisted_images(evidence: Evidence) -> list[Finding]:
    """Files beside those that ``splits.csv`` lists."""
    files = evidence.layout.unlisted
    if not files:
        return []
    text = f"{counted(len(files), 'file')} beside the listed images are not in splits.csv and are not used"
    return [finding("UNPAIRED_IMAGE", "note", text, files, "add rows to splits.csv to use them")]


def unreadable_files(evidence: Evidence) -> list[Finding]:
    """Damaged files, and masks with numbers that are no ids."""
    failures = evidence.read.failures
    if not failures:
        return []
    text = shortened([error.found for _, error in failures])
    return [finding("UNREADABLE", "error", text, [name for name, _ in failures], failures[0][1].fix)]
