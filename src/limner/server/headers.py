"""The headers of every answer, and one line in the log for it; no line ever holds a query, which may hold a token."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from urllib.parse import quote

from limner.server.metrics import Asgi, Message, Receive, Scope, Send

LOG = logging.getLogger("limner.access")
POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; object-src 'none'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


class Headers:
    """ASGI middleware: a route's own headers win over these; pages of allowed origins may read the answer.

    Parameters
    ----------
    is_closing : whether the server is about to stop; connections then end with their answer, and clients know it.
    """

    def __init__(self, app: Asgi, origins: tuple[str, ...], is_closing: Callable[[], bool]) -> None:
        self.app, self.origins, self.is_closing = app, origins, is_closing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and dress its answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun, status = time.perf_counter(), 500
        shared = self._shared(headers_of(scope).get("origin"))

        async def dressed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = int(message["status"])
                given = {name.lower() for name, _ in message.get("headers", [])}
                added = {name: value for name, value in HEADERS.items() if name.encode() not in given} | shared
                if self.is_closing() and b"connection" not in given:
                    added["connection"] = "close"
                extra = [(name.encode(), value.encode("latin-1")) for name, value in added.items()]
                message = {**message, "headers": [*message.get("headers", []), *extra]}
            await send(message)

        try:
            await self.app(scope, receive, dressed)
        finally:
            milliseconds = (time.perf_counter() - begun) * 1000
            LOG.info("%s %s %d %.0f ms", scope["method"], quote(scope["path"]), status, milliseconds)

    def _shared(self, origin: str | None) -> dict[str, str]:
        if origin is None or origin not in self.origins:
            return {}
        return {"access-control-allow-origin": origin, "vary": "Origin", "cross-origin-resource-policy": "cross-origin"}


def headers_of(scope: Scope) -> dict[str, str]:
    """The headers of a request by their names in small letters; of a repeated one the last."""
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
