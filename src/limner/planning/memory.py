"""How much memory and time a training step takes, in round figures that are checked by a benchmark."""

from __future__ import annotations

from dataclasses import dataclass

# Measured with `benchmarks/step_cost.py` on two AVX-512-BF16 cores: U-Net on EfficientNet-Lite0, decoder 128..16.
BYTES_PER_PIXEL = 1600
PIXELS_PER_CORE_SECOND = 450_000  # with bfloat16 instructions
PIXELS_PER_CORE_SECOND_FLOAT32 = 220_000
PIXELS_PER_GPU_SECOND = 60_000_000
MEMORY_SHARE = 0.4  # of what the machine has


@dataclass(frozen=True)
class Machine:
    """What the planner may count on.

    Parameters
    ----------
    cores : usable processor cores.
    memory : bytes of main memory, or of the GPU when there is one.
    gpu : whether there is one.
    bfloat16 : whether the processor computes in bfloat16 fast.
    """

    cores: int
    memory: int
    gpu: bool
    bfloat16: bool

    @property
    def pixels_per_second(self) -> float:
        """Patch pixels that a training run gets through in a second, roughly."""
        if self.gpu:
            return PIXELS_PER_GPU_SECOND
        return self.cores * (PIXELS_PER_CORE_SECOND if self.bfloat16 else PIXELS_PER_CORE_SECOND_FLOAT32)

    @property
    def largest_step(self) -> int:
        """Patch pixels of the largest batch that fits."""
        return int(self.memory * MEMORY_SHARE / BYTES_PER_PIXEL)
