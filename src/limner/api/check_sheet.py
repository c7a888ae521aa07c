"""The contact sheet of a checked data set: which pictures, which tables, and the thumbnails, one after the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from limner.api.object_tints import tinted
from limner.core.command_line import command_line
from limner.core.errors import LimnerError
from limner.core.labels import LabelSpace
from limner.core.protocols import Listener
from limner.core.sample import Sample
from limner.data.checks import CheckReport, Examination
from limner.data.dataset import Dataset
from limner.data.images import read_image
from limner.data.layouts import Item
from limner.data.mask_survey import Objects
from limner.data.pixels import load_image
from limner.data.survey import Facts
from limner.evaluation.contact_sheet import Cell, ClassRow, ContactSheet, choose_pictures
from limner.evaluation.pictures import Picture
from limner.evaluation.thumbnails import SIDE, class_layer, make_thumbnail, small_picture

TILE = 160  # pixels: side of one picture in contact_sheet.png
MOST_TILES = 48
MOST_SIZES = 12
MOST_SHOWN = 4  # classes that are named below a thumbnail
SPLITS = ("train", "val", "test")


def make_sheet(examination: Examination, data: Path, *, listener: Listener) -> tuple[ContactSheet, list[Picture]]:
    """The page, and the first pictures with their outlines as tiles for ``contact_sheet.png``.

    Parameters
    ----------
    examination : of the data set.
    data : as the person gave it, for the title.
    listener : hears of progress.
    """
    report = examination.report()
    items = {item.name: item for item in examination.layout.items}
    owners = _owners(examination)
    findings = [finding.as_dict() for finding in report.findings]
    names, left_out = choose_pictures(findings, list(items), owners)
    codes = _codes(findings, owners, items.keys())
    dataset = _dataset(examination)
    cells: list[Cell] = []
    tiles: list[Picture] = []
    for done, name in enumerate(names, start=1):
        sample = _sample(dataset, items.get(name), name)
        cells.append(_cell(examination, items.get(name), name, sample, codes.get(name, ())))
        if sample is not None and name in items and len(tiles) < MOST_TILES:
            tiles.append(_tile(sample, dataset))
        listener.progress("contact sheet", done, len(names), name)
    splits = [split for split in SPLITS if report.splits.get(split)]
    sheet = ContactSheet(
        title=f"Contact sheet of {data.name or data}", command=command_line("limner", "check", data, "--out", "..."),
        report=report.as_dict(),
        label_space=examination.reading.label_space, cells=cells, left_out=left_out,
        classes=_class_rows(examination, splits), splits=splits, tables=_tables(examination, report), owners=owners,
    )  # fmt: skip
    return sheet, tiles


def tile(pictures: Sequence[Picture]) -> Picture:
    """The pictures, each ``(160, 160, 3)``, as one."""
    columns = min(8, len(pictures))
    rows = -(-len(pictures) // columns)
    sheet = np.full((rows * (TILE + 4), columns * (TILE + 4), 3), 255, np.uint8)
    for index, picture in enumerate(pictures):
        y, x = (index // columns) * (TILE + 4), (index % columns) * (TILE + 4)
        sheet[y : y + TILE, x : x + TILE] = picture
    return sheet


def _owners(examination: Examination) -> dict[str, str]:
    """The picture of each mask file, both as findings name them."""
    owners = {}
    for item in examination.layout.items:
        if item.mask is not None and item.mask.is_relative_to(examination.root):
            owners[item.mask.relative_to(examination.root).as_posix()] = item.name
    return owners


def _codes(
    findings: Sequence[Mapping[str, Any]], owners: Mapping[str, str], everything: Set[str]
) -> dict[str, tuple[str, ...]]:
    """The codes of the findings that name each picture or its mask; a finding about all pictures marks none."""
    codes: dict[str, dict[str, None]] = {}
    for finding in findings:
        named = {owners.get(file, file) for file in finding["files"]}
        if named >= everything:
            continue
        for name in named:
            codes.setdefault(name, {})[finding["code"]] = None
    return {name: tuple(found) for name, found in codes.items()}


def _dataset(examination: Examination) -> Dataset:
    reading = examination.reading
    return Dataset(
        examination.root, examination.layout.items, reading.label_space, reading, "", examination.layout.format,
        examination.channels,
    )  # fmt: skip


def _sample(dataset: Dataset, item: Item | None, name: str) -> Sample | None:
    """The picture with its labels where they fit, alone where they do not; None when it cannot be read."""
    try:
        if item is None:  # a file without a partner, which findings name
            return Sample(name, read_image(dataset.root / name))
        return dataset.load(item)
    except (LimnerError, OSError):
        pass
    try:
        return None if item is None else Sample(name, load_image(item))
    except (LimnerError, OSError):
        return None  # the findings say why


def _cell(examination: Examination, item: Item | None, name: str, sample: Sample | None, codes: Sequence[str]) -> Cell:
    space = examination.reading.label_space
    thumbnail = None
    if sample is not None:
        thumbnail = make_thumbnail(sample.image, *_outlined(sample, space, SIDE), valid=sample.valid)
    facts = []
    if sample is not None:
        facts.append(f"{sample.size_hw[1]} x {sample.size_hw[0]}")
    if item is not None and (item.split or item.group):
        facts.append(", ".join(text for text in (item.split, item.group and f"group {item.group}") if text))
    fact = examination.facts.get(name)
    known = {index: number for index, number in fact.pixels.items() if index >= 0} if fact else {}
    total = sum(known.values())
    shown = sorted(((space.names[i], n / total) for i, n in known.items() if i > 0 and n), key=lambda pair: -pair[1])
    return Cell(name, thumbnail, facts, codes, shown[:MOST_SHOWN])


def _outlined(sample: Sample, space: LabelSpace, side: int) -> tuple[npt.NDArray[np.integer] | None, LabelSpace]:
    """The labels and their classes, so that single objects are outlined where they are told apart."""
    if sample.labels is None or sample.objects is None:
        return sample.labels, space
    return tinted(sample.labels, sample.objects, space, side=side)


def _tile(sample: Sample, dataset: Dataset) -> Picture:
    """The picture with its classes, in the corner of a white square."""
    small, _ = small_picture(sample.image, TILE)
    labels, space = _outlined(sample, dataset.label_space, TILE)
    if labels is not None:
        layer = class_layer(labels, space, small.shape[:2], valid=sample.valid)
        strength = layer[..., 3:].astype(np.float32) / 255
        small = np.rint(small + (layer[..., :3] - small.astype(np.float32)) * strength).astype(np.uint8)
    square = np.full((TILE, TILE, 3), 255, np.uint8)
    square[: small.shape[0], : small.shape[1]] = small
    return square


def _class_rows(examination: Examination, splits: Sequence[str]) -> list[ClassRow]:
    """Pixels, pictures and objects of each class."""
    space = examination.reading.label_space
    split_of = {item.name: item.split for item in examination.layout.items}
    pixels: Counter[int] = Counter()
    pictures: Counter[tuple[int, str]] = Counter()
    counted = space.thing_ids if space.things else range(1, len(space))  # stuff has no objects
    objects = dict.fromkeys(counted, Objects())
    for name, fact in examination.facts.items():
        for index, number in fact.pixels.items():
            if index >= 0 and number:
                pixels[index] += number
                pictures[index, ""] += 1
                if split_of.get(name):
                    pictures[index, split_of[name]] += 1
        for index, found in fact.objects.items():
            if index in objects:
                objects[index] += found
    total = max(sum(pixels.values()), 1)
    return [
        ClassRow(
            name, color, pixels[index] / total, [pictures[index, split] for split in ("", *splits)],
            objects[index].count if index in objects else None, objects[index].tiny if index in objects else None,
        )
        for index, (name, color) in enumerate(zip(space.names, space.colors, strict=True))
    ]  # fmt: skip


def _tables(examination: Examination, report: CheckReport) -> dict[str, list[tuple[str, str]]]:
    facts: Sequence[Facts] = list(examination.facts.values())
    sizes = Counter(fact.header.size_hw for fact in facts)
    shown = [(f"{width} x {height}", str(n)) for (height, width), n in sizes.most_common(MOST_SIZES)]
    if len(sizes) > MOST_SIZES:
        shown.append((f"{len(sizes) - MOST_SIZES} other sizes", str(len(facts) - sum(int(n) for _, n in shown))))
    kinds = Counter((fact.header.channels, fact.header.dtype) for fact in facts)
    tables = {
        "Width x height": shown,
        "Channels and depth": [(f"{c} x {dtype}", str(n)) for (c, dtype), n in kinds.most_common()],
    }
    if report.splits:
        tables["Given split"] = [(split, str(count)) for split, count in report.splits.items()]
    empty = sum(bool(fact.pixels) and not any(i > 0 and n for i, n in fact.pixels.items()) for fact in facts)
    if empty:
        tables["Pictures without objects"] = [("all classes absent", str(empty))]
    return tables
