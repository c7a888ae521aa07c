"""Channels, depth and contrast of the pictures."""

from __future__ import annotations

from collections import defaultdict

from limner.data.checks.evidence import Evidence
from limner.data.findings import Finding, counted, finding


def mixed_channels(evidence: Evidence) -> list[Finding]:
    """Gray beside colour is put right; other differences cannot be."""
    channels: dict[int, list[str]] = defaultdict(list)
    for item, fact in evidence.known():
        channels[fact.header.channels].append(item.name)
    if len(channels) < 2:
        return []
    fewest = min(channels.values(), key=len)
    if set(channels) == {1, 3}:
        text = f"{len(channels[1])} gray and {len(channels[3])} colour images; gray is repeated to red, green and blue"
        return [finding("CHANNELS_MIXED", "fixed", text, fewest)]
    shown = ", ".join(f"{len(names)} with {count}" for count, names in sorted(channels.items()))
    text = f"images of different channel counts: {shown}"
    return [finding("CHANNELS_MIXED", "error", text, fewest, "export all images with the same channels")]


def mixed_depths(evidence: Evidence) -> list[Finding]:
    """Pictures whose numbers do not mean the same: other depths, or 8-bit numbers in 16-bit files."""
    depths: dict[str, list[str]] = defaultdict(list)
    for item, fact in evidence.known():
        depths[fact.header.dtype].append(item.name)
    fix = 'export all at one depth, or set data.normalization = "percentile"'
    if len(depths) > 1:
        shown = ", ".join(f"{len(names)} {kind}" for kind, names in sorted(depths.items()))
        text = f"images of different depth: {shown}; values are used as they are"
        return [finding("BIT_DEPTH", "warning", text, min(depths.values(), key=len), fix)]
    kind = next(iter(depths), "uint8")
    narrow_top, wide_top, what = (255, 4095, "8-bit numbers") if kind == "uint16" else (1, 2, "numbers from 0 to 1")
    narrow = [item.name for item, fact in evidence.known() if 0 <= fact.lowest < fact.highest <= narrow_top]
    wide = [item.name for item, fact in evidence.known() if fact.highest > wide_top]
    if kind == "uint8" or not narrow or not wide:
        return []
    text = (
        f"{counted(len(narrow), 'image')} of {len(narrow) + len(wide)} {kind} files hold {what} (up to {narrow_top}), "
        f"others go up to {max(fact.highest for _, fact in evidence.known()):g}"
    )
    return [finding("BIT_DEPTH", "warning", text, min(narrow, wide, key=len), fix)]


def constant_images(evidence: Evidence) -> list[Finding]:
    """Pictures that show nothing."""
    constant = [item.name for item, fact in evidence.known() if fact.lowest == fact.highest]
    if not constant:
        return []
    text = f"{counted(len(constant), 'image')} with one value everywhere"
    return [finding("CONSTANT_IMAGE", "warning", text, constant, "export them again or remove them")]
