"""Other ways to the objects of a data set, trained as long on the same pictures and scored by the same code.

    python -m benchmarks.object_rivals DATA OUT --minutes 4 [--only auto semantic watershed cellpose]

auto       : ``limner train DATA`` as it is.
semantic   : the same with ``objects.head=components``: a mask, the connected areas of which are the objects.
watershed  : that mask, cut by the watershed of its distance transform from scikit-image; the distance of peaks that is best on the
             validation pictures.
cellpose_decoder : what the network of ``auto`` answers, made objects by Cellpose's own code (200 Euler steps, its thresholds).
cellpose   : the network and training of Cellpose 3 (the last one that can be trained from scratch on a CPU), its own settings, from
             random weights, as many epochs as fit into the time. Its package has to be importable.

Each way leaves a folder of predictions, scored by ``limner evaluate FOLDER DATA --split test``; prints a table.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import limner
from limner.core.objects import Objects
from limner.core.sample import Sample
from limner.data.dataset import Dataset, open_dataset
from limner.data.instance_files import write_instances
from limner.data.splits import read_split
from limner.metrics.instance import f1_at_iou
from limner.metrics.matching import count_overlaps, join

WAYS = ("auto", "semantic", "watershed", "cellpose_decoder", "cellpose")
COLUMNS = ("f1_at_iou", "f1_at_iou75", "tp_share_at_iou", "mean_tp_share_at_iou", "ap", "pq", "aji", "count_error")
DISTANCES = (3, 5, 7, 9, 12, 16)  # pixels between peaks of the distance transform


def main() -> None:
    """Run the ways that are asked for and print their scores."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, default=4.0)
    parser.add_argument("--only", nargs="*", default=list(WAYS), choices=WAYS)
    asked = parser.parse_args()
    file = asked.out / "rivals.json"
    rows: dict[str, Any] = json.loads(file.read_text()) if file.is_file() else {}
    ways: dict[str, Callable[[Path, Path, float], float]] = {
        "auto": train_auto, "semantic": train_semantic, "watershed": cut_masks,
        "cellpose_decoder": decode_by_cellpose, "cellpose": train_cellpose,
    }  # fmt: skip
    for way in asked.only:
        folder = asked.out / way
        seconds = ways[way](asked.data, folder, asked.minutes * 60)
        predictions = folder / "predictions" if way in ("auto", "semantic") else folder
        report = limner.evaluate(predictions, asked.data, split="test")
        scores = report.summary()["scores"]
        rows[way] = {"seconds": round(seconds), **{name: _pooled(scores, name) for name in COLUMNS}}
        print(json.dumps({way: rows[way]}), flush=True)
        file.write_text(json.dumps(rows, indent=1))


def _pooled(scores: dict[str, Any], name: str) -> float | None:
    found = next(iter(scores[name].values()))
    return found["pooled"] if found.get("pooled") is not None else found["mean"]


def train_auto(data: Path, folder: Path, seconds: float) -> float:
    """As a user would."""
    return _limner(data, folder, seconds, {})


def train_semantic(data: Path, folder: Path, seconds: float) -> float:
    """No map of objects is learnt."""
    return _limner(data, folder, seconds, {"objects.head": "components"})


def _limner(data: Path, folder: Path, seconds: float, settings: dict[str, Any]) -> float:
    result = limner.train(data, out=folder / "run", budget=f"{seconds:g}s", settings=settings)
    dataset = open_dataset(data)
    names = [item.image for item in read_split(folder / "run" / "split.csv", dataset).part("test")]
    limner.predict(folder / "run", names, out=folder / "predictions", overlay=True)
    return float(result.seconds)


def cut_masks(data: Path, folder: Path, seconds: float) -> float:
    """The masks of ``semantic``, which has to be there, cut by a watershed of the distance to their outline."""
    run = folder.parent / "semantic" / "run"
    dataset = open_dataset(data)
    split = read_split(run / "split.csv", dataset)
    segmenter, _ = limner_open(run)
    masks = {
        item.name: segmenter.segment(dataset.load(item)).labels > 0 for item in split.part("val") + split.part("test")
    }
    best = max(DISTANCES, key=lambda distance: _mean_f1(dataset, split.part("val"), masks, distance))
    print(f"watershed: peaks {best} px apart", flush=True)
    for item in split.part("test"):
        _write(folder, item.name, cut(masks[item.name], best))
    return seconds


def limner_open(run: Path) -> Any:
    """The segmenter of a run."""
    from limner.api.open import open_segmenter

    return open_segmenter(run)


def cut(mask: Any, distance: int) -> Any:
    """Ids of a mask by scikit-image's watershed."""
    from scipy import ndimage
    from skimage.feature import peak_local_max
    from skimage.segmentation import watershed

    depth = ndimage.distance_transform_edt(mask)
    peaks = peak_local_max(depth, min_distance=distance, labels=mask.astype(int), exclude_border=False)
    seeds = np.zeros(mask.shape, np.int32)
    seeds[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    return watershed(-depth, seeds, mask=mask).astype(np.int32)


def _mean_f1(dataset: Dataset, items: Any, masks: dict[str, Any], distance: int) -> float:
    tables = []
    for item in items:
        sample: Sample = dataset.load(item)
        ids = cut(masks[item.name], distance)
        assert sample.objects is not None
        tables.append(count_overlaps(Objects(ids, np.ones(int(ids.max()), np.int32)), sample.objects))
    return f1_at_iou(join(tables)) + f1_at_iou(join(tables), iou=0.75)


def decode_by_cellpose(data: Path, folder: Path, seconds: float) -> float:
    """Flows and scores of ``auto``, which has to be there, through Cellpose's decoder with its usual numbers."""
    from cellpose import dynamics  # type: ignore[import-not-found]

    run = folder.parent / "auto" / "run"
    dataset = open_dataset(data)
    segmenter, bundle = limner_open(run)
    head = bundle.contract.objects
    assert head is not None and bundle.label_space.num_maps == 1
    y, x = (1 + head.maps.index(name) for name in ("flow_y", "flow_x"))
    for item in read_split(run / "split.csv", dataset).part("test"):
        maps = segmenter.native_maps(dataset.load(item))
        sure = np.clip(maps[0], 1e-6, 1 - 1e-6)
        found = dynamics.compute_masks(
            5 * np.stack([maps[y], maps[x]]), np.log(sure / (1 - sure)), niter=200, flow_threshold=0.4, min_size=15
        )
        _write(folder, item.name, (found[0] if isinstance(found, tuple) else found).astype(np.int32))
    return seconds


def train_cellpose(data: Path, folder: Path, seconds: float) -> float:
    """Cellpose 3 from random weights; epochs from the time that the first ones take."""
    from cellpose import models, train  # type: ignore[import-not-found]

    dataset = open_dataset(data)
    split = read_split(folder.parent / "auto" / "run" / "split.csv", dataset)
    samples = [dataset.load(item) for item in split.part("train") + split.part("val")]
    images, ids = (
        [_gray(s) for s in samples],
        [s.objects.ids.astype(np.int32) for s in samples if s.objects is not None],
    )

    def fit(model: Any, epochs: int) -> float:
        begin = time.perf_counter()
        train.train_seg(
            model.net, train_data=images, train_labels=ids, channels=[0, 0], normalize=True, n_epochs=epochs,
            min_train_masks=1, save_path=folder, save_every=10_000,
        )  # fmt: skip
        return time.perf_counter() - begin

    folder.mkdir(parents=True, exist_ok=True)
    one, three = (fit(models.CellposeModel(pretrained_model=False), epochs) for epochs in (1, 3))
    each = max((three - one) / 2, 1e-3)
    model = models.CellposeModel(pretrained_model=False)
    epochs = max(1, int((seconds - (one - each)) / each))
    spent = fit(model, epochs)
    print(f"cellpose: {epochs} epochs of {each:.1f} s, {spent:.0f} s", flush=True)
    model.diam_labels = float(model.net.diam_labels.item())
    for item in split.part("test"):
        found = model.eval(_gray(dataset.load(item)), channels=[0, 0], diameter=model.diam_labels)[0]
        _write(folder, item.name, found.astype(np.int32))
    return spent


def _gray(sample: Sample) -> Any:
    return sample.image.mean(axis=2).astype(np.float32)


def _write(folder: Path, name: str, ids: Any) -> None:
    stem = Path(name).with_suffix("").name
    (folder / "instances").mkdir(parents=True, exist_ok=True)
    write_instances(folder / "instances" / stem, ids)
    Image.fromarray((ids > 0).astype(np.uint8)).save(folder / f"{stem}.png")


if __name__ == "__main__":
    main()
