"""Data sets without files: names, groups, copies and classes as a test wants them."""

from pathlib import Path

from limner.core.labels import LabelSpace
from limner.data.dataset import Dataset
from limner.data.images import Header
from limner.data.layouts import Item
from limner.data.survey import Facts

CLASSES = ("background", "common", "rare", "third")


def imagined(
    stems, *, groups=None, splits=None, digests=None, alike=(), pixels=lambda name: {0: 30, 1: 5}, suffix=".png"
):
    """`pixels` of each class by stem; a digest for each picture of its own unless `digests` says otherwise."""
    items, facts = [], {}
    for index, stem in enumerate(stems):
        name = f"images/{stem}{suffix}"
        split, group = (splits or [""] * len(stems))[index], (groups or [""] * len(stems))[index]
        items.append(Item(name, Path("data") / name, Path("data/masks") / f"{stem}.png", split, group))
        digest = digests[index] if digests else f"own {index}"
        facts[name] = Facts(Header((5, 7), 1, "uint8"), digest, 0.0, 255.0, pixels(stem))
    rule = "given by splits.csv" if splits else ""
    return Dataset(Path("data"), tuple(items), LabelSpace(CLASSES), None, rule, "folders", 1, facts, alike=alike)
