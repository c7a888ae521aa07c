"""Tables as spreadsheets write them, and the split lists of both kinds that are read from them."""

import pytest

from limner.data.csv_table import Table, TableError, read_table
from limner.data.dataset import open_dataset
from tests.data.coco_files import SIZE, coco, pictures
from tests.make_data import labels, save

GERMAN, CHINESE = (
    "image{0}split{0}group\nGröße/öß.png{0}train{0}Müller\n",
    "image{0}split{0}group\n细胞/图像.png{0}train{0}病人\n",
)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (GERMAN, "utf-8"),
        (GERMAN, "utf-8-sig"),
        (GERMAN, "cp1252"),
        (GERMAN, "utf-16"),
        (CHINESE, "utf-8"),
        (CHINESE, "gbk"),
        (CHINESE, "utf-16"),
    ],
)
def test_encodings_and_separators_of_spreadsheets(tmp_path, text, encoding, separator):
    path = tmp_path / "t.csv"
    path.write_bytes(text.format(separator).replace("\n", "\r\n").encode(encoding))
    (values,) = [line.split(separator) for line in text.format(separator).splitlines()[1:]]
    columns = ("image", "split", "group")
    assert read_table(path) == Table(columns, ((2, dict(zip(columns, values, strict=True))),))


def test_blanks_empty_rows_and_quoted_separators(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('image , a;b\n\n"x,y.png", 1 \n,\nz.png\n')
    assert read_table(path) == Table(
        ("image", "a;b"), ((3, {"image": "x,y.png", "a;b": "1"}), (5, {"image": "z.png", "a;b": ""}))
    )
    path.write_text("")
    assert read_table(path) == Table((), ())


def test_what_is_no_table(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(b"image,split\n\x81,train\n")
    with pytest.raises(TableError, match="neither UTF-8 nor Windows-1252"):
        read_table(path)
    path.write_text("image\n" + "x" * 200_000 + "\n")
    with pytest.raises(TableError, match="no CSV file"):
        read_table(path)
    with pytest.raises(OSError, match="No such file"):
        read_table(tmp_path / "absent.csv")


@pytest.mark.parametrize("kind", ["masks", "annotations"])
@pytest.mark.parametrize("encoding", ["cp1252", "utf-16"])
def test_a_list_that_excel_saved_is_obeyed(tmp_path, kind, encoding):
    names = [f"Größe {i}" for i in range(6)]
    pictures(tmp_path, *(f"images/{name}.png" for name in names))
    rows = [(f"images/{name}.png", "train" if i < 4 else "test", "Jürgen") for i, name in enumerate(names)]
    if kind == "masks":
        for i, name in enumerate(names):
            save(tmp_path / f"masks/{name}.png", labels(i)[: SIZE[0], : SIZE[1]])
        lines = [
            "image;mask;split;group",
            *(f"{image};masks/{image[7:]};{split};{group}" for image, split, group in rows),
        ]
    else:
        coco(tmp_path / "ann.json", {f"{name}.png": [i] for i, name in enumerate(names)})
        lines = ["image;split;group", *(";".join(row) for row in rows)]
    (tmp_path / "splits.csv").write_bytes("\r\n".join(lines).encode(encoding))
    dataset = open_dataset(tmp_path)
    assert [(item.name, item.split, item.group) for item in dataset.items] == rows
