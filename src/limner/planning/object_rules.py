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
MARGIN = 1.25  # objects may be so much longer than those that were seen
LARGEST_REACH = 2**16
SMALL_STUFF = 0.001  # of a picture's area


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
    """The longest object that is expected, and why: a single wrong number in a large picture must not decide it."""
    sides = [fact.side for fact in facts if fact.objects]
    if not sides:
        return 0, "no objects to measure"
    usual, longest = max(side[0] for side in sides), max(side[1] for side in sides)
    reach = min(LARGEST_REACH, math.ceil(MARGIN * min(longest, 2 * usual)))
    return reach, f"99 % of the objects are at most {usual:.0f} px long, the longest {longest:.0f}"


def choose_min_stuff(facts: Sequence[ObjectFacts], num_stuff: int, area: float) -> tuple[int, str]:
    """The least area of stuff, and why.

    Parameters
    ----------
    num_stuff : classes that are neither things nor background.
    area : pixels of the median picture.
    """
    if not any(fact.objects for fact in facts) or num_stuff <= 0:
        return 0, "no stuff beside the objects"
    return round(SMALL_STUFF * area), f"{SMALL_STUFF:.1%} of a picture; smaller areas of stuff are void"
