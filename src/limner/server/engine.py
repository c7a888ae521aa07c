"""The models of a server: loaded, asked, exchanged, and brought to rest."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from limner.core.errors import LimnerError
from limner.core.prediction import Prediction
from limner.core.sample import Sample
from limner.server.held import Held
from limner.server.lane import Gone, Lane, Work
from limner.server.limits import Limits
from limner.server.loaded import Loaded, ModelSpec, Opener, load
from limner.server.metrics import Metrics
from limner.server.options import Options, network_of, segmenter_for
from limner.server.refused import Refused
from limner.server.small import without_small
from limner.server.together import Together
from limner.server.worker import Worker

Logits = npt.NDArray[np.float32]


@dataclass(eq=False)
class Served:
    """A loaded model with its queue."""

    loaded: Loaded
    lane: Lane
    together: Together


@dataclass(eq=False)
class Seat:
    """A place in the queue of one model; the answer comes from exactly the version it was taken for.

    Parameters
    ----------
    seconds_queued : how long the work waited, once it is answered.
    """

    served: Served
    is_taken: bool = True
    seconds_queued: float = 0.0

    @property
    def loaded(self) -> Loaded:
        """The model that will answer."""
        return self.served.loaded


class Engine:
    """The models of one server. Made anywhere, then used by one event loop alone."""

    def __init__(
        self,
        specs: Sequence[ModelSpec],
        opener: Opener,
        *,
        limits: Limits | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        self.specs = {spec.name: spec for spec in specs}
        self.limits = limits or Limits()
        self.metrics = metrics or Metrics()
        self.held = Held(self.limits.held_bytes)
        self.is_draining = False
        self._opener = opener
        self._served: dict[str, Served] = {}
        self._leaving: dict[Lane, asyncio.Task[None]] = {}  # of models that were exchanged, until all is answered
        self._reloading = asyncio.Lock()

    @property
    def is_ready(self) -> bool:
        """True when every model made its first prediction and the server is not about to stop."""
        return not self.is_draining and len(self._served) == len(self.specs)

    async def start(self) -> None:
        """Load all models, one after the other.

        Raises
        ------
        LimnerError : one cannot be loaded.
        """
        for name in self.specs:
            await self._load(name)

    async def _load(self, name: str) -> Loaded:
        loader = Worker(f"limner-load-{name}")  # not a thread of a pool, whose end the process would wait for
        try:
            loaded = await loader.run(functools.partial(load, self.specs[name], self._opener))
        finally:
            loader.close()
        old = self._served.get(name)
        self._served[name] = Served(loaded, Lane(name, self.limits, self.metrics), Together())
        self.metrics.serving(
            name, version=loaded.version, architecture=loaded.architecture, runtime=loaded.runtime
        )  # fmt: skip
        if old is not None:  # what it accepted it answers; then it goes
            self._leaving[old.lane] = asyncio.create_task(self._see_off(old.lane))
        return loaded

    async def _see_off(self, lane: Lane) -> None:
        await lane.close()
        del self._leaving[lane]

    async def reload(self, name: str) -> Loaded:
        """Load the files of a model anew, let it predict, and only then put it in the place of the old one.

        Raises
        ------
        Refused : 404 for an unknown name; 422 when the files cannot be loaded, and the old model goes on answering; 503.
        """
        self.get(name)
        self._refuse_when_draining()
        async with self._reloading:
            try:
                return await self._load(name)
            except (LimnerError, OSError) as error:
                found = error.found if isinstance(error, LimnerError) else str(error)
                where = f" ({error.where})" if isinstance(error, LimnerError) and error.where else ""
                raise Refused(
                    422, "bundle", f"{found}{where}; the model that was loaded before goes on answering"
                ) from None

    def models(self) -> list[Loaded]:
        """The models that answer."""
        return [served.loaded for served in self._served.values()]

    def get(self, name: str | None = None) -> Loaded:
        """A model by name; None = the first.

        Raises
        ------
        Refused : 404 for an unknown name, 503 while it is loading.
        """
        return self._find(name).loaded

    def batches(self, loaded: Loaded) -> bool:
        """True where pictures of this model may be computed together."""
        served = self._served.get(loaded.name)
        return served is not None and self.limits.batch > 1 and served.together.possible(served.loaded.segmenter)

    def _find(self, name: str | None) -> Served:
        wanted = next(iter(self.specs), "") if name is None else name
        if wanted not in self.specs:
            raise Refused(404, "model", f"no model '{wanted[:64]}'; there are: {', '.join(self.specs)}")
        if wanted not in self._served:
            raise Refused(503, "loading", f"'{wanted}' is being loaded", retry_after=2)
        return self._served[wanted]

    def check(self, name: str | None = None) -> None:
        """Refuse at once what a seat would be refused for, before a body is read.

        Parameters
        ----------
        name : None = not stated yet: the body may still name any model, so that of several none is looked at.

        Raises
        ------
        Refused : see `seat`.
        """
        if name is None and len(self.specs) > 1:
            self._refuse_when_draining()
            return
        with self.seat(name):
            pass

    def _refuse_when_draining(self) -> None:
        if self.is_draining:
            raise Refused(503, "stopping", "the server is about to stop", retry_after=5)

    @contextmanager
    def seat(self, name: str | None = None) -> Iterator[Seat]:
        """A place in the queue, taken before the picture is decoded, so that nothing is decoded in vain.

        Raises
        ------
        Refused : 404, 429 when the queue is full, 503 while loading or stopping.
        """
        served = self._find(name)
        self._refuse_when_draining()
        served.lane.sit()
        seat = Seat(served)
        try:
            yield seat
        finally:
            if seat.is_taken:
                served.lane.stand()

    async def predict(
        self,
        name: str | Seat | None,
        sample: Sample,
        *,
        options: Options | None = None,
        deadline: float | None = None,
        gone: Gone | None = None,
    ) -> Prediction:
        """Labels of one picture.

        Parameters
        ----------
        name : of the model, None for the first one; or a seat in its queue.
        deadline : on the clock of `time.monotonic`; default: `Limits.seconds` from now.
        gone : asked before the work begins whether the client went away.

        Raises
        ------
        Refused : 404, 422, 429, 503, 504; see `Refused`.
        """
        if not isinstance(name, Seat):
            with self.seat(name) as seat:
                return await self.predict(seat, sample, options=options, deadline=deadline, gone=gone)
        served, wishes = name.served, options or Options()
        segmenter = segmenter_for(served.loaded, wishes)

        def compute(samples: Sequence[Sample]) -> list[Prediction]:
            return served.together.segment(segmenter, samples, key=(wishes.tta, wishes.tile, wishes.scores))

        key = (wishes, sample.image.shape, sample.image.dtype.str) if served.together.possible(segmenter) else None
        prediction: Prediction = await self._answer(
            name, Work(sample, compute, key, sample.size_hw[0] * sample.size_hw[1], self._deadline(deadline), gone)
        )
        if wishes.min_area < 2:
            return prediction
        return await asyncio.to_thread(without_small, prediction, wishes.min_area)

    async def logits(self, name: str | None, batch: Logits, *, deadline: float | None = None) -> Logits:
        """What the network itself gives: ``(N, C, H, W)`` float32 to ``(N, K, H, W)`` float32.

        Raises
        ------
        Refused : 422 for a model that is no single network; as `predict` for the rest.
        """
        with self.seat(name) as seat:
            network = network_of(seat.loaded.segmenter)
            if network is None:
                raise Refused(422, "option", f"'{seat.loaded.name}' is no single network and takes no tensors")

            def compute(items: Sequence[Logits]) -> list[Logits]:
                return [np.asarray(network.predictor(item), np.float32) for item in items]

            pixels = batch.shape[0] * batch.shape[2] * batch.shape[3]
            answer: Logits = await self._answer(seat, Work(batch, compute, None, pixels, self._deadline(deadline)))
            return answer

    def _deadline(self, deadline: float | None) -> float:
        return time.monotonic() + self.limits.seconds if deadline is None else deadline

    async def _answer(self, seat: Seat, work: Work) -> Any:
        if not seat.is_taken:  # the next frame of a file: it was accepted with the first
            seat.served.lane.seats += 1
        seat.is_taken = False  # the lane gives it back
        try:
            return await seat.served.lane.answer(work)
        finally:
            seat.seconds_queued = work.waited

    async def drain(self, seconds: float) -> bool:
        """Accept nothing more, and finish what was accepted.

        Returns
        -------
        True when all of it was answered; False when time ran out and the rest was refused with 503.
        """
        self.is_draining = True
        until = time.monotonic() + seconds
        lanes = [*self._leaving, *(served.lane for served in self._served.values())]
        while not all(lane.is_idle for lane in lanes):
            if time.monotonic() >= until:
                for lane in lanes:
                    lane.refuse_all(Refused(503, "stopping", "the server stopped before the picture was computed"))
                return False
            await asyncio.sleep(0.02)
        return True
