"""The options of a method: what each means, which values are allowed, and which are tried when it is tuned."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from limner.classical.gray import PLANES
from limner.classical.polarity import ONE_CLASS, POLARITIES
from limner.core.choices import nearest
from limner.core.errors import RecipeError
from limner.core.sample import Sample

LARGEST = 1e300  # whole numbers beyond it cannot become floating point

Value = bool | int | float | str
Options = Mapping[str, Value]
Proposal = Callable[[Sequence[Sample], Options], tuple[Value, ...]]


@dataclass(frozen=True)
class Option:
    """One argument of a method.

    Parameters
    ----------
    meaning : in one line, for lists.
    default : what the method takes when nobody decides; its type is the option's.
    tries : the values that tuning compares, or a function of the training pictures and the other options that proposes them; it
        may look at options that are tried jointly. The default is always among the values compared.
    limits : smallest and largest number that is allowed.
    words : texts that are allowed.
    jointly : tried in all combinations with the other such options before any option is looked at by itself.
    in_pixels : a length in the picture that the method sees; on a copy of half the size it is half as long.
    """

    meaning: str
    default: Value
    tries: tuple[Value, ...] | Proposal = ()
    limits: tuple[float, float] = (-math.inf, math.inf)
    words: tuple[str, ...] = ()
    jointly: bool = False
    in_pixels: bool = False

    def checked(self, name: str, value: object) -> Value:
        """`value` as the option's own type.

        Raises
        ------
        RecipeError : another type, not among the words, or outside the limits.
        """
        kind = type(self.default)
        if kind is float and isinstance(value, int) and not isinstance(value, bool) and abs(value) < LARGEST:
            value = float(value)
        if type(value) is kind and isinstance(value, bool | int | float | str):
            if isinstance(value, str):
                if value in self.words:
                    return value
            elif isinstance(value, bool) or self.limits[0] <= value <= self.limits[1]:  # False for NaN
                return value
        low, high = self.limits
        numbers = f"a {'whole ' if kind is int else ''}number from {low:g} to {high:g}"
        wanted = {bool: "true or false", str: f"one of {', '.join(map(repr, self.words))}"}.get(kind, numbers)
        hint = nearest(str(value), self.words) if self.words else f"correct {name}"
        raise RecipeError(f"{name} = {value!r}", expected=wanted, where="model.options", fix=hint)

    def proposals(self, samples: Sequence[Sample], options: Options) -> tuple[Value, ...]:
        """The values to compare, each once, the default first."""
        tries = self.tries if isinstance(self.tries, tuple) else self.tries(samples, options)
        return tuple(dict.fromkeys((self.default, *tries)))

    def on_copy(self, value: Value, factor: float) -> Value:
        """`value` for a copy whose sides are `factor` times those of the picture, `factor` in (0, 1]."""
        if not self.in_pixels or isinstance(value, bool | str) or factor == 1:
            return value
        return value * factor if isinstance(value, float) else value and max(1, round(value * factor))


TWO_CLASSES = tuple(name for name in POLARITIES if name not in ONE_CLASS)
POLARITY = Option(
    "which side of the threshold is the object",
    "auto",
    ("bright", "dark"),
    words=tuple(POLARITIES),
    jointly=True,
)
POLARITY_OF_SEVERAL = Option(
    "which classes of brightness are the object",
    "auto",
    tuple(name for name in POLARITIES if name != "auto"),
    words=tuple(POLARITIES),
    jointly=True,
)
PLANE = Option("what counts as brightness", "gray", tuple(PLANES), words=tuple(PLANES), jointly=True)
SMOOTHING = Option(
    "standard deviation in pixels of a Gaussian before all else",
    1.0,
    (0.0, 0.5, 2.0, 4.0),
    limits=(0.0, 100.0),
    in_pixels=True,
)
LEVELS = Option("how often the picture is halved before the method sees it", 0, (0, 1, 2), limits=(0, 12))
KEEP = Option("which connected parts of the object are kept", "all", ("largest",), words=("all", "largest"))
SMALLEST = Option(
    "least size of a connected part, as a share of the picture", 0.0, (0.0001, 0.0005, 0.002, 0.01), limits=(0.0, 1.0)
)
FILL = Option("fill holes", False, (True,))

SHARED: dict[str, Option] = {
    "plane": PLANE,
    "levels": LEVELS,
    "keep": KEEP,
    "smallest": SMALLEST,
    "fill": FILL,
}
"""Options of all methods, obeyed by the segmenter around them."""
TIDYING = ("keep", "smallest", "fill")  # those that change a mask when it is found already


def check_options(known: Mapping[str, Option], given: Mapping[str, object], *, method: str) -> dict[str, Value]:
    """`given` with every value of its option's type.

    Raises
    ------
    RecipeError : an option that the method does not have, or a value that is not allowed.
    """
    for name in given:
        if name not in known:
            raise RecipeError(
                f"unknown option '{name}' of {method}",
                expected=f"one of {', '.join(known)}",
                where="model.options",
                fix=nearest(name, known),
            )
    return {name: known[name].checked(name, value) for name, value in given.items()}
