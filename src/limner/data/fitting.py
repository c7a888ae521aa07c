"""Regions against the size of their picture: relative coordinates made pixels, what lies outside refused, doubts named."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from limner.core.annotation import Annotation, Problem, Region
from limner.data.formats.geometry import Notes, Refusal, fit
from limner.data.formats.relative import to_pixels
from limner.data.images import Header


@dataclass(frozen=True)
class Fitted:
    """An annotation in pixels of its picture.

    Parameters
    ----------
    annotation : its size is that of the picture; regions wholly outside are gone.
    warnings, refused, doubts : what was clipped, what was left out, and what a person must decide.
    """

    annotation: Annotation
    warnings: tuple[Problem, ...] = ()
    refused: tuple[Problem, ...] = ()
    doubts: tuple[Problem, ...] = ()


def fit_annotation(annotation: Annotation, header: Header, *, file: str) -> Fitted:
    """Bring `annotation` to the picture of `header`.

    Parameters
    ----------
    annotation : as read.
    header : of its picture, upright.
    file : the annotation file, for messages.
    """
    doubt = _size_doubt(annotation, header, file)
    if doubt is not None:
        return Fitted(annotation, doubts=(doubt,))
    annotation = dataclasses.replace(to_pixels(annotation, header.size_hw), size_hw=header.size_hw)
    warnings, refused, regions = [], [], []
    for region in annotation.regions:
        notes: Notes = []
        try:
            fit(region.shape, header.size_hw, notes)
        except Refusal as error:
            refused.append(_problem(error.code, error.message, annotation, region, file))
            continue
        warnings += [_problem(note.code, note.message, annotation, region, file) for note in notes]
        regions.append(region)  # the rasteriser clips; the drawn outline stays as it is
    return Fitted(dataclasses.replace(annotation, regions=tuple(regions)), tuple(warnings), tuple(refused))


def _problem(code: str, message: str, annotation: Annotation, region: Region, file: str) -> Problem:
    return Problem(code, f"{annotation.image}: {message}", file, region.where or annotation.where)


def _size_doubt(annotation: Annotation, header: Header, file: str) -> Problem | None:
    """The file states another size than the picture has: never scaled silently."""
    stated, real = annotation.size_hw, header.size_hw
    if stated is None or stated == real or 0 in stated:
        return None
    shown = f"{annotation.image}: the file states {stated[1]} x {stated[0]}, the picture is {real[1]} x {real[0]}"
    if stated == real[::-1] and header.orientation >= 5:
        text = f"{shown} once it is set upright by its EXIF orientation; the regions may have been drawn on the unturned picture"
        return Problem("orientation", text, file, annotation.where)
    return Problem("size-mismatch", shown, file, annotation.where)
