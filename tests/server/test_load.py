"""Many requests at once and many after another: only 200 and 429, and memory that stays where it is."""

import gc
import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest

from limner.server.limits import Limits
from tests.server.fakes import Gathering, Threshold, opening
from tests.server.pictures import array, decoded, encoded

FILES = [encoded(array(seed, (23, 31))) for seed in range(8)]
HEADERS = {"Content-Type": "image/png"}


def test_200_at_once_get_an_answer_or_the_time_to_come_back(serving):
    segmenter = Threshold(seconds=0.01)
    server = serving(opening(segmenter), limits=Limits(queue=8))
    start = threading.Barrier(50)

    def call(index):
        start.wait(30)
        found = []
        with httpx.Client(base_url=server.url, timeout=60, trust_env=False) as client:
            for turn in range(4):
                seed = (index + turn) % len(FILES)
                answer = client.post("/v1/predict?output=mask_png", content=FILES[seed], headers=HEADERS)
                found.append((seed, answer))
        return found

    with ThreadPoolExecutor(50) as threads:
        answers = [pair for pairs in threads.map(call, range(50)) for pair in pairs]
    assert len(answers) == 200
    assert {answer.status_code for _, answer in answers} == {200, 429}
    for seed, answer in answers:
        if answer.status_code == 200:
            assert np.array_equal(decoded(answer.content), array(seed, (23, 31))[..., 0] > 127)
        else:
            assert int(answer.headers["retry-after"]) >= 1 and answer.json()["error"]["limit"] == {"queue": 8}
    assert server.engine.held.bytes == 0 and server.engine._served["m"].lane.is_idle


def test_batched_answers_are_those_of_single_ones(serving):
    server = serving(opening(Gathering()), limits=Limits(queue=64))
    single = [server.post(file, output="mask_png").content for file in FILES]
    with ThreadPoolExecutor(16) as threads:
        many = list(threads.map(lambda i: server.post(FILES[i % 8], output="mask_png").content, range(64)))
    assert many == [single[i % 8] for i in range(64)]
    assert "limner_batch_size" in server.client.get("/metrics").text


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
def test_memory_stays_where_it_is():
    """Seventy pictures of 1.1 MB: what one takes is given back before long."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.server.program", "0", "5", "8"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        text=True, cwd=Path(__file__).parents[2], env={**os.environ, "MALLOC_ARENA_MAX": "2"},
    )  # fmt: skip
    try:
        lines = ""
        while "}\n" not in lines or not lines.endswith("}\n"):
            lines += process.stdout.readline()
        url = json.loads(lines)["url"]
        file = encoded(array(0, (600, 640)), "JPEG")

        def resident():
            gc.collect()
            return int(Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * 4096

        with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:

            def call(number):
                for _ in range(number):
                    answer = client.post(
                        "/v1/predict?output=mask_png", content=file, headers={"Content-Type": "image/jpeg"}
                    )
                    assert answer.status_code == 200

            call(15)
            before = resident()
            call(70)
            grown = resident() - before
    finally:
        process.kill()
        process.communicate()
    assert grown < 20 * 2**20, f"{grown / 2**20:.0f} MiB more after 70 pictures of 1.1 MB"
