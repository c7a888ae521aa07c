"""What the checks look at: the layout, what reading it showed, and how its masks are read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from limner.data.layouts import Item, Layout
from limner.data.masks import MaskReading
from limner.data.object_survey import PictureObjects
from limner.data.survey import Facts, Survey

SPLIT_ORDER = ("train", "val", "test")


@dataclass(frozen=True)
class Evidence:
    """All that is known of a data set once it is read.

    Parameters
    ----------
    root : the data folder; names are relative to it.
    layout : which files belong together.
    read : what reading them showed.
    facts : of each picture that could be read, with pixels and objects of each class filled in.
    reading : how masks become class ids.
    copies : sets of names of pictures with the same pixels.
    alike : sets of names of pictures that are copies or changed copies; each set of `copies` lies in one of them.
    """

    root: Path
    layout: Layout
    read: Survey
    facts: Mapping[str, Facts]
    reading: MaskReading
    copies: tuple[tuple[str, ...], ...] = ()
    alike: tuple[tuple[str, ...], ...] = ()

    @property
    def objects(self) -> dict[str, PictureObjects]:
        """The objects of each picture where they are told apart."""
        return {name: fact.things for name, fact in self.facts.items() if fact.things is not None}

    def known(self) -> Iterator[tuple[Item, Facts]]:
        """Items whose picture could be read."""
        for item in self.layout.items:
            if item.name in self.facts:
                yield item, self.facts[item.name]

    def labelled(self) -> Iterator[tuple[Item, Facts]]:
        """Items of which the pixels of each class are known."""
        for item, fact in self.known():
            if fact.pixels:
                yield item, fact

    def mask_name(self, item: Item) -> str:
        """The mask's path in the manner of the item's name; empty where regions are drawn."""
        if item.mask is None:
            return ""
        inside = item.mask.is_relative_to(self.root)
        return item.mask.relative_to(self.root).as_posix() if inside else str(item.mask)

    def split_of(self) -> dict[str, str]:
        """The given split of each item."""
        return {item.name: item.split for item in self.layout.items}
