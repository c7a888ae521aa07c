"""Time and memory of a training step of the default network: the figures that `limner.planning.memory` plans with.

python benchmarks/step_cost.py
"""

from __future__ import annotations

import resource
import statistics
import time

import torch

from limner.core.recipe_parts import LossPart, OptimizerPart
from limner.losses import compound_loss
from limner.models import build
from limner.runtimes.allocator import keep_freed_memory
from limner.runtimes.precision import use_bfloat16
from limner.training.optimize import make_optimizer

BATCH, SIDE, STEPS = 8, 256, 9


def main() -> None:
    keep_freed_memory()
    network = build("unet", {}, channels=3, maps=1).to(memory_format=torch.channels_last).train()
    optimizer = make_optimizer(network, OptimizerPart(), pretrained=True)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    x = torch.randn(BATCH, 3, SIDE, SIDE).contiguous(memory_format=torch.channels_last)
    y = torch.randint(0, 2, (BATCH, SIDE, SIDE))
    times = []
    for _ in range(STEPS):
        start = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=use_bfloat16("auto")):
            logits = network(x)
        loss = compound_loss(logits, y, torch.ones_like(y, dtype=torch.bool), LossPart())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        times.append(time.perf_counter() - start)
    pixels, cores = BATCH * SIDE * SIDE, torch.get_num_threads()
    seconds = statistics.median(times[2:])
    memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    print(f"{seconds:.3f} s a step; {pixels / seconds / cores:,.0f} pixels per core and second on {cores} cores")
    print(f"{memory / pixels:,.0f} bytes of memory per pixel of a batch")


if __name__ == "__main__":
    main()
