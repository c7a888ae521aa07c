"""Every limit is met exactly: 408, 413, 422, 429, 503, 504, each with its number in the answer."""

import asyncio
import socket
import threading
import time

import httpx
import pytest

from limner.server import patience
from limner.server.held import Held
from limner.server.limits import Limits
from limner.server.loaded import ModelSpec, Opened
from limner.server.refused import Refused
from tests.server.fakes import SPACE, Threshold, opening
from tests.server.pictures import array, encoded

FILE = encoded(array())
SMALL_BODY = Limits(body_bytes=2000)


def raw(server, head, *parts, pause=0.0):
    """What a server answers to bytes on a socket."""
    with socket.create_connection(("127.0.0.1", server.settings.port), timeout=20) as connection:
        connection.sendall(head.encode() + b"\r\n")
        for part in parts:
            time.sleep(pause)
            try:
                connection.sendall(part)
            except OSError:
                break
        answer = b""
        while piece := connection.recv(65_536):
            answer += piece
            if b"}" in piece:
                break
    return answer.decode()


def test_a_body_is_counted_whatever_it_says_of_itself(serving):
    server = serving(opening(Threshold()), limits=SMALL_BODY)
    head = "POST /v1/predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/png\r\n"
    chunk = b"400\r\n" + bytes(1024) + b"\r\n"
    answers = [
        raw(server, head + "Content-Length: 2001\r\n", bytes(2001)),
        raw(server, head + "Content-Length: 99999999999999999999\r\n"),
        raw(server, head + "Transfer-Encoding: chunked\r\n", chunk, chunk, b"0\r\n\r\n"),
        raw(server, head + "Expect: 100-continue\r\nContent-Length: 5000\r\n"),
    ]
    for answer in answers:
        assert answer.startswith("HTTP/1.1 413"), answer
        assert '"body_bytes": 2000' in answer and "content-security-policy" in answer
    assert server.post(FILE + bytes(2000 - len(FILE))).status_code in (200, 422)
    assert server.client.post("/v1/predict", files={"image": ("a", bytes(2500))}).status_code == 413
    assert server.client.post("/v2/models/m/infer", content=bytes(3000)).json().keys() == {"error"}
    assert server.engine.held.bytes == 0


def test_a_refusal_reaches_a_client_that_sends_on(serving):
    """More than the limit, and more than any buffer of the system: the answer still arrives."""
    server = serving(opening(Threshold()), limits=Limits(body_bytes=2**20))

    def pieces():
        for _ in range(25):
            yield bytes(100_000)

    answer = server.client.post("/v1/predict", content=pieces(), headers={"Content-Type": "image/png"})
    assert answer.status_code == 413


def test_a_body_that_does_not_arrive_is_given_up(serving):
    server = serving(opening(Threshold()), limits=Limits(seconds=0.3))
    begun = time.monotonic()
    answer = raw(
        server,
        "POST /v1/predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/png\r\nContent-Length: 500\r\n",
        bytes(100), bytes(100), pause=0.05,
    )  # fmt: skip
    assert answer.startswith("HTTP/1.1 408") and time.monotonic() - begun < 10


def test_a_connection_without_a_request_is_closed(serving, monkeypatch):
    monkeypatch.setattr(patience, "HEAD_SECONDS", 0.3)
    server = serving(opening(Threshold()))
    for begin in (
        b"",
        b"GET /readyz HT",
        b"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" * 2,
    ):
        with socket.create_connection(("127.0.0.1", server.settings.port), timeout=20) as connection:
            connection.sendall(begin)
            begun, answer = time.monotonic(), b""
            if begin.endswith(b"\r\n\r\n"):  # answered; then half a head
                answer = connection.recv(65_536)
                assert answer.startswith(b"HTTP/1.1 200")
                connection.sendall(b"POST /v1")
            while connection.recv(65_536):
                pass
            assert time.monotonic() - begun < 8
    assert server.client.get("/readyz").status_code == 200


def test_bodies_together_have_a_limit():
    held = Held(1000)
    with held.request() as one:
        one.take(900)
        with held.request() as other:
            with pytest.raises(Refused) as caught:
                other.take(101)
            other.take(100)
        assert caught.value.status == 429 and caught.value.retry_after
        assert held.bytes == 900
        one.take(5000)  # alone it is bound by the limits of one request
    assert held.bytes == 0


def test_pictures_and_parts_are_counted(serving):
    server = serving(opening(Threshold()), limits=Limits(pixels=100, side=12, parts=2))
    for size_hw, limit in [((5, 13), {"side": 12}), ((11, 10), {"pixels": 100})]:
        answer = server.post(encoded(array(0, size_hw)))
        assert (answer.status_code, answer.json()["error"]["limit"]) == (413, limit)
    assert server.post(encoded(array(0, (10, 10)))).status_code == 200
    parts = [("image", ("a.png", FILE))] * 3
    answer = server.client.post("/v1/predict/batch", files=parts)
    assert (answer.status_code, answer.json()["error"]["limit"]) == (413, {"parts": 2})
    assert server.client.post("/v1/predict", files=parts[:2]).status_code == 422


def test_a_full_queue_is_told_before_the_body_is_read(serving):
    segmenter = Threshold()
    server = serving(opening(segmenter), limits=Limits(queue=1))
    segmenter.gate.clear()
    with held_requests(server, 2):
        answer = raw(
            server, "POST /v1/predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/png\r\nExpect: 100-continue\r\n"
            "Content-Length: 500\r\n",
        )  # fmt: skip
        assert answer.startswith("HTTP/1.1 429") and "retry-after: " in answer.lower()
        assert server.client.get("/readyz").status_code == 200  # busy is not unwell
        segmenter.gate.set()


def test_a_full_queue_refuses_nothing_that_another_model_answers(serving):
    """Where the body names the model, as forms and JSON do, nobody knows before it is read whose queue is meant."""
    busy, free = Threshold(), Threshold()
    specs = (ModelSpec("m", "m"), ModelSpec("free", "free"))
    server = serving(
        lambda spec: Opened(busy if spec.name == "m" else free, SPACE), specs=specs, limits=Limits(queue=1)
    )
    form = {"files": {"image": ("a.png", FILE)}}
    busy.gate.clear()
    with held_requests(server, 2):
        assert server.client.post("/v1/predict", **form, data={"model": "free"}).status_code == 200
        assert server.client.post("/v1/predict/batch", **form, data={"model": "free"}).status_code == 200
        assert server.client.post("/v1/predict", **form, params={"model": "free"}).status_code == 200
        for named in ({}, {"params": {"model": ""}}, {"params": {"model": "m"}}, {"data": {"model": "m"}}):
            answer = server.client.post("/v1/predict", **form, **named)
            assert answer.status_code == 429 and "retry-after" in answer.headers, named
        busy.gate.set()


def test_work_that_waited_too_long_is_not_done(serving):
    segmenter = Threshold()
    server = serving(opening(segmenter))
    segmenter.gate.clear()
    with held_requests(server, 2) as answers:
        server.engine._served["m"].lane._waiting[0].deadline = time.monotonic()
        segmenter.gate.set()
    assert sorted(answer.status_code for answer in answers) == [200, 504]
    late = next(answer for answer in answers if answer.status_code == 504).json()["error"]
    assert (late["code"], late["limit"]) == ("deadline", {"seconds": 30})
    assert len(segmenter.names) == 1


def test_a_client_that_hangs_up_is_forgotten(serving):
    segmenter = Threshold()
    server = serving(opening(segmenter))
    lane = server.engine._served["m"].lane
    segmenter.gate.clear()
    with held_requests(server, 1):
        with socket.create_connection(("127.0.0.1", server.settings.port), timeout=20) as gone:
            head = f"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: {len(FILE)}\r\n\r\n"
            gone.sendall(head.replace("Host: x", "Host: 127.0.0.1").encode() + FILE)
            wait_for(lambda: len(lane._waiting) == 1)
        time.sleep(0.2)  # until the server hears of it
        segmenter.gate.set()
    wait_for(lambda: lane.is_idle)
    assert server.post(FILE).status_code == 200
    assert len(segmenter.names) == 2
    assert 'limner_rejected_total{reason="gone"} 1' in server.client.get("/metrics").text


def wait_for(claim):
    for _ in range(1000):
        if claim():
            return
        time.sleep(0.01)
    raise AssertionError("it did not come true")


def test_while_models_load_everything_waits_but_the_process_is_alive(serving):
    loading = threading.Event()

    def slow(spec):
        loading.wait(20)
        return opening(Threshold())(spec)

    server = serving(slow, wait=False)
    for _ in range(100):
        try:
            alive = server.client.get("/healthz")
            break
        except httpx.ConnectError:
            time.sleep(0.05)
    assert alive.status_code == 200
    for answer in (server.client.get("/readyz"), server.post(FILE), server.client.get("/v1/models/m")):
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "loading")
        assert answer.headers["retry-after"] == "2"
    loading.set()
    for _ in range(100):
        if server.client.get("/readyz").status_code == 200:
            break
        time.sleep(0.05)
    assert server.post(FILE).status_code == 200


def test_a_model_that_cannot_be_loaded_ends_the_server(serving):
    from limner.core.errors import BundleError

    def broken(spec):
        raise BundleError("model.onnx is changed", where="model.onnx")

    server = serving(broken, specs=[ModelSpec("m", "m")])
    server.join()
    assert isinstance(server.error, BundleError) and not server.documents


class held_requests:
    """Requests that are under way, one after the other, until the block ends; gives the list of their answers."""

    def __init__(self, server, number):
        self.answers = []

        def post():
            with httpx.Client(base_url=server.url, timeout=30, trust_env=False) as client:
                self.answers.append(client.post("/v1/predict", content=FILE, headers={"Content-Type": "image/png"}))

        self._threads = [threading.Thread(target=post) for _ in range(number)]
        self._lane = server.engine._served["m"].lane

    def __enter__(self):
        for index, thread in enumerate(self._threads):
            thread.start()
            wait_for(lambda n=index: self._lane._running and self._lane.seats == n and len(self._lane._waiting) == n)
        return self.answers

    def __exit__(self, *error):
        for thread in self._threads:
            thread.join(30)


def test_the_worker_thread_hands_errors_on():
    from limner.server.worker import Worker

    async def run():
        worker = Worker("w")
        good = await worker.run(lambda: 6 * 7)
        with pytest.raises(KeyError):
            await worker.run(lambda: {}["x"])
        worker.close()
        return good

    assert asyncio.run(run()) == 42
