"""Names of files that are no text: they can be opened, but not written into any table, page or checksum."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

from limner.data.findings import Finding, finding, shortened
from limner.data.layouts import Item, Layout


def without_strange_names(layout: Layout, root: Path) -> tuple[Layout, list[Finding]]:
    """The layout without files whose names are not in UTF-8, and an error that names them with their bytes."""
    strange = {name for names in layout.ambiguous for name in names if not is_text(name)}
    strange |= {name for item in layout.items for name in _names_of(item, root) if not is_text(name)}
    lonely = (*layout.lonely_images, *layout.lonely_masks, *layout.unlisted)
    strange |= {name for name in lonely if not is_text(name)}
    if not strange:
        return layout, []
    layout = dataclasses.replace(
        layout,
        items=tuple(item for item in layout.items if all(map(is_text, _names_of(item, root)))),
        lonely_images=tuple(filter(is_text, layout.lonely_images)),
        lonely_masks=tuple(filter(is_text, layout.lonely_masks)),
        unlisted=tuple(filter(is_text, layout.unlisted)),
        ambiguous=tuple(names for names in layout.ambiguous if all(map(is_text, names))),
    )
    shown = sorted(printable(name) for name in strange)
    text = f"{len(shown)} file names are not in UTF-8: {shortened(shown)}"
    return layout, [finding("UNREADABLE", "error", text, shown, "rename them; convmv -t utf8 does so for many files")]


def is_text(name: str) -> bool:
    """Whether a name can be written in UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def printable(name: str) -> str:
    r"""A name with the bytes that are no text as ``\xf6``."""
    try:
        return os.fsencode(name).decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # half of a pair of UTF-16, as JSON may hold it
        return ascii(name)[1:-1]


def _names_of(item: Item, root: Path) -> list[str]:
    instances = item.instances if isinstance(item.instances, tuple) else (item.instances,)
    paths = [path for path in (item.image, item.mask, *item.channels, *instances) if path is not None]
    return [item.name, *(str(path.relative_to(root) if path.is_relative_to(root) else path) for path in paths)]
