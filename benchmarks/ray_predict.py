"""What Ray costs: starting a cluster of this machine, an empty job, a death; and pictures against the local engine.

python -m benchmarks.ray_predict [--model RUN --pictures FOLDER] [--json FILE]
"""

import argparse
import json
import os
import signal
import statistics
import tempfile
import time
from pathlib import Path

import limner
from limner.batch.cluster import GIB, Resources, connected
from limner.batch.ray_predict import run

SMALL = Resources(memory=GIB // 4)
EMPTY_JOBS = 2000


class Nothing:
    """A job of no work; with a folder, the first call of job 0 kills its process."""

    def __init__(self, folder=None):
        self.folder = folder

    def __call__(self, job):
        if self.folder and job == 0 and not (self.folder / "died").exists():
            (self.folder / "died").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return {}


def seconds(call):
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def costs():
    start = time.perf_counter()
    with connected(None):
        found = {"start_cluster_s": time.perf_counter() - start}
        found["one_job_s"] = statistics.median(seconds(lambda: run([1], Nothing(), resources=SMALL)) for _ in range(3))
        many = seconds(lambda: run(range(EMPTY_JOBS), Nothing(), resources=SMALL))
        found["each_job_ms"] = 1000 * (many - found["one_job_s"]) / EMPTY_JOBS
        with tempfile.TemporaryDirectory() as folder:
            died = seconds(lambda: run([0], Nothing(Path(folder)), resources=SMALL))
        found["a_death_s"] = died - found["one_job_s"]
    return found


def pictures(model, folder):
    found = {}
    with tempfile.TemporaryDirectory() as out:
        for engine in ("local", "ray", "local", "ray"):
            took = seconds(lambda e=engine: limner.predict(model, [folder], out=f"{out}/{e}", engine=e, overwrite=True))
            found.setdefault(f"{engine}_s", []).append(took)
        maps = [sorted(path for path in Path(out, engine).rglob("*.png")) for engine in ("local", "ray")]
        same = [a.read_bytes() == b.read_bytes() for a, b in zip(*maps, strict=True)]
    return {**found, "pictures": len(same), "equal": sum(same)}


class Slow:
    """A job of a third of a second that leaves one byte for each time it was done."""

    def __init__(self, folder):
        self.folder = folder

    def __call__(self, job):
        time.sleep(0.3)
        with (self.folder / str(job)).open("ab") as file:
            file.write(b".")
        return {"job": job}


class Catastrophe:
    """A listener that takes a machine away after a fifth of the jobs and adds one after two fifths."""

    def __init__(self, cluster, machine):
        self.cluster, self.machine, self.added, self.messages = cluster, machine, None, []

    def progress(self, stage, done, total, text=""):
        if self.machine is not None and done > total / 5:
            self.cluster.remove_node(self.machine, allow_graceful=False)
            self.machine = None
        if self.added is None and done > 2 * total / 5:
            self.added = self.cluster.add_node(num_cpus=2, object_store_memory=100 << 20)

    def message(self, text):
        self.messages.append(text)


def machines(jobs=100):
    from ray.cluster_utils import Cluster

    quick = {"health_check_initial_delay_ms": 500, "health_check_period_ms": 500, "health_check_failure_threshold": 3}
    head = {"num_cpus": 0, "object_store_memory": 100 << 20, "include_dashboard": False, "_system_config": quick}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        first, _ = (cluster.add_node(num_cpus=1, object_store_memory=100 << 20) for _ in range(2))
        heard = Catastrophe(cluster, first)
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            rows = run(range(jobs), Slow(Path(folder)), address=cluster.address, listener=heard, resources=SMALL)
            took = time.perf_counter() - start
            done = [len((Path(folder) / str(job)).read_bytes()) for job in range(jobs)]
    finally:
        cluster.shutdown()
    return {
        "jobs": jobs,
        "seconds": took,
        "rows_in_order": rows == [{"job": job} for job in range(jobs)],
        "done_more_than_once": sum(count > 1 for count in done),
        "heard": heard.messages,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model")
    parser.add_argument("--pictures")
    parser.add_argument("--machines", action="store_true")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    found = {"cores": len(os.sched_getaffinity(0)), **costs()}
    if arguments.model and arguments.pictures:
        found["predict"] = pictures(arguments.model, arguments.pictures)
    if arguments.machines:
        found["machines"] = machines()
    print(json.dumps(found, indent=2))
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
