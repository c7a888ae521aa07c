"""The text that Prometheus reads, taken apart by a reader of our own."""

import asyncio
import re
import threading

import pytest

from limner.server.exposition import MOST_SERIES, Family, Histogram, number
from limner.server.metrics import UNKNOWN, CountRequests, Metrics

LINE = re.compile(r'([a-z_]+)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\[\\n"])*",?)*)\})? (\+Inf|-?[0-9.e+-]+)')


def read(text):
    """``{(name, labels): value}`` and ``{name: type}`` of the text format; anything else in it fails."""
    assert text.endswith("\n")
    values, types = {}, {}
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in types, "one type line for each family"
            types[name] = kind
        elif not line.startswith("# HELP "):
            match = LINE.fullmatch(line)
            assert match, line
            labels = tuple(sorted(re.findall(r'([a-z_]+)="((?:[^"\\]|\\.)*)"', match[2] or "")))
            assert (match[1], labels) not in values, "each series once"
            values[match[1], labels] = float(match[3].replace("+Inf", "inf"))
    return values, types


def test_everything_that_is_told_is_in_the_text():
    metrics = Metrics()
    metrics.answered("/v1/predict", 200, model="cells", seconds=0.03)
    metrics.answered("/v1/predict", 429, model="cells", seconds=0.001)
    metrics.waited("cells", 0.2)
    metrics.computed("cells", batch=3, pixels=105)
    metrics.computed("cells", batch=1, pixels=35)
    metrics.queued("cells", 7)
    metrics.rejected("queue_full")
    metrics.serving("cells", version="0a1b", architecture="unet", runtime="onnx")
    values, types = read(metrics.text())
    cells = ("model", "cells")
    assert values["limner_requests_total", (cells, ("route", "/v1/predict"), ("status", "429"))] == 1
    assert values["limner_pixels_total", (cells,)] == 140
    assert values["limner_batch_size_sum", (cells,)] == 4
    assert values["limner_batch_size_count", (cells,)] == 2
    assert values["limner_queue_depth", (cells,)] == 7
    assert values["limner_rejected_total", (("reason", "queue_full"),)] == 1
    assert values["limner_in_flight", ()] == 0
    info = (("architecture", "unet"), cells, ("runtime", "onnx"), ("version", "0a1b"))
    assert values["limner_model_info", info] == 1
    assert types["limner_request_seconds"] == types["limner_queue_wait_seconds"] == "histogram"
    assert types["limner_requests_total"] == "counter" and types["limner_queue_depth"] == "gauge"


def test_buckets_are_cumulated_and_a_bound_belongs_to_its_bucket():
    histogram = Histogram("h", "help", bounds=(1, 2.5))
    for value in (0.5, 1, 1.5, 2.5, 99):
        histogram.observe(of=value)
    values, _ = read("\n".join(histogram.lines()) + "\n")
    assert [values["h_bucket", (("le", bound),)] for bound in ("1", "2.5", "+Inf")] == [2, 4, 5]
    assert values["h_sum", ()] == 104.5
    assert values["h_count", ()] == 5


def test_a_reload_replaces_the_version():
    metrics = Metrics()
    metrics.serving("cells", version="old", architecture="unet", runtime="torch")
    metrics.serving("other", version="x", architecture="fpn", runtime="torch")
    metrics.serving("cells", version="new", architecture="unet", runtime="torch")
    versions = {dict(labels)["version"] for name, labels in read(metrics.text())[0] if name == "limner_model_info"}
    assert versions == {"new", "x"}


def test_signs_that_would_break_the_text_are_escaped():
    family = Family("f", "a\nb\\", ("name",))
    family.add('quo"te\nline\\end')
    help_line, _, line = family.lines()
    assert help_line == r"# HELP f a\nb\\"
    assert line == r'f{name="quo\"te\nline\\end"} 1'


def test_made_up_label_values_do_not_fill_the_memory():
    family, histogram = Family("f", "", ("a", "b")), Histogram("h", "", ("a",), bounds=(1,))
    for i in range(3 * MOST_SERIES):
        family.add(str(i), "x")
        histogram.observe(str(i), of=2)
    assert len(list(family.lines())) == 2 + MOST_SERIES + 1
    assert family.value("other", "other") == 2 * MOST_SERIES
    assert len(list(histogram.lines())) == 2 + 4 * (MOST_SERIES + 1)


def test_no_count_is_lost_between_threads():
    metrics = Metrics()

    def work():
        for _ in range(2000):
            metrics.computed("m", batch=1, pixels=3)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert metrics.pixels.value("m") == 4 * 2000 * 3


@pytest.mark.parametrize(("value", "text"), [(3.0, "3"), (0.25, "0.25"), (float("inf"), "+Inf"), (1e20, "1e+20")])
def test_numbers(value, text):
    assert number(value) == text


def call(metrics, app, scope):
    async def send(message):
        pass

    asyncio.run(CountRequests(app, metrics)(scope, None, send))


def test_requests_are_counted_by_the_pattern_of_their_route():
    metrics = Metrics()

    class Route:
        path = "/v1/models/{model}"

    async def found(scope, receive, send):
        assert metrics.busy.value() == 1
        scope["route"] = Route()
        scope.setdefault("state", {})["model"] = "cells"
        await send({"type": "http.response.start", "status": 200})

    async def missing(scope, receive, send):
        await send({"type": "http.response.start", "status": 404})

    async def broken(scope, receive, send):
        raise RuntimeError("bug")

    call(metrics, found, {"type": "http", "path": "/v1/models/cells"})
    for i in range(5):
        call(metrics, missing, {"type": "http", "path": f"/made/up/{i}"})
    with pytest.raises(RuntimeError):
        call(metrics, broken, {"type": "http", "path": "/"})
    assert metrics.requests.value("/v1/models/{model}", "200", "cells") == 1
    assert metrics.requests.value(UNKNOWN, "404", "") == 5
    assert metrics.requests.value(UNKNOWN, "500", "") == 1
    assert metrics.busy.value() == 0
