"""A server under load: how long accepted requests take, what they get, and whether its memory stays where it is.

python -m benchmarks.serve RUN PICTURES --requests 10000 --parallel 8 --out serve.json

Three parts: 200 requests at once at queue 8; many requests one after the other on several connections; TERM in the middle of
them. Memory is that of the server and of its decoding processes, from /proc.
"""

import argparse
import contextlib
import http.client
import json
import signal
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

from limner.data.images import SUFFIXES


@contextlib.contextmanager
def server(model, *options):
    """A server process and what it said when it was ready."""
    process = subprocess.Popen(
        [sys.executable, "-m", "limner", "serve", model, "--port", "0", "--json", *options],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        text = ""
        for line in process.stdout:
            text += line
            if line == "}\n":
                break
        yield process, json.loads(text)
    finally:
        process.kill()
        process.wait()


def resident(process):
    """MiB in memory, of the server and of its children, and of the server alone."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    for task in Path(f"/proc/{process.pid}/task").iterdir():
        with contextlib.suppress(OSError):  # a thread that ends meanwhile
            children += (task / "children").read_text().split()
    sizes = []
    for number in [str(process.pid), *dict.fromkeys(children)]:
        with contextlib.suppress(OSError):
            sizes.append(int(Path(f"/proc/{number}/statm").read_text().split()[1]) * 4096 / 2**20)
    return round(sum(sizes), 1), round(sizes[0], 1)


class Load:
    """Connections that ask again and again."""

    def __init__(self, port, files, *, parallel, requests, output="mask_png"):
        self.port, self.files, self.output = port, files, output
        self.statuses, self.seconds, self.lost = {}, [], []
        self._left, self._lock = requests, threading.Lock()
        self.threads = [threading.Thread(target=self._call, args=(i,)) for i in range(parallel)]

    def start(self):
        for thread in self.threads:
            thread.start()
        return self

    def join(self):
        for thread in self.threads:
            thread.join()
        return self

    def _call(self, turn):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        while True:
            with self._lock:
                if self._left <= 0:
                    return
                self._left -= 1
            turn += 1
            begun = time.perf_counter()
            try:
                connection.request(
                    "POST", f"/v1/predict?output={self.output}", self.files[turn % len(self.files)],
                    {"Content-Type": "application/octet-stream"},
                )  # fmt: skip
                answer = connection.getresponse()
                answer.read()
            except ConnectionRefusedError:
                return
            except (OSError, http.client.HTTPException) as error:
                with self._lock:
                    self.lost.append(repr(error))
                return
            with self._lock:
                self.statuses[answer.status] = self.statuses.get(answer.status, 0) + 1
                if answer.status == 200:
                    self.seconds.append(time.perf_counter() - begun)

    def summary(self):
        found = {"statuses": self.statuses, "lost": len(self.lost)}
        if len(self.seconds) > 1:
            cuts = statistics.quantiles(self.seconds, n=100, method="inclusive")
            found |= {"p50_ms": round(1000 * cuts[49], 1), "p99_ms": round(1000 * cuts[98], 1)}
            found["max_ms"] = round(1000 * max(self.seconds), 1)
        return found


def burst(model, files):
    """200 requests at once at queue 8."""
    with server(model, "--queue", "8") as (_, document):
        Load(document["port"], files, parallel=1, requests=8).start().join()
        return Load(document["port"], files, parallel=200, requests=200).start().join().summary()


def endurance(model, files, *, requests, parallel):
    """Many requests; memory every twentieth of them."""
    with server(model) as (process, document):
        Load(document["port"], files, parallel=parallel, requests=max(50, requests // 20)).start().join()
        memory, load, begun = [resident(process)], None, time.perf_counter()
        load = Load(document["port"], files, parallel=parallel, requests=requests).start()
        done = 0
        while any(thread.is_alive() for thread in load.threads):
            time.sleep(0.2)
            if len(load.seconds) - done >= requests / 20:
                done = len(load.seconds)
                memory.append(resident(process))
        load.join()
        memory.append(resident(process))
        seconds = time.perf_counter() - begun
    return {
        **load.summary(), "requests_per_second": round(requests / seconds, 1), "memory_mib": memory,
        "growth_mib": round(memory[-1][1] - memory[0][1], 1),
    }  # fmt: skip


def ending(model, files):
    """TERM under load: what was accepted is answered."""
    with server(model) as (process, document):
        load = Load(document["port"], files, parallel=16, requests=10**6).start()
        time.sleep(3)
        process.send_signal(signal.SIGTERM)
        begun = time.perf_counter()
        code = process.wait(60)
        seconds = time.perf_counter() - begun
        load.join()
    return {**load.summary(), "exit_code": code, "seconds_to_end": round(seconds, 2)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("pictures", type=Path, help="folder of pictures to send, in turn")
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--parallel", type=int, default=8)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    paths = [path for path in sorted(options.pictures.rglob("*")) if path.suffix.lower() in SUFFIXES][:50]
    files = [path.read_bytes() for path in paths]
    found = {
        "model": Path(options.model).name, "pictures": len(files), "burst": burst(options.model, files),
        "endurance": endurance(options.model, files, requests=options.requests, parallel=options.parallel),
        "ending": ending(options.model, files),
    }  # fmt: skip
    text = json.dumps(found, indent=2)
    print(text)
    if options.out:
        options.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
