"""Requests for predictions in their three forms: multipart, a bare picture file, JSON with base64."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from limner.core.choices import nearest
from limner.data.formats.file_names import base_name
from limner.server.json_body import parse_body, picture_bytes
from limner.server.limits import FORMATS, Limits
from limner.server.options import Options
from limner.server.refused import Refused

OUTPUTS = (
    "json", "mask_png", "overlay_png", "polygons", "rle", "coco", "objects", "objects_csv", "instances_png", "probs_npz",
)  # fmt: skip
RAW_TYPES = ("application/octet-stream", "application/dicom")
FIELDS = ("model", "output", "threshold", "min_area", "tta", "tile", "frames", "mask", "spacing_mm")
LONGEST_FIELD = 4096
LONGEST_NAME = 255
SMALLEST_TILE, LARGEST_TILE = 32, 8192


@dataclass(frozen=True)
class Picture:
    """One file of a request, not yet looked into."""

    name: str
    data: bytes


@dataclass(frozen=True)
class Order:
    """A request for predictions.

    Parameters
    ----------
    pictures : at least one.
    model : None = the first.
    output : one of `OUTPUTS`.
    options : for the model.
    frames : ``all`` or None.
    mask : ``json`` carries the label map.
    spacing_mm : side of a pixel in millimetres, for areas; None = not known.
    """

    pictures: tuple[Picture, ...]
    model: str | None
    output: str
    options: Options
    frames: str | None
    mask: bool
    spacing_mm: float | None


async def read_order(request: Request, limits: Limits, *, many: bool) -> Order:
    """The order that a request places.

    Parameters
    ----------
    many : several pictures may come, in parts; else exactly one.

    Raises
    ------
    Refused : 413 too many parts, 415 a kind of body that is not read, 422 anything else that is wrong.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    fields: dict[str, Any] = {}
    for name, value in request.query_params.multi_items():
        _add(fields, name, value)
    if kind == "multipart/form-data":
        pictures = await _read_parts(request, limits, fields)
    elif many:
        raise Refused(415, "kind", f"the body is '{kind[:60]}'; multipart/form-data with several image parts is needed")
    elif kind == "application/json":
        pictures = [_from_json(await request.body(), fields)]
    elif kind.startswith("image/") or kind in RAW_TYPES:
        pictures = [Picture("picture", await request.body())]
    else:
        raise Refused(
            415, "kind", f"the body is '{kind[:60]}'; multipart/form-data, an image type or application/json is needed",
            limit={"formats": list(FORMATS)},
        )  # fmt: skip
    if not pictures:
        raise Refused(422, "image", "there is no picture in the request: the field is called image")
    if len(pictures) > 1 and not many:
        raise Refused(422, "image", "there is more than one picture; /v1/predict/batch takes several")
    return order_of(pictures, fields, accept=request.headers.get("accept", ""))


async def _read_parts(request: Request, limits: Limits, fields: dict[str, Any]) -> list[Picture]:
    parser = MultiPartParser(
        request.headers,
        request.stream(),
        max_files=limits.parts,
        max_fields=2 * len(FIELDS),
        max_part_size=LONGEST_FIELD,
    )
    parser.spool_max_size = limits.body_bytes + 1  # in memory: bodies are counted below, and no file is written
    pictures = []
    try:
        form = await parser.parse()
    except MultiPartException as error:
        if "files" in error.message:
            raise Refused(413, "parts", "the request has too many pictures", limit={"parts": limits.parts}) from None
        raise Refused(422, "multipart", f"the multipart body cannot be read: {error.message}") from None
    try:
        for name, value in form.multi_items():
            if not isinstance(value, UploadFile):
                _add(fields, name, value)
            elif name == "image":
                pictures.append(Picture(_name(value.filename), await value.read()))
            else:
                raise Refused(422, "field", f"a file in the field '{name[:40]}'; the field is called image")
    finally:
        await form.close()
    return pictures


def _from_json(data: bytes, fields: dict[str, Any]) -> Picture:
    document = parse_body(data)
    picture = picture_bytes(document.pop("image", None), where="image")
    name = document.pop("name", None)
    for key, value in document.items():
        _add(fields, key, value)
    return Picture(_name(name if isinstance(name, str) else None), picture)


def _add(fields: dict[str, Any], name: str, value: Any) -> None:
    if name not in FIELDS:
        raise Refused(422, "option", f"unknown option '{name[:40]}'; {nearest(name[:40], FIELDS)}")
    if name in fields:
        raise Refused(422, "option", f"the option {name} is given twice")
    fields[name] = value


def _name(stated: str | None) -> str:
    """The last part of a file name as a client states it, for people to recognise; never used as a path."""
    return base_name(stated or "")[:LONGEST_NAME] or "picture"


def order_of(pictures: list[Picture], fields: Mapping[str, Any], *, accept: str = "") -> Order:
    """An order of its fields, which are texts, or numbers and truth values as JSON has them.

    Raises
    ------
    Refused : 422; an option that has no such value.
    """
    default = "mask_png" if accept.strip().lower().startswith("image/png") else "json"
    tile = _number(fields, "tile", SMALLEST_TILE, LARGEST_TILE, whole=True)
    options = Options(
        threshold=_number(fields, "threshold", 0, 1),
        min_area=int(_number(fields, "min_area", 0, 2**31, whole=True) or 0),
        tta=_flag(fields, "tta", default=False),
        tile=None if tile is None else int(tile),
    )
    model = fields.get("model")
    if model is not None and not isinstance(model, str):
        raise Refused(422, "option", "model is not a name")
    return Order(
        tuple(pictures), model or None, _one_of(fields, "output", OUTPUTS, default) or default, options,
        _one_of(fields, "frames", ("all",), None), _flag(fields, "mask", default=True),
        _number(fields, "spacing_mm", 1e-9, 1e9),
    )  # fmt: skip


def _number(
    fields: Mapping[str, Any], name: str, low: float, high: float, *, whole: bool = False
) -> float | None:  # fmt: skip
    value = fields.get(name)
    if value is None or value == "":
        return None
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not low <= number <= high or (whole and not number.is_integer()):
        kind = "whole number" if whole else "number"
        raise Refused(422, "option", f"{name} is '{str(value)[:40]}'; a {kind} from {low:g} to {high:g} is needed")
    return number


def _flag(fields: Mapping[str, Any], name: str, *, default: bool) -> bool:
    value = fields.get(name)
    if value is None or value == "":
        return default
    words = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
    found = value if isinstance(value, bool) else words.get(str(value).lower())
    if found is None:
        raise Refused(422, "option", f"{name} is '{str(value)[:40]}'; true or false is needed")
    return found


def _one_of(fields: Mapping[str, Any], name: str, allowed: tuple[str, ...], default: str | None) -> str | None:
    value = fields.get(name)
    if value is None or value == "":
        return default
    if value not in allowed:
        raise Refused(422, "option", f"{name} is '{str(value)[:40]}'; one of: {', '.join(allowed)}")
    return str(value)
