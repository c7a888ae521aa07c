"""Run a worker over a list of jobs with Ray Data: on this machine or on a cluster by the same call.

    jobs -> blocks -> pool of processes, each with its copy of the worker -> rows, as they come -> rows in the order of jobs

Nothing but jobs and rows travels; pictures are read and written by the workers themselves. A process that dies is replaced, and
its block is run again, of which the `Ledger` leaves only the job that was under way. A job on which processes die again and
again becomes a row with an error, so that one bad file cannot stop the others.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import pyarrow
import ray
import ray.data
from ray import cloudpickle
from ray.data import ActorPoolStrategy, DataContext
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from limner.batch.cluster import Resources, capacity, connected
from limner.batch.ledger import Ledger
from limner.core.errors import LimnerError, MachineError
from limner.core.protocols import Listener, Silent
from limner.core.unforeseen import failed

_untyped: Any = cloudpickle  # Ray's own code has types in part
Row = dict[str, Any]
Worker = Callable[[Any], Row]
TRIES = 3  # of a job whose worker raises something unforeseen, or whose process dies
ALONE = "run this job alone, on one machine, to see more"
BLOCKS_PER_WORKER = 8  # so that the last ones end at about the same time
BLOCK = 8  # jobs at most: a block costs Ray about 10 ms, a job on a picture 50 ms and more
BLOCKS = 20_000  # at most, beyond which blocks grow: Ray keeps a record of each


class WorkerLost(MachineError):
    """The process died on a job, every time: killed for its memory, as a rule, or by a file that crashes a decoder."""


def run(
    jobs: Sequence[Any],
    worker: Worker,
    *,
    address: str | None = None,
    listener: Listener | None = None,
    arrived: Callable[[int, Row], object] | None = None,
    resources: Resources | None = None,
    stage: str = "predict",
) -> list[Row]:
    """Call ``worker(job)`` for each job on as many processes as fit; one row for each, in the order of the jobs.

    Parameters
    ----------
    jobs : anything that can be pickled, small: names of files rather than what is in them.
    worker : can be pickled, and imported where it runs; what it opens at its first call stays open for the next ones of its
        process. It is called again for a job whose process died, so what it writes must be whole or not there, under a
        name that is the job's own. Its rows can be written as JSON; keys of dictionaries are strings.
    address : of a running cluster; None = ``RAY_ADDRESS``, and without that a cluster of this machine's cores for this call.
    listener : hears how many jobs are done.
    arrived : called in this process with the number of the job and its row as soon as it is there, in any order.
    resources : of each worker process; None = one core and 2 GiB.
    stage : the word under which the listener hears of it.

    Returns
    -------
    As many rows as jobs, exactly one for each; a job that failed has ``{"error": {...}}`` as of `LimnerError.as_dict`. A
    `LimnerError` of the worker is not tried again; anything else is, three times in all.

    Raises
    ------
    MachineError : no cluster answers or can be started, no worker fits, or the worker cannot be loaded there.
    UsageError : the address is that of Ray Client.
    """
    listener, resources = listener or Silent(), resources or Resources()
    if not jobs:
        return []
    rows: dict[int, Row] = {}
    with connected(address), _quiet() as context:
        number = min(capacity(resources), len(jobs))
        listener.message(f"Ray: {number} worker{'s' * (number > 1)} of {resources.text()}")
        for found, again in _stream(_blocks(jobs, number), worker, number=number, resources=resources, context=context):
            rows.update(found)
            if again:
                listener.message(
                    f"{again} job{'s' * (again > 1)} had to be begun again: a process or a machine went away"
                )
            if arrived is not None:
                for index, row in found.items():
                    arrived(index, row)
            listener.progress(stage, len(rows), len(jobs))
    return [rows[index] for index in range(len(jobs))]


def block_size(jobs: int, workers: int) -> int:
    """Jobs in a block, >= 1: several blocks for each worker, none of more than 8 jobs up to 160,000 jobs."""
    return max(1, min(BLOCK, jobs // (BLOCKS_PER_WORKER * workers)), -(-jobs // BLOCKS))


def _blocks(jobs: Sequence[Any], workers: int) -> list[pyarrow.Table]:
    """The jobs with their numbers, pickled; each table becomes one block, which is what a worker is handed at a time."""
    size, dumps = block_size(len(jobs), workers), _untyped.dumps
    return [
        pyarrow.table(
            {
                "index": pyarrow.array(range(start, min(start + size, len(jobs))), pyarrow.int64()),
                "job": pyarrow.array([dumps(job) for job in jobs[start : start + size]], pyarrow.binary()),
            }
        )
        for start in range(0, len(jobs), size)
    ]


def _stream(
    blocks: list[pyarrow.Table], worker: Worker, *, number: int, resources: Resources, context: DataContext
) -> Iterator[tuple[dict[int, Row], int]]:
    """Rows by the number of their job, and how many of them were begun more than once, block by block as they are finished.

    Raises
    ------
    MachineError : Ray gave up.
    """
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    immortal: dict[str, Any] = {"num_cpus": 0, "max_restarts": -1, "max_task_retries": -1, "scheduling_strategy": here}
    ledger: Any = ray.remote(Ledger).options(**immortal).remote()
    pool = ActorPoolStrategy(min_size=1, max_size=max(number, len(blocks)), initial_size=number)
    try:
        with DataContext.current(context):
            dataset: Any = ray.data.from_arrow(blocks)
            results = dataset.map(
                _Hands,
                fn_constructor_args=(_untyped.dumps(worker), ledger),
                compute=pool,
                num_cpus=resources.cpus,
                num_gpus=resources.gpus or None,
                memory=resources.memory,
            )
            for table in results.iter_batches(batch_size=None, batch_format="pyarrow"):
                indices = table["index"].to_pylist()
                found = dict(zip(indices, map(json.loads, table["row"].to_pylist()), strict=True))
                yield found, sum(tries > 1 for tries in table["tries"].to_pylist())
                ray.get(ledger.forget.remote(indices))
    except RayError as error:
        raise MachineError(
            f"Ray gave up: {_last_line(error)}",
            expected="machines on which the worker can be loaded",
            fix="install the same versions on all machines, and see that all reach the files under the same names",
        ) from error
    finally:
        with suppress(RayError):  # the connection may be what was lost
            ray.kill(ledger)


class _Hands:
    """What a process of the pool holds: the worker, and a line to the ledger."""

    def __init__(self, worker: bytes, ledger: Any) -> None:
        self._worker: Worker = cloudpickle.loads(worker)
        self._ledger = ledger

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        index = int(row["index"])
        entry = ray.get(self._ledger.begin.remote(index))
        text = entry.row
        if text is None:
            text = _lost(entry.tries - 1) if entry.tries > TRIES else attempt(self._worker, row["job"])
            ray.get(self._ledger.finish.remote(index, text))
        return {"index": index, "row": text, "tries": entry.tries}


def attempt(worker: Worker, job: bytes, *, pause: float = 0.5) -> str:
    """The row of one pickled job as JSON text; `LimnerError` and what is raised three times become rows with an error."""
    for tries in range(TRIES, 0, -1):
        try:
            return json.dumps(worker(cloudpickle.loads(job)))
        except LimnerError as error:
            return json.dumps({"error": error.as_dict()})
        except Exception as error:
            if tries == 1:
                return json.dumps({"error": failed(error, tries=TRIES, fix=ALONE).as_dict()})
            time.sleep(pause)  # a network folder that was away for a moment
    raise AssertionError("unreachable")


def _lost(tries: int) -> str:
    error = WorkerLost(
        f"the process died in each of {tries} tries",
        expected="memory enough for this job",
        fix="run this job alone, on one machine, with more memory",
    )
    return json.dumps({"error": error.as_dict()})


def _last_line(error: Exception) -> str:
    return ([line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__])[-1]


@contextmanager
def _quiet() -> Iterator[DataContext]:
    """A context without progress bars of Ray's own, and without its log: what goes wrong is raised."""
    context = DataContext.get_current().copy()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    log = logging.getLogger("ray.data")
    before = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield context
    finally:
        log.setLevel(before)
