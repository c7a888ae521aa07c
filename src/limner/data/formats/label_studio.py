"""Label Studio: exported tasks (full and short), and predictions.

The format: labelstud.io/guide/task_format and labelstud.io/guide/export.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from limner.core.annotation import Annotation, AnnotationSet, Region
from limner.data.formats.fields import size_of, whole
from limner.data.formats.foreign import as_dict, shown
from limner.data.formats.format import Content, Format, wrong
from limner.data.formats.geometry import Refusal, number
from limner.data.formats.label_studio_tasks import Answers, answers_of, has_answers, is_bare, picture_of, tasks_of
from limner.data.formats.label_studio_values import kind_of, shape_of
from limner.data.formats.label_studio_write import write_predictions, write_tasks
from limner.data.formats.ledger import Ledger
from limner.data.formats.relative import NORMALIZED

MOVING = frozenset({"start", "end", "sequence", "startOffset", "endOffset"})  # of sound, text and video


def sniff(content: Content) -> bool:
    """Tasks that a person answered, or that nobody has."""
    return tasks_of(content.json) is not None and not sniff_predictions(content)


def sniff_predictions(content: Content) -> bool:
    """Answers of a model: without tasks, or within tasks that no person answered."""
    tasks = tasks_of(content.json)
    if tasks is None or any(has_answers(task) for task in tasks):
        return False
    return any(isinstance(task, dict) and (is_bare(task) or bool(task.get("predictions"))) for task in tasks)


def read(content: Content) -> AnnotationSet:
    """What people drew."""
    return _read(content, predicted=False)


def read_predictions(content: Content) -> AnnotationSet:
    """What a model drew, with its scores."""
    return _read(content, predicted=True)


def _read(content: Content, *, predicted: bool) -> AnnotationSet:
    tasks = tasks_of(content.json)
    if tasks is None:
        raise wrong(content, "no Label Studio export", "a list of tasks with annotations")
    ledger = Ledger.of(content)
    images = []
    for index, task in enumerate(tasks):
        if not isinstance(task, dict):
            ledger.warn("bad-record", "a task that is not an object with keys is passed over", str(index))
            continue
        answers = answers_of(task, str(index), predicted=predicted)
        if answers.note:
            ledger.warn("several-answers", answers.note, answers.where)
        images.append(_image(task, answers, str(index), ledger, predicted=predicted))
    if any(region.kind == "box" for image in images for region in image.regions) and not predicted:
        ledger.warn("box", "rectangles are taken as areas: all their pixels belong to the class")
    return AnnotationSet(
        "label-studio-predictions" if predicted else "label-studio", tuple(images), warnings=ledger.warnings,
        refused=ledger.refused, record={"single": isinstance(content.json, dict)},
    )  # fmt: skip


def _image(task: Mapping[str, Any], answers: Answers, where: str, ledger: Ledger, *, predicted: bool) -> Annotation:
    """One picture with its regions; results that draw nothing are answers, about a region or the picture."""
    groups: dict[str, list[tuple[Any, Mapping[str, Any]]]] = {}
    rest: list[list[Any]] = []
    for place, result in answers.results:
        if not isinstance(result, dict) or not isinstance(result.get("value"), dict):
            if not isinstance(result, dict) or result.get("type") != "relation":
                ledger.refuse("bad-record", "a result without a value", f"{answers.where}/{_path(place)}")
            rest.append([place, result])
            continue
        key = result.get("id")
        name = f"id {key}" if isinstance(key, str | int) else f"place {place}"
        groups.setdefault(name, []).append((place, result))
    size_hw = _size(groups, ledger, answers.where)
    regions: list[Region] = []
    attributes: dict[str, Any] = {}
    for several in groups.values():
        region = _region(several, size_hw, ledger, answers.where, predicted=predicted)
        if region is not None:
            regions.append(region)
            continue
        rest += [[place, result] for place, result in several]
        attributes |= {str(r.get("from_name", "")): _answer(r) for _, r in several if not _is_drawn(r)}
    if size_hw is None and regions:
        attributes[NORMALIZED] = True
        text = "the results do not state the size of their picture; coordinates wait for the picture"
        ledger.warn("no-size", text, where)
    return Annotation(
        picture_of(task), tuple(regions), size_hw, attributes=attributes,
        record={**answers.record, "rest": rest}, where=where, is_annotated=answers.is_given,
    )  # fmt: skip


def _path(place: Any) -> str:
    return "/".join(map(str, place)) if isinstance(place, tuple) else str(place)


def _size(
    groups: Mapping[str, list[tuple[Any, Mapping[str, Any]]]], ledger: Ledger, where: str
) -> tuple[int, int] | None:
    """The size of the picture that the results state; the first when they disagree."""
    results = [result for several in groups.values() for _, result in several]
    stated = [size_of(result.get("original_height"), result.get("original_width")) for result in results]
    sizes = list(dict.fromkeys(size for size in stated if size is not None))
    if len(sizes) > 1:
        shown_sizes = ", ".join(f"{width} x {height}" for height, width in sizes[:4])
        ledger.warn(
            "size-mismatch", f"the results state several sizes of one picture: {shown_sizes}; the first counts", where
        )
    if any(whole(result.get("image_rotation")) for result in results):
        text = "the picture was turned while it was annotated; Label Studio states coordinates of the unturned picture"
        ledger.warn("turned-picture", text, where)
    return sizes[0] if sizes else None


def _region(
    several: list[tuple[Any, Mapping[str, Any]]],
    size_hw: tuple[int, int] | None,
    ledger: Ledger,
    where: str,
    *,
    predicted: bool,
) -> Region | None:
    """The region that results of one id describe; None when they draw none, or one that is refused."""
    drawn = next(((place, result) for place, result in several if _is_drawn(result)), None)
    if drawn is None:
        return None
    place, result = drawn
    where = f"{where}/{_path(place)}"
    with ledger.record(where) as notes:
        value = result["value"]
        kind = kind_of(str(result.get("type") or ""), value)
        if not kind:
            raise Refusal(
                "unknown-shape", f"a result of the type {shown(result.get('type'))}, which is no region of a picture"
            )
        shape = shape_of(kind, value, size_hw, notes, take=ledger.take_pixels)
        labels = [label for _, one in several for label in labels_of(one["value"])]
        answers = {str(one.get("from_name", "")): _answer(one) for _, one in several if not _is_drawn(one)}
        if len(set(labels)) > 1:
            ledger.warn("several-labels", "the region has several labels; the first is its class", where)
            answers["labels"] = list(dict.fromkeys(labels))
        stated = result.get("score")
        score = number(stated, "score") if predicted and stated is not None else None
        return Region(
            labels[0] if labels else "", shape, score=score, attributes=answers,
            record={"results": [[place, dict(one)] for place, one in several]}, where=where,
        )  # fmt: skip
    return None


def _is_drawn(result: Mapping[str, Any]) -> bool:
    """The result is meant to draw something, here or in a sound, text or video."""
    value = result["value"]
    return bool(kind_of(str(result.get("type") or ""), value) or kind_of("", value) or MOVING & value.keys())


def labels_of(value: Mapping[str, Any]) -> list[str]:
    """The classes that a value names."""
    lists = [entry for name, entry in value.items() if name.endswith("labels") and isinstance(entry, list)]
    return [label for entry in lists for label in entry if isinstance(label, str)]


def _answer(result: Mapping[str, Any]) -> Any:
    """What a person chose or wrote."""
    value = as_dict(result.get("value"))
    own = value.get(str(result.get("type") or ""))
    answer = own if own is not None else next(iter(value.values()), None)
    return answer[0] if isinstance(answer, list) and len(answer) == 1 else answer


FORMAT = Format("label-studio", "Label Studio", sniff, read, write_tasks)
PREDICTIONS = Format(
    "label-studio-predictions", "Label Studio predictions", sniff_predictions, read_predictions, write_predictions
)
