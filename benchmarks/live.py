"""Frames per second of the page's live mode: a model behind `limner serve`, a real browser, a camera that it makes up.

python -m benchmarks.live MODEL [--runtime auto] [--seconds 10] [--widths 320 640 1280] [--json OUT.json]

Server and browser share this machine, as they do for somebody who uses the page at home. One request is under way at a time.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run",
]  # fmt: skip


@contextmanager
def serving(model: str, runtime: str) -> Iterator[str]:
    """The address of ``limner serve MODEL``, which ends with the block."""
    command = [sys.executable, "-m", "limner", "serve", model, "--runtime", runtime, "--port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        text, line = "", ""
        while line != "}\n":
            line = process.stdout.readline()
            if not line:
                raise SystemExit(f"limner serve {model} ended before it was ready")
            text += line
        try:
            yield json.loads(text)["url"]
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def measure(tab: Page, *, width: int, seconds: float) -> dict[str, Any]:
    """Frames per second at one width, and where the time of a frame goes, in ms (medians)."""
    tab.get_by_label("Width of the frames").select_option(str(width))
    tab.locator(".speed", has_text=f"{width} x").wait_for()
    tab.evaluate("() => { window.answers = []; }")
    start = time.perf_counter()
    tab.wait_for_timeout(seconds * 1000)
    answers = tab.evaluate("window.answers")
    passed = time.perf_counter() - start
    size = re.search(r"(\d+) x (\d+)", tab.locator(".speed").inner_text())
    assert size is not None
    parts = {
        part: round(1000 * statistics.median(answer[part] for answer in answers), 1)
        for part in ("decode", "predict", "total")
    }
    return {
        "width": int(size[1]), "height": int(size[2]), "frames": len(answers), "frames_per_second": round(len(answers) / passed, 2),
        "server_ms": parts, "frame_ms": round(1000 * passed / max(len(answers), 1), 1),
    }  # fmt: skip


# Keeps the seconds that each answer of the server names.
LISTEN = """() => {
    window.answers = [];
    const read = Response.prototype.json;
    Response.prototype.json = async function () {
        const value = await read.call(this);
        if (value && value.seconds) window.answers.push(value.seconds);
        return value;
    };
}"""


def live(model: str, *, runtime: str, seconds: float, widths: list[int]) -> dict[str, Any]:
    """All widths, one after the other."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with serving(model, runtime) as url, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        tab = browser.new_page(viewport={"width": 1280, "height": 800})
        tab.goto(url)
        name = tab.locator("header strong").inner_text()
        paint = tab.evaluate("performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null")
        served = tab.evaluate("fetch('/v1/models').then((answer) => answer.json())")["models"][0]
        tab.evaluate(LISTEN)
        tab.get_by_role("button", name="Use the camera").click()
        tab.locator(".speed").wait_for(timeout=120_000)
        rows = [measure(tab, width=width, seconds=seconds) for width in widths]
        browser.close()
    return {"model": name, "runtime": served["runtime"], "first_paint_ms": paint and round(paint), "rows": rows}


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--runtime", default="auto")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--widths", type=int, nargs="+", default=[320, 640, 1280])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found = live(options.model, runtime=options.runtime, seconds=options.seconds, widths=options.widths)
    print(json.dumps(found, indent=2))
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
