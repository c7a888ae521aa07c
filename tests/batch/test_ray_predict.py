"""Jobs on a cluster of this machine: every row once, in order, whatever happens to the processes."""

import json
import os
import socket
from pathlib import Path

import pytest

from limner.core.errors import MachineError, UsageError
from tests.batch.toy import Heard, Job, Toy, square

ray = pytest.importorskip("ray", reason="Ray is not installed (limner[ray])")

from ray import cloudpickle  # noqa: E402 - only where Ray is installed

from limner.batch import cluster  # noqa: E402
from limner.batch.cluster import GIB, Resources, capacity  # noqa: E402
from limner.batch.ray_predict import attempt, block_size, run  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")  # Ray leaves sockets and threads to the end of the process
SMALL = Resources(memory=GIB // 4)


HABITS = {
    3: "kills once",
    8: "exits once",
    11: "kills always",
    14: "is broken",
    17: "is away once",
    20: "has a bug",
    22: "is no JSON",
}


@pytest.fixture(scope="module")
def done(here, tmp_path_factory):
    """What came of 41 jobs of which seven have bad habits."""
    toy, heard, arrived = Toy(tmp_path_factory.mktemp("toy")), Heard(), []
    jobs = [Job(number, HABITS.get(number, "")) for number in range(41)]
    rows = run(jobs, toy, listener=heard, resources=SMALL, arrived=lambda index, row: arrived.append((index, row)))
    return toy, heard, arrived, rows


def test_every_job_has_its_row_in_order(done):
    _, _, arrived, rows = done
    assert len(rows) == 41
    bad = {11, 14, 20, 22}
    assert [index for index, row in enumerate(rows) if "error" in row] == sorted(bad)
    for number in set(range(41)) - bad:
        assert rows[number]["number"] == number
        assert rows[number]["half"] == number / 3  # to the last bit
        assert rows[number]["classes"] == {"a": [None, number]}
    assert sorted(arrived, key=lambda pair: pair[0]) == list(enumerate(rows))
    assert len({row["pid"] for row in rows if "pid" in row}) > 1 or len(os.sched_getaffinity(0)) == 1


def test_nothing_is_done_twice_but_the_job_that_was_under_way(done):
    toy, *_ = done
    tries = {
        "kills once": 2,
        "exits once": 2,
        "kills always": 3,
        "is broken": 1,
        "is away once": 2,
        "has a bug": 3,
        "is no JSON": 3,
    }
    assert [toy.calls(n) for n in range(41)] == [tries.get(HABITS.get(n), 1) for n in range(41)]
    assert {path.name for path in toy.folder.glob("*.txt")} == {f"{n}.txt" for n in set(range(41)) - {11, 14, 20, 22}}


def test_errors_say_what_happened(done):
    *_, rows = done
    assert rows[14]["error"] == {
        "kind": "DataError",
        "found": "14 is broken",
        "expected": "a picture",
        "where": "w",
        "fix": "f",
    }
    assert rows[11]["error"]["kind"] == "WorkerLost" and "died in each of 3 tries" in rows[11]["error"]["found"]
    assert (
        rows[20]["error"]["kind"] == "WorkerFailed"
        and "ValueError in each of 3 tries: no 20" in rows[20]["error"]["found"]
    )
    assert "toy.py:" in rows[20]["error"]["where"]
    assert "JSON" in rows[22]["error"]["found"]


def test_the_listener_hears_of_workers_progress_and_deaths(done):
    _, heard, _, _ = done
    assert heard.messages[0].startswith("Ray: ") and heard.messages[0].endswith(" of 1 CPU, 0.2 GiB")
    assert sum("begun again" in message for message in heard.messages) == 3
    counts = [count for _, count, _ in heard.progresses]
    assert counts == sorted(set(counts)) and counts[-1] == 41
    assert {(stage, total) for stage, _, total in heard.progresses} == {("predict", 41)}


def test_one_job_and_none(here, capfd):
    assert run([], square) == []
    (row,) = run([7], square, resources=SMALL)
    assert row == {"square": 49, "threads": os.environ.get("OMP_NUM_THREADS", "1")}
    assert capfd.readouterr().out == ""  # where a command writes its JSON document


def test_a_cluster_of_our_own_listens_on_the_loopback_only(here):
    """The kernel's tables of listening sockets, for this process and all that descend from it."""
    family = {os.getpid()}
    for _ in range(4):
        family |= {int(path.name) for path in Path("/proc").glob("[0-9]*") if parent(path) in family}
    inodes = {link for pid in family for link in sockets(Path("/proc", str(pid)))}
    listening = []
    for table in ("tcp", "tcp6"):
        for line in Path("/proc/net", table).read_text(encoding="ascii").splitlines()[1:]:
            local, state, inode = (line.split()[i] for i in (1, 3, 9))
            if state == "0A" and inode in inodes:
                listening.append(local.split(":")[0])
    assert len(family) > 6 and len(listening) > 4
    assert set(listening) <= {"0100007F", "00000000000000000000000001000000", "0000000000000000FFFF00000100007F"}


def parent(process):
    try:
        return int((process / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return -1


def sockets(process):
    try:
        links = [str(link.readlink()) for link in (process / "fd").iterdir()]
    except OSError:
        return []
    return [link[8:-1] for link in links if link.startswith("socket:[")]


def test_a_worker_that_no_machine_can_load_ends_the_call(here):
    with pytest.raises(MachineError, match="no_such_module") as caught:
        run([1, 2, 3], Unloadable(), resources=SMALL)
    assert "same versions" in caught.value.fix


class Unloadable:
    def __reduce__(self):
        return __import__, ("no_such_module",)


def test_workers_that_fit_nowhere_are_refused_with_the_numbers(here):
    with pytest.raises(MachineError, match=r"4096 CPU, 2\.0 GiB, and no machine of the cluster has that \(\d+ CPU"):
        run([1], square, resources=Resources(cpus=4096))


def test_capacity_is_the_sum_over_machines(monkeypatch):
    """Three machines that are there: 3, 1 and 0 workers of two cores and a GiB; by hand."""
    machines = [
        {"Alive": True, "Resources": {"CPU": 7.0, "memory": 9.5 * GIB}},
        {"Alive": True, "Resources": {"CPU": 64.0, "memory": 1.5 * GIB}},
        {"Alive": False, "Resources": {"CPU": 64.0, "memory": 64.0 * GIB}},
        {"Alive": True, "Resources": {"memory": 64.0 * GIB}},
    ]
    monkeypatch.setattr(ray, "nodes", lambda: machines)
    assert capacity(Resources(cpus=2, memory=GIB)) == 4
    with pytest.raises(MachineError):
        capacity(Resources(cpus=2, memory=GIB, gpus=1))
    machines[1]["Resources"]["GPU"] = 1.0
    assert capacity(Resources(cpus=2, memory=GIB, gpus=0.25)) == 1


def test_addresses_where_nobody_answers(monkeypatch):
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(MachineError, match="no Ray cluster answers") as caught:
        run([1], square, address=address)
    assert caught.value.where == address
    monkeypatch.setenv("RAY_ADDRESS", "ray://example:10001")
    with pytest.raises(UsageError, match="Ray Client"):
        run([1], square)


def test_resources_must_make_sense():
    for wrong in ({"cpus": 0}, {"memory": 0}, {"gpus": -1}):
        with pytest.raises(UsageError):
            Resources(**wrong)
    assert Resources(cpus=0.5, memory=3 * GIB, gpus=1).text() == "0.5 CPU, 3.0 GiB, 1 GPU"


@pytest.mark.parametrize(
    ("jobs", "workers", "size"),
    [
        (1, 1, 1),
        (7, 2, 1),
        (47, 2, 2),
        (128, 2, 8),
        (100_000, 3, 8),
        (160_000, 3, 8),
        (1_000_001, 3, 51),
        (900, 500, 1),
    ],
)
def test_block_sizes(jobs, workers, size):
    assert block_size(jobs, workers) == size


def test_a_failing_worker_is_called_three_times_with_a_fresh_copy_of_the_job():
    calls = []

    def worker(job):
        calls.append(list(job))
        job.append("touched")
        raise OSError("away")

    row = json.loads(attempt(worker, cloudpickle.dumps(["job"]), pause=0))
    assert calls == [["job"]] * 3
    assert row["error"]["kind"] == "WorkerFailed"


def test_variables_of_the_user_win(monkeypatch):
    monkeypatch.setenv("LIMNER_TEST_A", "theirs")
    monkeypatch.delenv("LIMNER_TEST_B", raising=False)
    with cluster._environment({"LIMNER_TEST_A": "ours", "LIMNER_TEST_B": "ours"}):
        assert (os.environ["LIMNER_TEST_A"], os.environ["LIMNER_TEST_B"]) == ("theirs", "ours")
    assert os.environ["LIMNER_TEST_A"] == "theirs" and "LIMNER_TEST_B" not in os.environ
