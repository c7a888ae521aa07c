"""Make result.png: picture, truth, prediction and difference of two test pictures of the demo.

python docs/images/result.py limner-demo/run
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from limner.api.demo import DATA
from limner.api.open import open_segmenter
from limner.data.dataset import open_dataset
from limner.evaluation.pictures import difference, overlay, to_display

NAMES = ("images/0532c64c2fd0c4d3.png", "images/136000dc18fa6def.png")
TITLES = ("picture", "truth", "prediction", "difference")
WIDTH, GAP, HEAD = 164, 6, 24


def main() -> None:
    """Draw the two rows; the columns are those of report.html."""
    segmenter, _ = open_segmenter(Path(sys.argv[1]))
    dataset = open_dataset(DATA)
    rows = []
    for item in dataset.items:
        if item.name in NAMES:
            sample = dataset.load(item)
            labels = segmenter.segment(sample).labels
            image = to_display(sample.image, stretch=bool(np.percentile(sample.image, 99) < 110))  # as report.html does
            panels = (
                image,
                overlay(image, sample.labels, dataset.label_space),
                overlay(image, labels, dataset.label_space),
                difference(image, labels, sample.labels),
            )
            height = round(WIDTH * sample.size_hw[0] / sample.size_hw[1])
            rows.append([Image.fromarray(panel).resize((WIDTH, height), Image.Resampling.LANCZOS) for panel in panels])
    size = (4 * WIDTH + 3 * GAP, HEAD + sum(row[0].height + GAP for row in rows) - GAP)
    sheet = Image.new("RGB", size, "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)
    y = HEAD
    for row in rows:
        for column, panel in enumerate(row):
            sheet.paste(panel, (column * (WIDTH + GAP), y))
        y += row[0].height + GAP
    for column, title in enumerate(TITLES):
        draw.text((column * (WIDTH + GAP) + WIDTH // 2, HEAD // 2), title, "#333333", font, anchor="mm")
    target = Path(__file__).with_name("result.png")
    sheet.save(target, optimize=True)


if __name__ == "__main__":
    main()
