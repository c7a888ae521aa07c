"""``group`` in ``limner.toml``: as people write their tables, and a rule that finds nothing says so."""

import os

import numpy as np
import pytest

from limner.core.errors import DataError
from limner.data.checks import check_dataset, examine
from limner.data.dataset import open_dataset
from tests.cli.call import limner
from tests.make_data import labels, picture, save

STEMS = ["xa", "xb", "xc", "xd"]


@pytest.fixture
def data(tmp_path):
    for i, stem in enumerate(STEMS):
        save(tmp_path / f"images/{stem}.png", picture(i, (16, 20)))
        save(tmp_path / f"masks/{stem}.png", labels(i, (16, 20)))
    (tmp_path / "limner.toml").write_text('group = {csv = "cases.csv", column = "patient"}\n')
    return tmp_path


def table(data, rows, header="image,patient"):
    (data / "cases.csv").write_text("\n".join([header, *rows, ""]))


def groups(data):
    return [item.group for item in open_dataset(data, allow=("FEW_SAMPLES",)).items]


@pytest.mark.parametrize("name", ["images/{}.png", "images/{}", "{}.png", "{}", "images\\{}.png", " {} "])
def test_a_table_may_name_pictures_in_any_of_these_ways(data, name):
    table(data, [f"{name.format(stem)},P{i // 2}" for i, stem in enumerate(STEMS)])
    assert groups(data) == ["P0", "P0", "P1", "P1"]


def test_short_rows_blanks_in_the_header_and_empty_cells(data):
    table(data, ["P0,xa", "P1 , xb", "P9", "", ",xc", "P2,xd"], header="patient, image")
    assert groups(data) == ["P0", "P1", "", "P2"]
    (told,) = [one for one in check_dataset(data).findings if one.code == "GROUP_MISSING"]
    assert (
        told.level == "warning" and told.files == ("images/xc.png",) and "1 of 4 pictures have no group" in told.message
    )


def test_volumes(data):
    nibabel = pytest.importorskip("nibabel")
    for path in (data / "images").iterdir():
        path.unlink()
        (data / "masks" / path.name).unlink()
    for k in range(4):
        volume = np.random.default_rng(k).integers(0, 1000, (16, 20, 3)).astype(np.int16)
        nibabel.save(nibabel.Nifti1Image(volume, np.eye(4)), data / f"images/c{k}.nii.gz")
        mask = np.repeat(labels(k, (16, 20))[..., None], 3, axis=2)
        nibabel.save(nibabel.Nifti1Image(mask, np.eye(4)), data / f"masks/c{k}.nii.gz")
    table(data, [f"c{k},P{k // 2}" for k in range(4)])
    assert groups(data) == ["P0"] * 6 + ["P1"] * 6
    table(data, [f"c{k},P{k // 2}" for k in range(3)])
    assert groups(data)[-3:] == ["c3"] * 3, "slices of a volume stay together in any case"
    (told,) = [one for one in check_dataset(data).findings if one.code == "GROUP_MISSING"]
    assert told.count == 3
    table(data, ["d0,P0"])
    with pytest.raises(DataError, match="the table names d0 and no picture of the data, such as images/c0/0000"):
        examine(data)
    (data / "limner.toml").write_text('group = "^(c[0-9])$"\n')
    assert groups(data) == [f"c{k}" for k in range(4) for _ in range(3)]


def test_a_rule_that_finds_nothing_is_an_error(data):
    table(data, ["ya,P0", "yb,P1"])
    with pytest.raises(DataError, match=r"names ya, yb and no picture(.|\n)*limner\.toml"):
        examine(data)
    (data / "limner.toml").write_text(r'group = "patient(\\d+)"')
    with pytest.raises(DataError, match=r"matches no name, such as images/xa\.png"):
        examine(data)
    (data / "limner.toml").write_text('group = "x([abc])"')
    (told,) = [one for one in check_dataset(data).findings if one.code == "GROUP_MISSING"]
    assert told.files == ("images/xd.png",)


def test_tables_that_cannot_be_read(data):
    (data / "cases.csv").write_bytes("image,patient\nxa,Müller\nxb,x\nxc,x\nxd,x\n".encode("cp1252"))
    assert groups(data)[0] == "Müller"
    (data / "cases.csv").write_bytes(b"image,patient\nxa,\x81\n")
    with pytest.raises(DataError, match="neither UTF-8 nor Windows-1252"):
        examine(data)
    table(data, ["xa,P0"], header="name,patient")
    with pytest.raises(DataError, match=r"found: columns name, patient"):
        examine(data)
    table(data, ["xa,"])
    with pytest.raises(DataError, match="rows with an image and a patient"):
        examine(data)


def test_a_file_name_that_is_no_text_is_named_before_anything_is_trained(data):
    (data / "limner.toml").unlink()
    strange = os.fsdecode(b"gr\xf6\xdfe.png")
    try:
        (data / "images/xa.png").rename(data / "images" / strange)
    except OSError:
        pytest.skip("the file system takes text alone")
    (data / "masks/xa.png").rename(data / "masks" / strange)
    found = limner("check", data, "--out", data.parent / "out", "--json")
    assert found.code == 1 and (data.parent / "out/contact_sheet.html").is_file()
    (told,) = [one for one in found.document["findings"] if one["code"] == "UNREADABLE"]
    assert r"not in UTF-8: images/gr\xf6\xdfe.png" in told["message"] and found.document["samples"] == 3
    with pytest.raises(DataError, match="UNREADABLE"):
        open_dataset(data)
