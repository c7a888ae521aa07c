"""What a data set is: an annotation file, a folder of pictures and masks, or a folder of pictures and annotation files."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from limner.core.errors import DataError
from limner.data.annotated import annotation_files, layout_of, read_annotated
from limner.data.annotated_set import Annotated
from limner.data.declared import Declared, read_declared
from limner.data.layouts import Layout, find_layout
from limner.data.panoptic_masks import PANOPTIC, panoptic_files
from limner.data.stack_layout import expand_stacks


def open_layout(data: Path) -> tuple[Path, Layout]:
    """The folder of the pictures and the layout; masks go before annotation files. No pixel is read.

    Raises
    ------
    DataError : nothing to read, or files that cannot be obeyed; see `find_layout` and `read_annotated`.
    """
    found = find_annotated(data)
    if isinstance(found, Layout):
        return data, dataclasses.replace(found, items=expand_stacks(found.items))
    if found.sets[0].is_prediction:
        raise DataError(
            f"{found.files[0].name} holds predictions with scores, not truth",
            expected="annotations that a person made", where=str(found.files[0]),
            fix="give it to `limner evaluate` as the model, or export the annotations",
        )  # fmt: skip
    layout = layout_of(found, declared_for(data))
    if data.is_dir() and found.format == PANOPTIC:
        layout = _as_listed(layout, data)
    return found.root, layout


def declared_for(data: Path) -> Declared:
    """What ``limner.toml`` says in the folder `data`, or beside the file `data`."""
    return read_declared(data if data.is_dir() else data.parent)


def find_annotated(
    data: Path, *, images: Path | None = None, class_attribute: str | None = None, default_class: str | None = None
) -> Annotated | Layout:
    """Annotation files with their pictures, or the layout of a folder of masks.

    Parameters
    ----------
    data : an annotation file or a folder; in a folder masks go before annotation files, but for the pictures of COCO panoptic.
    images : where the pictures of the annotation files are; None = beside or above them.
    class_attribute, default_class : see `choose_classes`; None = what ``limner.toml`` says.

    Raises
    ------
    DataError : see `open_layout`.
    """
    if data.is_file():
        return _annotated(data, (data,), images, class_attribute, default_class) or find_layout(data)
    failure = None
    try:
        layout = find_layout(data)
        panoptic = panoptic_files(layout)
        if panoptic:
            found = _annotated(data, panoptic, images, class_attribute, default_class)
            return layout if found is None else _with_splits(found, layout)
        if layout.items or layout.ambiguous or (data / "splits.csv").is_file():
            return layout
    except DataError as error:
        if not data.is_dir():
            raise
        failure = error
    files = annotation_files(data)
    found = _annotated(data, files, images, class_attribute, default_class) if files else None
    if found is not None:
        return found
    if failure is not None:
        raise failure
    return layout


def _with_splits(found: Annotated, layout: Layout) -> Annotated:
    """The entries with the parts that the folder gives to their pictures."""
    parts = {item.name: item.split for item in layout.items if item.split}
    entries = (
        dataclasses.replace(
            entry,
            annotation=dataclasses.replace(
                entry.annotation, subset=parts.get(entry.match.picture, entry.annotation.subset)
            ),
        )
        for entry in found.entries
    )
    return dataclasses.replace(found, entries=tuple(entries))


def _as_listed(layout: Layout, data: Path) -> Layout:
    """The layout with the split and the groups that the folder `data` gives to its masks, to the letter."""
    try:
        masks = find_layout(data)
    except DataError:  # it has annotation files and no masks
        return layout
    if not masks.split_rule or not panoptic_files(masks):
        return layout
    listed = {item.name: item for item in masks.items}
    items = (
        dataclasses.replace(item, split=listed[item.name].split, group=listed[item.name].group)
        for item in layout.items
        if item.name in listed
    )
    return dataclasses.replace(layout, items=tuple(items), split_rule=masks.split_rule, unlisted=masks.unlisted)


def _annotated(
    data: Path, files: tuple[Path, ...], images: Path | None, class_attribute: str | None, default_class: str | None
) -> Annotated | None:
    declared = declared_for(data)
    if images is not None and not images.is_dir():
        raise DataError(
            f"no folder {images}", expected="the folder of the pictures", where="--images", fix="check the spelling"
        )
    return read_annotated(
        files, images=images or (data if data.is_dir() else None),
        class_attribute=class_attribute or declared.class_attribute or None,
        default_class=default_class or declared.default_class or None,
    )  # fmt: skip
