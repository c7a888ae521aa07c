"""What a run learnt from, as its folder says: enough to tell another seed from other data, and a seen picture from a namesake."""

from __future__ import annotations

import filecmp
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from limner.api.run_folder import RunFolder
from limner.core.recipe import Recipe
from limner.data.folds import FOLDS_FILE, read_held_out
from limner.data.splits import read_rows


@dataclass(frozen=True)
class TrainedOn:
    """What a run learnt from.

    Parameters
    ----------
    recipe : how it was trained; None where that is not known.
    parts : of each picture in its training, ``train``, ``val`` or ``test``, and empty for one that other folds of a
        cross-validation learnt from; no pictures where not known.
    groups : of the pictures that have one.
    data_checksum : of names and pixels of all its pictures; empty where not known.
    labels_checksum : of the labels of the pictures that train or validate, see `limner.api.beginning`; empty where not known.
    origin : the folder its data were read from, where it is still there.
    """

    recipe: Recipe | None = None
    parts: Mapping[str, str] = field(default_factory=dict)
    groups: Mapping[str, str] = field(default_factory=dict)
    data_checksum: str = ""
    labels_checksum: str = ""
    origin: Path | None = None

    @property
    def pictures(self) -> frozenset[str]:
        """All that had a say: which of them only validate may follow from the seed."""
        return frozenset(image for image, part in self.parts.items() if part != "test")

    def learnt(self, images: Iterable[str]) -> list[str]:
        """Those of `images` that are called like pictures that it was trained on."""
        return [image for image in images if self.parts.get(image) == "train"]

    def seen(self, images: Iterable[str], data: Path) -> list[str]:
        """Those of `images`, names in the data `data`, whose file is byte for byte one of the same name in its own data."""
        if self.origin is None:
            return []
        own, other = _folder(self.origin), _folder(data)
        return [image for image in images if _same_file(own / image, other / image)]


def find_training(folder: Path) -> TrainedOn:
    """What the run in `folder`, or the run that the bundle `folder` lies in, says of its training.

    Raises
    ------
    RecipeError, DataError : its recipe or its split is damaged.
    """
    home = folder
    if (folder / "bundle.json").is_file() and not (folder / "split.csv").is_file():
        home = folder.parent
    recipe = Recipe.read(home / "recipe.toml") if (home / "recipe.toml").is_file() else None
    rows = read_rows(home / "split.csv") if (home / "split.csv").is_file() else []
    stated = _table(_read((folder if home != folder else folder / "model") / "bundle.json").get("training"))
    began = _table(_table(_read(RunFolder(home).origin).get("began")).get("labels"))
    parts = {row["image"]: row for row in rows}
    if recipe is not None and recipe.split.folds and not recipe.split.fold:  # its split is that of one fold
        parts |= read_held_out(home / FOLDS_FILE, parts)
    learnt = {image: began[image] for image, row in parts.items() if row["split"] != "test" and image in began}
    scored = _read(home / "evaluation" / "summary.json") if rows else {}  # a run is scored on the data it learnt from
    return TrainedOn(
        recipe, {image: row["split"] for image, row in parts.items()},
        {image: row["group"] for image, row in parts.items() if row["group"]},
        str(stated.get("data_checksum") or scored.get("data_checksum") or ""), _checksum(learnt),
        RunFolder(home).find_origin(),
    )  # fmt: skip


def _checksum(labels: dict[str, Any]) -> str:
    """Of the labels of the pictures that train or validate; empty where the run does not tell."""
    return hashlib.sha256(json.dumps(labels, sort_keys=True).encode()).hexdigest() if labels else ""


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _read(file: Path) -> dict[str, Any]:
    """A small JSON file; empty where it is not there or damaged. The weights beside a bundle are not looked at."""
    try:
        return _table(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError):
        return {}


def _folder(data: Path) -> Path:
    return data if data.is_dir() else data.parent


def _same_file(one: Path, other: Path) -> bool:
    try:
        return one.is_file() and other.is_file() and filecmp.cmp(one, other, shallow=False)
    except OSError:
        return False
