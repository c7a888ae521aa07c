"""The folds of a run as one model: which rules it obeys, and what stands in the way. Their mean is tested in `test_folds`."""

import pytest

from limner.api import ensemble
from limner.api.ensemble import fold_folders, median_rules, open_ensemble
from limner.core.bundle import Bundle, InputContract
from limner.core.errors import BundleError, UsageError
from limner.core.labels import LabelSpace
from limner.core.postprocess import Rules, no_rules
from limner.inference.segmenter import NetworkSegmenter

CONTRACT = InputContract(3, 1.0, "fixed", (0.0, 255.0), 0, 0.25, "", 0.5)


def test_median_rules_by_hand():
    one, two = Rules((0, 30), (0, 9), (False, True)), Rules((0, 10), (0, 0), (False, True))
    assert median_rules([one, two, None]) == Rules((0, 10), (0, 0), (False, True))
    assert median_rules([one, None, None]) is None and median_rules([one, None]) is None
    assert median_rules([None]) is None and median_rules([no_rules(2)] * 3) is None
    assert median_rules([one]) == one


def test_all_folds_are_computed_by_one_runtime(tmp_path, monkeypatch):
    space, opened = LabelSpace(("background", "cell")), []

    def read(folder):
        return Bundle(folder, "net", {"channels": 3}, space, CONTRACT)

    def open_segmenter(folder, *, runtime, **_):
        opened.append((folder.name, runtime))
        return NetworkSegmenter(lambda batch: batch, CONTRACT, space, 3), read(folder)

    for number in (1, 2):
        (tmp_path / f"fold{number}/model").mkdir(parents=True)
        (tmp_path / f"fold{number}/model/bundle.json").write_text("{}")
    monkeypatch.setattr(ensemble, "read_bundle", read)
    monkeypatch.setattr(ensemble, "open_segmenter", open_segmenter)
    monkeypatch.setattr(
        ensemble,
        "runtime_for_all",
        lambda bundles: "onnx" if [b.folder.name for b in bundles] == ["fold1", "fold2"] else "",
    )
    open_ensemble(tmp_path)
    open_ensemble(tmp_path, runtime="torch")
    assert opened == [("fold1", "onnx"), ("fold2", "onnx"), ("fold1", "torch"), ("fold2", "torch")]


def test_what_is_no_cross_validation_or_not_finished_is_refused(tmp_path):
    with pytest.raises(UsageError, match="an ensemble of"):
        open_ensemble(tmp_path)
    for number in (2, 10, 1):
        (tmp_path / f"fold{number}/model").mkdir(parents=True)
        if number != 10:
            (tmp_path / f"fold{number}/model/bundle.json").write_text("{}")
    (tmp_path / "folds.csv").write_text("")
    with pytest.raises(BundleError, match="fold10 has no model"):
        fold_folders(tmp_path)
    (tmp_path / "fold10/model/bundle.json").write_text("{}")
    assert [path.name for path in fold_folders(tmp_path)] == ["fold1", "fold2", "fold10"]
