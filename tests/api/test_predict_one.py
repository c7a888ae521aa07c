"""What the row of a picture says does not depend on which files are written besides."""

import numpy as np
import pytest

from limner.api import predict_one
from limner.api.open import open_segmenter
from limner.api.predict import predict
from limner.api.predict_one import with_confidence
from limner.core.answers import CONFIDENCE
from limner.core.bundle import Bundle, InputContract
from limner.core.errors import UsageError
from limner.core.files import write_json
from limner.core.labels import LabelSpace
from limner.core.postprocess import Rules
from limner.core.sample import Sample
from limner.inference.ensemble import EnsembleSegmenter
from limner.inference.postprocess import RuledSegmenter
from limner.inference.query_segmenter import QuerySegmenter
from limner.inference.segmenter import NetworkSegmenter
from tests.inference import test_query_segmenter as queries
from tests.make_data import picture, save

PLAIN = InputContract(3, 1.0, "fixed", (0.0, 255.0), 0, 0.25, "", 0.5)
CELLS = LabelSpace(("background", "cell"))
STORED = {"x": [0.0, 1.0], "y": [0.0, 1.0]}


def bright(batch):
    return np.asarray(batch[:, :1], np.float32)


def network(keep_scores=False):
    return NetworkSegmenter(bright, PLAIN, CELLS, 3, keep_scores)


def masks(keep_scores=False):
    return QuerySegmenter(queries.ColourQueries(), queries.CONTRACT, queries.SPACE, 3, keep_scores)


def mean(keep_scores=False):
    return EnsembleSegmenter([network(), network()], keep_scores=keep_scores)


def bundle_of(segmenter, folder="x"):
    member = getattr(segmenter, "members", [segmenter])[0]
    return Bundle(folder, "net", {"channels": 3}, member.label_space, member.contract, answers={CONFIDENCE: STORED})


@pytest.mark.parametrize("make", [network, masks, mean])
@pytest.mark.parametrize("has_rules", [False, True])
def test_scores_are_handed_out_where_the_bundle_can_judge_them(make, has_rules):
    inner, size = make(), len(make().label_space)
    segmenter = (
        RuledSegmenter(inner, Rules((0,) * size, (0,) + (1,) * (size - 1), (False,) * size)) if has_rules else inner
    )
    opened = with_confidence(segmenter, bundle_of(inner))
    sample = Sample("a", picture(1, (20, 30)))
    assert opened.segmenter.segment(sample).scores is not None and type(opened.segmenter) is type(segmenter)
    assert opened.plain is segmenter and segmenter.segment(sample).scores is None
    assert (opened.network is not None) == (make is network)


@pytest.mark.parametrize("make", [masks, mean])
def test_the_confidence_does_not_depend_on_scores_that_are_written(monkeypatch, tmp_path, make):
    write_json(tmp_path / "run/model/bundle.json", {"tiny": True})
    red = picture(1, (40, 60))
    red[10:30, 10:30] = (250, 10, 10)
    save(tmp_path / "in/a.png", red)

    def opened(model, options):
        segmenter = make(options.whole_scores)
        return with_confidence(segmenter, bundle_of(segmenter, tmp_path / "run/model"))

    monkeypatch.setattr(predict_one, "open_model", opened)
    for limit, is_told in ((2**24, True), (100, False)):
        monkeypatch.setattr(predict_one, "PREPARED_PIXELS", limit)
        rows = [
            predict(tmp_path / "run", [tmp_path / "in"], out=tmp_path / f"{limit}{scores}", scores=scores)["images"][0]
            for scores in (False, True)
        ]
        assert {**rows[0], "seconds": 0} == {**rows[1], "seconds": 0} and ("confidence" in rows[0]) == is_told
        assert (tmp_path / f"{limit}True/scores/a.npy").is_file()


def test_tiles_of_pictures_that_come_at_one_size_are_refused(tmp_path, monkeypatch):
    bundle = Bundle(tmp_path, "net", {"channels": 3}, queries.SPACE, queries.CONTRACT)
    monkeypatch.setattr("limner.api.open.read_bundle", lambda model: bundle)
    with pytest.raises(UsageError, match="--tile"):
        open_segmenter(tmp_path, tile=64)
