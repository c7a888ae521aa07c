"""The image segmentation task in the shape that Hugging Face's clients speak: one black-and-white mask per class.

Fields: the task specification ``image-segmentation`` of @huggingface/tasks (input.json and output.json); what the thresholds mean
for one mask per class is said at `segments`.
"""

from __future__ import annotations

import base64
import io
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import PIL.Image
from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse

from limner.core.object_head import QUERIES
from limner.core.prediction import Prediction
from limner.core.sample import Sample
from limner.server.json_body import number_of, parse_body, picture_bytes
from limner.server.loaded import Loaded
from limner.server.options import Options, network_of
from limner.server.refused import Refused
from limner.server.state import State
from limner.server.unusual import header, unusual

JSON = "application/json"
PARAMETERS = ("threshold", "mask_threshold", "overlap_mask_area_threshold", "subtask")

_SHARE = {"type": "number", "minimum": 0, "maximum": 1}
CONTENT: dict[str, Any] = {
    JSON: {"schema": {"type": "object", "required": ["inputs"], "properties": {
        "inputs": {"type": "string", "description": "a picture file in base64"},
        "parameters": {"type": "object", "properties": {
            "threshold": {**_SHARE, "description": "segments whose mean score is lower are left out"},
            "mask_threshold": {**_SHARE, "description": "score above which a pixel belongs to a class"},
            "overlap_mask_area_threshold": {**_SHARE, "description": "share of its own pixels that a class must have won"},
            "subtask": {"type": "string", "enum": ["semantic"]},
        }},
    }}},
    "image/png": {"schema": {"type": "string", "format": "binary"}},
    "image/jpeg": {"schema": {"type": "string", "format": "binary"}},
}  # fmt: skip


@dataclass(frozen=True)
class Parameters:
    """What a client may choose; None = not chosen.

    Parameters
    ----------
    threshold : segments whose score is lower are left out.
    mask_threshold : score above which a pixel belongs to a class.
    overlap_mask_area_threshold : share of the pixels above `mask_threshold` that a class must have won from the others.
    """

    threshold: float | None = None
    mask_threshold: float | None = None
    overlap: float | None = None

    @property
    def needs_scores(self) -> bool:
        """True where labels alone do not decide."""
        return not (self.threshold is None and self.mask_threshold is None and self.overlap is None)


def router(state: State) -> APIRouter:
    """The route of the task."""
    routes = APIRouter(tags=["hugging face"])

    @routes.post("/hf/models/{model}", openapi_extra={"requestBody": {"required": True, "content": CONTENT}})
    async def image_segmentation(request: Request, model: str) -> JSONResponse:
        """One black-and-white mask per class that the picture shows; the body is a picture file, or JSON."""
        loaded = state.engine.get(model)
        request.state.model = loaded.name
        deadline: float = request.state.deadline
        data, parameters = read_request(await request.body(), request.headers.get("content-type", ""))
        options = options_for(loaded, parameters)
        with state.engine.seat(loaded.name) as seat:
            decoded = await state.decode(data, deadline=deadline)
            sample = Sample("picture", decoded.image)
            prediction = await state.engine.predict(
                seat, sample, options=options, deadline=deadline, gone=request.is_disconnected
            )
        warnings = [*decoded.warnings, *await unusual(decoded.image, loaded)]
        found = await run_in_threadpool(segments, prediction, parameters)
        return JSONResponse(found, headers={**header(warnings), "Cache-Control": "no-store"})

    return routes


def options_for(loaded: Loaded, parameters: Parameters) -> Options:
    """What is asked of the model: a threshold where it decides alone; where queries do, it bounds the overlap."""
    contract = None if loaded.bundle is None else loaded.bundle.contract
    objects = None if contract is None else contract.objects
    by_queries = objects is not None and objects.head == QUERIES and bool(loaded.label_space.things)
    return Options(
        threshold=parameters.mask_threshold if len(loaded.label_space) == 2 and not by_queries else None,
        scores=parameters.needs_scores or network_of(loaded.segmenter) is not None,
    )


def read_request(body: bytes, content_type: str) -> tuple[bytes, Parameters]:
    """The picture file and the parameters of a request: JSON, or the bytes of the file.

    Raises
    ------
    Refused : 422; no base64 in ``inputs``, or a parameter that is not known or out of bounds.
    """
    if content_type.partition(";")[0].strip().lower() != JSON:
        return body, Parameters()
    document = parse_body(body)
    given = document.get("parameters")
    if given is not None and not isinstance(given, dict):
        raise Refused(422, "parameter", "parameters is not an object")
    table = given or {}
    unknown = sorted(set(table) - set(PARAMETERS))
    if unknown:
        raise Refused(422, "parameter", f"unknown parameter {unknown[0][:40]!r}; known: {', '.join(PARAMETERS)}")
    if table.get("subtask") not in (None, "semantic"):
        raise Refused(422, "subtask", f"subtask {str(table['subtask'])[:40]!r} is not served; semantic is")
    chosen = Parameters(
        number_of(table, "threshold"),
        number_of(table, "mask_threshold"),
        number_of(table, "overlap_mask_area_threshold"),
    )
    return picture_bytes(document.get("inputs"), where="inputs"), chosen


def segments(prediction: Prediction, parameters: Parameters) -> list[dict[str, Any]]:
    """One entry per class that has pixels, the background first.

    Parameters
    ----------
    prediction : labels and, where the model has any, scores; with two classes already decided at ``mask_threshold``.
    parameters : where several classes compete, ``mask_threshold`` takes pixels of a lower score from their class; ``threshold`` is
        held against the mean score of a class over its mask; ``overlap`` against the share that the mask keeps of all pixels
        where the class alone would be above ``mask_threshold`` (0.5 when not given).

    Returns
    -------
    ``[{"label", "score", "mask"}]``; ``score`` is left out for models without scores, ``mask`` is a PNG in base64: 255 in the
    class, 0 elsewhere.

    Raises
    ------
    Refused : 422; scores that are not finite.
    """
    found = []
    for index, name in enumerate(prediction.label_space.names):
        mask = prediction.labels == index
        scores = class_scores(prediction, index)
        entry: dict[str, Any] = {"label": name}
        if scores is not None:
            if parameters.mask_threshold is not None and len(prediction.label_space) > 2:
                mask &= scores > parameters.mask_threshold
            entry["score"] = float(scores[mask].mean(dtype=np.float64)) if mask.any() else 0.0
            if not math.isfinite(entry["score"]):
                raise Refused(422, "not_finite", "the network answers with scores that are not finite")
        if not mask.any() or not is_kept(mask, scores, entry.get("score"), parameters):
            continue
        entry["mask"] = base64.b64encode(mask_png(mask)).decode()
        found.append(entry)
    return found


def class_scores(prediction: Prediction, index: int) -> npt.NDArray[np.float32] | None:
    """``(H, W)`` scores of a class in [0, 1]; of two classes the background has what the other lacks. None without scores."""
    if prediction.scores is None:
        return None
    if len(prediction.scores) == 1:
        return np.asarray(prediction.scores[0] if index == 1 else 1 - prediction.scores[0])
    return np.asarray(prediction.scores[index])


def is_kept(
    mask: npt.NDArray[np.bool_],
    scores: npt.NDArray[np.float32] | None,
    score: float | None,
    parameters: Parameters,
) -> bool:
    """Whether a segment passes ``threshold`` and ``overlap_mask_area_threshold``."""
    if parameters.threshold is not None and score is not None and score < parameters.threshold:
        return False
    if parameters.overlap is None or scores is None:
        return True
    alone = np.count_nonzero(scores > (0.5 if parameters.mask_threshold is None else parameters.mask_threshold))
    return bool(alone == 0 or np.count_nonzero(mask) / alone > parameters.overlap)


def mask_png(mask: npt.NDArray[np.bool_]) -> bytes:
    """A PNG of mode L, 255 where `mask` ``(H, W)`` holds."""
    file = io.BytesIO()
    PIL.Image.fromarray(mask.astype(np.uint8) * 255).save(file, format="PNG")
    return file.getvalue()
