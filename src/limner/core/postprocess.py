"""What is done to labels after a network has decided: small parts, holes, all but the largest part. As values, without pixels.

The work on pixels is `limner.inference.postprocess`; how rules are chosen is `limner.api.choose_answers`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from limner.core.answers import POSTPROCESS
from limner.core.errors import BundleError


@dataclass(frozen=True)
class Rules:
    """Rules by class id, in pixels of the picture itself; id 0 is the background and has none.

    Parameters
    ----------
    smallest : connected parts (8 neighbours) of a class with fewer pixels are taken away; 0 = none.
    holes : background enclosed by one class (4 neighbours) of at most so many pixels becomes that class; 0 = none.
    largest : of a class only the part with the most pixels stays.
    threshold : score above which a pixel is foreground, for two classes; None = not chosen. It is not applied to labels: the
        bundle's input contract carries it, and the network's answer is decided with it.

    Raises
    ------
    ValueError : a negative number, a rule of the background, or as many numbers as there are not classes.
    """

    smallest: tuple[int, ...]
    holes: tuple[int, ...]
    largest: tuple[bool, ...]
    threshold: float | None = None

    def __post_init__(self) -> None:
        if not len(self.smallest) == len(self.holes) == len(self.largest) >= 2:
            raise ValueError(f"rules of {len(self.smallest)}, {len(self.holes)} and {len(self.largest)} classes")
        if min(*self.smallest, *self.holes) < 0 or self.smallest[0] or self.holes[0] or self.largest[0]:
            raise ValueError("numbers of pixels are 0 or more, and those of the background are 0")

    def __len__(self) -> int:
        return len(self.smallest)

    @property
    def change_labels(self) -> bool:
        """True where labels may change after the decision."""
        return any(self.smallest) or any(self.holes) or any(self.largest)

    def as_dict(self) -> dict[str, Any]:
        """JSON."""
        return {
            "smallest": list(self.smallest), "holes": list(self.holes), "largest": list(self.largest),
            "threshold": self.threshold,
        }  # fmt: skip

    def sentences(self, names: tuple[str, ...]) -> list[str]:
        """The rules in words, one for each; empty where there are none.

        Examples
        --------
        >>> Rules((0, 30), (0, 0), (False, False), 0.4).sentences(("background", "cell"))
        ['cell where the score is above 0.4', 'parts of cell below 30 pixels are taken away']
        """
        words = [] if self.threshold is None else [f"{names[1]} where the score is above {self.threshold:g}"]
        for index, name in enumerate(names):
            if self.holes[index]:
                words.append(f"holes in {name} of at most {self.holes[index]} pixels are filled")
            if self.largest[index]:
                words.append(f"of {name} only the largest part stays")
            if self.smallest[index]:
                words.append(f"parts of {name} below {self.smallest[index]} pixels are taken away")
        return words


def no_rules(num_classes: int) -> Rules:
    """Rules that change nothing."""
    return Rules((0,) * num_classes, (0,) * num_classes, (False,) * num_classes)


def read_rules(answers: Mapping[str, Any]) -> Rules | None:
    """The rules of a bundle; None where it has none.

    Parameters
    ----------
    answers : ``Bundle.answers``.

    Raises
    ------
    BundleError : they cannot be understood.
    """
    stored = answers.get(POSTPROCESS)
    if stored is None:
        return None
    try:
        rules = stored["rules"]
        if rules is None:
            return None
        threshold = rules["threshold"]
        return Rules(
            tuple(int(value) for value in rules["smallest"]),
            tuple(int(value) for value in rules["holes"]),
            tuple(bool(value) for value in rules["largest"]),
            None if threshold is None else float(threshold),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(
            f"the rules of the bundle cannot be read: {error!r}",
            expected="smallest, holes and largest with a number for each class", where="bundle.json",
            fix="copy the whole model folder again from the run",
        ) from None  # fmt: skip
