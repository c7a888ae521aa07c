"""The page with a model that tells objects apart: outlines, counts, and what lies under the pointer."""

import re

import numpy as np
import pytest

from limner.core.labels import LabelSpace
from limner.core.objects import number_objects
from limner.core.prediction import Prediction
from tests.web.drive import choose, done, encoded, until

SIZE = (40, 60)


class Told:
    """Red is the object id, green the class."""

    def __init__(self, space):
        self.space = space

    def segment(self, sample):
        labels = np.ascontiguousarray(sample.image[..., 1] // 50)
        ids = sample.image[..., 0].astype(np.int32)
        scores = np.full(256, 0.75, np.float32)
        return Prediction(sample.name, labels, self.space, objects=number_objects(ids, labels, scores=scores))


@pytest.fixture
def address(built):
    """A server of `Told`, in a thread of this process."""
    from limner.server.loaded import Opened
    from tests.server.conftest import Running

    space = LabelSpace(("background", "cell", "mud"), things=("cell",))
    server = Running(lambda spec: Opened(Told(space), space))
    yield server.url
    server.close()


def test_outlines_counts_and_words(address, visit):
    image = np.zeros((*SIZE, 3), np.uint8)
    image[5:20, 5:20, :2], image[5:20, 20:40, :2] = (3, 50), (9, 50)  # two cells that touch
    image[30:, :, 1] = 100
    tab = visit(address)
    choose(tab, {"name": "a.png", "mimeType": "image/png", "buffer": encoded(image)})
    done(tab)
    table = tab.locator("table").first
    assert table.locator("thead th").all_inner_texts() == ["Class", "Pixels", "Share", "Objects"]
    assert table.locator("tbody tr td:nth-child(4)").all_inner_texts() == ["", "2", ""]
    tab.locator("details.objects summary").click()
    rows = tab.locator("details.objects tbody tr")
    assert [re.sub(r"\s+", " ", text) for text in rows.all_inner_texts()] == ["2 cell 300 0.75", "1 cell 225 0.75"]
    box = tab.locator("canvas").bounding_box()
    scale = min(box["width"] / SIZE[1], box["height"] / SIZE[0])

    def at(x, y):
        middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        tab.mouse.move(middle[0] + (x + 0.5 - SIZE[1] / 2) * scale, middle[1] + (y + 0.5 - SIZE[0] / 2) * scale)
        return tab.locator("p.pixel").inner_text().strip().partition(": ")[2]  # the view has a margin

    until(lambda: at(30, 12) == "cell, object 2, 300 pixels")
    assert at(10, 12) == "cell, object 1, 225 pixels"
    assert at(10, 35) == "mud"
