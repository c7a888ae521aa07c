"""Shapes to pixels: the one place that decides which pixels a drawn shape covers.

Integer coordinates are corners of pixels, the centre of the pixel in row r and column c is (c + 0.5, r + 0.5). A pixel belongs to
an area when its centre lies inside; a centre exactly on the border belongs to the area on its right, or below it when the border is
level, so that two areas which share a border never share a pixel and never lose one.

Other tools differ at borders only. pycocotools has the same convention, but scales polygons by five, rounds and walks the outline:
it decides otherwise for 0.05 pixels per pixel of outline. `cv2.fillPoly` reads whole coordinates as centres and colours every pixel
that the outline touches: 0.57 pixels per pixel of outline, objects grow by half a pixel all around. The measurements are in
`docs/reference/rasterizer.md`; `python -m benchmarks.rasterize` repeats them.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from limner.core.annotation import Bitmap, Box, Ellipse, Points, PointsXY, Polygon, Polyline, Shape
from limner.data.extents import corners, turn
from limner.data.scanline import Fill, Mask, Window, check_coordinates, count_ambiguous, fill_ring, window_of
from limner.data.strokes import stroke, stroke_window

CLOSED_WITHIN = 0.03  # a line whose ends are so near, relative to its length, is meant as an area
_PIXELS_AT_ONCE = 1 << 20


def rasterize(
    shape: Shape, size_hw: tuple[int, int], *, fill: Fill = "nonzero", line_width: float = 1.0
) -> npt.NDArray[np.bool_]:
    """The pixels that a shape covers in a picture.

    Parameters
    ----------
    shape : polygons: every ring is filled, all are united, then the holes are cut out. Boxes: as polygons of four corners.
        Ellipses: centres that fulfil the equation, those on the border too. Lines: filled when `is_closed_area`, else the centres
        at most half the width away. Points: the pixels that contain them, which is no area; callers decide. Masks: pasted.
    size_hw : height and width of the picture; what lies outside is cut off, however far it reaches.
    fill : for rings that cross themselves: ``nonzero`` winding number, or ``evenodd``.
    line_width : in pixels; at least 1 is drawn, and a line too short to be near a centre covers the pixel of its first point.

    Returns
    -------
    ``(H, W)`` bool. Nothing is covered when the shape lies outside or holds no centre.

    Raises
    ------
    ValueError : a coordinate is not finite or beyond 2**40.

    References
    ----------
    Foley, van Dam, Feiner, Hughes: Computer Graphics: Principles and Practice, 2nd ed., sections 3.6 and 19.3.

    Examples
    --------
    >>> triangle = Polygon((np.array([(0.0, 0.0), (3.0, 0.0), (0.0, 3.0)]),))
    >>> rasterize(triangle, (3, 4)).astype(int)
    array([[1, 1, 0, 0],
           [1, 0, 0, 0],
           [0, 0, 0, 0]])
    """
    covered = pixels_of(shape, size_hw, fill=fill, line_width=line_width)
    mask = np.zeros(size_hw, bool)
    height, width = covered.mask.shape
    mask[covered.y : covered.y + height, covered.x : covered.x + width] = covered.mask
    return mask


def pixels_of(shape: Shape, size_hw: tuple[int, int], *, fill: Fill = "nonzero", line_width: float = 1.0) -> Bitmap:
    """Like `rasterize`, but only the part of the picture around the shape; its cost does not grow with the picture.

    Returns
    -------
    A mask that lies wholly inside the picture; of height or width 0 when nothing is covered for certain.
    """
    bounds = Window(0, 0, *size_hw)
    if isinstance(shape, Polyline | Points):
        check_coordinates(shape.points_xy)
    match shape:
        case Polygon():
            return _polygon(shape, bounds, fill)
        case Box():
            return _polygon(Polygon((corners(shape),)), bounds, fill)
        case Ellipse():
            return _ellipse(shape, bounds)
        case Polyline() if is_closed_area(shape):
            return _polygon(Polygon((shape.points_xy,)), bounds, fill)
        case Polyline():
            return _line(shape.points_xy, bounds, max(1.0, line_width) / 2)
        case Points():
            return _points(shape.points_xy, bounds)
        case Bitmap():
            own = Window(shape.y, shape.x, shape.y + shape.mask.shape[0], shape.x + shape.mask.shape[1])
            window = own.cut(bounds)
            return _bitmap(window, shape.mask[window.inside(own)] if not window.is_empty else None)


def is_closed_area(polyline: Polyline) -> bool:
    """Whether a line is meant as the outline of an area: its ends are at most 3 % of its length apart, and it is not straight."""
    points_xy = polyline.points_xy
    steps = np.diff(points_xy, axis=0)
    length = float(np.hypot(steps[:, 0], steps[:, 1]).sum())
    gap = float(np.hypot(*(points_xy[-1] - points_xy[0])))
    if gap > CLOSED_WITHIN * length:
        return False
    arms = points_xy - points_xy[0]
    longest = arms[int((arms**2).sum(axis=1).argmax())]
    return bool((arms[:, 0] * longest[1] != arms[:, 1] * longest[0]).any())


def crossing_pixels(shape: Shape, size_hw: tuple[int, int]) -> int:
    """How many pixels of a picture the two fill rules differ by, because lines of the shape cross; 0 for most."""
    if isinstance(shape, Polyline) and is_closed_area(shape):
        shape = Polygon((shape.points_xy,))
    if not isinstance(shape, Polygon):
        return 0
    if len(shape.rings) == 1 and not shape.holes:
        return count_ambiguous(shape.rings[0], size_hw)
    if not any(count_ambiguous(points_xy, size_hw) for points_xy in shape.rings + shape.holes):
        return 0
    one, two = (pixels_of(shape, size_hw, fill=fill).mask for fill in ("nonzero", "evenodd"))
    return int((one != two).sum())


def _bitmap(window: Window, mask: Mask | None) -> Bitmap:
    if mask is None or window.is_empty:
        return Bitmap(0, 0, np.zeros((0, 0), bool))
    return Bitmap(window.left, window.top, mask)


def _polygon(polygon: Polygon, bounds: Window, fill: Fill) -> Bitmap:
    windows = [window_of(points_xy, bounds) for points_xy in polygon.rings]
    used = [(points_xy, w) for points_xy, w in zip(polygon.rings, windows, strict=True) if not w.is_empty]
    if not used:
        return _bitmap(bounds, None)
    if len(used) == 1 and not polygon.holes:
        return _bitmap(used[0][1], fill_ring(*used[0], fill))
    outer = used[0][1]
    for _, window in used[1:]:
        outer = outer.join(window)
    mask = np.zeros(outer.size_hw, bool)
    for points_xy, window in used:
        mask[window.inside(outer)] |= fill_ring(points_xy, window, fill)
    for points_xy in polygon.holes:
        window = window_of(points_xy, outer)
        if not window.is_empty:
            mask[window.inside(outer)] &= ~fill_ring(points_xy, window, fill)
    return _bitmap(outer, mask)


def _ellipse(shape: Ellipse, bounds: Window) -> Bitmap:
    """Centres with ``(u ry)^2 + (v rx)^2 <= (rx ry)^2``, where u and v are their distances along the axes."""
    cosine, sine = turn(shape.angle)
    reach = np.array([np.hypot(shape.rx * cosine, shape.ry * sine), np.hypot(shape.rx * sine, shape.ry * cosine)])
    centre = np.array([shape.cx, shape.cy])
    check_coordinates(np.stack([centre, reach]))
    left, top = np.floor(centre - reach - 0.5).astype(np.int64)
    right, bottom = np.ceil(centre + reach + 0.5).astype(np.int64)
    window = Window(int(top), int(left), int(bottom), int(right)).cut(bounds)
    height, width = window.size_hw
    mask = np.zeros((height, width), bool)
    dx = (np.arange(window.left, window.right) + 0.5 - shape.cx)[None, :]
    step = max(1, _PIXELS_AT_ONCE // max(1, width))
    for start in range(0, height, step):
        rows = np.arange(start, min(start + step, height))
        dy = (rows + window.top + 0.5 - shape.cy)[:, None]
        u = (dx * cosine + dy * sine) * shape.ry
        v = (dy * cosine - dx * sine) * shape.rx
        mask[start : start + step] = u * u + v * v <= (shape.rx * shape.ry) * (shape.rx * shape.ry)
    return _bitmap(window, mask)


def _line(points_xy: PointsXY, bounds: Window, radius: float) -> Bitmap:
    window = stroke_window(points_xy, radius, bounds)
    mask = stroke(points_xy, radius, window)
    return _bitmap(window, mask) if mask.any() else _points(points_xy[:1], bounds)


def _points(points_xy: PointsXY, bounds: Window) -> Bitmap:
    corner = np.floor(np.clip(points_xy, -1.0, [bounds.right, bounds.bottom])).astype(np.int64)
    corner = corner[((corner >= 0) & (corner < [bounds.right, bounds.bottom])).all(axis=1)]
    if not len(corner):
        return _bitmap(bounds, None)
    (left, top), (right, bottom) = corner.min(axis=0).tolist(), (corner.max(axis=0) + 1).tolist()
    window = Window(top, left, bottom, right)
    mask = np.zeros(window.size_hw, bool)
    mask[corner[:, 1] - top, corner[:, 0] - left] = True
    return _bitmap(window, mask)
