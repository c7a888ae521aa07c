"""What the OpenAPI document says of the routes whose requests come in several forms."""

from __future__ import annotations

from typing import Any

from limner.server.intake import LARGEST_TILE, OUTPUTS, SMALLEST_TILE

_FIELDS: dict[str, tuple[dict[str, Any], str]] = {
    "model": ({"type": "string"}, "Name of the model; default: the first."),
    "output": ({"type": "string", "enum": list(OUTPUTS), "default": "json"}, "What to answer."),
    "threshold": (
        {"type": "number", "minimum": 0, "maximum": 1},
        "Score above which a pixel is foreground; two classes only.",
    ),
    "min_area": ({"type": "integer", "minimum": 0}, "Smaller objects and patches become background, in pixels."),
    "tta": ({"type": "boolean", "default": False}, "Average over mirrored copies."),
    "tile": (
        {"type": "integer", "minimum": SMALLEST_TILE, "maximum": LARGEST_TILE},
        "Side of a tile in pixels of the picture.",
    ),
    "frames": ({"type": "string", "enum": ["all"]}, "Answer every frame of a file that holds several."),
    "mask": ({"type": "boolean", "default": True}, "Whether json carries the label map."),
    "spacing_mm": ({"type": "number", "exclusiveMinimum": 0}, "Side of a pixel in millimetres, for areas."),
}
PARAMETERS: list[dict[str, Any]] = [
    {"name": name, "in": "query", "required": False, "schema": schema, "description": meaning}
    for name, (schema, meaning) in _FIELDS.items()
]
_PROPERTIES = {name: {**schema, "description": meaning} for name, (schema, meaning) in _FIELDS.items()}
_FILE = {"type": "string", "format": "binary"}
_BASE64 = {"type": "string", "contentEncoding": "base64"}


def _form(image: dict[str, Any]) -> dict[str, Any]:
    return {
        "schema": {"type": "object", "required": ["image"], "properties": {"image": image, **_PROPERTIES}}
    }  # fmt: skip


PREDICT_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "multipart/form-data": _form(_FILE),
        **{f"image/{kind}": {"schema": _FILE} for kind in ("png", "jpeg", "tiff", "bmp", "webp")},
        "application/octet-stream": {"schema": _FILE},
        "application/json": {
            "schema": {
                "type": "object", "required": ["image"], "additionalProperties": False,
                "properties": {"image": _BASE64, "name": {"type": "string"}, **_PROPERTIES},
            }
        },
    },
}  # fmt: skip
BATCH_BODY: dict[str, Any] = {
    "required": True,
    "content": {"multipart/form-data": _form({"type": "array", "items": _FILE})},
}

_CLASS: dict[str, Any] = {
    "type": "object",
    "required": ["id", "name", "color", "pixels", "share", "area"],
    "properties": {
        "id": {"type": "integer"}, "name": {"type": "string"}, "color": {"type": "string", "pattern": "^#[0-9a-f]{6}$"},
        "pixels": {"type": "integer"}, "share": {"type": "number", "minimum": 0, "maximum": 1},
        "area": {"oneOf": [
            {"type": "null"},
            {"type": "object", "required": ["value", "unit"],
             "properties": {"value": {"type": "number"}, "unit": {"type": "string"}}},
        ]},
    },
}  # fmt: skip
_AREA = _CLASS["properties"]["area"]
_OBJECTS = {
    "type": "object",
    "required": ["count", "classes", "rows"],
    "properties": {
        "count": {"type": "integer"},
        "classes": {"type": "object", "additionalProperties": {"type": "integer"}},
        "rows": {"type": "array", "items": {
            "type": "object", "required": ["id", "class", "score", "pixels", "area", "box_xywh"],
            "properties": {
                "id": {"type": "integer"}, "class": {"type": "string"}, "score": {"type": ["number", "null"]},
                "pixels": {"type": "integer"}, "area": _AREA,
                "box_xywh": {"type": "array", "items": {"type": "integer"}, "minItems": 4, "maxItems": 4},
            },
        }},
    },
}  # fmt: skip
ANSWER: dict[str, Any] = {
    "type": "object",
    "required": ["model", "size_hw", "classes", "confidence", "seconds", "warnings"],
    "properties": {
        "model": {
            "type": "object", "required": ["name", "version"],
            "properties": {"name": {"type": "string"}, "version": {"type": "string"}},
        },
        "size_hw": {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2},
        "classes": {"type": "array", "items": _CLASS},
        "mask_png": _BASE64,
        "instances_png": _BASE64,
        "objects": _OBJECTS,
        "confidence": {"type": ["number", "null"], "minimum": 0, "maximum": 1},
        "seconds": {"type": "object", "additionalProperties": {"type": "number"}},
        "warnings": {"type": "array", "items": {"type": "string"}},
    },
}  # fmt: skip
ERROR: dict[str, Any] = {
    "type": "object",
    "required": ["code", "message"],
    "properties": {"code": {"type": "string"}, "message": {"type": "string"}, "limit": {"type": "object"}},
}
_REFUSED = {"application/json": {"schema": {"type": "object", "required": ["error"], "properties": {"error": ERROR}}}}
_REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"description": meaning, "content": _REFUSED}
    for status, meaning in {
        404: "There is no such model.",
        408: "The body did not arrive in time.",
        413: "The body, the picture or the number of pictures is larger than the limit.",
        415: "Not a kind of file that is read.",
        422: "The picture is damaged, or an option cannot be obeyed.",
        429: "The queue is full; Retry-After says when to try again.",
        503: "Models are being loaded, or the server is about to stop.",
        504: "The picture waited too long for its turn and was not computed.",
    }.items()
}
PREDICT_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The answer in the form that output asks for.",
        "content": {
            "application/json": {"schema": ANSWER},
            "image/png": {"schema": _FILE},
            "application/zip": {"schema": _FILE},
            "text/csv": {"schema": {"type": "string"}},
        },
    },
    **_REFUSALS,
}
_ROW = {
    "type": "object",
    "required": ["name"],
    "properties": {"name": {"type": "string"}, **ANSWER["properties"], "error": ERROR},
}
BATCH_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "One result for each picture, in their order.",
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["results", "failed"],
                    "properties": {"results": {"type": "array", "items": _ROW}, "failed": {"type": "integer"}},
                }
            }
        },
    },
    **_REFUSALS,
}
