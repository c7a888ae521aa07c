"""What the server counts, for Prometheus: requests, waits, batches, pixels, refusals."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

from limner.server.exposition import Family, Histogram

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
SIZES = (1, 2, 4, 8, 16, 32, 64)
UNKNOWN = "unknown"  # all paths that are no route count as one

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]


class Metrics:
    """All numbers of one server; every method may be called from any thread."""

    def __init__(self) -> None:
        self.requests = Family(
            "limner_requests_total", "Requests answered, by route, status and model.", ("route", "status", "model")
        )
        self.latency = Histogram(
            "limner_request_seconds", "Seconds from the head of a request to the end of its answer.", ("route",),
            bounds=SECONDS,
        )  # fmt: skip
        self.waits = Histogram(
            "limner_queue_wait_seconds", "Seconds that work waited in the queue.", ("model",), bounds=SECONDS
        )
        self.batches = Histogram("limner_batch_size", "Pictures computed together.", ("model",), bounds=SIZES)
        self.depth = Family("limner_queue_depth", "Work waiting in the queue.", ("model",), kind="gauge")
        self.busy = Family("limner_in_flight", "Requests that are being answered.", kind="gauge")
        self.pixels = Family("limner_pixels_total", "Pixels of pictures segmented.", ("model",))
        self.rejects = Family(
            "limner_rejected_total", "Requests or parts refused, by the code of the error.", ("reason",)
        )
        self.models = Family(
            "limner_model_info", "Models that are served; always 1.", ("model", "version", "architecture", "runtime"),
            kind="gauge",
        )  # fmt: skip
        self.gpu = Family("limner_gpu_memory_bytes", "Memory that tensors take on a GPU.", ("device",), kind="gauge")

    def answered(self, route: str, status: int, *, model: str = "", seconds: float) -> None:
        """A request was answered; `route` is a route's pattern or `UNKNOWN`, `model` the name of a model that is served."""
        self.requests.add(route, str(status), model)
        self.latency.observe(route, of=seconds)

    def waited(self, model: str, seconds: float) -> None:
        """Work left the queue after so many seconds."""
        self.waits.observe(model, of=seconds)

    def computed(self, model: str, *, batch: int, pixels: int) -> None:
        """So many pictures with so many pixels in all were computed together."""
        self.batches.observe(model, of=batch)
        self.pixels.add(model, amount=pixels)

    def queued(self, model: str, depth: int) -> None:
        """So much work waits in the queue of a model now."""
        self.depth.set(model, to=depth)

    def rejected(self, reason: str) -> None:
        """Something was refused; `reason` is one of the codes of `Refused`."""
        self.rejects.add(reason)

    def serving(self, name: str, *, version: str, architecture: str, runtime: str) -> None:
        """A model is served from now on; earlier versions of it no longer are."""
        self.models.discard(lambda key: key[0] == name)
        self.models.set(name, version, architecture, runtime, to=1)

    @contextmanager
    def in_flight(self) -> Iterator[None]:
        """While a request is being answered."""
        self.busy.add(amount=1)
        try:
            yield
        finally:
            self.busy.add(amount=-1)

    def text(self) -> str:
        """All numbers in the text format, ending with a line end."""
        families = (
            self.requests, self.latency, self.waits, self.batches, self.depth, self.busy, self.pixels, self.rejects,
            self.models, self.gpu,
        )  # fmt: skip
        return "\n".join(line for family in families for line in family.lines()) + "\n"


class CountRequests:
    """ASGI middleware, the outermost: counts each request once, those that a guard refused as well.

    The route is its pattern (``/v1/models/{model}``), so that paths that clients make up are one label; the model is what
    the route wrote to ``request.state.model``.
    """

    def __init__(self, app: Asgi, metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and count its answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start, status = time.perf_counter(), 500

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = int(message["status"])
            await send(message)

        try:
            with self.metrics.in_flight():
                await self.app(scope, receive, noting)
        finally:
            route = str(getattr(scope.get("route"), "path", UNKNOWN))
            model = str(scope.get("state", {}).get("model", ""))
            self.metrics.answered(route, status, model=model, seconds=time.perf_counter() - start)
