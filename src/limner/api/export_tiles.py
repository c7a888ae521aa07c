"""Pictures for judging and calibrating an export: found where the run found its data, cut as the network sees them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from limner.api.plan import split_dataset
from limner.api.run_folder import RunFolder
from limner.core.bundle import Bundle, InputContract
from limner.core.errors import DataError, LimnerError
from limner.core.protocols import Listener
from limner.core.sample import Sample
from limner.data.dataset import Dataset, Item, open_dataset
from limner.data.preprocess import prepare, resize_labels, to_network
from limner.data.splits import Split, read_split

LARGEST_SIDE = 512  # of a tile, in working pixels: enough of everything, and quick in the slowest runtime
JUDGED_TILES, CALIBRATION_TILES, JUDGED_PICTURES = 16, 64, 32

Batch = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Pictures:
    """Pictures of a model's data.

    Parameters
    ----------
    dataset : the data.
    judged : pictures that did not train, those that trained where there are no others; as far as that is known.
    judged_from : ``validation``, ``training``, or ``given`` where nobody knows which of them trained the model.
    trained : pictures that did train.
    """

    dataset: Dataset
    judged: tuple[Item, ...]
    judged_from: str
    trained: tuple[Item, ...]


def open_data(model: Path, bundle: Bundle, data: Path | None, listener: Listener) -> Dataset | None:
    """The pictures in `data`, or in the folder that the run was trained on; None where that is not known or not the same now.

    Raises
    ------
    DataError : `data` cannot be used.
    """
    return _open_given(data, bundle, listener) if data is not None else _open_origin(_run_of(model), bundle, listener)


def pick_pictures(model: Path, bundle: Bundle, dataset: Dataset) -> Pictures:
    """Who judges and who calibrates: as in training where the model was trained on these data."""
    own = _run_of(model)
    same = dataset.checksum == bundle.training.get("data_checksum")
    split = read_split(own / "split.csv", dataset) if own is not None and same else _split(dataset)
    known = same and (own is not None or split.checksum == bundle.training.get("split_checksum"))
    judged, trained = split.part("val"), split.part("train") or split.items
    source = "given" if not known else "validation" if judged else "training"
    return Pictures(dataset, judged or trained, source, trained)


def _run_of(model: Path) -> Path | None:
    """The run folder that `model` is, or lies in."""
    return next((folder for folder in (model, model.parent) if (folder / "split.csv").is_file()), None)


def _open_given(data: Path, bundle: Bundle, listener: Listener) -> Dataset:
    dataset = open_dataset(data, label_space=bundle.label_space, allow=("SPLIT_LEAK",), listener=listener)
    if len(dataset.label_space) > len(bundle.label_space):
        raise DataError(
            f"the data show {len(dataset.label_space)} classes, the model knows {len(bundle.label_space)}",
            expected="the classes of the model",
            where=str(data),
            fix="give the data that the model was trained on",
        )
    return dataset


def _open_origin(run: Path | None, bundle: Bundle, listener: Listener) -> Dataset | None:
    """The data that the run was trained on; None where they are gone or other ones."""
    root = RunFolder(run).find_origin() if run is not None else None
    if root is None:
        return None
    try:
        dataset = _open_given(root, bundle, listener)
    except LimnerError as error:
        listener.message(f"the data of the run cannot be used: {error.found}")
        return None
    if dataset.checksum != bundle.training.get("data_checksum"):
        listener.message(
            f"the pictures in {root} are no longer those that the model was trained on; --data names others"
        )
        return None
    return dataset


def _split(dataset: Dataset) -> Split:
    """The split of data that the model was not trained on; where none can be made, every picture judges and calibrates."""
    try:
        return split_dataset(dataset, {})
    except LimnerError:
        return Split(tuple(dataset.items), "none", "")


def spread(items: Sequence[Item], count: int) -> list[Item]:
    """At most `count` of the items, evenly spaced.

    Examples
    --------
    >>> spread("abcdefg", 3)
    ['a', 'd', 'g']
    """
    if len(items) <= count:
        return list(items)
    return [items[round(i * (len(items) - 1) / max(count - 1, 1))] for i in range(count)]


def cut_tiles(
    dataset: Dataset, items: Sequence[Item], bundle: Bundle, *, count: int, stage: str, listener: Listener
) -> list[Batch]:
    """Tiles ``(1, C, h, w)`` of up to `count` pictures, several of each where there are fewer pictures; objects first."""
    chosen, found = spread(items, count), list[Batch]()
    quota = -(-count // max(len(chosen), 1))
    for done, item in enumerate(chosen, 1):
        found += _tiles_of(dataset.load(item), bundle.contract, int(bundle.arguments["channels"]), quota)
        listener.progress(stage, done, len(chosen))
    return found[:count]


def _tiles_of(sample: Sample, contract: InputContract, channels: int, count: int) -> list[Batch]:
    """The windows of one picture that show the most labelled pixels, prepared as `NetworkSegmenter` prepares them."""
    working = prepare(
        sample.image,
        channels=channels,
        scale=contract.scale,
        normalization=contract.normalization,
        intensity_range=contract.intensity_range,
        resize_hw=contract.resize_hw,
        where=sample.name,
    )
    size_hw = (working.shape[0], working.shape[1])
    side = max(32, round(contract.tile * contract.scale)) if contract.tile else LARGEST_SIDE
    side = max(size_hw) if any(contract.resize_hw) else min(side, LARGEST_SIDE)  # one size for all stays whole
    windows = _windows(size_hw, side)
    if sample.labels is not None:
        shown = resize_labels(sample.labels, size_hw) > 0
        windows.sort(key=lambda window: -int(np.count_nonzero(shown[window])))
    return [to_network(working[window], normalization=contract.normalization)[None] for window in windows[:count]]


def _windows(size_hw: tuple[int, int], side: int) -> list[tuple[slice, slice]]:
    """Windows of `side`, side by side, the last on each axis at the border; cut where the picture is smaller."""
    height, width = size_hw
    rows, columns = ([*range(0, max(length - side, 0), side), max(length - side, 0)] for length in (height, width))
    return [(slice(y, min(y + side, height)), slice(x, min(x + side, width))) for y in rows for x in columns]
