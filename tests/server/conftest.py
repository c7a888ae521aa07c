"""Real servers on loopback, each in a thread of this process, ended with the test."""

import asyncio
import threading

import httpx
import pytest

from limner.server.engine import Engine
from limner.server.limits import Limits
from limner.server.loaded import ModelSpec
from limner.server.run import Process, bind
from limner.server.settings import Settings

ONE = (ModelSpec("m", "m"),)


class Running:
    """A server in a thread."""

    def __init__(self, opener, *, specs=ONE, limits=None, wait=True, **settings):
        limits = limits or Limits()
        self.listener = bind("127.0.0.1", 0)
        self.settings = Settings(port=self.listener.getsockname()[1], limits=limits, **settings)
        self.engine = Engine(list(specs), opener, limits=limits)
        self.url = f"http://127.0.0.1:{self.settings.port}"
        self.said, self.documents, self.code, self.error = [], [], None, None
        self._is_up = threading.Event()
        self._thread = threading.Thread(target=self._live)
        self._thread.start()
        if wait:
            assert self._is_up.wait(30), "the server did not start"
        self.client = httpx.Client(base_url=self.url, timeout=30, trust_env=False)

    def _live(self):
        async def live():
            self.loop = asyncio.get_running_loop()
            self.process = Process(self.settings, self.engine, self.listener, self._ready, self.said.append)
            self.code = await self.process.live()

        try:
            asyncio.run(live())
        except Exception as error:
            self.error = error
        finally:
            self._is_up.set()

    def _ready(self, document):
        self.documents.append(document)
        self._is_up.set()

    def post(self, data, path="/v1/predict", *, kind="image/png", headers=None, **query):
        """The answer to a bare picture file."""
        return self.client.post(path, content=data, params=query, headers={"Content-Type": kind, **(headers or {})})

    def tell_to_stop(self):
        self.loop.call_soon_threadsafe(self.process.stop)

    def join(self):
        self._thread.join(30)
        assert not self._thread.is_alive()
        return self.code

    def close(self):
        self.client.close()
        if self._thread.is_alive():
            self.tell_to_stop()
            self.join()


@pytest.fixture
def serving():
    """Starts servers: ``serving(opener, **settings) -> Running``."""
    running = []

    def start(opener, **options):
        running.append(Running(opener, **options))
        return running[-1]

    yield start
    for one in running:
        one.close()
