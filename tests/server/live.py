"""The application of a server in this process, with networks of three lines; requests go through all layers but a socket."""

import asyncio
import threading

import httpx
import numpy as np

from limner.classical import METHODS
from limner.core.bundle import Bundle, InputContract
from limner.core.labels import LabelSpace
from limner.inference.segmenter import NetworkSegmenter
from limner.server.app import create_app
from limner.server.engine import Engine
from limner.server.loaded import ModelSpec, Opened
from limner.server.settings import Settings

ADDRESS = "http://127.0.0.1:8000"
CONTRACT = InputContract(
    channels=3, scale=1.0, normalization="fixed", intensity_range=(0.0, 255.0), tile=0, overlap=0.25, flips="", threshold=0.5
)  # fmt: skip
SPACES = {"cells": LabelSpace(("background", "cell")), "colors": LabelSpace(("background", "cell", "<b>&wall"))}


def bright(batch):
    """Logits of one map: foreground where the first channel is above its middle."""
    return np.asarray(8 * batch[:, :1], np.float32)


def colors(batch):
    """Each channel is the logit of a class."""
    return np.asarray(8 * batch, np.float32)


class Models:
    """Opens ``cells`` (two classes), ``colors`` (three) and methods by name; counts what the networks compute."""

    def __init__(self, folder):
        self.folder = folder
        self.calls = 0

    def __call__(self, spec):
        if spec.path in METHODS:
            return Opened(METHODS[spec.path], METHODS[spec.path].label_space)
        (self.folder / "bundle.json").write_text(f'"{spec.path}"')
        space = SPACES[spec.path]
        network = bright if spec.path == "cells" else colors

        def predictor(batch):
            self.calls += 1
            return network(batch)

        bundle = Bundle(self.folder, "unet", {"channels": 3, "maps": space.num_maps}, space, CONTRACT)
        return Opened(NetworkSegmenter(predictor, CONTRACT, space, 3), space, bundle, "fake")


class Live:
    """An application with its event loop in a thread of its own."""

    def __init__(self, folder, names=("cells", "colors", "otsu"), **settings):
        self.models = Models(folder)
        self.settings = Settings(**settings)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._wait(self._start(names))

    async def _start(self, names):
        self.engine = Engine([ModelSpec(name, name) for name in names], self.models, limits=self.settings.limits)
        await self.engine.start()
        self.app = create_app(self.settings, self.engine)
        transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
        self.client = httpx.AsyncClient(transport=transport, base_url=ADDRESS, timeout=30)

    def _wait(self, task):
        return asyncio.run_coroutine_threadsafe(task, self._loop).result(60)

    def ask(self, method, path, **options):
        """The answer to one request."""
        return self._wait(self.client.request(method, path, **options))

    def ask_all(self, requests):
        """The answers to requests ``(method, path, options)`` sent at once."""

        async def gathered():
            return await asyncio.gather(*(self.client.request(m, p, **o) for m, p, o in requests))

        return self._wait(gathered())

    def close(self):
        """End the loop, the threads and the processes."""

        async def stop():
            await self.client.aclose()
            self.app.state.limner.decoder.close()
            others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        self._wait(stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
