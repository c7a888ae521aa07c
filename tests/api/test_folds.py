"""Cross-validation as a whole, small: every picture is scored by the model that did not see it, and a killed call goes on."""

import csv
import dataclasses
import json
import math
import shutil

import numpy as np
import pytest
from PIL import Image

import limner
from limner.api import one_run, run_report
from limner.api.confidence import expected_dice, fit_confidence
from limner.api.ensemble import open_ensemble
from limner.api.folds import check_place, fold_recipe
from limner.api.judged_confidence import dice_of_picture
from limner.api.open import open_segmenter
from limner.core.bundle import read_bundle
from limner.core.errors import DataError, RecipeError, UsageError
from limner.core.postprocess import Rules
from limner.core.recipe import Recipe
from limner.data.dataset import open_dataset
from limner.data.folds import read_fold_numbers
from limner.inference.postprocess import RuledSegmenter, apply_rules
from limner.metrics.calibration import apply_temperature
from limner.training import clock
from limner.training.place import Place
from tests.api import tiny
from tests.make_data import gray, labels, picture, save
from tests.training.runs_light import Heard

SETTINGS = tiny.SETTINGS | {
    "schedule.epochs": 0,
    "schedule.steps": 4,
    "encoder.name": "plain",
    "model.architecture": "unet",
}
SETTINGS |= {"model.options": {"encoder_widths": [4, 8]}, "model.decoder_widths": [8]}
SIZE = (24, 33)


@pytest.fixture(scope="module", autouse=True)
def quick_reports():
    """Figures cost most of the time of so small a run; the report of the whole is drawn in one test."""
    patch = pytest.MonkeyPatch()
    real = run_report.write_report
    patch.setattr(run_report, "write_figures", lambda *a, **k: [])
    patch.setattr(run_report, "write_report", lambda page, path, **k: real(page, path, **k) if page.folds else None)
    yield
    patch.undo()


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Eight groups of two pictures, and an uninterrupted cross-validation of three folds."""
    folder = tmp_path_factory.mktemp("folds")
    for i in range(16):
        ids = labels(i, SIZE)
        bright = picture(i, SIZE).astype(int) + 60 * ids[..., None]
        save(folder / f"data/images/p{i // 2}_z{i % 2}.png", np.clip(bright, 0, 255).astype(np.uint8))
        save(folder / f"data/masks/p{i // 2}_z{i % 2}.png", gray(ids * 255))
    heard = Heard()
    result = limner.train(
        folder / "data", recipe=Recipe().override(SETTINGS), folds=3, out=folder / "run", listener=heard
    )
    (folder / "train.json").write_text(json.dumps(result.as_dict(), default=str))
    (folder / "messages.txt").write_text("\n".join(heard.messages))
    return folder


def rows(path):
    return list(csv.DictReader(path.read_text().splitlines()))


def dice(one, other):
    return 2 * (one & other).sum() / (one.sum() + other.sum())


def pixels(path):
    with Image.open(path) as file:
        assert file.mode in ("P", "L")
        return np.array(file)


def mask(path):
    return pixels(path) > 0


def test_each_picture_but_the_test_is_scored_by_the_model_that_held_it_out(home):
    run = home / "run"
    dealt = {row["image"]: row for row in rows(run / "folds.csv")}
    tested = {name for name, row in dealt.items() if row["split"] == "test"}
    summary = json.loads((run / "evaluation/summary.json").read_text())
    assert summary["split"] == "out-of-fold" and summary["samples"] == 16 - len(tested) == 12
    table = [row for row in rows(run / "evaluation/per_image.csv") if row["class"] == "foreground"]
    assert {row["image"] for row in table} == set(dealt) - tested and len(table) == 12
    for row in table:
        assert row["fold"] == dealt[row["image"]]["fold"]
        found = mask(run / "oof" / row["image"])
        assert dice(found, mask(home / "data" / row["image"].replace("images", "masks"))) == pytest.approx(
            float(row["dice"] or 0)
        )
    assert summary["scores"]["dice"]["foreground"]["mean"] == pytest.approx(
        np.mean([float(r["dice"]) for r in table if r["dice"]])
    )
    for fold in "123":
        parts = {row["image"]: row["split"] for row in rows(run / f"fold{fold}/split.csv")}
        held = {name for name, part in parts.items() if part == "val"}
        assert held == {name for name, row in dealt.items() if row["fold"] == fold}
        assert tested == {name for name, part in parts.items() if part == "test"}
        assert len({row["group"] for name, row in dealt.items() if name in held}) == len(held) / 2


def test_the_label_maps_are_those_of_the_folds_own_model(home, tmp_path):
    manifest = json.loads((home / "run/oof/predictions.json").read_text())
    assert (
        manifest["failed"] == 0
        and len(manifest["images"]) == 12
        and manifest["classes"] == ["background", "foreground"]
    )
    for row in manifest["images"][::5]:
        out = tmp_path / str(row["fold"])
        limner.predict(home / f"run/fold{row['fold']}", [row["input"]], out=out, overwrite=True)
        ours = home / "run/oof" / row["output"]
        assert np.array_equal(pixels(ours), pixels(out / ours.name))
        assert row["size_hw"] == list(SIZE) and sum(row["classes"].values()) == SIZE[0] * SIZE[1]


def test_the_document_and_what_is_kept(home):
    document, run = json.loads((home / "train.json").read_text()), home / "run"
    assert set(document) == {"run", "model", "epochs", "steps", "seconds", "stopped", "best", "test", "folds"}
    assert document["test"] == json.loads((run / "evaluation/summary.json").read_text())
    assert (
        document["steps"] == 12
        and document["stopped"] == "epochs"
        and [row["fold"] for row in document["folds"]] == [1, 2, 3]
    )
    kept = document["best"]["fold"]
    ranked = sorted(document["folds"], key=lambda row: row["dice"])
    assert kept == ranked[1]["fold"]
    assert (run / "model/weights.safetensors").read_bytes() == (
        run / f"fold{kept}/model/weights.safetensors"
    ).read_bytes()
    assert (run / "split.csv").read_bytes() == (run / f"fold{kept}/split.csv").read_bytes()
    bundle = json.loads((run / "model/bundle.json").read_text())
    assert bundle["training"]["cross_validation"] == {"folds": 3, "fold": kept}
    table = [row for row in rows(run / "evaluation/per_image.csv") if row["class"] == "foreground" and row["dice"]]
    for row in document["folds"]:
        own = [float(each["dice"]) for each in table if each["fold"] == str(row["fold"])]
        assert row["scores"] == {"foreground": pytest.approx(np.mean(own))} and row["n"] == 4
        ordinary = json.loads((run / f"fold{row['fold']}/evaluation/summary.json").read_text())
        assert (
            ordinary["split"] == "test"
            and row["test"]["foreground"] == ordinary["scores"]["dice"]["foreground"]["mean"]
        )
    stored = json.loads((run / "evaluation/folds.json").read_text())
    values = [row["test"]["foreground"] for row in document["folds"]]
    assert stored["test_spread"]["foreground"]["sd"] == pytest.approx(np.std(values, ddof=1)) and stored["kept"] == kept
    assert {row["fold"] for row in rows(run / "history.csv")} == {"1", "2", "3"}
    assert rows(run / "evaluation/suspects.csv") == [] or rows(run / "evaluation/suspects.csv")[0]["level"] == "picture"


def test_the_report_says_what_the_scores_are(home):
    page = (home / "run/report.html").read_text()
    for words in (
        "Cross-validation: data", "by the one of 3 models that had not learnt from it", "a little too good", "the median score",
        "On the 4 test pictures, which are in no fold", "fold1/report.html", 'data-fold="2"',
    ):  # fmt: skip
        assert words in page, words
    heard = (home / "messages.txt").read_text()
    assert (
        "split: automatic, seed 0, by 8 groups seen in file names" in heard
        and "fold 3 of 3: 8 pictures train, 4 validate" in heard
    )


def test_the_recipe_of_a_fold_trains_it_alone(home, tmp_path):
    stored = Recipe.read(home / "run/fold2/recipe.toml")
    assert (stored.split.folds, stored.split.fold) == (3, 2)
    assert Recipe.read(home / "run/recipe.toml").split.fold == 0
    result = limner.train(home / "data", recipe=home / "run/fold2/recipe.toml", out=tmp_path / "alone")
    assert (result.model / "weights.safetensors").read_bytes() == (
        home / "run/fold2/model/weights.safetensors"
    ).read_bytes()
    assert (tmp_path / "alone/split.csv").read_bytes() == (
        home / "run/fold2/split.csv"
    ).read_bytes() and not result.folds


def test_a_killed_call_goes_on_with_the_fold_it_was_in(home, tmp_path, monkeypatch):
    class Killer(Heard):
        def progress(self, stage, done, total, text=""):
            if stage == "train" and done == 2 and any("fold 2 of 3" in text for text in self.messages):
                raise MemoryError("killed")

    monkeypatch.setattr(clock, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(clock, "CHECKPOINT_SHARE", 1e9)
    call = {"recipe": Recipe().override(SETTINGS), "folds": 3, "out": tmp_path / "run", "resume": True}
    with pytest.raises(MemoryError, match="killed"):
        limner.train(home / "data", **call, listener=Killer())
    assert (tmp_path / "run/fold1/train.json").is_file() and not (tmp_path / "run/fold2/train.json").exists()
    assert not (tmp_path / "run/train.json").exists() and not (tmp_path / "run/fold3").exists()
    with pytest.raises(RecipeError, match=r"other values of split\.folds"):
        limner.train(home / "data", folds=4, out=tmp_path / "run", resume=True)
    first, heard, fits = (tmp_path / "run/fold1/log.jsonl").read_bytes(), Heard(), []
    real = one_run.fit
    monkeypatch.setattr(one_run, "fit", lambda job, *a: (fits.append(job.folder.path.name), real(job, *a))[1])
    result = limner.train(
        home / "data", out=tmp_path / "run", resume=True, listener=heard
    )  # the recipe is in the folder
    assert fits == ["fold2", "fold3"] and "fold 1 of 3 is finished already" in heard.messages
    assert (tmp_path / "run/fold1/log.jsonl").read_bytes() == first
    events = [json.loads(line) for line in (tmp_path / "run/fold2/log.jsonl").read_text().splitlines()]
    assert [event["step"] for event in events if event["event"] == "resumed"] == [2]
    for folder in ("fold1/model", "fold2/model", "fold3/model", "model"):
        assert (tmp_path / "run" / folder / "weights.safetensors").read_bytes() == (
            home / "run" / folder / "weights.safetensors"
        ).read_bytes()
    scores = json.loads((home / "run/evaluation/summary.json").read_text())["scores"]
    assert result.test["scores"] == scores
    again = limner.train(home / "data", out=tmp_path / "run", resume=True, listener=heard)
    assert again.as_dict() == result.as_dict() and heard.messages[-1].endswith("is finished already")


def test_an_inner_validation_without_a_test_and_with_three_classes(tmp_path):
    tiny.make_data(tmp_path / "data", count=10, classes=3, size_hw=SIZE)
    changes = {"split.test_share": 0.0, "split.inner_val_share": 0.3, "schedule.steps": 2, "split.group_by": "none"}
    result = limner.train(
        tmp_path / "data", recipe=Recipe().override(SETTINGS | changes), folds=2, out=tmp_path / "run"
    )
    assert result.test["samples"] == 10 and [row["n"] for row in result.folds] == [5, 5]
    assert all(set(row["scores"]) == {"class_1", "class_2", "foreground"} and "test" not in row for row in result.folds)
    held = [{row["image"] for row in rows(tmp_path / "run/folds.csv") if row["fold"] == fold} for fold in "12"]
    used = [{row["image"] for row in rows(tmp_path / f"run/fold{fold}/split.csv")} for fold in "12"]
    assert used == held[::-1] and not held[0] & held[1]
    page = (tmp_path / "run/report.html").read_text()
    assert "Other pictures than those that a fold holds out chose its weights" in page
    assert "a little too good" not in page and "Labels to look at again" not in page
    assert "too weak for what they say about labels" in page


def test_other_data_than_the_run_was_started_with_are_refused(home, tmp_path):
    shutil.copytree(home / "data", tmp_path / "data")
    shutil.copytree(home / "run", tmp_path / "run")
    (tmp_path / "run/train.json").unlink()
    for kind in ("images", "masks"):
        (tmp_path / "data" / kind / "p3_z1.png").unlink()
    with pytest.raises(DataError, match="other folds than those of the run"):
        limner.train(tmp_path / "data", out=tmp_path / "run", resume=True)


def test_a_budget_is_that_of_all_folds():
    recipe = Recipe().override({"schedule.budget": "90s", "split.folds": 7})
    assert fold_recipe(recipe, 3).schedule.budget == "12.86s" and fold_recipe(recipe, 3).split.fold == 3
    assert fold_recipe(recipe, 3).reasons["schedule.budget"] == "90s shared by 7 folds"
    assert fold_recipe(recipe.override({"schedule.budget": "none"}), 1).schedule.budget == "none"
    by_hand = recipe.override({"schedule.steps": 40})  # the steps of each fold: no budget is shared
    assert fold_recipe(by_hand, 3).schedule == by_hand.schedule
    assert Recipe.from_toml(fold_recipe(recipe, 3).to_toml()) == fold_recipe(recipe, 3)


def test_calls_that_cannot_be_obeyed(home, tmp_path):
    with pytest.raises(UsageError, match="--folds 1; expected at least 2"):
        limner.train(home / "data", folds=1, out=tmp_path / "run")
    with pytest.raises(DataError, match="6 groups beside the 2 that test for 9 folds") as caught:
        limner.train(home / "data", recipe=Recipe(), folds=9, out=tmp_path / "run")
    assert "--folds 6" in caught.value.fix and not (tmp_path / "run").exists()
    with pytest.raises(UsageError, match=r"4 processes that torchrun started") as caught:
        check_place(Place(devices=4, starter="torchrun"))
    assert "split.fold=1" in caught.value.fix
    check_place(Place(devices=4))


def test_an_ensemble_decides_by_the_mean_of_the_folds(home):
    run, dataset = home / "run", open_dataset(home / "data")
    for keep in (False, True):
        segmenter, bundle = open_ensemble(run, keep_scores=keep)
        sample = dataset.load(dataset.items[3])
        found = segmenter.segment(sample)
        raw = []
        for fold in (1, 2, 3):
            one = open_segmenter(run / f"fold{fold}", keep_scores=True)[0]
            contract = dataclasses.replace(one.contract, temperature=1.0)
            raw.append(dataclasses.replace(one, contract=contract).segment(sample).scores)
        mean = np.mean(raw, axis=0)
        assert np.array_equal(found.labels, mean[0] > 0.4) and bundle.contract.threshold == pytest.approx(0.4)
        temperatures = [read_bundle(run / f"fold{fold}").contract.temperature for fold in (1, 2, 3)]
        assert bundle.contract.temperature == pytest.approx(math.prod(temperatures) ** (1 / 3))
        if keep:
            np.testing.assert_allclose(found.scores, apply_temperature(mean, bundle.contract.temperature), atol=1e-5)
        else:
            assert found.scores is None


def test_rules_that_most_folds_have_are_obeyed_by_the_ensemble(home):
    run, sample = home / "run", open_dataset(home / "data")
    sample = sample.load(sample.items[3])
    plain = open_ensemble(run)[0].segment(sample)
    rules = Rules((0, 30), (0, 9), (False, True))
    bundles = [read_bundle(run / f"fold{fold}") for fold in (1, 2)]
    for bundle in bundles:
        dataclasses.replace(bundle, answers={**bundle.answers, "postprocess": {"rules": rules.as_dict()}}).save()
    try:
        segmenter, told = open_ensemble(run)
    finally:
        for bundle in bundles:
            bundle.save()
    assert isinstance(segmenter, RuledSegmenter) and told.answers["postprocess"]["rules"] == rules.as_dict()
    assert np.array_equal(segmenter.segment(sample).labels, apply_rules(plain.labels, rules, plain.label_space))


def test_the_confidence_of_the_run_is_that_of_pictures_held_out(home):
    run, dataset = home / "run", open_dataset(home / "data")
    stored = read_bundle(run).answers["confidence"]
    fold_of = {name: fold for name, fold in read_fold_numbers(run / "folds.csv").items() if fold}
    opened = {fold: open_segmenter(run / f"fold{fold}", keep_scores=True)[0] for fold in (1, 2, 3)}
    pairs, groups = [], []
    for fold in (1, 2, 3):
        for item in dataset.items:
            if fold_of.get(item.name) == fold:
                sample = dataset.load(item)
                found = opened[fold].segment(sample)
                space = found.label_space
                pairs.append(
                    (expected_dice(found.scores, found.labels, space), dice_of_picture(found.labels, sample, space))
                )
                groups.append(item.name.split("_")[0])
    wanted = fit_confidence(*zip(*pairs, strict=True), groups=groups, source="out-of-fold")
    assert stored == wanted and stored["pictures"] == sum(not math.isnan(a + b) for a, b in pairs)
