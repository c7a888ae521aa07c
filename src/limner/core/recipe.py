"""The recipe: every choice of a training run, with its reason; a file and a value are the same thing.

Sections are frozen dataclasses; a key that none of them knows is refused with the nearest name.
"""

from __future__ import annotations

import dataclasses
import json
import re
import tomllib
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from limner.core.choices import nearest
from limner.core.errors import RecipeError
from limner.core.object_head import MAPS
from limner.core.recipe_parts import (
    AugmentationPart,
    DataPart,
    EncoderPart,
    InferencePart,
    LossPart,
    ModelPart,
    ObjectsPart,
    OptimizerPart,
    SamplingPart,
    SchedulePart,
    SplitPart,
)


@dataclass(frozen=True)
class Recipe:
    """Every choice of a run; `reasons` maps dotted keys to sentences and travels as comments in the file."""

    seed: int = 0
    data: DataPart = field(default_factory=DataPart)
    split: SplitPart = field(default_factory=SplitPart)
    encoder: EncoderPart = field(default_factory=EncoderPart)
    model: ModelPart = field(default_factory=ModelPart)
    loss: LossPart = field(default_factory=LossPart)
    objects: ObjectsPart = field(default_factory=ObjectsPart)
    sampling: SamplingPart = field(default_factory=SamplingPart)
    augmentation: AugmentationPart = field(default_factory=AugmentationPart)
    optimizer: OptimizerPart = field(default_factory=OptimizerPart)
    schedule: SchedulePart = field(default_factory=SchedulePart)
    inference: InferencePart = field(default_factory=InferencePart)
    reasons: Mapping[str, str] = field(default_factory=dict, compare=False)

    def override(self, changes: Mapping[str, Any], *, reason: str = "set by hand") -> Recipe:
        """A copy with dotted keys changed.

        Raises
        ------
        RecipeError : unknown key or a value of another kind.

        Examples
        --------
        >>> Recipe().override({"schedule.epochs": 3}).schedule.epochs
        3
        """
        recipe = self
        for key, value in changes.items():
            recipe = _replace(recipe, key, value)
        return dataclasses.replace(recipe, reasons={**self.reasons, **dict.fromkeys(changes, reason)})

    def explain(self, reasons: Mapping[str, str]) -> Recipe:
        """A copy with other reasons for some keys."""
        return dataclasses.replace(self, reasons={**self.reasons, **reasons})

    def get(self, key: str) -> Any:
        """The value at a dotted key."""
        value: Any = self
        for part in key.split("."):
            value = getattr(value, part)
        return value

    def items(self) -> list[tuple[str, Any]]:
        """All dotted keys with their values, in file order."""
        found: list[tuple[str, Any]] = []
        for part in dataclasses.fields(self):
            value = getattr(self, part.name)
            if dataclasses.is_dataclass(value):
                found += [(f"{part.name}.{f.name}", getattr(value, f.name)) for f in dataclasses.fields(value)]
            elif part.name != "reasons":
                found.append((part.name, value))
        return found

    def to_toml(self) -> str:
        """The file: one line per key, its reason as a comment above or behind it."""
        lines, section = ["# A Limner recipe. Every line may be edited; unknown keys are refused.", ""], ""
        for key, value in self.items():
            head, _, name = key.rpartition(".")
            if head != section:
                lines += ["", f"[{head}]"]
                section = head
            reason = self.reasons.get(key, "")
            lines.append(f"{name} = {_toml(value)}" + (f"  # {' '.join(reason.split())}" if reason else ""))
        return "\n".join(lines) + "\n"

    @classmethod
    def from_toml(cls, text: str, *, where: str = "recipe") -> Recipe:
        """Read a recipe; keys that are absent keep their defaults.

        Raises
        ------
        RecipeError : not TOML, an unknown key (with the nearest name), or a value of another kind.
        """
        try:
            tree = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise RecipeError(f"not valid TOML: {error}", where=where, fix="correct that line") from None
        changes: dict[str, Any] = {}
        for key, value in tree.items():
            if isinstance(value, dict):
                changes |= {f"{key}.{name}": entry for name, entry in value.items()}
            else:
                changes[key] = value
        recipe = cls()
        for key, value in changes.items():
            recipe = _replace(recipe, key, value, where=where)
        return dataclasses.replace(recipe, reasons=_comments(text))

    @classmethod
    def read(cls, path: Path) -> Recipe:
        """Read a recipe file.

        Raises
        ------
        RecipeError : the file is missing or cannot be obeyed.
        """
        try:
            return cls.from_toml(path.read_text(encoding="utf-8"), where=str(path))
        except FileNotFoundError:
            raise RecipeError(
                f"no recipe at {path}", expected="a TOML file", fix="make one with: limner plan DATA -o recipe.toml"
            ) from None
        except (OSError, UnicodeDecodeError) as error:
            raise RecipeError(
                f"{path.name} cannot be read: {error}", expected="a TOML file", where=str(path),
                fix="make one with: limner plan DATA -o recipe.toml",
            ) from None  # fmt: skip


def parse_settings(settings: Iterable[str]) -> dict[str, Any]:
    """``key=value`` strings to a dict; values are TOML, and anything that is not is taken as text.

    Raises
    ------
    RecipeError : no equals sign.

    Examples
    --------
    >>> parse_settings(["schedule.epochs=6", "schedule.budget=none", "data.patch_hw=[96, 128]"])
    {'schedule.epochs': 6, 'schedule.budget': 'none', 'data.patch_hw': [96, 128]}
    """
    changes: dict[str, Any] = {}
    for setting in settings:
        key, sign, text = setting.partition("=")
        if not sign:
            raise RecipeError(f"'{setting}'", expected="KEY=VALUE", where="--set", fix="as in --set schedule.epochs=20")
        try:
            changes[key.strip()] = tomllib.loads(f"value = {text.strip()}")["value"]
        except tomllib.TOMLDecodeError:
            changes[key.strip()] = text.strip()
    return changes


def _keys() -> list[str]:
    return [key for key, _ in Recipe().items()]


def _replace(recipe: Recipe, key: str, value: Any, *, where: str = "") -> Recipe:
    head, _, name = key.rpartition(".")
    owner: Any = getattr(recipe, head, None) if head else recipe
    if key not in _keys() or owner is None:
        tails = [known for known in _keys() if known.rpartition(".")[2] == key.rpartition(".")[2]]
        hint = f"did you mean '{tails[0]}'?" if tails else nearest(key, _keys())
        raise RecipeError(f"unknown key '{key}'", expected="a key of the recipe", where=where or key, fix=hint)
    kind = typing.get_type_hints(type(owner))[name]
    converted = _convert(value, kind, key, where)
    _check_range(converted, key, where)
    changed = dataclasses.replace(owner, **{name: converted})
    return dataclasses.replace(recipe, **{head: changed}) if head else typing.cast(Recipe, changed)


WORDS = {
    "augmentation.device": ("auto", "cpu", "cuda"),
    "schedule.curve": ("cosine", "constant", "poly", "one_cycle", "plateau"),
    "data.normalization": ("fixed", "unit", "percentile"),
    "split.rule": ("data", "given", "automatic"),
    "loss.dice_pooling": ("batch", "picture"),
    "optimizer.precision": ("auto", "float32", "bfloat16"),
    "objects.head": tuple(MAPS),
    "inference.flips": ("", "x", "y", "xy", "yx"),
    "inference.postprocess": ("none", "chosen"),
}
BOUNDS = {  # both ends belong to what is allowed
    "seed": (0, 2**63 - 1), "optimizer.epsilon": (1e-38, 1),
    "objects.diameter": (0, 2**16), "objects.reach": (0, 2**16), "objects.min_stuff": (0, 2**40), "objects.weight": (0, 1e6),
}  # fmt: skip
SHARES = (
    "split.val_share",
    "split.test_share",
    "split.inner_val_share",
    "sampling.foreground_share",
    "inference.threshold",
    "inference.overlap",
    "optimizer.ema",
    "optimizer.momentum",
    "optimizer.rho",
    "loss.label_smoothing",
    "loss.tversky_alpha",
    "loss.deep_supervision",
    "schedule.floor",
    "schedule.plateau_factor",
    "augmentation.elastic",
    "augmentation.grid",
    "augmentation.blur",
    "augmentation.jpeg",
    "augmentation.low_resolution",
    "augmentation.mosaic",
    "augmentation.cutmix",
    "augmentation.exact_share",
)


def _check_range(value: Any, key: str, where: str) -> None:
    """Refuse words that mean nothing and shares beyond 0 and 1."""
    if key in WORDS and value not in WORDS[key]:
        allowed = ", ".join(repr(word) for word in WORDS[key])
        raise RecipeError(
            f"{key} = {value!r}", expected=f"one of {allowed}", where=where or key, fix=nearest(value, WORDS[key])
        )
    if key in BOUNDS and not BOUNDS[key][0] <= value <= BOUNDS[key][1]:
        low, high = BOUNDS[key]
        raise RecipeError(
            f"{key} = {value!r}", expected=f"a number from {low} to {high}", where=where or key, fix=f"correct {key}"
        )
    if key in SHARES and not 0 <= value <= 1:
        raise RecipeError(
            f"{key} = {value!r}", expected="a number from 0 to 1", where=where or key, fix=f"correct {key}"
        )


def _convert(value: Any, kind: Any, key: str, where: str) -> Any:
    def refuse() -> RecipeError:
        name = (
            kind.__name__
            if isinstance(kind, type) and not typing.get_origin(kind)
            else str(kind).replace("typing.", "").replace("collections.abc.", "")
        )
        return RecipeError(
            f"{key} = {value!r}", expected=f"a value of kind {name}", where=where or key, fix=f"correct {key}"
        )

    if kind is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if kind is int and isinstance(value, int) and not isinstance(value, bool):
        return value
    if kind is bool and isinstance(value, bool):
        return value
    if kind is str and isinstance(value, str):
        return value
    if typing.get_origin(kind) is Mapping and isinstance(value, Mapping):
        return {str(name): tuple(entry) if isinstance(entry, list) else entry for name, entry in value.items()}
    if typing.get_origin(kind) is tuple and isinstance(value, list | tuple):
        inner = typing.get_args(kind)
        inner = (inner[0],) * len(value) if inner[-1] is Ellipsis else inner
        if len(inner) == len(value):
            return tuple(_convert(v, k, key, where) for v, k in zip(value, inner, strict=True))
    raise refuse()


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(entry) for entry in value) + "]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name} = {_toml(entry)}" for name, entry in value.items()) + "}"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return repr(value)


# a name, a value in which a # may stand inside quotes, and what stands behind the first # outside of them
_COMMENTED = re.compile(r"""(?P<name>\w+)\s*=(?:"(?:[^"\\]|\\.)*"|'[^']*'|[^"'#])*#(?P<reason>.*)""")


def _comments(text: str) -> dict[str, str]:
    """Reasons found behind the values of a recipe file."""
    reasons, section = {}, ""
    for line in text.splitlines():
        if line.startswith("["):
            section = line.strip("[] ") + "."
        elif (match := _COMMENTED.match(line)) and match["reason"].strip():
            reasons[section + match["name"]] = match["reason"].strip()
    return reasons
