"""Groups as the recipe, the data and the files say, in this order."""

import dataclasses
from pathlib import Path

import pytest

from limner.core.errors import RecipeError
from limner.core.recipe_parts import SplitPart
from limner.data.groups import find_groups, groups_by, sure_groups
from tests.data.imagined import imagined

STEMS = [f"P{p:02d}_z{z}" for p in (1, 2, 3) for z in (1, 2)]


def found(dataset, **rule):
    return find_groups(dataset.items, SplitPart(**rule), facts=dataset.facts, root=dataset.root)


def test_names_are_looked_at_last_and_can_be_switched_off():
    seen = found(imagined(STEMS))
    assert set(seen.groups.values()) == {"P01", "P02", "P03"} and not seen.notes
    assert seen.words.startswith(
        "by 3 groups seen in file names before the last counter (images/P01_z1.png is of group P01"
    )
    off = found(imagined(STEMS), group_by="none")
    assert (
        not off.groups and "the 3 groups that file names before the last counter show were switched off" in off.notes[0]
    )
    assert not found(imagined(["a1", "b2"]), group_by="none").notes


def test_what_the_data_declare_goes_before_names():
    seen = found(imagined(STEMS, groups=["x", "x", "y", "y", "", "z"]))
    assert seen.words == "by 3 groups that the data declare" and seen.groups["images/P02_z2.png"] == "y"
    assert seen.notes == ("1 of 6 pictures have no group, such as images/P03_z1.png",)
    both = found(imagined(STEMS, groups=["x"] * 6), group_by=r"z(\d)")
    assert set(both.groups.values()) == {"1", "2"} and "from split.group_by = 'z(\\\\d)'" in both.words


def volumes(names, slices=3):
    """Slices of NIfTI files, each with its volume as group, as `expand_stacks` makes them."""
    dataset = imagined([f"{name}/{z:04d}" for name in names for z in range(slices)], suffix="")
    items = tuple(
        dataclasses.replace(
            item, image=Path(f"images/{volume}.nii.gz"), frame=int(item.name[-4:]), group=volume, is_volume=True
        )
        for item in dataset.items
        for volume in ["/".join(item.name.split("/")[1:-1])]
    )
    return dataclasses.replace(dataset, items=items)


def test_who_is_in_several_volumes_goes_before_volumes():
    seen = found(volumes([f"sub-{who}_ses-{time}" for who in (1, 2, 3, 4) for time in (1, 2)]))
    assert set(seen.groups.values()) == {"sub-1", "sub-2", "sub-3", "sub-4"} and "4 groups seen in" in seen.words
    alone = found(volumes([f"ct_{number}" for number in range(6)]))
    assert alone.words == "by 6 volumes" and set(alone.groups.values()) == {f"ct_{number}" for number in range(6)}
    named = volumes(["x", "y", "z"])
    named = dataclasses.replace(
        named, items=tuple(dataclasses.replace(item, group="ann", is_volume=False) for item in named.items)
    )
    assert found(named).words == "by 1 groups that the data declare"
    numbers = found(volumes([f"{kind}_{number}" for kind in ("knee1", "hip2", "foot3") for number in range(3)]))
    assert numbers.words == "by 9 volumes"  # a counter numbers volumes
    kinds = found(volumes([f"{kind}/n{number}" for kind in ("healthy", "benign", "malignant") for number in range(4)]))
    assert kinds.words == "by 12 volumes"  # folders may be kinds
    patients = found(volumes([f"patient{who}/{phase}" for who in range(5) for phase in ("arterial", "venous")]))
    assert len(set(patients.groups.values())) == 5


def test_what_is_sure_of_a_given_split():
    ten = [f"{part}/case_{number:03d}" for part in ("train", "test") for number in range(10)]
    anew = imagined(ten, splits=[name.split("/")[0] for name in ten])
    assert not any(sure_groups(anew.items, anew.facts).values())  # parts that count anew
    frames = [f"{part}/seq_{number}/{z}" for part in ("train", "test") for number in range(4) for z in range(3)]
    videos = imagined(frames, splits=[name.split("/")[0] for name in frames])
    groups = sure_groups(videos.items, videos.facts)
    assert len(set(groups.values())) == 8 and groups["images/test/seq_1/0.png"] == "test/seq_1"
    one = with_patients(imagined(STEMS, splits=["train"] * 4 + ["test"] * 2), ["ANON"] * 6)
    assert not any(sure_groups(one.items, one.facts).values())
    two = with_patients(imagined(STEMS, splits=["train"] * 4 + ["test"] * 2), ["ann", "bob"] * 3)
    assert set(sure_groups(two.items, two.facts).values()) == {"ann", "bob"}


def with_patients(dataset, names):
    """Facts as a reader of DICOM headers would make them."""

    @dataclasses.dataclass(frozen=True)
    class Read(type(next(iter(dataset.facts.values())))):
        patient: str = ""

    facts = {
        name: Read(**{**vars(fact), "patient": who})
        for (name, fact), who in zip(dataset.facts.items(), names, strict=True)
    }
    return dataclasses.replace(dataset, facts=facts)


def test_patients_in_headers_go_before_names_and_can_be_asked_for():
    dataset = with_patients(imagined(STEMS), ["ann", "bob", "ann", "bob", "ann", ""])
    assert found(dataset).words == "by 2 patients that the files name" and len(found(dataset).notes) == 1
    with pytest.raises(RecipeError, match="'patient' does not match images/P03_z2"):
        found(dataset, group_by="patient")
    named = with_patients(imagined(STEMS, groups=["x"] * 6), ["ann", "bob"] * 3)
    assert set(found(named, group_by="patient").groups.values()) == {"ann", "bob"}


def test_folders_and_whole_paths():
    dataset = imagined([f"{who}/{side}/{n}" for who in ("anna", "ben") for side in ("l", "r") for n in (1, 2)])
    assert set(groups_by("folders", dataset.items).values()) == {"anna/l", "anna/r", "ben/l", "ben/r"}
    assert set(groups_by("images/([a-z]+)/", dataset.items).values()) == {"anna", "ben"}
    with pytest.raises(RecipeError, match="does not match images/1"):
        groups_by("folders", imagined(["1", "2"]).items)


def test_a_table_beside_the_data(tmp_path):
    dataset = dataclasses.replace(imagined(["a", "b", "c"]), root=tmp_path)
    (tmp_path / "cases.csv").write_text("image,patient\nimages/a.png,ann\nb, bob \nc,ann\n", encoding="utf-8-sig")
    groups = groups_by("csv:cases.csv:patient", dataset.items, root=tmp_path)
    assert groups == {"images/a.png": "ann", "images/b.png": "bob", "images/c.png": "ann"}
    assert found(dataset, group_by="csv:cases.csv:patient").words.startswith("by 2 groups from split.group_by")


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("csv:none.csv:patient", "none.csv cannot be read"), ("csv:cases.csv:who", "columns image, patient"),
        ("csv:../cases.csv:patient", "csv:"), ("csv:/etc/passwd:x", "csv:"), ("csv:patient", "csv:"),
        ("csv:cases.csv:patient", "does not match images/c.png"), ("(", "regular|parenthesis|unterminated"),
    ],
)  # fmt: skip
def test_a_rule_that_cannot_be_obeyed(tmp_path, rule, message):
    (tmp_path / "cases.csv").write_text("image,patient\na,ann\nb,bob\n")
    with pytest.raises(RecipeError, match=message):
        groups_by(rule, imagined(["a", "b", "c"]).items, root=tmp_path)


def test_odd_names_are_noted():
    dataset = imagined([*(f"patient{p}_{z}" for p in range(5) for z in range(3)), "control"])
    seen = found(dataset)
    assert len(set(seen.groups.values())) == 6
    assert seen.notes == (
        "15 of 16 names show 5 groups such as patient0; images/control.png does not and is a group of its own",
    )


def test_tables_of_spreadsheets(tmp_path):
    table = tmp_path / "cases.csv"
    dataset = imagined(["a", "b"])
    table.write_bytes("image;patient\r\na.png;Müller\r\nimages/b; Özil \r\n".encode("cp1252"))
    groups = groups_by("csv:cases.csv:patient", dataset.items, root=tmp_path)
    assert groups == {"images/a.png": "Müller", "images/b.png": "Özil"}
    for text, message in (
        ("image,patient\na,x\na,y\n", "two groups for a: x and y"),
        ("", "columns and rows are missing"),
    ):
        table.write_text(text)
        with pytest.raises(RecipeError, match=message):
            groups_by("csv:cases.csv:patient", dataset.items, root=tmp_path)
    table.write_bytes(b"image,patient\na,\x81\n")
    with pytest.raises(RecipeError, match="neither UTF-8 nor Windows-1252"):
        groups_by("csv:cases.csv:patient", dataset.items, root=tmp_path)
    table.write_text("patient,image\nx,c0\n")
    frames = [
        dataclasses.replace(dataset.items[0], name=f"images/c0/{n:04d}", image=Path("images/c0.nii.gz"), frame=n)
        for n in (0, 1)
    ]
    assert set(groups_by("csv:cases.csv:patient", frames, root=tmp_path).values()) == {"x"}
