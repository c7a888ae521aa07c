"""``GET /metrics``: the counts of the server for Prometheus."""

from __future__ import annotations

import sys
from typing import Any

from fastapi import APIRouter
from starlette.responses import PlainTextResponse

from limner.server.metrics import CONTENT_TYPE, Metrics
from limner.server.state import State


def router(state: State) -> APIRouter:
    """The route; it obeys the same token as all others."""
    routes = APIRouter(tags=["server"])

    @routes.get("/metrics", response_class=PlainTextResponse)
    def metrics() -> PlainTextResponse:
        """Counts of requests, waits, batches, pixels and refusals in the text format of Prometheus."""
        note_gpu_memory(state.engine.metrics)
        return PlainTextResponse(state.engine.metrics.text(), media_type=CONTENT_TYPE)

    return routes


def note_gpu_memory(metrics: Metrics) -> None:
    """Write down how much memory tensors take on each GPU; nothing where no network runs in torch."""
    torch: Any = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return
    for device in range(torch.cuda.device_count()):
        metrics.gpu.set(str(device), to=float(torch.cuda.memory_allocated(device)))
