"""What a person drew: regions on pictures, as any annotation file has them, with all that the file says beside.

Coordinates are ``x, y`` in pixels, floats, y downwards. Integer coordinates are the corners of pixels: the centre of the first
pixel is (0.5, 0.5), a picture spans 0 to its width and 0 to its height.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import numpy.typing as npt

PointsXY = npt.NDArray[np.float64]


class _ByContent:
    """Equality by content for frozen dataclasses that hold arrays."""

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(_equal(getattr(self, f.name), getattr(other, f.name)) for f in fields(self))  # type: ignore[arg-type]

    __hash__ = None  # type: ignore[assignment]


def _equal(one: object, other: object) -> bool:
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return isinstance(one, np.ndarray) and isinstance(other, np.ndarray) and np.array_equal(one, other)
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(_equal(a, b) for a, b in zip(one, other, strict=True))
    return bool(one == other)


@dataclass(frozen=True, eq=False)
class Polygon(_ByContent):
    """An area inside closed lines.

    Parameters
    ----------
    rings : each ``(N, 2)``, N >= 3, not repeating its first point; each is filled, all are united.
    holes : likewise; cut out of the union.
    """

    rings: tuple[PointsXY, ...]
    holes: tuple[PointsXY, ...] = ()


@dataclass(frozen=True)
class Box:
    """A rectangle.

    Parameters
    ----------
    x, y : its first corner: the upper left one when it is not turned.
    width, height : > 0.
    angle : degrees, clockwise on the screen, about (x, y).
    """

    x: float
    y: float
    width: float
    height: float
    angle: float = 0.0


@dataclass(frozen=True)
class Ellipse:
    """An ellipse or circle.

    Parameters
    ----------
    cx, cy : centre.
    rx, ry : half axes, > 0; `rx` lies along x when it is not turned.
    angle : degrees, clockwise on the screen, about the centre.
    """

    cx: float
    cy: float
    rx: float
    ry: float
    angle: float = 0.0


@dataclass(frozen=True, eq=False)
class Polyline(_ByContent):
    """An open line, ``(N, 2)``, N >= 2."""

    points_xy: PointsXY


@dataclass(frozen=True, eq=False)
class Points(_ByContent):
    """Single points, ``(N, 2)``, N >= 1; they have no area."""

    points_xy: PointsXY


@dataclass(frozen=True, eq=False)
class Bitmap(_ByContent):
    """Pixels: ``mask`` ``(h, w)`` bool, its upper left pixel in column `x`, row `y` of the picture."""

    x: int
    y: int
    mask: npt.NDArray[np.bool_]


Shape = Polygon | Box | Ellipse | Polyline | Points | Bitmap

KINDS: dict[type, str] = {
    Polygon: "polygon", Box: "box", Ellipse: "ellipse", Polyline: "polyline", Points: "point", Bitmap: "mask",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Region(_ByContent):
    """One thing that was drawn.

    Parameters
    ----------
    label : name of its class; empty when the file does not say (or not yet, see `limner.data.formats.classes`).
    shape : where it is.
    group : regions of one picture with the same group, not empty, are parts of one object.
    is_crowd : it covers many objects that were not told apart.
    is_ignored : its pixels are not known: neither this class nor background.
    order : what is drawn later lies on top; ties go by the order in the file.
    score : of a prediction, in [0, 1]; None for truth.
    attributes : further answers of the person, by question, as the file has them.
    record : the record as read, so that writing the same format keeps what is unknown to us.
    where : place in the file, as in ``_via_img_metadata/a.jpg123/regions/4``.
    """

    label: str
    shape: Shape
    group: str = ""
    is_crowd: bool = False
    is_ignored: bool = False
    order: int = 0
    score: float | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    record: Any = None
    where: str = ""

    @property
    def kind(self) -> str:
        """``polygon``, ``box``, ``ellipse``, ``polyline``, ``point`` or ``mask``."""
        return KINDS[type(self.shape)]


@dataclass(frozen=True, eq=False)
class Annotation(_ByContent):
    """All regions of one picture.

    Parameters
    ----------
    image : its name as the file has it; may be a path or a URL, which is never opened or fetched.
    regions : in file order.
    size_hw : height and width that the file states; None when it does not.
    num_bytes : size of the picture's file that the annotation states; None when it does not.
    subset : ``train``, ``val``, ``test`` or another word of the file; empty when it has none.
    pixels : the encoded picture (PNG, JPEG) when the file carries it inside; else None.
    attributes : answers about the whole picture, flags and tags.
    record : the record as read, without its regions.
    where : place in the file.
    is_annotated : False where nobody has answered yet: then it says nothing, not that nothing is there.
    """

    image: str
    regions: tuple[Region, ...] = ()
    size_hw: tuple[int, int] | None = None
    num_bytes: int | None = None
    subset: str = ""
    pixels: bytes | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    record: Any = None
    where: str = ""
    is_annotated: bool = True


@dataclass(frozen=True)
class Problem:
    """Something in an annotation file that was put right (a warning) or left out (a refusal).

    Parameters
    ----------
    code : short and stable, lower case with hyphens, as in ``out-of-bounds``.
    message : a sentence: what was found, and what was done or is expected.
    file : the annotation file.
    where : place in it: key and index.
    """

    code: str
    message: str
    file: str = ""
    where: str = ""

    def as_dict(self) -> dict[str, str]:
        """The problem as JSON."""
        return {"code": self.code, "message": self.message, "file": self.file, "where": self.where}


@dataclass(frozen=True, eq=False)
class AnnotationSet(_ByContent):
    """What one or several annotation files of a kind say.

    Parameters
    ----------
    format : one of the names in `limner.data.formats.FORMATS`.
    images : in file order (or the order that the file states).
    classes : names in the order that the file declares them, those without regions too; empty when it declares none.
    attributes : for formats without a class field: attribute name to value to number of regions, for choosing the class.
    warnings, refused : what was put right, and what was left out; one entry of `refused` per object.
    record : the rest of the file as read: settings, categories, unknown keys.
    """

    format: str
    images: tuple[Annotation, ...]
    classes: tuple[str, ...] = ()
    attributes: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    warnings: tuple[Problem, ...] = ()
    refused: tuple[Problem, ...] = ()
    record: Any = None

    @property
    def num_regions(self) -> int:
        """Regions of all pictures."""
        return sum(len(image.regions) for image in self.images)

    @property
    def is_prediction(self) -> bool:
        """The file holds what a model said, not what a person drew."""
        return self.format.endswith(("-results", "-predictions"))
