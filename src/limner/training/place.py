"""Which process of how many this is: alone, or one of those that torchrun, srun or Limner itself has started."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from limner.core.errors import UsageError

ALONE, OWN, TORCHRUN, SLURM = "alone", "own", "torchrun", "slurm"
HOW = "docs/how-to/several-gpus.md"


@dataclass(frozen=True)
class Place:
    """One process among those that train one network together.

    Parameters
    ----------
    rank, local_rank : number of this process, among all and among those of its machine, from 0.
    devices, nodes : processes per machine, one GPU each, and machines.
    starter : ``alone``, ``own`` (started by Limner), ``torchrun`` or ``slurm``.
    """

    rank: int = 0
    local_rank: int = 0
    devices: int = 1
    nodes: int = 1
    starter: str = ALONE

    @property
    def world(self) -> int:
        """Number of processes."""
        return self.devices * self.nodes

    @property
    def first(self) -> bool:
        """Whether this process decides, validates, writes and speaks."""
        return self.rank == 0

    @property
    def starts_others(self) -> bool:
        """Whether several processes are wanted and nobody has started them yet."""
        return self.world > 1 and self.starter == ALONE


def find_place(devices: int = 1, nodes: int = 1, environment: Mapping[str, str] | None = None) -> Place:
    """The place of this process, from what torchrun or srun say in the environment.

    Parameters
    ----------
    devices, nodes : as asked for; 1 and 1 = whatever a starter has started, else alone.
    environment : variables; None = those of this process.

    Raises
    ------
    UsageError : the numbers are below 1 or not those of the starter, or several machines and no starter.
    """
    if devices < 1 or nodes < 1:
        raise UsageError(f"--devices {devices} --nodes {nodes}", expected="numbers of at least 1", fix=f"see {HOW}")
    found = _started(os.environ if environment is None else environment)
    if found is None and nodes > 1:
        raise UsageError(
            f"--nodes {nodes}, but nobody started the processes",
            expected="torchrun or srun on every machine",
            where="--nodes",
            fix=f"srun limner train ..., or torchrun --nnodes {nodes} --nproc-per-node {devices} -m limner train ...; {HOW}",
        )
    if found is None:
        return Place(devices=devices)
    if (devices, nodes) not in ((1, 1), (found.devices, found.nodes)):
        raise UsageError(
            f"--devices {devices} --nodes {nodes}, but {found.starter} started {found.devices} on each of {found.nodes}",
            expected="the same numbers",
            where="--devices, --nodes",
            fix="leave both out: they are taken from the starter",
        )
    return found


def first_process() -> bool:
    """Whether this process is the only one or the first one, so that it may print."""
    found = _started(os.environ)
    return found is None or found.first


def _started(environment: Mapping[str, str]) -> Place | None:
    """The place among several processes that somebody else has started, or None.

    torchrun: https://docs.pytorch.org/docs/stable/elastic/run.html#environment-variables; srun: OUTPUT ENVIRONMENT VARIABLES of
    https://slurm.schedmd.com/srun.html. A batch script that does not call srun has no step, and is one process.
    """

    def number(name: str, default: int) -> int:
        text = environment.get(name, "")
        return int(text) if text.isdecimal() else default

    if "TORCHELASTIC_RUN_ID" in environment and number("WORLD_SIZE", 1) > 1:
        world, local = number("WORLD_SIZE", 1), number("LOCAL_WORLD_SIZE", 1)
        return Place(number("RANK", 0), number("LOCAL_RANK", 0), local, world // local, TORCHRUN)
    if number("SLURM_STEP_NUM_TASKS", 1) > 1 and "SLURM_PROCID" in environment:
        world, nodes = number("SLURM_STEP_NUM_TASKS", 1), number("SLURM_STEP_NUM_NODES", 1)
        return Place(number("SLURM_PROCID", 0), number("SLURM_LOCALID", 0), world // nodes, nodes, SLURM)
    return None
