"""Read spoilt annotation files: every one is read or refused, none crashes, hangs or fills the memory.

python -m benchmarks.fuzz_formats CORPUS [--cases 10000] [--seed 0] [--only FILE#NUMBER]

CORPUS is a folder with annotation files of any formats; each that `limner.data.formats.read_annotations` knows is spoilt in turn
until `--cases` files of its format were read, the classic bombs (`benchmarks.mutations.bombs`) among them. Reading, and drawing
what was read, happens in a process of its own: at most 500 MB more than at its start, at most 2 s of processor time. Every offender
is printed with the words that make it again. Exit status 1 when there is one. Needs Linux, whose /proc tells the memory used.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import resource
import select
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.mutations import bombs, mutate

ROOT = Path(__file__).parents[1]  # where `benchmarks` can be imported from
MEMORY_MB = 500
SECONDS = 2.0
PATIENCE = 15  # times as long by the clock before a process is given up: the machine may be busy
PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".npy")
LARGEST_SEED = 300_000
SMALL, MOST_DRAWN = (48, 64), 50


@dataclass
class Count:
    """What became of the files of a format."""

    outcomes: Counter[str] = field(default_factory=Counter)
    offenders: list[str] = field(default_factory=list)
    slowest: float = 0.0
    largest_mb: float = 0.0

    @property
    def total(self) -> int:
        return self.outcomes.total()


class Reader:
    """A process that reads files, one after the other; started anew when it dies."""

    def __init__(self, command: list[str] | None = None) -> None:
        self.command = command or [sys.executable, "-m", "benchmarks.fuzz_formats", "--worker"]
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            for pipe in (self.process.stdin, self.process.stdout):
                if pipe is not None:
                    pipe.close()
        self.process = None

    def _line(self, seconds: float) -> bytes:
        """The next line of the process; empty when it died, TimeoutError when it says nothing."""
        assert self.process is not None and self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], seconds)
        if not ready:
            raise TimeoutError
        return self.process.stdout.readline()

    def read(self, path: Path) -> dict:
        """``outcome`` read, refused, crashed, hung or over memory; ``format``, ``detail``, ``seconds``, ``mb``."""
        if self.process is None:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                cwd=ROOT,
            )
            self._line(120)  # it says that it is ready
        nothing = {"format": "", "seconds": 0.0, "mb": 0.0}
        try:
            assert self.process.stdin is not None
            self.process.stdin.write(json.dumps(str(path)).encode() + b"\n")
            line = self._line(PATIENCE * SECONDS)
        except TimeoutError:
            self.stop()
            return nothing | {
                "outcome": "hung",
                "detail": f"no answer in {PATIENCE * SECONDS:.0f} s",
                "seconds": PATIENCE * SECONDS,
            }
        except BrokenPipeError:
            line = b""
        if not line:
            status = self.process.wait()
            self.stop()
            return nothing | {"outcome": "crashed", "detail": f"the process ended with status {status}"}
        return json.loads(line)


def worker() -> None:
    """Answer each path on the input with a line on the output."""
    from limner.core.errors import LimnerError
    from limner.data.formats import read_annotations

    sys.stdout.write("ready\n")
    sys.stdout.flush()
    before = _memory_mb()
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (int((_virtual_mb() + 2 * MEMORY_MB) * 1e6), hard))  # a net below the net
    for line in sys.stdin:
        path = Path(json.loads(line))
        _forget_peak()
        start, found = time.process_time(), {"format": "", "detail": ""}
        try:
            annotations = read_annotations(path)
            found |= {"outcome": "read", "format": annotations.format}
            json.dumps(
                [[p.as_dict() for p in annotations.refused], [p.as_dict() for p in annotations.warnings]]
            ).encode()
        except LimnerError as error:
            found |= {"outcome": "refused", "detail": error.found}
            if not error.found or len(error.text()) > 5000:
                found |= {"outcome": "crashed", "detail": f"a message of {len(error.text())} signs"}
        except MemoryError:
            found |= {"outcome": "over memory", "detail": "MemoryError"}
        except BaseException:
            found |= {"outcome": "crashed", "detail": traceback.format_exc(limit=-6)}
        annotations = None
        seconds, mb = time.process_time() - start, _memory_mb(peak=True) - before
        if found["outcome"] in ("read", "refused"):
            if seconds > SECONDS:
                found |= {"outcome": "hung", "detail": f"{seconds:.1f} s of processor time; {found['detail']}"}
            elif mb > MEMORY_MB:
                found |= {"outcome": "over memory", "detail": f"{mb:.0f} MB; {found['detail']}"}
        sys.stdout.write(json.dumps(found | {"seconds": seconds, "mb": mb}) + "\n")
        sys.stdout.flush()


def _draw(annotations: object) -> None:
    """What was read can be drawn: on a small picture, the first regions of each."""
    from limner.data.formats.geometry import Refusal, fit
    from limner.data.rasterize import rasterize

    for image in annotations.images:  # type: ignore[attr-defined]
        for region in image.regions[:MOST_DRAWN]:
            with contextlib.suppress(Refusal):
                rasterize(fit(region.shape, SMALL, []), SMALL)


def _status(key: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key):
            return int(line.split()[1]) * 1024 / 1e6
    return 0.0


def _memory_mb(peak: bool = False) -> float:
    return _status("VmHWM:" if peak else "VmRSS:")


def _virtual_mb() -> float:
    return _status("VmSize:")


def _forget_peak() -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # proc(5): sets VmHWM back to VmRSS


def seeds(corpus: Path, reader: Reader) -> dict[str, list[Path]]:
    """The files of a corpus that are annotations, by format."""
    found: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(p for p in corpus.rglob("*") if p.is_file() and p.stat().st_size <= LARGEST_SEED):
        if path.suffix.lower() not in PICTURES:
            answer = reader.read(path)
            if answer["outcome"] == "read":
                found[answer["format"]].append(path)
    return dict(found)


def cases(
    paths: list[Path], corpus: Path, number: int, seed: int, with_bombs: bool = True
) -> Iterator[tuple[Path, str, bytes]]:
    """Where to write what, and the words that make it again."""
    originals = {path: path.read_bytes() for path in paths}
    if with_bombs:
        smallest = min(paths, key=lambda path: len(originals[path]))
        for name, data in bombs(originals[smallest]):
            yield smallest, f"{smallest.relative_to(corpus).as_posix()}#{name}", data
            number -= 1
    for i in range(number):
        path = paths[i % len(paths)]
        words = f"{path.relative_to(corpus).as_posix()}#{i}"
        yield path, words, mutate(originals[path], random.Random(f"{seed}/{words}"))


def fuzz(
    corpus: Path, *, number: int, seed: int = 0, only: str = "", with_bombs: bool = True, show: bool = True
) -> dict[str, Count]:
    """Spoil every file of a corpus, which stays as it is: a copy is used, so that files beside are found."""
    counts: dict[str, Count] = {}
    with tempfile.TemporaryDirectory() as folder, Reader() as reader:
        copy = Path(folder) / "corpus"
        shutil.copytree(corpus, copy, ignore=shutil.ignore_patterns(*(f"*{suffix}" for suffix in PICTURES)))
        for name, paths in seeds(copy, reader).items():
            count = counts[name] = Count()
            for path, words, data in cases(paths, copy, number, seed, with_bombs):
                if only and words != only:
                    continue
                original = path.read_bytes()
                path.write_bytes(data)
                answer = reader.read(path)
                if only:
                    print(
                        f"{words}: {len(data)} bytes\n{data[:2000]!r}\n{json.dumps(answer, indent=2)}".replace(
                            "\\n", "\n"
                        )
                    )
                path.write_bytes(original)
                count.outcomes[answer["outcome"]] += 1
                count.slowest = max(count.slowest, answer["seconds"])
                count.largest_mb = max(count.largest_mb, answer["mb"])
                if answer["outcome"] not in ("read", "refused"):
                    count.offenders.append(f"{answer['outcome']}: --seed {seed} --only '{words}'\n{answer['detail']}")
                    if show:
                        print(count.offenders[-1], flush=True)
            if show and count.total:
                print(_row(name, count), flush=True)
    return counts


def _row(name: str, count: Count) -> str:
    kinds = ("read", "refused", "crashed", "hung", "over memory")
    numbers = ", ".join(f"{count.outcomes[kind]} {kind}" for kind in kinds)
    return f"{name}: {count.total} files: {numbers}; at most {count.slowest:.2f} s, {count.largest_mb:.0f} MB"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path, nargs="?")
    parser.add_argument("--cases", type=int, default=10_000, help="spoilt files for each format")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="make one case again and show it, such as via2/a.json#17")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        worker()
        return 0
    if options.corpus is None:
        parser.error("which CORPUS?")
    counts = fuzz(options.corpus, number=options.cases, seed=options.seed, only=options.only)
    bad = sum(len(count.offenders) for count in counts.values())
    total = sum(count.total for count in counts.values())
    print(f"{total} files of {len(counts)} formats: {bad} offenders")
    return 1 if bad or not total else 0


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    sys.exit(main())
