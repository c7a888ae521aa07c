"""Write the lock files: exact versions with hashes of every file, for all systems and Python versions at once.

    python -m tools.lock              resolve anew, with the newest versions that pyproject.toml admits
    python -m tools.lock --keep       keep what is locked, resolve only what has changed in pyproject.toml

An installation from a lock file takes nothing but the files named there:

    pip install --require-hashes -r requirements/server.txt && pip install --no-deps limner-*.whl

Needs uv (`pip install uv`). Files carry no address of a package index, so that a mirror can be used.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "requirements"
EVERYTHING = "all"  # every extra, development included; the other files hold the same versions
INSTALLS = {"core": (), "server": ("server",), "train": ("train",)}
BUILD = "build"  # from build.in: what makes the wheel
OLDEST_PYTHON = "3.11"


def command(name: str, extras: tuple[str, ...]) -> list[str]:
    """The call of uv that writes ``requirements/<name>.txt``."""
    choice = ["--all-extras"] if name == EVERYTHING else [f"--extra={extra}" for extra in extras]
    same = [] if name == EVERYTHING else ["--constraint", f"requirements/{EVERYTHING}.txt"]
    source = f"requirements/{BUILD}.in" if name == BUILD else "pyproject.toml"
    fixed = [
        "--universal",
        "--python-version",
        OLDEST_PYTHON,
        "--generate-hashes",
        "--no-emit-index-url",
        "--no-header",
    ]
    start = [sys.executable, "-m", "uv", "pip", "compile", "-q", source]
    return [*start, *choice, *same, *fixed, "-o", f"requirements/{name}.txt"]


def main() -> None:
    """Write all lock files; the one with everything comes first."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--keep", action="store_true", help="keep the versions that are locked")
    keep = parser.parse_args().keep
    FOLDER.mkdir(exist_ok=True)
    for name, extras in {EVERYTHING: (), **INSTALLS, BUILD: ()}.items():
        subprocess.run(command(name, extras) + ([] if keep else ["--upgrade"]), cwd=ROOT, check=True)


if __name__ == "__main__":
    main()
