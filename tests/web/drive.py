"""What tests do with the page in the browser."""

import io
import time

import numpy as np
import PIL.Image

COLORS = ((0, 0, 0), (230, 57, 20), (20, 120, 230))  # background, cell, vessel: as the stub draws them
INSIDE_CELL, INSIDE_VESSEL, BESIDE = (20, 20), (40, 60), (5, 60)  # rows and columns of `picture`


def picture(height=60, width=84):
    """``(H, W, 3)`` uint8 without symmetry: gray, a red block, a green one."""
    image = np.full((height, width, 3), (90, 90, 100), np.uint8)
    image[10:30, 8:40] = (220, 40, 30)
    image[35:50, 50:80] = (30, 200, 60)
    return image


def encoded(image, kind="PNG"):
    stream = io.BytesIO()
    PIL.Image.fromarray(image).save(stream, format=kind)
    return stream.getvalue()


def upload(name="slide.png", data=None, kind="image/png"):
    return {"name": name, "mimeType": kind, "buffer": encoded(picture()) if data is None else data}


def choose(tab, *files):
    tab.locator("input[type=file]").set_input_files(list(files))


def until(check, *, seconds=10):
    """Ask again until `check()` is true; the page may not evaluate texts, so playwright's own waiting cannot."""
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, "the page did not come to show what was waited for"
        time.sleep(0.02)


def done(tab, count=1):
    """Wait until so many pictures are done."""
    until(lambda: tab.locator("li.done").count() == count)


def stage_pixel(tab, y, x, height=60, width=84):
    """RGBA that the canvas shows at the centre of a pixel of the picture, after the next frame is drawn."""
    return tab.evaluate(
        """async ([y, x, height, width]) => {
            await new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)));
            const canvas = document.querySelector("canvas.stage");
            const scale = Math.min(canvas.width / width, canvas.height / height, 8);
            const left = (canvas.width - width * scale) / 2 + (x + 0.5) * scale;
            const top = (canvas.height - height * scale) / 2 + (y + 0.5) * scale;
            return [...canvas.getContext("2d").getImageData(Math.round(left), Math.round(top), 1, 1).data];
        }""",
        [y, x, height, width],
    )


def mixed(image, labels_color, opacity):
    return [round(base + (color - base) * opacity) for base, color in zip(image, labels_color, strict=True)] + [255]


def shows(tab, at, expected):
    """The canvas comes to show a colour at a pixel of the picture."""
    until(lambda: np.abs(np.subtract(stage_pixel(tab, *at), expected)).max() <= 2)


def ready(tab):
    """Picture and overlay are on the canvas."""
    done(tab)
    shows(tab, INSIDE_CELL, mixed((220, 40, 30), COLORS[1], 0.5))
