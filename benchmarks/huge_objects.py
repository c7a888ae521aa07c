"""Objects of huge pictures: counts, cuts, time and memory of bands against the whole; what renumbering costs.

python -m benchmarks.huge_objects perfect FOLDER [--side 6000] [--decoder watershed]   maps without error, in bands and at once
python -m benchmarks.huge_objects model FOLDER MODEL [--side 6000]     a trained model on the mosaic and on the single pictures
python -m benchmarks.huge_objects runs [--side 6000]                   ways to measure and renumber a map of ids

FOLDER holds `images/` and `instances/` of one size each, as a data set of objects does. The mosaic is made of squares of 250
pixels, each the upper left of a picture, chosen by a seed; cells at the border of a square end there, in truth, too.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import tifffile

from limner.core.labels import LabelSpace
from limner.core.object_head import DECODERS, ObjectHead
from limner.core.objects import number_objects
from limner.core.sample import Sample
from limner.data.images import SUFFIXES, read_image
from limner.data.preprocess import match_channels
from limner.inference.object_bands import ObjectRows, band_rows_of, object_rows
from limner.inference.object_columns import by_columns
from limner.inference.object_runs import final_ids, measure, runs_of
from limner.inference.object_stream import ObjectStream
from limner.inference.objects import ObjectDecoder

FIELD = 250
SPACE = LabelSpace(("background", "cell"), things=("cell",))
HEADS = {"watershed": "watershed", "centres": "watershed", "flow": "flow"}
CONTACT = 5  # pixels along a line that two objects share, from which on it may be a cut


def ids_of(path: Path) -> np.ndarray:
    ids = (
        tifffile.imread(path)
        if path.suffix.lower() in (".tif", ".tiff")
        else cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    )
    return number_objects(ids[:FIELD, :FIELD].astype(np.int64), np.ones_like(ids[:FIELD, :FIELD], np.uint8)).ids


@dataclass(frozen=True)
class Mosaic:
    """Squares of known cells beside each other; `choice` says which."""

    ids: list[np.ndarray]
    images: list[np.ndarray]
    choice: np.ndarray

    @property
    def size_hw(self) -> tuple[int, int]:
        return self.choice.shape[0] * FIELD, self.choice.shape[1] * FIELD

    @property
    def count(self) -> int:
        return int(sum(self.ids[i].max() for i in self.choice.ravel()))

    def rows(self, parts: list[np.ndarray]) -> Iterator[tuple[int, np.ndarray]]:
        """Parts ``(K, FIELD, FIELD)`` of the squares as rows of maps."""
        for row, chosen in enumerate(self.choice):
            yield row * FIELD, np.concatenate([parts[i] for i in chosen], axis=2)

    def truth(self) -> np.ndarray:
        out = np.zeros(self.size_hw, np.int32)
        for (row, column), i in np.ndenumerate(self.choice):
            part = self.ids[i]
            before = int(out.max()) if not column else before  # noqa: F821 - set in the first column
            out[row * FIELD : (row + 1) * FIELD, column * FIELD : (column + 1) * FIELD] = np.where(
                part, part + before, 0
            )
            before += int(part.max())
        return out

    def picture(self) -> np.ndarray:
        return np.concatenate([np.concatenate([self.images[i] for i in chosen], axis=1) for chosen in self.choice])


def stretched(image: np.ndarray) -> np.ndarray:
    """From the 1st to the 99th percentile: normalised by itself or as part of a mosaic, a square looks the same."""
    low, high = np.percentile(image, (1, 99))
    return np.clip((image - low) * (255 / max(1.0, high - low)), 0, 255).astype(np.uint8)


def mosaic(folder: Path, side: int, *, width: int = 0, seed: int = 0) -> Mosaic:
    """Of all pictures that are at least as large as a square; as large as whole squares allow."""
    ids, images = [], []
    for path in sorted((folder / "instances").rglob("*")):
        if path.suffix.lower() not in SUFFIXES:
            continue
        found = ids_of(path)
        picture = next(iter(sorted((folder / "images").rglob(f"{path.stem}.*"))), None)
        if found.shape == (FIELD, FIELD) and picture is not None:
            ids.append(found)
            images.append(stretched(match_channels(read_image(picture)[:FIELD, :FIELD, :3], 3)))
    shape = side // FIELD, (width or side) // FIELD
    return Mosaic(ids, images, np.random.default_rng(seed).integers(0, len(ids), shape))


def perfect_maps(ids: np.ndarray, head: ObjectHead) -> np.ndarray:
    """What a network without error would answer for a square whose border ends its cells."""
    from limner.training.object_targets import object_targets

    framed = np.pad(ids, 1, constant_values=int(ids.max()) + 1)
    maps = object_targets(framed, head=head.head, diameter=head.diameter)[:, 1:-1, 1:-1]
    return np.concatenate([(ids[None] > 0).astype(np.float32), maps])


def head_of(decoder: str, squares: list[np.ndarray]) -> ObjectHead:
    found = [measure(runs_of(ids)) for ids in squares]
    areas = np.concatenate([one["area"] for one in found])
    sides = np.concatenate([np.maximum(one["bottom"] - one["top"], one["right"] - one["left"]) for one in found])
    return ObjectHead(HEADS[decoder], decoder, float(2 * np.sqrt(np.median(areas) / np.pi)), reach=int(sides.max()))


@dataclass
class Result:
    """Everything that bands gave out, and where their borders lay."""

    ids: list[np.ndarray] = field(default_factory=list)
    found: list[np.ndarray] = field(default_factory=list)
    joined: list[np.ndarray] = field(default_factory=list)
    lines: set[int] = field(default_factory=set)
    last: int = 0

    def add(self, rows: ObjectRows) -> None:
        self.ids.append(rows.ids)
        self.found.append(rows.finished)
        self.joined.append(rows.joined)
        self.lines.add(rows.state.bottom)
        self.last = rows.state.next_id - 1

    def whole(self) -> np.ndarray:
        return final_ids(self.last, np.concatenate(self.joined)).take(np.concatenate(self.ids))


def decode_in_bands(squares: Mosaic, parts: list[np.ndarray], decoder: ObjectDecoder, reach: int) -> Result:
    size_hw, result = squares.size_hw, Result()
    rows = band_rows_of(size_hw[1], maps=len(parts[0]), reach=reach)
    decode = by_columns(decoder, reach=reach)
    for part in object_rows(squares.rows(parts), decode, size_hw=size_hw, reach=reach, band_rows=rows):
        result.add(part)
    return result


def contacts(ids: np.ndarray, row: int) -> int:
    """Pairs of different objects that touch along the border above a row on at least `CONTACT` pixels: perhaps cut there."""
    if not 0 < row < len(ids):
        return 0
    above, below = ids[row - 1].astype(np.int64), ids[row].astype(np.int64)
    pairs = (above << 32 | below)[(above > 0) & (below > 0) & (above != below)]
    return int((np.unique(pairs, return_counts=True)[1] >= CONTACT).sum())


def cuts(ids: np.ndarray, lines: set[int]) -> tuple[float, float]:
    """Contacts for each line, and for each other row that is no border of squares."""
    at = [contacts(ids, row) for row in lines if 0 < row < len(ids) and row % FIELD]
    others = [row for row in range(3, len(ids), 7) if row % FIELD and row not in lines]
    return float(np.mean(at or [0])), float(np.mean([contacts(ids, row) for row in others]))


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure_perfect(folder: Path, side: int, decoder: str) -> None:
    squares = mosaic(folder, side)
    head = head_of(decoder, squares.ids)
    parts = [perfect_maps(ids, head) for ids in squares.ids]
    decode = ObjectDecoder(SPACE, head, 0.5)
    before, start = peak(), time.process_time()
    result = decode_in_bands(squares, parts, decode, head.reach)
    seconds, grown = time.process_time() - start, peak() - before
    found, truth = result.whole(), squares.truth()
    pixels = found.size / 1e6
    print(f"{squares.size_hw[0]} x {squares.size_hw[1]}, reach {head.reach}, {squares.count} cells, decoder {decoder}")
    print(
        f"bands: {found.max()} objects, {seconds:.1f} s ({1e3 * seconds / pixels:.0f} ms per megapixel), {grown:.0f} MiB more"
    )
    records = np.concatenate(result.found)
    print(f"records {len(records)}, areas sum to the pixels: {records['area'].sum() == (found > 0).sum()}")
    print("contacts per line: {:.2f} at bands, {:.2f} elsewhere".format(*cuts(found, result.lines)))
    print(
        "contacts per line: {:.2f} at windows, {:.2f} elsewhere".format(
            *cuts(found.T, set(range(0, found.shape[1], 2048)))
        )
    )
    match = number_objects(np.where(found > 0, truth, 0), np.ones(found.shape, np.uint8)).ids
    alone = np.array([len(decode(part)[1]) for part in parts])[squares.choice].sum()
    print(f"squares decoded one by one: {alone} objects; bands find {found.max() - alone:+d}")
    print(
        f"count error {found.max() - squares.count}; pixels of another object than in truth: {_wrong(found, match):.6f}"
    )
    start = time.process_time()
    _, whole = decode(np.concatenate([part for _, part in squares.rows(parts)], axis=1))
    seconds = time.process_time() - start
    print(f"at once: {len(whole)} objects, {seconds:.1f} s, {peak() - before:.0f} MiB more; "
          f"equal to bands: {np.array_equal(whole.ids, found)}, {(whole.ids != found).mean():.2e} of the ids differ")  # fmt: skip


def _wrong(found: np.ndarray, truth: np.ndarray) -> float:
    """Share of pixels that are not in the object that most of their object's pixels are in."""
    from limner.inference.object_runs import pair_counts

    ids, _, pixels = pair_counts(found, truth)
    most = np.zeros(int(found.max()) + 1, np.int64)
    np.maximum.at(most, ids, pixels)
    return 1 - most.sum() / (found > 0).sum()


def measure_model(folder: Path, model: Path, side: int) -> None:
    from limner.api.open import open_segmenter
    from limner.inference.segmenter import NetworkSegmenter
    from limner.inference.source import ArraySource

    segmenter, _ = open_segmenter(model)
    network = getattr(segmenter, "inner", segmenter)
    assert isinstance(network, NetworkSegmenter)
    squares = mosaic(folder, side)
    singles = [inner(network.segment(Sample("single", image)).objects.ids) for image in squares.images]
    source = ArraySource(squares.picture())
    stream = ObjectStream(network, source, network.pieces(source.size_hw))
    start, result = time.process_time(), Result()
    for part in stream.rows():
        result.add(part)
    seconds = time.process_time() - start
    found = result.whole()
    on_singles = np.array([len(one) for one in singles])[squares.choice].sum()
    records = inner(found)
    truth = inner(squares.truth())
    print(
        f"{source.size_hw[0]} x {source.size_hw[1]}, tiles of {stream.pieces.tile}, reach {stream.reach}, {peak():.0f} MiB"
    )
    print(f"{found.max()} objects in {seconds:.0f} s ({1e6 * seconds / found.size:.2f} s per megapixel)")
    print("objects off the borders of squares: " +
          f"{len(records)} on the mosaic, {on_singles} on the single pictures ({len(records) / on_singles - 1:+.2%}), "
          f"{len(truth)} in truth")  # fmt: skip
    print("contacts per line: {:.2f} at bands, {:.2f} elsewhere".format(*cuts(found, result.lines)))


def inner(ids: np.ndarray, margin: int = 2) -> np.ndarray:
    """Records of the objects that lie within one square and off its border; those that cross one depend on the neighbour."""
    found = measure(runs_of(np.ascontiguousarray(ids, np.int32)))
    kept = np.ones(len(found), bool)
    for low, high in (("top", "bottom"), ("left", "right")):
        kept &= (found[low] % FIELD >= margin) & ((found[high] - 1) % FIELD < FIELD - margin)
        kept &= found[low] // FIELD == (found[high] - 1) // FIELD
    return found[kept]


def timed(name: str, work: Callable[[], object], pixels: int) -> None:
    best = min(_seconds(work) for _ in range(3))
    print(f"{name:45} {1e3 * best:8.1f} ms {1e9 * best / pixels:7.2f} ns per pixel")


def _seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def measure_runs(side: int) -> None:
    ids, number = np.zeros((1200, side), np.int32), 0
    rng = np.random.default_rng(0)
    for y in range(15, len(ids) - 15, 28):
        for x in range(15, side - 15, 28):
            number += 1
            cv2.circle(ids, (x + int(rng.integers(-2, 3)), y), int(rng.integers(7, 12)), number, -1)
    table = np.concatenate([[0], 1 + rng.permutation(number)]).astype(np.int32)
    flat = ids.ravel()
    found = runs_of(ids)
    print(f"{number} objects, {len(found.ids)} runs, {ids.size / 1e6:.1f} megapixels")
    timed("runs", lambda: runs_of(ids), ids.size)
    timed("areas, sums, boxes from runs", lambda: measure(found), ids.size)
    timed("areas from pixels (numpy.bincount)", lambda: np.bincount(flat, minlength=number + 1), ids.size)
    timed("first pixels and inverse (numpy.unique)",
          lambda: np.unique(flat, return_index=True, return_inverse=True), ids.size)  # fmt: skip
    timed("renumber: table.take(ids)", lambda: table.take(ids), ids.size)
    timed("renumber: table[ids]", lambda: table[ids], ids.size)
    timed("connected components (cv2, with statistics)",
          lambda: cv2.connectedComponentsWithStats((ids > 0).astype(np.uint8)), ids.size)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["perfect", "model", "runs"])
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("model", type=Path, nargs="?")
    parser.add_argument("--side", type=int, default=6000)
    parser.add_argument("--decoder", choices=sorted(set(DECODERS) & set(HEADS)), default="watershed")
    given = parser.parse_args()
    if given.what == "runs":
        measure_runs(given.side)
    elif given.what == "perfect" and given.folder:
        measure_perfect(given.folder, given.side, given.decoder)
    elif given.folder and given.model:
        measure_model(given.folder, given.model, given.side)
    else:
        parser.error("a folder is needed, and a model for `model`")


if __name__ == "__main__":
    main()
