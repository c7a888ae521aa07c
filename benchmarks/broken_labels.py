"""Train on a data set and on broken copies of it, each for the same time with the same seed; judge all on the same clean pictures.

    python -m benchmarks.broken_labels DATA [--budget 60s] [--seed 0] [--copies clean soft ...]

DATA has ``splits.csv`` and two-class masks. Its first 16 pictures are the training data, made 160 x 120; the others, clean, are the
judges. Prints the mean test Dice of each copy and its distance from the clean one; exit 1 when a distance exceeds 0.01.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

SIZE_WH = (160, 120)
TRAINING = 16
TOLERANCE = 0.01


def gray(mask, index=0):
    return Image.fromarray(mask.astype("uint8"))


def palette(mask, index=0):
    picture = Image.fromarray(mask, "P")
    picture.putpalette([0, 0, 0, 220, 20, 60] + [0] * 762)
    return picture


def rgb(mask, index=0):
    return Image.fromarray(mask[..., None] * np.array([0, 200, 80], "uint8"))


def rgba(mask, index=0):
    return Image.fromarray(np.dstack([np.full((*mask.shape, 3), 255, "uint8"), mask * 255]))


def soft(mask, index=0):
    height, width = mask.shape
    small = gray(mask * 255).resize((width // 2, height // 2), Image.BILINEAR)
    return small.resize((width, height), Image.BILINEAR)


def in_folders(stem, index):
    return f"images/{stem}.png", f"masks/{stem}.png"


@dataclass(frozen=True)
class Copy:
    """How masks are written, and where picture and mask go."""

    encode: Callable[..., Image.Image] = gray
    places: Callable[[str, int], tuple[str, str]] = in_folders


COPIES = {
    "clean": Copy(),
    "values_0_255": Copy(lambda mask, index: gray(mask * 255)),
    "mixed_scales": Copy(lambda mask, index: gray(mask * (255 if index % 2 else 1))),
    "one_bit": Copy(lambda mask, index: gray(mask * 255).convert("1")),
    "sixteen_bit": Copy(lambda mask, index: Image.fromarray(mask.astype("uint16") * 65535)),
    "palette": Copy(palette),
    "rgb_colours": Copy(rgb),
    "rgba_alpha": Copy(rgba),
    "soft_edges": Copy(soft),
    "suffix": Copy(lambda mask, index: gray(mask * 255), lambda stem, index: (f"images/{stem}.png", f"masks/{stem}_mask.png")),
    "beside": Copy(gray, lambda stem, index: (f"{stem}.png", f"{stem}_mask.png")),
    "split_folders": Copy(
        lambda mask, index: gray(mask * 255),
        lambda stem, index: tuple(f"{'valid' if index % 4 == 3 else 'train'}/{kind}/{stem}.png" for kind in ("images", "masks")),
    ),
}  # fmt: skip


def write(folder: Path, source: Path, rows: list[dict[str, str]], copy: Copy) -> None:
    """The pictures of `rows` below `folder`, their masks broken as `copy` says."""
    for index, row in enumerate(rows):
        image = Image.open(source / row["image"]).convert("RGB").resize(SIZE_WH)
        values = (np.array(Image.open(source / row["mask"])) > 0).astype("uint8")
        mask = np.array(Image.fromarray(values).resize(SIZE_WH, Image.NEAREST))
        for picture, place in zip(
            (image, copy.encode(mask, index)), copy.places(Path(row["image"]).stem, index), strict=True
        ):
            (folder / place).parent.mkdir(parents=True, exist_ok=True)
            picture.save(folder / place)


def limner(*words: object) -> dict[str, object]:
    """The JSON document of a call."""
    done = subprocess.run([sys.executable, "-m", "limner", *map(str, words), "--json"], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--budget", default="60s")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--copies", nargs="+", default=list(COPIES), choices=COPIES)
    arguments = parser.parse_args()
    with (arguments.data / "splits.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write(root / "judges", arguments.data, rows[TRAINING:], COPIES["clean"])
        for name in dict.fromkeys(["clean", *arguments.copies]):
            write(root / name, arguments.data, rows[:TRAINING], COPIES[name])
            run = root / f"run_{name}"
            trained = limner("train", root / name, "--budget", arguments.budget, "--seed", arguments.seed, "--out", run)
            judged = limner("evaluate", run / "model", root / "judges", "--split", "all", "--metrics", "overlap")
            found[name] = judged["scores"]["dice"]["foreground"]["mean"]
            away = found[name] - found["clean"]
            print(f"{name:16} dice {found[name]:.4f}  {away:+.4f}  ({trained['steps']} steps)", flush=True)
    return int(max(abs(value - found["clean"]) for value in found.values()) > TOLERANCE)


if __name__ == "__main__":
    sys.exit(main())
