"""One run, many ways to its labels: predict, serve and Ray with one runtime; then the runtimes beside each other.

python -m benchmarks.agree RUN PICTURES [--runtime onnx]

The first three must be the same files, byte for byte. Between runtimes the share of pixels with another label is printed.
"""

import argparse
import http.client
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import PIL.Image

from benchmarks.serve import server
from limner.core.bundle import read_bundle
from limner.data.images import SUFFIXES


def predict(run, pictures, out, *options):
    """``limner predict`` in a process of its own."""
    command = [sys.executable, "-m", "limner", "predict", run, pictures, "--out", out, *options]
    subprocess.run([str(part) for part in command], check=True, capture_output=True)


def serve(run, files, out, runtime):
    """Label maps of all files from a server."""
    out.mkdir()
    with server(str(run), "--runtime", runtime) as (_, ready):
        for file in files:
            connection = http.client.HTTPConnection("127.0.0.1", ready["port"], timeout=120)
            connection.request("POST", "/v1/predict?output=mask_png", file.read_bytes(), {"Content-Type": "image/*"})
            answer = connection.getresponse()
            body = answer.read()
            if answer.status != 200:
                raise RuntimeError(f"{file.name}: {answer.status} {body[:200]!r}")
            (out / f"{file.stem}.png").write_bytes(body)


def different(a, b):
    """Share of pixels that differ, over all maps of two folders."""
    wrong = pixels = 0
    for file in sorted(a.glob("*.png")):
        x, y = (np.asarray(PIL.Image.open(folder / file.name)) for folder in (a, b))
        wrong, pixels = wrong + int((x != y).sum()), pixels + x.size
    return wrong / pixels


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--runtime", default="onnx")
    arguments = parser.parse_args()
    run, pictures, runtime = arguments.run, arguments.pictures, arguments.runtime
    files = sorted(path for path in pictures.iterdir() if path.suffix.lower() in SUFFIXES)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        predict(run, pictures, root / "predict", "--runtime", runtime)
        predict(run, pictures, root / "ray", "--runtime", runtime, "--engine", "ray")
        serve(run, files, root / "serve", runtime)
        maps = {name: sorted((root / name).glob("*.png")) for name in ("predict", "ray", "serve")}
        equal = {
            name: sum(a.read_bytes() == b.read_bytes() for a, b in zip(maps["predict"], maps[name], strict=True))
            for name in ("ray", "serve")
        }
        others = [name for name in ("torch", "openvino", *read_bundle(run).exports) if name != runtime]
        shares = {}
        for name in dict.fromkeys(others):
            predict(run, pictures, root / name, "--runtime", name)
            shares[name] = different(root / "predict", root / name)
    print(
        json.dumps(
            {"pictures": len(files), "runtime": runtime, "equal_files": equal, "pixels_that_differ": shares}, indent=2
        )
    )


if __name__ == "__main__":
    main()
