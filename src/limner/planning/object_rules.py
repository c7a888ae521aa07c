"""How objects are told apart: from how they touch, what they are shaped like and how long may be trained.

Every rule takes the facts of the classes of things and gives a value and its reason.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from limner.data.object_facts import ObjectFacts

APART = 0.02  # share of touching objects up to which the areas of the mask are the objects
LONG_ENOUGH = 3000  # optimizer steps from which learning all maps at once costs the flow nothing that can be measured
CONVEX = 0.85  # median share of the convex hull from which a centre lies well inside of an object
MARGIN = 1.25  # objects may be so much longer than the longest that was seen


def choose_head(facts: Sequence[ObjectFacts], steps: float) -> tuple[str, str]:
    """A key of `limner.core.object_head.MAPS` and why.

    Parameters
    ----------
    facts : of each class of things; none = labels do not tell objects apart.
    steps : optimizer steps that the run will take, roughly.
    """
    seen = [fact for fact in facts if fact.objects]
    if not seen:
        return "none", "labels do not tell one object from another"
    number = sum(fact.objects for fact in seen)
    touching = sum(fact.touching * fact.objects for fact in seen) / number
    if touching <= APART:
        return "components", f"{touching:.1%} of {number} objects touch another: connected areas are the objects"
    convexity = sum(fact.convexity * fact.objects for fact in seen) / number
    shown = f"{touching:.0%} of {number} objects touch another, the median fills {convexity:.0%} of its convex hull"
    if steps >= LONG_ENOUGH and convexity >= CONVEX:
        return "both", f"{shown}; distances, centres and flows are learnt, the validation pictures choose"
    return "flow", f"{shown}; flows are learnt quickest and suit any shape"


def choose_diameter(facts: Sequence[ObjectFacts]) -> tuple[float, str]:
    """Median diameter of all objects, and why."""
    seen = [fact for fact in facts if fact.objects]
    if not seen:
        return 0.0, "no objects to measure"
    number = sum(fact.objects for fact in seen)
    diameter = sum(fact.diameter[1] * fact.objects for fact in seen) / number
    smallest, largest = min(fact.diameter[0] for fact in seen), max(fact.diameter[2] for fact in seen)
    return round(diameter, 1), f"eight of ten objects have a diameter from {smallest:.0f} to {largest:.0f} px"


def choose_reach(facts: Sequence[ObjectFacts]) -> tuple[int, str]:
    """The longest object that is expected, and why."""
    sides = [fact.side[1] for fact in facts if fact.objects]
    if not sides:
        return 0, "no objects to measure"
    return math.ceil(MARGIN * max(sides)), f"the longest object is {max(sides):.0f} px long; a quarter more is allowed"
