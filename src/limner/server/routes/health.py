"""Is the process there, may it be asked, and how much does it take."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from limner.server.refused import Refused
from limner.server.state import State


def router(state: State) -> APIRouter:
    """``/healthz``, ``/readyz`` and ``/v1/limits``."""
    routes = APIRouter(tags=["server"])

    @routes.get("/healthz")
    async def health() -> dict[str, str]:
        """The process is there."""
        return {"status": "alive"}

    @routes.get("/readyz", responses={503: {"description": "Models are being loaded, or the server is about to stop."}})
    async def ready() -> dict[str, str]:
        """Every model made its first prediction and the server accepts work."""
        if state.engine.is_draining:
            raise Refused(503, "stopping", "the server is about to stop")
        if not state.engine.is_ready:
            raise Refused(503, "loading", "models are being loaded", retry_after=2)
        return {"status": "ready"}

    @routes.get("/v1/limits")
    async def limits() -> dict[str, Any]:
        """How much one request, and all of them together, may take."""
        return state.settings.limits.as_dict()

    return routes
