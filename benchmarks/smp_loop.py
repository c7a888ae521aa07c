"""A plain segmentation_models_pytorch loop, as its users write it: U-Net, AdamW, Dice + BCE, 256 x 256.

    python -m benchmarks.smp_loop DATA --budget 4m --seed 0 --out FOLDER

The encoder is EfficientNet-Lite0 with ImageNet weights. Pictures are resized to 256 x 256 and mirrored at random; the best
of the validations (one per epoch, Dice) is kept. Reader, split and scoring are Limner's, so that only the loop differs, and it
gets what a knowledgeable user would give it: channels-last, and bfloat16 autocast where the processor has it. Prints a
document as ``limner train --json`` does.
"""

from __future__ import annotations

import copy
import time

import numpy as np
import segmentation_models_pytorch as smp
import torch

from benchmarks.plain_loop import parsed, run, scored, small_labels, small_picture
from limner.api.network import make_network
from limner.core.recipe import Recipe
from limner.runtimes.allocator import keep_freed_memory
from limner.runtimes.precision import use_bfloat16

BATCH, RATE = 8, 1e-3
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
    return ((small_picture(sample) - MEAN) / STD).transpose(2, 0, 1)


def predictor(model, label_space, bfloat16: bool):
    """The function that answers a picture with maps at native size: logits are enlarged bilinearly."""

    def probabilities(sample) -> np.ndarray:
        x = torch.from_numpy(prepare(sample))[None].contiguous(memory_format=torch.channels_last)
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            logits = model.eval()(x).float()
        logits = torch.nn.functional.interpolate(logits, size=sample.size_hw, mode="bilinear")
        maps = torch.sigmoid(logits) if label_space.num_maps == 1 else torch.softmax(logits, 1)
        return maps[0].numpy()

    return probabilities


def step(model, optimizer, losses, x, y, *, binary: bool, bfloat16: bool) -> None:
    """One optimizer step on a batch that is mirrored already."""
    with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        logits = model(x.contiguous(memory_format=torch.channels_last))
    truth = (y > 0).float()[:, None] if binary else y
    loss = sum(part(logits.float(), truth) for part in losses)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()


def fit(train, val, space, *, budget: float, seed: int):
    """Train for so many seconds; the best weights are in the model at the end. Returns the steps and the predictor."""
    torch.manual_seed(seed)
    keep_freed_memory()
    rng, bfloat16 = np.random.default_rng(seed), use_bfloat16("auto")
    model = network(space)
    probabilities = predictor(model, space, bfloat16)
    images = np.stack([prepare(sample) for sample in train])
    labels = small_labels(train)
    optimizer, binary = torch.optim.AdamW(model.parameters(), RATE), space.num_maps == 1
    entropy = smp.losses.SoftBCEWithLogitsLoss() if binary else torch.nn.CrossEntropyLoss()
    losses = (smp.losses.DiceLoss("binary" if binary else "multiclass"), entropy)
    start, steps, best = time.perf_counter(), 0, (-1.0, copy.deepcopy(model.state_dict()))
    while time.perf_counter() - start < budget:
        model.train()
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
        value = scored(probabilities, val, space).macro_dice()
        if value > best[0]:
            best = (value, copy.deepcopy(model.state_dict()))
    model.load_state_dict(best[1])
    return steps, probabilities


if __name__ == "__main__":
    run("smp", parsed(__doc__), fit)
