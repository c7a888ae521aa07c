"""The pictures of objects in a report show the objects that were measured, by the numbers that the rows give them."""

from types import SimpleNamespace

import numpy as np

from limner.api.run_report import make_object_cases, score_items
from limner.core.labels import LabelSpace
from limner.core.objects import number_objects
from limner.core.prediction import Prediction
from limner.core.protocols import Silent
from limner.core.sample import Sample
from limner.evaluation.evaluate import Scorer
from limner.evaluation.object_gallery import OUTLINES

COLOR = {kind.key: kind.color for kind in OUTLINES}
STREET = LabelSpace(("background", "car", "road", "dog"), things=("car", "dog"))
OTHER = LabelSpace(("background", "car", "road", "dog"), things=("car", "road"))  # tells apart what these data do not
FREE = LabelSpace(("background", "car", "road", "dog"))


def drawn(text):
    """A picture of class ids from letters, enlarged, so that outlines have room: car, road, dog."""
    return np.array([[" crd".index(letter) for letter in row] for row in text], np.uint8).repeat(9, 0).repeat(9, 1)


TRUTH = drawn(["cc   cc  dd", "cc   cc  dd", "           "])
ANSWER = drawn(["rr cc    dd", "rr cc    dd", "d  cc  d   "])


def objects_of(labels, classes):
    """Objects of some classes from their regions."""
    kept = np.where(np.isin(labels, classes), labels, 0).astype(np.uint8)
    ids = np.zeros(labels.shape, np.int64)
    for class_id in classes:  # regions of one class lie in columns that are a gap apart
        inside = (kept == class_id).any(axis=0)
        starts = np.cumsum(np.diff(inside.astype(int), prepend=0) == 1)
        ids = np.where(kept == class_id, starts[None] + 100 * class_id, ids)
    return number_objects(ids, labels)


class Answers:
    """A model whose objects are roads and cars; the dogs of the data it finds as pixels alone."""

    def __init__(self, space, classes):
        self.space, self.classes = space, classes

    def segment(self, sample):
        objects = objects_of(ANSWER, self.classes) if self.classes else None
        return Prediction(sample.name, ANSWER, self.space, objects=objects)


def cases_of(model):
    sample = Sample("a.png", np.full((*TRUTH.shape, 1), 90, np.uint8), TRUTH, objects=objects_of(TRUTH, (1, 3)))
    dataset = SimpleNamespace(root="d", label_space=STREET, load=lambda item: sample, checksum="")
    items = (SimpleNamespace(name="a.png", group=""),)
    report = score_items(
        model, dataset, items, model="m", split="test", threshold=None, checksum="", listener=Silent(), scorer=Scorer(STREET)
    )  # fmt: skip
    return report, make_object_cases(model, dataset, items, report)


def test_objects_of_other_classes_and_regions_are_drawn_as_they_were_measured():
    """The model numbers its road before its car; the data know no road as an object, and the dogs are regions behind the car."""
    for model in (Answers(OTHER, (1, 2)), Answers(FREE, ())):
        report, (case,) = cases_of(model)
        kinds = sorted((row.class_name, row.side, row.kind) for row in report.object_rows)
        assert [kind for kind in kinds if kind[1] == "predicted"] == [
            ("car", "predicted", "spurious"), ("dog", "predicted", "spurious"), ("dog", "predicted", "spurious"),
        ]  # fmt: skip
        panel = dict(case.panels)["predicted objects"]
        y, x = (np.arange(side) * shown // side for side, shown in zip(TRUTH.shape, panel.shape, strict=False))
        shown = panel[np.ix_(y, x)]

        def colors(class_id, columns, picture=shown):
            found = picture[:, columns][ANSWER[:, columns] == class_id]
            return {tuple(map(int, color)) for color in found} & set(COLOR.values())

        everywhere = slice(None)
        assert colors(1, everywhere) == {COLOR["spurious"]} and not colors(2, everywhere)
        assert colors(3, slice(81, None)) == {COLOR["matched"]} and colors(3, slice(0, 81)) == {COLOR["spurious"]}
