"""Named sets of variations for kinds of pictures: what differs between two pictures of the same thing, and how much.

They are judgements from how such pictures come about, not results of trials; each line may be overruled. Where several
pictures are mixed (mosaic, cutmix) is left to the person: it changes what surrounds an object, which some tasks need to see.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from limner.core.choices import choose
from limner.core.labels import LabelSpace
from limner.core.recipe import Recipe
from limner.core.sides import MIRRORS, sided_names

_PHOTO: dict[str, tuple[Any, str]] = {
    "flip_x": (True, "scenes are as likely seen from the other side"),
    "flip_y": (False, "photographs have a right way up"),
    "rotation_degrees": (15.0, "cameras are held nearly level"),
    "scale_min": (0.6, "things are photographed from near and far"),
    "scale_max": (1.7, "as far as scale_min the other way"),
    "perspective": (0.05, "flat things are seen at an angle"),
    "elastic": (0.0, "solid things do not bend"),
    "grid": (0.0, "solid things do not bend"),
    "brightness": (0.25, "light and exposure differ"),
    "contrast": (0.3, "haze, flash and sun"),
    "gamma": (0.3, "cameras have tone curves of their own"),
    "color": (0.15, "white balance differs"),
    "noise": (0.02, "sensors are quiet except at night"),
    "blur": (0.1, "some pictures are out of focus or shaken"),
    "jpeg": (0.2, "photographs are stored and sent as JPEG"),
    "low_resolution": (0.1, "some are cut from larger pictures or sent small"),
    "invert": (False, "no photograph is a negative"),
}
_MICROSCOPY: dict[str, tuple[Any, str]] = {
    "flip_x": (True, "a slide has no left and right"),
    "flip_y": (True, "a slide has no right way up"),
    "rotation_degrees": (180.0, "a slide lies at any angle"),
    "scale_min": (0.7, "cells differ in size; the magnification is known"),
    "scale_max": (1.4, "as far as scale_min the other way"),
    "perspective": (0.0, "the slide lies flat under the lens"),
    "elastic": (0.2, "tissue is soft (Ronneberger et al. 2015, arXiv:1505.04597)"),
    "elastic_pixels": (6.0, "bends that a cell could have"),
    "grid": (0.0, "cells have no kinks"),
    "brightness": (0.2, "lamps and exposure differ"),
    "contrast": (0.3, "stains take more or less"),
    "gamma": (0.3, "detectors respond differently"),
    "color": (0.1, "stains differ between laboratories"),
    "noise": (0.04, "few photons are noisy"),
    "blur": (0.15, "not all of a slide is in focus"),
    "jpeg": (0.05, "some slide scanners store JPEG"),
    "low_resolution": (0.1, "lenses resolve differently"),
    "invert": (False, "bright on dark and dark on bright are different methods"),
}
_RADIOLOGY: dict[str, tuple[Any, str]] = {
    "flip_x": (False, "the liver lies on one side, the heart on the other"),
    "flip_y": (False, "patients lie the same way up"),
    "rotation_degrees": (15.0, "patients lie nearly straight"),
    "scale_min": (0.7, "bodies and fields of view differ (range of nnU-Net)"),
    "scale_max": (1.4, "bodies and fields of view differ (range of nnU-Net)"),
    "perspective": (0.0, "slices have no perspective"),
    "elastic": (0.2, "organs are soft"),
    "elastic_pixels": (6.0, "bends that an organ could have"),
    "grid": (0.0, "organs have no kinks"),
    "brightness": (0.15, "scanners and protocols differ; the intensities of CT mean something, so not much"),
    "contrast": (0.25, "contrast agents and protocols differ (range of nnU-Net)"),
    "gamma": (0.35, "windows and field strengths differ (0.7 to 1.5 in nnU-Net)"),
    "color": (0.0, "channels are measurements, not colours"),
    "noise": (0.03, "low doses and quick sequences are noisy"),
    "blur": (0.2, "slice thickness and movement (share of nnU-Net)"),
    "jpeg": (0.0, "clinical pictures are stored without loss"),
    "low_resolution": (0.25, "spacings differ (share of nnU-Net; Isensee et al. 2021, doi:10.1038/s41592-020-01008-z)"),
    "invert": (False, "bright means dense"),
}
_AERIAL: dict[str, tuple[Any, str]] = {
    "flip_x": (True, "the ground has no left and right"),
    "flip_y": (True, "north is up by convention alone"),
    "rotation_degrees": (180.0, "flights and satellites pass in any direction"),
    "scale_min": (0.8, "the height of flight is nearly constant"),
    "scale_max": (1.25, "as far as scale_min the other way"),
    "perspective": (0.03, "the camera is not quite level"),
    "elastic": (0.0, "houses and roads are straight"),
    "grid": (0.0, "houses and roads are straight"),
    "brightness": (0.2, "sun and season differ"),
    "contrast": (0.3, "haze and shadow"),
    "gamma": (0.2, "sensors and processing differ"),
    "color": (0.15, "season, haze and sensor change colours"),
    "noise": (0.02, "sensors are quiet by day"),
    "blur": (0.05, "movement and haze"),
    "jpeg": (0.15, "map tiles are stored as JPEG"),
    "low_resolution": (0.15, "ground resolution differs between flights"),
    "invert": (False, "no map is a negative"),
}
_TABLE = {"photo": _PHOTO, "microscopy": _MICROSCOPY, "radiology": _RADIOLOGY, "aerial": _AERIAL}

PRESETS: dict[str, dict[str, Any]] = {
    name: {f"augmentation.{key}": value for key, (value, _) in entries.items()} for name, entries in _TABLE.items()
}
"""Dotted keys and values of each preset, as `Recipe.override` takes them."""


def preset_changes(name: str, label_space: LabelSpace | None = None) -> dict[str, Any]:
    """What a preset overrules, without mirrors where the names of `label_space` tell left and right apart.

    Raises
    ------
    RecipeError : there is no such preset; the message names the nearest.
    """
    changes = dict(choose(PRESETS, name, kind="preset"))
    if label_space is not None and sided_names(label_space.foreground_names):
        changes |= dict.fromkeys(MIRRORS, False)
    return changes


def preset_reasons(name: str, label_space: LabelSpace | None = None) -> dict[str, str]:
    """The reason for each key of `preset_changes`.

    Raises
    ------
    RecipeError : there is no such preset.
    """
    reasons = {f"augmentation.{key}": f"{name}: {why}" for key, (_, why) in choose(_TABLE, name, kind="preset").items()}
    if label_space is not None and sided_names(label_space.foreground_names):
        reasons |= dict.fromkeys(
            MIRRORS, "class names tell left and right apart; a mirrored picture would carry wrong names"
        )
    return reasons


def apply_preset(recipe: Recipe, name: str, label_space: LabelSpace | None = None) -> Recipe:
    """The recipe with a preset's variations and their reasons; everything else stays.

    Parameters
    ----------
    name : photo, microscopy, radiology or aerial.
    label_space : the classes, where they are known: mirrors are left out where their names tell left and right apart.

    Raises
    ------
    RecipeError : there is no such preset; the message names the nearest.

    Examples
    --------
    >>> apply_preset(Recipe(), "aerial").augmentation.rotation_degrees
    180.0
    """
    changed = recipe.override(preset_changes(name, label_space))
    return dataclasses.replace(changed, reasons={**changed.reasons, **preset_reasons(name, label_space)})
