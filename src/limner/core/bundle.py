"""The bundle: the one folder that predict, export and serve ever open. JSON and safetensors, no pickle."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from limner.core.bundle_checks import checked_contract, checked_table, inside
from limner.core.bundle_tables import checked_answers, checked_classes, checked_licences, checked_training
from limner.core.errors import BundleError, DataError
from limner.core.files import sha256, write_json
from limner.core.labels import LabelSpace
from limner.core.object_head import QUERIES, ObjectHead

FORMAT_VERSION = 1
WEIGHTS = "weights.safetensors"
CLASSICAL = "classical/"  # before the name of a method without weights


@dataclass(frozen=True)
class InputContract:
    """What a network must be fed with.

    Parameters
    ----------
    channels : channels of the pictures it was trained on.
    scale, resize_hw : working size / native size, or one working size for all pictures.
    normalization, intensity_range : see `DataPart` of the recipe.
    tile, overlap, flips : see `InferencePart`.
    threshold : score above which a pixel is foreground, for two classes; of scores as the network gives them.
    temperature : what the logits of scores that are handed out are divided by; above 1 the network is too sure.
    objects : how objects are told apart; None = not.
    """

    channels: int
    scale: float
    normalization: str
    intensity_range: tuple[float, float]
    tile: int
    overlap: float
    flips: str
    threshold: float
    resize_hw: tuple[int, int] = (0, 0)
    temperature: float = 1.0
    objects: ObjectHead | None = None

    def num_maps(self, label_space: LabelSpace) -> int:
        """Maps that a network answers: those of the classes, then those of the object head."""
        return label_space.num_maps + (len(self.objects.maps) if self.objects is not None else 0)

    def calibrated(self, threshold: float) -> float:
        """A threshold of scores as the network gives them, as one of scores that are handed out; 0, 0.5 and 1 stay.

        With the odds o = t / (1 - t) and the temperature T: o^(1/T) / (1 + o^(1/T)).
        """
        if self.temperature == 1 or not 0 < threshold < 1:
            return threshold
        odds = math.log(threshold / (1 - threshold)) / self.temperature
        small = math.exp(-abs(odds))  # no temperature makes this overflow
        return (1 if odds >= 0 else small) / (1 + small)


@dataclass(frozen=True)
class Bundle:
    """A model and all that is needed to use it.

    Parameters
    ----------
    folder : where it lies.
    architecture, arguments : which network, and the arguments that build it again; or ``classical/<method>`` and its options.
    label_space : the classes.
    contract : what the network is fed with; a classical method looks at its channels alone.
    training : checksum of the data and split, steps, scores, versions.
    licences : licence of each set of weights it started from.
    exports : by name (``onnx``, ``openvino``, ...) the files, relative to the folder, and the measured parity of what other
        runtimes open; see `limner.api.export`.
    answers : what was chosen on validation pictures to better the answers, and what makes pictures known or strange; by topic.
    """

    folder: Path
    architecture: str
    arguments: dict[str, Any]
    label_space: LabelSpace
    contract: InputContract
    training: dict[str, Any] = field(default_factory=dict)
    licences: tuple[str, ...] = ()
    exports: dict[str, Any] = field(default_factory=dict)
    answers: dict[str, Any] = field(default_factory=dict)

    @property
    def weights(self) -> Path:
        """The safetensors file."""
        return self.folder / WEIGHTS

    @property
    def method(self) -> str | None:
        """Name of the classical method; None for a network."""
        return self.architecture.removeprefix(CLASSICAL) if self.architecture.startswith(CLASSICAL) else None

    @property
    def threshold(self) -> float | None:
        """Score as the network gives it above which a pixel is foreground; None where no score is compared with one.

        So it is where classes compete for a pixel, where there are no scores, and where query masks become objects.
        """
        objects = self.contract.objects
        if objects is not None and objects.head == QUERIES and self.label_space.things:
            return None
        return self.contract.threshold if len(self.label_space) == 2 and self.method is None else None

    @property
    def calibrated_threshold(self) -> float | None:
        """The same of scores that are handed out, which are calibrated; to six decimals. What people are told."""
        return None if self.threshold is None else round(self.contract.calibrated(self.threshold), 6)

    def save(self) -> None:
        """Write ``bundle.json`` beside the weights and exports, which must be there already; their hashes go into it.

        A classical method has no weights.
        """
        names = [WEIGHTS] if self.method is None else []
        names += [name for export in self.exports.values() for name in export["files"]]
        write_json(
            self.folder / "bundle.json",
            {
                "format_version": FORMAT_VERSION,
                "architecture": self.architecture,
                "arguments": self.arguments,
                "classes": self.label_space.as_dict(),
                "input": {
                    name: value for name, value in dataclasses.asdict(self.contract).items() if value is not None
                },
                "training": self.training,
                "licences": list(self.licences),
                "exports": self.exports,
                "answers": self.answers,
                "files": {name: sha256(self.folder / name) for name in names},
            },
        )


def read_bundle(path: Path) -> Bundle:
    """Open a bundle, or the bundle of a run folder.

    Raises
    ------
    BundleError : there is none, it is of a newer version, a file is missing or changed.
    """
    folder = path / "model" if (path / "model" / "bundle.json").is_file() else path
    file = folder / "bundle.json"
    if not file.is_file():
        raise BundleError(
            f"no model at {path}",
            expected="a run folder or a bundle with bundle.json",
            where=str(path),
            fix="give the folder that limner train wrote, or train one: limner train DATA --out RUN",
        )
    try:
        tree = json.loads(file.read_text(encoding="utf-8"))
        version = tree["format_version"]
        if type(version) is not int:
            raise TypeError("format_version is no whole number")
        if version > FORMAT_VERSION:
            raise BundleError(
                f"bundle of format version {version}",
                expected=f"version {FORMAT_VERSION} or older",
                where=str(file),
                fix="update Limner: pip install -U limner",
            )
        if not isinstance(tree["architecture"], str) or not isinstance(tree["arguments"], dict):
            raise TypeError("architecture is a name, arguments are a table")
        bundle = Bundle(
            folder=folder,
            architecture=tree["architecture"],
            arguments=tree["arguments"],
            label_space=checked_classes(tree["classes"]),
            contract=InputContract(**checked_contract(tree["input"])),
            training=checked_training(tree.get("training", {})),
            licences=checked_licences(tree.get("licences", [])),
            exports=_checked_exports(tree.get("exports", {})),
            answers=checked_answers(tree.get("answers", {})),
        )
        hashes: dict[str, str] = {
            inside(name): str(value) for name, value in checked_table(tree["files"], "files").items()
        }
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError, DataError) as error:
        raise BundleError(
            f"bundle.json cannot be read: {error.found if isinstance(error, DataError) else repr(error)}",
            expected="the file as limner train wrote it",
            where=str(file),
            fix="copy the whole model folder again from the run",
        ) from None
    _check_files(bundle, hashes)
    return bundle


def _checked_exports(value: Any) -> dict[str, Any]:
    """The table of exports; each names at least one file of the folder."""
    exports = checked_table(value, "exports")
    for name, export in exports.items():
        if not isinstance(export, dict) or not export.get("files"):
            raise TypeError(f"the export {name} names no files")
        for file in export["files"]:
            inside(file)
    return exports


def _check_files(bundle: Bundle, hashes: dict[str, str]) -> None:
    """Refuse a bundle with a file that is missing or changed."""
    folder = bundle.folder
    for name, expected in hashes.items():
        if name == WEIGHTS and bundle.exports and not bundle.weights.is_file():
            continue  # left out where only exports are used
        found = sha256(folder / name) if (folder / name).is_file() else "missing"
        if found != expected:
            raise BundleError(
                f"{name} is {'missing' if found == 'missing' else 'changed: sha256 ' + found[:12]}",
                expected=f"sha256 {expected[:12]}",
                where=str(folder / name),
                fix="copy the whole model folder again from the run",
            )
