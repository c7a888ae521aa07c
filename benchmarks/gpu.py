"""System A's network on a GPU: training images a second at 256 x 256 and the share of the matrix-product peak of the same run.

    python -m benchmarks.gpu                     prints JSON; needs CUDA
    python -m benchmarks.gpu --compile --batch 32 64

And two trainings, to be run on the same machine:

    limner train DATA/tongue_bmp --budget 2m --out runs/tongue
    limner train DATA/camvid_small --budget 4m --out runs/camvid
"""

from __future__ import annotations

import argparse
import json
import statistics

import torch

from limner.api.network import model_arguments
from limner.core.named_recipes import named_recipe
from limner.losses import compound_loss
from limner.models import build, cost
from limner.training.optimize import make_optimizer

SIDE, WARM, STEPS = 256, 10, 30


def timed(call, repeats: int) -> float:
    """Median seconds of a call on the device, by events."""
    seconds = []
    for _ in range(repeats):
        first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        first.record()
        call()
        last.record()
        torch.cuda.synchronize()
        seconds.append(first.elapsed_time(last) / 1e3)
    return statistics.median(seconds)


def matmul_peak() -> float:
    """FLOP/s of a bfloat16 product of 8192 x 8192."""
    a, b = (torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    for _ in range(WARM):
        a @ b
    return 2 * 8192**3 / timed(lambda: a @ b, STEPS)


def training_rate(batch: int, compiled: bool) -> float:
    """Images per second of whole steps of system A."""
    recipe = named_recipe("brain-tumour-unet")
    network = build(recipe.model.architecture, model_arguments(recipe), channels=3, maps=1)
    network = network.cuda().to(memory_format=torch.channels_last).train()
    optimizer = make_optimizer(network, recipe.optimizer, pretrained=False)
    model = torch.compile(network) if compiled else network
    x = torch.rand(batch, 3, SIDE, SIDE, device="cuda").contiguous(memory_format=torch.channels_last)
    y = torch.randint(0, 2, (batch, SIDE, SIDE), device="cuda")
    valid = torch.ones_like(y, dtype=torch.bool)

    def step() -> None:
        with torch.autocast("cuda", torch.bfloat16):
            logits = model(x)
        loss = compound_loss(logits, y, valid, recipe.loss)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    for _ in range(WARM):
        step()
    return batch / timed(step, STEPS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", nargs="+", type=int, default=[16, 64])
    parser.add_argument("--compile", action="store_true")
    arguments = parser.parse_args()
    torch.backends.cudnn.benchmark = True
    recipe = named_recipe("brain-tumour-unet")
    network = build(recipe.model.architecture, model_arguments(recipe), channels=3, maps=1)
    flops = 6e9 * cost.gmacs(network, 3, (SIDE, SIDE))
    peak = matmul_peak()
    found = {"gpu": torch.cuda.get_device_name(0), "matmul_tflops": round(peak / 1e12, 1), "rates": []}
    for batch in arguments.batch:
        for compiled in (False, True) if arguments.compile else (False,):
            rate = training_rate(batch, compiled)
            share = round(rate * flops / peak, 3)
            found["rates"].append(
                {"batch": batch, "compiled": compiled, "images_per_s": round(rate, 1), "share_of_peak": share}
            )
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
