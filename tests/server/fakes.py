"""Models of a few lines for tests of the server: they do what they are told, as slowly as they are told."""

import threading
import time

import numpy as np

from limner.core.errors import DataError
from limner.core.labels import LabelSpace
from limner.core.prediction import Prediction
from limner.server.loaded import Opened

SPACE = LabelSpace(("background", "bright"))


class Threshold:
    """Bright pixels are foreground; counts calls, waits `seconds` for each, and for `gate` when there is one."""

    def __init__(self, seconds=0.0):
        self.seconds = seconds
        self.gate = threading.Event()
        self.gate.set()
        self.names = []

    def segment(self, sample):
        if sample.name != "warm-up":
            self.gate.wait(20)
            time.sleep(self.seconds)
            self.names.append(sample.name)
        if sample.image.shape[2] == 2:
            raise DataError("a picture of 2 channels", expected="1 or 3")
        return Prediction(sample.name, (sample.image[..., 0] > 127).astype(np.uint8), SPACE, seconds=self.seconds)


class Gathering(Threshold):
    """Also computes several at once; `differs` makes those answers another bit."""

    def __init__(self, seconds=0.0, *, differs=False):
        super().__init__(seconds)
        self.differs = differs
        self.batches = []

    def segment_many(self, samples):
        self.batches.append(len(samples))
        found = [self.segment(sample) for sample in samples]
        if self.differs and len(samples) > 1:
            return [Prediction(one.name, 1 - one.labels, SPACE) for one in found]
        return found


def opening(segmenter):
    """An opener that gives one segmenter whatever is asked for."""
    return lambda spec: Opened(segmenter, SPACE)
