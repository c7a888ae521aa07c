"""A data set: pictures with their masks, read one by one as samples."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from limner.core.command_line import command_line
from limner.core.errors import DataError
from limner.core.labels import LabelSpace
from limner.core.protocols import Listener, Silent
from limner.core.sample import Sample
from limner.data.checks import Finding, examine
from limner.data.instances import objects_of_mask
from limner.data.layouts import Item
from limner.data.masks import MaskReading
from limner.data.pixels import load_image, raw_mask
from limner.data.survey import Facts

__all__ = ["Dataset", "Item", "open_dataset"]

_QUIET = Silent()


@dataclass(frozen=True)
class Dataset:
    """Pictures with their masks and one reading for all of them.

    Parameters
    ----------
    root : the data folder.
    items : in order of their names.
    label_space : the classes.
    reading : how mask files become class ids.
    split_rule : where a given split comes from; empty when none is given.
    format : how the annotations are stored.
    channels : channels of every loaded image; gray is repeated where others are coloured.
    facts : size, depth, class pixels and digest of each picture, by item name.
    spacing : height and width of a pixel in mm, or None when not declared.
    findings : what the checks said; none that blocks.
    alike : sets of names of pictures that are copies or nearly so.
    """

    root: Path
    items: tuple[Item, ...]
    label_space: LabelSpace
    reading: MaskReading
    split_rule: str
    format: str
    channels: int = 0
    facts: Mapping[str, Facts] = field(default_factory=dict, repr=False, compare=False)
    spacing: tuple[float, float] | None = None
    findings: tuple[Finding, ...] = field(default=(), repr=False, compare=False)
    alike: tuple[tuple[str, ...], ...] = field(default=(), repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.items)

    @property
    def checksum(self) -> str:
        """SHA-256 of the names and decoded pixels of all pictures, whatever their order and file format."""
        lines = sorted(f"{name}\t{fact.digest}\n" for name, fact in self.facts.items())
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    @property
    def num_channels(self) -> int:
        """Channels of every loaded image."""
        return self.channels

    def load(self, item: Item) -> Sample:
        """Image, class ids and known pixels of one item.

        Raises
        ------
        DataError : a file cannot be read, or image and mask differ in size; both are named.
        """
        image = load_image(item)
        if image.shape[2] == 1 and self.channels == 3:
            image = np.repeat(image, 3, axis=2)
        if item.drawing is not None:
            size_hw = (image.shape[0], image.shape[1])
            if not self.label_space.things:
                labels, valid = item.drawing.labels(size_hw)
                return Sample(item.name, image, labels, None if valid.all() else valid)
            drawn = item.drawing.draw(size_hw)
            return Sample(item.name, image, drawn.labels, None if drawn.valid.all() else drawn.valid, drawn.objects)
        if item.mask is None:
            return Sample(item.name, image)
        raw = raw_mask(item, alpha=self.reading.source == "alpha")
        labels, valid = self.reading.labels_of(raw, item.mask)
        if labels.shape != image.shape[:2]:
            sizes = [f"{height} x {width}" for height, width in (image.shape[:2], labels.shape)]
            raise DataError(
                f"{item.image.name} is {sizes[0]}, its mask {item.mask.name} is {sizes[1]}",
                expected="the same height and width", where=f"{item.image} and {item.mask}",
                fix="export the mask at the size of its image, or correct the pairing",
            )  # fmt: skip
        if not self.label_space.things:
            return Sample(item.name, image, labels, None if valid.all() else valid)
        objects, valid = objects_of_mask(raw, labels, valid, self.reading, self.label_space.thing_ids)
        return Sample(item.name, image, labels, None if valid.all() else valid, objects)

    def with_split(self, split: str) -> Dataset:
        """The pictures of one split; ``all`` gives every picture."""
        if split == "all":
            return self
        return dataclasses.replace(self, items=tuple(item for item in self.items if item.split == split))

    def with_items(self, items: tuple[Item, ...]) -> Dataset:
        """The same data set with other items, such as those of a `Split`."""
        return dataclasses.replace(self, items=items)


def open_dataset(
    root: Path, *, label_space: LabelSpace | None = None, allow: Collection[str] = (), listener: Listener = _QUIET
) -> Dataset:
    """Read and check a data folder or an annotation file.

    Parameters
    ----------
    root : the folder, or an annotation file with its pictures beside it.
    label_space : classes that a model knows; masks are read as these unless ``limner.toml`` declares its own, which
        are given the model's numbers where it knows their names.
    allow : codes of findings that do not stop it, such as ``SPLIT_LEAK``.
    listener : hears of progress.

    Raises
    ------
    DataError : nothing to read, or findings that block; these are in ``details["findings"]``.
    """
    examination = examine(root, label_space=label_space, listener=listener)
    errors = [finding for finding in examination.findings if finding.level == "error" and finding.code not in allow]
    if errors:
        first = errors[0]
        more = f" (and {len(errors) - 1} more kinds of errors)" if len(errors) > 1 else ""
        files = ", ".join(str(root / name) for name in first.files[:3])
        rest = f" and {len(first.files) - 3} more" if len(first.files) > 3 else ""
        raise DataError(
            f"{first.code}: {first.message}{more}", expected="data without errors", where=files + rest or str(root),
            fix=f"{first.fix}; {command_line('limner', 'check', root)} lists everything",
            details={"findings": [finding.as_dict() for finding in examination.findings]},
        )  # fmt: skip
    return Dataset(
        root=examination.root,
        items=examination.layout.items,
        label_space=examination.reading.label_space,
        reading=examination.reading,
        split_rule=examination.layout.split_rule,
        format=examination.layout.format,
        channels=examination.channels,
        facts=examination.facts,
        spacing=examination.layout.declared.spacing,
        findings=examination.findings,
        alike=examination.alike,
    )
