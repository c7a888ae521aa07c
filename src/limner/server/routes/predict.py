"""``POST /v1/predict`` and ``POST /v1/predict/batch``."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import time
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from limner.api.confidence import confidence
from limner.core.answers import CONFIDENCE
from limner.core.sample import Image, Sample
from limner.inference.segmenter import PREPARED_PIXELS
from limner.server.answers import Answer, document, file_answer, headers, model_of
from limner.server.decode import Decoded
from limner.server.engine import Seat
from limner.server.found_objects import OUTPUTS as OF_OBJECTS
from limner.server.found_objects import objects_of
from limner.server.intake import Order, Picture, read_order
from limner.server.openapi import BATCH_ANSWERS, BATCH_BODY, PARAMETERS, PREDICT_ANSWERS, PREDICT_BODY
from limner.server.refused import Refused
from limner.server.state import State
from limner.server.unusual import unusual

FILES = ("mask_png", "overlay_png", "probs_npz", "instances_png", "objects_csv")


def router(state: State) -> APIRouter:
    """The routes of the plain API that segment."""
    routes = APIRouter(tags=["predict"])

    @routes.post(
        "/v1/predict", responses=PREDICT_ANSWERS, openapi_extra={"parameters": PARAMETERS, "requestBody": PREDICT_BODY}
    )
    async def predict(request: Request) -> Response:
        """Segment one picture."""
        state.engine.check(request.query_params.get("model") or None)
        order = await read_order(request, state.settings.limits, many=False)
        return await _predict(state, request, order)

    @routes.post(
        "/v1/predict/batch",
        responses=BATCH_ANSWERS,
        openapi_extra={"parameters": PARAMETERS, "requestBody": BATCH_BODY},
    )
    async def predict_batch(request: Request) -> Response:
        """Segment several pictures; those that fail are named, the others are answered."""
        state.engine.check(request.query_params.get("model") or None)
        order = await read_order(request, state.settings.limits, many=True)
        if order.output in FILES:
            raise Refused(
                422, "option", f"several pictures are answered in one JSON document; {order.output} is a file"
            )
        request.state.model = state.engine.get(order.model).name
        together = asyncio.Semaphore(max(1, min(state.settings.limits.batch, state.settings.limits.queue // 2)))

        async def row(picture: Picture) -> dict[str, Any]:
            async with together:
                try:
                    found = await _answers(state, request, order, picture)
                except Refused as refused:
                    state.metrics.rejected(refused.code)
                    return {"name": picture.name, "error": refused.as_dict()}
                return {"name": picture.name, **await asyncio.to_thread(_document, found, order)}

        results = await asyncio.gather(*(row(picture) for picture in order.pictures))
        return _json({"results": results, "failed": sum("error" in result for result in results)})

    return routes


async def _predict(state: State, request: Request, order: Order) -> Response:
    if order.frames == "all" and order.output in FILES:
        raise Refused(422, "option", f"frames=all is answered in one JSON document; {order.output} is one file")
    answers = await _answers(state, request, order, order.pictures[0])
    request.state.model = answers[0].loaded.name
    if order.output in FILES:
        return await asyncio.to_thread(file_answer, answers[0], order.output)
    return _json(await asyncio.to_thread(_document, answers, order), headers(answers[0]))


async def _answers(state: State, request: Request, order: Order, picture: Picture) -> list[Answer]:
    """One answer for each frame of a picture.

    Raises
    ------
    Refused : it is not segmented.
    """
    deadline = request.state.deadline
    with state.engine.seat(order.model) as seat:
        begun = time.monotonic()
        decoded = await state.decode(picture.data, frames=order.frames, deadline=deadline)
        seconds = {"decode": time.monotonic() - begun}
        return [
            await _answer(state, request, order, picture.name, decoded, frame, seat=seat, seconds=dict(seconds))
            for frame in decoded.frames
        ]


async def _answer(
    state: State, request: Request, order: Order, name: str, decoded: Decoded, image: Image, *,
    seat: Seat, seconds: dict[str, float],
) -> Answer:  # fmt: skip
    begun = time.monotonic()
    loaded, bundle = seat.loaded, seat.loaded.bundle
    is_judged = order.output == "json" and bundle is not None and bool(bundle.answers.get(CONFIDENCE))
    is_judged = is_judged and image.shape[0] * image.shape[1] <= PREPARED_PIXELS  # as on the command line
    options = dataclasses.replace(order.options, scores=order.output == "probs_npz" or is_judged)
    prediction = await state.engine.predict(
        seat, Sample(name, image), options=options, deadline=request.state.deadline, gone=request.is_disconnected
    )
    if order.output in OF_OBJECTS:
        objects_of(prediction, loaded.name)
    warnings, sure = list(decoded.warnings), None
    if bundle is not None:
        warnings += await unusual(image, loaded)
        if is_judged and prediction.scores is not None:
            sure = await asyncio.to_thread(confidence, prediction.scores, bundle, prediction.labels)
    seconds |= {
        "queue": seat.seconds_queued,
        "predict": prediction.seconds,
        "total": seconds["decode"] + time.monotonic() - begun,
    }
    return Answer(name, image, prediction, loaded, sure, tuple(warnings), seconds, order.spacing_mm)


def _document(answers: list[Answer], order: Order) -> dict[str, Any]:
    if order.frames is None:
        return document(answers[0], order.output, mask=order.mask)
    frames = [document(answer, order.output, mask=order.mask) for answer in answers]
    return {"model": model_of(answers[0].loaded), "frames": frames}


def _json(content: dict[str, Any], more: dict[str, str] | None = None) -> Response:
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Response(
        text.encode("utf-8", "replace"),
        media_type="application/json",
        headers={"Cache-Control": "no-store", **(more or {})},
    )
