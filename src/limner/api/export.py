"""Write a model for another runtime, and only when it says the same there."""

from __future__ import annotations

import dataclasses
import importlib.util
import itertools
from pathlib import Path

from limner.api.export_job import ExportJob, ExportResult
from limner.api.export_tiles import open_data, pick_pictures
from limner.api.extras import EXTRAS, install_line
from limner.api.folds import FOLDS_FILE
from limner.api.open import classical_method
from limner.core.bundle import Bundle, read_bundle
from limner.core.choices import nearest
from limner.core.errors import BundleError, DataError, LimnerError, MachineError, OutputError, UsageError
from limner.core.protocols import Listener, Silent
from limner.data.dataset import Dataset

RUNTIMES = ("onnx", "openvino")


def export(
    model: Path | str,
    *,
    to: str,
    int8: bool = False,
    data: Path | str | None = None,
    out: Path | str | None = None,
    overwrite: bool = False,
    listener: Listener | None = None,
) -> ExportResult:
    """Write the network of `model` for another runtime, where logits and labels agree with the network's own.

    Parameters
    ----------
    model : run folder or bundle folder; of a cross-validation the model of each fold is exported, too.
    to : ``onnx`` or ``openvino``.
    int8 : compute in 8-bit integers; needs training pictures to find the scales, and others to show that Dice stays.
    data : the data of the model; None = where its run found them, if they are still there and the same.
    out : new ``.onnx`` file, or new folder for OpenVINO; None = into the bundle, whose table then lists it.
    overwrite : replace an earlier export at `out`. One in the bundle is replaced anyway.

    Raises
    ------
    BundleError : no network to export, or it says something else in the other runtime; nothing is written then.
    DataError : INT8 without pictures.
    MachineError : a package is missing.
    UsageError, OutputError : see `limner.core.errors`.
    """
    model, listener = Path(model), listener or Silent()
    if to not in RUNTIMES:
        raise UsageError(f"--to {to}", expected=f"one of {', '.join(RUNTIMES)}", fix=nearest(to, RUNTIMES))
    target = Path(out) if out is not None else None
    _check_target(target, to, overwrite=overwrite)
    job = ExportJob(_network(model), to, int8, target, listener)
    try:
        _require(to, int8)
        dataset = open_data(model, job.bundle, Path(data) if data is not None else None, listener)
        if int8 and dataset is None:
            raise DataError(
                "the pictures that the model was trained on are not at hand",
                expected="training pictures, which give INT8 its scales, and others, which show that Dice stays",
                where=str(job.bundle.folder),
                fix="name their folder: --data DATA",
            )
        result = job.run(pick_pictures(model, job.bundle, dataset) if dataset is not None else None)
        return result if out is not None else _with_folds(result, job, model, dataset)
    except LimnerError as error:
        error.details = {**job.blank.as_dict(), **error.details}
        raise


def _with_folds(result: ExportResult, job: ExportJob, model: Path, dataset: Dataset | None) -> ExportResult:
    """The same for the model of each fold of a cross-validation, so that their ensemble needs no torch either."""
    if not (model / FOLDS_FILE).is_file():
        return result
    rows = []
    for fold in itertools.count(1):
        run = model / f"fold{fold}"
        if not (run / "model" / "bundle.json").is_file():
            break
        job.listener.message(f"fold {fold}")
        one = dataclasses.replace(job, bundle=_network(run))
        pictures = pick_pictures(run, one.bundle, dataset) if dataset is not None else None
        rows.append({"fold": fold, **one.run(pictures).as_dict()})
    return dataclasses.replace(result, folds=tuple(rows))


def _network(model: Path) -> Bundle:
    """The bundle of a network whose weights are at hand.

    Raises
    ------
    BundleError : a classical method, or a bundle of exports alone.
    """
    method = classical_method(model)
    bundle = read_bundle(model) if method is None else None
    name = method.name if method is not None else bundle.method if bundle is not None else None
    if name is not None or bundle is None:
        raise BundleError(
            f"{name} is a classical method",
            expected="a trained network",
            where=str(model),
            fix="nothing is to be exported: classical methods predict without PyTorch",
        )
    if not bundle.weights.is_file():
        raise BundleError(
            f"{bundle.weights.name} is missing, which exports are made from",
            expected="the bundle as limner train wrote it",
            where=str(bundle.folder),
            fix="export where the run is, and copy the bundle with the export in it",
        )
    return bundle


def _require(to: str, int8: bool) -> None:
    """Check that what an export needs is installed, without importing it.

    Raises
    ------
    MachineError : something is missing; says what to install.
    """
    wanted = {"train": EXTRAS["export"]}
    if to == "openvino":
        wanted["openvino"] = (*EXTRAS["openvino"], *(("nncf",) if int8 else ()))
    for extra, modules in wanted.items():
        absent = [name for name in modules if importlib.util.find_spec(name) is None]
        if absent:
            raise MachineError(
                f"not installed: {', '.join(absent)}",
                expected=f"what exports to {to}{' in INT8' if int8 else ''} are made with",
                fix=install_line(extra),
            )


def _check_target(out: Path | None, to: str, *, overwrite: bool) -> None:
    """Refuse an `out` that cannot be, or that is no export.

    Raises
    ------
    UsageError : not an ``.onnx`` file.
    OutputError : there is something else, or an export and `overwrite` is False.
    """
    if out is None:
        return
    if to == "onnx" and out.suffix != ".onnx":
        raise UsageError(f"-o {out}", expected="a file name that ends in .onnx", fix=f"-o {out}.onnx")
    if not out.exists():
        return
    if to == "onnx":
        is_export = out.is_file()
    else:
        is_export = out.is_dir() and {path.name for path in out.iterdir()} <= {"model.xml", "model.bin"}
    if not (overwrite and is_export):
        raise OutputError(
            f"{out} exists already",
            expected="a new file" if to == "onnx" else "a new folder",
            where=str(out),
            fix="choose another -o, or pass --overwrite to replace an earlier export",
        )
