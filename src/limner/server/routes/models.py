"""Which models there are, and loading one anew."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from limner.server.answers import class_table
from limner.server.engine import Engine
from limner.server.loaded import Loaded
from limner.server.state import State

SCORES = ("split", "dice", "iou")  # of all that were measured


def router(state: State) -> APIRouter:
    """``/v1/models``, ``/v1/models/{model}`` and its ``reload``."""
    routes = APIRouter(tags=["models"])

    @routes.get("/v1/models")
    async def models() -> dict[str, Any]:
        """All models that answer."""
        return {"models": [described(loaded, state.engine) for loaded in state.engine.models()]}

    @routes.get("/v1/models/{model}", responses={404: {"description": "There is no such model."}})
    async def model(model: str, request: Request) -> dict[str, Any]:
        """One model."""
        loaded = state.engine.get(model)
        request.state.model = loaded.name
        return described(loaded, state.engine)

    @routes.post(
        "/v1/models/{model}/reload",
        responses={
            404: {"description": "There is no such model."},
            422: {"description": "The files cannot be loaded; the old model goes on answering."},
        },
    )
    async def reload(model: str, request: Request) -> dict[str, Any]:
        """Read the model's files again, let it make one prediction, then put it in the place of the old one."""
        loaded = await state.engine.reload(model)
        request.state.model = loaded.name
        return described(loaded, state.engine)

    return routes


def described(loaded: Loaded, engine: Engine) -> dict[str, Any]:
    """What is told of a model; nothing of where it lies on the disk."""
    found: dict[str, Any] = {
        "name": loaded.name,
        "version": loaded.version,
        "architecture": loaded.architecture,
        "classes": class_table(loaded.label_space),
        **({"things": list(loaded.label_space.things)} if loaded.label_space.things else {}),
        "input": {"channels": loaded.channels},
        "ready": loaded.ready and not engine.is_draining,
        "runtime": loaded.runtime,
        "batching": engine.batches(loaded),
    }
    if loaded.bundle is None or loaded.bundle.method is not None:
        return found
    contract = loaded.bundle.contract
    found["input"] = {
        "channels": contract.channels,
        "scale": contract.scale,
        "normalization": contract.normalization,
        "intensity_range": list(contract.intensity_range),
        "tile": contract.tile,
        "flips": contract.flips,
        "threshold": loaded.bundle.calibrated_threshold,
    }
    scores = loaded.bundle.training.get("scores") or {}
    return {**found, "scores": {key: scores[key] for key in SCORES if key in scores}} if scores else found
