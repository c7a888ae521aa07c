"""A command that is killed, interrupted or runs out of disk: nothing half-written, and --resume ends with the same bytes."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from limner.core.bundle import read_bundle
from tests.api import tiny
from tests.cli.call import limner

resource = pytest.importorskip("resource", reason="limits on file size need a Unix system")

# the command, but with a checkpoint after every step
EAGER = """
import limner.training.loop as loop
loop.CHECKPOINT_SECONDS, loop.CHECKPOINT_SHARE = 0.0, 1e9
from limner.cli import main
main()
"""
LONG = {"schedule__epochs": 60, "schedule__validations": 20}


def start(*arguments, **options):
    command = [sys.executable, "-c", EAGER, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "CUDA_VISIBLE_DEVICES": ""}, **options)


def wait_for(path, process, seconds=120):
    """Until `path` exists, or the process has ended."""
    end = time.monotonic() + seconds
    while not path.exists():
        assert process.poll() is None and time.monotonic() < end, process.communicate()
        time.sleep(0.01)


def weights(run):
    return (run / "model/weights.safetensors").read_bytes()


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Data and an uninterrupted run in a process of its own."""
    folder = tmp_path_factory.mktemp("interrupted")
    tiny.make_data(folder / "data")
    process = start("train", folder / "data", "--out", folder / "whole", *tiny.words(**LONG))
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return folder


def test_killed_and_resumed(home, tmp_path):
    run = tmp_path / "run"
    arguments = ("train", home / "data", "--out", run, "--resume", *tiny.words(**LONG))  # starts it when there is none
    for _ in range(2):
        process = start(*arguments)
        wait_for(run / "checkpoints/last.safetensors", process)
        time.sleep(0.3)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL and not (run / "train.json").exists(), "it was too quick to be killed"
    (run / "checkpoints/.last.safetensors.1.tmp").write_bytes(b"half")  # what a kill during writing leaves
    process = start(*arguments)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert "stopped by epochs" in out and weights(run) == weights(home / "whole")
    events = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [event["event"] for event in events].count("resumed") == 2 and all(e["step"] > 0 for e in events if e["event"] == "resumed")
    assert not list(run.rglob(".*.tmp")) and not (run / "cache").exists()


def test_ctrl_c_leaves_a_usable_model_and_says_how_to_go_on(home, tmp_path):
    run = tmp_path / "run"
    process = start("train", home / "data", "--out", run, *tiny.words(**LONG))
    wait_for(run / "checkpoints/last.safetensors", process)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert "Traceback" not in err and "interrupted at step" in err and f"--out {run} --resume" in err
    assert not (run / "train.json").exists() and read_bundle(run).training["split_checksum"]
    done = limner("predict", run, home / "data/images/p.00.png", "--out", tmp_path / "out")
    assert done.code == 0
    process = start("train", home / "data", "--out", run, "--resume")  # the recipe is in the folder
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0 and weights(run) == weights(home / "whole"), err


def test_other_values_are_refused_when_resuming(home, tmp_path):
    run = tmp_path / "run"
    process = start("train", home / "data", "--out", run, *tiny.words(**LONG))
    wait_for(run / "checkpoints/last.safetensors", process)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=120)
    done = limner("train", home / "data", "--out", run, "--resume", "--seed", "9")
    assert done.code == 1 and "started with other values of seed" in done.err and "fix:" in done.err


@pytest.mark.parametrize("limit", [300_000, 1_000_000])  # too small for the weights; for the checkpoint only
def test_a_full_disk_is_an_error_with_a_remedy_and_can_be_resumed(home, tmp_path, limit):
    run = tmp_path / "run"

    def limited():
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    arguments = ("train", home / "data", "--out", run, "--resume", *tiny.words(**LONG))
    process = start(*arguments, preexec_fn=limited)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 1, err
    assert "Traceback" not in err and "no space left" in err and "fix: free some space" in err and "--resume" in err
    assert not (run / "train.json").exists() and not (run / "model/bundle.json").exists()
    assert not [path for path in run.rglob("*.tmp")] and all(path.stat().st_size < limit for path in run.rglob("*"))
    process = start(*arguments)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0 and weights(run) == weights(home / "whole"), err
