"""The page against the real server, started by the command line, behind a token."""

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from tests.web.drive import choose, done, encoded, picture, until


@pytest.fixture(scope="module")
def server(built, tmp_path_factory):
    """``(start link, token)`` of ``limner serve otsu``."""
    said = tmp_path_factory.mktemp("serve") / "stderr.txt"
    command = [sys.executable, "-m", "limner", "serve", "otsu", "--port", "0", "--token", "auto", "--json"]
    with said.open("wb") as errors, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors) as process:
        lines = []
        while not lines or lines[-1] != "}\n":
            line = process.stdout.readline().decode()
            assert line, said.read_text(encoding="utf-8")
            lines.append(line)
        url = json.loads("".join(lines))["url"]
        yield url, lambda: re.findall(r"http://\S+\?token=\S+", said.read_text(encoding="utf-8"))[-1]
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


def test_start_link_picture_mask_equal_to_limner_predict(server, visit, tmp_path):
    url, start_link = server
    image = picture()
    image[22, 20] = 255
    source = tmp_path / "slide.png"
    source.write_bytes(encoded(image))
    command = [sys.executable, "-m", "limner", "predict", "otsu", str(source), "--out", str(tmp_path / "out")]
    subprocess.run(command, check=True, capture_output=True)

    tab = visit(url)
    assert tab.locator("canvas").count() == 0  # nothing without the token
    tab.goto(start_link())
    until(lambda: "otsu" in tab.locator("header").inner_text())
    assert "token" not in tab.url
    choose(tab, {"name": "slide.png", "mimeType": "image/png", "buffer": source.read_bytes()})
    done(tab)
    with tab.expect_download() as caught:
        tab.get_by_role("button", name="Download mask").click()
    assert caught.value.suggested_filename == "slide.png"
    assert Path(caught.value.path()).read_bytes() == (tmp_path / "out" / "slide.png").read_bytes()
    with PIL.Image.open(tmp_path / "out" / "slide.png") as mask:
        counts = np.bincount(np.asarray(mask).ravel(), minlength=2)
    shown = tab.locator("tbody tr td:nth-child(2)").all_inner_texts()
    assert [int(re.sub(r"\D", "", each)) for each in shown] == counts.tolist()

    choose(tab, {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"no picture"})
    tab.locator("li.failed").wait_for()
    assert "does not read files of this kind" in tab.locator("li.failed").inner_text()
    choose(tab, {"name": "cut.png", "mimeType": "image/png", "buffer": source.read_bytes()[:90]})
    until(lambda: tab.locator("li.failed").count() == 2)
    assert "could not be used" in tab.locator("li.failed").last.inner_text()

    tab.get_by_text("Options").click()
    tab.get_by_label("Side of a pixel").fill("0.5")
    choose(tab, {"name": "slide.tif", "mimeType": "image/tiff", "buffer": encoded(image, "TIFF")})
    done(tab, 2)
    tab.get_by_role("button", name="slide.tif").first.click()
    tab.get_by_text("This browser cannot show this kind of picture").wait_for()
    until(lambda: tab.locator("thead th").last.inner_text() == "Area, mm²")
    areas = tab.locator("tbody tr td:last-child").all_inner_texts()
    assert [float(re.sub(r"\s", "", each)) for each in areas] == pytest.approx(counts * 0.25, rel=0.01)

    tab.get_by_role("button", name="Use the camera").click()
    until(lambda: tab.locator(".speed").get_attribute("data-fps") is not None)
    tab.get_by_role("button", name="Stop").click()

    other = visit(url)
    other.goto(start_link())
    assert "this start link was used before" in other.inner_text("body")
    assert other.locator("canvas").count() == 0
