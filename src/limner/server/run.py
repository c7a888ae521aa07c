"""The process: its port, its signals, its end."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn

from limner.core.errors import MachineError
from limner.server.app import create_app
from limner.server.engine import Engine
from limner.server.patience import Patient
from limner.server.refused import Refused
from limner.server.settings import Settings
from limner.server.token import Access

LOG = logging.getLogger("limner.server")
PORTS_TRIED = 100
INTERRUPTED = 130
SENDING = 10  # seconds that answers have to reach their clients after the last one was computed
LAST_MOMENT = 0.25  # seconds in which requests that are on their way still get their 503
SAME_SIGNAL = 0.1  # seconds; programs such as timeout(1) send theirs to the process and to its group
Ready = Callable[[dict[str, Any]], None]
Say = Callable[[str], None]


def bind(host: str, port: int) -> socket.socket:
    """A listening socket on `port`, or the next free one; 0 = any.

    Raises
    ------
    MachineError : the address is not of this machine, the port is not allowed, or a hundred ports are taken.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    last = min(port + PORTS_TRIED, 65_535)
    for tried in range(port, last + 1):
        listener = socket.socket(family, socket.SOCK_STREAM)
        if os.name == "posix":  # elsewhere it would let two servers share a port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host.strip("[]"), tried))
            listener.listen(1024)
        except OSError as error:
            listener.close()
            if error.errno == errno.EADDRINUSE and port:
                continue
            raise MachineError(
                f"{host}:{tried} cannot be listened on: {error.strerror or error}",
                expected="an address of this machine and a port that you may use",
                where=f"--host {host} --port {port}", fix="leave --host out for this machine alone; take a port above 1023",
            ) from None  # fmt: skip
        return listener
    raise MachineError(f"the ports {port} to {last} are taken", expected="a free port", fix="choose another --port")


def run(settings: Settings, engine: Engine, *, listener: socket.socket, ready: Ready, say: Say) -> int:
    """Serve until told to stop.

    Parameters
    ----------
    settings : `port` is that of `listener`.
    ready : told once, when all models made their first prediction.
    say : told what a person should see.

    Returns
    -------
    0.

    Raises
    ------
    LimnerError : a model cannot be loaded.
    """
    logging.basicConfig(format="%(asctime)s %(message)s", datefmt="%H:%M:%S", level=logging.WARNING, stream=sys.stderr)
    for name in ("limner.server", "limner.access"):
        logging.getLogger(name).setLevel(logging.INFO)
    return asyncio.run(Process(settings, engine, listener, ready, say).live())


class _Server(uvicorn.Server):
    """uvicorn without its own signals, which would close connections before work is finished."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Process:
    """One server from its first to its last moment."""

    def __init__(self, settings: Settings, engine: Engine, listener: socket.socket, ready: Ready, say: Say) -> None:
        self.settings, self.engine, self.listener, self.ready, self.say = settings, engine, listener, ready, say
        self.access = None if settings.token is None else Access(settings.token, port=settings.port)
        self.app = create_app(settings, engine, access=self.access)
        config = uvicorn.Config(
            self.app, http=Patient, log_config=None, access_log=False, server_header=False,
            ws="none", limit_concurrency=settings.limits.connections, timeout_keep_alive=15, lifespan="on",
            timeout_graceful_shutdown=SENDING, proxy_headers=False,
        )  # fmt: skip
        logging.getLogger("uvicorn").setLevel(logging.WARNING)
        self.server = _Server(config)
        self._stop = asyncio.Event()
        self._told = 0.0  # to stop, when

    async def live(self) -> int:
        """Listen, load, serve, finish."""
        self._listen_to_signals()
        serving = asyncio.create_task(self.server.serve(sockets=[self.listener]))
        loading = asyncio.create_task(self.engine.start())
        stopping = asyncio.create_task(self._stop.wait())
        await asyncio.wait((loading, stopping, serving), return_when=asyncio.FIRST_COMPLETED)
        try:
            if loading.done():
                loading.result()
                self._tell()
                await asyncio.wait((stopping, serving), return_when=asyncio.FIRST_COMPLETED)
            finished = await self.engine.drain(self.settings.grace)
            if not finished:
                self.app.state.limner.decoder.close()
                self.server.config.timeout_graceful_shutdown = 1
                LOG.warning("stopped after %g s with work unfinished", self.settings.grace)
        finally:
            loading.cancel()
            stopping.cancel()
            await self._close(serving)
        return 0

    async def _close(self, serving: asyncio.Task[None]) -> None:
        """Accept no connection any more, answer those that were accepted, then end."""
        for one in getattr(self.server, "servers", []):
            one.close()
        if not serving.done():
            await asyncio.sleep(LAST_MOMENT)
        self.server.should_exit = True
        await serving

    def _tell(self) -> None:
        loaded = self.engine.get()
        url = url_of(self.settings.host, self.settings.port)
        if self.access is not None:
            self.say(f"start page, for one use: {url}/?token={self.access.start_token()}")
        self.ready({
            "url": url, "port": self.settings.port, "host": self.settings.host, "model": loaded.name,
            "version": loaded.version,
            "models": [{"name": one.name, "version": one.version} for one in self.engine.models()],
        })  # fmt: skip

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for name in ("SIGTERM", "SIGINT"):
            number = getattr(signal, name)
            try:
                loop.add_signal_handler(number, self.stop)
            except (NotImplementedError, RuntimeError):  # Windows; or not the main thread
                with contextlib.suppress(ValueError):
                    signal.signal(number, lambda *_: loop.call_soon_threadsafe(self.stop))
        if hasattr(signal, "SIGHUP"):
            with contextlib.suppress(NotImplementedError, RuntimeError):
                loop.add_signal_handler(signal.SIGHUP, lambda: asyncio.ensure_future(self._reload()))

    def stop(self) -> None:
        """Finish what was accepted, then end; when asked again, end at once."""
        if self._stop.is_set():
            if time.monotonic() - self._told > SAME_SIGNAL:  # asked twice: at once, whatever is lost
                os._exit(INTERRUPTED)
            return
        self._told = time.monotonic()
        self.engine.is_draining = True
        self._stop.set()
        self.say(f"stopping: what was accepted is finished first, for at most {self.settings.grace:g} s")

    async def _reload(self) -> None:
        """SIGHUP: all models anew."""
        for name in list(self.engine.specs):
            try:
                loaded = await self.engine.reload(name)
            except Refused as refused:
                self.say(f"{name} was not loaded anew: {refused.message}")
            else:
                self.say(f"{name} is served in version {loaded.version}")


def url_of(host: str, port: int) -> str:
    """Where a browser on this machine finds the server.

    Examples
    --------
    >>> url_of("127.0.0.1", 8000), url_of("::", 80)
    ('http://127.0.0.1:8000', 'http://[::1]:80')
    """
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"
