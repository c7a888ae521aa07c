"""Settings under which the whole way from a folder to a report takes seconds: a test-sized encoder without weights."""

import json

import numpy as np

from tests.make_data import gray, labels, picture, save

SETTINGS = {
    "split.val_share": 0.15,
    "split.test_share": 0.2,
    "encoder.name": "test_efficientnet", "encoder.pretrained": False, "model.decoder_widths": [8, 8, 8],
    "data.patch_hw": [32, 32], "sampling.batch": 4, "sampling.patches_per_image": 1, "schedule.budget": "none",
    "schedule.epochs": 20, "schedule.validations": 2, "schedule.warmup_steps": 1, "optimizer.ema": 0.5,
    "optimizer.learning_rate": 0.02, "inference.threshold": 0.4, "optimizer.precision": "float32",
}  # fmt: skip


def words(**settings):
    """The settings as ``--set`` arguments; double underscores in names stand for dots."""
    changed = SETTINGS | {key.replace("__", "."): value for key, value in settings.items()}
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in changed.items()}
    return [part for key, text in texts.items() for part in ("--set", f"{key}={text}")]


def make_data(root, count=12, classes=2, size_hw=(40, 56), channels=3):
    """A folder of `count` pairs whose classes are brighter than the background, so that a few steps learn something."""
    for i in range(count):
        ids = labels(i, size_hw, classes)
        bright = picture(i, size_hw, channels).astype(int) + 60 * ids[..., None]
        save(root / f"images/p.{i:02d}.png", np.clip(bright, 0, 255).astype(np.uint8))
        save(root / f"masks/p.{i:02d}.png", gray(ids))
    return root
