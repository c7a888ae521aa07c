"""Which numbers a processor computes fastest in."""

from __future__ import annotations

import torch


def has_fast_bfloat16() -> bool:
    """Whether autocast to bfloat16 pays: AVX-512-BF16 or AMX on a CPU, native support on a GPU.

    Without such instructions bfloat16 is emulated and slower than float32.
    """
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if not hasattr(torch.cpu, "get_capabilities"):
        return False
    found = torch.cpu.get_capabilities()
    return bool(found.get("avx512_bf16") or found.get("amx_bf16") or found.get("bf16"))


def use_bfloat16(wanted: str) -> bool:
    """The decision for ``auto``, ``float32`` or ``bfloat16``."""
    return has_fast_bfloat16() if wanted == "auto" else wanted == "bfloat16"
