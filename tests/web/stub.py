"""A server with the documented answers and no model: red is a cell, green is a vessel; any refusal can be ordered."""

import asyncio
import base64
import io
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import PIL.Image
import PIL.ImageOps
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response

from limner.server.refused import Refused
from limner.server.routes import page
from tests.web.drive import COLORS


@dataclass
class Stub:
    """What the stub answers, and what it was asked."""

    names: tuple[str, ...] = ("background", "cell", "vessel")
    warnings: tuple[str, ...] = ()
    confidence: float | None = 0.875
    limits: dict = field(default_factory=lambda: {"body_bytes": 32 * 2**20})
    models: tuple[str, ...] = ("nuclei",)
    refusals: list = field(default_factory=list)  # (status, message, headers), used up one by one
    delay: float = 0.0
    asked: list = field(default_factory=list)  # (output, query, headers, file name)
    masks: list = field(default_factory=list)  # bytes that went out
    running: int = 0
    most_running: int = 0
    address: str = ""


def labels_of(image):
    red, green = image[..., 0].astype(int), image[..., 1].astype(int)
    labels = np.zeros(image.shape[:2], np.uint8)
    labels[red > green + 60] = 1
    labels[green > red + 60] = 2
    return labels


def mask_png(labels):
    picture = PIL.Image.fromarray(labels)
    picture.putpalette([channel for color in COLORS for channel in color])
    stream = io.BytesIO()
    picture.save(stream, format="PNG")
    return stream.getvalue()


def answer(stub, image):
    labels = labels_of(image)
    mask = mask_png(labels)
    stub.masks.append(mask)
    counts = np.bincount(labels.ravel(), minlength=len(stub.names))
    classes = [
        {
            "id": number,
            "name": name,
            "color": "#{:02x}{:02x}{:02x}".format(*COLORS[number % len(COLORS)]),
            "pixels": int(counts[number]),
            "share": counts[number] / labels.size,
            "area": {"value": counts[number] * 0.25, "unit": "µm²"} if number else None,
        }
        for number, name in enumerate(stub.names)
    ]
    return {
        "model": {"name": stub.models[0], "version": "0123456789ab"},
        "size_hw": list(labels.shape),
        "classes": classes,
        "mask_png": base64.b64encode(mask).decode(),
        "confidence": stub.confidence,
        "seconds": {"queue": 0.001, "decode": 0.01, "predict": 0.1, "total": 0.12},
        "warnings": list(stub.warnings),
    }


def drawn(image, smallest):
    labels = labels_of(image)
    labels[:] = 0 if smallest > labels.size else labels  # all regions are smaller than that
    colors = np.array(COLORS, np.float32)[labels]
    blended = np.where(labels[..., None] > 0, image * 0.55 + colors * 0.45, image)
    stream = io.BytesIO()
    PIL.Image.fromarray(np.rint(blended).astype(np.uint8)).save(stream, format="PNG")
    return Response(stream.getvalue(), media_type="image/png")


def refusal(status, message, headers):
    return JSONResponse({"error": {"code": "code", "message": message}}, status, headers)


def application(stub, static=page.STATIC):
    app = FastAPI()
    app.include_router(page.router(None, static=static))

    @app.exception_handler(Refused)
    async def refused(request: Request, error: Refused):
        return JSONResponse({"error": error.as_dict()}, error.status)

    @app.get("/v1/models")
    async def models():
        row = {"version": "0123456789ab", "architecture": "unet", "ready": True, "runtime": "onnx"}
        return {"models": [{"name": name, **row} for name in stub.models]}

    @app.get("/v1/limits")
    async def limits():
        return stub.limits

    @app.post("/v1/predict")
    async def predict(request: Request):
        output = request.query_params.get("output", "json")
        async with request.form() as form:
            name, data = form["image"].filename, await form["image"].read()
        stub.asked.append((output, dict(request.query_params), dict(request.headers), name))
        return (
            refusal(*stub.refusals.pop(0))
            if stub.refusals
            else await work(stub, data, output, int(request.query_params.get("min_area", 0)))
        )

    return app


async def work(stub, data, output, smallest):
    stub.running += 1
    stub.most_running = max(stub.most_running, stub.running)
    await asyncio.sleep(stub.delay)
    stub.running -= 1
    try:
        image = np.asarray(PIL.ImageOps.exif_transpose(PIL.Image.open(io.BytesIO(data))).convert("RGB"))
    except OSError:
        return refusal(415, "files of kind PNG, JPEG and TIFF are read", {})
    return drawn(image, smallest) if output == "overlay_png" else JSONResponse(answer(stub, image))


@contextmanager
def serving(app):
    """The application behind a free port of loopback; gives its address."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until = time.monotonic() + 20
    while not server.started:
        assert thread.is_alive() and time.monotonic() < until
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        server.force_exit = True
        thread.join(10)
