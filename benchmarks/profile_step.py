"""Where the time of a training step goes, by kind of operation, for system C's network and the default one.

python -m benchmarks.profile_step [--json OUT.json]
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import torch

from limner.api.network import model_arguments
from limner.core.named_recipes import named_recipe
from limner.core.recipe import Recipe
from limner.losses import compound_loss
from limner.models import build
from limner.runtimes.allocator import keep_freed_memory
from limner.runtimes.precision import use_bfloat16
from limner.training.optimize import make_optimizer

BATCH, SIDE, STEPS = 8, 256, 4
KINDS = {
    "convolution": ("convolution",),
    "matrix product": ("mm", "linear", "addmm"),
    "norm": ("batch_norm", "native_norm"),
    "activation and dropout": ("relu", "threshold", "hardtanh", "bitwise", "clamp", "silu", "sigmoid"),
    "copies and joins": ("copy_", "cat", "clone", "contiguous"),
    "pooling and resizing": ("pool", "upsample"),
    "loss": ("binary_cross", "log_softmax", "nll", "sum", "div"),
    "optimizer": ("adam", "optimizer", "_fused"),
}


def shares(recipe: Recipe) -> dict[str, object]:
    """Share of each kind of operation in the self time of all operations, and the seconds of an unobserved step."""
    network = build(recipe.model.architecture, model_arguments(recipe), channels=3, maps=1)
    network = network.to(memory_format=torch.channels_last).train()
    optimizer = make_optimizer(network, recipe.optimizer, pretrained=True)
    x = torch.rand(BATCH, 3, SIDE, SIDE).contiguous(memory_format=torch.channels_last)
    y = torch.randint(0, 2, (BATCH, SIDE, SIDE))
    valid = torch.ones_like(y, dtype=torch.bool)

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=use_bfloat16("auto")):
            logits = network(x)
        loss = compound_loss(logits, y, valid, recipe.loss)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    for _ in range(STEPS):
        start = time.perf_counter()
        step()
        seconds = time.perf_counter() - start
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        step()
    total, found = 0.0, dict.fromkeys((*KINDS, "other"), 0.0)
    for event in profile.key_averages():
        kind = next(
            (kind for kind, words in KINDS.items() if any(word in event.key.lower() for word in words)), "other"
        )
        found[kind] += event.self_cpu_time_total
        total += event.self_cpu_time_total
    return {"seconds_a_step": round(seconds, 3), **{kind: round(value / total, 3) for kind, value in found.items()}}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    keep_freed_memory()
    found = {
        "batch": BATCH,
        "side": SIDE,
        "workshop-unet": shares(named_recipe("workshop-unet")),
        "auto": shares(Recipe()),
    }
    print(json.dumps(found, indent=2))
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
