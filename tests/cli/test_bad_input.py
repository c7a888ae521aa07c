"""What a stranger may hand in: each thing ends with one paragraph that says what to do, and nothing that looks whole."""

import json

import numpy as np
import pytest
import tifffile
from PIL import Image

from tests.api import tiny
from tests.cli.call import limner, refused
from tests.make_data import gray, labels, picture, save, write_csv


def empty(root):
    root.mkdir()


def no_masks(root):
    for i in range(3):
        save(root / f"images/{i}.png", picture(i))


def unpaired(root):
    tiny.make_data(root)
    (root / "masks/p.04.png").unlink()


def sizes(root):
    tiny.make_data(root)
    save(root / "masks/p.04.png", gray(labels(4, (40, 55))))


def truncated(root):
    tiny.make_data(root)
    path = root / "images/p.04.png"
    path.write_bytes(path.read_bytes()[:-2000])


def values(root):
    tiny.make_data(root)
    (root / "limner.toml").write_text('classes = ["background", "cell"]\n')
    ids = labels(4)
    ids[3, 5] = 77
    save(root / "masks/p.04.png", ids)


def single(root):
    tiny.make_data(root, count=1)


def all_empty(root):
    tiny.make_data(root)
    for path in (root / "masks").iterdir():
        save(path, np.zeros((40, 56), np.uint8))


def not_a_number(root):
    tiny.make_data(root)
    for i in range(12):
        image = picture(i).astype(np.float32)
        if i == 4:
            image[2, 3, 0] = np.nan
        (root / f"images/p.{i:02d}.png").unlink()
        tifffile.imwrite(root / f"images/p.{i:02d}.tif", image, photometric="rgb")


def leaking(root):
    tiny.make_data(root)
    save(root / "images/p.04.png", np.asarray(Image.open(root / "images/p.03.png")))
    rows = [
        [f"images/p.{i:02d}.png", f"masks/p.{i:02d}.png", "test" if i in (4, 5) else "train", ""] for i in range(12)
    ]
    write_csv(root / "splits.csv", rows)


BAD = {  # what is wrong: words that the message has to hold
    empty: "no",
    no_masks: "",
    unpaired: "p.04.png",
    sizes: "40 x 56",
    truncated: "p.04.png",
    values: "77",
    single: "1 picture",
    all_empty: "empty",
    not_a_number: "p.04.tif",
    leaking: "--allow-leaks",
}


@pytest.mark.parametrize("damage", BAD, ids=lambda f: f.__name__)
@pytest.mark.parametrize("as_json", [False, True], ids=["text", "json"])
def test_training_is_refused_in_one_paragraph(tmp_path, damage, as_json):
    damage(tmp_path / "data")
    before = {path: path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file()}
    words = ["--json"] if as_json else []
    outcome = limner("train", tmp_path / "data", "--out", tmp_path / "run", *tiny.words(), *words)
    text = refused(outcome)
    assert BAD[damage] in text, text
    assert [line.partition(":")[0] for line in text.splitlines()] == ["error", "where", "fix"], text
    assert str(tmp_path / "data") in text
    left = {path.name for path in (tmp_path / "run").rglob("*")} if (tmp_path / "run").exists() else set()
    assert left <= {".limner-output", "log.jsonl"}, left
    assert before == {path: path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file()}
    if as_json:
        error = outcome.document["error"]
        assert error["found"] and error["fix"] and error["kind"] == "DataError"
    else:
        assert outcome.out == ""


@pytest.mark.parametrize(
    "damage", [damage for damage in BAD if damage not in (empty, no_masks)], ids=lambda f: f.__name__
)
def test_check_lists_it_and_exits_with_1(tmp_path, damage):
    damage(tmp_path / "data")
    found = limner("check", tmp_path / "data", "--json")
    assert found.code == 1 and found.document["blocking"] and found.document["error"]["fix"]
    errors = [finding for finding in found.document["findings"] if finding["level"] == "error"]
    assert errors and all(finding["fix"] for finding in errors)
    shown = limner("check", tmp_path / "data")
    assert shown.code == 1 and errors[0]["code"] in shown.out and "would be refused" in shown.out


@pytest.mark.parametrize("verb", ["check", "train", "plan", "evaluate"])
def test_a_folder_that_is_not_there(tmp_path, verb):
    words = ["evaluate", tmp_path, tmp_path / "nowhere"] if verb == "evaluate" else [verb, tmp_path / "nowhere"]
    text = refused(limner(*words, *(["--out", tmp_path / "run"] if verb == "train" else [])))
    assert "nowhere" in text


def test_the_same_call_works_once_the_data_are_corrected(tmp_path):
    unpaired(tmp_path / "data")
    arguments = ("train", tmp_path / "data", "--out", tmp_path / "run", *tiny.words(schedule__epochs=1))
    refused(limner(*arguments))
    save(tmp_path / "data/masks/p.04.png", labels(4))
    done = limner(*arguments)
    assert done.code == 0, done.err


def test_bad_data_do_not_cost_an_earlier_run(tmp_path):
    tiny.make_data(tmp_path / "data")
    assert limner("train", tmp_path / "data", "--out", tmp_path / "run", *tiny.words(schedule__epochs=1)).code == 0
    (tmp_path / "data/masks/p.04.png").unlink()
    refused(limner("train", tmp_path / "data", "--out", tmp_path / "run", "--overwrite", *tiny.words()))
    assert (tmp_path / "run/model/weights.safetensors").is_file()


def test_a_class_missing_in_a_split_is_a_warning(tmp_path):
    tiny.make_data(tmp_path / "data", classes=3)
    for i in (9, 10, 11):
        save(tmp_path / f"data/masks/p.{i:02d}.png", labels(i))
    parts = ["test" if i >= 9 else "val" if i >= 7 else "train" for i in range(12)]
    write_csv(
        tmp_path / "data/splits.csv",
        [[f"images/p.{i:02d}.png", f"masks/p.{i:02d}.png", part, ""] for i, part in enumerate(parts)],
    )
    done = limner("train", tmp_path / "data", "--out", tmp_path / "run", "--json", *tiny.words(schedule__epochs=1))
    assert done.code == 0, done.err
    assert "warning: class class_2 does not occur in test" in done.err
    dice = done.document["test"]["scores"]["dice"]["class_2"]
    assert dice["n"] + dice["undefined"] == 3


def test_no_foreground_in_validation_still_ends_with_a_model(tmp_path):
    tiny.make_data(tmp_path / "data")
    parts = ["test" if i >= 9 else "val" if i >= 7 else "train" for i in range(12)]
    for i in (7, 8):
        save(tmp_path / f"data/masks/p.{i:02d}.png", np.zeros((40, 56), np.uint8))
    write_csv(
        tmp_path / "data/splits.csv",
        [[f"images/p.{i:02d}.png", f"masks/p.{i:02d}.png", part, ""] for i, part in enumerate(parts)],
    )
    done = limner(
        "train",
        tmp_path / "data",
        "--out",
        tmp_path / "run",
        "--json",
        *tiny.words(schedule__epochs=1, inference__threshold=0.999),
    )
    assert done.code == 0, done.err
    assert done.document["best"]["value"] is None
    assert json.loads((tmp_path / "run/model/bundle.json").read_text())["training"]["best"]["value"] is None


def test_extreme_sizes_train_and_predict(tmp_path):
    tiny.make_data(tmp_path / "data", count=6)
    for name, size in (("point", (1, 1)), ("line", (3, 4000)), ("tall", (300, 2))):
        save(tmp_path / f"data/images/{name}.png", picture(50, size))
        mask = np.zeros(size, np.uint8)
        mask[0, 0] = 1
        save(tmp_path / f"data/masks/{name}.png", mask)
    done = limner("train", tmp_path / "data", "--out", tmp_path / "run", "--json", *tiny.words(schedule__epochs=1))
    assert done.code == 0, done.err
    out = limner("predict", tmp_path / "run", tmp_path / "data/images", "--out", tmp_path / "out", "--json")
    assert out.code == 0 and {tuple(row["size_hw"]) for row in out.document["images"]} == {
        (40, 56),
        (1, 1),
        (3, 4000),
        (300, 2),
    }


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("schedule.epoch=3", "did you mean 'schedule.epochs'"),
        ("epochs=3", "did you mean 'schedule.epochs'"),
        ("schedule.epochs=many", "kind int"),
        ("schedule.epochs", "KEY=VALUE"),
        ("model.architecture=unett", "did you mean 'unet'"),
        ("encoder.name=resnet3", "resnet34"),
        ("encoder.weights=nowhere.safetensors", "nowhere.safetensors"),
        ("model.options={depht = 3}", "depht"),
        ("augmentation.elastic=0.9", "exact_share"),
        ("augmentation.jpeg=2", "from 0 to 1"),
        ("model.decoder_widths=[8, 8, 8, 8, 8, 8]", "decoder_widths"),
        ("loss.class_weights=[1.0, 2.0, 3.0]", "class_weights"),
        ("optimizer.name=sgdd", "adamw"),
        ("split.group_by=(", "group_by"),
        ("split.rule=given", "splits.csv"),
    ],
)
def test_settings_that_cannot_be_obeyed(tmp_path, setting, words):
    tiny.make_data(tmp_path / "data")
    extra = ["--set", "encoder.pretrained=true"] if "weights=nowhere" in setting else []
    text = refused(
        limner("train", tmp_path / "data", "--out", tmp_path / "run", *tiny.words(), *extra, "--set", setting)
    )
    assert words in text, text
    assert not (tmp_path / "run/model").exists()


def test_durations_and_unknown_options_are_wrong_usage(tmp_path):
    tiny.make_data(tmp_path / "data")
    text = refused(limner("train", tmp_path / "data", "--out", tmp_path / "run", "--budget", "soon"), code=2)
    assert "'soon' is not a duration" in text and "10m" in text
    assert limner("train", tmp_path / "data", "--bugdet", "1m").code == 2
    assert limner("train").code == 2 and limner("trian").code == 2


def test_recipe_files_that_cannot_be_obeyed(tmp_path):
    tiny.make_data(tmp_path / "data")
    cases = {
        "[schedule]\nepoch = 3\n": "schedule.epochs",
        "[schedule\n": "not valid TOML",
        '[data]\nscale = "half"\n': "kind float",
    }
    for number, (content, words) in enumerate(cases.items()):
        file = tmp_path / f"{number}.toml"
        file.write_text(content)
        text = refused(limner("train", tmp_path / "data", "--out", tmp_path / f"run{number}", "--recipe", file))
        assert words in text and str(file) in text
    assert "no recipe at" in refused(
        limner("train", tmp_path / "data", "--out", tmp_path / "a", "--recipe", tmp_path / "no.toml")
    )
    assert "unknown recipe 'nuclei'" in refused(
        limner("train", tmp_path / "data", "--out", tmp_path / "b", "--recipe", "nuclei")
    )
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    refused(limner("train", tmp_path / "data", "--out", tmp_path / "c", "--recipe", tmp_path / "binary.toml"))


def test_output_places_that_cannot_be_used(tmp_path):
    tiny.make_data(tmp_path / "data")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("work")
    for words in ([], ["--overwrite"], ["--resume"]):
        refused(limner("train", tmp_path / "data", "--out", tmp_path / "mine", *words, *tiny.words()))
    assert (tmp_path / "mine/thesis.txt").read_text() == "work"
    for out in (tmp_path / "mine/thesis.txt", tmp_path / "mine/thesis.txt/run"):
        refused(limner("train", tmp_path / "data", "--out", out, *tiny.words()))
        refused(limner("check", tmp_path / "data", "--out", out))
    refused(limner("plan", tmp_path / "data", "-o", tmp_path / "mine"))
