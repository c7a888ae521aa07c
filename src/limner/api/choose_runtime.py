"""Which runtime computes a bundle's network: the one that was asked for, or the fastest of those that work here.

The fastest is measured once per machine and bundle and remembered in the user's cache folder.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from limner.api.extras import install_line, missing
from limner.api.machine import usable_cores
from limner.core.bundle import WEIGHTS, Bundle
from limner.core.choices import nearest
from limner.core.command_line import command_line
from limner.core.errors import BundleError, MachineError, OutputError, UsageError
from limner.core.files import sha256, write_json
from limner.core.protocols import Predictor

RUNTIMES = ("auto", "torch", "onnx", "openvino", "onnx-int8", "openvino-int8")
PACKAGES = ("torch", "onnxruntime", "openvino")
MEASURED_SIDE = 512  # largest side of the tile that is measured, in working pixels
MEASURED_RUNS = 3

Loader = Callable[[], Predictor]


def open_predictor(bundle: Bundle, runtime: str) -> Predictor:
    """The bundle's network in a runtime, ready to compute.

    Parameters
    ----------
    bundle : of a network.
    runtime : one of `RUNTIMES`; ``auto`` is the fastest that works.

    Raises
    ------
    UsageError : an unknown name.
    BundleError : the bundle has no such export.
    MachineError : the runtime is not installed; for ``auto``: none that could open the bundle is.
    """
    check_runtime(runtime)
    loaders = _loaders(bundle)
    if runtime != "auto":
        if runtime not in loaders:
            _refuse(bundle, runtime)
        return loaders[runtime]()
    if not loaders:
        _refuse_all(bundle)
    return loaders[next(iter(loaders)) if len(loaders) == 1 else _fastest(bundle, loaders)]()


def runtime_for_all(bundles: Sequence[Bundle]) -> str:
    """One runtime that opens each of several bundles of one network, so that none of them is computed otherwise than the others.

    Returns
    -------
    The fastest for the first of those that open all.

    Raises
    ------
    BundleError, MachineError : there is none.
    """
    offers = [_loaders(bundle) for bundle in bundles]
    for bundle, offer in zip(bundles, offers, strict=True):
        if not offer:
            _refuse_all(bundle)
    common = {name: load for name, load in offers[0].items() if all(name in offer for offer in offers)}
    if not common:
        folders = " and ".join(bundle.folder.parent.name for bundle in bundles)
        raise BundleError(
            f"no runtime opens each of {folders}", expected="the same exports in all folds", where=str(bundles[0].folder.parent),
            fix="export the whole run again: limner export RUN --to onnx",
        )  # fmt: skip
    return next(iter(common)) if len(common) == 1 else _fastest(bundles[0], common)


def check_runtime(runtime: str) -> None:
    """Refuse a name that is none of `RUNTIMES`, before anything is opened.

    Raises
    ------
    UsageError : it is another.
    """
    if runtime not in RUNTIMES:
        raise UsageError(
            f"unknown runtime '{runtime}'", expected=f"one of {', '.join(RUNTIMES)}", fix=nearest(runtime, RUNTIMES)
        )


def _loaders(bundle: Bundle) -> dict[str, Loader]:
    """What can open the bundle here, by name."""
    found: dict[str, Loader] = {}
    if not missing("train") and (bundle.folder / WEIGHTS).is_file():
        found["torch"] = lambda: _load_torch(bundle)
    for name in ("onnx", "onnx-int8"):
        if name in bundle.exports:
            found[name] = lambda name=name: _load_onnx(bundle, name)  # type: ignore[misc]
    if not missing("openvino"):
        for name in ("openvino", "openvino-int8"):
            if _openvino_export(bundle, name):
                found[name] = lambda name=name: _load_openvino(bundle, name)  # type: ignore[misc]
    return found


def _openvino_export(bundle: Bundle, name: str) -> str | None:
    """The export that OpenVINO opens under a name: its own; for float32 also the ONNX file, which it reads as well.

    Not so in INT8: OpenVINO misreads what ONNX Runtime's quantiser writes (`docs/decisions/0013-exports.md`).
    """
    names = (name, "onnx") if name == "openvino" else (name,)
    return next((key for key in names if key in bundle.exports), None)


def _load_torch(bundle: Bundle) -> Predictor:
    import torch

    from limner.runtimes import pytorch
    from limner.runtimes.allocator import keep_freed_memory
    from limner.runtimes.precision import use_bfloat16

    keep_freed_memory()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return pytorch.load(bundle, bfloat16=use_bfloat16(str(bundle.training.get("precision", "auto"))), device=device)


def _load_onnx(bundle: Bundle, name: str) -> Predictor:
    from limner.runtimes import onnx

    return onnx.load(bundle.folder / bundle.exports[name]["files"][0], threads=usable_cores(), name=name)


def _load_openvino(bundle: Bundle, name: str) -> Predictor:
    from limner.runtimes import openvino

    export = bundle.exports[_openvino_export(bundle, name) or name]
    bfloat16 = bool(export.get("bfloat16", {}).get("passed"))  # judged when the export was made
    bfloat16 = bfloat16 and openvino.has_fast_bfloat16()
    return openvino.load(
        bundle.folder / export["files"][0],
        threads=usable_cores(),
        bfloat16=bfloat16,
        name=f"{name} bfloat16" if bfloat16 else name,
    )


def _refuse(bundle: Bundle, runtime: str) -> None:
    """Say what the bundle or the machine lacks for a runtime."""
    package = runtime.partition("-")[0]
    extra = {"torch": "train", "openvino": "openvino"}.get(package)
    if extra and missing(extra):
        raise MachineError(
            f"the runtime {package} is not installed", expected=", ".join(missing(extra)), fix=install_line(extra)
        )
    export = ["limner", "export", bundle.folder, "--to", package, *(["--int8"] if runtime.endswith("int8") else [])]
    raise BundleError(
        f"the bundle holds nothing that {runtime} opens",
        expected=WEIGHTS if runtime == "torch" else f"an export for {package}",
        where=str(bundle.folder),
        fix=command_line(*export) if runtime != "torch" else "copy the bundle again",
    )


def _refuse_all(bundle: Bundle) -> None:
    raise MachineError(
        "PyTorch is not installed, and the bundle holds no export that runs without it",
        expected="model.onnx in the bundle, or the training extra",
        where=str(bundle.folder),
        fix=f"where PyTorch is: limner export MODEL --to onnx; or here: {install_line('train')}",
    )


def _fastest(bundle: Bundle, loaders: dict[str, Loader]) -> str:
    """The remembered choice, or the result of a measurement, which is remembered."""
    file, key = cache_file(), _key(bundle, loaders)
    known = _remembered(file)
    if known.get(key, {}).get("runtime") in loaders:
        return str(known[key]["runtime"])
    seconds = {name: _measure(bundle, load) for name, load in loaders.items()}
    working = {name: value for name, value in seconds.items() if value is not None}
    if not working:
        return next(iter(loaders))  # opening it says what is wrong
    choice = min(working, key=lambda name: working[name])
    known[key] = {
        "runtime": choice,
        "ms": {name: round(1000 * value, 2) for name, value in working.items()},
        "bundle": bundle.folder.name,
    }
    with suppress(MachineError, OutputError, OSError):  # a read-only home: it is measured again next time
        write_json(file, known)
    return choice


def _measure(bundle: Bundle, load: Loader) -> float | None:
    """Median seconds for one tile; None where the runtime cannot open or compute the network."""
    contract = bundle.contract
    side = round(contract.tile * contract.scale) if contract.tile else MEASURED_SIDE
    height, width = contract.resize_hw if any(contract.resize_hw) else (side, side)
    shape = (1, int(bundle.arguments["channels"]), min(height, MEASURED_SIDE), min(width, MEASURED_SIDE))
    batch = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
    try:
        predictor = load()
        predictor(batch)
        seconds = []
        for _ in range(MEASURED_RUNS):
            start = time.perf_counter()
            predictor(batch)
            seconds.append(time.perf_counter() - start)
    except (BundleError, RuntimeError, MemoryError):
        return None
    return float(np.median(seconds))


def cache_file() -> Path:
    """Where choices are remembered; the folder need not exist."""
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "limner" / "runtimes.json"


def _remembered(file: Path) -> dict[str, Any]:
    """What the file holds; nothing when it is missing, damaged or of another shape."""
    with suppress(OSError, ValueError):
        found = json.loads(file.read_text(encoding="utf-8"))
        if isinstance(found, dict) and all(isinstance(value, dict) for value in found.values()):
            return found
    return {}


def _key(bundle: Bundle, loaders: dict[str, Loader]) -> str:
    """Changes with the bundle, the machine, the runtimes' versions and what can be chosen from."""
    facts = [sha256(bundle.folder / "bundle.json"), platform.node(), platform.machine(), str(usable_cores())]
    for package in PACKAGES:
        try:
            facts.append(version(package))
        except PackageNotFoundError:
            facts.append("")
    return hashlib.sha256("\n".join([*facts, *loaders]).encode()).hexdigest()[:24]
