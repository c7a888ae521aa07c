"""Seeded, tiny, asymmetric data sets in every layout and encoding; run as a script to look at them.

python -m tests.make_data FOLDER
"""

import csv
import sys
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

SIZE = (40, 56)
SMALL = (5, 7)


def picture(seed, size_hw=SIZE, channels=3, dtype="uint8"):
    """A noisy picture with a ramp, ``(H, W, C)``; never the same for two seeds and different in every corner."""
    rng = np.random.default_rng(seed)
    h, w = size_hw
    yy, xx = np.mgrid[:h, :w]
    top = {"uint8": 255, "uint16": 65535}[dtype]
    ramp = (0.2 + 0.3 * yy / h + 0.2 * xx / w)[..., None] * np.linspace(0.6, 1.0, channels)
    return ((ramp + 0.2 * rng.random((h, w, channels))) * top).astype(dtype)


def labels(seed, size_hw=SIZE, classes=2):
    """Class ids with one rectangle per class, nowhere symmetric: ``(H, W)`` uint8."""
    rng = np.random.default_rng(1000 + seed)
    h, w = size_hw
    out = np.zeros(size_hw, "uint8")
    for k in range(1, classes):
        y, x = int(rng.integers(0, h // 2)), int(rng.integers(0, w // 2))
        out[y : y + max(1, h // 4 + k), x : x + max(2, w // 3 + k)] = k
    out[-1, -2:] = classes - 1  # every class but the first is there
    return out


def gray(ids):
    return Image.fromarray(ids.astype("uint8"))


def palette(ids, colors=((0, 0, 0), (220, 20, 60), (0, 128, 255), (250, 250, 10))):
    out = Image.fromarray(ids.astype("uint8"), "L")
    out.putpalette([c for color in colors for c in color] + [0] * (768 - 3 * len(colors)))
    return out


def rgb(ids, colors=((0, 0, 0), (0, 200, 80), (200, 0, 80))):
    return Image.fromarray(np.array(colors, "uint8")[ids])


def rgba(ids):
    white = np.full((*ids.shape, 3), 255, "uint8")
    return Image.fromarray(np.dstack([white, (ids > 0).astype("uint8") * 255]))


def soft(ids):
    h, w = ids.shape
    return gray(ids * 255).resize((w // 2, h // 2), Image.Resampling.BILINEAR).resize((w, h), Image.Resampling.BILINEAR)


ENCODINGS = {  # name: ids to a picture; all mean the same two classes
    "0_1": gray,
    "0_255": lambda ids: gray(ids * 255),
    "0_7": lambda ids: gray(ids * 7),
    "1_bit": lambda ids: gray(ids * 255).convert("1"),
    "16_bit": lambda ids: Image.fromarray(ids.astype("uint16") * 65535),
    "palette": palette,
    "rgb_gray": lambda ids: gray(ids * 255).convert("RGB"),
    "colours": rgb,
    "alpha": rgba,
}

LAYOUTS = {  # name: stem and number to image path and mask path
    "folders": lambda stem, i: (f"images/{stem}.png", f"masks/{stem}.png"),
    "labels": lambda stem, i: (f"img/{stem}.png", f"labels/{stem}.png"),
    "annotations": lambda stem, i: (f"Images/{stem}.png", f"annotations/{stem}_seg.png"),
    "deep": lambda stem, i: (f"images/a{i % 2}/{stem}.png", f"masks/a{i % 2}/{stem}-mask.png"),
    "inner": lambda stem, i: (f"case{i}/images/{stem}.png", f"case{i}/masks/{stem}.png"),
    "beside": lambda stem, i: (f"{stem}.png", f"{stem}_mask.png"),
    "parts": lambda stem, i: tuple(f"{('train', 'valid', 'test')[i % 3]}/{k}/{stem}.png" for k in ("images", "masks")),
    "parts_inside": lambda stem, i: tuple(f"{k}/{('train', 'val')[i % 2]}/{stem}.png" for k in ("images", "masks")),
}


def save(path, image):
    """Write an array or a Pillow picture by its suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(image, np.ndarray) and path.suffix in (".tif", ".tiff"):
        tifffile.imwrite(path, image)
        return path
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image[..., 0] if image.ndim == 3 and image.shape[2] == 1 else image)
    image.save(path)
    return path


def make_folder(root, *, count=6, layout="folders", encode=gray, classes=2, size_hw=SIZE, channels=3, stem="p.{:02d}"):
    """Write `count` pairs and return the true ids by stem."""
    truth = {}
    for i in range(count):
        name = stem.format(i)
        truth[name] = labels(i, size_hw, classes)
        image_path, mask_path = LAYOUTS[layout](name, i)
        save(root / image_path, picture(i, size_hw, channels))
        save(root / mask_path, encode(truth[name]))
    return truth


def write_csv(path, rows, header=("image", "mask", "split", "group")):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])


if __name__ == "__main__":
    target = Path(sys.argv[1])
    for one in LAYOUTS:
        make_folder(target / "layouts" / one, layout=one)
    for one, encode in ENCODINGS.items():
        make_folder(target / "encodings" / one, encode=encode)
