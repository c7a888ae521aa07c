"""The making of one export: write it beside its place, judge it, move it in."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from limner.api.export_tiles import CALIBRATION_TILES, Batch, Pictures, cut_tiles
from limner.api.machine import usable_cores
from limner.core.bundle import Bundle, read_bundle
from limner.core.errors import BundleError
from limner.core.files import disk_errors
from limner.core.protocols import Listener, Predictor

if TYPE_CHECKING:
    from limner.api.export_judge import Judge
    from limner.runtimes.parity import Parity

PACKAGES = {"onnx": ("torch", "onnx", "onnxruntime"), "openvino": ("torch", "onnx", "openvino")}


@dataclass(frozen=True)
class ExportResult:
    """What was written, and how far it is from the network.

    Parameters
    ----------
    path : the file, or the folder of OpenVINO's two files.
    runtime : ``onnx`` or ``openvino``.
    precision : ``float32`` or ``int8``.
    max_abs_logit_difference : largest difference of a logit; None where it could not be measured.
    label_disagreement : share of pixels whose label differs, 0 to 1.
    tiles : that were compared.
    tiles_from : ``validation``, ``training`` where no pictures validate, ``given`` where nobody knows which of them did what, or
        ``synthetic`` where the data are not at hand.
    dice_loss : for INT8, by how much Dice against the true labels of those pictures is lower; negative = higher.
    bfloat16 : for OpenVINO on a processor that has it, the same figures for computing in bfloat16, and ``passed``.
    kept_float32 : for INT8, layers that had to stay in float32.
    versions : of the packages that took part.
    passed : whether it may be used.
    folds : of a cross-validation, the same figures for the model of each fold.
    """

    path: Path
    runtime: str
    precision: str
    max_abs_logit_difference: float | None = None
    label_disagreement: float | None = None
    tiles: int = 0
    tiles_from: str = ""
    dice_loss: float | None = None
    bfloat16: dict[str, Any] | None = None
    kept_float32: tuple[str, ...] = ()
    versions: dict[str, str] = field(default_factory=dict)
    passed: bool = False
    folds: tuple[dict[str, Any], ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """``export --json``."""
        document = {
            **vars(self),
            "path": str(self.path),
            "kept_float32": list(self.kept_float32),
            "folds": list(self.folds),
        }
        if not self.folds:
            del document["folds"]
        return document

    def as_entry(self, files: Sequence[str]) -> dict[str, Any]:
        """The row of the bundle's table; `files` relative to the bundle, the model first."""
        facts = {key: value for key, value in self.as_dict().items() if key not in ("path", "passed", "folds")}
        return {"files": list(files), **{key: value for key, value in facts.items() if value not in (None, [])}}


@dataclass(frozen=True)
class ExportJob:
    """What is exported to where.

    Parameters
    ----------
    bundle : of a network with its weights.
    to : ``onnx`` or ``openvino``.
    int8 : in INT8, else in float32.
    out : a file or folder of its own; None = into the bundle.
    listener : hears of progress.
    """

    bundle: Bundle
    to: str
    int8: bool
    out: Path | None
    listener: Listener

    @property
    def name(self) -> str:
        """The key in the bundle's table."""
        return f"{self.to}-int8" if self.int8 else self.to

    @property
    def inner(self) -> str:
        """The file or folder inside the bundle."""
        if self.to == "openvino":
            return self.name
        return "model.int8.onnx" if self.int8 else "model.onnx"

    @property
    def path(self) -> Path:
        """Where it is written to."""
        return self.out if self.out is not None else self.bundle.folder / self.inner

    @property
    def blank(self) -> ExportResult:
        """The result before anything was measured."""
        return ExportResult(self.path, self.to, "int8" if self.int8 else "float32")

    def run(self, pictures: Pictures | None) -> ExportResult:
        """Export, judge, and put in place.

        Parameters
        ----------
        pictures : of the model's data; None = judged on synthetic tiles, which INT8 cannot be.

        Raises
        ------
        BundleError : the network cannot be written so, or says something else there; nothing is left then.
        """
        from limner.api.export_judge import Judge
        from limner.runtimes import pytorch
        from limner.runtimes.parity import VECTORS, write_vectors

        network = pytorch.load(self.bundle, bfloat16=False)
        asks_objects = self._asks_bfloat16() and self.bundle.contract.objects is not None and pictures is not None
        judge = Judge.of(self.bundle, network, pictures, dice=self.int8 or asks_objects, listener=self.listener)
        with _workplace(self.path) as folder:
            if self.int8:
                assert pictures is not None
                found, result = self._int8(folder, network.model, judge, pictures)
            else:
                found, result = self._float32(folder, network.model, judge)
            result = dataclasses.replace(result, passed=True, versions=_versions(self.to, self.int8))
            if self.out is not None:
                _move(found, self.out)
            else:
                write_vectors(folder / VECTORS, network, self.bundle)
                self._publish(found, folder / VECTORS, result)
        return result

    def _float32(self, folder: Path, network: Any, judge: Judge) -> tuple[Path, ExportResult]:
        found = self._graph(folder, network)
        if self.to == "openvino":
            from limner.runtimes.export_onnx import describe
            from limner.runtimes.export_openvino import export_openvino

            found = export_openvino(found, folder / "openvino", metadata=describe(self.bundle)).parent
        parity, failures = judge.float32(self._predictor(found))
        result = self._result(parity, judge)
        if failures:
            raise self._refusal(result, failures)
        return found, dataclasses.replace(result, bfloat16=self._bfloat16(found, judge))

    def _bfloat16(self, found: Path, judge: Judge) -> dict[str, Any] | None:
        """How OpenVINO answers in bfloat16, which is a way of computing and no other file; None where there is none."""
        if not self._asks_bfloat16():
            return None
        parity, failures = judge.bfloat16(self._predictor(found, bfloat16=True))
        if failures:
            self.listener.message(f"bfloat16 is not used: {'; '.join(failures)}")
        return {**parity.as_dict(), "tiles_from": judge.tiles_from, "passed": not failures}

    def _asks_bfloat16(self) -> bool:
        """Whether OpenVINO in bfloat16 is judged as well: it computes the float32 file, on processors that have it."""
        if self.to != "openvino" or self.int8:
            return False
        from limner.runtimes.openvino import has_fast_bfloat16

        return has_fast_bfloat16()

    def _int8(self, folder: Path, network: Any, judge: Judge, pictures: Pictures) -> tuple[Path, ExportResult]:
        """All layers in INT8, or all but those at both ends where that costs too much Dice."""
        plain = self._graph(folder, network)
        tiles = cut_tiles(
            pictures.dataset, pictures.trained, self.bundle, count=CALIBRATION_TILES, stage="calibrate",
            listener=self.listener,
        )  # fmt: skip
        failures, result = [""], self.blank
        for keep_edges in (False, True):
            found = folder / f"int8-{len(tiles)}-{keep_edges}{'.onnx' if self.to == 'onnx' else ''}"
            self.listener.message(f"finding the scales of INT8 on {len(tiles)} training tiles")
            kept = self._quantized(plain, found, tiles, keep_edges=keep_edges)
            parity, loss, failures = judge.int8(self._predictor(found))
            loss = None if loss is None else round(loss, 6)
            result = dataclasses.replace(self._result(parity, judge), dice_loss=loss, kept_float32=kept)
            if not failures:
                return found, result
            self.listener.message(f"INT8{' with both ends in float32' if keep_edges else ''}: {'; '.join(failures)}")
        raise self._refusal(result, failures)

    def _graph(self, folder: Path, network: Any) -> Path:
        """The network as an ONNX file."""
        from limner.runtimes.export_onnx import describe, export_onnx

        channels = int(self.bundle.arguments["channels"])
        export_onnx(network, folder / "float32.onnx", channels=channels, metadata=describe(self.bundle))
        return folder / "float32.onnx"

    def _quantized(self, plain: Path, target: Path, tiles: list[Batch], *, keep_edges: bool) -> tuple[str, ...]:
        if self.to == "onnx":
            from limner.runtimes.quantize_onnx import quantize_onnx

            return quantize_onnx(plain, target, tiles, keep_edges=keep_edges)
        from limner.runtimes.export_onnx import describe
        from limner.runtimes.quantize_openvino import quantize_openvino

        return quantize_openvino(plain, target, tiles, keep_edges=keep_edges, metadata=describe(self.bundle))

    def _predictor(self, found: Path, *, bfloat16: bool = False) -> Predictor:
        if self.to == "onnx":
            from limner.runtimes import onnx

            return onnx.load(found, threads=usable_cores())
        from limner.runtimes import openvino

        return openvino.load(found / "model.xml", threads=usable_cores(), bfloat16=bfloat16)

    def _result(self, parity: Parity, judge: Judge) -> ExportResult:
        return dataclasses.replace(self.blank, tiles_from=judge.tiles_from, **parity.as_dict())

    def _refusal(self, result: ExportResult, failures: Sequence[str]) -> BundleError:
        return BundleError(
            f"{self.name} says something else than the network: {'; '.join(failures)}",
            expected=f"agreement on {result.tiles} {result.tiles_from} tiles",
            where=str(self.bundle.folder),
            fix="export without --int8"
            if self.int8
            else "predict with --runtime torch; another version of the runtime may do better",
            details=result.as_dict(),
        )

    def _publish(self, found: Path, vectors: Path, result: ExportResult) -> None:
        """Move the export into the bundle and list it there.

        Whenever this is killed, what the bundle lists is there and whole: an export that is replaced is struck off first.
        """
        folder = self.bundle.folder
        current = read_bundle(folder)  # another export may have ended since
        others = {name: entry for name, entry in current.exports.items() if name != self.name}
        if self.name in current.exports:
            dataclasses.replace(current, exports=others).save()
        if not any(vectors.name in entry["files"] for entry in others.values()):  # else they are of the same weights
            _move(vectors, folder / vectors.name)
        _move(found, self.path)
        names = [self.inner] if self.to == "onnx" else [f"{self.inner}/model.xml", f"{self.inner}/model.bin"]
        entry = result.as_entry([*names, vectors.name])
        dataclasses.replace(current, exports={**others, self.name: entry}).save()


@contextmanager
def _workplace(target: Path) -> Iterator[Path]:
    """An empty folder beside `target`, so that moving from it is a renaming; gone afterwards."""
    folder = target.parent / f".{target.name}.{os.getpid()}"
    with disk_errors(target):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _move(source: Path, target: Path) -> None:
    """Put a file or folder in place of what may be there."""
    if target.is_dir() and not target.is_symlink():
        old = source.with_name(f"{source.name}.old")
        target.rename(old)
    source.replace(target)


def _versions(to: str, int8: bool) -> dict[str, str]:
    names = (*PACKAGES[to], "nncf") if int8 and to == "openvino" else PACKAGES[to]
    found = {}
    for name in ("limner", *names):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "unknown"
    return found
