"""For everybody: axe-core's rules, names of controls, contrast, three widths, the keyboard alone."""

from pathlib import Path

import pytest

from tests.web.drive import choose, done, encoded, picture, until, upload

AXE = Path(__file__).parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"


def filled(tab, stub):
    stub.refusals = []
    choose(
        tab,
        upload("a.png"),
        upload("b.tif", encoded(picture(), "TIFF"), "image/tiff"),
        upload("c.txt", b"none", "text/plain"),
    )
    done(tab, 2)
    tab.locator("li.failed").wait_for()
    tab.get_by_text("Options").click()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(visit, stub, scheme):
    if not AXE.is_file():
        pytest.skip("axe-core is not installed (cd web && npm ci --ignore-scripts)")
    stub.warnings = ("the picture is darker than those of training",)
    tab = visit(stub.address, color_scheme=scheme, reduced_motion="reduce")
    tab.evaluate(AXE.read_text(encoding="utf-8"))
    for state in ("empty", "filled", "live"):
        if state == "filled":
            filled(tab, stub)
        if state == "live":
            tab.get_by_role("button", name="Use the camera").click()
            tab.locator(".speed").wait_for()
            tab.get_by_role("button", name="Stop").wait_for()
        result = tab.evaluate("axe.run(document, { resultTypes: ['violations'] })")
        found = [
            (rule["id"], rule["impact"], [node["target"] for node in rule["nodes"]]) for rule in result["violations"]
        ]
        assert found == [], (state, found)


@pytest.mark.parametrize(("width", "columns"), [(360, 1), (800, 2), (1400, 3)])
def test_three_widths(visit, stub, width, columns):
    tab = visit(stub.address, viewport={"width": width, "height": 740})
    filled(tab, stub)
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    lefts = tab.locator(".panel").evaluate_all("all => all.map((one) => Math.round(one.getBoundingClientRect().left))")
    assert len(set(lefts)) == columns
    stage = tab.locator("canvas.stage").bounding_box()
    assert stage["width"] > 0.25 * width and stage["height"] >= 280
    for control in tab.locator("button:visible, select:visible, input:visible").all():
        box = control.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= width


def test_dark_mode_follows_the_system(visit, stub):
    lights = []
    for scheme in ("light", "dark"):
        tab = visit(stub.address, color_scheme=scheme)
        color = tab.evaluate("getComputedStyle(document.body).backgroundColor")
        lights.append(sum(int(part) for part in color.strip("rgb()").split(",")))
    assert lights[0] > 650 and lights[1] < 150


def test_everything_is_reached_by_tab_and_shows_it(tab, stub):
    choose(tab, upload("a.png"))
    done(tab)
    tab.locator("tbody tr").first.wait_for()
    tab.evaluate("document.activeElement.blur()")
    seen, unmarked = [], []
    for _ in range(40):
        tab.keyboard.press("Tab")
        name, marked = tab.evaluate(
            """() => { const at = document.activeElement;
            const shown = at.type === "file" ? at.closest("label") : at;
            return [at.ariaLabel || at.closest("label")?.textContent || at.textContent || at.tagName,
                    at === document.body || getComputedStyle(shown).outlineStyle !== "none"]; }"""
        )
        if name in seen:
            break
        seen.append(name)
        unmarked += [] if marked else [name]
    wanted = [
        "Choose pictures or a video", "Use the camera", "Options", "a.png", "Remove: a.png", "Download all masks", "Remove all",
        "Zoom out", "Zoom in", "Fit", "1:1", "Opacity", "Picture with overlay", "Show background", "Show cell", "Download mask",
    ]  # fmt: skip
    for name in wanted:
        assert any(name in each for each in seen), (name, seen)
    assert unmarked == []


def test_the_picture_has_a_description_and_results_are_announced(tab, stub):
    assert "Arrow keys move" in tab.locator("canvas").get_attribute("aria-label")
    assert tab.locator("[role=status]").get_attribute("aria-live") == "polite"
    choose(tab, upload("a.png"))
    until(lambda: "a.png is done" in tab.locator("[role=status]").inner_text())
