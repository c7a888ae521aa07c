"""How a network tells objects apart: which maps it answers besides those of the classes, and how they become objects."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

QUERIES = "queries"  # one mask for each of a number of queries, in place of maps of classes

# maps of each head, in the order in which they follow those of the classes
DISTANCE, CENTRE, OFFSET_Y, OFFSET_X = "distance", "centre", "offset_y", "offset_x"
FLOW_Y, FLOW_X = "flow_y", "flow_x"
MAPS: dict[str, tuple[str, ...]] = {
    "none": (),
    "components": (),
    "watershed": (DISTANCE, CENTRE, OFFSET_Y, OFFSET_X),
    "flow": (FLOW_Y, FLOW_X),
    "both": (DISTANCE, CENTRE, OFFSET_Y, OFFSET_X, FLOW_Y, FLOW_X),
    QUERIES: (),
}
MIRRORED = {OFFSET_Y: "y", FLOW_Y: "y", OFFSET_X: "x", FLOW_X: "x"}  # which mirrored axis turns the sign of a map
# decoder: the maps that it reads
DECODERS: dict[str, tuple[str, ...]] = {
    "components": (),
    "watershed": (DISTANCE,),
    "centres": (CENTRE, OFFSET_Y, OFFSET_X),
    "flow": (FLOW_Y, FLOW_X),
    QUERIES: (),
}
# the decoder of each head before one was chosen
FIRST_DECODER = {
    "components": "components",
    "watershed": "watershed",
    "flow": "flow",
    "both": "watershed",
    QUERIES: QUERIES,
}


def working_diameter(native: float, scale: float) -> float:
    """The unit of offsets in working pixels: a diameter in native pixels at a working scale, at least 1."""
    return max(1.0, native * scale)


@dataclass(frozen=True)
class ObjectHead:
    """What tells objects apart; part of a bundle's input contract.

    Parameters
    ----------
    head : a key of `MAPS`: the maps that the network answers.
    decoder : a key of `DECODERS` whose maps `head` has.
    diameter : median diameter of the objects of the training pictures at working scale, > 0; the unit of offsets.
    seed : map value in (0, 1) above which a pixel belongs to the inside of an object (``watershed``, ``centres``).
    flow_error : objects are given up whose flow has another direction than their outline asks for, mean squared difference of
        unit vectors in [0, 4] (``flow``); 4 = none is.
    flow_merge : areas side by side are one object where the flow parts by less between them, in [0, 2] (``flow``).
    min_area : objects of fewer native pixels are taken away.
    min_stuff : regions of stuff of fewer native pixels are taken away.
    reach : no object of the training pictures was longer, in native pixels.
    """

    head: str
    decoder: str
    diameter: float
    seed: float = 0.5
    flow_error: float = 4.0
    flow_merge: float = 0.1
    min_area: int = 0
    min_stuff: int = 0
    reach: int = 256

    @property
    def maps(self) -> tuple[str, ...]:
        """Names of the maps behind those of the classes."""
        return MAPS[self.head]


def checked_head(value: Any) -> ObjectHead | None:
    """The object head that a bundle states; None for none.

    Raises
    ------
    TypeError, ValueError, KeyError : a field is unknown, of another kind or out of bounds.
    """
    if value is None:
        return None
    if not isinstance(value, dict) or not all(isinstance(name, str) for name in value):
        raise TypeError("input.objects is no table")
    head = ObjectHead(**value)
    if head.head not in MAPS or head.head == "none" or head.decoder not in DECODERS:
        raise ValueError(f"input.objects: head {str(head.head)[:40]!r}, decoder {str(head.decoder)[:40]!r}")
    if set(DECODERS[head.decoder]) - set(head.maps):
        raise ValueError(f"input.objects: the head {head.head} has no maps for the decoder {head.decoder}")
    numbers = {"diameter": (1e-3, 2**16), "seed": (0, 1), "flow_error": (0, 4), "flow_merge": (0, 2)}
    wholes = {"min_area": 2**40, "min_stuff": 2**40, "reach": 2**16}
    for name, (low, high) in numbers.items():
        number = getattr(head, name)
        if type(number) not in (int, float) or not math.isfinite(number) or not low <= number <= high:
            raise ValueError(f"input.objects.{name} is {str(number)[:40]}")
    for name, highest in wholes.items():
        number = getattr(head, name)
        if type(number) is not int or not 0 <= number <= highest:
            raise ValueError(f"input.objects.{name} is {str(number)[:40]}")
    return head
