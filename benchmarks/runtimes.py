"""One picture in every runtime: plain torch, torch as Limner runs it, ONNX Runtime, OpenVINO, INT8, and Keras beside them.

    python -m benchmarks.runtimes                              needs: pip install tensorflow
    python -m benchmarks.runtimes --systems main C --rounds 5 --json OUT.json
    python -m benchmarks.runtimes --labels RUN DATA [RUN DATA ...]      do the labels agree on the test pictures?

Speed: networks with random weights, one picture, float32 input; each measurement is a process of its own, rounds alternate
between the runtimes, medians of rounds. INT8 networks are calibrated on noise: that decides their numbers, not their speed.

Labels: RUN must hold the exports (`limner export RUN --to onnx`, `--to openvino`, `--int8`). Shares of pixels whose label differs
from plain float32 torch, and test Dice, over all test pictures at native size.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.speed import keras_prediction, limner_network, median_ms

SYSTEMS = {  # name: recipe (None: the planner's default network), channels, side
    "main": (None, 3, 512),
    "A": ("brain-tumour-unet", 3, 256),
    "B": ("spleen-unet", 1, 256),
    "C": ("workshop-unet", 3, 256),
    "E": ("tongue-deeplabv3plus", 3, 512),
}
KERAS = ("A", "B", "C")
PLAIN, RUNTIMES = "torch float32, plain", (
    "torch, tuned", "onnx", "openvino float32", "openvino bfloat16", "onnx-int8", "openvino-int8"
)  # fmt: skip
REPEATS = {"main": 15, "A": 9, "B": 15, "C": 15, "E": 9}


def network(system: str):
    """The network of a system, and whether Limner computes it in bfloat16."""
    import torch

    from limner.models import build
    from limner.runtimes.precision import use_bfloat16

    torch.manual_seed(0)
    recipe, channels, _ = SYSTEMS[system]
    if recipe is None:
        return build("unet", {"encoder": "tf_efficientnet_lite0"}, channels=channels, maps=1).eval(), use_bfloat16(
            "auto"
        )
    _, module, bfloat16 = limner_network(recipe, channels)
    return module.eval(), bfloat16


def write_exports(system: str, folder: Path) -> None:
    """All files of a system that other runtimes open."""
    import numpy as np
    import torch

    from limner.runtimes.export_onnx import export_onnx
    from limner.runtimes.export_openvino import export_openvino
    from limner.runtimes.quantize_onnx import quantize_onnx
    from limner.runtimes.quantize_openvino import quantize_openvino

    _, channels, _ = SYSTEMS[system]
    module, _ = network(system)
    export_onnx(module.to(memory_format=torch.contiguous_format), folder / "model.onnx", channels=channels)
    export_openvino(folder / "model.onnx", folder / "openvino")
    rng = np.random.default_rng(0)
    tiles = [rng.uniform(-1, 1, (1, channels, 128, 128)).astype(np.float32) for _ in range(4)]
    quantize_onnx(folder / "model.onnx", folder / "model.int8.onnx", tiles, keep_edges=False)
    quantize_openvino(folder / "model.onnx", folder / "openvino-int8", tiles, keep_edges=False)


def predictor(runtime: str, system: str, folder: Path):
    """A callable from one batch to logits."""
    from limner.api.machine import usable_cores

    threads = usable_cores()
    if runtime.startswith("torch"):
        import torch

        from limner.runtimes.pytorch import ready

        module, bfloat16 = network(system)
        if runtime != PLAIN:
            return ready(module, bfloat16=bfloat16)
        module = module.to(memory_format=torch.contiguous_format)

        def plain(batch):
            with torch.inference_mode():
                return module(torch.from_numpy(batch)).numpy()

        return plain
    if runtime.startswith("onnx"):
        from limner.runtimes import onnx

        return onnx.load(folder / ("model.int8.onnx" if runtime.endswith("int8") else "model.onnx"), threads=threads)
    from limner.runtimes import openvino

    part = "openvino-int8" if runtime.endswith("int8") else "openvino"
    # what INT8 leaves in floating point is computed in bfloat16, as the loader does where the gate has allowed it
    return openvino.load(folder / part / "model.xml", threads=threads, bfloat16=not runtime.endswith("float32"))


def one(runtime: str, system: str, folder: Path) -> float:
    """Median milliseconds of one picture."""
    import numpy as np

    if runtime == "keras":
        return keras_prediction(system)
    _, channels, side = SYSTEMS[system]
    batch = np.random.default_rng(0).uniform(-1, 1, (1, channels, side, side)).astype(np.float32)
    call = predictor(runtime, system, folder)
    return median_ms(lambda: call(batch), REPEATS[system])


def in_own_process(runtime: str, system: str, folder: Path) -> float:
    """One measurement by itself."""
    command = [sys.executable, "-m", "benchmarks.runtimes", "--one", runtime, system, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr[-800:])
    return float(done.stdout.strip().splitlines()[-1])


def speeds(system: str, rounds: int) -> dict[str, object]:
    """Medians over rounds, and how much faster than plain torch each is, as the median of the rounds' ratios."""
    names = [PLAIN, *RUNTIMES, *(["keras"] if system in KERAS else [])]
    found: dict[str, list[float]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory() as folder:
        write_exports(system, Path(folder))
        for _ in range(rounds):
            for name in names:
                found[name].append(in_own_process(name, system, Path(folder)))
    result: dict[str, object] = {}
    for name in names:
        result[name] = {
            "ms": round(statistics.median(found[name]), 2),
            "times_plain": round(statistics.median(p / v for p, v in zip(found[PLAIN], found[name], strict=True)), 2),
        }
        if system in KERAS:
            ratios = [k / v for k, v in zip(found["keras"], found[name], strict=True)]
            result[name]["times_keras"] = round(statistics.median(ratios), 2)  # type: ignore[index]
    return result


def labels(run: Path, data: Path) -> dict[str, object]:
    """Label agreement with plain float32 torch, and test Dice, of each runtime."""
    import dataclasses

    from limner.api.machine import usable_cores
    from limner.api.open import open_segmenter
    from limner.core.bundle import read_bundle
    from limner.data.dataset import open_dataset
    from limner.data.splits import read_split
    from limner.runtimes import onnx, openvino, pytorch

    bundle, threads = read_bundle(run), usable_cores()
    dataset = open_dataset(data)
    items = read_split(run / "split.csv", dataset).part("test")
    segmenter, _ = open_segmenter(run, runtime="torch")
    makers = {PLAIN: lambda: pytorch.load(bundle, bfloat16=False), "torch, tuned": lambda: segmenter.predictor}
    for name, export in bundle.exports.items():
        file = bundle.folder / export["files"][0]
        if name.startswith("onnx"):
            makers[name] = lambda file=file: onnx.load(file, threads=threads)
        else:
            for bfloat16 in (False, True) if name == "openvino" else (True,):
                key = name + (" bfloat16" if bfloat16 else " float32") * (name == "openvino")
                makers[key] = lambda file=file, b=bfloat16: openvino.load(file, threads=threads, bfloat16=b)
    samples = [dataset.load(item) for item in items]
    answers = {}
    for name, make in makers.items():
        opened = dataclasses.replace(segmenter, predictor=make())
        answers[name] = [opened.segment(sample).labels for sample in samples]
    return {
        name: {
            "differs": sum(int((a != b).sum()) for a, b in zip(found, answers[PLAIN], strict=True))
            / sum(a.size for a in found),
            "dice": statistics.mean(dice(a, s) for a, s in zip(found, samples, strict=True)),
        }
        for name, found in answers.items()
    }


def dice(predicted, sample) -> float:
    """Dice of everything but background, over the pixels whose label is known."""
    valid = slice(None) if sample.valid is None else sample.valid
    a, b = (predicted > 0)[valid], (sample.labels > 0)[valid]
    total = a.sum() + b.sum()
    return float(2 * (a & b).sum() / total) if total else 1.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--systems", nargs="+", choices=list(SYSTEMS), default=list(SYSTEMS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--labels", nargs="+", type=Path, metavar="RUN DATA")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--one", nargs=3, metavar=("RUNTIME", "SYSTEM", "FOLDER"))
    arguments = parser.parse_args()
    if arguments.one:
        runtime, system, folder = arguments.one
        print(one(runtime, system, Path(folder)))
        return
    results: dict[str, object] = {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    if arguments.labels:
        for run, data in zip(arguments.labels[::2], arguments.labels[1::2], strict=True):
            results[data.name] = labels(run, data)
            print(data.name, json.dumps(results[data.name], indent=1), flush=True)
    else:
        for system in arguments.systems:
            results[system] = speeds(system, arguments.rounds)
            print(system, json.dumps(results[system], indent=1), flush=True)
    if arguments.json:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
