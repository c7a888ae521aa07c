"""Write `docs/benchmarks.md` from `benchmarks/results/`: what was measured, wins and losses alike.

python -m benchmarks.page
"""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.accuracy import stored, table

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "benchmarks.md"
RESULTS = ROOT / "benchmarks" / "results"
SPEED, GPU, PROFILE = (RESULTS / name for name in ("speed.json", "gpu.json", "profile.json"))
OBJECTS = RESULTS / "objects.json"
WAYS = (
    "`nuclei_dsb2018`, test split, four minutes on two cores for each training, pooled over the pictures. auto: `limner train` "
    "as it is. semantic: a mask, its connected areas. watershed: that mask, cut by scikit-image's watershed. cellpose_decoder: the "
    "flows of auto through Cellpose's own decoder. cellpose: Cellpose 3 from random weights in its own settings, which gets "
    "through six epochs in this time and finds next to nothing; it is made for hundreds of epochs, or for weights to start from."
)
RUNTIMES, LABELS, SERVE = (RESULTS / name for name in ("runtimes.json", "runtime_labels.json", "serve.json"))
NETWORKS = {
    "main": "U-Net, EfficientNet-Lite0, 512 x 512",
    "A": "A, 256 x 256",
    "B": "B, 256 x 256",
    "C": "C, 256 x 256",
    "E": "E, 512 x 512",
}
NAMES = {"A": "A brain tumours", "B": "B spleen", "C": "C workshop", "D": "D pets"}

HEAD = """# Benchmarks

Written by `make bench` from `benchmarks/results/`; every figure there was measured by a script in `benchmarks/`, and
the scripts say how. Machines are shared, so ratios of one run count, not absolute figures.
"""


def speed() -> list[str]:
    if not SPEED.is_file():
        return ["Not measured yet: `python -m benchmarks.speed --json benchmarks/results/speed.json`."]
    found = json.loads(SPEED.read_text(encoding="utf-8"))
    lines = [
        f"{found['cores']} cores ({found['processor']}), matrix-product peak of the same run {found['peak_gflops']} GFLOP/s. "
        "Medians; the ratio is the median of the ratios of pairs.",
        "",
        "| system | training, images/s | Keras/TensorFlow | ratio | one picture, ms | Keras/TensorFlow | ratio | share of peak | "
        "training ratio at the peak |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for key, name in NAMES.items():
        if key in found:
            r = found[key]
            share = r["gflops_training"] / found["peak_gflops"]
            lines.append(
                f"| {name} | {r['limner_training']} | {r['keras_training']} | {r['training_ratio']} | {r['limner_prediction']} | "
                f"{r['keras_prediction']} | {r['prediction_ratio']} | {share:.0%} | {r['training_ratio'] / share:.2f} |"
            )
    lines += [
        "",
        "The last column is the ratio that steps would have if they ran at the matrix-product peak throughout: what convolution "
        "as it is defined allows on this processor.",
    ]
    if "E" in found:
        r = found["E"]
        lines += [
            "",
            f"E, tongues, 512 x 512: {r['seconds']} s a picture; its publication reports {r['listed'][0]} to {r['listed'][1]} s "
            f"on its own machine (ratio {r['ratio']} to the shorter).",
        ]
    return lines


def accuracy() -> list[str]:
    return [
        "Mean Dice of the foreground on the test pictures at native size after four minutes of training on two cores; ± half the "
        "range over seeds; in brackets the number of seeds. `smp` is a plain loop with the library segmentation_models_pytorch "
        "(`benchmarks/smp_loop.py`) with the same pre-trained encoder as `auto`; `keras` is system C's pipeline in Keras on "
        "TensorFlow: BCE, Adam, no augmentation (`benchmarks/keras_loop.py`).",
        "",
        table(stored(), "4m"),
    ]


def runtimes() -> list[str]:
    """One picture in every runtime, and whether the labels agree."""
    if not RUNTIMES.is_file():
        return ["Not measured yet: `python -m benchmarks.runtimes --json benchmarks/results/runtimes.json`."]
    found = json.loads(RUNTIMES.read_text(encoding="utf-8"))
    names = list(dict.fromkeys(name for key in NETWORKS if key in found for name in found[key]))
    lines = [
        f"{found['cores']} cores ({found['processor']}), one picture through networks with random weights; milliseconds "
        "(times as fast as plain torch in float32; times as fast as `model.predict` of the Keras build). Medians of rounds in "
        "one run.",
        "",
        "| | " + " | ".join(names) + " |",
        "|---" * (len(names) + 1) + "|",
    ]
    for key, title in NETWORKS.items():
        if key not in found:
            continue
        cells = []
        for name in names:
            r = found[key].get(name)
            keras = f"; {r['times_keras']}" if r and "times_keras" in r else ""
            cells.append(f"{r['ms']} ({r['times_plain']}{keras})" if r else "")
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    return lines


def labels() -> list[str]:
    """Label agreement and Dice of trained networks in each runtime."""
    if not LABELS.is_file():
        return [
            "Not measured yet: `python -m benchmarks.runtimes --labels RUN DATA --json benchmarks/results/runtime_labels.json`."
        ]
    found = json.loads(LABELS.read_text(encoding="utf-8"))
    sets = [key for key in found if key not in ("processor", "cores")]
    lines = [
        "Share of the pixels of all test pictures whose label differs from plain float32 torch, and mean test Dice:",
        "",
        "| runtime | " + " | ".join(sets) + " |",
        "|---" * (len(sets) + 1) + "|",
    ]
    for name in found[sets[0]]:
        cells = [f"{found[one][name]['differs']:.3%}, {found[one][name]['dice']:.4f}" for one in sets]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines


def served() -> list[str]:
    """What a server did under load."""
    found = json.loads(SERVE.read_text(encoding="utf-8"))
    many, burst, end = found["endurance"], found["burst"], found["ending"]
    return [
        f"- 200 requests at once at queue 8: {burst['statuses']}.",
        f"- Many requests on 8 connections: {many['statuses']}, {many['requests_per_second']} a second, p50 {many['p50_ms']} ms, "
        f"p99 {many['p99_ms']} ms; memory of the server {many['memory_mib'][0][1]} to {many['memory_mib'][-1][1]} MiB.",
        f"- TERM under load: {end['statuses']}, exit code {end['exit_code']} after {end['seconds_to_end']} s; "
        f"{end['lost']} connections that the server had not yet accepted were reset by the kernel.",
    ]


def objects() -> list[str]:
    """Ways to objects, trained as long on the same pictures."""
    if not OBJECTS.exists():
        return ["Not measured yet: `python -m benchmarks.object_rivals DATA OUT --minutes 4`."]
    rows = json.loads(OBJECTS.read_text(encoding="utf-8"))
    names = [name for name in next(iter(rows.values())) if name != "seconds"]
    lines = ["| way | " + " | ".join(f"`{name}`" for name in names) + " |", "|---" * (len(names) + 1) + "|"]
    for way, row in rows.items():
        cells = ["" if row[name] is None else f"{row[name]:.3f}".rstrip("0").rstrip(".") for name in names]
        lines.append(f"| {way} | " + " | ".join(cells) + " |")
    return [*lines, "", WAYS]


def block(path: Path, how: str) -> list[str]:
    if not path.is_file():
        return [f"Not measured yet: {how}."]
    return ["```json", path.read_text(encoding="utf-8").strip(), "```"]


def main() -> None:
    parts = [HEAD, "## Speed on a CPU", "", *speed(), "", "## Accuracy", "", *accuracy(), ""]
    parts += ["## Objects", "", *objects(), ""]
    parts += ["## Where time goes", ""]
    parts += block(PROFILE, "`python -m benchmarks.profile_step --json benchmarks/results/profile.json`")
    parts += ["", "## Prediction in every runtime", "", *runtimes(), "", *labels(), "", "## The server under load", ""]
    how = "`python -m benchmarks.serve RUN PICTURES --requests 10000 --out benchmarks/results/serve.json`"
    parts += served() if SERVE.is_file() else block(SERVE, how)
    parts += [
        "",
        "## On a GPU",
        "",
        *block(GPU, "`python -m benchmarks.gpu > benchmarks/results/gpu.json`, on a machine with CUDA"),
    ]
    PAGE.write_text("\n".join(parts) + "\n", encoding="utf-8")
    print(f"written: {PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
