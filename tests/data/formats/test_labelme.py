"""LabelMe JSON: shapes by hand, masks in base64, groups, flags, pictures inside, and files that stay as they were."""

import base64
import io
import json
import struct
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from PIL import Image

from limner.core.annotation import AnnotationSet, Bitmap, Box, Ellipse, Points, Polygon, Polyline, Region
from limner.core.errors import DataError
from limner.data.formats.classes import choose_classes
from limner.data.formats.format import read_content
from limner.data.formats.labelme import FORMAT
from limner.data.rasterize import rasterize
from tests.data.formats import drawn
from tests.data.formats.drawn import content_of, corpus, needs_corpus, read_back, set_of, square

EXAMPLES = Path(__file__).parents[4] / "shared/data/labelme_examples/original"
TRIANGLE = [[1, 2], [9, 2], [1, 8]]
SMILE = np.array([[1, 0, 1, 0], [0, 0, 0, 1], [1, 1, 1, 0]], bool)


def shape(points, kind="polygon", label="leaf", **more):
    return {"label": label, "points": points, "group_id": None, "shape_type": kind, "flags": {}, **more}


def document(*shapes, **more):
    return {
        "version": "5.5.0", "flags": {}, "shapes": list(shapes), "imagePath": "a.png", "imageData": None,
        "imageHeight": 37, "imageWidth": 53, **more,
    }  # fmt: skip


def png(mask, mode="L"):
    buffer = io.BytesIO()
    Image.fromarray(mask.astype(np.uint8) * (255 if mode == "1" else 1)).convert(mode).save(buffer, format="PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def mask_shape(data, points=((5, 6), (8, 8)), **more):
    return shape([list(point) for point in points], "mask", mask=data, **more)


def shapes_of(*raw):
    found = FORMAT.read(content_of(document(*raw)))
    return [r.shape for r in found.images[0].regions], found


# -- shapes, worked out by hand


@pytest.mark.parametrize(
    ("points", "kind", "expected"),
    [
        (TRIANGLE, "polygon", Polygon((np.array(TRIANGLE, float),))),
        (TRIANGLE, None, Polygon((np.array(TRIANGLE, float),))),
        ([[9, 8], [4.5, 2]], "rectangle", Box(4.5, 2, 4.5, 6)),  # corners in any order
        ([[1, 2], [5, 2], [5, 4], [1, 4]], "rectangle", Box(1, 2, 4, 2)),
        ([[1, 2], [2, 1], [3, 2], [2, 3]], "rectangle", Polygon((np.array([(1.0, 2), (2, 1), (3, 2), (2, 3)]),))),
        (
            [[0, 0], [4, 2], [3, 4], [-1, 2]],
            "oriented_rectangle",
            Polygon((np.array([(0.0, 0), (4, 2), (3, 4), (-1, 2)]),)),
        ),
        ([[10, 10], [13, 14]], "circle", Ellipse(10, 10, 5, 5)),  # centre, and a point on the rim
        ([[1, 2], [3, 4]], "line", Polyline(np.array([(1.0, 2), (3, 4)]))),
        ([[1, 2], [3, 4], [9, 4]], "linestrip", Polyline(np.array([(1.0, 2), (3, 4), (9, 4)]))),
        ([[1, 2]], "point", Points(np.array([(1.0, 2)]))),
        ([[1, 2], [5, 6]], "points", Points(np.array([(1.0, 2), (5, 6)]))),
    ],
)
def test_every_shape_of_labelme(points, kind, expected):
    (found,), result = shapes_of(shape(points, kind))
    assert found == expected and not result.warnings and not result.refused


@pytest.mark.parametrize("mode", ["L", "1", "P", "RGB", "RGBA"])
def test_a_mask_is_a_png_whose_first_corner_is_its_first_pixel(mode):
    (found,), result = shapes_of(mask_shape(png(SMILE, mode), ((5, 6), (8, 8))))
    assert found == Bitmap(5, 6, SMILE) and not result.warnings
    assert rasterize(found, (37, 53))[6:9, 5:9].tolist() == SMILE.tolist()


def test_a_mask_of_another_size_than_its_box_is_told():
    (found,), result = shapes_of(mask_shape(png(SMILE), ((5, 6), (20, 8))))
    assert found == Bitmap(5, 6, SMILE) and [p.code for p in result.warnings] == ["mask-size"]


def bomb(width, height):
    """A PNG of a hundred bytes that says it has `width` x `height` pixels."""
    head = struct.pack(">II5B", width, height, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(b"\0" * 100)), (b"IEND", b"")]
    body = b"".join(struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in chunks)
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + body).decode()


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (shape([[1, 2], [3, 4]]), "too-few-points"),
        (shape([[1, 2], [3, 4], [5]]), "ragged"),
        (shape("x"), "not-a-list"),
        (shape([[1, 2], [3, None], [5, 6]]), "not-a-number"),
        (shape(TRIANGLE, "star"), "unknown-shape"),
        (shape(TRIANGLE, ["x"]), "unknown-shape"),
        (shape([[1, 2]], "circle"), "wrong-points"),
        (shape([[1, 2], [1, 2]], "circle"), "no-area"),
        (shape(TRIANGLE, "rectangle"), "wrong-points"),
        (shape([], "point"), "no-points"),
        (shape([[1, 2]], "line"), "too-few-points"),
        (mask_shape(None), "no-mask"),
        (mask_shape("abc"), "bad-base64"),
        (mask_shape("AAAA"), "bad-mask"),
        (mask_shape(png(SMILE)[:60]), "bad-mask"),
        (mask_shape(png(SMILE & False)), "empty-mask"),
        (mask_shape(bomb(60000, 60000)), "too-many-pixels"),
        (mask_shape(bomb(50, 40)), "bad-mask"),
        (mask_shape(png(SMILE), ((1e300, 0), (1e300, 5))), "too-large"),
        (mask_shape(png(SMILE), ((1, 2),)), "wrong-points"),
        (5, "not-a-shape"),
        (None, "not-a-shape"),
        ({}, "not-a-list"),
    ],
)
def test_a_bad_shape_is_refused_by_name_and_the_rest_is_kept(raw, code):
    kept, found = shapes_of(shape(TRIANGLE), raw, shape(TRIANGLE, label="b"))
    assert len(kept) == 2
    (problem,) = found.refused
    assert (problem.code, problem.where, problem.file) == (code, "shapes/1", "a.json")


def test_masks_may_not_fill_the_memory():
    blank = np.ones((8000, 8000), bool)  # 64 million pixels in a text of 90 thousand characters, three times
    data = png(blank, "1")
    kept, found = shapes_of(*[mask_shape(data, ((0, 0), (7999, 7999))) for _ in range(4)])
    assert 1 <= len(kept) < 4 and {p.code for p in found.refused} == {"too-many-pixels"}


# -- what stands beside the shapes


def test_groups_flags_attributes_scores_and_what_is_not_known():
    raw = shape(
        TRIANGLE,
        group_id=3,
        flags={"old": True, "torn": False},
        description="d",
        attributes={"side": "left"},
        score=0.5,
    )
    found = FORMAT.read(
        content_of(
            document(
                raw,
                shape(TRIANGLE, label="__ignore__"),
                shape(TRIANGLE, group_id=3, label="b"),
                shape(TRIANGLE, label=7),
            )
        )
    )
    first, second, third, fourth = found.images[0].regions
    assert (
        dict(first.attributes) == {"old": True, "torn": False, "side": "left", "description": "d"}
        and first.score == 0.5
    )
    assert second.is_ignored and second.label == "__ignore__" and not first.is_ignored
    assert first.group and third.group and first.group != third.group  # one number under two labels is two objects
    assert fourth.label == "7" and fourth.group == ""
    chosen = choose_classes(found)
    assert (
        chosen.classes == ("leaf", "b", "7")
        and not chosen.problems
        and chosen.words == "the file names the class of each region"
    )


def test_a_file_of_flags_tags_its_picture():
    found = FORMAT.read(content_of(document(flags={"cat": True, "dog": False})))
    assert dict(found.images[0].attributes) == {"cat": True, "dog": False} and found.num_regions == 0
    assert choose_classes(found).words == "there are no regions"


def test_paths_of_windows_and_missing_names():
    found = FORMAT.read(content_of(document(imagePath="..\\JPEG Images\\a.png")))
    assert found.images[0].image == "../JPEG Images/a.png" and found.images[0].size_hw == (37, 53)
    found = FORMAT.read(content_of(document(imagePath=None, imageHeight="37", imageWidth=-1), Path("x/b.json")))
    assert found.images[0].image == "b" and found.images[0].size_hw is None
    assert [p.code for p in found.warnings] == ["no-file-name", "bad-size"]


def test_a_picture_inside_the_file():
    data = b"\xff\xd8\xff jpeg"
    found = FORMAT.read(content_of(document(imageData=base64.b64encode(data).decode())))
    assert found.images[0].pixels == data and "imageData" not in found.images[0].record
    found = FORMAT.read(content_of(document(imageData="no picture")))
    assert found.images[0].pixels is None and [p.code for p in found.warnings] == ["bad-base64"]


def test_copies_are_kept_and_told():
    found = FORMAT.read(content_of(document(shape(TRIANGLE), shape(TRIANGLE), shape(TRIANGLE, label="b"))))
    assert found.num_regions == 3 and [(p.code, p.where) for p in found.warnings] == [("duplicate-object", "shapes/1")]


@pytest.mark.parametrize("raw", [{}, [], {"shapes": []}, {"imagePath": "a"}, {"shapes": "x", "imagePath": "a"}, None])
def test_other_documents_are_not_taken_for_labelme(raw):
    assert not FORMAT.sniff(content_of(raw))
    with pytest.raises(DataError, match="LabelMe"):
        FORMAT.read(content_of(raw))


def test_no_mutation_of_a_file_raises_and_each_lost_shape_is_refused():
    raw = document(shape(TRIANGLE, flags={"a": True}), mask_shape(png(SMILE)), shape([[1, 2], [3, 4]], "rectangle"))
    for path, mutated in drawn.mutations(raw):
        content = content_of(mutated)
        if FORMAT.sniff(content):
            found = FORMAT.read(content)
            if len(path) > 1:
                assert found.num_regions + len(found.refused) == 3, path
            choose_classes(found)


# -- writing


@settings(max_examples=30)
@given(
    drawn.sets(
        drawn.polygons,
        drawn.boxes,
        drawn.circles,
        drawn.lines,
        drawn.single_points,
        drawn.many_points,
        drawn.bitmaps,
        groups=True,
    )
)
def test_round_trip(tmp_path_factory, found):
    folder = tmp_path_factory.mktemp("l")
    problems = FORMAT.write(found, folder)
    assert not [p for p in problems if p.code != "name-changed"]
    for image in found.images:
        again = FORMAT.read(read_content(folder / Path(image.image).with_suffix(".json")))
        assert [(r.label, r.shape) for r in again.images[0].regions] == [(r.label, r.shape) for r in image.regions]
        assert again.images[0].image == Path(image.image).name and again.images[0].size_hw == drawn.SIZE
        groups, before = [[r.group for r in found.regions] for found in (again.images[0], image)]
        labels = [r.label for r in image.regions]
        for i in range(len(groups)):
            for j in range(i):
                if labels[i] == labels[j]:
                    assert (groups[i] == groups[j] != "") == (before[i] == before[j] != "")


def test_holes_become_masks_and_ellipses_polygons(tmp_path):
    frame = Polygon(square(2.5, 3, 9).shape.rings, (square(4, 5, 3).shape.rings[0],))
    regions = (
        Region("a", frame),
        Region("b", Ellipse(30, 20, 9, 4, 30)),
        Region("c", Box(20, 20, 6, 4, 30), is_crowd=True),
    )
    again, problems = read_back(FORMAT, set_of(*regions), tmp_path, "a.json")
    assert [p.code for p in problems] == ["holes-as-mask", "ellipse-as-polygon", "crowd-lost", "turned-box"]
    mask, ellipse, box = (r.shape for r in again.images[0].regions)
    assert isinstance(mask, Bitmap) and np.array_equal(rasterize(mask, drawn.SIZE), rasterize(frame, drawn.SIZE))
    assert (rasterize(ellipse, drawn.SIZE) ^ rasterize(regions[1].shape, drawn.SIZE)).sum() <= 3
    assert (rasterize(box, drawn.SIZE) ^ rasterize(regions[2].shape, drawn.SIZE)).sum() <= 1


def test_a_hole_in_a_polygon_as_large_as_the_moon_takes_no_memory(tmp_path):
    huge = Polygon(square(0, 0, 9e6).shape.rings, (square(4, 5, 3).shape.rings[0],))
    again, problems = read_back(FORMAT, set_of(Region("a", huge)), tmp_path, "a.json")
    assert [p.code for p in problems] == ["holes-joined"]
    assert np.array_equal(*(rasterize(s, drawn.SIZE) for s in (huge, again.images[0].regions[0].shape)))


def test_what_was_read_stays(tmp_path):
    raw = document(
        shape([[1.123456, 2], [9, 2], [1, 8]], more={"x": [None]}, group_id=2, score=None), mask_shape(png(SMILE)),
        shape([[9, 8], [4, 2]], "rectangle", label="é"), imagePath="..\\up\\a.png", strange=1, flags={"ok": True},
        imageData=base64.b64encode(b"\x89PNG\r\n\x1a\n..").decode(),
    )  # fmt: skip
    found = FORMAT.read(content_of(raw))
    read_back(FORMAT, found, tmp_path, "a.json")
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == raw
    first, second, third = found.images[0].regions
    regions = (replace(first, shape=Box(1, 2, 3, 4)), replace(second, label="new"), third)
    image = replace(found.images[0], regions=regions, image="b.png", size_hw=(10, 20))
    read_back(FORMAT, replace(found, images=(image,)), tmp_path, "b.json")
    written = json.loads((tmp_path / "b.json").read_text(encoding="utf-8"))
    assert written["shapes"][0] == {
        **raw["shapes"][0],
        "points": [[1, 2], [4, 6]],
        "shape_type": "rectangle",
        "mask": None,
    }
    assert written["shapes"][1:] == [{**raw["shapes"][1], "label": "new"}, raw["shapes"][2]]
    assert (written["imagePath"], written["imageHeight"], written["imageWidth"], written["strange"]) == (
        "b.png",
        10,
        20,
        1,
    )


def test_answers_of_other_formats_come_back(tmp_path):
    region = Region(
        "a", Box(1, 2, 3, 4), score=0.25, attributes={"yes": True, "size": 3, "list": ["x"], "description": "d"}
    )
    again, problems = read_back(FORMAT, set_of(region), tmp_path, "a.json")
    (found,) = again.images[0].regions
    assert dict(found.attributes) == dict(region.attributes) and found.score == 0.25 and not problems


def test_later_regions_lie_on_top_and_ignored_ones_stay_ignored(tmp_path):
    regions = (
        Region("top", Box(0, 0, 4, 4), order=5),
        Region("low", Box(1, 1, 4, 4)),
        Region("x", Box(9, 9, 2, 2), is_ignored=True),
    )
    again, problems = read_back(FORMAT, set_of(*regions, subset="val"), tmp_path, "a.json")
    assert [r.label for r in again.images[0].regions] == ["low", "__ignore__", "top"] and again.images[0].regions[
        1
    ].is_ignored
    assert [p.code for p in problems] == ["ignored-as-class", "subset-lost"]


def test_no_name_leads_out_of_the_folder(tmp_path):
    names = [
        "../x.png",
        "/etc/passwd",
        "C:\\x\\y.png",
        "http://h/z.png",
        "CON.png",
        "d/../../w.png",
        "d/e/f.png",
        "a.png",
        "a.jpg",
        "",
    ]
    images = tuple(set_of(square(0, 0, 4), image=name).images[0] for name in names)
    folder = tmp_path / "out"
    folder.mkdir()
    FORMAT.write(AnnotationSet("drawn", images), folder)
    written = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert written == {
        "x.json", "passwd.json", "y.json", "z.json", "_CON.json", "w.json", "d/e/f.json", "a.png.json", "a.jpg.json",
        "picture.json",
    }  # fmt: skip
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


# -- corpus


@needs_corpus
@pytest.mark.parametrize(("name", "entry"), corpus("labelme"))
def test_corpus(name, entry, tmp_path):
    content = read_content(drawn.CORPUS / name)
    assert FORMAT.sniff(content)
    found, want = FORMAT.read(content), entry["expected"]
    (image,) = found.images
    assert (image.image, list(image.size_hw)) == (want["image"], want["WxH"][::-1])
    assert len(image.regions) == sum(want["shapes"].values()) and not found.refused
    counts = {label: sum(r.label == label for r in image.regions) for label in want["labels"]}
    assert counts == want["labels"] and (image.pixels is not None) == (want["imageData"] == "embedded")
    rings = [r.shape.rings[0] for r in image.regions if isinstance(r.shape, Polygon)]
    areas = sum(abs(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))) / 2 for x, y in (ring.T for ring in rings))
    assert areas == pytest.approx(entry["polygon_area_sum"], abs=0.1)
    stem = Path(want["image"]).stem
    read_back(FORMAT, found, tmp_path, f"{stem}.json")
    assert json.loads((tmp_path / f"{stem}.json").read_text(encoding="utf-8")) == content.json


@pytest.mark.skipif(not EXAMPLES.is_dir(), reason="the shared data are not there")
def test_labelme_s_own_examples():
    found = FORMAT.read(read_content(EXAMPLES / "primitives/primitives.json"))
    assert [r.kind for r in found.images[0].regions] == [
        "box", "ellipse", "box", "polygon", "polyline", "point", "polyline", "mask",
    ]  # fmt: skip
    assert not found.refused and not found.warnings
    instances = FORMAT.read(read_content(EXAMPLES / "instance_segmentation/2011_000006.json"))
    assert len(instances.images[0].regions) == 10 and any(r.is_ignored for r in instances.images[0].regions)
