"""Masks that are the pictures of a COCO panoptic file, whose colours are numbers of segments and no classes."""

from __future__ import annotations

from pathlib import Path

from limner.core.errors import DataError
from limner.data.formats import FORMATS, read_content
from limner.data.items import Layout

PANOPTIC = "coco-panoptic"


def panoptic_files(layout: Layout) -> tuple[Path, ...]:
    """The COCO panoptic files that all masks of a folder belong to; empty when they are masks of classes.

    A panoptic file has its PNGs in the folder beside it that bears its name. Masks are taken as they are where ``limner.toml`` says
    how to read them.
    """
    declared = layout.declared
    if declared.classes or declared.values or declared.masks or declared.masks_are:
        return ()
    folders = {item.mask.parent for item in layout.items if item.mask is not None}
    files = tuple(sorted(folder.parent / f"{folder.name}.json" for folder in folders))
    return files if files and all(_is_panoptic(path) for path in files) else ()


def _is_panoptic(path: Path) -> bool:
    try:
        return path.is_file() and FORMATS[PANOPTIC].sniff(read_content(path))
    except DataError:
        return False
