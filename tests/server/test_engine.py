"""Queue, batches, deadlines, exchange and rest of models, without a socket."""

import asyncio
import threading
import time

import numpy as np
import pytest

from limner.core.sample import Sample
from limner.inference.segmenter import NetworkSegmenter
from limner.server.engine import Engine
from limner.server.limits import Limits
from limner.server.loaded import ModelSpec, Opened, plain_name
from limner.server.options import Options, drop_small
from limner.server.refused import Refused
from limner.server.together import Together
from tests.server.fakes import SPACE, Gathering, Threshold, opening
from tests.server.pictures import array

LIMITS = Limits(queue=4, batch=3, batch_wait_ms=200)


def sample(seed=0, size_hw=(5, 7)):
    return Sample(str(seed), array(seed, size_hw))


def with_engine(segmenter, test, limits=LIMITS):
    """Run a coroutine function with a started engine."""

    async def run():
        engine = Engine([ModelSpec("m", "m")], opening(segmenter), limits=limits)
        await engine.start()
        try:
            return await asyncio.wait_for(test(engine), 30)
        finally:
            segmenter.gate.set()
            await engine.drain(5)

    return asyncio.run(run())


async def until(claim):
    for _ in range(500):
        if claim():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come true")


async def refusal(awaitable):
    with pytest.raises(Refused) as caught:
        await awaitable
    return caught.value


def test_pictures_of_one_size_are_computed_together_and_the_answers_are_their_own():
    segmenter = Gathering()

    async def test(engine):
        segmenter.gate.clear()
        first = asyncio.create_task(engine.predict("m", sample(99, (4, 4))))
        await until(lambda: engine._served["m"].lane._running)
        rest = [asyncio.create_task(engine.predict("m", sample(i, (5, 9 if i == 1 else 7)))) for i in range(4)]
        await until(lambda: engine._served["m"].lane.seats == 4)
        segmenter.gate.set()
        return [await task for task in (first, *rest)]

    predictions = with_engine(segmenter, test)
    assert segmenter.batches == [3]
    for index, prediction in zip((99, 0, 1, 2, 3), predictions, strict=True):
        image = array(index, {99: (4, 4), 1: (5, 9)}.get(index, (5, 7)))
        assert prediction.name == str(index)
        assert np.array_equal(prediction.labels, image[..., 0] > 127)


def test_answers_do_not_depend_on_company():
    """Where a batch gives another bit, pictures are computed one by one, from the first batch on."""
    honest, other = Gathering(), Gathering(differs=True)
    samples = [sample(i) for i in range(3)]
    for segmenter in (honest, other):
        together = Together()
        for _ in range(3):
            answers = together.segment(segmenter, samples)
            for one, answer in zip(samples, answers, strict=True):
                assert np.array_equal(answer.labels, one.image[..., 0] > 127)
    assert honest.batches == [3, 3, 3] and len(honest.names) == 3 + 9  # proven once, then never alone
    assert other.batches == [3] and len(other.names) == 3 + 3 + 6
    assert together.differs and not together.possible(other)


def test_scores_are_compared_bit_for_bit():
    """The sum of a batch in another order is another answer, although the labels are the same."""

    def predictor(batch):
        logits = np.asarray(batch[:, :1] * 3, np.float32)
        return logits + np.float32(1e-7) if len(batch) > 1 else logits

    from tests.server.live import CONTRACT

    segmenter = NetworkSegmenter(predictor, CONTRACT, SPACE, 3, True)
    samples = [sample(i, (33, 47)) for i in range(2)]
    together = Together()
    answers = together.segment(segmenter, samples)
    assert together.differs
    assert np.array_equal(answers[1].scores, segmenter.segment(samples[1]).scores)


def test_a_full_queue_refuses_with_the_time_it_needs():
    segmenter = Threshold(seconds=0.05)

    async def test(engine):
        await engine.predict("m", sample())
        segmenter.gate.clear()
        tasks = [asyncio.create_task(engine.predict("m", sample(0)))]
        await until(lambda: engine._served["m"].lane._running)
        tasks += [asyncio.create_task(engine.predict("m", sample(i))) for i in range(1, 5)]
        await until(lambda: engine._served["m"].lane.seats == 4)
        refused = await refusal(engine.predict("m", sample(9)))
        segmenter.gate.set()
        await asyncio.gather(*tasks)
        return refused

    refused = with_engine(segmenter, test)
    assert (refused.status, refused.code, refused.limit) == (429, "queue_full", {"queue": 4})
    assert 0.2 < refused.retry_after < 10
    assert refused.headers() == {"Retry-After": "1"}
    assert "9" not in segmenter.names


def test_work_whose_time_has_passed_is_not_done():
    segmenter = Threshold()

    async def test(engine):
        segmenter.gate.clear()
        first = asyncio.create_task(engine.predict("m", sample(1)))
        await until(lambda: engine._served["m"].lane._running)
        late = asyncio.create_task(engine.predict("m", sample(2), deadline=time.monotonic() + 0.05))
        on_time = asyncio.create_task(engine.predict("m", sample(3)))
        await asyncio.sleep(0.1)
        segmenter.gate.set()
        refused = await refusal(late)
        await asyncio.gather(first, on_time)
        return refused

    refused = with_engine(segmenter, test)
    assert (refused.status, refused.code) == (504, "deadline")
    assert segmenter.names == ["1", "3"]


def test_work_whose_client_has_gone_is_not_done():
    segmenter = Threshold()

    async def gone():
        return True

    async def test(engine):
        refused = await refusal(engine.predict("m", sample(2), gone=gone))
        await engine.predict("m", sample(3))
        return refused, engine._served["m"].lane.is_idle

    refused, is_idle = with_engine(segmenter, test)
    assert refused.status == 499 and is_idle
    assert segmenter.names == ["3"]


def test_a_picture_that_fails_among_others_fails_alone():
    class Fragile(Gathering):
        def segment(self, sample):
            if sample.name == "1":
                raise ZeroDivisionError
            return super().segment(sample)

    segmenter = Fragile()

    async def test(engine):
        segmenter.gate.clear()
        first = asyncio.create_task(engine.predict("m", sample(7)))
        await until(lambda: engine._served["m"].lane._running)
        rest = [asyncio.create_task(engine.predict("m", sample(i))) for i in range(3)]
        await until(lambda: engine._served["m"].lane.seats == 3)
        segmenter.gate.set()
        return await asyncio.gather(first, *rest, return_exceptions=True)

    _, good, bad, other = with_engine(segmenter, test)
    assert (good.name, other.name) == ("0", "2")
    assert isinstance(bad, Refused) and bad.status == 500


def test_an_unknown_model_and_one_that_loads_are_told_apart():
    async def run():
        engine = Engine([ModelSpec("m", "m")], opening(Threshold()))
        with pytest.raises(Refused) as loading:
            engine.get("m")
        with pytest.raises(Refused) as unknown:
            engine.get("n")
        assert not engine.is_ready
        await engine.start()
        assert engine.is_ready and engine.get().name == "m"
        await engine.drain(1)
        stopping = await refusal(engine.predict(None, sample()))
        return loading.value.status, unknown.value.status, stopping.status, engine.is_ready

    assert asyncio.run(run()) == (503, 404, 503, False)


def test_rest_waits_for_what_was_accepted_and_refuses_the_rest_when_time_is_up():
    segmenter = Threshold()

    async def test(engine):
        segmenter.gate.clear()
        tasks = [asyncio.create_task(engine.predict("m", sample(i))) for i in range(3)]
        await until(lambda: engine._served["m"].lane.seats == 2)
        begun = time.monotonic()
        finished = await engine.drain(0.2)
        return finished, time.monotonic() - begun, await asyncio.gather(*tasks, return_exceptions=True)

    finished, seconds, answers = with_engine(segmenter, test)
    assert not finished and 0.2 <= seconds < 2
    assert [answer.status for answer in answers] == [503, 503, 503]


def test_an_exchanged_model_answers_what_it_accepted():
    old, new = Threshold(), Threshold()

    async def run():
        engine = Engine([ModelSpec("m", "m")], lambda spec: Opened(next(models), SPACE), limits=LIMITS)
        models = iter((old, new))
        await engine.start()
        old.gate.clear()
        task = asyncio.create_task(engine.predict("m", sample(1)))
        await until(lambda: engine._served["m"].lane._running)
        await engine.reload("m")
        later = await engine.predict("m", sample(2))
        old.gate.set()
        first = await task
        assert await engine.drain(5)
        return first.name, later.name

    assert asyncio.run(run()) == ("1", "2")
    assert (old.names, new.names) == (["1"], ["2"])


def test_tensors_run_through_the_network_alone():
    from tests.server.live import CONTRACT, bright

    async def run():
        engine = Engine(
            [ModelSpec("m", "m"), ModelSpec("n", "n")],
            lambda spec: Opened(
                NetworkSegmenter(bright, CONTRACT, SPACE, 3) if spec.name == "m" else Threshold(), SPACE
            ),
        )
        await engine.start()
        batch = np.random.default_rng(0).normal(size=(2, 3, 5, 7)).astype(np.float32)
        logits = await engine.logits("m", batch)
        refused = await refusal(engine.logits("n", batch))
        await engine.drain(1)
        return batch, logits, refused.status

    batch, logits, status = asyncio.run(run())
    assert np.array_equal(logits, 8 * batch[:, :1]) and status == 422


def test_options_of_networks_are_refused_by_other_models():
    async def test(engine):
        return await refusal(engine.predict("m", sample(), options=Options(threshold=0.3)))

    assert with_engine(Threshold(), test).status == 422


def test_small_patches_are_looked_for_beside_the_event_loop(monkeypatch):
    threads = []

    def without_small(prediction, min_area):
        threads.append(threading.current_thread())
        return prediction

    monkeypatch.setattr("limner.server.engine.without_small", without_small)

    async def test(engine):
        await engine.predict("m", sample())
        await engine.predict("m", sample(), options=Options(min_area=9))

    with_engine(Threshold(), test)
    assert len(threads) == 1 and threads[0] is not threading.main_thread()


def test_small_patches_touch_at_corners_and_are_of_one_class():
    labels = np.array([[1, 0, 0, 2, 0], [0, 1, 0, 2, 1], [0, 0, 0, 0, 0]], np.uint8)
    assert drop_small(labels, 1) is labels
    assert drop_small(labels, 2).tolist() == [[1, 0, 0, 2, 0], [0, 1, 0, 2, 0], [0, 0, 0, 0, 0]]
    assert not drop_small(labels, 3).any()


@pytest.mark.parametrize(
    ("path", "name"), [("a/b c", "b-c"), ("run/model", "run"), ("model", "model"), ("é", "model"), ("x" * 99, "x" * 64)]
)
def test_models_are_named_after_folders(path, name):
    assert plain_name(path) == name
