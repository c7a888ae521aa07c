"""One picture of `limner predict`: read, segment, write, and the line of the manifest that says so.

A `Worker` can be pickled: it opens its model at the first picture, once per process, wherever it runs. What it writes is whole or
not there and has a name of its own, so that a picture may be done twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from limner.api.confidence import confidence
from limner.api.input_kind import strange
from limner.api.object_overlay import drawn
from limner.api.open import classical_method, open_segmenter, refuse_network_options
from limner.api.predict_huge import Huge, check_answers, segment_huge
from limner.api.predict_kept import Kept, source_of
from limner.api.predict_objects import write_objects
from limner.core.answers import CONFIDENCE
from limner.core.bundle import Bundle
from limner.core.errors import LimnerError, MachineError, UsageError
from limner.core.files import write_atomic
from limner.core.labels import LabelSpace
from limner.core.object_head import QUERIES
from limner.core.postprocess import Rules
from limner.core.prediction import Prediction
from limner.core.protocols import Segmenter
from limner.core.sample import Image, Sample
from limner.data.images import read_image, write_image, write_labels
from limner.data.label_tiff import LARGE_PIXELS, write_label_tiff
from limner.data.stacks import stack_suffix
from limner.data.windows import WholePicture, header_of, open_windows
from limner.data.windows_zarr import is_zarr
from limner.inference.ensemble import EnsembleSegmenter
from limner.inference.object_table import Spacing
from limner.inference.postprocess import RuledSegmenter, with_rules
from limner.inference.segmenter import PREPARED_PIXELS, NetworkSegmenter
from limner.inference.uncertainty import entropy


@dataclass(frozen=True)
class Job:
    """One picture and where its label map goes, relative to the output folder, without suffix."""

    source: Path
    target: str


@dataclass(frozen=True)
class Options:
    """What is asked of each picture; see `limner.api.predict.predict`."""

    overlay: bool = False
    scores: bool = False
    tile: int | None = None
    tta: bool = False
    ensemble: bool = False
    uncertainty: bool = False
    runtime: str = "auto"
    spacing: float | None = None

    @property
    def whole_scores(self) -> bool:
        """Whether the scores of the whole picture are wanted, which take memory in proportion to it."""
        return self.scores or self.uncertainty


@dataclass(frozen=True)
class Opened:
    """A model that is ready.

    Parameters
    ----------
    segmenter : what answers; hands out scores where the bundle can tell from them how good an answer is.
    network, rules : the network inside it that can answer by bands, and the rules that it then does not obey; None = none.
    bundle : None for a classical method by its name.
    plain : what answers for pictures whose confidence nobody tells; None = `segmenter`.
    """

    segmenter: Segmenter
    label_space: LabelSpace
    network: NetworkSegmenter | None = None
    rules: Rules | None = None
    bundle: Bundle | None = None
    plain: Segmenter | None = None


class Worker:
    """Turns one job after the other into a row of the manifest.

    Parameters
    ----------
    model : run folder, bundle folder or the name of a classical method.
    folder : output folder, which is there already.
    options : what is asked.
    base : folder that relative paths of inputs start from.
    kept : where rows and unfinished pictures are kept for a call that continues this one.
    resume : an unfinished picture is continued.
    """

    def __init__(
        self, model: Path | str, folder: Path, options: Options, *, base: Path, kept: Kept, resume: bool = False
    ) -> None:
        self.model, self.folder, self.options = model, folder, options
        self.base, self.kept, self.resume = base, kept, resume
        self._opened: Opened | None = None

    def __getstate__(self) -> dict[str, Any]:
        """All but the opened model, which each process opens for itself."""
        return {**self.__dict__, "_opened": None}

    @property
    def opened(self) -> Opened:
        """The model, opened at the first call.

        Raises
        ------
        BundleError, MachineError, UsageError : it cannot be opened, or lacks what is asked.
        """
        if self._opened is None:
            self._opened = open_model(self.model, self.options)
        return self._opened

    def __call__(self, job: Job, progress: Callable[[float], object] = lambda _: None) -> dict[str, Any]:
        """The row of one picture, which is kept on the disk as well; an error that a person can remedy becomes a row.

        Parameters
        ----------
        job : the picture.
        progress : hears what share of the picture is done.
        """
        source = source_of(self.base / job.source)  # before it is read: what changes meanwhile is done again
        try:
            row = {"source": source, **self._row(job, progress)}
        except LimnerError as error:
            row = {"error": error.as_dict()}
        except MemoryError:
            row = {"error": _no_memory(job, self._opened).as_dict()}
        return self.keep(job, row)

    def keep(self, job: Job, row: dict[str, Any]) -> dict[str, Any]:
        """Keep a row on the disk for a call that continues this one; returns it with its input."""
        row = {"input": str(job.source), **row}
        self.kept.keep(job.target, row)
        return row

    def is_answer(self, row: dict[str, Any], job: Job) -> bool:
        """Whether the row of a picture that did not change is of the picture of `job`; old rows know only what was given."""
        if "source" in row:
            return bool(row["source"]["path"] == str(self.base / job.source))
        return bool(row["input"] == str(job.source))

    def told_again(self, row: dict[str, Any], job: Job) -> dict[str, Any]:
        """The row of an earlier call with what this call says of the input."""
        return {**row, "input": str(job.source), "source": row.get("source") or source_of(self.base / job.source)}

    def _row(self, job: Job, progress: Callable[[float], object]) -> dict[str, Any]:
        start = time.perf_counter()
        path, opened = self.base / job.source, self.opened
        pixels = 0 if stack_suffix(path.name) == ".dcm" else int(np.prod(header_of(path).size_hw, dtype=np.int64))
        check_answers(job.source.name, pixels, opened.segmenter, whole_scores=self.options.whole_scores)
        by_bands = pixels > PREPARED_PIXELS and not self.options.whole_scores
        if opened.network is None or opened.bundle is None or not by_bands:
            return self._whole(job, path)
        spacing = spacing_of(self.options, opened.bundle)
        work = self.kept.work(job.target)
        huge = Huge(path, self.folder, job.target, work, overlay=self.options.overlay, spacing=spacing)
        row = segment_huge(huge, opened.network, opened.rules, opened.bundle, resume=self.resume, progress=progress)
        return {**row, "seconds": round(time.perf_counter() - start, 4)}

    def _whole(self, job: Job, path: Path) -> dict[str, Any]:
        """A picture that is in memory as a whole."""
        image = _pixels(path)
        opened, options = self.opened, self.options
        is_judged = image.shape[0] * image.shape[1] <= PREPARED_PIXELS  # others are not, whatever else is asked
        segmenter = opened.segmenter if is_judged or opened.plain is None else opened.plain
        prediction = segmenter.segment(Sample(job.source.name, image))
        output = self._write(job, image, prediction)
        row: dict[str, Any] = {
            "output": output,
            "size_hw": list(prediction.labels.shape),
            "classes": prediction.pixels(),
            **write_objects(
                self.kept, job.source, job.target, image, prediction, spacing=spacing_of(options, opened.bundle)
            ),
            "seconds": round(prediction.seconds, 4),
        }
        if opened.bundle is not None:
            warnings = strange(image, opened.bundle)
            if warnings:
                row["warnings"] = warnings
            if is_judged and prediction.scores is not None and CONFIDENCE in opened.bundle.answers:
                sure = confidence(prediction.scores, opened.bundle, prediction.labels)
                row["confidence"] = None if sure is None else round(sure, 4)
        if prediction.scores is not None and options.scores:
            _write_scores(self.folder / "scores" / f"{job.target}.npy", prediction.scores)
        if prediction.scores is not None and options.uncertainty:
            write_image(self.folder / "uncertainty" / f"{job.target}.png", entropy(prediction.scores))
        return row

    def _write(self, job: Job, image: Image, prediction: Prediction) -> str:
        """Write the label map and the overlay; the name of the label map."""
        labels, space = prediction.labels, prediction.label_space
        if labels.size > LARGE_PIXELS:
            output = f"{job.target}.tif"
            write_label_tiff(
                self.folder / output,
                lambda start, stop: labels[start:stop],
                prediction.labels.shape,
                space,
                dtype=labels.dtype,
            )
        else:
            output = f"{job.target}.png"
            write_labels(self.folder / output, labels, space)
        if self.options.overlay:
            write_image(self.folder / "overlays" / f"{job.target}.png", drawn(image, prediction))
        return output


def spacing_of(options: Options, bundle: Bundle | None) -> Spacing | None:
    """Height and width of a pixel in mm: what the call says, else what the training data declared; None = not known."""
    if options.spacing is not None:
        return options.spacing, options.spacing
    told = None if bundle is None else bundle.training.get("spacing_mm")
    return None if told is None else (float(told[0]), float(told[1]))


def open_model(model: Path | str, options: Options) -> Opened:
    """A network, the networks of all folds, or a classical method.

    Raises
    ------
    BundleError, MachineError, UsageError : it cannot be opened, or lacks what is asked.
    """
    method = classical_method(model)
    if method is not None:
        _refuse_of_classical(method.name, options)
        return Opened(method, method.label_space)
    if options.ensemble:
        from limner.api.ensemble import open_ensemble

        segmenter, bundle = open_ensemble(
            Path(model), tile=options.tile, keep_scores=options.whole_scores, runtime=options.runtime, tta=options.tta
        )
    else:
        segmenter, bundle = open_segmenter(
            Path(model), tile=options.tile, keep_scores=options.whole_scores, runtime=options.runtime, tta=options.tta
        )
    if bundle.method is not None:
        _refuse_of_classical(bundle.method, options)
    return with_confidence(segmenter, bundle)


def with_confidence(segmenter: Segmenter, bundle: Bundle) -> Opened:
    """The parts of an opened model; it hands out scores where the bundle can tell from them how good an answer is."""
    rules = segmenter.rules if isinstance(segmenter, RuledSegmenter) else None
    inner = segmenter.inner if isinstance(segmenter, RuledSegmenter) else segmenter
    scored = segmenter
    if CONFIDENCE in bundle.answers and isinstance(inner, NetworkSegmenter | EnsembleSegmenter):
        scored = with_rules(inner.with_scores(), rules)
    network = inner if isinstance(inner, NetworkSegmenter) else None
    if network is not None and network.contract.objects is not None and network.contract.objects.head == QUERIES:
        network = None  # queries see the whole picture, made small: there are no bands
    return Opened(scored, bundle.label_space, network, rules, bundle, plain=segmenter)


def _refuse_of_classical(method: str, options: Options) -> None:
    given = {
        "--ensemble": (options.ensemble, "the run of a cross-validation"),
        "--uncertainty": (options.uncertainty, "a trained network: classical methods have no scores"),
    }
    for option, (is_given, expected) in given.items():
        if is_given:
            raise UsageError(
                f"{option} with the classical method {method}", expected=expected, fix="leave the option out"
            )
    refuse_network_options(method, tile=options.tile, scores=options.scores, tta=options.tta)


def _pixels(path: Path) -> Image:
    if not is_zarr(path):
        return read_image(path)
    windows = open_windows(path)
    assert not isinstance(windows, WholePicture)
    return windows.read(slice(0, windows.size_hw[0]), slice(0, windows.size_hw[1]))


def _write_scores(path: Path, scores: Any) -> None:
    values = scores.astype(np.float16)

    def save(temporary: Path) -> None:
        with temporary.open("wb") as file:
            np.save(file, values)

    write_atomic(path, save)


def _no_memory(job: Job, opened: Opened | None) -> MachineError:
    network = None if opened is None else opened.network
    tiles = " or give a smaller --tile" if network is not None and not any(network.contract.resize_hw) else ""
    return MachineError(
        f"memory ran out on {job.source.name}",
        expected="room for one picture and what is computed from it",
        where=str(job.source),
        fix=f"close other programs{tiles}; save the picture as tiled TIFF, which is read piece by piece",
    )
