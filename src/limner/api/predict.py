"""Segment pictures with a model: any number of files, folders and globs; a broken file does not stop the others."""

from __future__ import annotations

import glob
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from limner.api.open import classical_method, open_segmenter, refuse_network_options
from limner.core.errors import DataError, LimnerError
from limner.core.files import prepare_output, write_atomic, write_json
from limner.core.labels import LabelSpace
from limner.core.prediction import Prediction
from limner.core.protocols import Listener, Segmenter, Silent
from limner.core.sample import Sample
from limner.data.images import SUFFIXES, read_image, write_image, write_labels
from limner.evaluation.pictures import overlay as draw_overlay

MANIFEST = "predictions.json"


@dataclass(frozen=True)
class Job:
    """One picture and where its label map goes, relative to the output folder, without suffix."""

    source: Path
    target: str


def predict(
    model: Path | str,
    inputs: Iterable[Path | str],
    *,
    out: Path | str,
    overlay: bool = False,
    scores: bool = False,
    tile: int | None = None,
    overwrite: bool = False,
    listener: Listener | None = None,
) -> dict[str, Any]:
    """Write a label map of its own size for each picture, and ``predictions.json``.

    Parameters
    ----------
    model : run folder, bundle folder or the name of a classical method.
    inputs : files, folders (searched at any depth) and glob patterns.
    out : new folder; holds ``<relative stem>.png``, ``overlays/``, ``scores/`` and the manifest.
    overlay : also draw the classes over each picture.
    scores : also write scores, ``(K, H, W)`` float16 NPY, in [0, 1].
    tile : side of a tile in input pixels; None = the model's own choice.
    overwrite : replace a folder that Limner made.

    Returns
    -------
    The manifest: ``{"model", "images": [{"input", "output", "size_hw", "classes", "seconds"} or {"input", "error"}], "failed"}``.

    Raises
    ------
    DataError : no picture was found.
    BundleError, OutputError, MachineError : see `limner.core.errors`.
    """
    listener = listener or Silent()
    jobs = plan_outputs(find_inputs(inputs))
    segmenter, space = _open(model, tile=tile, scores=scores)
    folder = prepare_output(Path(out), overwrite=overwrite)
    rows: list[dict[str, Any]] = []
    for done, job in enumerate(jobs, 1):
        try:
            prediction = _write(folder, job, segmenter, overlay=overlay)
        except LimnerError as error:
            rows.append({"input": str(job.source), "error": error.as_dict()})
            listener.message(f"{job.source}: {error.found}")
        else:
            rows.append(_row(job, prediction))
        listener.progress("predict", done, len(jobs))
    manifest = {
        "model": str(model),
        "classes": list(space.names),
        "images": rows,
        "failed": sum("error" in row for row in rows),
    }
    write_json(folder / MANIFEST, manifest)
    return manifest


def _row(job: Job, prediction: Prediction) -> dict[str, Any]:
    """The line of the manifest for a picture that was segmented."""
    return {
        "input": str(job.source),
        "output": f"{job.target}.png",
        "size_hw": list(prediction.labels.shape),
        "classes": prediction.pixels(),
        "seconds": round(prediction.seconds, 4),
    }


def _open(model: Path | str, *, tile: int | None, scores: bool) -> tuple[Segmenter, LabelSpace]:
    """A network or a classical method, and its classes."""
    method = classical_method(model)
    if method is None:
        segmenter, bundle = open_segmenter(Path(model), tile=tile, keep_scores=scores)
        if bundle.method is not None:
            refuse_network_options(bundle.method, tile=tile, scores=scores)
        return segmenter, bundle.label_space
    refuse_network_options(method.name, tile=tile, scores=scores)
    return method, method.label_space


def find_inputs(inputs: Iterable[Path | str]) -> list[tuple[Path, Path]]:
    """Pictures with the folder that their output names are relative to, in order, each once.

    Raises
    ------
    DataError : an input does not exist or holds no picture.
    """
    found: dict[Path, Path] = {}
    for entry in inputs:
        path = Path(entry)
        matches = [path] if path.exists() else [Path(match) for match in sorted(glob.glob(str(entry), recursive=True))]  # noqa: PTH207 - an absolute pattern
        before = len(found)
        for match in matches:
            if match.is_dir():
                inside = sorted(
                    p
                    for p in match.rglob("*")
                    if p.suffix.lower() in SUFFIXES and p.is_file() and not p.name.startswith(".")
                )
                found.update({p: match for p in inside if p not in found})
            elif match not in found:
                found[match] = match.parent
        if len(found) == before and not any(match in found or match.is_dir() for match in matches):
            raise DataError(
                f"nothing found at {entry}",
                expected="a picture, a folder of pictures or a glob pattern",
                where=str(entry),
                fix="check the path; quote patterns as in 'slides/*.png'",
            )
    if not found:
        raise DataError(
            "no pictures in the inputs",
            expected=f"files ending in {', '.join(sorted(SUFFIXES))}",
            fix="check the folder",
        )
    return list(found.items())


def plan_outputs(found: Sequence[tuple[Path, Path]]) -> list[Job]:
    """Where each label map goes: the relative stem; the suffix is kept where stems collide.

    Raises
    ------
    DataError : two inputs would still be written to one file.
    """
    stems = [source.relative_to(base).with_suffix("").as_posix() for source, base in found]
    many = {stem for stem, number in Counter(stems).items() if number > 1}
    targets = [
        source.relative_to(base).as_posix() if stem in many else stem
        for (source, base), stem in zip(found, stems, strict=True)
    ]
    twice = [target for target, number in Counter(targets).items() if number > 1]
    if twice:
        sources = [str(source) for (source, _), target in zip(found, targets, strict=True) if target == twice[0]]
        raise DataError(
            f"{' and '.join(sources)} would both be written to {twice[0]}.png",
            expected="different names",
            fix="predict them in two calls, or give their common parent folder",
        )
    return [Job(source, target) for (source, _), target in zip(found, targets, strict=True)]


def _write(folder: Path, job: Job, segmenter: Segmenter, *, overlay: bool) -> Prediction:
    try:
        image = read_image(job.source)
    except FileNotFoundError:
        raise DataError(f"{job.source} is gone", expected="a picture") from None
    prediction = segmenter.segment(Sample(job.source.name, image))
    write_labels(folder / f"{job.target}.png", prediction.labels, prediction.label_space)
    if overlay:
        write_image(
            folder / "overlays" / f"{job.target}.png", draw_overlay(image, prediction.labels, prediction.label_space)
        )
    if prediction.scores is not None:
        values = prediction.scores.astype(np.float16)

        def save(temporary: Path) -> None:
            with temporary.open("wb") as file:
                np.save(file, values)

        write_atomic(folder / "scores" / f"{job.target}.npy", save)
    return prediction
