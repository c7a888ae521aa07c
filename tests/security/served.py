"""`limner serve` as a process of its own, and requests that no client library would send."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

SECONDS = 60


@dataclass
class Served:
    """A running server.

    Parameters
    ----------
    document : what it printed when it was ready.
    lines : what it writes to stderr, as it comes.
    """

    process: subprocess.Popen
    document: dict = field(default_factory=dict)
    lines: list = field(default_factory=list)
    client: httpx.Client | None = None

    @property
    def url(self):
        return self.document["url"]

    @property
    def port(self):
        return self.document["port"]

    @property
    def log(self):
        return "".join(self.lines)

    def ask(self, method, path, **options):
        """One request on a connection of its own."""
        if self.client is None:
            limits = httpx.Limits(max_keepalive_connections=0)
            self.client = httpx.Client(base_url=self.url, timeout=SECONDS, trust_env=False, limits=limits)
        return self.client.request(method, path, **options)

    def raw(self, data, *, seconds=10):
        """What comes back for bytes as they are, until the server hangs up or `seconds` pass."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=seconds) as connection:
            received = b""
            try:
                connection.sendall(data)
                while piece := connection.recv(65_536):
                    received += piece
            except (TimeoutError, ConnectionError):
                pass
            return received

    def wait_for(self, words, *, seconds=SECONDS):
        """What the server has written to stderr, once it holds `words`."""
        until = time.monotonic() + seconds
        while words not in self.log:
            assert time.monotonic() < until, self.log
            time.sleep(0.02)
        return self.log

    def is_alive(self):
        """The process is there and answers."""
        return self.process.poll() is None and self.ask("GET", "/healthz").status_code == 200


def memory(pid):
    """Bytes that a process has in memory, its children apart."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def serve(*arguments, environment=None, ready=True, folder=None):
    """`limner serve ARGUMENTS --json` on a free port; ended by TERM."""
    command = [sys.executable, "-m", "limner", "serve", *map(str, arguments), "--json"]
    if "--port" not in arguments:
        command += ["--port", "0"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **(environment or {})}, cwd=folder
    )  # fmt: skip
    served = Served(process)
    reader = threading.Thread(target=lambda: served.lines.extend(process.stderr), daemon=True)
    reader.start()
    try:
        if ready:
            text = ""
            for line in process.stdout:
                text += line
                if line.rstrip() == "}":
                    break
            assert text, served.log
            served.document = json.loads(text)
        yield served
    finally:
        if served.client is not None:
            served.client.close()
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        reader.join(5)
        process.stdout.close()
        process.stderr.close()
