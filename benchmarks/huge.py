"""Huge pictures: memory and time of `limner predict` by size, and how far tiles disagree with the picture in one piece.

python -m benchmarks.huge size RUN FOLDER [SIDE ...]      mosaics of the pictures in FOLDER, as LZW-compressed TIFF
python -m benchmarks.huge tiles RUN FOLDER [--seeds 3]    the same in memory, 900 x 900
python -m benchmarks.huge memory RUN                      bytes per working pixel of the network
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import tifffile

from limner.api.open import open_segmenter
from limner.core.sample import Sample
from limner.data.images import SUFFIXES, read_image
from limner.data.preprocess import match_channels
from limner.inference.segmenter import NetworkSegmenter
from limner.inference.tiles import make_axis

FIELD = 256
NEAR = 16  # native pixels beside the border of a tile


def fields(folder: Path) -> list[np.ndarray]:
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)[:32]
    images = [match_channels(read_image(path)[..., :3], 3) for path in paths]
    return [cv2.resize(image, (FIELD, FIELD)) for image in images]


def mosaic(parts: list[np.ndarray], side: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    count = -(-side // FIELD)
    rows = [np.hstack([parts[i] for i in rng.integers(0, len(parts), count)]) for _ in range(count)]
    return np.vstack(rows)[:side, :side]


def measure_size(run: Path, folder: Path, sides: list[int]) -> None:
    """Each in a process of its own, whose peak the system remembers."""
    parts = fields(folder)
    print("side | s | s per megapixel | peak MiB | picture MiB")
    for side in sides:
        with tempfile.TemporaryDirectory() as root:
            path = Path(root) / "big.tif"
            tifffile.imwrite(path, mosaic(parts, side), photometric="rgb", compression="lzw")
            words = [sys.executable, "-m", "limner", "predict", str(run), str(path), "--out", f"{root}/out"]
            code = f"import json, resource, subprocess; subprocess.run({words!r}, check=True); " + (
                "print(json.dumps(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))"
            )
            start = time.perf_counter()
            done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
            seconds = time.perf_counter() - start
        peak = json.loads(done.stdout.splitlines()[-1]) / 1024
        print(
            f"{side} | {seconds:.0f} | {1e6 * seconds / side**2:.3f} | {peak:.0f} | {3 * side**2 / 2**20:.0f}",
            flush=True,
        )


def near_borders(segmenter: NetworkSegmenter, side: int, tile: int) -> np.ndarray:
    """Native pixels within `NEAR` of a border between tiles."""
    scale = segmenter.contract.scale
    near = np.zeros((side, side), bool)
    for axis, letter in enumerate("yx"):
        windows = make_axis(
            round(side * scale), round(tile * scale), overlap=segmenter.contract.overlap,
            mirrored=letter in segmenter.contract.flips,
        ).spans  # fmt: skip
        for border in {edge for window in windows for edge in (window.start, window.stop)} - {0, round(side * scale)}:
            place = round(border / scale)
            near[(slice(None),) * axis + (slice(max(0, place - NEAR), place + NEAR),)] = True
    return near


def measure_tiles(run: Path, folder: Path, seeds: int, side: int = 900) -> None:
    network, bundle = open_segmenter(run)
    network = getattr(network, "inner", network)
    pictures = [mosaic(fields(folder), side, seed) for seed in range(seeds)]
    whole = [network.segment(Sample("a", picture)).labels for picture in pictures]
    print("tile | differ from one piece, % | near borders, % | elsewhere, %")
    for tile in (192, 256, 384, 512):
        tiled = dataclasses.replace(network, contract=dataclasses.replace(bundle.contract, tile=tile))
        near = near_borders(tiled, side, tile)
        wrong = [tiled.segment(Sample("a", one)).labels != other for one, other in zip(pictures, whole, strict=True)]
        shares = [100 * np.mean([part.mean() for part in parts]) for parts in (
            wrong, [part[near] for part in wrong], [part[~near] for part in wrong]
        )]  # fmt: skip
        print(f"{tile} | " + " | ".join(f"{share:.3f}" for share in shares), flush=True)


def measure_memory(run: Path, side: int = 1024) -> None:
    network, _ = open_segmenter(run)
    predictor = getattr(network, "inner", network).predictor
    channels = getattr(network, "inner", network).network_channels
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    predictor(np.zeros((1, channels, side, side), np.float32))
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    print(f"{grown / side**2:.0f} bytes per working pixel; {before / 1024:.0f} MiB before the first picture")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["size", "tiles", "memory"])
    parser.add_argument("run", type=Path)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("sides", type=int, nargs="*", default=[4000, 16000])
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    if given.what == "size":
        measure_size(given.run, given.folder, given.sides)
    elif given.what == "tiles":
        measure_tiles(given.run, given.folder, given.seeds)
    else:
        measure_memory(given.run)


if __name__ == "__main__":
    main()
