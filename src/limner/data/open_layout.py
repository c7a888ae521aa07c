"""What a data set is: an annotation file, a folder of pictures and masks, or a folder of pictures and annotation files."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from limner.core.errors import DataError
from limner.data.annotated import layout_of, put_together
from limner.data.annotation_formats import OneFormat, annotation_files, damage, read_one_format
from limner.data.declared import Declared, read_declared
from limner.data.gathered import Gathered, unreadable_files
from limner.data.layouts import Layout, find_layout
from limner.data.panoptic_masks import PANOPTIC, panoptic_files
from limner.data.split_list import FILE_NAME, obey, read_list
from limner.data.stack_layout import expand_stacks


def open_layout(data: Path) -> tuple[Path, Layout]:
    """The folder of the pictures and the layout; masks go before annotation files. No pixel is read.

    Raises
    ------
    DataError : nothing to read, or files that cannot be obeyed; see `find_layout`, `read_one_format` and `read_list`.
    """
    found = find_annotated(data)
    if isinstance(found, Layout):
        return data, dataclasses.replace(found, items=expand_stacks(found.items))
    if found.sets[0].is_prediction:
        raise DataError(
            f"{found.files[0].name} holds predictions with scores, not truth",
            expected="annotations that a person made", where=str(found.files[0]),
            fix="export the annotations; or save the predictions as masks, and give their folder to `limner evaluate`",
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
) -> Gathered | Layout:
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
    options = (images, class_attribute, default_class)
    if data.is_file():
        found = read_one_format([data], is_meant=True)
        return _listed(_put_together(data, found, *options), data.parent, is_one_file=True)
    layout, failure = _masks(data)
    if layout is not None and (panoptic := panoptic_files(layout)):
        found = read_one_format(panoptic, is_meant=len(panoptic) == 1)
        return _with_splits(_put_together(data, found, *options), layout) if found.kept else layout
    if layout is not None and layout.items:
        return layout
    table = data / FILE_NAME
    names_masks = table.is_file() and any(row.mask for row in read_list(table))
    if layout is not None and (names_masks or (layout.ambiguous and not table.is_file())):
        return layout
    if failure is not None and names_masks:
        raise failure
    found = read_one_format(annotation_files(data), is_meant=False)
    if found.kept:
        return _listed(_put_together(data, found, *options), data)
    if layout is not None:  # pictures without masks: a file that cannot be read may be what is missing
        return dataclasses.replace(layout, findings=(*layout.findings, *unreadable_files(damage(found), data)))
    assert failure is not None
    # a damaged file says more than that there are no pictures, which may be inside it, or that splits.csv names no masks
    if found.damaged:
        raise found.damaged[0][1]
    raise failure


def _masks(data: Path) -> tuple[Layout | None, DataError | None]:
    """The folder as one of masks, or why it is none, where annotation files may make up for it.

    Raises
    ------
    DataError : no folder, or a file of it that has to be obeyed cannot be: no annotation file makes up for that.
    """
    try:
        return find_layout(data), None
    except DataError as error:
        table = str(data / FILE_NAME)  # is read again for annotation files, which need no masks in it
        if not data.is_dir() or (error.where != str(data) and not error.where.startswith(table)):
            raise
        return None, error


def _listed(found: Gathered, folder: Path, *, is_one_file: bool = False) -> Gathered:
    """The entries as ``splits.csv`` in the folder of the data, or else in that of the pictures, says."""
    tables = (place / FILE_NAME for place in (folder, found.root))
    table = next((table for table in tables if table.is_file()), None)
    return found if table is None else obey(found, table.parent, read_list(table), is_one_file=is_one_file)


def _with_splits(found: Gathered, layout: Layout) -> Gathered:
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
    findings = () if layout.split_rule else found.findings
    return dataclasses.replace(found, entries=tuple(entries), findings=findings)


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


def _put_together(
    data: Path, found: OneFormat, images: Path | None, class_attribute: str | None, default_class: str | None
) -> Gathered:
    declared = declared_for(data)
    if images is not None and not images.is_dir():
        raise DataError(
            f"no folder {images}", expected="the folder of the pictures", where="--images", fix="check the spelling"
        )
    return put_together(
        found, images=images or (data if data.is_dir() else None),
        class_attribute=class_attribute or declared.class_attribute or None,
        default_class=default_class or declared.default_class or None,
    )  # fmt: skip
