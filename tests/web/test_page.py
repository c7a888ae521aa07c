"""The page with pictures: what is shown, changed, saved."""

import io
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from tests.web.drive import (
    BESIDE,
    COLORS,
    INSIDE_CELL,
    INSIDE_VESSEL,
    choose,
    done,
    encoded,
    mixed,
    picture,
    ready,
    shows,
    upload,
)  # fmt: skip


def test_a_dropped_picture_is_shown_with_its_overlay(tab, stub):
    data = list(encoded(picture()))
    tab.evaluate(
        """(data) => {
            const dropped = new DataTransfer();
            dropped.items.add(new File([new Uint8Array(data)], "slide.png", { type: "image/png" }));
            window.dispatchEvent(new DragEvent("drop", { dataTransfer: dropped, cancelable: true, bubbles: true }));
        }""",
        data,
    )
    ready(tab)
    shows(tab, INSIDE_VESSEL, mixed((30, 200, 60), COLORS[2], 0.5))
    shows(tab, BESIDE, [90, 90, 100, 255])
    output, query, headers, name = stub.asked[0]
    assert (output, query, name) == ("json", {"output": "json"}, "slide.png")
    assert headers["x-limner"] == "1" and headers["origin"] == stub.address


def test_table_model_confidence_warnings(tab, stub):
    stub.warnings = ("the picture is much darker than those of training",)
    choose(tab, upload())
    done(tab)
    lines = [line.locator("th, td").all_inner_texts() for line in tab.locator("tbody tr").all()]
    rows = [[cell.strip() for cell in line] for line in lines]
    assert [row[0] for row in rows] == ["background", "cell", "vessel"]
    assert [row[1].replace("\u202f", "") for row in rows] == ["3950", "640", "450"]
    assert [row[2] for row in rows] == ["78.4 %", "12.7 %", "8.93 %"]
    assert [row[3] for row in rows] == ["", "160", "113"]
    assert tab.locator("thead th").last.inner_text() == "Area, µm²"
    swatches = tab.locator(".swatch").evaluate_all("all => all.map((one) => getComputedStyle(one).backgroundColor)")
    assert swatches == [f"rgb{color}" for color in COLORS]
    assert "nuclei" in tab.locator("header").inner_text() and "0123456789ab" in tab.locator("header").inner_text()
    assert "87.5 %" in tab.locator("dl").inner_text()
    assert stub.warnings[0] in tab.locator(".warnings").inner_text()
    said = tab.locator("[aria-live=polite]").inner_text()
    assert said.startswith("slide.png is done: background 78.4 %, cell 12.7 %") and said.endswith("One warning.")


def test_opacity_by_keyboard(tab):
    choose(tab, upload())
    ready(tab)
    slider = tab.get_by_label("Opacity of the overlay")
    slider.focus()
    for _ in range(6):
        tab.keyboard.press("ArrowRight")
    shows(tab, INSIDE_CELL, mixed((220, 40, 30), COLORS[1], 0.8))
    tab.keyboard.press("Home")
    shows(tab, INSIDE_CELL, [220, 40, 30, 255])
    tab.keyboard.press("End")
    shows(tab, INSIDE_CELL, [*COLORS[1], 255])
    assert slider.get_attribute("aria-valuetext") == "100 %"


def test_classes_are_switched_by_keyboard(tab):
    choose(tab, upload())
    ready(tab)
    box = tab.get_by_label("Show cell")
    assert box.is_checked() and not tab.get_by_label("Show background").is_checked()
    box.focus()
    tab.keyboard.press("Space")
    shows(tab, INSIDE_CELL, [220, 40, 30, 255])
    shows(tab, INSIDE_VESSEL, mixed((30, 200, 60), COLORS[2], 0.5))
    tab.get_by_label("Show background").press("Space")
    shows(tab, BESIDE, mixed((90, 90, 100), COLORS[0], 0.5))
    box.press("Space")
    shows(tab, INSIDE_CELL, mixed((220, 40, 30), COLORS[1], 0.5))


def test_zoom_and_pan_by_keyboard_wheel_and_pointer(tab):
    choose(tab, upload())
    ready(tab)
    stage = tab.locator("canvas.stage")

    def share_of_red():
        return tab.evaluate(
            """async () => { await new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)));
            const c = document.querySelector("canvas.stage");
            const d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
            let red = 0; for (let i = 0; i < d.length; i += 4) if (d[i] > d[i + 1] + 100) red++; return red * 4 / d.length; }"""
        )

    fitted = share_of_red()
    stage.press("-")
    assert share_of_red() == pytest.approx(fitted * 0.64, rel=0.05)
    stage.press("0")
    assert share_of_red() == pytest.approx(fitted, rel=0.01)
    stage.press("1")  # 20 x 32 pixels of the picture, one screen pixel each
    box = stage.bounding_box()
    assert share_of_red() * box["width"] * box["height"] == pytest.approx(640, rel=0.06)
    tab.get_by_role("button", name="Fit").click()
    for _ in range(40):
        stage.press("Shift+ArrowRight")  # to the right: the picture leaves to the left, but not altogether
    assert share_of_red() == 0
    stage.dblclick()
    assert share_of_red() == pytest.approx(fitted, rel=0.01)
    tab.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    tab.mouse.wheel(0, 150)
    assert share_of_red() < fitted * 0.8
    tab.mouse.wheel(0, -150)
    assert share_of_red() == pytest.approx(fitted, rel=0.01)
    tab.mouse.down()
    tab.mouse.move(box["x"] - 3000, box["y"])
    tab.mouse.up()
    assert share_of_red() == 0


def test_the_pixel_below_the_pointer_is_named(tab):
    choose(tab, upload())
    ready(tab)
    box = tab.locator("canvas.stage").bounding_box()
    scale = min(box["width"] / 84, box["height"] / 60, 8)
    x = box["x"] + (box["width"] - 84 * scale) / 2 + 60.5 * scale
    y = box["y"] + (box["height"] - 60 * scale) / 2 + 40.5 * scale
    tab.mouse.move(x, y)
    assert tab.locator(".pixel").inner_text().strip() == "60, 40: vessel"


def test_the_download_is_the_mask_of_the_server(tab, stub):
    choose(tab, upload("a b.jpg", encoded(picture(), "JPEG"), "image/jpeg"))
    done(tab)
    with tab.expect_download() as caught:
        tab.get_by_role("button", name="Download mask").click()
    assert caught.value.suggested_filename == "a b.png"
    assert Path(caught.value.path()).read_bytes() == stub.masks[0]


def test_all_masks_are_downloaded_each_as_a_file(tab, stub):
    images = [picture(), picture()[::-1], picture()[:, :61]]
    names = ["one.png", "two.png", "one.bmp"]
    choose(tab, *[upload(name, encoded(image), "image/png") for name, image in zip(names, images, strict=True)])
    done(tab, 3)
    found = []
    tab.on("download", lambda one: found.append(one))
    tab.get_by_role("button", name="Download all masks").click()
    tab.wait_for_timeout(900)
    assert [one.suggested_filename for one in found] == ["one.png.png", "two.png", "one.bmp.png"]
    for one, image in zip(found, images, strict=True):
        with PIL.Image.open(one.path()) as mask:
            assert mask.size == image.shape[1::-1]


def test_a_tiff_is_drawn_by_the_server_and_the_overlay_stays_ours(tab, stub):
    choose(tab, upload("slide.tif", encoded(picture(), "TIFF"), "image/tiff"))
    ready(tab)
    tab.get_by_text("This browser cannot show this kind of picture").wait_for()
    tab.get_by_label("Show cell").press("Space")
    shows(tab, INSIDE_CELL, [220, 40, 30, 255])
    assert [output for output, *_ in stub.asked] == ["json", "overlay_png"]


def test_a_png_of_16_bits_is_drawn_by_the_server(tab, stub):
    stream = io.BytesIO()
    PIL.Image.fromarray(np.arange(35, dtype=np.uint16).reshape(5, 7)).save(stream, format="PNG")
    choose(tab, upload("deep.png", stream.getvalue()))
    done(tab)
    tab.get_by_text("the server drew it").wait_for()
    assert [output for output, *_ in stub.asked] == ["json", "overlay_png"]


def test_a_photograph_is_shown_upright(tab, stub):
    stream = io.BytesIO()
    exif = PIL.Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by a quarter
    PIL.Image.fromarray(np.rot90(picture())).save(stream, format="PNG", exif=exif)
    choose(tab, upload("turned.png", stream.getvalue()))
    ready(tab)  # at the places of the upright picture
    shows(tab, BESIDE, [90, 90, 100, 255])


def test_options_go_along_and_all_is_predicted_again(tab, stub):
    choose(tab, upload())
    done(tab)
    tab.get_by_text("Options").click()
    tab.get_by_label("Threshold").fill("0.35")
    tab.get_by_label("Smallest region").fill("12")
    tab.get_by_label("Average over flips").check()
    with tab.expect_response("**/v1/predict*"):
        tab.get_by_role("button", name="Predict all again").click()
    done(tab)
    assert stub.asked[-1][1] == {"output": "json", "threshold": "0.35", "min_area": "12", "tta": "true"}


def test_two_models_can_be_chosen_from(visit, stub):
    stub.models = ("nuclei", "tongue")
    tab = visit(stub.address)
    tab.get_by_text("Options").click()
    tab.get_by_role("combobox", name="Model").select_option("tongue")
    assert "tongue" in tab.locator("header").inner_text()
    choose(tab, upload())
    done(tab)
    assert stub.asked[0][1]["model"] == "tongue"


def test_pictures_are_walked_through_and_removed_by_keyboard(tab, stub):
    choose(tab, upload("a.png"), upload("b.png", encoded(picture()[:, ::-1])), upload("c.png"))
    done(tab, 3)
    tab.get_by_role("button", name="a.png", exact=False).first.focus()
    tab.keyboard.press("ArrowDown")
    assert tab.locator("[aria-current=true] .name").inner_text() == "b.png"
    tab.keyboard.press("ArrowDown")
    tab.keyboard.press("ArrowDown")
    assert tab.locator("[aria-current=true] .name").inner_text() == "c.png"
    tab.get_by_role("button", name="Remove: c.png").press("Enter")
    assert tab.locator("[aria-current=true] .name").inner_text() == "b.png"
    tab.get_by_role("button", name="Remove all").press("Enter")
    assert tab.locator("li").count() == 0 and tab.locator("tbody").count() == 0
