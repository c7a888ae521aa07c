"""Processes that speak, fail, are killed and are told to stop; none of them imports torch, so they start quickly."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from limner.core.errors import DataError, MachineError
from limner.training.failure import ran_out_of_memory
from limner.training.interrupt import interruptible
from limner.training.launch import launch
from tests.training.runs_light import Heard

SECONDS = 20  # a process that waits for another would wait this long


def work(job, place, listener):
    """What each process does is named by the job: ``{rank: deed}``."""
    listener.progress("train", place.rank, place.world)
    deed = job.get(place.rank, "answer")
    if deed == "wait":
        with interruptible() as stop:
            listener.message("waiting")
            if not stop.wait(SECONDS):
                raise TimeoutError
            return "stopped"
    if deed == "work":  # for seconds, whatever is signalled meanwhile
        with interruptible(patient=True) as stop:
            (Path(job["folder"]) / str(place.rank)).touch()
            while len(list(Path(job["folder"]).iterdir())) < place.world:
                time.sleep(0.02)
            listener.message("working")
            if not stop.wait(SECONDS):
                raise TimeoutError
            time.sleep(0.5)  # the rest of a step
            return "stopped"
    if deed == "deaf":
        listener.message("deaf")
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(SECONDS)
    if deed == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if isinstance(deed, BaseException):
        raise deed
    if deed == "no memory":
        raise MachineError("memory ran out at step 3", fix="less") from MemoryError()
    listener.message(f"I am {place.rank} of {place.world}")
    return place.rank, os.environ["LOCAL_RANK"], os.environ["MASTER_ADDR"]


class Importing:
    """What takes long to read in the first of the new processes, during which the whole group is signalled."""

    def __init__(self, folder, number):
        self.values = folder, number

    def __reduce__(self):
        return signal_once, self.values


def signal_once(folder, number):
    try:
        (Path(folder) / "signalled").touch(exist_ok=False)
        os.killpg(0, number)
    finally:
        time.sleep(SECONDS)


def start(job, devices=2, stop=None):
    heard, begin = Heard(), time.monotonic()
    try:
        return launch(work, job, devices=devices, listener=heard, stop=stop or threading.Event()), heard
    finally:
        assert time.monotonic() - begin < SECONDS - 5, "somebody was waited for"


def test_the_first_one_speaks_and_answers():
    answer, heard = start({}, devices=3)
    assert answer == (0, "0", "127.0.0.1")
    assert heard.messages == ["I am 0 of 3"] and heard.stages == [("train", 0, 3)]


def test_an_error_of_any_process_ends_all():
    error = DataError("no pictures", expected="pictures", where="here", fix="add some", details={"a": [1]})
    with pytest.raises(DataError) as caught:
        start({0: "deaf", 1: error})
    assert vars(caught.value) == vars(error) and str(caught.value) == str(error)
    assert not ran_out_of_memory(caught.value.__cause__)


def test_an_error_of_the_system_keeps_its_file():
    with pytest.raises(PermissionError) as caught:
        start({1: PermissionError(13, "Permission denied", "/data/x.png"), 0: "deaf"})
    assert caught.value.filename == "/data/x.png"


def test_a_bug_is_told_with_its_place():
    with pytest.raises(RuntimeError, match="ZeroDivisionError: oh") as caught:
        start({1: ZeroDivisionError("oh"), 0: "deaf"})
    assert "in process 1" in caught.value.__notes__[0] and "raise deed" in caught.value.__notes__[0]


def test_a_lack_of_memory_is_known_as_such():
    with pytest.raises(MachineError, match="memory ran out at step 3") as caught:
        start({0: "deaf", 1: "no memory"})
    assert ran_out_of_memory(caught.value.__cause__)


def test_a_process_that_is_killed_ends_all():
    with pytest.raises(MachineError, match="training process 1 ended by signal 9 without a word") as caught:
        start({0: "deaf", 1: "die"})
    assert "--resume" in caught.value.fix


def test_a_stop_is_handed_on_once_and_waited_for():
    stop = threading.Event()
    timer = threading.Timer(3.0, stop.set)
    timer.start()
    answer, heard = start({0: "wait", 1: "wait"}, stop=stop)
    assert answer == "stopped" and heard.messages == ["waiting"]


GROUP = """
import os, sys
from limner.training.interrupt import interruptible
from limner.training.launch import launch
from tests.training.test_launch import Importing, work

class Listener:
    def progress(self, *_):
        pass

    def message(self, text):
        os.killpg(0, number)

if __name__ == "__main__":
    folder, number, when = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    job = {"folder": folder, 0: "work", 1: "work"}
    if when == "starting":
        job["imports"] = Importing(folder, number)
    with interruptible() as stop:
        try:
            print(launch(work, job, devices=2, listener=Listener(), stop=stop))
        except BaseException as error:
            print(type(error).__name__)
"""


def signalled_group(folder, number, when):
    """What a launch says whose whole process group is signalled, as a terminal does it, ``starting`` or ``working``."""
    done = subprocess.run(
        [sys.executable, "-c", GROUP, str(folder), str(int(number)), when], cwd=Path(__file__).parents[2], capture_output=True,
        text=True, timeout=90, start_new_session=True,
    )  # fmt: skip
    return done.stdout.strip(), done.stderr.strip()


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="process groups need a Unix system")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_for_all_is_one_signal_for_each(tmp_path, number):
    assert signalled_group(tmp_path, number, "working") == ("stopped", "")


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="process groups need a Unix system")
def test_ctrl_c_while_processes_start_is_an_interruption_without_many_words(tmp_path):
    assert signalled_group(tmp_path, signal.SIGINT, "starting") == ("KeyboardInterrupt", "")


def test_a_signal_that_is_ignored_stays_so():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interruptible() as stop:
            signal.raise_signal(signal.SIGINT)
            assert not stop.is_set() and signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
            signal.raise_signal(signal.SIGTERM)
            assert stop.is_set()
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_the_second_signal_interrupts_unless_one_is_patient():
    with interruptible(patient=True) as stop:
        for _ in range(2):
            signal.raise_signal(signal.SIGTERM)
        assert stop.is_set()
    with pytest.raises(KeyboardInterrupt), interruptible():
        for _ in range(2):
            signal.raise_signal(signal.SIGTERM)
