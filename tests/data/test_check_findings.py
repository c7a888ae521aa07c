"""What the checks say about copies, orientation, extents, depth and classes: codes, levels, files and words."""

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from limner.data.checks import check_dataset, examine
from limner.data.findings import counted, finding, shortened
from tests.make_data import gray, labels, make_folder, picture, save, write_csv

ORIENTATION = 0x0112


def found(root, code, level=None):
    """The one finding of a code (and level), or None."""
    several = [f for f in check_dataset(root).findings if f.code == code and level in (None, f.level)]
    assert len(several) <= 1, several
    return several[0] if several else None


def give(root, splits):
    rows = [[f"images/{n}.png", f"masks/{n}.png", split, n] for n, split in splits.items()]
    write_csv(root / "splits.csv", rows)


def stored(path, image, orientation):
    """Save with an EXIF orientation."""
    file = Image.fromarray(image)
    exif = file.getexif()
    exif[ORIENTATION] = orientation
    file.save(path, exif=exif)


def test_changed_copies_leak_and_only_they_are_named(tmp_path):
    make_folder(tmp_path, count=12, size_hw=(90, 130))
    brighter = ImageEnhance.Brightness(Image.fromarray(picture(4, (90, 130)))).enhance(1.2)
    save(tmp_path / "images/brighter.png", brighter)
    save(tmp_path / "images/mirrored.png", picture(5, (90, 130))[:, ::-1])
    for name in ("brighter", "mirrored"):
        save(tmp_path / f"masks/{name}.png", labels(1, (90, 130)))
    note = found(tmp_path, "NEAR_DUPLICATE")
    pairs = [("images/brighter.png", "images/p.04.png"), ("images/mirrored.png", "images/p.05.png")]
    assert (note.level, note.count) == ("note", 2) and set(note.files) == {name for pair in pairs for name in pair}
    assert examine(tmp_path).alike == tuple(pairs)
    give(tmp_path, {f"p.{i:02d}": "train" for i in range(12)} | {"brighter": "test", "mirrored": "train"})
    leak = found(tmp_path, "SPLIT_LEAK")
    assert (leak.level, leak.count, leak.files) == ("error", 1, pairs[0]) and "brighter.png (test) ~" in leak.message
    assert found(tmp_path, "NEAR_DUPLICATE").files == pairs[1]


def test_patients_in_two_parts_are_told_when_only_names_know_them(tmp_path):
    for i in range(12):
        part = "test" if i % 4 == 3 else "train"
        save(tmp_path / f"{part}/images/patient{i // 4}_s{i}.png", picture(i))
        save(tmp_path / f"{part}/masks/patient{i // 4}_s{i}.png", labels(i))
    leak = found(tmp_path, "SPLIT_LEAK")
    assert (leak.level, leak.count) == (
        "warning",
        3,
    ) and "3 of 3 groups in more than one split: patient0" in leak.message
    for i in (3, 7, 11):
        for folder in ("images", "masks"):
            (tmp_path / f"test/{folder}/patient{i // 4}_s{i}.png").rename(tmp_path / f"test/{folder}/patient9_s{i}.png")
    assert found(tmp_path, "SPLIT_LEAK") is None


def test_an_exact_copy_with_another_mask_is_told(tmp_path):
    make_folder(tmp_path, count=12)
    save(tmp_path / "images/again.png", picture(3))
    save(tmp_path / "masks/again.png", labels(3))
    assert "differ" not in found(tmp_path, "DUPLICATE_IMAGE").message
    save(tmp_path / "masks/again.png", labels(8) * 0)
    assert "masks of images/again.png and images/p.03.png differ" in found(tmp_path, "DUPLICATE_IMAGE").message
    assert found(tmp_path, "NEAR_DUPLICATE") is None


def test_a_mask_of_the_stored_picture_is_told_from_one_of_the_upright_picture(tmp_path):
    make_folder(tmp_path, count=12)
    stored(tmp_path / "images/p.00.png", picture(0), 6)  # stored 40 x 56, upright 56 x 40; the mask is 40 x 56
    stored(tmp_path / "images/p.01.png", picture(1), 3)  # upside down: the size tells nothing
    error, warning = found(tmp_path, "ORIENTATION", "error"), found(tmp_path, "ORIENTATION", "warning")
    assert error.files == ("images/p.00.png", "masks/p.00.png") and "as it is stored (40 x 56)" in error.message
    assert warning.files == ("images/p.01.png",) and "cannot be told" in warning.message
    assert found(tmp_path, "SIZE_MISMATCH") is None


@pytest.mark.parametrize(
    "size_hw, words", [((80, 112), "the mask is 2 times as large"), ((50, 70), "another scale"), ((40, 57), "40 x 57")]
)
def test_size_mismatches_say_what_they_look_like(tmp_path, size_hw, words):
    make_folder(tmp_path, count=12)
    save(tmp_path / "masks/p.02.png", labels(2, size_hw))
    mismatch = found(tmp_path, "SIZE_MISMATCH")
    assert mismatch.files == ("images/p.02.png", "masks/p.02.png") and words in mismatch.message


def test_tiny_objects_are_counted_among_all_objects(tmp_path):
    make_folder(tmp_path, count=12)  # each mask has one rectangle and a speck of two pixels in the corner
    note = found(tmp_path, "TINY_OBJECTS")
    assert note.level == "note" and note.count == 12 and "12 of 24 objects (50.0%)" in note.message and note.fix
    whole = labels(0) * 0
    whole[3:30, 3:30] = 1
    for path in (tmp_path / "masks").iterdir():
        save(path, whole)
    assert found(tmp_path, "TINY_OBJECTS") is None
    whole[37, 50], whole[35, 54] = 1, 1
    save(tmp_path / "masks/p.07.png", whole)
    note = found(tmp_path, "TINY_OBJECTS")
    assert note.files == ("images/p.07.png",) and "2 of 14 objects" in note.message


def test_inverted_masks_are_noted(tmp_path):
    make_folder(tmp_path, count=12, encode=lambda ids: gray((1 - ids) * 255))
    note = found(tmp_path, "MASK_VALUES", "note")
    assert note.count == 12 and "may be swapped" in note.message and "values" in note.fix
    for i in range(10):
        save(tmp_path / f"masks/p.{i:02d}.png", gray(labels(i) * 255))
    note = found(tmp_path, "MASK_VALUES", "note")
    assert note.files == ("images/p.10.png", "images/p.11.png") and "inverted" in note.message


def test_masks_of_one_class_everywhere(tmp_path):
    make_folder(tmp_path, count=12, classes=3)
    save(tmp_path / "masks/p.05.png", labels(0) * 0 + 2)
    assert found(tmp_path, "FULL_MASKS").files == ("images/p.05.png",)
    for path in (tmp_path / "masks").iterdir():
        save(path, labels(0) * 0 + 1)
    assert found(tmp_path, "FULL_MASKS").level == "error"


def test_eight_bit_numbers_in_sixteen_bit_files(tmp_path):
    make_folder(tmp_path, count=12, channels=1)
    for i in range(12):
        save(tmp_path / f"images/p.{i:02d}.png", picture(i, channels=1, dtype="uint16"))
    assert found(tmp_path, "BIT_DEPTH") is None
    save(tmp_path / "images/p.04.png", picture(4, channels=1).astype(np.uint16))
    warning = found(tmp_path, "BIT_DEPTH")
    assert warning.files == ("images/p.04.png",) and "8-bit numbers" in warning.message


def test_rare_classes_and_small_tests(tmp_path):
    make_folder(tmp_path, count=12, classes=2)
    save(tmp_path / "masks/p.03.png", labels(3, classes=3))
    rare = found(tmp_path, "FEW_SAMPLES")
    assert rare.files == ("images/p.03.png",) and "class_2 by 1" in rare.message
    give(tmp_path, {f"p.{i:02d}": "test" if i < 3 else "train" for i in range(12)})
    several = [f for f in check_dataset(tmp_path).findings if f.code == "FEW_SAMPLES"]
    assert any("the given test has 3 pictures" in f.message for f in several)
    missing = found(tmp_path, "CLASS_MISSING_IN_SPLIT")
    assert missing.files == ("images/p.03.png",) and "class_2 does not occur in test (1 in train)" in missing.message


def test_classes_that_are_spelled_alike(tmp_path):
    make_folder(tmp_path, count=12, classes=4)
    (tmp_path / "limner.toml").write_text('classes = ["background", "cell", "cel", "gap"]')
    warning = found(tmp_path, "CLASS_SPELLING")
    assert warning.level == "warning" and "'cell'" in warning.message and "'gap'" not in warning.message
    (tmp_path / "limner.toml").write_text('classes = ["background", "cell", "wall", "gap"]')
    assert found(tmp_path, "CLASS_SPELLING") is None


def test_words_for_findings():
    assert counted(1, "mask") == "1 mask" and counted(0, "mask") == "0 masks"
    assert shortened(list("abcdefg")) == "a; b; c; d; e and 2 more" and shortened(["a"]) == "a"
    assert finding("X", "note", "m", ["a", "b"]).count == 2 and finding("X", "note", "m", count=7).count == 7


def test_a_picture_that_is_listed_in_two_splits_leaks(tmp_path):
    make_folder(tmp_path, count=12)
    names = [f"p.{i:02d}" for i in range(12)]
    rows = [[f"images/{n}.png", f"masks/{n}.png", "test" if i > 8 else "train", ""] for i, n in enumerate(names)]
    write_csv(tmp_path / "splits.csv", [*rows, ["images/p.03.png", "masks/p.03.png", "test", ""]])
    leak = found(tmp_path, "SPLIT_LEAK")
    assert (leak.level, leak.files) == ("error", ("images/p.03.png",))
    assert "train in line 5, test in line 14" in leak.message and found(tmp_path, "AMBIGUOUS_PAIR") is None
    write_csv(tmp_path / "splits.csv", [*rows, ["images/p.03.png", "masks/p.03.png", "train", ""]])
    assert found(tmp_path, "SPLIT_LEAK") is None and found(tmp_path, "AMBIGUOUS_PAIR").level == "error"
