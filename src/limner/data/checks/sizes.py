"""Masks of another size than their image, and pictures that are stored turned."""

from __future__ import annotations

from limner.data.checks.evidence import Evidence
from limner.data.findings import Finding, counted, finding, shortened
from limner.data.layouts import Item
from limner.data.survey import Facts

Size = tuple[int, int]
TURNED_SIDEWAYS = 5  # EXIF orientations from here on swap height and width


def size_mismatches(evidence: Evidence) -> list[Finding]:
    """Masks that fit neither the upright nor the stored picture."""
    files, sentences = [], []
    for item, fact in _with_masks(evidence):
        size, mask_size = fact.header.size_hw, fact.mask_size_hw
        if mask_size is None or size == mask_size or _fits_stored_only(fact):
            continue
        name = evidence.mask_name(item)
        files += [item.name, name]
        sentences.append(
            f"{item.name} is {size[0]} x {size[1]}, {name} is {mask_size[0]} x {mask_size[1]}{_hint(size, mask_size)}"
        )
    if not files:
        return []
    text = f"height x width of image and mask differ: {shortened(sentences)}"
    fix = "export the mask at the size of its image, or correct the pairing; masks are never scaled silently"
    return [finding("SIZE_MISMATCH", "error", text, files, fix, count=len(sentences))]


def _hint(size: Size, mask_size: Size) -> str:
    """What the two sizes suggest, in words; empty when nothing."""
    if size == mask_size[::-1]:
        return ": one is turned by 90 degrees"
    larger, smaller = (mask_size, size) if mask_size > size else (size, mask_size)
    factor = larger[0] // smaller[0]
    if factor > 1 and larger == (smaller[0] * factor, smaller[1] * factor):
        which = "the mask" if larger == mask_size else "the image"
        return f": {which} is {factor} times as large"
    if abs(size[0] * mask_size[1] / (size[1] * mask_size[0]) - 1) < 0.01:
        return ": the same shape at another scale"
    return ""


def masks_of_stored_pictures(evidence: Evidence) -> list[Finding]:
    """Masks that fit the picture as it is stored and not as its EXIF orientation sets it upright."""
    files, sentences = [], []
    for item, fact in _with_masks(evidence):
        if _fits_stored_only(fact):
            size = fact.header.size_hw
            name = evidence.mask_name(item)
            files += [item.name, name]
            sentences.append(
                f"{name} fits {item.name} as it is stored ({size[1]} x {size[0]}), not upright ({size[0]} x {size[1]})"
            )
    if not files:
        return []
    text = f"height x width of {counted(len(sentences), 'mask')} fit the unturned picture only: {shortened(sentences)}"
    fix = (
        "turn these masks as the EXIF orientation turns their pictures, or save the pictures without it; pictures are "
        "always trained and shown upright"
    )
    return [finding("ORIENTATION", "error", text, files, fix, count=len(sentences))]


def upright_pictures(evidence: Evidence) -> list[Finding]:
    """Pictures that were set upright, by whether the size of the mask tells that it was drawn on the upright one."""
    fitting: list[str] = []
    untold: list[str] = []
    for item, fact in _with_masks(evidence):
        if fact.header.orientation == 1 or fact.mask_size_hw != fact.header.size_hw:
            continue
        height, width = fact.header.size_hw
        told = fact.header.orientation >= TURNED_SIDEWAYS and height != width
        (fitting if told else untold).append(item.name)
    found = []
    if fitting:
        text = f"{counted(len(fitting), 'image')} stored turned and set upright by their EXIF orientation, which fits their masks"
        fix = "look at some of them: a mask drawn on the unturned picture would not fit"
        found.append(finding("ORIENTATION", "fixed", text, fitting, fix))
    if untold:
        text = (
            f"{counted(len(untold), 'image')} stored upside down, mirrored, or turned and square, set upright by their EXIF "
            "orientation; the masks have the same size either way, so it cannot be told on which of both they were drawn"
        )
        fix = "look at them on the contact sheet (limner check --out); turn the masks that do not fit"
        found.append(finding("ORIENTATION", "warning", text, untold, fix))
    return found


def _with_masks(evidence: Evidence) -> list[tuple[Item, Facts]]:
    return [(item, fact) for item, fact in evidence.known() if item.mask is not None and fact.mask_size_hw is not None]


def _fits_stored_only(fact: Facts) -> bool:
    size, mask_size = fact.header.size_hw, fact.mask_size_hw
    return fact.header.orientation >= TURNED_SIDEWAYS and size != mask_size and mask_size == size[::-1]
