"""The end of a server: nothing that was accepted is lost, and the command line keeps secrets."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest

from limner.api import extras
from limner.core.errors import MachineError, UsageError
from limner.server.run import bind
from limner.server.serve import name_models, parse_size
from tests.cli.call import limner, refused
from tests.server.fakes import Threshold, opening
from tests.server.pictures import array, encoded

FILE = encoded(array())
HEADERS = {"Content-Type": "image/png"}
pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")


@contextlib.contextmanager
def program(*arguments, module="tests.server.program", environment=None):
    """A process, the document that it printed when it was ready, and what it told on stderr so far, a line each.

    Its stderr is read all the time: among its lines is one for each request, `until` alone makes any number of them, and a
    full pipe would hold the server up.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", module, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        cwd=Path(__file__).parents[2], env={**os.environ, **(environment or {})},
    )  # fmt: skip
    lines, told = [], []
    listener = threading.Thread(target=lambda: told.extend(iter(process.stderr.readline, "")))
    listener.start()
    try:
        while True:
            line = process.stdout.readline()
            if not line:
                listener.join(30)
            assert line, "".join(told)
            lines.append(line)
            with contextlib.suppress(json.JSONDecodeError):
                document = json.loads("".join(lines))
                break
        yield process, document, told
    finally:
        process.kill()
        process.wait()
        listener.join(30)
        process.stdout.close()
        process.stderr.close()


class Callers:
    """Threads that ask for predictions, one after the other, until the server is no longer there."""

    def __init__(self, url, number):
        self.statuses, self.lost = [], []
        self._threads = [threading.Thread(target=self._call, args=(url,)) for _ in range(number)]
        for thread in self._threads:
            thread.start()

    def _call(self, url):
        while True:
            try:
                answer = httpx.post(f"{url}/v1/predict", content=FILE, headers=HEADERS, timeout=60, trust_env=False)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                return  # never accepted
            except httpx.HTTPError as error:
                self.lost.append(repr(error))
                return
            self.statuses.append(answer.status_code)
            if answer.status_code == 503:
                return

    def join(self):
        for thread in self._threads:
            thread.join(30)


def metric(url, name):
    """A number of the server; 0 before there is one."""
    text = httpx.get(f"{url}/metrics", timeout=30, trust_env=False).text
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.split("{")[0].split()[0] == name)


def under_way(url):
    """Requests that are being answered, this one not counted; those may still be refused."""
    return metric(url, "limner_in_flight") - 1


def begun(url):
    """Pictures that were accepted, and whose turn has come."""
    return metric(url, "limner_queue_wait_seconds_count")


def is_stopping(told):
    return any("stopping" in line for line in list(told))


def until(claim):
    for _ in range(600):
        if claim():
            return
        time.sleep(0.05)
    raise AssertionError("it did not come true")


def test_a_server_told_to_stop_answers_what_it_accepted():
    with program(0.05, 30, 8) as (process, document, _):
        callers = Callers(document["url"], 12)
        until(lambda: callers.statuses.count(200) >= 5)
        process.send_signal(signal.SIGTERM)
        assert process.wait(40) == 0
        callers.join()
    assert callers.lost == []
    assert set(callers.statuses) <= {200, 429, 503} and 503 in callers.statuses


def test_readiness_ends_at_once_and_work_in_time():
    with program(-1, 30, 8) as (process, document, told):
        answers = []
        client = httpx.Client(base_url=document["url"], timeout=30, trust_env=False)
        thread = threading.Thread(
            target=lambda: answers.append(
                httpx.post(f"{document['url']}/v1/predict", content=FILE, headers=HEADERS, timeout=30, trust_env=False)
            )
        )
        thread.start()
        until(lambda: begun(document["url"]) == 1)
        process.send_signal(signal.SIGTERM)
        until(lambda: is_stopping(told))
        assert not answers
        assert client.get("/readyz").status_code == 503
        assert client.get("/healthz").status_code == 200
        assert client.post("/v1/predict", content=FILE, headers=HEADERS).status_code == 503
        assert client.get("/readyz").headers["connection"] == "close"
        client.close()
        process.send_signal(signal.SIGUSR1)
        thread.join()
        assert process.wait(30) == 0
    assert answers[0].status_code == 200


def test_grace_ends_and_the_rest_is_refused():
    with program(-1, 0.3, 8) as (process, document, _):
        callers = Callers(document["url"], 2)
        until(lambda: under_way(document["url"]) == 2)
        time.sleep(0.1)  # one is computed or both are being decoded: on a busy machine nobody knows
        start = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        assert time.monotonic() - start < 15
        callers.join()
    assert callers.statuses == [503, 503] and callers.lost == []


def test_a_second_signal_ends_it_at_once():
    with program(-1, 19, 8) as (process, document, told):
        callers = Callers(document["url"], 1)
        until(lambda: begun(document["url"]) == 1)
        process.send_signal(signal.SIGTERM)
        until(lambda: is_stopping(told))  # two signals at once would be one
        time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 130
        callers.join()
    assert callers.statuses == [] and len(callers.lost) == 1


def test_the_command_serves_a_method_and_hides_its_token():
    secret = "a-token-that-nobody-may-read"
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    port = taken.getsockname()[1]
    command = program("serve", "otsu", "--port", port, "--token", secret, "--json", module="limner")
    with taken, command as (process, document, told):
        assert set(document) >= {"url", "port", "host", "model", "version"} and document["model"] == "otsu"
        assert document["port"] > port
        words = Path(f"/proc/{process.pid}/cmdline").read_text().split("\0")
        assert "serve" in words and secret not in words and "--token" not in words
        answer = httpx.post(f"{document['url']}/v1/predict", content=FILE, headers=HEADERS, trust_env=False)
        assert answer.status_code == 401
        right = {**HEADERS, "Authorization": f"Bearer {secret}"}
        assert (
            httpx.post(f"{document['url']}/v1/predict", content=FILE, headers=right, trust_env=False).status_code == 200
        )
        process.send_signal(signal.SIGTERM)
        assert process.wait(40) == 0
        out = process.stdout.read()
    err = "".join(told)
    assert out.strip() == ""  # one document, printed when it was ready
    assert secret not in err and f"port {port} is in use" in err and "start page" in err


def test_bad_calls_are_refused_with_the_reason(tmp_path, monkeypatch):
    monkeypatch.delenv("LIMNER_TOKEN", raising=False)
    assert "without a token" in refused(limner("serve", "otsu", "--host", "0.0.0.0"), code=2)
    assert "is no origin" in refused(limner("serve", "otsu", "--allow-origin", "*"), code=2)
    assert "is not a size" in refused(limner("serve", "otsu", "--max-body", "much"), code=2)
    assert "names for" in refused(limner("serve", "otsu", "sobel", "--name", "a"), code=2)
    assert "no model at" in refused(limner("serve", tmp_path / "none", "--port", "0"))
    found = limner("serve", tmp_path / "none", "--port", "0", "--json")
    assert found.code == 1 and found.document["error"]["kind"] == "BundleError"
    monkeypatch.setattr(extras.importlib.util, "find_spec", lambda name: None if name == "uvicorn" else True)
    assert 'pip install "limner[server]"' in refused(limner("serve", "otsu"))


def test_models_get_different_names(tmp_path):
    for folder in ("a/run", "b/run"):
        (tmp_path / folder / "model").mkdir(parents=True)
    found = name_models([tmp_path / "a/run", tmp_path / "b/run/model", "otsu"], [])
    assert [spec.name for spec in found] == ["run", "run-2", "otsu"]
    assert [spec.name for spec in name_models(["otsu", "otsu"], ["x", "y.1"])] == ["x", "y.1"]
    for names in (["a b", "c"], ["a", "a"], ["../x", "c"]):
        with pytest.raises(UsageError):
            name_models(["otsu", "otsu"], names)


@pytest.mark.parametrize(
    ("text", "size"), [("32MiB", 2**25), ("2 GiB", 2**31), ("1.5kB", 1500), ("10", 10), ("7b", 7), ("1MB", 10**6)]
)
def test_sizes(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "0", "-1", "nan", "inf", "1e999", "5 tons", "MiB"])
def test_what_is_no_size(text):
    with pytest.raises(UsageError):
        parse_size(text)


def test_an_address_of_another_machine_cannot_be_listened_on():
    with pytest.raises(MachineError) as caught:
        bind("192.0.2.1", 8000)
    assert "192.0.2.1" in caught.value.found


def test_a_hangup_signal_loads_models_anew(serving):
    import asyncio

    server = serving(opening(Threshold()))
    before = server.engine._served["m"]
    asyncio.run_coroutine_threadsafe(server.process._reload(), server.loop).result(10)
    assert server.engine._served["m"] is not before
    assert server.said == [f"m is served in version {server.engine.get().version}"]
    assert server.client.post("/v1/predict", content=FILE, headers=HEADERS).status_code == 200
