"""The folds of a run as one model: which rules it obeys, and what stands in the way. Their mean is tested in `test_folds`."""

import pytest

from limner.api.ensemble import fold_folders, median_rules, open_ensemble
from limner.core.errors import BundleError, UsageError
from limner.core.postprocess import Rules, no_rules


def test_median_rules_by_hand():
    one, two = Rules((0, 30), (0, 9), (False, True)), Rules((0, 10), (0, 0), (False, True))
    assert median_rules([one, two, None]) == Rules((0, 10), (0, 0), (False, True))
    assert median_rules([one, None, None]) is None and median_rules([one, None]) is None
    assert median_rules([None]) is None and median_rules([no_rules(2)] * 3) is None
    assert median_rules([one]) == one


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
