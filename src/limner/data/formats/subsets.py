"""Pictures by the subset that they belong to, for formats that keep each in a file of its own."""

from __future__ import annotations

import re
from collections.abc import Iterable

from limner.core.annotation import Annotation

_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")
_LONGEST = 40


def subsets_of(images: Iterable[Annotation]) -> dict[str, list[Annotation]]:
    """The pictures of each subset, in the order in which the subsets occur; without any picture one subset without name."""
    parts: dict[str, list[Annotation]] = {}
    for image in images:
        parts.setdefault(subset_word(image.subset), []).append(image)
    return parts or {"": []}


def subset_word(subset: str) -> str:
    """A subset as a word that may be part of a file name on every system; empty when there is none.

    Examples
    --------
    >>> subset_word("train"), subset_word("../x y"), subset_word("")
    ('train', 'x_y', '')
    """
    return _UNSAFE.sub("_", subset).strip("_")[:_LONGEST]
