"""Class names that tell left and right apart: where they do, a mirrored picture would carry wrong names."""

from __future__ import annotations

import re
from collections.abc import Sequence

from limner.core.errors import RecipeError
from limner.core.labels import LabelSpace
from limner.core.recipe import Recipe

SIDES = frozenset(
    {"left", "right", "leftmost", "rightmost", "lhs", "rhs", "sinister", "dexter", "sinistra", "dextra", "rechts"}
)
# words that mean a side only beside a class for the other side: R_eye beside L_eye, links (German for left) beside rechts
OPPOSITES = {"l": "r", "lt": "rt", "lft": "rgt", "lh": "rh", "links": "rechts"}
OPPOSITES |= {right: left for left, right in OPPOSITES.items()}
# things of which a body or a car has one on each side; beside one of them a single letter is a side
PAIRED = frozenset({
    "adrenal", "ankle", "arm", "atrium", "breast", "cheek", "clavicle", "ear", "elbow", "eye", "eyebrow", "femur",
    "fibula", "finger", "foot", "hand", "headlight", "hip", "hippocampus", "humerus", "iris", "kidney", "knee", "leg",
    "lobe", "lung", "mandible", "maxilla", "mirror", "ovary", "pupil", "radius", "scapula", "shoulder", "testis",
    "thigh", "thumb", "tibia", "toe", "ulna", "ureter", "ventricle", "wheel", "wing", "wrist",
})  # fmt: skip
LETTERS = frozenset({"l", "r"})
MIRRORS = ("augmentation.flip_x", "augmentation.flip_y")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_NUMBERED = re.compile(r"([^\W\d]{2,})\d+")


def sided_names(names: Sequence[str]) -> tuple[str, ...]:
    """Those of the class names that say on which side a thing is, in their order; empty where none does.

    Abbreviations count only where they can mean nothing else: a single letter beside a thing that comes in pairs, or a
    class for each side.

    Examples
    --------
    >>> sided_names(["background", "left kidney", "kidney_R", "bright cleft", "L4", "size L"])
    ('left kidney', 'kidney_R')
    >>> sided_names(["row_l", "row_r"])
    ('row_l', 'row_r')
    """
    words = [_words(name) for name in names]
    return tuple(name for name, found in zip(names, words, strict=True) if _tells_side(found, words))


def check_flips(recipe: Recipe, label_space: LabelSpace) -> None:
    """Refuse mirrored pictures, in training and in prediction, where class names tell left and right apart.

    A mirror along either axis turns a left thing into a right one: upside down is a mirror and half a turn.

    Raises
    ------
    RecipeError : the recipe mirrors and a class name carries a side.
    """
    names = sided_names(label_space.foreground_names)
    asked = [key for key in MIRRORS if recipe.get(key)] + (["inference.flips"] if recipe.inference.flips else [])
    if not names or not asked:
        return
    shown = ", ".join(f"'{name}'" for name in names[:4]) + (", ..." if len(names) > 4 else "")
    off = " ".join(f"--set {key}={'false' if key in MIRRORS else ''}" for key in asked)
    raise RecipeError(
        f"{' and '.join(asked)} would mirror pictures whose classes tell left and right apart: {shown}",
        expected="no mirrored pictures for such classes",
        where=asked[0],
        fix=f"{off}; or name the classes in limner.toml without a side where none is meant",
    )


def _words(name: str) -> tuple[str, ...]:
    """Words of a name in lower case: split at spaces, signs and capitals inside; numbers behind a word are dropped."""
    parts = re.split(r"[\W_]+", _CAMEL.sub(" ", name))
    return tuple(_NUMBERED.sub(r"\1", part).lower() for part in parts if part)


def _tells_side(words: tuple[str, ...], others: Sequence[tuple[str, ...]]) -> bool:
    for place, word in enumerate(words):
        rest = words[:place] + words[place + 1 :]
        if word in SIDES or (word in LETTERS and PAIRED & {*rest, *(r.removesuffix("s") for r in rest)}):
            return True
        if word in OPPOSITES and rest and (*words[:place], OPPOSITES[word], *words[place + 1 :]) in others:
            return True
    return False
