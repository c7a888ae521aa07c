"""Comparisons from folders: which runs belong together, what makes them comparable, what is refused."""

import json

import numpy as np
import pytest

from limner.api.compare import compare
from limner.core.errors import DataError, UsageError
from limner.core.labels import LabelSpace
from limner.core.objects import number_objects
from limner.core.recipe import Recipe
from limner.evaluation import Scorer, write_report_files
from tests.make_data import make_folder, save, write_csv

SPACE = LabelSpace(("background", "x", "y"))
CELLS = LabelSpace(("background", "cell"), things=("cell",))
SIZE = (9, 14)
NUMBER = 24


def truth_of(number):
    return np.random.default_rng(number).choice(3, SIZE, p=(0.5, 0.3, 0.2)).astype(np.uint8)


def make_run(
    path,
    *,
    errors=0.1,
    noise_seed=0,
    seed=None,
    changes=(),
    test=range(NUMBER),
    train=range(100, 110),
    group=None,
    truth=truth_of,
    split="test",
    **options,
):
    """A folder as training leaves it, with predictions that are wrong in a share of the pixels; no network."""
    scorer = Scorer(SPACE, metrics="all", **options)
    random = np.random.default_rng(noise_seed)
    for number in test:
        target = truth(number)
        hard = errors * (0.3 + 1.4 * ((number * 7) % 11) / 10)  # hard pictures are hard for all
        wrong = random.random(SIZE) < hard
        pred = np.where(wrong, random.integers(0, 3, SIZE), target).astype(np.uint8)
        scorer.add(f"images/{number}.png", pred, target, group=group(number) if group else "")
    report = scorer.report(
        model="", data="", split=split, threshold=None, split_checksum="", seconds=0, data_checksum="d"
    )
    write_report_files(report, path / "evaluation")
    if seed is not None:
        (path / "recipe.toml").write_text(Recipe().override({"seed": seed, **dict(changes)}).to_toml())
        rows = [[f"images/{n}.png", "", "test", group(n) if group else ""] for n in test]
        write_csv(path / "split.csv", rows + [[f"images/{n}.png", "", "train", ""] for n in train])
    return path


def test_a_better_run_is_called_better(tmp_path):
    one, other = make_run(tmp_path / "a", errors=0.3), make_run(tmp_path / "b", errors=0.02, noise_seed=1)
    found = compare([one, other])
    dice = found.versus[0].of("dice")
    assert dice.verdict == "better" and "is better than" in found.versus[0].sentence and found.pictures == NUMBER
    assert found.versus[0].of("hd95", "x").pairs <= NUMBER and found.versus[0].of("dice", "macro").difference > 0
    assert found.versus[0].of("assd").difference < 0 and found.versus[0].of("assd").verdict == "better"
    assert compare([other, one]).versus[0].of("dice").difference == pytest.approx(-dice.difference)
    assert found.models[0]["mean"] == pytest.approx(dice.first) and not found.versus[0].regressions


def swapping(labels):
    """One class taken for the other wherever there is one."""
    return np.array([0, 2, 1], np.uint8)[labels]


def test_a_model_that_takes_one_class_for_another_is_worse(tmp_path):
    """All classes as one mask are the same in both; the verdict is that of the mean over the classes."""
    for name, answer in (("good", lambda labels: labels), ("swapped", swapping)):
        scorer = Scorer(SPACE, metrics="all")
        for number in range(NUMBER):
            scorer.add(f"images/{number}.png", answer(truth_of(number)), truth_of(number))
        report = scorer.report(model="", data="", split="test", threshold=None, split_checksum="", seconds=0)
        write_report_files(report, tmp_path / name)
    found = compare([tmp_path / "good", tmp_path / "swapped"], out=tmp_path / "out")
    versus = found.versus[0]
    assert (versus.of("dice").verdict, versus.of("dice").difference) == ("worse", -1)
    assert versus.of("dice", "foreground").verdict == "same" and versus.of("dice", "macro") == versus.of("dice")
    assert "is worse than" in versus.sentence and "by 1.000 in mean Dice of the classes" in versus.sentence
    assert [model["mean"] for model in found.models] == [1, 0] and len(versus.regressions) == 5
    written = json.loads((tmp_path / "out/compare.json").read_text())
    assert written["class"] == written["comparisons"][0]["class"] == "macro"
    page = (tmp_path / "out/compare.html").read_text()
    assert "all classes as one mask" not in page and "Pictures that got worse: mean Dice of the classes" in page
    assert '<th scope="col">mean Dice of the classes, mean over pictures</th>' in page


def test_equal_runs_differ_by_noise(tmp_path):
    runs = [make_run(tmp_path / name, errors=0.2, noise_seed=i) for i, name in enumerate("ab")]
    found = compare(runs, out=tmp_path / "out")
    assert found.versus[0].of("dice").verdict == "noise"
    assert "this difference is smaller than the noise" in found.versus[0].sentence
    written = json.loads((tmp_path / "out" / "compare.json").read_text())
    assert (
        written == json.loads(json.dumps(found.as_dict()))
        and written["comparisons"][0]["scores"]["dice"]["x"]["pairs"] == NUMBER
    )
    page = (tmp_path / "out" / "compare.html").read_text()
    assert "smaller than the noise" in page and f"{found.versus[0].of('dice').difference:+.3f}" in page


def test_each_is_compared_with_the_first(tmp_path):
    runs = [
        make_run(tmp_path / name, errors=e, noise_seed=i)
        for i, (name, e) in enumerate((("a", 0.2), ("b", 0.1), ("c", 0.4)))
    ]
    found = compare(runs, metric="iou")
    assert [one.of("iou").verdict for one in found.versus] == ["better", "worse"]
    assert {one.first for one in found.versus} == {str(runs[0])} and len(found.versus[1].regressions) == 5


def test_runs_that_differ_in_their_seed_are_one_model(tmp_path):
    first = [make_run(tmp_path / f"a{s}", errors=0.2, noise_seed=s, seed=s) for s in range(3)]
    changes = {"optimizer.learning_rate": 0.5}
    second = [make_run(tmp_path / f"b{s}", errors=0.1, noise_seed=9 + s, seed=s, changes=changes) for s in range(2)]
    found = compare([first[0], second[0], first[1], second[1], first[2]])
    assert [len(model["runs"]) for model in found.models] == [3, 2] and found.models[0]["seeds"] == [0, 1, 2]
    assert found.models[0]["mean"] == pytest.approx(np.mean(found.models[0]["mean_of_runs"]))
    assert found.versus[0].of("dice").seed_spread[0] == pytest.approx(np.std(found.models[0]["mean_of_runs"], ddof=1))
    assert (
        any("3 runs (seeds 0, 1, 2)" in note for note in found.notes) and "another seed" not in found.versus[0].sentence
    )


def test_measured_settings_are_no_choice(tmp_path):
    runs = [make_run(tmp_path / f"a{s}", errors=0.2, noise_seed=s, seed=s) for s in range(2)]
    for steps, run in zip((17, 23), runs, strict=True):
        recipe = Recipe.read(run / "recipe.toml").override(
            {"schedule.steps": steps}, reason="measured: on this machine"
        )
        (run / "recipe.toml").write_text(recipe.to_toml())
    other = make_run(tmp_path / "b", errors=0.2, noise_seed=5, seed=0, changes={"schedule.epochs": 3})
    assert [len(model["runs"]) for model in compare([*runs, other]).models] == [2, 1]


def test_seeds_in_one_folder(tmp_path):
    for s in range(2):
        make_run(tmp_path / f"one/run {s}", errors=0.2, noise_seed=s, seed=s)
    other = make_run(tmp_path / "other", errors=0.1, noise_seed=7)
    found = compare([tmp_path / "one", other])
    assert [len(model["runs"]) for model in found.models] == [2, 1]
    alone = compare([tmp_path / "one"])
    assert [len(model["runs"]) for model in alone.models] == [1, 1] and "only in their seed" in alone.notes[0]
    make_run(tmp_path / "one/run 2", errors=0.2, seed=2, changes={"optimizer.learning_rate": 0.5})
    with pytest.raises(DataError, match=r"differ in optimizer\.learning_rate"):
        compare([tmp_path / "one", other])


def test_groups_of_the_split_are_drawn(tmp_path):
    runs = [
        make_run(
            tmp_path / name, errors=0.2, noise_seed=i, seed=0, changes={"schedule.epochs": i + 1},
            group=lambda n: f"patient {n % 6}",
        )
        for i, name in enumerate("ab")
    ]  # fmt: skip
    found = compare(runs)
    assert found.versus[0].of("dice").units == 6 and any("6 groups" in note for note in found.notes)
    assert "6 groups" in found.versus[0].sentence


def test_groups_that_one_run_knows_hold_for_all(tmp_path):
    one = make_run(tmp_path / "a", errors=0.2, group=lambda n: f"patient {n % 6}")
    assert compare([make_run(tmp_path / "b", errors=0.2), one]).versus[0].of("dice").units == 6


def test_other_pictures_are_refused_and_named(tmp_path):
    one, other = make_run(tmp_path / "a"), make_run(tmp_path / "b", test=range(3, NUMBER + 1))
    with pytest.raises(DataError) as caught:
        compare([one, other])
    assert "1 picture (images/24.png) that" in caught.value.found and "3 pictures (images/0.png" in caught.value.found
    assert "--data" in caught.value.fix


def test_the_order_of_pictures_does_not_matter(tmp_path):
    one = make_run(tmp_path / "a", errors=0.3)
    other = make_run(tmp_path / "b", errors=0.3, test=[*range(5, NUMBER), *range(5)])
    straight = make_run(tmp_path / "c", errors=0.3, test=range(NUMBER))
    assert compare([one, straight]).versus[0].of("dice").verdict == "same"
    assert abs(compare([one, other]).versus[0].of("dice").difference) < 0.05


def test_another_truth_is_refused(tmp_path):
    def changed(number):
        labels = truth_of(number).copy()
        labels[0] = 1 if number == 5 else labels[0]
        return labels

    with pytest.raises(DataError, match=r"the truth of images/5\.png shows .* pixels of .* \(1 pictures differ\)"):
        compare([make_run(tmp_path / "a"), make_run(tmp_path / "b", truth=changed)])


def test_other_classes_are_refused(tmp_path):
    make_run(tmp_path / "a")
    make_run(tmp_path / "b")
    file = tmp_path / "b/evaluation/per_image.csv"
    file.write_text(file.read_text().replace(",y,", ",z,"))
    with pytest.raises(DataError, match="has the classes x, z"):
        compare([tmp_path / "a", tmp_path / "b"])


def test_a_picture_that_one_was_trained_on_is_refused(tmp_path):
    one = make_run(tmp_path / "a", seed=0)
    other = make_run(tmp_path / "b", seed=0, changes={"schedule.epochs": 3}, train=[*range(100, 110), 4])
    with pytest.raises(DataError, match=r"was trained on 1 picture \(images/4\.png\)"):
        compare([one, other])
    less = make_run(tmp_path / "c", seed=0, changes={"schedule.epochs": 3}, train=range(100, 105))
    assert any("trained on different pictures" in note for note in compare([one, less]).notes)


def test_lengths_in_other_units_are_not_compared(tmp_path):
    found = compare([make_run(tmp_path / "a"), make_run(tmp_path / "b", spacing=(0.5, 0.5))])
    assert any("hd95" in note and "define them differently" in note for note in found.notes)
    assert {d.metric for d in found.versus[0].differences}.isdisjoint({"hd95", "assd", "surface_dice"})
    assert found.versus[0].of("boundary_iou").pairs == NUMBER
    with pytest.raises(DataError, match="hd95 was not taken"):
        compare([tmp_path / "a", tmp_path / "b"], metric="hd95")


def test_what_cannot_be_compared(tmp_path):
    run = make_run(tmp_path / "a")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no stored scores in"):
        compare([run, tmp_path / "empty"])
    with pytest.raises(DataError, match="no stored scores in"):
        compare([run, tmp_path / "nowhere"])
    for runs in ([run], [], [run, run]):
        with pytest.raises(UsageError):
            compare(runs)
    with pytest.raises(UsageError, match="did you mean 'dice'"):
        compare([run, run], metric="dicce")
    with pytest.raises(UsageError, match="without --data"):
        compare([run, run], split="test")


def test_folders_of_masks_and_methods_on_the_same_data(tmp_path):
    truth = make_folder(tmp_path / "data", count=8)
    for name, ids in truth.items():
        shifted = np.roll(ids, 1, axis=0)
        save(tmp_path / f"one/{name}.png", shifted)
        save(tmp_path / f"two/{name}.png", np.roll(ids, 3, axis=0))
    found = compare([tmp_path / "one", tmp_path / "two", "otsu"], data=tmp_path / "data", metric="hd95")
    assert found.versus[0].of("hd95").verdict == "worse" and found.versus[1].second == "otsu"
    assert found.pictures == 8 and any("8 pictures" in note for note in found.notes)


def tell(run, **facts):
    """What an evaluation had to say beside the scores."""
    file = run / "evaluation/summary.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | facts))
    return run


def test_what_the_evaluations_had_to_say_is_passed_on(tmp_path):
    drawn = "The intervals draw 3 groups anew, not 24 pictures: pictures of a group are alike."
    one = tell(make_run(tmp_path / "a"), notes=["These scores are too good.", drawn])
    other = tell(make_run(tmp_path / "b"), notes=["Strange."], missing=["images/3.png", "images/4.png"])
    third = tell(make_run(tmp_path / "c"), notes=["Strange."])
    found = compare([one, other, third], out=tmp_path / "out")
    assert f"{one}: These scores are too good." in found.notes and f"{other}, {third}: Strange." in found.notes
    assert f"{other}: no prediction for 2 pictures, counted as empty: images/3.png, images/4.png." in found.notes
    assert not any(drawn in note for note in found.notes)
    assert "no prediction for 2 pictures" in (tmp_path / "out/compare.html").read_text()
    assert list(found.notes) == json.loads((tmp_path / "out/compare.json").read_text())["notes"]
    with pytest.raises(DataError, match="no list of texts"):
        compare([one, tell(other, notes="none")])


def test_a_missing_prediction_is_named_where_models_are_scored_anew(tmp_path):
    for name, ids in make_folder(tmp_path / "data", count=5).items():
        for folder in ("one", "two"):
            if (folder, name) != ("two", "p.03"):
                save(tmp_path / f"{folder}/{name}.png", ids)
    found = compare([tmp_path / "one", tmp_path / "two"], data=tmp_path / "data")
    assert f"{tmp_path / 'two'}: no prediction for 1 picture, counted as empty: images/p.03.png." in found.notes


def test_metrics_of_objects_are_metrics(tmp_path):
    runs = []
    for name, shift in (("good", 0), ("bad", 2)):
        scorer = Scorer(CELLS)
        for number in range(7):
            ids = np.zeros(SIZE, np.int64)
            ids[1:4, 2:6], ids[6:9, 5 + number % 3 : 12] = 1, 2
            pred = np.roll(ids, shift if number % 2 else 1, axis=1) if shift else ids
            sides = [number_objects(one, (one > 0).astype(np.uint8)) for one in (pred, ids)]
            labels = [side.class_map() for side in sides]
            scorer.add(f"{number}.png", *labels, pred_objects=sides[0], target_objects=sides[1])
        report = scorer.report(model="", data="", split="test", threshold=None, split_checksum="", seconds=0)
        write_report_files(report, tmp_path / name)
        runs.append(tmp_path / name)
    found = compare(runs, metric="mean_f1_at_iou")
    assert found.versus[0].of("mean_f1_at_iou").verdict == "worse" and "F1 of objects" in found.versus[0].sentence
    with pytest.raises(DataError, match="pq was not taken"):
        compare([make_run(tmp_path / "a"), make_run(tmp_path / "b")], metric="pq")
