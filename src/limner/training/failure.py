"""What a run can fail with: memory that ran out, a loss that is no number any more, a process that is gone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from limner.core.errors import DataError, MachineError
from limner.core.memory import ran_out
from limner.core.recipe import Recipe

# what gloo and NCCL say when another process is gone
NO_PARTNER = (
    "closed by peer",
    "reset by peer",
    "broken pipe",
    "nccl error",
    "connection refused",
    "timed out",
    "fullmesh",
)


def ran_out_of_memory(error: BaseException | None) -> bool:
    """Whether `error` says that memory ran out, on a GPU (``torch.OutOfMemoryError``) or on the processor."""
    if error is None:
        return False
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and ran_out(error)


@contextmanager
def partners(world: int) -> Iterator[None]:
    """Say that one of the other ``world - 1`` processes has ended, or never came."""
    try:
        yield
    except RuntimeError as error:
        named = type(error).__name__ in ("DistBackendError", "DistNetworkError", "DistStoreError")
        if world == 1 or not (named or any(words in str(error).lower() for words in NO_PARTNER)):
            raise
        raise MachineError(
            "another process of this run has ended, or cannot be reached",
            expected="all of them to live until the end",
            fix="see what it says, on its own machine; --resume goes on from the last checkpoint",
        ) from error


def out_of_memory(recipe: Recipe, step: int, *, patches: int, can_split: bool) -> MachineError:
    """The error when a step does not fit into memory, `patches` at once, and whether they could be fewer."""
    height, width = recipe.data.patch_hw
    advice = f"lower data.patch_hw (it is {height} x {width}) or data.scale, or choose a smaller encoder"
    if can_split:
        advice = f"raise optimizer.accumulate so that fewer than {patches} patches are computed at once, {advice}"
    return MachineError(
        f"memory ran out at step {step}, with {patches} patch{'es' if patches > 1 else ''} at once",
        expected="room for one step",
        where="optimizer.accumulate, data.patch_hw",
        fix=f"{advice}, or close other programs",
    )


@contextmanager
def memory_of_validation(step: int) -> Iterator[None]:
    """Say what to lower when a validation does not fit into memory."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not ran_out_of_memory(error):
            raise
        raise MachineError(
            f"memory ran out in the validation after step {step}",
            expected="room for one tile",
            where="inference.tile",
            fix="--set inference.tile=512 or less (0 = whole pictures), or lower data.scale",
        ) from error


def diverged(recipe: Recipe, step: int, value: float, *, rate: float) -> DataError:
    """The error when the loss of a step is infinite or not a number."""
    word = "not-a-number" if value != value else "infinite"
    return DataError(
        f"the loss became {word} at step {step}",
        expected="a finite loss",
        where="optimizer.learning_rate",
        fix=f"lower optimizer.learning_rate from {recipe.optimizer.learning_rate:g} (at this step it was {rate:g}) to a third, "
        'or set optimizer.precision = "float32", or lower optimizer.clip_norm; run limner check on the data',
    )
