"""The processes that train one network: how they meet, what they add up, and what the first one decides for all.

Each computes its part of every batch and, after the last part, the mean of all gradients (Li et al. 2020, arXiv:2006.15704), so
all take the same step. One process alone is the same code with nothing to tell.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from lightning_fabric.strategies.ddp import DDPStrategy
from timm.layers.norm_act import convert_sync_batchnorm
from torch import nn

from limner.core.errors import MachineError
from limner.training.failure import partners
from limner.training.loader import PatchLoader
from limner.training.mixing import Piece
from limner.training.place import Place

T = TypeVar("T")
WAIT = timedelta(hours=4)  # for the first process, which checks the data and validates while the others do nothing


class PartLoader(PatchLoader):
    """Patches ``rank, rank + world, ...`` of each batch: the processes together see exactly what one would see."""

    place = Place()

    def _patches(self, step: int) -> list[list[Piece]]:
        return super()._patches(step)[self.place.rank :: self.place.world]


class _Environment(ClusterEnvironment):
    """What Fabric asks about a place. `local` is the number of the GPU among those that this process sees."""

    def __init__(self, place: Place, local: int) -> None:
        self.place, self.local = place, local

    @property
    def creates_processes_externally(self) -> bool:
        return True

    @property
    def main_address(self) -> str:
        names = os.environ.get("SLURM_STEP_NODELIST", os.environ.get("SLURM_NODELIST", "127.0.0.1"))
        return os.environ.get("MASTER_ADDR") or SLURMEnvironment.resolve_root_node_address(names)

    @property
    def main_port(self) -> int:
        job = os.environ.get("SLURM_JOB_ID", "0")  # the same on all machines; jobs beside each other differ
        return int(os.environ.get("MASTER_PORT") or 15000 + int(job[-4:]))

    @staticmethod
    def detect() -> bool:
        return False

    def world_size(self) -> int:
        return self.place.world

    def set_world_size(self, size: int) -> None:
        """The place knows."""

    def global_rank(self) -> int:
        return self.place.rank

    def set_global_rank(self, rank: int) -> None:
        """The place knows."""

    def local_rank(self) -> int:
        return self.local

    def node_rank(self) -> int:
        return self.place.rank // self.place.devices


def devices_of(place: Place, gpus: int) -> tuple[str, int, int]:
    """Accelerator, devices as Fabric counts them, and which of them is this process's.

    Parameters
    ----------
    gpus : how many this process sees; none = compute on the processor. Just one, where several processes share a machine and
        a scheduler started them, means that it gave each its own.

    Raises
    ------
    MachineError : fewer GPUs than processes.
    """
    if gpus == 0:
        return "cpu", place.devices, place.local_rank
    if gpus == 1 and place.starter in ("torchrun", "slurm"):
        return "cuda", 1, 0
    if gpus < place.devices:
        raise MachineError(
            f"{place.devices} devices are wanted, this machine has {gpus} GPU{'s' if gpus > 1 else ''}",
            expected="one GPU for each process",
            where="--devices",
            fix=f"--devices {gpus}",
        )
    return "cuda", place.devices, place.local_rank


class Crew:
    """The device of one process, and what it says to the others.

    Parameters
    ----------
    place : which process of how many this is.
    bfloat16 : compute in bfloat16 where autocast allows.
    spare_weights : the network has weights that some steps give no gradient.

    Raises
    ------
    MachineError : fewer GPUs than processes.
    """

    def __init__(self, place: Place, *, bfloat16: bool, spare_weights: bool = False) -> None:
        logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
        logging.getLogger("lightning_fabric.utilities.rank_zero").setLevel(logging.WARNING)
        precision: Any = "bf16-mixed" if bfloat16 else "32-true"
        self.place = place
        if place.world == 1:
            # left to itself, Fabric asks a scheduler's variables: those of a batch script speak of all tasks that it may start
            self.fabric = Fabric(accelerator="auto", devices=1, plugins=[_Environment(place, 0)], precision=precision)
        else:
            accelerator, devices, local = devices_of(place, torch.cuda.device_count())
            self.fabric = Fabric(
                accelerator=accelerator,
                devices=devices,
                num_nodes=place.world // devices,
                strategy=DDPStrategy(timeout=WAIT, find_unused_parameters=spare_weights),
                plugins=[_Environment(place, local)],
                precision=precision,
            )
            self.fabric.launch()
        self.device: torch.device = self.fabric.device

    def place_network(self, network: nn.Module) -> nn.Module:
        """The network on this process's device; on several GPUs its batch norms take the statistics of the whole batch."""
        network = network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        if self.place.world > 1 and self.device.type == "cuda":
            network = convert_sync_batchnorm(network)  # type: ignore[no-untyped-call] # torch's own loses timm's activations
        return network

    def mean(self, value: float) -> float:
        """The mean over all processes."""
        if self.place.world == 1:
            return value
        total = torch.tensor(value, dtype=torch.float64, device=self.device)
        torch.distributed.all_reduce(total)
        return float(total) / self.place.world

    def any(self, claim: bool) -> bool:
        """Whether one process at least says so."""
        return self.mean(float(claim)) > 0

    def from_first(self, value: T) -> T:
        """The first process's value."""
        return value if self.place.world == 1 else self.fabric.broadcast(value)

    def unsynced(self, model: Any, waiting: bool) -> contextlib.AbstractContextManager[Any]:
        """While `waiting` for further parts of a step, gradients stay in this process."""
        if self.place.world == 1 or not waiting:
            return contextlib.nullcontext()
        return self.fabric.no_backward_sync(model)

    def leave(self) -> None:
        """Part from the others; nothing more can be said."""
        if self.place.world > 1:
            torch.distributed.destroy_process_group()


def made_by_first(place: Place, make: Callable[[], T]) -> T:
    """What the first process makes, for all; the others wait for it.

    Raises
    ------
    MachineError : in the others, when it fails; a process cannot be reached.
    """
    with partners(place.world):
        crew = Crew(place, bfloat16=False)
    if not place.first:
        with partners(place.world):
            value, failure = crew.from_first((None, ""))
        if failure:
            raise MachineError(f"the first process failed: {failure}", expected="it to go well", fix="see what it says")
        return value  # type: ignore[return-value]
    try:
        made = make()
    except BaseException as error:
        crew.from_first((None, getattr(error, "found", "") or str(error) or type(error).__name__))
        raise
    return crew.from_first((made, ""))[0]
