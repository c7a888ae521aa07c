"""The run folder: which file lies where, and how each is written whole."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import shutil
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from limner.api.given_recipe import measured_validations
from limner.core.files import MARKER, check_apart, check_output, disk_errors, prepare_output, write_json, write_text
from limner.core.recipe import Recipe
from limner.data.splits import Split, write_split

if TYPE_CHECKING:
    from limner.training.checkpoint import Progress

# what may lie in the folder of a run that has no recipe yet
EARLY = (MARKER, "split.csv", "origin.json", "folds.csv", "log.jsonl")


@dataclasses.dataclass(frozen=True)
class RunFolder:
    """Paths of a run, and the writers of its small files."""

    path: Path

    @property
    def recipe(self) -> Path:
        """The recipe as it was obeyed."""
        return self.path / "recipe.toml"

    @property
    def split(self) -> Path:
        """Who trained, chose and judged."""
        return self.path / "split.csv"

    @property
    def origin(self) -> Path:
        """Where the data lie on this machine."""
        return self.path / "origin.json"

    @property
    def model(self) -> Path:
        """The bundle."""
        return self.path / "model"

    @property
    def checkpoints(self) -> Path:
        """``last.safetensors``, ``best.safetensors``, ``top-<step>.safetensors``."""
        return self.path / "checkpoints"

    @property
    def evaluation(self) -> Path:
        """``summary.json`` and ``per_image.csv``."""
        return self.path / "evaluation"

    @property
    def cache(self) -> Path:
        """Decoded pictures that do not fit into memory; removed when training ends, however it does."""
        return self.path / "cache"

    def cache_of(self, rank: int) -> Path:
        """The part of the cache that one of several processes writes."""
        return self.cache if rank == 0 else self.cache / str(rank)

    def finished(self) -> dict[str, Any] | None:
        """The result of the run in the folder, or None when there is none or it is not finished."""
        done = self.path / "train.json"
        if not done.is_file():
            return None
        result: dict[str, Any] = json.loads(done.read_text(encoding="utf-8"))
        return result

    def check(self, *, resume: bool, overwrite: bool, inputs: Iterable[Path] = ()) -> bool:
        """Whether there is a run to go on with; changes nothing.

        Parameters
        ----------
        inputs : what the call reads, see `limner.core.files.check_apart`.

        Raises
        ------
        OutputError : the folder holds an input; it is taken and neither `resume` nor `overwrite` is set, or it is not a run.
        """
        check_apart(self.path, inputs)
        if resume and (self.path / MARKER).exists():
            if self.recipe.is_file():
                return True
            if all(path.name in EARLY or path.suffix == ".tmp" for path in self.path.iterdir()):
                return False  # it ended before it began
        check_output(self.path, overwrite=overwrite)
        return False

    def start(
        self,
        recipe: Recipe,
        split: Split,
        root: Path,
        *,
        goes_on: bool,
        overwrite: bool,
        began: Mapping[str, Any] | None = None,
    ) -> None:
        """Make the folder and write what the run is started with, or tidy up after a run that was killed.

        The split is written first, so that a recipe never stands without one. ``origin.json`` says where the data lie, for
        later verbs that need them, and what the run `began` with, which stays when it is gone on with; it stays out of the
        bundle, which people share.
        """
        if goes_on:
            for left in self.path.rglob(".*.tmp"):
                left.unlink(missing_ok=True)
            self._write_origin(root, split, self.began())
            return
        if not (self.path / MARKER).exists() or overwrite:
            prepare_output(self.path, overwrite=overwrite, inputs=[root, *(item.image for item in split.items)])
        write_split(self.split, split, root)
        self._write_origin(root, split, began or {})
        write_text(self.recipe, recipe.to_toml())

    def _write_origin(self, root: Path, split: Split, began: Mapping[str, Any]) -> None:
        facts: dict[str, Any] = {"data": str(root.resolve()), "split_checksum": split.checksum}
        write_json(self.origin, facts | ({"began": dict(began)} if began else {}))

    def began(self) -> dict[str, Any]:
        """What the run began with, see `limner.api.beginning`; empty where an earlier version began it."""
        try:
            found = json.loads(self.origin.read_text(encoding="utf-8")).get("began", {})
        except (OSError, ValueError, AttributeError):
            return {}
        return found if isinstance(found, dict) else {}

    def find_origin(self) -> Path | None:
        """The folder or file that the data were read from; None where the run does not say, or it is gone."""
        try:
            root = Path(json.loads(self.origin.read_text(encoding="utf-8"))["data"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return root if root.exists() else None

    def write_recipe(self, recipe: Recipe, progress: Progress) -> None:
        """Write down the steps that a budget became, so that the run can be repeated."""
        part, held = recipe.schedule, progress.validations
        if part.budget != "none" and not part.steps and progress.stopped:
            plan = progress.plan
            measured = f"measured: what a budget of {part.budget} held on this machine"
            recipe = recipe.override(
                {"schedule.steps": plan[0][1], "schedule.revisions": tuple(plan[1:])}, reason=measured
            )
            reason = measured_validations(held, part.validations, part.budget)
            recipe = recipe.override({"schedule.validations": held}, reason=reason)
        write_text(self.recipe, recipe.to_toml())

    def write_parts(self, parts: int, reason: str) -> Recipe:
        """Write down that memory made the patches of a step be computed in so many parts; returns the recipe."""
        recipe = Recipe.read(self.recipe).override({"optimizer.accumulate": parts}, reason=reason)
        write_text(self.recipe, recipe.to_toml())
        return recipe

    def write_history(self, progress: Progress) -> None:
        """``history.csv``: one row per validation."""
        if not progress.history:
            return
        text = io.StringIO()
        writer = csv.DictWriter(text, fieldnames=list(progress.history[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(progress.history)
        write_text(self.path / "history.csv", text.getvalue())

    def log(self, event: dict[str, Any]) -> None:
        """Append one line to ``log.jsonl``; not-a-number becomes null."""
        clean = {key: None if isinstance(value, float) and value != value else value for key, value in event.items()}
        with disk_errors(self.path / "log.jsonl"), (self.path / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps({"time": time.strftime("%Y-%m-%dT%H:%M:%S"), **clean}) + "\n")

    def remove_cache(self) -> None:
        """Remove decoded pictures."""
        shutil.rmtree(self.cache, ignore_errors=True)

    def finish(self, result: dict[str, Any]) -> None:
        """Mark the run as finished; written last."""
        self.remove_cache()
        write_json(self.path / "train.json", result)
