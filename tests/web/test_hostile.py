"""Names written by somebody else stay names: nothing runs, nothing is fetched, nothing is drawn but text.

`visit` asserts at the end of each test that no script ran, that the content security policy was not even tried, and that no request
left for another host.
"""

from tests.web.drive import choose, done, upload

HOSTILE = [
    "<script>window.fired = 1</script>",
    "<img src=x onerror='window.fired = 1'>",
    "<svg onload=window.fired=1>",
    '"><iframe src=javascript:parent.fired=1>',
    "javascript:window.fired=1",
    "{{constructor.constructor('window.fired=1')()}}",
    "${window.fired=1}",
    "<link rel=stylesheet href=http://192.0.2.1/a.css>",
    "<img src=http://192.0.2.1/pixel.png>",
    "<b style='position:fixed;inset:0;background:url(http://192.0.2.1/)'>",
    "&lt;b&gt; &#x3c;script&#x3e;",
    "\u202egnp.exe",
    "__proto__",
    "constructor",
    "x" * 3000,
]


def test_file_names(tab, stub):
    names = [f"{text}.png" for text in HOSTILE]
    data = list(upload()["buffer"])
    tab.evaluate(
        """([names, data]) => {
            const dropped = new DataTransfer();
            for (const name of names) dropped.items.add(new File([new Uint8Array(data)], name, { type: "image/png" }));
            window.dispatchEvent(new DragEvent("drop", { dataTransfer: dropped, cancelable: true }));
        }""",
        [names, data],
    )
    done(tab, len(names))
    shown = tab.locator("li .name").evaluate_all("all => all.map((one) => one.textContent)")
    assert [name.replace("/", ":") for name in shown] == [
        name.replace("/", ":") for name in names
    ]  # a browser's own change
    assert tab.locator("li :is(img, script, iframe, svg, b, link)").count() == 0
    with tab.expect_download() as caught:
        tab.get_by_role("button", name="Download mask").click()
    assert not set(caught.value.suggested_filename) & set('<>:/\\"|?*')


def test_class_names_warnings_and_model_names(visit, stub):
    stub.names = ("background", "cell", "vessel", *HOSTILE)
    stub.warnings = tuple(HOSTILE)
    stub.models = tuple(HOSTILE)
    tab = visit(stub.address)
    choose(tab, upload())
    done(tab)

    def texts(place):
        return tab.locator(place).evaluate_all("all => all.map((one) => one.textContent)")

    assert texts("tbody .name") == list(stub.names)
    assert texts(".warnings li") == HOSTILE
    assert texts("header strong") == HOSTILE[:1] and texts("option") == HOSTILE
    assert tab.locator("main :is(img, script, iframe, svg, b, link)").count() == 0
    assert tab.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_messages_of_errors(tab, stub):
    stub.refusals = [(422, text, {}) for text in HOSTILE]
    choose(tab, *[upload(f"{number}.png") for number in range(len(HOSTILE))])
    tab.locator("li.failed").nth(len(HOSTILE) - 1).wait_for()
    said = " ".join(tab.locator("li.failed .note").all_inner_texts())
    assert all(text[:40] in said for text in HOSTILE if "\u202e" not in text)
    assert tab.locator("li :is(img, script, iframe, svg, b, link)").count() == 0


def test_a_colour_that_is_none_is_refused(tab, stub):
    answer = {
        "model": {"name": "a", "version": "b"}, "size_hw": [5, 7], "mask_png": "", "confidence": None, "warnings": [],
        "classes": [{"id": 0, "name": "a", "color": "red;background:url(//192.0.2.1)", "pixels": 1, "share": 1, "area": None}],
    }  # fmt: skip
    tab.route("**/v1/predict*", lambda route: route.fulfill(json=answer))
    choose(tab, upload())
    tab.locator("li .note", has_text="is not #rrggbb").wait_for()
