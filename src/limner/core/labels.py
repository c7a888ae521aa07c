"""Which classes there are, how they are coloured, and what a network has to answer."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from limner.core.errors import DataError

Task = Literal["multiclass", "multilabel"]
Kind = Literal["semantic", "instance", "panoptic"]
Labels = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
Color = tuple[int, int, int]

BACKGROUND_COLOR: Color = (0, 0, 0)


def default_color(index: int) -> Color:
    """A colour far from those of the neighbouring indices (golden-angle hues); index 0 is black.

    Examples
    --------
    >>> default_color(0), default_color(1)
    ((0, 0, 0), (230, 57, 57))
    """
    if index == 0:
        return BACKGROUND_COLOR
    hue = ((index - 1) * 0.61803398875) % 1.0
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.75, 0.9)
    return round(red * 255), round(green * 255), round(blue * 255)


@dataclass(frozen=True)
class LabelSpace:
    """The classes of a data set, in id order; id 0 is the background.

    Parameters
    ----------
    names : one name per class id, the background first; at least two, all different.
    colors : one RGB triple per class; default: `default_color`.
    things : the classes whose objects are told apart (people, cells); those of the others are stuff (sky, tissue). Empty: none.
    """

    names: tuple[str, ...]
    colors: tuple[Color, ...] = field(default=())
    things: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        if len(self.names) < 2 or len(set(self.names)) != len(self.names):
            raise DataError(
                f"classes {list(self.names)}",
                expected="at least two different names, the background first",
                fix='declare them in limner.toml: classes = ["background", "nucleus"]',
            )
        if not self.colors:
            object.__setattr__(self, "colors", tuple(default_color(i) for i in range(len(self.names))))
        if len(self.colors) != len(self.names):
            raise DataError(f"{len(self.colors)} colours for {len(self.names)} classes", expected="one each")
        unknown = [name for name in self.things if name not in self.names[1:]]
        if unknown:
            raise DataError(
                f"things {unknown}",
                expected=f"classes among {list(self.names[1:])}",
                fix="correct things in limner.toml",
            )

    def __len__(self) -> int:
        return len(self.names)

    @property
    def task(self) -> Task:
        """``multilabel`` (one yes/no map) for two classes, else ``multiclass``."""
        return "multilabel" if len(self.names) == 2 else "multiclass"

    @property
    def kind(self) -> Kind:
        """``semantic`` without things, ``instance`` where all classes but the background are things, else ``panoptic``."""
        if not self.things:
            return "semantic"
        return "instance" if set(self.things) == set(self.names[1:]) else "panoptic"

    @property
    def thing_ids(self) -> tuple[int, ...]:
        """Class ids of `things`, rising."""
        return tuple(i for i, name in enumerate(self.names) if name in self.things)

    @property
    def num_maps(self) -> int:
        """How many maps a network returns: 1 for two classes, else one per class."""
        return 1 if self.task == "multilabel" else len(self.names)

    @property
    def foreground_names(self) -> tuple[str, ...]:
        """All names but the background."""
        return self.names[1:]

    def decode(self, scores: npt.NDArray[np.float32], *, threshold: float = 0.5) -> Labels:
        """Scores after sigmoid or softmax ``(K, *spatial)`` to class ids ``(*spatial)``, uint8 (uint16 above 256)."""
        ids = scores[0] > threshold if self.task == "multilabel" else scores.argmax(0)
        return np.asarray(ids, np.uint8) if len(self) <= 256 else np.asarray(ids, np.uint16)

    def palette(self) -> list[int]:
        """768 numbers for a palette PNG."""
        flat = [channel for color in self.colors[:256] for channel in color]
        return flat + [0] * (768 - len(flat))

    def as_dict(self) -> dict[str, Any]:
        """The classes as JSON; ``things`` only where there are some."""
        tree: dict[str, Any] = {"names": list(self.names), "colors": [list(color) for color in self.colors]}
        return tree | ({"things": list(self.things)} if self.things else {})

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> LabelSpace:
        """The inverse of `as_dict`."""
        names = tuple(value["names"])
        colors = tuple((int(r), int(g), int(b)) for r, g, b in value.get("colors", []))
        return cls(names, colors, tuple(value.get("things", ())))
