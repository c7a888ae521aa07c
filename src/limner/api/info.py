"""What this machine has, and whether it computes: versions, processor, memory, GPUs, extras."""

from __future__ import annotations

import platform
import time
from pathlib import Path
from typing import Any

import numpy as np

from limner.api.extras import EXTRAS, install_line, missing
from limner.api.machine import main_memory, usable_cores
from limner.api.run_report import versions

INSTRUCTIONS = ("avx2", "avx512_f", "avx512_bf16", "avx512_vnni", "amx_bf16", "amx_int8", "sve", "bf16")


def info() -> dict[str, Any]:
    """Versions, processor with the instructions that matter, memory, GPUs, a small timed computation on each device, extras.

    Returns
    -------
    JSON-ready dict; nothing raises when something is missing, it says so instead.
    """
    found: dict[str, Any] = {
        "versions": versions(),
        "processor": {"name": _processor(), "cores": usable_cores(), "instructions": []},
        "memory_gib": round(main_memory() / 2**30, 1),
        "devices": [_numpy()],
        "extras": {},
    }
    for name in EXTRAS:
        absent = missing(name)
        found["extras"][name] = {"works": not absent, "missing": absent, "install": install_line(name)}
    if found["extras"]["train"]["works"]:
        _torch(found)
    return found


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    if path.is_file():
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _numpy() -> dict[str, Any]:
    a = np.ones((1024, 1024), np.float32)
    a @ a
    start = time.perf_counter()
    for _ in range(5):
        a @ a
    seconds = (time.perf_counter() - start) / 5
    return {
        "device": "cpu (numpy)",
        "computation": "1024 x 1024 float32 product",
        "works": True,
        "gflops": round(2 * 1024**3 / seconds / 1e9, 1),
    }


def _torch(found: dict[str, Any]) -> None:
    """Add torch's view: instructions, GPUs, a convolution on each device in float32 and bfloat16."""
    import torch

    from limner.runtimes.precision import has_fast_bfloat16

    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    found["processor"]["instructions"] = [name for name in INSTRUCTIONS if capabilities.get(name)]
    found["processor"]["fast_bfloat16"] = has_fast_bfloat16()
    found["gpus"] = [
        {
            "name": torch.cuda.get_device_name(i),
            "memory_gib": round(torch.cuda.get_device_properties(i).total_memory / 2**30, 1),
        }
        for i in range(torch.cuda.device_count())
    ]
    devices = ["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
    if torch.backends.mps.is_available():
        devices.append("mps")
    for device in devices:
        for dtype in (torch.float32, torch.bfloat16):
            found["devices"].append(_convolve(device, dtype))


def _convolve(device: str, dtype: Any) -> dict[str, Any]:
    import torch

    row: dict[str, Any] = {
        "device": f"{device} (torch)",
        "computation": f"3x3 convolution, 64 channels, {str(dtype).removeprefix('torch.')}",
    }
    try:
        x = torch.ones(4, 64, 128, 128, device=device, dtype=dtype).contiguous(memory_format=torch.channels_last)
        layer = torch.nn.Conv2d(64, 64, 3, padding=1, bias=False).to(
            device=device, dtype=dtype, memory_format=torch.channels_last
        )  # type: ignore[call-overload]
        with torch.inference_mode():
            layer(x)
            start = time.perf_counter()
            for _ in range(5):
                total = float(layer(x).sum())
            seconds = (time.perf_counter() - start) / 5
    except RuntimeError as error:
        return {**row, "works": False, "error": str(error).splitlines()[0]}
    return {**row, "works": total == total, "gflops": round(2 * 4 * 128 * 128 * 64 * 64 * 9 / seconds / 1e9, 1)}
