"""Connect to a Ray cluster, or start one on this machine that nobody outside can reach and that leaves nothing behind.

A cluster of our own listens on 127.0.0.1 only, asks for a token that nobody else is told, sends no usage statistics
and has no dashboard. Ray binds to the machine's outer address on Linux, whatever it is told; the switch that makes it stay on
the loopback is the one that it uses itself on Windows and macOS (`ray._private.services.get_node_ip_address`). It also prints
what happens to its processes on standard output, where a command may be writing a JSON document; that has a switch, too.

References
----------
Ray is meant for networks where everybody is trusted: https://docs.ray.io/en/latest/ray-security/index.html, CVE-2023-48022.
"""

from __future__ import annotations

import logging
import os
import secrets
import signal
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import ray
from ray import _raylet
from ray._private import ray_constants
from ray._private import worker as ray_worker

from limner.core.errors import MachineError, UsageError

STORE_BYTES = 100 << 20  # of a cluster of our own: rows are small, pictures are never sent; Ray wants 75 MiB at least
GIB = 1 << 30
CONNECT_SECONDS = 10.0  # until a cluster has to answer; Ray itself would wait for minutes


@dataclass(frozen=True)
class Resources:
    """What each worker process is given; Ray starts as many as fit into the cluster.

    Parameters
    ----------
    cpus : processor cores, > 0; also the threads of numeric libraries that obey ``OMP_NUM_THREADS``.
    memory : bytes that are set aside, > 0; Ray does not enforce it, it counts with it.
    gpus : share of a GPU, >= 0; 0 = none is set aside.
    """

    cpus: float = 1.0
    memory: int = 2 * GIB
    gpus: float = 0.0

    def __post_init__(self) -> None:
        if not (self.cpus > 0 and self.memory > 0 and self.gpus >= 0):
            raise UsageError(f"a worker cannot be given {self.text()}", expected="CPUs > 0, memory > 0 and GPUs >= 0")

    def text(self) -> str:
        """For people, as in ``1 CPU, 2.0 GiB``."""
        parts = [f"{self.cpus:g} CPU", f"{self.memory / GIB:.1f} GiB"]
        return ", ".join([*parts, f"{self.gpus:g} GPU"] if self.gpus else parts)


@contextmanager
def connected(address: str | None) -> Iterator[None]:
    """A connection to the cluster at `address` or ``RAY_ADDRESS``, else to one that is started here and ended afterwards.

    A connection that the process has already is used and left open.

    Raises
    ------
    MachineError : nobody answers there, or no cluster can be started.
    UsageError : the address is that of Ray Client, which the data library does not support.
    """
    address = address or os.environ.get("RAY_ADDRESS") or None
    if ray.is_initialized():
        with _switched(ray_worker, "_worker_logs_enabled", False):
            yield
        return
    if address is not None and address.startswith("ray://"):
        raise UsageError(
            f"{address} is an address for Ray Client",
            expected="the address of the cluster itself, as in 10.0.0.1:6379",
            fix="run the command on a machine of the cluster with RAY_ADDRESS=auto, or with `ray job submit`",
        )
    with ExitStack() as stack:
        stack.enter_context(_signal_handlers())
        stack.enter_context(_switched(ray_worker, "_worker_logs_enabled", False))
        stack.callback(ray.shutdown)
        if address is None:
            _start(stack)
        else:
            _join(address)
        yield


def capacity(resources: Resources) -> int:
    """How many workers fit into the machines that are there now, >= 1.

    Raises
    ------
    MachineError : not one fits into any machine.
    """
    cluster: Any = ray  # without types there
    machines = [node.get("Resources", {}) for node in cluster.nodes() if node.get("Alive")]
    number = sum(_fits(machine, resources) for machine in machines)
    if number == 0:
        largest = ", ".join(
            f"{m.get('CPU', 0):g} CPU and {m.get('memory', 0) / GIB:.1f} GiB and {m.get('GPU', 0):g} GPU"
            for m in machines
        )
        raise MachineError(
            f"a worker needs {resources.text()}, and no machine of the cluster has that ({largest or 'no machine'})",
            expected="a machine that holds at least one worker",
            fix="use larger machines, start them with `ray start --num-cpus --memory`, or predict without --engine ray",
        )
    return number


def _fits(machine: dict[str, float], resources: Resources) -> int:
    wanted = {"CPU": resources.cpus, "memory": float(resources.memory), "GPU": resources.gpus}
    return min(int(machine.get(name, 0.0) / amount) for name, amount in wanted.items() if amount)


def _join(address: str) -> None:
    host, _, port = address.rpartition(":")
    try:
        if port.isdigit():
            socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, RuntimeError, ValueError) as error:
        raise MachineError(
            f"no Ray cluster answers at {address}: {str(error).splitlines()[0]}",
            expected="a running cluster",
            where=address,
            fix="start it with `ray start --head`; check the address, and RAY_AUTH_TOKEN if the cluster asks for a token",
        ) from error


def _start(stack: ExitStack) -> None:
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="limner-ray-", ignore_cleanup_errors=True))
    stack.callback(_forget_token)
    stack.callback(ray.shutdown)  # before the folder is removed
    # Ray asks for a token by default since 2.59, and would make one up and write it into the home folder.
    settings = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    stack.enter_context(_environment(settings))
    stack.enter_context(_restored("RAY_AUTH_MODE", "PYTHONBREAKPOINT"))  # Ray sets them
    stack.enter_context(_switched(ray_constants, "ENABLE_RAY_CLUSTER", False))
    _forget_token()
    try:
        ray.init(
            address="local",
            num_cpus=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
            object_store_memory=STORE_BYTES,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            _temp_dir=folder,
        )
    except (OSError, RuntimeError, ValueError) as error:
        raise MachineError(
            f"Ray does not start on this machine: {str(error).splitlines()[0]}",
            expected="room in the temporary folder and in /dev/shm",
            fix="free some, or predict without --engine ray",
        ) from error


def _forget_token() -> None:
    """Ray reads the variables again, since the next cluster of this process may ask for another token or for none."""
    compiled: Any = _raylet
    compiled.AuthenticationTokenLoader.instance().reset_cache()
    compiled.Config.initialize("")


@contextmanager
def _environment(settings: dict[str, str]) -> Iterator[None]:
    """Variables for the processes of the cluster; those that the user has set win."""
    with _restored(*settings):
        for name, value in settings.items():
            os.environ.setdefault(name, value)
        yield


@contextmanager
def _restored(*names: str) -> Iterator[None]:
    """Variables are afterwards as they were."""
    before = {name: os.environ.get(name) for name in names}
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _switched(module: Any, name: str, value: bool) -> Iterator[None]:
    """A switch of Ray's own is set; put back afterwards."""
    before = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, before)


@contextmanager
def _signal_handlers() -> Iterator[None]:
    """Ray replaces the handler of SIGTERM; put back as it was."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
