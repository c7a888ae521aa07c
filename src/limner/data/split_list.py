"""``splits.csv`` beside annotation files: ``image,split,group``, to the letter; the mask column of mask folders may be there."""

from __future__ import annotations

import dataclasses
import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from limner.data.annotated_set import Entry
from limner.data.findings import Finding, counted, finding, shortened
from limner.data.gathered import Gathered, Listed
from limner.data.layouts import inside
from limner.data.picture_names import entry_names
from limner.data.split_rows import numbered_rows, split_name, unset_splits

FILE_NAME = "splits.csv"


@dataclass(frozen=True)
class Row:
    """One row.

    Parameters
    ----------
    line : where it stands, from 1; the first line has the names of the columns.
    image, mask, split, group : what it says, with forward slashes; all but the image may be empty.
    """

    line: int
    image: str
    mask: str
    split: str
    group: str


def read_list(path: Path) -> tuple[Row, ...]:
    """The rows of a split list.

    Raises
    ------
    DataError : see `limner.data.split_rows.numbered_rows`; a row without an image, with a path out of the folder or with an
        unknown split; some rows with a split and some without.
    """
    rows = []
    for line, row in numbered_rows(path, masks=False):
        where = f"{path}, line {line}"
        inside(path.parent, row["image"].replace("\\", "/"), where)
        split = split_name(row["split"], where)
        image, mask = (row[column].replace("\\", "/") for column in ("image", "mask"))
        rows.append(Row(line, PurePosixPath(image).as_posix(), mask, split, row["group"]))
    unset_splits([(row.image, row.split) for row in rows], str(path))
    return tuple(rows)


def obey(found: Gathered, folder: Path, rows: Sequence[Row], *, is_one_file: bool = False) -> Gathered:
    """The annotated pictures with the parts and groups of the list, in place of what files and folders say.

    Parameters
    ----------
    found : annotation files with their pictures.
    folder : where the list lies; its paths are relative to it.
    rows : of `read_list`.
    is_one_file : one file was named out of a folder, in which others may annotate the other pictures of the list.

    Returns
    -------
    Pictures that are not listed keep their regions and are named in `Listed.unlisted`. Rows without an annotated picture, and
    pictures with several rows, are findings that block.
    """
    names = entry_names(found)
    known = {name: entry for name, entry in zip(names, found.entries, strict=True) if _has_picture(entry)}
    base, root = folder.resolve(), found.root.resolve()
    of_picture: dict[str, list[Row]] = defaultdict(list)
    absent, bare = [], []
    for row in rows:
        near = os.path.relpath(base / row.image, root).replace(os.sep, "/")
        name = next((name for name in (near, row.image) if name in known), "")
        if name:
            of_picture[name].append(row)
        elif (folder / row.image).is_file() or (found.root / row.image).is_file():
            bare.append(row)
        else:
            absent.append(row)
    parts = {name: (several[0].split, several[0].group) for name, several in of_picture.items()}
    listed = Listed(parts, tuple(name for name in known if name not in parts))
    entries = tuple(_with_part(entry, name, parts) for entry, name in zip(found.entries, names, strict=True))
    own = [one for one in found.findings if one.code != "SPLIT_LEAK" or not listed.rule]
    told = [*own, *_unmatched(absent, bare, is_one_file=is_one_file), *_several(of_picture)]
    return dataclasses.replace(found, entries=entries, listed=listed, findings=tuple(told))


def _has_picture(entry: Entry) -> bool:
    return bool(entry.match.picture) or entry.annotation.pixels is not None


def _with_part(entry: Entry, name: str, parts: dict[str, tuple[str, str]]) -> Entry:
    split = parts.get(name, ("", ""))[0] if _has_picture(entry) else ""
    return dataclasses.replace(entry, annotation=dataclasses.replace(entry.annotation, subset=split))


def _unmatched(absent: Sequence[Row], bare: Sequence[Row], *, is_one_file: bool) -> list[Finding]:
    """Rows of pictures that are not there, and of pictures that nobody annotated."""
    found = []
    if absent:
        shown = shortened([f"{row.image} in line {row.line}" for row in absent])
        text = f"{counted(len(absent), 'row')} of {FILE_NAME} without a picture: {shown}"
        fix = f"correct the paths, which are relative to {FILE_NAME}, or remove the rows"
        found.append(finding("UNPAIRED_MASK", "error", text, [row.image for row in absent], fix))
    if bare and is_one_file:
        text = (
            f"{counted(len(bare), 'row')} of {FILE_NAME} for pictures that this file does not annotate are passed over"
        )
        found.append(finding("UNPAIRED_IMAGE", "note", text, [row.image for row in bare]))
    elif bare:
        shown = shortened([f"{row.image} in line {row.line}" for row in bare])
        text = f"{counted(len(bare), 'row')} of {FILE_NAME} for pictures that are in no annotation file: {shown}"
        fix = "annotate them, an empty picture too, or remove the rows"
        found.append(finding("UNPAIRED_IMAGE", "error", text, [row.image for row in bare], fix))
    return found


def _several(of_picture: dict[str, list[Row]]) -> list[Finding]:
    """Pictures with several rows: in two parts a leak, else a row too many."""
    found = []
    shown: dict[str, list[str]] = {"SPLIT_LEAK": [], "AMBIGUOUS_PAIR": []}
    names: dict[str, list[str]] = {"SPLIT_LEAK": [], "AMBIGUOUS_PAIR": []}
    for name, rows in of_picture.items():
        if len(rows) > 1:
            code = "SPLIT_LEAK" if len({row.split for row in rows}) > 1 else "AMBIGUOUS_PAIR"
            lines = ", ".join(f"{row.split} in line {row.line}" if row.split else f"line {row.line}" for row in rows)
            shown[code].append(f"{name} ({lines})")
            names[code].append(name)
    if names["SPLIT_LEAK"]:
        number, some = counted(len(names["SPLIT_LEAK"]), "picture"), shortened(shown["SPLIT_LEAK"])
        text = f"{number} listed in two splits, which leaks the answers: {some}"
        fix = "keep one row of each; with --allow-leaks the first one counts"
        found.append(finding("SPLIT_LEAK", "error", text, names["SPLIT_LEAK"], fix))
    if names["AMBIGUOUS_PAIR"]:
        number, some = counted(len(names["AMBIGUOUS_PAIR"]), "picture"), shortened(shown["AMBIGUOUS_PAIR"])
        text = f"{number} listed several times in {FILE_NAME}: {some}"
        found.append(finding("AMBIGUOUS_PAIR", "error", text, names["AMBIGUOUS_PAIR"], "keep one row of each"))
    return found
