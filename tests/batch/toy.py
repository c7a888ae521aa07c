"""A worker that counts its calls in files and, on some jobs, kills its own process or raises."""

import os
import signal
from dataclasses import dataclass
from pathlib import Path

from limner.core.errors import DataError
from limner.core.files import write_text


@dataclass(frozen=True)
class Job:
    number: int
    habit: str = ""


@dataclass(frozen=True)
class Toy:
    folder: Path

    def calls(self, number):
        path = self.folder / f"{number}.calls"
        return len(path.read_bytes()) if path.exists() else 0

    def __call__(self, job):
        with (self.folder / f"{job.number}.calls").open("ab") as file:
            file.write(b".")
        first = self.calls(job.number) == 1
        if job.habit == "kills always" or (job.habit == "kills once" and first):
            os.kill(os.getpid(), signal.SIGKILL)
        if job.habit == "exits once" and first:
            os._exit(3)
        if job.habit == "is broken":
            raise DataError(f"{job.number} is broken", expected="a picture", where="w", fix="f")
        if job.habit == "is away once" and first:
            raise OSError("the folder is away")
        if job.habit == "has a bug":
            raise ValueError(f"no {job.number}")
        if job.habit == "is no JSON":
            return {"path": self.folder}
        write_text(self.folder / f"{job.number}.txt", str(job.number**2))
        return {"number": job.number, "half": job.number / 3, "classes": {"a": [None, job.number]}, "pid": os.getpid()}


def square(number):
    return {"square": number * number, "threads": os.environ.get("OMP_NUM_THREADS")}


class Heard:
    """A listener that remembers."""

    def __init__(self):
        self.progresses, self.messages = [], []

    def progress(self, stage, done, total, text=""):
        self.progresses.append((stage, done, total))

    def message(self, text):
        self.messages.append(text)
