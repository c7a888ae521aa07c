"""Row 14: what one client, or many, can take from the machine."""

import asyncio
import resource
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest

from tests.cli.call import limner
from tests.make_data import picture
from tests.security import attacks
from tests.security.attacks import encoded
from tests.security.commands import pictures
from tests.security.served import memory, serve

PNG = {"Content-Type": "image/png"}


@pytest.fixture(scope="module")
def small():
    """A server with a short queue and short patience."""
    with serve("otsu", "--queue", "4", "--timeout", "2s", "--max-body", "2MiB") as server:
        yield server


def test_a_thousand_idle_connections_leave_the_server_usable(small):
    idle = []
    try:
        for _ in range(1000):
            try:
                idle.append(socket.create_connection(("127.0.0.1", small.port), timeout=5))
            except OSError:  # more than the system lets this process open
                break
        assert len(idle) > 400
        answer = small.raw(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        assert answer[9:12] in (b"200", b"503")
    finally:
        for connection in idle:
            connection.close()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and small.ask("GET", "/healthz").status_code != 200:
        time.sleep(0.1)
    assert small.is_alive()


def test_a_body_that_never_ends_is_given_up(small):
    """Slow bodies (CWE-400) end with the patience for one request."""
    with socket.create_connection(("127.0.0.1", small.port), timeout=20) as connection:
        connection.sendall(
            b"POST /v1/predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/png\r\nContent-Length: 1000\r\n\r\n"
        )
        start = time.monotonic()
        stop = threading.Event()

        def drip():
            while not stop.wait(0.2):
                try:
                    connection.sendall(b"x")
                except OSError:
                    return

        thread = threading.Thread(target=drip)
        thread.start()
        try:
            answer = connection.recv(65_536)
        finally:
            stop.set()
            thread.join()
        assert answer[9:12] == b"408" and 1 < time.monotonic() - start < 15


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="the memory of another process is read from /proc")
def test_more_work_than_the_queue_holds_is_refused_at_once_and_memory_stays(small):
    """Pictures come faster than they are computed; the rest gets 429 with a time to wait, and nothing piles up."""
    data = encoded(picture(0, (700, 900)), "PNG", compress_level=1)

    async def flood(number):
        limits = httpx.Limits(max_connections=100)
        async with httpx.AsyncClient(base_url=small.url, timeout=60, trust_env=False, limits=limits) as client:
            return await asyncio.gather(*(client.post("/v1/predict", content=data, headers=PNG) for _ in range(number)))

    asyncio.run(
        flood(150)
    )  # bodies of many connections at once are held together, and what is freed stays with the process
    before = memory(small.process.pid)
    answers = asyncio.run(flood(150))
    statuses = {answer.status_code for answer in answers}
    assert statuses <= {200, 429, 504} and {200, 429} <= statuses
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in answers if answer.status_code == 429)
    assert memory(small.process.pid) - before < 100 * 2**20
    assert small.ask("POST", "/v1/predict", content=attacks.good(), headers=PNG).status_code == 200


def test_too_many_parts_and_fields_are_refused(small):
    part = b'--xx\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\nx\r\n'
    kind = {"Content-Type": "multipart/form-data; boundary=xx"}
    answer = small.ask("POST", "/v1/predict/batch", content=part * 17 + b"--xx--\r\n", headers=kind)
    assert answer.status_code == 413 and answer.json()["error"]["limit"] == {"parts": 16}
    field = b'--xx\r\nContent-Disposition: form-data; name="model"\r\n\r\nx\r\n'
    assert small.ask("POST", "/v1/predict", content=field * 10_000 + b"--xx--\r\n", headers=kind).status_code in (
        413,
        422,
    )
    long = b'--xx\r\nContent-Disposition: form-data; name="model"\r\n\r\n' + b"x" * 1_000_000 + b"\r\n--xx--\r\n"
    assert small.ask("POST", "/v1/predict", content=long, headers=kind).status_code in (413, 422)
    heads = b"--xx\r\n" + b"X-Y: z\r\n" * 100_000 + b"\r\nx\r\n--xx--\r\n"
    assert small.ask("POST", "/v1/predict", content=heads, headers=kind).status_code in (413, 422)
    assert small.is_alive()


def test_a_line_without_end_and_endless_headers_are_refused(small):
    for data in (b"GET /" + b"a" * 200_000, b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 50_000, b"\0" * 100_000):
        answer = small.raw(data + b" HTTP/1.1\r\n\r\n", seconds=3)
        assert not answer or answer[9:12] in (b"400", b"414", b"431", b"403", b"404")
        assert small.is_alive()


def test_made_up_paths_do_not_grow_the_numbers(small):
    for i in range(50):
        small.ask("GET", f"/made-up/{i}")
        small.ask("GET", f"/v1/models/made-up-{i}")
    assert "made-up" not in small.ask("GET", "/metrics").text


def test_a_full_disk_is_said_and_old_files_stay_whole(tmp_path):
    """A limit on the size of files stands in for a full disk."""
    data = pictures(tmp_path / "data", "a.png")
    (data / "large.png").write_bytes(encoded(picture(1, (400, 500)), "PNG"))
    assert limner("predict", "otsu", data, "--out", tmp_path / "out").code == 0
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    done = subprocess.run(
        [sys.executable, "-m", "limner", "predict", "otsu", data, "--out", tmp_path / "new"], capture_output=True, text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1500, 1500)),
    )  # fmt: skip
    assert done.returncode == 1 and "no space left" in done.stderr and "Traceback" not in done.stderr
    assert {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()} == before
    assert not list(tmp_path.rglob("*.tmp"))
