"""Train the network of a run, in this process or in several, and write the bundle of its best weights."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from limner.api.logs import open_logs
from limner.api.run_folder import RunFolder
from limner.core.errors import DataError, LimnerError, MachineError
from limner.core.protocols import Listener
from limner.core.recipe import Recipe
from limner.data.dataset import Dataset
from limner.data.splits import Split
from limner.training.interrupt import interruptible
from limner.training.place import OWN, Place

if TYPE_CHECKING:
    from limner.training.checkpoint import Progress
    from limner.training.loader import PatchLoader
    from limner.training.run import Validation


@dataclass(frozen=True)
class Job:
    """All that a process needs to train.

    Parameters
    ----------
    folder : the run folder, with recipe and split in it.
    dataset, split, recipe : what to train on, and how.
    resume : go on from the folder's checkpoint where there is one.
    log : names of further logs.
    """

    folder: RunFolder
    dataset: Dataset
    split: Split
    recipe: Recipe
    resume: bool
    log: tuple[str, ...] = ()


def check_parts(job: Job) -> None:
    """Refuse a split without pictures to train or to validate on.

    Raises
    ------
    DataError : one of the two is empty.
    """
    if not job.split.part("train") or not job.split.part("val"):
        raise DataError(
            f"{len(job.split.part('train'))} pictures to train and {len(job.split.part('val'))} to validate on",
            expected="at least one each",
            where=str(job.dataset.root),
            fix="add pictures, or correct splits.csv",
        )


def fit(job: Job, place: Place, listener: Listener) -> Progress:
    """Train as one of the processes of `place`, or start them where nobody else has.

    Raises
    ------
    LimnerError : see `limner.training.loop.train`. The best model until then, if there is one, lies in the folder.
    KeyboardInterrupt : interrupted before the first step was done.
    """
    if not place.starts_others:
        return fit_here(job, place, listener)
    from limner.training.failure import ran_out_of_memory
    from limner.training.launch import launch

    with interruptible() as stop, _no_cache_left(job.folder, Place()):
        try:
            return launch(fit_here, job, devices=place.devices, listener=listener, stop=stop)
        except MachineError as error:
            if not ran_out_of_memory(error.__cause__):
                raise
            again = _in_smaller_parts(job, place, error, listener)
        return launch(fit_here, again, devices=place.devices, listener=listener, stop=stop)


@contextlib.contextmanager
def _no_cache_left(folder: RunFolder, place: Place) -> Iterator[None]:
    """Remove a process's decoded pictures at the end, whatever it is: they may be as large as the disk."""
    try:
        yield
    finally:
        shutil.rmtree(folder.cache_of(place.rank), ignore_errors=True)


def _in_smaller_parts(job: Job, place: Place, error: MachineError, listener: Listener) -> Job:
    """The same run from its last checkpoint on, the patches of each process in parts of half the size.

    Processes that have run out of memory cannot agree on where they are, so they are started again.
    """
    from limner.training.step import smaller_parts

    patches = -(-job.recipe.sampling.batch // place.world)
    parts = smaller_parts(job.recipe.optimizer.accumulate, patches, job.recipe)
    if parts is None:
        raise error
    recipe = job.folder.write_parts(parts, error.found)
    job.folder.log({"event": "memory", "accumulate": parts})
    listener.message(f"{error.found}; starting again in parts of half the size: optimizer.accumulate = {parts}")
    return dataclasses.replace(job, recipe=recipe, resume=True)


def fit_here(job: Job, place: Place, listener: Listener) -> Progress:
    """Build the network, train it in this process, write the bundle of the best weights."""
    from limner.api.network import make_network
    from limner.runtimes.allocator import keep_freed_memory
    from limner.runtimes.precision import use_bfloat16
    from limner.training.loop import Run, train

    keep_freed_memory()
    folder, recipe = job.folder, job.recipe
    network, arguments, licences = make_network(recipe, job.dataset.label_space)
    for licence in licences if recipe.model.architecture.startswith("query/") else ():
        listener.message(f"weights: {licence}")
    bfloat16 = use_bfloat16(recipe.optimizer.precision)
    latest: list[Progress] = []

    def bundle(progress: Progress) -> None:
        from limner.api.network import write_bundle

        write_bundle(folder, job.dataset, job.split, recipe, progress, arguments=arguments, licences=licences)

    def changed(progress: Progress) -> None:
        latest[:] = [progress]
        folder.write_history(progress)

    names = job.log if place.first else ()
    told = interruptible(patient=place.starter == OWN)
    with open_logs(names, folder, recipe, listener, resumed=job.resume) as logs, told as stop:
        try:
            with _no_cache_left(folder, place):
                run = Run(
                    model=network,
                    loader=_loader(job, place, arguments["channels"], listener),
                    recipe=recipe,
                    checkpoints=folder.checkpoints,
                    validate=_validation(job, place, arguments["channels"], bfloat16=bfloat16),
                    log=folder.log,
                    changed=changed,
                    listener=listener,
                    bfloat16=bfloat16,
                    interrupted=stop.is_set,
                    place=place,
                    scalars=logs.scalars,
                    pretrained=bool(licences),
                    halved=folder.write_parts,
                )
                progress = train(run, resume=job.resume)
        except LimnerError:
            if latest and latest[0].best and place.first:
                with contextlib.suppress(LimnerError, OSError):  # what happened comes first
                    bundle(latest[0])
                    listener.message(f"the best model so far, of step {latest[0].best['step']}, is in {folder.model}")
            raise
    if progress.step == 0:
        raise KeyboardInterrupt
    if place.first:
        folder.write_recipe(Recipe.read(folder.recipe), progress)
        bundle(progress)
    return progress


def _loader(job: Job, place: Place, channels: int, listener: Listener) -> PatchLoader:
    """The patches of the training pictures, or this process's part of them."""
    from limner.training.distributed import PartLoader

    loader = PartLoader(
        job.dataset.with_items(job.split.part("train")),
        job.recipe,
        channels=channels,
        cache=job.folder.cache_of(place.rank),
        listener=listener,
    )
    loader.place = place
    return loader


def _validation(job: Job, place: Place, channels: int, *, bfloat16: bool) -> Callable[[Any], Validation]:
    """Scores a network on the validation pictures; only the first process reads them."""
    from limner.api.network import make_validation

    items = job.split.part("val") if place.first else ()
    return make_validation(job.dataset, items, job.recipe, channels=channels, bfloat16=bfloat16)
