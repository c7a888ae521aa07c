"""Training rate of system C's U-Net (256 x 256, batch 8): Limner's network and loop beside a Keras/TensorFlow build, in one run.

    python benchmarks/train_step.py            needs: pip install tensorflow
    python benchmarks/train_step.py --rounds 7

The limit: `forward_macs` counts one image; forward and backward cost three times that, so a processor of F FLOP/s does at most
F / (6 MACs) images a second. Rounds alternate between the two in separate processes, one after
the other, and medians are compared, since the machine may be shared.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

SIDE, BATCH, WARM, STEPS = 256, 8, 3, 6
WIDTHS, DROPOUT = (16, 32, 64, 128, 256), (0.1, 0.1, 0.2, 0.2, 0.3, 0.2, 0.2, 0.1, 0.1)


def forward_macs() -> float:
    """Multiply-accumulates of one forward pass of one image."""
    total, side, inputs = 0.0, SIDE, 3
    for width in WIDTHS:
        total += side * side * 9 * (inputs * width + width * width)
        inputs, side = width, side // 2
    side *= 2
    for width in WIDTHS[-2::-1]:
        side *= 2
        total += side * side * (2 * width) * width  # transposed: every output pixel reads one input pixel
        total += side * side * 9 * (2 * width * width + width * width)
    return total + SIDE * SIDE * WIDTHS[0]


def limner_rate() -> float:
    """Images per second of Limner's step as `limner train` does it on a CPU: allocator, autocast, channels-last, optimizer."""
    import numpy as np
    import torch
    from lightning_fabric import Fabric

    from limner.core.recipe_parts import OptimizerPart
    from limner.losses import compound_loss
    from limner.models import build
    from limner.runtimes.allocator import keep_freed_memory
    from limner.runtimes.precision import use_bfloat16
    from limner.training.optimize import make_optimizer

    keep_freed_memory()
    fabric = Fabric(accelerator="cpu", devices=1, precision="bf16-mixed" if use_bfloat16("auto") else "32-true")
    raw = build("plain_unet", {}, channels=3, maps=1).to(memory_format=torch.channels_last)
    model, optimizer = fabric.setup(raw, make_optimizer(raw, OptimizerPart(), pretrained=False))
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.random((BATCH, 3, SIDE, SIDE), np.float32)).contiguous(memory_format=torch.channels_last)
    y = torch.from_numpy(rng.integers(0, 2, (BATCH, SIDE, SIDE)))
    valid = torch.ones_like(y, dtype=torch.bool)
    for step in range(WARM + STEPS):
        if step == WARM:
            start = time.perf_counter()
        loss = compound_loss(model(x), y, valid, cross_entropy=1.0, dice=0.0)
        optimizer.zero_grad(set_to_none=True)
        fabric.backward(loss)
        optimizer.step()
        float(loss.detach())
    return STEPS * BATCH / (time.perf_counter() - start)


def keras_rate() -> float:
    """Images per second of the same network in Keras on TensorFlow, compiled by `train_on_batch`."""
    os.environ.update(KERAS_BACKEND="tensorflow", TF_CPP_MIN_LOG_LEVEL="3")
    import keras
    import numpy as np
    from keras import layers

    def level(x, width, rate):
        x = layers.Conv2D(width, 3, activation="relu", kernel_initializer="he_uniform", padding="same")(x)
        x = layers.Dropout(rate)(x)
        return layers.Conv2D(width, 3, activation="relu", kernel_initializer="he_uniform", padding="same")(x)

    inputs = x = keras.Input((SIDE, SIDE, 3))
    skips = []
    for width, rate in zip(WIDTHS[:-1], DROPOUT, strict=False):
        skips.append(level(x, width, rate))
        x = layers.MaxPooling2D()(skips[-1])
    x = level(x, WIDTHS[-1], DROPOUT[4])
    for width, rate, skip in zip(WIDTHS[-2::-1], DROPOUT[5:], reversed(skips), strict=True):
        x = level(layers.concatenate([layers.Conv2DTranspose(width, 2, strides=2)(x), skip]), width, rate)
    model = keras.Model(inputs, layers.Conv2D(1, 1, activation="sigmoid")(x))
    assert model.count_params() == 1_941_105
    model.compile(optimizer=keras.optimizers.Adam(1e-3), loss="binary_crossentropy")
    rng = np.random.default_rng(0)
    x, y = rng.random((BATCH, SIDE, SIDE, 3), np.float32), rng.integers(0, 2, (BATCH, SIDE, SIDE, 1)).astype(np.float32)
    for step in range(WARM + STEPS):
        if step == WARM:
            start = time.perf_counter()
        float(model.train_on_batch(x, y))
    return STEPS * BATCH / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--one", choices=["limner", "keras"])
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps({"limner": limner_rate, "keras": keras_rate}[arguments.one]()))
        return
    rates: dict[str, list[float]] = {"limner": [], "keras": []}
    for _ in range(arguments.rounds):
        for name, found in rates.items():
            out = subprocess.run(
                [sys.executable, __file__, "--one", name], check=True, capture_output=True, text=True
            ).stdout
            found.append(float(out.strip().splitlines()[-1]))
    medians = {name: statistics.median(found) for name, found in rates.items()}
    ratio = medians["limner"] / medians["keras"]
    flops = 3 * 2 * forward_macs()
    print(f"rounds: {json.dumps({name: [round(v, 2) for v in found] for name, found in rates.items()})}")
    print(
        f"limner {medians['limner']:.2f} images/s, keras/tensorflow {medians['keras']:.2f} images/s: ratio {ratio:.2f}"
    )
    print(
        f"one image is {flops / 1e9:.1f} GFLOP forward and backward; limner computes {medians['limner'] * flops / 1e9:.0f} GFLOP/s"
    )


if __name__ == "__main__":
    main()
