"""Write Label Studio: tasks with one annotation each, or with one prediction each.

What was read from Label Studio and not changed since is written as it was, with all that stands beside.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from limner.core.annotation import Annotation, AnnotationSet, Bitmap, Polygon, Problem, Region
from limner.core.files import write_text
from limner.data.formats.accounts import without_people
from limner.data.formats.foreign import as_dict
from limner.data.formats.geometry import Refusal
from limner.data.formats.json_text import to_json
from limner.data.formats.label_studio_tasks import picture_of
from limner.data.formats.label_studio_values import GEOMETRY, kind_of, shape_of, values_of
from limner.data.formats.ledger import Ledger
from limner.data.formats.relative import is_normalized, scaled

Placed = list[tuple[Any, dict[str, Any]]]
_LAST = 10**9  # the place of new results: after all that were read


def write_tasks(annotations: AnnotationSet, folder: Path) -> tuple[Problem, ...]:
    """Write ``tasks.json`` with what people drew."""
    return _write(annotations, folder / "tasks.json", "annotations", is_own=annotations.format == "label-studio")


def write_predictions(annotations: AnnotationSet, folder: Path) -> tuple[Problem, ...]:
    """Write ``predictions.json`` with what a model drew."""
    is_own = annotations.format == "label-studio-predictions"
    return _write(annotations, folder / "predictions.json", "predictions", is_own=is_own)


def _write(annotations: AnnotationSet, path: Path, key: str, *, is_own: bool) -> tuple[Problem, ...]:
    ledger = Ledger(str(path))
    numbers = _Names()
    tasks = []
    for index, image in enumerate(annotations.images):
        own = as_dict(image.record) if is_own else {}
        placed: Placed = [(place, result) for place, result in own.get("rest") or []]
        for region in sorted(image.regions, key=lambda region: region.order):
            with ledger.record(f"{image.image}, {region.where}" if region.where else image.image):
                placed += _results(region, image, is_own, numbers, ledger)
        tasks.append(_task(image, own, placed, key, index))
    is_single = is_own and as_dict(annotations.record).get("single") is True and len(tasks) == 1
    write_text(path, to_json(tasks[0] if is_single else tasks))
    return (*ledger.warnings, *ledger.refused)


class _Names:
    """Ids for new results."""

    def __init__(self) -> None:
        self._last = 0

    def new(self) -> str:
        self._last += 1
        return f"limner{self._last}"


def _task(image: Annotation, own: Mapping[str, Any], placed: Placed, key: str, index: int) -> dict[str, Any]:
    """The task of one picture: as it was read with its results put back, or a new one."""
    task: dict[str, Any] = _with_picture(without_people(as_dict(own.get("task"))), image.image)
    if own.get("kind") == "short":
        return _short_task(task, placed)
    results = [result for _, result in sorted(placed, key=lambda entry: _place(entry[0]))]
    if own.get("kind") == "bare":
        return {**task, "result": results}
    if not own:
        answer: dict[str, Any] = {"result": results}
        if key == "annotations":
            answer |= {"was_cancelled": False, "ground_truth": False}
        return {"id": index + 1, "data": {"image": image.image}, key: [answer]}
    key, chosen = own["key"], own["chosen"]
    if chosen is None:
        return {**task, key: [*(task.get(key) or []), {"result": results}]} if results else task
    return {**task, key: [{**e, "result": results} if i == chosen else e for i, e in enumerate(task[key])]}


def _with_picture(task: dict[str, Any], name: str) -> dict[str, Any]:
    """The task with the name of its picture where that is another one now; addresses that end in the name stay."""
    old, data = picture_of(task), task.get("data")
    if old in ("", name):
        return task
    named: Mapping[str, Any] = data if isinstance(data, dict) else task
    changed = {key: name for key, value in named.items() if isinstance(value, str) and picture_of({key: value}) == old}
    return {**task, "data": {**data, **changed}} if isinstance(data, dict) else {**task, **changed}


def _short_task(task: dict[str, Any], placed: Placed) -> dict[str, Any]:
    """A task of the short export with the values of each question in their order; new ones go to the first question."""
    lists: dict[str, Placed] = {}
    for place, result in placed:
        name = place[0] if isinstance(place, tuple | list) else next((k for k, v in task.items() if v == []), "label")
        value = result.get("value", result) if isinstance(result, dict) else result
        if not isinstance(place, tuple | list):  # a short export keeps the size within the value
            value = {**value, **{k: result[k] for k in ("original_width", "original_height") if k in result}}
        lists.setdefault(name, []).append((place, value))
    ordered = {name: [v for _, v in sorted(values, key=lambda e: _place(e[0]))] for name, values in lists.items()}
    return {**task, **ordered}


def _place(place: Any) -> int:
    return int(place[1]) if isinstance(place, tuple | list) else int(place)


def _results(region: Region, image: Annotation, is_own: bool, names: _Names, ledger: Ledger) -> Placed:
    """The results of one region: as they were read, with their numbers and labels made anew where those have changed."""
    own = [(place, dict(result)) for place, result in as_dict(region.record).get("results") or []] if is_own else []
    drawn = next((i for i, (_, r) in enumerate(own) if _kind(r)), None)
    if drawn is None:
        return [(_LAST, result) for result in _new_results(region, image, names, ledger)]
    place, result = own[drawn]
    value = result["value"]
    if not _is_unchanged(result, region, image):
        parts = _values(region, image, ledger)
        if len(parts) != 1:
            raise Refusal("parts-split", "several points in the place of one result")
        kind, numbers = parts[0]
        before = _kind(result)
        value = {name: entry for name, entry in value.items() if name not in GEOMETRY} | numbers
        if kind != before:
            value = {name.replace(f"{before}labels", f"{kind}labels"): entry for name, entry in value.items()}
            result["type"] = str(result.get("type", "")).replace(before, kind)
    own[drawn] = (place, {**result, "value": value})
    return _relabelled(own, region.label, _kind({**result, "value": value}))


def _relabelled(own: Placed, label: str, kind: str) -> Placed:
    """The results with another first label, where it has changed."""
    for i, (place, result) in enumerate(own):
        value = as_dict(result.get("value"))
        for name, labels in value.items():
            if name.endswith("labels") and isinstance(labels, list) and labels:
                if labels[0] != label:
                    own[i] = (place, {**result, "value": {**value, name: [label, *labels[1:]]}})
                return own
    if label:
        place, result = next((p, r) for p, r in own if _kind(r))
        at = own.index((place, result))
        own[at] = (place, {**result, "value": {**result["value"], f"{kind}labels": [label]}})
    return own


def _kind(result: Mapping[str, Any]) -> str:
    return kind_of(str(result.get("type") or ""), as_dict(result.get("value")))


def _is_unchanged(result: Mapping[str, Any], region: Region, image: Annotation) -> bool:
    """What was read gives this shape: in pixels, in shares, or in shares that became pixels when the picture was found."""
    size_hw = None if is_normalized(image) else image.size_hw
    kind, value = _kind(result), as_dict(result.get("value"))
    for stated in dict.fromkeys((size_hw, None)):
        try:
            shape = shape_of(kind, value, stated, [])
        except Refusal:
            continue
        if stated is None and size_hw is not None:
            shape = scaled(shape, size_hw[1], size_hw[0])
        if shape == region.shape:
            return True
    return False


def _values(region: Region, image: Annotation, ledger: Ledger) -> list[tuple[str, dict[str, Any]]]:
    shape = region.shape
    is_split = isinstance(shape, Polygon) and (len(shape.rings) > 1 or bool(shape.holes))
    size_hw = image.size_hw
    if is_normalized(image) and not is_split and not isinstance(shape, Bitmap):
        size_hw = (1, 1)
    if size_hw is None:
        raise Refusal("no-size", f"the size of {image.image} is not known, and percent of it are needed")
    if is_split:
        text = "the region has holes or several parts, which a polygon of Label Studio cannot hold; it is written as a brush mask"
        ledger.warn("as-mask", text, region.where)
    return values_of(shape, size_hw)


def _new_results(region: Region, image: Annotation, names: _Names, ledger: Ledger) -> list[dict[str, Any]]:
    if region.is_ignored:
        ledger.warn(
            "ignored-as-class",
            "pixels that are not known, which Label Studio cannot say; the label stays",
            region.where,
        )
    if region.group:
        ledger.warn(
            "group-lost", "a part of an object, which Label Studio cannot say; the parts are separate", region.where
        )
    results = []
    for kind, numbers in _values(region, image, ledger):
        size = (
            {} if image.size_hw is None else {"original_width": image.size_hw[1], "original_height": image.size_hw[0]}
        )
        labels = {f"{kind}labels": [region.label]} if region.label else {}
        result = {
            "id": names.new(), "type": f"{kind}labels" if region.label else kind, "from_name": kind, "to_name": "image",
            **size, "image_rotation": 0, "value": {**numbers, **labels},
        }  # fmt: skip
        results.append(result if region.score is None else {**result, "score": region.score})
    return results
