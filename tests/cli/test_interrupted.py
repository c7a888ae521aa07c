"""A command that is killed, interrupted or runs out of disk: nothing half-written, and --resume ends with the same bytes."""

import json
import signal
import subprocess
import sys
import time

import pytest

from limner.core.bundle import read_bundle
from tests.api import tiny
from tests.cli.call import limner, refused

resource = pytest.importorskip("resource", reason="limits on file size need a Unix system")

# the command, but with a checkpoint after every step, and slow enough to be stopped in between
EAGER = """
import time
import limner.training.clock as clock
import limner.training.loop as loop
clock.CHECKPOINT_SECONDS, clock.CHECKPOINT_SHARE, save = 0.0, 1e9, loop.save_checkpoint
loop.save_checkpoint = lambda *arguments: (time.sleep(0.1), save(*arguments))
from limner.cli import main
main()
"""
LONG = {"schedule__epochs": 40, "schedule__validations": 10}


def start(*arguments, **options):
    command = [sys.executable, "-c", EAGER, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def wait_for_step(run, process, seconds=120):
    """Until the run has saved a checkpoint, and then a few steps more."""
    end = time.monotonic() + seconds
    while not (run / "checkpoints/last.safetensors").exists():
        assert process.poll() is None and time.monotonic() < end, process.communicate()
        time.sleep(0.01)
    time.sleep(0.7)
    assert process.poll() is None, process.communicate()


def weights(run):
    return (run / "model/weights.safetensors").read_bytes()


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Data and an uninterrupted run."""
    folder = tmp_path_factory.mktemp("interrupted")
    tiny.make_data(folder / "data")
    done = limner("train", folder / "data", "--out", folder / "whole", *tiny.words(**LONG))
    assert done.code == 0, done.err
    return folder


def test_killed_and_resumed(home, tmp_path):
    run = tmp_path / "run"
    arguments = ("train", home / "data", "--out", run, "--resume", *tiny.words(**LONG))  # starts it when there is none
    process = start(*arguments)
    wait_for_step(run, process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL and not (run / "train.json").exists()
    (run / "checkpoints/.last.safetensors.1.tmp").write_bytes(b"half")  # what a kill during writing leaves
    done = limner(*arguments)
    assert done.code == 0, done.err
    assert "80 steps" in done.out and "stopped by epochs" in done.out and weights(run) == weights(home / "whole")
    events = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [event["step"] > 0 for event in events if event["event"] == "resumed"] == [True]
    assert not list(run.rglob(".*.tmp")) and not (run / "cache").exists()


def test_ctrl_c_leaves_a_usable_model_and_says_how_to_go_on(home, tmp_path):
    run = tmp_path / "run"
    process = start("train", home / "data", "--out", run, *tiny.words(**LONG))
    wait_for_step(run, process)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert "Traceback" not in err and "interrupted at step" in err and f"--out {run} --resume" in err
    assert not (run / "train.json").exists() and read_bundle(run).training["split_checksum"]
    assert limner("predict", run, home / "data/images/p.00.png", "--out", tmp_path / "out").code == 0
    again = limner("train", home / "data", "--out", run, "--resume", "--seed", "9")
    assert "started with other values of seed" in refused(again)
    done = limner("train", home / "data", "--out", run, "--resume")  # the recipe is in the folder
    assert done.code == 0 and weights(run) == weights(home / "whole"), done.err


def test_a_full_disk_is_an_error_with_a_remedy_and_can_be_resumed(home, tmp_path):
    run, limit = tmp_path / "run", 1_000_000  # enough for the weights, too little for the checkpoint

    def limited():
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    arguments = ("train", home / "data", "--out", run, "--resume", *tiny.words(**LONG))
    process = start(*arguments, preexec_fn=limited)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 1, err
    assert "Traceback" not in err and "no space left" in err and "fix: free some space" in err and "--resume" in err
    assert not (run / "train.json").exists() and not (run / "model/bundle.json").exists()
    assert not list(run.rglob("*.tmp")) and all(path.stat().st_size < limit for path in run.rglob("*"))
    done = limner(*arguments)
    assert done.code == 0 and weights(run) == weights(home / "whole"), done.err
