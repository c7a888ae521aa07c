"""The application: routes, and around them what counts, guards and limits every request."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

import limner
from limner.server.body import Body
from limner.server.decode import Decoder
from limner.server.engine import Engine
from limner.server.errors import error_response
from limner.server.guard import Guard
from limner.server.headers import Headers
from limner.server.metrics import CountRequests
from limner.server.refused import Refused
from limner.server.routes import docs, health, huggingface, inference_protocol, metrics, models, page, predict
from limner.server.settings import Settings
from limner.server.state import State
from limner.server.token import Access

LOG = logging.getLogger("limner.server")
ROUTERS = (health, models, predict, huggingface, inference_protocol, metrics, docs, page)


def create_app(settings: Settings, engine: Engine, *, access: Access | None = None) -> FastAPI:
    """The application of one server.

    Parameters
    ----------
    engine : started by whoever runs the application.
    access : checks the token; default: one for the token of `settings`, None where that is None.
    """
    if access is None and settings.token is not None:
        access = Access(settings.token, port=settings.port)
    state = State(settings, engine, Decoder(settings.limits))

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        state.decoder.close()

    app = FastAPI(
        title="Limner", version=limner.__version__, docs_url=None, redoc_url=None, lifespan=lifespan,
        description="Labels for pictures, by models that Limner trained.",
    )  # fmt: skip
    app.state.limner = state
    for module in ROUTERS:
        app.include_router(module.router(state))

    async def refuse(request: Request, error: Exception) -> Response:
        refused = cast(Refused, error)
        engine.metrics.rejected(refused.code)
        return error_response(refused, request.url.path)

    app.add_exception_handler(Refused, refuse)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Exception, _bug)
    # the last one added is the outermost
    app.add_middleware(Guard, settings=settings, access=access, metrics=engine.metrics)
    app.add_middleware(Body, limits=settings.limits, held=engine.held, metrics=engine.metrics)
    app.add_middleware(Headers, origins=settings.origins, is_closing=lambda: engine.is_draining)
    app.add_middleware(CountRequests, metrics=engine.metrics)
    return app


async def _http(request: Request, error: Exception) -> Response:
    """Paths and methods that do not exist."""
    found = cast(HTTPException, error)
    codes = {404: ("path", "there is nothing at this address"), 405: ("method", "this address takes another method")}
    code, message = codes.get(found.status_code, ("request", str(found.detail)))
    answer = error_response(Refused(found.status_code, code, message), request.url.path)
    answer.headers.update(found.headers or {})
    return answer


async def _invalid(request: Request, error: Exception) -> Response:
    """Options of the wrong kind."""
    first = cast(RequestValidationError, error).errors()[0]
    place = ".".join(str(part) for part in first.get("loc", ()))
    return error_response(Refused(422, "option", f"{place}: {first.get('msg', 'not valid')}"), request.url.path)


async def _bug(request: Request, error: Exception) -> Response:
    """A mistake in the program: the log tells it, the answer does not."""
    LOG.error("a request failed", exc_info=error)
    return error_response(Refused(500, "internal", f"the server failed ({type(error).__name__})"), request.url.path)
