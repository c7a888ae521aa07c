"""Write `docs/benchmarks.md` from `benchmarks/results/`: what was measured, wins and losses alike.

python -m benchmarks.page
"""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.accuracy import stored, table

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "benchmarks.md"
SPEED, GPU, PROFILE = (ROOT / "benchmarks" / "results" / name for name in ("speed.json", "gpu.json", "profile.json"))
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
        "| system | training, images/s | Keras/TensorFlow | ratio | one picture, ms | Keras/TensorFlow | ratio | share of peak |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for key, name in NAMES.items():
        if key in found:
            r = found[key]
            lines.append(
                f"| {name} | {r['limner_training']} | {r['keras_training']} | {r['training_ratio']} | {r['limner_prediction']} | "
                f"{r['keras_prediction']} | {r['prediction_ratio']} | {r['gflops_training'] / found['peak_gflops']:.0%} |"
            )
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
        "(`benchmarks/smp_loop.py`) with the same pre-trained encoder as `auto`. *Keras pipeline*: system C's network, BCE, Adam, "
        "no augmentation, measured once, before.",
        "",
        table(stored(), "4m"),
    ]


def block(path: Path, how: str) -> list[str]:
    if not path.is_file():
        return [f"Not measured yet: {how}."]
    return ["```json", path.read_text(encoding="utf-8").strip(), "```"]


def main() -> None:
    parts = [HEAD, "## Speed on a CPU", "", *speed(), "", "## Accuracy", "", *accuracy(), "", "## Where time goes", ""]
    parts += block(PROFILE, "`python -m benchmarks.profile_step --json benchmarks/results/profile.json`")
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
