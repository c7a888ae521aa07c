"""Every picture predicted by the one model of a cross-validation that did not learn from it, and what that says about its label."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from limner.api.confidence import expected_dice, fit_confidence
from limner.api.judged_confidence import dice_of_picture
from limner.api.open import open_segmenter
from limner.api.predict import plan_outputs
from limner.api.predict_kept import MANIFEST
from limner.api.run_folder import RunFolder
from limner.core.answers import CONFIDENCE
from limner.core.files import write_json
from limner.core.prediction import Prediction
from limner.core.protocols import Segmenter
from limner.core.sample import Sample
from limner.data.dataset import Dataset, Item
from limner.data.folds import Folds
from limner.data.images import write_labels
from limner.data.instance_files import write_instances
from limner.evaluation.gallery import DrawnSuspect, draw_suspect
from limner.evaluation.suspects import SuspectPicture, suspect_labels, suspect_picture, write_suspects

MOST_SUSPECTS = 12  # drawn in the report


class OutOfFold:
    """A `Segmenter` that asks the model of the fold which held a picture out, and keeps what it answers.

    Parameters
    ----------
    dataset, dealt : the pictures and their folds.
    folders : run folder of each fold.
    out : where label maps go, as palette PNG by the picture's path without suffix.
    """

    def __init__(self, dataset: Dataset, dealt: Folds, folders: Mapping[int, RunFolder], out: Path) -> None:
        self.dataset, self.dealt, self.folders, self.out = dataset, dealt, folders, out
        items = [item for fold in folders for item in dealt.held_out(fold)]
        jobs = plan_outputs([(dataset.root / item.name, dataset.root) for item in items])
        self.items = tuple(items)
        self.suspects: dict[str, SuspectPicture] = {}
        self.rows: dict[str, dict[str, Any]] = {}
        self._dice: dict[str, tuple[float, float]] = {}  # expected, and what it came to
        self._targets = {item.name: job.target for item, job in zip(items, jobs, strict=True)}
        self._open: tuple[int, Segmenter] | None = None  # one model at a time

    def segment(self, sample: Sample) -> Prediction:
        """Labels and scores of `sample` by the model that did not learn from it."""
        fold = self.dealt.fold_of[sample.name]
        if self._open is None or self._open[0] != fold:
            self._open = fold, open_segmenter(self.folders[fold].model, keep_scores=True)[0]
        found = self._open[1].segment(sample)
        if sample.name not in self.rows:
            self._keep(sample, found, fold)
        return found

    def _keep(self, sample: Sample, found: Prediction, fold: int) -> None:
        target = f"{self._targets[sample.name]}.png"
        write_labels(self.out / target, found.labels, found.label_space)
        self.rows[sample.name] = {
            "input": str(self.dataset.root / sample.name), "output": target, "size_hw": list(found.labels.shape),
            "classes": found.pixels(), "seconds": round(found.seconds, 4), "fold": fold,
        }  # fmt: skip
        if found.objects is not None:
            file = write_instances(self.out / "instances" / self._targets[sample.name], found.objects.ids)
            self.rows[sample.name]["instances"] = f"instances/{file.relative_to(self.out / 'instances').as_posix()}"
        if sample.labels is not None and found.scores is not None:
            space = found.label_space
            expected = expected_dice(found.scores, found.labels, space)
            self._dice[sample.name] = expected, dice_of_picture(found.labels, sample, space)
            self.suspects[sample.name] = suspect_picture(
                sample.name,
                sample.labels,
                found.labels,
                found.scores,
                label_space=found.label_space,
                valid=sample.valid,
            )

    def answers(self) -> dict[str, Any]:
        """What `Bundle.answers` gains: the confidence, as it fits the pictures that were held out; empty where they are too few."""
        groups = {item.name: item.group for item in self.items}
        expected, true = ([pair[place] for pair in self._dice.values()] for place in (0, 1))
        fitted = fit_confidence(expected, true, groups=[groups[name] for name in self._dice], source="out-of-fold")
        return {} if fitted is None else {CONFIDENCE: fitted}

    def write(self, evaluation: Path, model: Path) -> None:
        """The list of the label maps, and the suspects."""
        names = list(self.dataset.label_space.names)
        manifest = {"model": str(model), "classes": names, "images": list(self.rows.values()), "failed": 0}
        write_json(self.out / MANIFEST, manifest)
        write_suspects(evaluation / "suspects.csv", list(self.suspects.values()), self.dealt.fold_of)


def draw_suspects(asked: OutOfFold, dataset: Dataset) -> list[DrawnSuspect]:
    """The labels of most doubt, segmented again and drawn one by one; all of them are in ``suspects.csv``."""
    by_name: dict[str, Item] = {item.name: item for item in asked.items}
    drawn = []
    for suspect in suspect_labels(asked.suspects.values())[:MOST_SUSPECTS]:
        sample = dataset.load(by_name[suspect.image])
        assert sample.labels is not None
        labels = asked.segment(sample).labels
        drawn.append(
            draw_suspect(suspect.image, suspect.reason, sample.image, sample.labels, labels, valid=sample.valid)
        )
    return drawn
