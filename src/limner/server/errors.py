"""Refusals as answers, in the form that each face of the server promises."""

from __future__ import annotations

import json
from typing import Any

from fastapi.responses import Response

from limner.server.refused import Refused

PROTOCOL_PREFIX = "/v2"  # paths of the Open Inference Protocol, whose errors are {"error": "..."}


def error_response(refused: Refused, path: str) -> Response:
    """The answer to a request at `path` that is refused; a client that has gone gets one that nobody reads."""
    if path == PROTOCOL_PREFIX or path.startswith(PROTOCOL_PREFIX + "/"):
        content: dict[str, Any] = {"error": refused.message}
    else:
        content = {"error": refused.as_dict()}
    return Response(
        json.dumps(content, ensure_ascii=False).encode("utf-8", "replace"), status_code=refused.status,
        media_type="application/json", headers={**refused.headers(), "Cache-Control": "no-store"},
    )  # fmt: skip
