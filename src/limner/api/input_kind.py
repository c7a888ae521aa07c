"""Is this a picture of the kind that the model was trained for? Sentences that say why not; none for the usual ones.

A picture is strange when it is further from every training picture that was looked at than these are from each other, with room to
spare; see `docs/explanation/answers.md` for how often that happens to usual pictures and to pictures of other data sets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from limner.core.answers import INPUTS
from limner.core.bundle import Bundle, InputContract
from limner.core.errors import DataError
from limner.core.sample import Image
from limner.data.input_features import FEATURES, Features, input_features, nearest_distance
from limner.data.preprocess import match_channels

MOST_WORDS = 3  # ways in which a picture is said to be unusual
SIDES = 2.0  # a picture may be this many times as wide and high as the largest, or as much smaller than the smallest

WORDS = {  # more, less
    "darkest": ("brighter in its dark parts", "darker in its dark parts"),
    "dark": ("brighter in its dark parts", "darker in its dark parts"),
    "brightness": ("brighter", "darker"),
    "bright": ("brighter in its bright parts", "darker in its bright parts"),
    "brightest": ("brighter in its bright parts", "darker in its bright parts"),
    "contrast": ("richer in contrast", "poorer in contrast"),
    "detail": ("finer in structure or noisier", "smoother or less sharp"),
    "red": ("redder", "less red"), "blue": ("bluer", "less blue"), "colour": ("more colourful", "less colourful"),
}  # fmt: skip


def strange(image: Image, bundle: Bundle, *, size_hw: tuple[int, int] | None = None) -> list[str]:
    """What is unusual about a picture, one sentence each; empty for a usual one, and for a bundle that has not looked at its data.

    Parameters
    ----------
    image : ``(H, W, C)`` as it was read; of a large picture every so manyth row and column is enough.
    bundle : of the model.
    size_hw : size of the whole picture where `image` is thinned.
    """
    known = bundle.answers.get(INPUTS)
    if not known or not image.size:
        return []
    return [
        *_channels(image, known, bundle.contract),
        *_depth(image, known),
        *_size(size_hw or (image.shape[0], image.shape[1]), known),
        *_look(image, known, bundle.contract),
    ]


def _channels(image: Image, known: Mapping[str, Any], contract: InputContract) -> list[str]:
    found, trained = image.shape[2], known["channels"]
    if found in trained:
        return []
    done = {(3, 1): ": converted by luminance", (1, 3): ": repeated for each"}.get((found, contract.channels), "")
    return [f"the picture has {_count(found, 'channel')}, those in training had {_either(trained)}{done}"]


def _depth(image: Image, known: Mapping[str, Any]) -> list[str]:
    if image.dtype.name in known["dtypes"]:
        return []
    words = {"uint8": "8 bit", "uint16": "16 bit", "float32": "floating point"}
    trained = _either([words.get(name, name) for name in known["dtypes"]])
    return [f"the picture is of {words.get(image.dtype.name, image.dtype.name)}, those in training were of {trained}"]


def _size(size_hw: tuple[int, int], known: Mapping[str, Any]) -> list[str]:
    area = size_hw[0] * size_hw[1]
    smallest, largest = known["smallest_hw"], known["largest_hw"]
    over, under = area / (largest[0] * largest[1]), smallest[0] * smallest[1] / area
    ratio, (height, width) = (over, largest) if over >= under else (under, smallest)
    if ratio <= SIDES**2:
        return []
    times, which = f"{ratio:.3g}", "largest" if over >= under else "smallest"
    more = "as many pixels as any in training" if over >= under else "fewer pixels than any in training"
    return [
        f"the picture has {times} times {more} ({size_hw[1]} x {size_hw[0]}; {which} in training {width} x {height}); "
        "objects may appear at another scale"
    ]


def _look(image: Image, known: Mapping[str, Any], contract: InputContract) -> list[str]:
    """Brightness, contrast, colour and detail, where they are unlike those of every training picture that was looked at.

    Of a large data set these are some, see `limner.api.learn_inputs`, so the sentences say how many.
    """
    vectors = np.array(known["pictures"], np.float64).reshape(-1, len(FEATURES))
    if not len(vectors) or image.dtype.name not in known["dtypes"]:
        return []  # values of another depth are of another range; that has been said
    try:
        features = input_features(match_channels(image, contract.channels), low=known["low"], high=known["high"])
    except DataError:
        return []  # no network can take it, which prediction says
    scale = np.array(known["scale"])
    distance = nearest_distance(features, vectors, scale)
    if distance <= known["limit"]:
        return []
    outside = _outside(features, vectors, scale)
    if outside:
        return [f"the picture is {', '.join(outside)}"]
    return [
        f"none of the {len(vectors)} training pictures looked at is like this one in brightness, contrast, colour and detail "
        f"(distance {distance:.1f}; at most {known['limit']:.1f} is usual)"
    ]


def _outside(features: Features, vectors: Any, scale: Features) -> list[str]:
    """The numbers furthest beyond the range of the training pictures, in words; each word once."""
    count, low, high = len(vectors), vectors.min(axis=0), vectors.max(axis=0)
    beyond = np.maximum(features - high, low - features) / scale
    words: dict[str, str] = {}
    for place in np.argsort(-beyond, kind="stable"):
        if beyond[place] > 1 and len(words) < MOST_WORDS:
            word = WORDS[FEATURES[place]][0 if features[place] > high[place] else 1]
            name, here, there = FEATURES[place], f"{features[place]:.2f}", f"{low[place]:.2f} to {high[place]:.2f}"
            words.setdefault(
                word, f"{word} than any of the {count} training pictures looked at ({name} {here}; there {there})"
            )
    return list(words.values())


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _either(values: Sequence[Any]) -> str:
    return " or ".join(str(value) for value in values)
