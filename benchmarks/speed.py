"""Training and prediction of systems A to D: Limner beside a Keras/TensorFlow build of the same network, in one run.

    python -m benchmarks.speed                      needs: pip install tensorflow
    python -m benchmarks.speed --systems C B --rounds 5
    python -m benchmarks.speed --json OUT.json

Training: 256 x 256, batch 8 (A: 4), the published loss and optimizer, whole steps. Prediction: one 256 x 256 picture,
`model.predict` in Keras, a `Predictor` here. Each measurement is a process of its own; rounds alternate between the two
and medians are compared, since the machine may be shared. E is timed at 512 x 512 and stands beside the 60 to 74 s that its
publication reports for one picture.

The limit: a network of M multiply-accumulates costs 2 M floating-point operations forward and three times that forward and
backward; the share of the processor's peak is measured against a large bfloat16 matrix product in the same run.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

SIDE, WARM = 256, 3
SYSTEMS = {
    "A": ("brain-tumour-unet", 3, 4, 4),  # recipe, channels, batch, timed steps
    "B": ("spleen-unet", 1, 8, 6),
    "C": ("workshop-unet", 3, 8, 8),
    "D": ("pets-unet", 3, 8, 8),
}
LISTED_SECONDS = (60, 74)  # system E, one picture, as published


def limner_network(recipe_name: str, channels: int):
    """The recipe, the network as `limner train` prepares it, and whether it computes in bfloat16."""
    import torch

    from limner.api.network import model_arguments
    from limner.core.named_recipes import named_recipe
    from limner.models import build
    from limner.runtimes.allocator import keep_freed_memory
    from limner.runtimes.precision import use_bfloat16

    keep_freed_memory()
    recipe = named_recipe(recipe_name)
    network = build(recipe.model.architecture, model_arguments(recipe), channels=channels, maps=1)
    return recipe, network.to(memory_format=torch.channels_last), use_bfloat16("auto")


def limner_training(system: str) -> float:
    """Images per second of whole steps: forward, loss, backward, optimizer."""
    import numpy as np
    import torch

    from limner.losses import compound_loss
    from limner.training.optimize import make_optimizer

    name, channels, batch, steps = SYSTEMS[system]
    recipe, network, bfloat16 = limner_network(name, channels)
    optimizer = make_optimizer(network.train(), recipe.optimizer, pretrained=False)
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.random((batch, channels, SIDE, SIDE), np.float32))
    x = x.contiguous(memory_format=torch.channels_last)
    y = torch.from_numpy(rng.integers(0, 2, (batch, SIDE, SIDE)))
    valid = torch.ones_like(y, dtype=torch.bool)
    for step in range(WARM + steps):
        if step == WARM:
            start = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            logits = network(x)
        loss = compound_loss(logits, y, valid, recipe.loss)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        float(loss.detach())
    return steps * batch / (time.perf_counter() - start)


def limner_prediction(system: str, side: int = SIDE, repeats: int = 9) -> float:
    """Milliseconds for one picture, median."""
    import numpy as np

    from limner.runtimes.pytorch import ready

    name, channels = ("tongue-deeplabv3plus", 3) if system == "E" else SYSTEMS[system][:2]
    _, network, bfloat16 = limner_network(name, channels)
    predictor = ready(network, bfloat16=bfloat16)
    x = np.random.default_rng(0).random((1, channels, side, side), np.float32)
    return median_ms(lambda: predictor(x), repeats)


def keras_model(system: str):
    """The Keras build on TensorFlow, compiled with the published loss and optimizer."""
    os.environ.update(KERAS_BACKEND="tensorflow", TF_CPP_MIN_LOG_LEVEL="3")
    import keras
    from tests.runtimes.keras_builds import BUILDS

    def dice_loss(y, p):
        overlap = keras.ops.sum(y * p)
        return 1 - 2 * overlap / (keras.ops.sum(y) + keras.ops.sum(p) + 1e-6)

    make, channels = BUILDS[SYSTEMS[system][0]]
    model = make((SIDE, SIDE), channels)
    optimizer = (
        keras.optimizers.RMSprop(1e-3) if system == "D" else keras.optimizers.Adam(1e-4 if system == "A" else 1e-3)
    )
    model.compile(optimizer=optimizer, loss=dice_loss if system == "A" else "binary_crossentropy")
    return model, channels


def keras_training(system: str) -> float:
    """Images per second of `train_on_batch`."""
    import numpy as np

    model, channels = keras_model(system)
    _, _, batch, steps = SYSTEMS[system]
    rng = np.random.default_rng(0)
    x = rng.random((batch, SIDE, SIDE, channels), np.float32)
    y = rng.integers(0, 2, (batch, SIDE, SIDE, 1)).astype(np.float32)
    for step in range(WARM + steps):
        if step == WARM:
            start = time.perf_counter()
        float(np.asarray(model.train_on_batch(x, y)))
    return steps * batch / (time.perf_counter() - start)


def keras_prediction(system: str) -> float:
    """Milliseconds of `model.predict` for one picture, median."""
    import numpy as np

    model, channels = keras_model(system)
    x = np.random.default_rng(0).random((1, SIDE, SIDE, channels), np.float32)
    return median_ms(lambda: model.predict(x, verbose=0), 9)


def median_ms(call, repeats: int) -> float:
    """Median of `repeats` timed calls after three that are not."""
    times = []
    for _ in range(WARM + repeats):
        start = time.perf_counter()
        call()
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times[WARM:])


def peak_gflops() -> float:
    """Of a bfloat16 (or float32, where that is quicker) matrix product of 2048 x 2048."""
    import torch

    rates = []
    for dtype in (torch.bfloat16, torch.float32):
        a, b = (torch.randn(2048, 2048).to(dtype) for _ in range(2))
        rates.append(2 * 2048**3 / median_ms(lambda a=a, b=b: a @ b, 9) / 1e6)
    return max(rates)


def training_gflop(system: str) -> float:
    """Floating-point operations of one image forward and backward, in 10^9."""
    from limner.api.models import models

    name, channels = SYSTEMS[system][:2]
    return 3 * 2 * models(name, channels=channels)["gmacs"]


MEASURES = {f.__name__: f for f in (limner_training, keras_training, limner_prediction, keras_prediction)}


def in_own_process(measure: str, system: str) -> float:
    """One measurement by itself, so that neither library warms or slows the other."""
    command = [sys.executable, "-m", "benchmarks.speed", "--one", measure, system]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(done.stdout.strip().splitlines()[-1])


def compare(system: str, rounds: int) -> dict[str, object]:
    """Medians and ratios of a system; above 1 Limner is quicker."""
    found: dict[str, list[float]] = {measure: [] for measure in MEASURES}
    for _ in range(rounds):
        for measure, values in found.items():
            values.append(in_own_process(measure, system))
    median = {measure: statistics.median(values) for measure, values in found.items()}
    training = statistics.median(a / b for a, b in zip(found["limner_training"], found["keras_training"], strict=True))
    prediction = statistics.median(
        b / a for a, b in zip(found["limner_prediction"], found["keras_prediction"], strict=True)
    )
    flops = training_gflop(system)
    return {
        **{measure: round(value, 2) for measure, value in median.items()},
        "training_ratio": round(training, 2),
        "prediction_ratio": round(prediction, 2),
        "gflop_per_trained_image": round(flops, 1),
        "gflops_training": round(median["limner_training"] * flops),
        "rounds": {measure: [round(v, 2) for v in values] for measure, values in found.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--systems", nargs="+", choices=[*SYSTEMS, "E"], default=[*SYSTEMS, "E"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--one", nargs=2, metavar=("MEASURE", "SYSTEM"))
    arguments = parser.parse_args()
    if arguments.one:
        measure, system = arguments.one
        print(limner_prediction("E", 512, 3) if system == "E" else MEASURES[measure](system))
        return
    results: dict[str, object] = {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    results["peak_gflops"] = round(peak_gflops())
    for system in arguments.systems:
        if system == "E":
            seconds = in_own_process("limner_prediction", "E") / 1e3
            results["E"] = {
                "seconds": round(seconds, 2),
                "listed": LISTED_SECONDS,
                "ratio": round(LISTED_SECONDS[0] / seconds),
            }
        else:
            results[system] = compare(system, arguments.rounds)
        print(system, json.dumps(results[system]), flush=True)
    print(json.dumps({key: results[key] for key in ("processor", "cores", "peak_gflops")}))
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
