"""Spoilt picture files against the server's decoder: every one gives pixels or a refusal, none ends or holds up a server.

python -m benchmarks.fuzz_images [--cases 10000] [--seed 0] [--workers 2] [--keep FOLDER]

Small pictures of every format that is read (`tests.security.attacks.seeds`) are changed in a few places, mostly near their
beginning, and decoded by the same worker processes that the server uses, with the same limits. Counted are the statuses; a worker
that died or was stopped is an offence of the file (the server answers 422 and goes on), printed with its number and, with --keep,
written down.
Exit status 1 when anything but pixels or a refusal of 413, 415 or 422 came back, or a file took longer than the limit on time.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tests.security.attacks import mutated, seeds

from limner.server.decode import Decoder
from limner.server.limits import Limits
from limner.server.refused import Refused

EXPECTED = {200, 413, 415, 422}
DEAD = "ended the process"


@dataclass(frozen=True)
class Outcome:
    """What became of one file."""

    number: int
    name: str
    status: int
    words: str
    seconds: float
    data: bytes


def one(decoder: Decoder, number: int, seed: int, files: list[tuple[str, bytes]]) -> Outcome:
    """Spoil and decode file `number`; the same number and seed give the same file."""
    name, data = files[number % len(files)]
    data = mutated(data, np.random.default_rng((seed, number)))
    start = time.perf_counter()
    try:
        decoder.decode_now(data)
        status, words = 200, "pixels"
    except Refused as refused:
        status, words = refused.status, refused.message
    return Outcome(number, name, status, words, time.perf_counter() - start, data)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--keep", type=Path)
    arguments = parser.parse_args()
    limits, files = Limits(), sorted(seeds().items())
    decoder = Decoder(limits, workers=arguments.workers)
    statuses: Counter[int] = Counter()
    dead, bad, slowest = [], [], 0.0
    begun = time.perf_counter()
    try:
        with ThreadPoolExecutor(arguments.workers) as threads:
            for outcome in threads.map(lambda i: one(decoder, i, arguments.seed, files), range(arguments.cases)):
                statuses[outcome.status] += 1
                slowest = max(slowest, outcome.seconds)
                is_dead = DEAD in outcome.words
                if outcome.status not in EXPECTED or outcome.seconds > limits.decode_seconds:
                    bad.append(outcome)
                if is_dead:
                    dead.append(outcome)
                if arguments.keep and (is_dead or outcome in bad):
                    arguments.keep.mkdir(parents=True, exist_ok=True)
                    (arguments.keep / f"{outcome.number}-{outcome.name}").write_bytes(outcome.data)
    finally:
        decoder.close()
    counted = ", ".join(f"{status}: {number}" for status, number in sorted(statuses.items()))
    print(f"{arguments.cases} files in {time.perf_counter() - begun:.0f} s; {counted}; slowest {slowest:.2f} s")
    print(f"{len(dead)} ended their worker: {[(one.number, one.name) for one in dead[:20]]}")
    for outcome in bad[:20]:
        print(
            f"unexpected: {outcome.number} {outcome.name} {outcome.status} {outcome.words[:100]} {outcome.seconds:.1f} s"
        )
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
