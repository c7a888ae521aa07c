"""``GET /docs``: what the server answers, written out from its OpenAPI document without scripts and without other hosts."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import jinja2
from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from limner.server.state import State

METHODS = ("get", "put", "post", "patch", "delete")
DEEPEST = 6  # levels of a schema that are written out


def router(state: State) -> APIRouter:
    """The page and its style sheet; they obey the same token as all others."""
    routes = APIRouter(tags=["server"])
    folder = files("limner.server") / "docs_assets"
    style = (folder / "docs.css").read_text(encoding="utf-8")
    template = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True).from_string(
        (folder / "docs.html").read_text(encoding="utf-8")
    )

    @routes.get("/docs", response_class=HTMLResponse)
    def docs(request: Request) -> HTMLResponse:
        """What you are reading."""
        document = request.app.openapi()
        limits = state.settings.limits.as_dict().items()
        return HTMLResponse(template.render(document=document, groups=grouped(document), limits=limits))

    @routes.get("/docs/docs.css", include_in_schema=False)
    def docs_style() -> Response:
        """The style sheet of the page."""
        return Response(style, media_type="text/css", headers={"Cache-Control": "max-age=3600"})

    return routes


def grouped(document: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The operations of an OpenAPI document by their first tag, ready for the template."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for path, methods in document.get("paths", {}).items():
        for method in METHODS:
            if method in methods:
                operation = methods[method]
                tag = (operation.get("tags") or ["server"])[0]
                groups.setdefault(tag, []).append(described(document, path, method, operation))
    return groups


def described(document: dict[str, Any], path: str, method: str, operation: dict[str, Any]) -> dict[str, Any]:
    """One operation as the template shows it."""
    body = operation.get("requestBody", {}).get("content", {})
    answers = operation.get("responses", {})
    return {
        "method": method.upper(),
        "path": path,
        "text": operation.get("description") or operation.get("summary", ""),
        "parameters": [
            {
                "name": parameter["name"],
                "where": parameter["in"],
                "kind": kind_of(document, parameter.get("schema", {})),
                "text": parameter.get("description", ""),
            }
            for parameter in (resolved(document, given) for given in operation.get("parameters", []))
        ],
        "bodies": [(kind, list(fields(document, content.get("schema", {})))) for kind, content in body.items()],
        "answers": [
            (
                status,
                answer.get("description", ""),
                [
                    row
                    for content in answer.get("content", {}).values()
                    for row in fields(document, content.get("schema", {}))
                ],
            )
            for status, answer in ((status, resolved(document, answer)) for status, answer in answers.items())
        ],
    }


def fields(
    document: dict[str, Any], schema: dict[str, Any], *, name: str = "", depth: int = 0
) -> Iterator[dict[str, Any]]:
    """Rows ``{"name", "kind", "text", "depth"}`` of a schema, outer before inner; at most `DEEPEST` levels."""
    schema = resolved(document, schema)
    if name:
        yield {"name": name, "kind": kind_of(document, schema), "text": schema.get("description", ""), "depth": depth}
    if depth >= DEEPEST:
        return
    for inner, value in schema.get("properties", {}).items():
        yield from fields(document, value, name=inner, depth=depth + 1)
    items = resolved(document, schema.get("items", {}))
    if "properties" in items:
        for inner, value in items["properties"].items():
            yield from fields(document, value, name=inner, depth=depth + 1)


def resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """A schema with its reference followed; references lead into this document only."""
    for _ in range(DEEPEST):
        reference = schema.get("$ref")
        if not isinstance(reference, str) or not reference.startswith("#/"):
            return schema
        target: Any = document
        for step in reference[2:].split("/"):
            target = target.get(step, {})
        schema = target
    return {}


def kind_of(document: dict[str, Any], schema: dict[str, Any]) -> str:
    """A schema in a few words: ``number, 0 to 1``, ``list of text``."""
    schema = resolved(document, schema)
    options = [kind_of(document, option) for option in schema.get("anyOf", schema.get("oneOf", []))]
    if options:
        return " or ".join(dict.fromkeys(options))
    if "enum" in schema:
        return " | ".join(str(value) for value in schema["enum"])
    words = {"string": "text", "integer": "whole number", "boolean": "true or false", "null": "nothing"}
    kind = str(schema.get("type", "anything"))
    if kind == "array":
        return f"list of {kind_of(document, schema.get('items', {}))}"
    low, high = schema.get("minimum"), schema.get("maximum")
    bounds = f", {low} to {high}" if low is not None and high is not None else ""
    return words.get(kind, kind) + bounds
