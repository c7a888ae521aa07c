"""Bodies are counted while they arrive, whatever the header says of their length, and below everything that stores them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from limner.server.errors import error_response
from limner.server.headers import headers_of
from limner.server.held import Held
from limner.server.limits import Limits
from limner.server.metrics import Asgi, Message, Metrics, Receive, Scope, Send
from limner.server.refused import Refused

DISCARD_SECONDS = 2.0  # a client that is still sending when it is refused would lose the answer if we hung up at once
DISCARD_TIMES = 2


class Body:
    """ASGI middleware: limits the size of a body, the time it takes, and what all bodies together hold."""

    def __init__(self, app: Asgi, limits: Limits, held: Held, metrics: Metrics) -> None:
        self.app, self.limits, self.held, self.metrics = app, limits, held, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; when its body breaks a limit, the refusal is the answer whatever the route made of it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        with self.held.request() as holding:
            counter = _Counter(self.limits, receive, holding.take, scope)
            scope.setdefault("state", {})["deadline"] = counter.deadline

            async def passing(message: Message) -> None:
                if counter.refusal is not None and not counter.has_begun:
                    return
                if message["type"] == "http.response.start":
                    counter.has_begun = True
                    message = await counter.before_answer(message)
                await send(message)

            try:
                counter.check_stated()
                await self.app(scope, counter.receive, passing)
            except Refused as refused:  # of the stated length; the application answers its own
                self.metrics.rejected(refused.code)
                counter.refusal = refused
            if counter.refusal is not None and not counter.has_begun:
                refusal, counter.refusal = counter.refusal, None
                await error_response(refusal, scope["path"])(scope, receive, passing)


class _Counter:
    """Counts the body of one request."""

    def __init__(self, limits: Limits, receive: Receive, take: Callable[[int], None], scope: Scope) -> None:
        self.limits, self._receive, self._take = limits, receive, take
        self._headers = headers_of(scope)
        self.refusal: Refused | None = None
        self.has_begun = False  # to answer
        self.deadline = time.monotonic() + limits.seconds
        self._bytes = 0
        self._has_ended = not {"content-length", "transfer-encoding"} & set(self._headers)

    def check_stated(self) -> None:
        """Refuse a body that says itself that it is too large, before it is read.

        Raises
        ------
        Refused : 413.
        """
        stated = self._headers.get("content-length", "0")
        if stated.isdecimal() and (len(stated) > 18 or int(stated) > self.limits.body_bytes):
            self._refuse_size()

    def _refuse_size(self) -> None:
        limit = self.limits.body_bytes
        raise Refused(413, "body", f"the body is larger than {limit:,} bytes", limit={"body_bytes": limit})

    async def receive(self) -> Message:
        """The next message, counted."""
        if self.refusal is not None:
            raise self.refusal
        if self._has_ended:
            return await self._receive()  # waits until the client goes
        try:
            left = self.deadline - time.monotonic()
            try:
                message = await asyncio.wait_for(self._receive(), max(0.0, left))
            except TimeoutError:
                raise Refused(
                    408, "slow_body", "the body did not arrive in time", limit={"seconds": self.limits.seconds}
                ) from None
            if message["type"] == "http.request":
                self._bytes += len(message.get("body", b""))
                self._has_ended = not message.get("more_body", False)
                if self._bytes > self.limits.body_bytes:
                    self._refuse_size()
                self._take(len(message.get("body", b"")))
            else:
                self._has_ended = True
        except Refused as refused:
            self.refusal = refused
            raise
        return message

    async def before_answer(self, message: Message) -> Message:
        """Read on for a moment without keeping anything: a client that sends first and reads later would lose the answer if the
        connection were closed at once. A client that asked whether to send has not begun.
        """
        until, most = time.monotonic() + DISCARD_SECONDS, self._bytes + DISCARD_TIMES * self.limits.body_bytes
        is_asked = "expect" in self._headers and not self._bytes
        while not self._has_ended and not is_asked and self._bytes < most:
            try:
                got = await asyncio.wait_for(self._receive(), max(0.0, until - time.monotonic()))
            except TimeoutError:
                break
            self._bytes += len(got.get("body", b""))
            self._has_ended = got["type"] != "http.request" or not got.get("more_body", False)
        if self._has_ended:
            return message
        return {**message, "headers": [*message.get("headers", []), (b"connection", b"close")]}
