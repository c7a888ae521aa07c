"""Test Dice of the recipes, the planner and a plain library loop: same data, same time, same splits, several seeds.

    python -m benchmarks.accuracy DATA_ROOT                      all that is missing in the results, one run after the other
    python -m benchmarks.accuracy DATA_ROOT --sets tongue_bmp --rows auto workshop-unet --seeds 0 1
    python -m benchmarks.accuracy DATA_ROOT --table              only print the table

Each run is a process of its own. A result is appended to `benchmarks/results/accuracy.jsonl` with the commit and the machine, so
that the table can be filled over several days; runs that are there for the present planner and network are not repeated.
Score: mean test Dice of the foreground at native size, from `limner evaluate` for every row.
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

SETS = ("tongue_bmp", "nuclei_dsb2018", "kudzu_via", "dental_ufba425", "chase_db1", "brain_tumour_via")
RECIPES = ("brain-tumour-unet", "spleen-unet", "workshop-unet", "pets-unet", "tongue-deeplabv3plus")
LOOPS = {"smp": "benchmarks.smp_loop", "keras": "benchmarks.keras_loop"}  # what users write without Limner
ROWS = ("auto", *LOOPS, *RECIPES)
RESULTS = Path(__file__).parent / "results" / "accuracy.jsonl"


def run(data: Path, row: str, seed: int, budget: str) -> dict[str, object]:
    """Train and score one cell of the table."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        module = [LOOPS[row]] if row in LOOPS else ["limner", "train"]
        command = [sys.executable, "-m", *module, data, "--budget", budget, "--seed", seed, "--out", out]
        if row not in LOOPS:
            command += ["--json"] + ([] if row == "auto" else ["--recipe", row])
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode:
        return {"error": (done.stderr.strip() or done.stdout.strip())[-400:]}
    document = json.loads(done.stdout)
    dice = document["test"]["scores"]["dice"]["foreground"]
    return {
        "dice": dice["mean"],
        "pooled": dice["pooled"],
        "n": dice["n"],
        "seconds": document["seconds"],
        "steps": document["steps"],
    }


def commit() -> str:
    """The short hash of what runs, with a plus sign where files differ from it."""
    found = subprocess.run(["git", "describe", "--always", "--dirty=+"], capture_output=True, text=True)
    return found.stdout.strip()


def stored() -> list[dict[str, object]]:
    """All results so far; the latest of a cell counts."""
    if not RESULTS.is_file():
        return []
    return [json.loads(line) for line in RESULTS.read_text(encoding="utf-8").splitlines()]


def cells(
    results: list[dict[str, object]], budget: str
) -> dict[tuple[object, object], dict[object, dict[str, object]]]:
    """``(set, row)`` to seed to the latest result."""
    found: dict[tuple[object, object], dict[object, dict[str, object]]] = {}
    for result in results:
        if result["budget"] == budget:
            found.setdefault((result["set"], result["row"]), {})[result["seed"]] = result
    return found


def table(results: list[dict[str, object]], budget: str) -> str:
    """Markdown: one line a row, one column a set; mean, spread (largest minus smallest) and number of seeds."""
    found = cells(results, budget)
    lines = ["| | " + " | ".join(SETS) + " |", "|---" * (len(SETS) + 1) + "|"]
    for row in ROWS:
        entries = []
        for name in SETS:
            scores = [float(r["dice"]) for r in found.get((name, row), {}).values() if r.get("dice") is not None]
            if not scores:
                entries.append("fails" if (name, row) in found else "not measured")
            else:
                spread = f" ± {(max(scores) - min(scores)) / 2:.3f}" if len(scores) > 1 else ""
                entries.append(f"{statistics.mean(scores):.3f}{spread} ({len(scores)})")
        lines.append(f"| {row} | " + " | ".join(entries) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data_root", type=Path)
    parser.add_argument("--sets", nargs="+", default=SETS, choices=SETS)
    parser.add_argument("--rows", nargs="+", default=ROWS, choices=ROWS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--budget", default="4m")
    parser.add_argument("--again", action="store_true", help="repeat runs that are there")
    parser.add_argument("--table", action="store_true")
    arguments = parser.parse_args()
    for seed in arguments.seeds if not arguments.table else ():
        for row in arguments.rows:
            for name in arguments.sets:
                known = cells(stored(), arguments.budget).get((name, row), {})
                if seed in known and not arguments.again:
                    continue
                result = {"set": name, "row": row, "seed": seed, "budget": arguments.budget}
                result |= run(arguments.data_root / name, row, seed, arguments.budget)
                result |= {"commit": commit(), "machine": f"{platform.machine()}, {os.cpu_count()} cores"}
                RESULTS.parent.mkdir(exist_ok=True)
                with RESULTS.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(result) + "\n")
                print(json.dumps(result), flush=True)
    print(table(stored(), arguments.budget))


if __name__ == "__main__":
    main()
