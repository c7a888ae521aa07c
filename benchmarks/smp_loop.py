"""A plain segmentation_models_pytorch loop, as its users write it: U-Net, AdamW, Dice + BCE, 256 x 256.

    python -m benchmarks.smp_loop DATA --budget 4m --seed 0 --out FOLDER

The encoder is EfficientNet-Lite0 with ImageNet weights. Pictures are resized to 256 x 256 and mirrored at random; the best
of the validations (one per epoch, Dice) is kept. Reader, split and scoring are Limner's, so that only the loop differs, and it
gets what a knowledgeable user would give it: channels-last, and bfloat16 autocast where the processor has it. Prints a
document as ``limner train --json`` does.
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from pathlib import Path

import cv2
import numpy as np
import segmentation_models_pytorch as smp
import torch

from limner.api.network import make_network
from limner.core.duration import parse_duration
from limner.core.files import write_json
from limner.core.recipe import Recipe
from limner.core.recipe_parts import SplitPart
from limner.data.dataset import open_dataset
from limner.data.preprocess import match_channels, resize_labels, to_byte_range
from limner.data.splits import make_split
from limner.evaluation.evaluate import Scorer
from limner.runtimes.allocator import keep_freed_memory
from limner.runtimes.precision import use_bfloat16

SIDE, BATCH, RATE = 256, 8, 1e-3
MEAN, STD = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])


def network(label_space) -> torch.nn.Module:
    """smp's U-Net; the encoder gets the same ImageNet weights as Limner's."""
    model = smp.Unet("tu-tf_efficientnet_lite0", encoder_weights=None, in_channels=3, classes=label_space.num_maps)
    limner_unet, _, _ = make_network(Recipe(), label_space)
    source = limner_unet.encoder.backbone.state_dict()
    target = model.encoder.model.state_dict()
    renamed = {key.replace(".conv.weight", ".weight") if key not in target else key: v for key, v in source.items()}
    model.encoder.model.load_state_dict(renamed)
    return model.to(memory_format=torch.channels_last)


def prepare(sample) -> np.ndarray:
    """A picture at 256 x 256, normalised with the means of ImageNet, ``(3, 256, 256)``."""
    largest = float(np.iinfo(sample.image.dtype).max) if sample.image.dtype.kind == "u" else 255.0
    image = to_byte_range(match_channels(sample.image, 3), normalization="fixed", intensity_range=(0.0, largest))
    small = cv2.resize(image.astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return ((small / 255 - MEAN) / STD).transpose(2, 0, 1)


def scores(model, samples, label_space, bfloat16: bool) -> Scorer:
    """Dice at native size: logits are enlarged bilinearly."""
    model.eval()
    scorer = Scorer(label_space)
    for sample in samples:
        x = torch.from_numpy(prepare(sample))[None].contiguous(memory_format=torch.channels_last)
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            logits = model(x).float()
        logits = torch.nn.functional.interpolate(logits, size=sample.size_hw, mode="bilinear")
        maps = torch.sigmoid(logits) if label_space.num_maps == 1 else torch.softmax(logits, 1)
        scorer.add(sample.name, label_space.decode(maps[0].numpy()), sample.labels, sample.valid)
    model.train()
    return scorer


def step(model, optimizer, losses, x, y, *, binary: bool, bfloat16: bool) -> None:
    """One optimizer step on a batch that is mirrored already."""
    with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        logits = model(x.contiguous(memory_format=torch.channels_last))
    truth = (y > 0).float()[:, None] if binary else y
    loss = sum(part(logits.float(), truth) for part in losses)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()


def fit(model, train, val, space, *, budget: float, rng, bfloat16: bool) -> int:
    """Train for so many seconds; the best weights are in the model at the end. Returns the number of steps."""
    images = np.stack([prepare(sample) for sample in train])
    labels = np.stack([resize_labels(sample.labels.astype(np.int64), (SIDE, SIDE)) for sample in train])
    optimizer, binary = torch.optim.AdamW(model.parameters(), RATE), space.num_maps == 1
    entropy = smp.losses.SoftBCEWithLogitsLoss() if binary else torch.nn.CrossEntropyLoss()
    losses = (smp.losses.DiceLoss("binary" if binary else "multiclass"), entropy)
    start, steps, best = time.perf_counter(), 0, (-1.0, copy.deepcopy(model.state_dict()))
    while time.perf_counter() - start < budget:
        order = rng.permutation(len(images))
        for first in range(0, len(order), BATCH):
            chosen = order[first : first + BATCH]
            if len(chosen) < 2 or time.perf_counter() - start >= budget:
                continue  # one picture is too few for batch norm
            x, y = torch.from_numpy(images[chosen]), torch.from_numpy(labels[chosen])
            for axis in (2, 3):
                if rng.random() < 0.5:
                    x, y = x.flip(axis), y.flip(axis - 1)
            step(model, optimizer, losses, x, y, binary=binary, bfloat16=bfloat16)
            steps += 1
        value = scores(model, val, space, bfloat16).macro_dice()
        if value > best[0]:
            best = (value, copy.deepcopy(model.state_dict()))
    model.load_state_dict(best[1])
    return steps


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("--budget", default="4m")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    torch.manual_seed(arguments.seed)
    keep_freed_memory()
    dataset = open_dataset(arguments.data)
    split = make_split(dataset, rule=SplitPart(), seed=arguments.seed)
    train, val, test = ([dataset.load(item) for item in split.part(part)] for part in ("train", "val", "test"))
    model, bfloat16 = network(dataset.label_space), use_bfloat16("auto")
    start, budget = time.perf_counter(), parse_duration(arguments.budget)
    rng = np.random.default_rng(arguments.seed)
    steps = fit(model, train, val, dataset.label_space, budget=budget, rng=rng, bfloat16=bfloat16)
    seconds = time.perf_counter() - start
    report = scores(model, test, dataset.label_space, bfloat16).report(
        model="smp",
        data=arguments.data.name,
        split="test",
        threshold=0.5,
        split_checksum=split.checksum,
        seconds=seconds,
    )
    arguments.out.mkdir(parents=True)
    document = {"seconds": seconds, "steps": steps, "test": report.summary()}
    write_json(arguments.out / "result.json", document)
    print(json.dumps(document))


if __name__ == "__main__":
    main()
