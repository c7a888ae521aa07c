"""The Open Inference Protocol, version 2, over HTTP: metadata, readiness and tensors in JSON.

Paths and fields: https://github.com/kserve/open-inference-protocol, specification/protocol/inference_rest.md.
A model takes one of two inputs: ``image``, files in base64 that go the whole way to label maps, or ``input``, numbers that nothing
but the network sees.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import ExitStack
from typing import Any

import numpy as np
import numpy.typing as npt
from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response, StreamingResponse

import limner
from limner.core.bundle import InputContract
from limner.core.object_head import QUERIES
from limner.core.sample import Sample
from limner.server.held import take
from limner.server.json_body import parse_body, picture_bytes
from limner.server.loaded import Loaded
from limner.server.model_metadata import IMAGE, INPUT, LABELS, LOGITS, metadata, network_channels
from limner.server.refused import Refused
from limner.server.state import State
from limner.server.tensors import (
    LEAST_SIDE,
    LEAST_SIDES,
    MOST_NUMBERS,
    Tensor,
    answer_parts,
    network_input,
    read_tensor,
    texts,
)
from limner.server.unusual import unusual

MODEL = "/v2/models/{model}"
VERSION = MODEL + "/versions/{version}"


# long because it holds a function for each address of the protocol
def router(state: State) -> APIRouter:
    """The routes of the protocol; their errors are ``{"error": "..."}``."""
    routes = APIRouter(tags=["open inference protocol"])
    one_at_a_time = asyncio.Semaphore(1)  # parsing: a body of 32 MiB becomes hundreds of MiB of numbers

    @routes.get("/v2")
    async def server_metadata() -> dict[str, Any]:
        """Name, version and extensions of the server."""
        return {"name": "limner", "version": limner.__version__, "extensions": []}

    @routes.get("/v2/health/live")
    async def live() -> dict[str, bool]:
        """The process answers."""
        return {"live": True}

    @routes.get("/v2/health/ready")
    async def ready() -> JSONResponse:
        """All models are ready; 503 while loading or stopping."""
        is_ready = state.engine.is_ready
        return JSONResponse({"live": True, "ready": is_ready}, 200 if is_ready else 503)

    async def model_metadata(model: str, version: str | None = None) -> dict[str, Any]:
        """What the model takes and gives, how it prepares pictures, its classes."""
        return metadata(chosen(state, model, version))

    async def model_ready(model: str, version: str | None = None) -> JSONResponse:
        """Whether the model is ready; 503 where it is not."""
        loaded = chosen(state, model, version)
        return JSONResponse({"name": loaded.name, "ready": loaded.ready}, 200 if loaded.ready else 503)

    async def infer(request: Request, model: str, version: str | None = None) -> Response:
        """Label maps of pictures (BYTES), or logits of a tensor (FP32)."""
        loaded = chosen(state, model, version)
        request.state.model = loaded.name
        deadline: float = request.state.deadline
        body = await request.body()
        async with one_at_a_time:
            if time.monotonic() > deadline:
                raise Refused(504, "deadline", "the request waited too long to be read")
            document, sent, batch = await run_in_threadpool(read_request, body, loaded, state.settings.limits.side)
            take(0 if batch is None else batch.nbytes)
        warnings: list[str] = []
        if batch is None:
            answer, warnings = await label_maps(state, loaded, sent, request, deadline)
        else:
            answer = await state.engine.logits(loaded.name, batch, deadline=deadline)
            if not np.isfinite(answer).all():
                raise Refused(422, "not_finite", "the network answers with values that are not finite")
        take(answer.nbytes)  # until a client that reads slowly has it all
        head: dict[str, Any] = {"model_name": loaded.name, "model_version": loaded.version}
        if warnings:
            head["parameters"] = {"warnings": warnings}
        if "id" in document:
            head["id"] = document["id"]
        outputs = {LABELS if batch is None else LOGITS: answer}
        return StreamingResponse(answer_parts(head, outputs), media_type="application/json")

    for path, suffix in ((MODEL, ""), (VERSION, "_version")):
        routes.add_api_route(path, model_metadata, methods=["GET"], name=f"model_metadata{suffix}")
        routes.add_api_route(f"{path}/ready", model_ready, methods=["GET"], name=f"model_ready{suffix}")
        routes.add_api_route(f"{path}/infer", infer, methods=["POST"], name=f"infer{suffix}")
    return routes


def chosen(state: State, model: str, version: str | None) -> Loaded:
    """The model of a path.

    Raises
    ------
    Refused : 404; no such model, or another version of it is served.
    """
    loaded = state.engine.get(model)
    if version is not None and version != loaded.version:
        raise Refused(404, "version", f"model {loaded.name} is served in version {loaded.version} only")
    return loaded


def read_request(
    body: bytes, loaded: Loaded, most_side: int
) -> tuple[dict[str, Any], Tensor, npt.NDArray[np.float32] | None]:
    """The document of a request, its input, and the numbers for the network where the input holds such.

    Raises
    ------
    Refused : 422, 413; not as the protocol has it, not known to this model, too large.
    """
    document = parse_body(body, most_values=MOST_NUMBERS)
    sent = the_input(document)
    check_outputs(document, LOGITS if sent.name == INPUT else LABELS)
    if sent.name == IMAGE:
        return document, sent, None
    channels = network_channels(loaded)
    if not channels:
        raise Refused(422, "tensor", f"{loaded.name} is a classical method, which takes {IMAGE} (BYTES) only")
    space, contract = loaded.label_space, None if loaded.bundle is None else loaded.bundle.contract
    maps = space.num_maps if contract is None else contract.num_maps(space)
    own_hw = None if contract is None else size_of_queries(contract)
    least = LEAST_SIDES.get(loaded.architecture, LEAST_SIDE)
    numbers = network_input(sent, channels=channels, most_side=most_side, num_outputs=maps, own_hw=own_hw, least=least)
    return document, sent, numbers


def size_of_queries(contract: InputContract) -> tuple[int, int] | None:
    """The size that a network with query masks brings every picture to; None for other networks."""
    has_queries = contract.objects is not None and contract.objects.head == QUERIES
    return contract.resize_hw if has_queries and all(contract.resize_hw) else None


def the_input(document: dict[str, Any]) -> Tensor:
    """The only input tensor of a request.

    Raises
    ------
    Refused : 422; none or several, an unknown name, another data type, an identifier that is no text.
    """
    if not isinstance(document.get("id", ""), str):
        raise Refused(422, "tensor", "id is not a text")
    inputs = document.get("inputs")
    if not isinstance(inputs, list) or len(inputs) != 1:
        raise Refused(422, "tensor", f"inputs is not a list of one tensor; give {IMAGE} (BYTES) or {INPUT} (FP32)")
    sent = read_tensor(inputs[0], where="inputs[0]")
    wanted = {IMAGE: "BYTES", INPUT: "FP32"}.get(sent.name)
    if wanted is None:
        raise Refused(422, "tensor", f"unknown input {sent.name[:40]!r}; known: {IMAGE} (BYTES), {INPUT} (FP32)")
    if sent.datatype != wanted:
        raise Refused(422, "tensor", f"{sent.name} has data type {sent.datatype[:40]!r}; {wanted} is needed")
    return sent


def check_outputs(document: dict[str, Any], has: str) -> None:
    """Look at which outputs a request asks for; without any it gets all.

    Raises
    ------
    Refused : 422; another output than `has` is asked for.
    """
    outputs = document.get("outputs")
    if outputs is None:
        return
    if not isinstance(outputs, list) or not all(isinstance(entry, dict) for entry in outputs):
        raise Refused(422, "tensor", "outputs is not a list of objects")
    other = [str(entry.get("name"))[:40] for entry in outputs if entry.get("name") != has]
    if other:
        raise Refused(422, "tensor", f"unknown output {other[0]!r}; this input gives {has}")


async def label_maps(
    state: State, loaded: Loaded, sent: Tensor, request: Request, deadline: float
) -> tuple[npt.NDArray[Any], list[str]]:
    """``(N, H, W)`` class ids of picture files, and what is unusual about them.

    Raises
    ------
    Refused : as of `State.decode` and `Engine.predict`; 422 for pictures of several sizes.
    """
    limits = state.settings.limits
    files = texts(sent, most=limits.parts)
    if len(files) > limits.queue:  # no waiting would help
        found = (
            f"{sent.name} holds {len(files)} pictures, the queue of a model {limits.queue}; send fewer in one request"
        )
        raise Refused(413, "queue", found, limit={"queue": limits.queue})
    with ExitStack() as stack:
        seats = [
            stack.enter_context(state.engine.seat(loaded.name)) for _ in files
        ]  # all or none, before anything is decoded
        decoded = [
            await state.decode(picture_bytes(text, where=f"picture {index}"), deadline=deadline)
            for index, text in enumerate(files)
        ]
        if len({picture.image.shape[:2] for picture in decoded}) > 1:
            raise Refused(422, "sizes", "the pictures have several sizes; send each size in a request of its own")
        predictions = await asyncio.gather(*(
            state.engine.predict(seat, Sample("picture", picture.image), deadline=deadline, gone=request.is_disconnected)
            for seat, picture in zip(seats, decoded, strict=True)
        ))  # fmt: skip
    warnings = [
        f"picture {index}: {text}"
        for index, picture in enumerate(decoded)
        for text in (*picture.warnings, *await unusual(picture.image, loaded))
    ]
    return np.stack([prediction.labels for prediction in predictions]), warnings
