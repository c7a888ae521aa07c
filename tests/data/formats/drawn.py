"""Generated regions, files written and read back, corpus files: what the tests of several formats need."""

import json
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import strategies as st

from limner.core.annotation import (
    Annotation,
    AnnotationSet,
    Bitmap,
    Box,
    Ellipse,
    Points,
    Polygon,
    Polyline,
    Region,
)
from limner.data.formats.format import Content, read_content
from limner.data.formats.geometry import Refusal, ring
from limner.data.rasterize import rasterize

CORPUS = Path(__file__).parents[4] / "shared" / "annotations"
SIZE = (37, 53)  # of all generated pictures
NASTY = (None, True, "", "x", "12", -1, 0, 1e30, 10**19, [], {}, [[]], [None], {"a": []}, [1, 2, 3], "\x00\ud7ff=1")

needs_corpus = pytest.mark.skipif(not (CORPUS / "EXPECTED.json").is_file(), reason="the annotation corpus is not there")


def corpus(*folders):
    """Name and expected counts of the corpus files in some folders."""
    if not (CORPUS / "EXPECTED.json").is_file():
        return []
    known = json.loads((CORPUS / "EXPECTED.json").read_text(encoding="utf-8"))
    return [(entry["file"], entry) for entry in known if entry["file"].split("/")[0] in folders]


def content_of(document, path=Path("a.json")):
    """A parsed JSON document as a content."""
    return Content(path, json.dumps(document), json=document)


def read_back(entry, found, folder, name):
    """Write a set, recognise the file and read it again."""
    problems = entry.write(found, folder)
    content = read_content(folder / name)
    assert entry.sniff(content)
    return entry.read(content), problems


def set_of(*regions, image="a.png", size_hw=SIZE, **more):
    """A set of one picture, of no format that is written."""
    return AnnotationSet("drawn", (Annotation(image, tuple(regions), size_hw=size_hw, **more),))


def square(x, y, side, label="leaf"):
    """A region that is a square polygon, clockwise."""
    return Region(label, Polygon((np.array([(x, y), (x + side, y), (x + side, y + side), (x, y + side)], float),)))


# -- generated shapes: coordinates are multiples of 1/8, which no rounding to three decimals changes

_coordinate = st.integers(0, 8 * 36).map(lambda n: n / 8)
_side = st.integers(1, 8 * 20).map(lambda n: n / 8)
_point = st.tuples(_coordinate, _coordinate)


def _is_ring(points):
    try:
        return len(ring(np.array(points, float), [])) == len(points)
    except Refusal:
        return False


def _array(points):
    return np.array(points, float)


_ring = st.lists(_point, min_size=3, max_size=6, unique=True).filter(_is_ring).map(_array)
polygons = _ring.map(lambda corners: Polygon((corners,)))
boxes = st.builds(Box, _coordinate, _coordinate, _side, _side)
circles = st.builds(lambda cx, cy, r: Ellipse(cx, cy, r, r), _coordinate, _coordinate, _side)
upright_ellipses = st.builds(Ellipse, _coordinate, _coordinate, _side, _side)
lines = st.lists(_point, min_size=2, max_size=5, unique=True).map(lambda points: Polyline(_array(points)))
single_points = _point.map(lambda point: Points(_array([point])))
many_points = st.lists(_point, min_size=2, max_size=4, unique=True).map(lambda points: Points(_array(points)))
bitmaps = st.tuples(st.integers(0, 20), st.integers(0, 20), st.integers(1, 5), st.integers(1, 7), st.integers(0)).map(
    lambda drawn: _bitmap(*drawn)
)


def _bitmap(x, y, height, width, seed):
    mask = np.random.default_rng(seed % 2**32).random((height, width)) < 0.6
    mask[0, 0] = mask[-1, -1] = True  # so that no row or column at the side is empty
    return Bitmap(x, y, mask)


labels = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=8).filter(
    lambda text: text.strip() and text.strip().casefold() not in ("unknown", "not_defined") and text != "__ignore__"
)
names = st.sampled_from(["a.png", "b c.jpg", "sub/d.tif", "猫.png", "e,f.png", "=g.png"])


def sets(*shapes, groups=False):
    """Annotation sets of up to three pictures with regions of some shapes."""
    group = st.sampled_from(["", "", "one", "two"]) if groups else st.just("")
    region = st.builds(Region, labels, st.one_of(*shapes), group=group)
    image = st.builds(
        Annotation, names, st.lists(region, max_size=4).map(tuple), size_hw=st.just(SIZE), num_bytes=st.just(123)
    )
    images = st.lists(image, min_size=1, max_size=3, unique_by=lambda image: image.image).map(tuple)
    return images.map(lambda images: AnnotationSet("drawn", images))


# -- comparing


def drawn_regions(found):
    """Label and shape of every region, by picture."""
    return {image.image: [(region.label, region.shape) for region in image.regions] for image in found.images}


def pixels_by_label(found, size_hw=SIZE):
    """Union of the pixels of each label, by picture and label."""
    masks = defaultdict(lambda: np.zeros(size_hw, bool))
    for image in found.images:
        for region in image.regions:
            masks[image.image, region.label] |= rasterize(region.shape, size_hw)
    return {key: mask for key, mask in masks.items() if mask.any()}


def assert_same_pixels(one, other, size_hw=SIZE):
    """Both sets cover the same pixels of every picture with every label."""
    first, second = pixels_by_label(one, size_hw), pixels_by_label(other, size_hw)
    assert first.keys() == second.keys()
    for key, mask in first.items():
        assert np.array_equal(mask, second[key]), key


def mutations(document):
    """Copies of a JSON document in which one value is replaced by something nasty, and where."""
    for path in _paths(document):
        for value in NASTY:
            copy = json.loads(json.dumps(document))
            place = copy
            for key in path[:-1]:
                place = place[key]
            place[path[-1]] = value
            yield path, copy


def _paths(value, path=()):
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in items:
        yield (*path, key)
        yield from _paths(child, (*path, key))
