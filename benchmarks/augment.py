"""Patches per second of each variation on one core, and of a batch that is finished on a GPU where there is one.

python benchmarks/augment.py [--side 256] [--seconds 1.5]

"today's default" is what the default recipe draws; each other line adds one variation at full share to patches that are zoomed
and turned. "crops" is the processor's whole part when patches are finished on a GPU; the device lines are the rest.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import torch

from limner.core.recipe_parts import AugmentationPart
from limner.training import device_intensity
from limner.training.augment import draw
from limner.training.crops import cut
from limner.training.device_warp import warp_crops
from limner.training.intensity import change_intensity
from limner.training.mixing import Piece, draw_windows, lay_down

BATCH, PICTURE_HW = 16, (720, 960)
PLAIN = replace(AugmentationPart(), exact_share=0.0, noise=0.0)
VARIATIONS = {
    "today's default": AugmentationPart(),
    "zoom, turn, intensities": PLAIN,
    "+ noise": replace(PLAIN, noise=0.03),
    "+ blur": replace(PLAIN, blur=1.0),
    "+ perspective": replace(PLAIN, perspective=0.1),
    "+ elastic": replace(PLAIN, elastic=1.0),
    "+ grid": replace(PLAIN, grid=1.0),
    "+ perspective, elastic, grid": replace(PLAIN, perspective=0.1, elastic=1.0, grid=1.0),
    "+ low resolution": replace(PLAIN, low_resolution=1.0),
    "+ jpeg": replace(PLAIN, jpeg=1.0),
    "+ mosaic": replace(PLAIN, mosaic=1.0),
    "+ cutmix": replace(PLAIN, cutmix=1.0),
    "everything, shares of 0.2": replace(
        AugmentationPart(), perspective=0.05, elastic=0.2, grid=0.2, blur=0.2, jpeg=0.2, low_resolution=0.2, mosaic=0.2,
        cutmix=0.2, color=0.1,
    ),
}  # fmt: skip


def make_pieces(
    part: AugmentationPart, number: int, side: int, pictures: list[tuple[np.ndarray, np.ndarray]]
) -> list[Piece]:
    """What the loader draws for one patch."""
    windows = draw_windows(np.random.default_rng([0, number, 1]), part, (side, side))
    pieces = []
    for i, window in enumerate(windows):
        rng = np.random.default_rng([0, number, 2 + i])
        image, labels = pictures[(number + i) % len(pictures)]
        center = (rng.uniform(0, PICTURE_HW[1]), rng.uniform(0, PICTURE_HW[0]))
        variation = draw(rng, part, center_xy=center, size_hw=PICTURE_HW, patch_hw=window.size_hw, channels=3)
        pieces.append(Piece(image, labels, variation, window))
    return pieces


def rate(work: Callable[[int], int], seconds: float, clock: Callable[[], float] = time.process_time) -> float:
    """Units of work per second of the processor, after three warm calls; other programs on the machine hardly count."""
    for number in range(3):
        work(number)
    done, number, start = 0, 3, clock()
    while clock() - start < seconds:
        done += work(number)
        number += 1
    return done / (clock() - start)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--seconds", type=float, default=1.5)
    arguments = parser.parse_args()
    side, gpu = arguments.side, torch.cuda.is_available()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    pictures = []
    for _ in range(8):
        coarse = rng.integers(0, 256, (24, 32, 3), dtype=np.uint8)
        image = cv2.resize(coarse, PICTURE_HW[::-1], interpolation=cv2.INTER_CUBIC)
        pictures.append((image, (image[..., 0] > 127).astype(np.uint8)))
    device = torch.device("cuda" if gpu else "cpu")
    print(f"{'patches a second, one core':30s} {'finished':>9s} {'crops':>9s}" + f" {'GPU':>9s}" * gpu)
    for name, part in VARIATIONS.items():

        def finish(number: int, part: AugmentationPart = part) -> int:
            pieces = make_pieces(part, number, side, pictures)
            image, _ = lay_down(pieces, (side, side))
            change_intensity(pieces[0].variation, image)
            return 1

        def crops(number: int, part: AugmentationPart = part):
            patches = [make_pieces(part, number * BATCH + i, side, pictures) for i in range(BATCH)]
            return cut(patches, (side, side), ignore=255, normalization="fixed")

        def only_cut(number: int, crops=crops) -> int:
            crops(number)
            return BATCH

        prepared = [crops(number) for number in range(8)] if gpu else []

        def on_device(number: int, prepared=prepared) -> int:
            batch = prepared[number % len(prepared)]
            images, _ = warp_crops(batch, device)
            device_intensity.to_network(device_intensity.vary(images, batch), normalization="fixed")
            torch.cuda.synchronize()
            return BATCH

        row = [rate(finish, arguments.seconds), rate(only_cut, arguments.seconds)]
        row += [rate(on_device, arguments.seconds, time.perf_counter)] if gpu else []
        print(f"{name:30s} " + " ".join(f"{value:9.0f}" for value in row))


if __name__ == "__main__":
    main()
