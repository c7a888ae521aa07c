"""One command in two processes: started by Limner itself, by torchrun or by srun; interrupted, killed and continued."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from tests.api import tiny
from tests.cli.call import limner, refused

pytestmark = pytest.mark.skipif(not hasattr(os, "killpg"), reason="process groups need a Unix system")

LONG = {"schedule__epochs": 40, "schedule__validations": 10}
SECONDS = 120


def start(*arguments, **environment):
    """The command in a session of its own, so that all that it started can be counted."""
    known = {key: value for key, value in os.environ.items() if not key.startswith(("SLURM", "TORCHELASTIC", "MASTER"))}
    return subprocess.Popen(
        [sys.executable, "-m", "limner", *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True, env=known | {"OMP_NUM_THREADS": "1"} | environment,
    )  # fmt: skip


def wait_for_validation(run, process):
    end = time.monotonic() + SECONDS
    while not (run / "history.csv").exists():
        assert process.poll() is None and time.monotonic() < end, process.communicate()
        time.sleep(0.01)


def all_ended(process):
    """Whether nothing of the command's session is left, after some seconds at most."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGKILL)
    return False


def weights(run):
    return (run / "model/weights.safetensors").read_bytes()


def start_by_srun(*arguments):
    """Two processes as srun would start them on two machines."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    common = {
        "SLURM_JOB_ID": "77", "SLURM_STEP_NUM_TASKS": "2", "SLURM_STEP_NUM_NODES": "2", "SLURM_LOCALID": "0",
        "SLURM_STEP_NODELIST": "localhost", "MASTER_PORT": str(port),
    }  # fmt: skip
    return [start(*arguments, **common, SLURM_PROCID=str(rank)) for rank in range(2)]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Data, and an uninterrupted run of two processes that srun would have started on two machines."""
    folder = tmp_path_factory.mktemp("processes")
    tiny.make_data(folder / "data")
    both = start_by_srun(
        "train", folder / "data", "--out", folder / "whole", "--nodes", 2, "--json", *tiny.words(**LONG)
    )
    outputs = [process.communicate(timeout=SECONDS) for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    return folder, outputs


def test_started_by_srun_one_speaks_for_all(home):
    folder, outputs = home
    assert json.loads(outputs[0][0])["steps"] == 80 and outputs[1][0] == ""
    assert "Traceback" not in outputs[0][1] + outputs[1][1]
    assert (folder / "whole/train.json").is_file() and not (folder / "whole/cache").exists()


def test_a_process_that_loses_the_other_says_so_and_ends(home, tmp_path):
    run = tmp_path / "run"
    settings = tiny.words(schedule__epochs=4000, schedule__validations=400)
    first, second = start_by_srun("train", home[0] / "data", "--out", run, *settings)
    wait_for_validation(run, first)
    second.kill()
    second.communicate()
    _, err = first.communicate(timeout=30)
    assert first.returncode == 1 and "Traceback" not in err, err
    assert "error: another process of this run has ended, or cannot be reached" in err and "--resume" in err
    assert f"is in {run / 'model'}" in err and (run / "model/bundle.json").is_file()


def test_interrupted_and_continued_ends_with_the_same_bytes(home, tmp_path):
    folder, _ = home
    run = tmp_path / "run"
    arguments = ("train", folder / "data", "--out", run, "--devices", 2)
    process = start(*arguments, *tiny.words(**LONG))
    wait_for_validation(run, process)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 130 and "interrupted at step" in err and "Traceback" not in err, err
    assert all_ended(process) and not (run / "train.json").exists()
    assert limner("predict", run, folder / "data/images/p.00.png", "--out", tmp_path / "out").code == 0
    process = start(*arguments, "--resume", "--json")
    out, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 0 and json.loads(out)["stopped"] == "epochs", err
    assert weights(run) == weights(folder / "whole")


def test_ctrl_c_in_a_terminal_reaches_all_and_ends_well(tmp_path):
    """A terminal signals the whole group: the processes that were started hear of it by their parent alone."""
    tiny.make_data(tmp_path / "data")
    run = tmp_path / "run"
    settings = tiny.words(schedule__epochs=400, schedule__validations=100)
    process = start("train", tmp_path / "data", "--out", run, "--devices", 2, *settings)
    wait_for_validation(run, process)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 130 and "interrupted at step" in err and "Traceback" not in err, err
    assert all_ended(process) and (run / "model/bundle.json").is_file() and not (run / "cache").exists()


def test_killed_it_leaves_no_process_behind(home, tmp_path):
    folder, _ = home
    run = tmp_path / "run"
    process = start("train", folder / "data", "--out", run, "--devices", 2, *tiny.words(schedule__epochs=4000))
    end = time.monotonic() + SECONDS
    while not (run / "recipe.toml").exists():
        assert process.poll() is None and time.monotonic() < end, process.communicate()
        time.sleep(0.01)
    time.sleep(2.0)
    process.kill()
    process.wait()
    ended = all_ended(process)
    process.communicate()
    assert ended


def test_wrong_numbers_are_wrong_usage(home):
    folder, _ = home
    assert "at least 1" in refused(limner("train", folder / "data", "--devices", 0), code=2)
    assert "nobody started the processes" in refused(limner("train", folder / "data", "--nodes", 2), code=2)
