"""What a request is told when it is not answered as it hoped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Refused(Exception):
    """A request that gets an error with a status of its own.

    Parameters
    ----------
    status : 404 no such model, 408 body too slow, 413 too large, 415 kind of file, 422 content or option, 429 queue full,
        499 the client has gone, 503 not ready, stopping or unable, 504 waited too long in the queue and was not run.
    code : one word that programs can look at.
    message : one sentence.
    limit : the limit that was met, as ``{"pixels": 64000000}``.
    retry_after : seconds after which another try makes sense.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        limit: Mapping[str, Any] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        self.limit = dict(limit) if limit else None
        self.retry_after = retry_after

    def as_dict(self) -> dict[str, Any]:
        """The ``error`` object of the plain API."""
        found: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.limit is not None:
            found["limit"] = self.limit
        return found

    def headers(self) -> dict[str, str]:
        """``Retry-After`` in whole seconds, at least 1, where another try makes sense."""
        return {} if self.retry_after is None else {"Retry-After": str(max(1, round(self.retry_after + 0.5)))}
