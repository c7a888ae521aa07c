"""Segment pictures with a model: any number of files, folders and globs; a broken file does not stop the others."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from limner.api.choose_runtime import check_runtime
from limner.api.model_files import model_checksum, model_folders
from limner.api.open import runtime_of
from limner.api.predict_inputs import find_inputs
from limner.api.predict_kept import FOLDER, MANIFEST, Kept
from limner.api.predict_objects import INSTANCES, SEGMENTS, collect
from limner.api.predict_one import Job, Opened, Options, Worker
from limner.api.restored_objects import restore
from limner.core.errors import DataError, LimnerError, UsageError
from limner.core.files import check_apart, check_output, write_json
from limner.core.protocols import Listener, Silent
from limner.core.unforeseen import failed

ENGINES = ("local", "ray")


# long because of its arguments and their docstring
def predict(
    model: Path | str,
    inputs: Path | str | Iterable[Path | str],
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
    inputs : one or several files, folders (searched at any depth), glob patterns, OME-Zarr folders. Folders of predictions below
        them are not searched.
    out : new folder, which must neither be nor hold the model or an input; gets ``<relative stem>.png`` (``.tif`` above 100
        megapixels), ``overlays/``, ``scores/``, ``uncertainty/`` and the manifest; of objects ``instances/``, ``objects.csv``,
        ``coco.json`` and, with stuff, ``panoptic/`` and ``panoptic.json``, see `limner.api.predict_objects`.
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
    The manifest: ``{"model", "runtime", "classes", "images", "failed", "call"}``; a row of images is ``{"input", "source",
    "output", "size_hw", "classes", "seconds"}``, where ``source`` tells the file from another one of its name, with
    ``"instances"`` and ``"objects"`` (how many of each class) where the model tells objects apart, with ``"warnings"`` and
    ``"confidence"`` where there are any, or ``{"input", "error"}``.

    Raises
    ------
    DataError : no picture was found, or two results would be one file.
    BundleError, OutputError, MachineError, UsageError : see `limner.core.errors`.
    """
    listener = listener or Silent()
    if engine not in ENGINES or (resume and overwrite):
        raise UsageError(
            "--resume together with --overwrite" if engine in ENGINES else f"unknown engine '{engine}'",
            expected="one of them" if engine in ENGINES else f"one of {', '.join(ENGINES)}",
            fix="--resume keeps what is there, --overwrite deletes it" if engine in ENGINES else "",
        )
    check_runtime(runtime)
    if spacing is not None and not 0 < spacing < math.inf:
        raise UsageError(f"--spacing {spacing:g}", expected="the side of a pixel in mm, above 0")
    found = find_inputs(inputs, out=Path(out))
    jobs = plan_outputs(found.pictures)
    check_apart(Path(out), [*model_folders(model), *found.read])
    for folder in found.skipped:
        listener.message(f"{folder} was not searched: it is for predictions")
    options = Options(overlay, scores, tile, tta, ensemble, uncertainty, runtime, spacing)
    kept = Kept(Path(out).absolute())
    worker = Worker(_absolute(model), kept.out, options, base=Path.cwd(), kept=kept, resume=resume)
    opened = worker.opened
    refuse_shared(jobs, _sides(options, opened))
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
    earlier = {job: done.get(f"{job.target}.png", done.get(f"{job.target}.tif")) for job in jobs}
    known = {job: worker.told_again(row, job) for job, row in earlier.items() if row and worker.is_answer(row, job)}
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

            found.append(_attempt(worker, job, hear))
            listener.progress("predict", before + 1, len(jobs))
    for job, row in zip(left, found, strict=True):
        if "error" in row:
            listener.message(f"{job.source}: {row['error']['found']}")
        for warning in row.get("warnings", []):
            listener.message(f"{job.source}: {warning}")
        known[job] = row
    return [known[job] for job in jobs]


def _attempt(worker: Worker, job: Job, hear: Callable[[float], object]) -> dict[str, Any]:
    """The row of one picture; what nobody foresaw becomes an error of this picture, unless it came from the listener."""
    from_listener: list[Exception] = []

    def listen(share: float) -> None:
        try:
            hear(share)
        except Exception as error:  # the caller's own way to end the call
            from_listener.append(error)
            raise

    try:
        return worker(job, listen)
    except LimnerError:
        raise
    except Exception as error:
        if from_listener:
            raise
        fix = "save the picture in another size or format; if that does not help, report it with these lines"
        return worker.keep(job, {"error": failed(error, fix=fix).as_dict()})


def _with_ray(jobs: Sequence[Job], worker: Worker, listener: Listener) -> list[dict[str, Any]]:
    from limner.api.extras import require

    require("ray")
    from limner.batch import ray_predict

    rows = ray_predict.run(jobs, worker, listener=listener)
    return [{"input": str(job.source), **row} for job, row in zip(jobs, rows, strict=True)]


def _absolute(model: Path | str) -> Path | str:
    return Path(model).absolute() if Path(model).exists() else model


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


def refuse_shared(jobs: Sequence[Job], sides: Iterable[str]) -> None:
    """Refuse a label map that would be written where another result lies.

    The overlay of ``a.png`` is ``overlays/a.png``, and so is the label map of a picture ``overlays/a.png``.

    Parameters
    ----------
    sides : folders in the output that get further pictures, under the names of the label maps.

    Raises
    ------
    DataError : names both inputs.
    """
    by_target, sides = {job.target: job for job in jobs}, frozenset(sides)
    for job in jobs:
        side, _, target = job.target.partition("/")
        other = by_target.get(target) if side in sides else None
        if other is not None or (side == FOLDER and target):
            raise DataError(
                f"the label map of {job.source} and "
                + (f"what is written to {side}/ of {other.source}" if other else "what an unfinished call keeps")
                + f" would both be {job.target}.png",
                expected="different names",
                where=str(job.source),
                fix=f"rename the folder {side} of the inputs, or predict it in a call of its own",
            )


def _sides(options: Options, opened: Opened) -> list[str]:
    """The folders beside the label maps to which this call writes pictures."""
    bundle = opened.bundle
    objects = bundle is not None and bundle.method is None and bundle.contract.objects is not None
    written = {
        "overlays": options.overlay,
        "uncertainty": options.uncertainty,
        INSTANCES: objects,
        SEGMENTS: objects and opened.label_space.kind == "panoptic",
    }
    return [name for name, is_written in written.items() if is_written]
