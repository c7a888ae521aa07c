"""Segment pictures with a model: any number of files, folders and globs; a broken file does not stop the others."""

from __future__ import annotations

import glob
import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from limner.api.open import runtime_of
from limner.api.predict_kept import MANIFEST, Kept
from limner.api.predict_objects import collect
from limner.api.predict_one import Job, Options, Worker
from limner.api.restored_objects import restore
from limner.core.errors import DataError, UsageError
from limner.core.files import check_output, write_json
from limner.core.protocols import Listener, Silent
from limner.data.images import SUFFIXES
from limner.data.windows_zarr import is_zarr

ENGINES = ("local", "ray")


# long because of its arguments and their docstring
def predict(
    model: Path | str,
    inputs: Iterable[Path | str],
    *,
    out: Path | str,
    overlay: bool = False,
    scores: bool = False,
    tile: int | None = None,
    tta: bool = False,
    ensemble: bool = False,
    uncertainty: bool = False,
    runtime: str = "auto",
    spacing: float | None = None,
    engine: str = "local",
    resume: bool = False,
    overwrite: bool = False,
    listener: Listener | None = None,
) -> dict[str, Any]:
    """Write a label map of its own size for each picture, and ``predictions.json``; with a model of objects these, too.

    Parameters
    ----------
    model : run folder, bundle folder or the name of a classical method.
    inputs : files, folders (searched at any depth), glob patterns, OME-Zarr folders.
    out : new folder; holds ``<relative stem>.png`` (``.tif`` above 100 megapixels), ``overlays/``, ``scores/``,
        ``uncertainty/`` and the manifest; of objects ``instances/``, ``objects.csv``, ``coco.json`` and, with stuff,
        ``panoptic/`` and ``panoptic.json``, see `limner.api.predict_objects`.
    overlay : also draw classes and outlines of objects over each picture; 4096 pixels a side for those that are read by windows.
    scores : also write scores, ``(K, H, W)`` float16 NPY, in [0, 1].
    tile : side of a tile in input pixels; None = the model's own choice.
    tta : average over all mirrored copies that the network saw in training; slower, a little better.
    ensemble : the mean of all folds of a run that was trained with folds.
    uncertainty : also write the entropy of the scores of each pixel, gray, 0 = sure.
    runtime : see `limner.api.choose_runtime.RUNTIMES`.
    spacing : side of a pixel in mm, > 0, for measurements of objects; None = as the training data declared, if they did.
    engine : ``local``, or ``ray`` for many processes and machines (`limner.batch`).
    resume : continue an interrupted call of the same options in `out`; begin where there is none.
    overwrite : replace a folder that Limner made.

    Returns
    -------
    The manifest: ``{"model", "runtime", "classes", "images", "failed", "call"}``; a row of images is ``{"input", "output",
    "size_hw", "classes", "seconds"}``, with ``"instances"`` and ``"objects"`` (how many of each class) where the model tells
    objects apart, with ``"warnings"`` and ``"confidence"`` where there are any, or ``{"input", "error"}``.

    Raises
    ------
    DataError : no picture was found.
    BundleError, OutputError, MachineError, UsageError : see `limner.core.errors`.
    """
    listener = listener or Silent()
    if engine not in ENGINES or (resume and overwrite):
        raise UsageError(
            "--resume together with --overwrite" if engine in ENGINES else f"unknown engine '{engine}'",
            expected="one of them" if engine in ENGINES else f"one of {', '.join(ENGINES)}",
            fix="--resume keeps what is there, --overwrite deletes it" if engine in ENGINES else "",
        )
    jobs = plan_outputs(find_inputs(inputs))
    if spacing is not None and not 0 < spacing < math.inf:
        raise UsageError(f"--spacing {spacing:g}", expected="the side of a pixel in mm, above 0")
    options = Options(overlay, scores, tile, tta, ensemble, uncertainty, runtime, spacing)
    kept = Kept(Path(out).absolute())
    worker = Worker(_absolute(model), kept.out, options, base=Path.cwd(), kept=kept, resume=resume)
    opened = worker.opened
    if engine == "ray":
        chosen = (runtime_of(opened.network or opened.segmenter) or runtime).split()[0]
        worker.options = replace(options, runtime=chosen)  # the machines must not choose each for itself
        worker.resume = True  # a huge picture whose process died goes on where it was
    if not resume:
        check_output(Path(out), overwrite=overwrite)
    call = {"model_sha256": model_checksum(model), **asdict(options)}
    done = restore(kept, kept.prepare(call, resume=resume, overwrite=overwrite))
    rows = _run(jobs, worker, done, engine, listener)
    manifest = {
        "model": str(model),
        "runtime": runtime_of(opened.network or opened.segmenter),
        "classes": list(opened.label_space.names),
        "images": rows,
        "failed": sum("error" in row for row in rows),
        "call": call,
    }
    told = [job.target for job, row in zip(jobs, rows, strict=True) if "instances" in row]
    collect(kept, told, opened.label_space)
    write_json(kept.out / MANIFEST, manifest)
    kept.finish()
    return manifest


def _run(
    jobs: Sequence[Job], worker: Worker, done: dict[str, dict[str, Any]], engine: str, listener: Listener
) -> list[dict[str, Any]]:
    """The rows of all jobs in their order; those of finished pictures are taken as they are."""
    known = {job: row for job in jobs for row in [done.get(f"{job.target}.png", done.get(f"{job.target}.tif"))] if row}
    known = {job: row for job, row in known.items() if row["input"] == str(job.source)}
    if known:
        listener.message(f"{len(known)} of {len(jobs)} pictures are finished already")
    left = [job for job in jobs if job not in known]
    if engine == "ray":
        found = _with_ray(left, worker, listener)
    else:
        found = []
        for number, job in enumerate(left):
            before = len(known) + number

            def hear(share: float, before: int = before, name: str = job.source.name) -> None:
                if share < 1:
                    listener.progress("predict", before + share, len(jobs), f"{share:.0%} of {name}")

            found.append(worker(job, hear))
            listener.progress("predict", before + 1, len(jobs))
    for job, row in zip(left, found, strict=True):
        if "error" in row:
            listener.message(f"{job.source}: {row['error']['found']}")
        for warning in row.get("warnings", []):
            listener.message(f"{job.source}: {warning}")
        known[job] = row
    return [known[job] for job in jobs]


def _with_ray(jobs: Sequence[Job], worker: Worker, listener: Listener) -> list[dict[str, Any]]:
    from limner.api.extras import require

    require("ray")
    from limner.batch import ray_predict

    rows = ray_predict.run(jobs, worker, listener=listener)
    return [{"input": str(job.source), **row} for job, row in zip(jobs, rows, strict=True)]


def model_checksum(model: Path | str) -> str:
    """SHA-256 of the descriptions of a model and of the models of its folds, which carry the hashes of their weights.

    For a classical method its name.
    """
    path = Path(model)
    files = [path / "bundle.json", path / "model" / "bundle.json", *sorted(path.glob("fold*/model/bundle.json"))]
    texts = [file.read_bytes() for file in files if file.is_file()]
    return hashlib.sha256(b"".join(texts)).hexdigest() if texts else str(model)


def _absolute(model: Path | str) -> Path | str:
    return Path(model).absolute() if Path(model).exists() else model


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
            if match.is_dir() and not is_zarr(match):
                inside = sorted(p for p in match.rglob("*") if _is_picture(p, match))
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


def _is_picture(path: Path, base: Path) -> bool:
    """Whether a path below `base` is an input; what lies inside an OME-Zarr folder belongs to it."""
    if any(is_zarr(parent) for parent in path.parents if parent != base and base in parent.parents):
        return False
    known = path.suffix.lower() in SUFFIXES and path.is_file()
    return (known or is_zarr(path)) and not path.name.startswith(".")


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
