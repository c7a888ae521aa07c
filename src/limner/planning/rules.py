"""One function per decision: facts in, value and reason out. No rule knows a data set by name or exact size.

The numbers are judgements tried on about a dozen public sets (`docs/explanation/planner.md`); each can be overruled in the recipe.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from limner.core.sides import sided_names
from limner.data.fingerprint import Fingerprint
from limner.planning.memory import BYTES_PER_PIXEL, Machine
from limner.planning.object_rules import choose_diameter, choose_head, choose_min_stuff, choose_reach

MULTIPLE = 32  # the encoder halves five times
DETAIL_PIXELS = 14.0  # wanted width at working scale of objects that a quarter of the pictures' area is thinner than,
THINNEST_PIXELS = 4.0  # and of those that a tenth is thinner than
RARE = 0.002  # classes with a smaller share of the pixels do not decide the scale where there are others
NEARLY_WHOLE = 0.85  # a scale between this and its inverse is not worth the blur
LARGEST_SCALE = 1.5  # objects of a few pixels are enlarged, as far as the budget allows
FLIP_AREA = 300_000  # working pixels up to which a picture is also predicted mirrored
VIEWS = 50  # wanted number of times that every picture is seen
DETAIL_VIEWS = 10  # the same where detail forbids to shrink
SMALLEST_AREA = 192 * 256
PATCH_AREA = 256 * 256
STEPS = 600  # wanted optimizer steps before batches grow
SHORTEST_WARMUP = 9
WHOLE_AREA = 112_000  # up to this many working pixels the patch is the whole picture
UPRIGHT = 0.35
SIDED = 0.45


@dataclass(frozen=True)
class Situation:
    """What rules may look at, and what they decided so far (`decided`, by dotted key)."""

    facts: Fingerprint
    machine: Machine
    budget_seconds: float
    num_classes: int
    class_names: tuple[str, ...]
    decided: dict[str, Any]

    @property
    def pixels(self) -> float:
        """Patch pixels that fit into the budget, validation set aside."""
        return 0.85 * self.budget_seconds * self.machine.pixels_per_second

    @property
    def working_hw(self) -> tuple[float, float]:
        """Median picture size at the decided working scale."""
        height, width = self.facts.median_hw
        scale = self.decided["data.scale"]
        return height * scale, width * scale


@dataclass(frozen=True)
class Choice:
    """A decided value and why."""

    value: Any
    reason: str


def working_scale(s: Situation) -> Choice:
    """Small enough to see every picture often, large enough for thin objects, never larger than they need."""
    height, width = s.facts.median_hw
    area = height * width
    often = math.sqrt(max(SMALLEST_AREA, s.pixels / (s.facts.num_images * VIEWS)) / area)
    affordable = max(often, math.sqrt(s.pixels / (s.facts.num_images * DETAIL_VIEWS) / area))
    seen = _widths(s)
    thin, thinnest = min((w[1] for w in seen), default=math.inf), min((w[0] for w in seen), default=math.inf)
    detail = min(max(DETAIL_PIXELS / thin, THINNEST_PIXELS / thinnest), affordable)
    scale = max(min(1.0, often), min(LARGEST_SCALE, detail))
    scale = 1.0 if NEARLY_WHOLE < scale < 1 / NEARLY_WHOLE else scale
    where = f"median picture {width} x {height}"
    if not seen:
        return Choice(round(scale, 3), f"no objects to measure; small enough to be seen often ({where})")
    kept = f"objects are {thin:.0f} px wide, the thinnest {thinnest:.0f}, and keep {thin * scale:.0f} and {thinnest * scale:.0f}"
    if detail < often:
        kept += "; smaller pictures are seen more often"
    return Choice(round(scale, 3), f"{kept} ({where})")


def _widths(s: Situation) -> list[tuple[float, ...]]:
    """Widths of the classes whose objects can be measured: of the rare ones only where all are."""
    known = [c for c in s.facts.classes if c.images and math.isfinite(c.width[0])]
    return [c.width for c in known if c.share > RARE] or [c.width for c in known]


def patch_size(s: Situation) -> Choice:
    """The whole picture where it is small, else a square of `PATCH_AREA`."""
    height, width = s.working_hw

    def up(n: float) -> int:
        return max(MULTIPLE, MULTIPLE * math.ceil((n - 4) / MULTIPLE))

    if height * width <= WHOLE_AREA:
        return Choice((up(height), up(width)), "the whole picture at working scale, in multiples of 32")
    side = int(math.sqrt(PATCH_AREA)) // MULTIPLE * MULTIPLE
    tall, wide = min(side, up(height)), min(side, up(width))
    return Choice(
        (tall, wide),
        f"pictures are {width:.0f} x {height:.0f} at working scale; patches keep the memory and the step small",
    )


def batch_size(s: Situation) -> Choice:
    """Enough steps for the budget first, then as large as useful, never beyond memory."""
    height, width = s.decided["data.patch_hw"]
    area = height * width
    wanted = s.pixels / area / STEPS
    batch = max(2, int(min(16, max(4, wanted), s.machine.largest_step // area)))
    memory = batch * area * BYTES_PER_PIXEL / 2**20
    steps = s.pixels / area / batch
    return Choice(batch, f"about {steps:.0f} steps fit into the budget; a step of {batch} needs about {memory:.0f} MiB")


def patches_per_image(s: Situation) -> Choice:
    """As many patches as cover a picture, at most 16."""
    height, width = s.working_hw
    patch = s.decided["data.patch_hw"]
    number = max(1, min(16, round(height * width / (patch[0] * patch[1]))))
    return Choice(
        number,
        "an epoch shows each picture about once, in patches" if number > 1 else "an epoch shows each picture once",
    )


def normalization(s: Situation) -> Choice:
    """Fixed range for even 8-bit photographs, each picture's own percentiles otherwise."""
    if s.facts.dtype != "uint8":
        return Choice(
            "percentile",
            f"{s.facts.dtype} pictures have no fixed range; each is stretched from its 0.5 % to its 99.9 % value",
        )
    if s.facts.exposure_spread > 0.15:
        return Choice(
            "percentile",
            f"brightness differs much between pictures (spread {s.facts.exposure_spread:.2f}); each is stretched to its own range",
        )
    return Choice("fixed", "8-bit pictures of even brightness; 0..255 as the encoder was trained on")


def channels(s: Situation) -> Choice:
    """As the pictures are."""
    if s.facts.channels == 3 and s.facts.is_gray:
        return Choice(3, "colour files that hold gray pictures; read as they are")
    return Choice(
        s.facts.channels,
        "as the pictures; the pre-trained encoder sees a gray picture in all three colours"
        if s.facts.channels == 1
        else "as the pictures",
    )


def mirror_refused(s: Situation) -> Choice | None:
    """No mirror along any axis where class names carry a side: upside down is a mirror and half a turn."""
    names = sided_names(s.class_names[1:])
    if not names:
        return None
    shown = ", ".join(f"'{name}'" for name in names[:3]) + (", ..." if len(names) > 3 else "")
    return Choice(False, f"class names tell left and right apart ({shown}); a mirrored picture would carry wrong names")


def flip_y(s: Situation) -> Choice:
    """Upside-down pictures are made only where there is no right way up and class names allow."""
    if refused := mirror_refused(s):
        return refused
    if s.facts.upright >= UPRIGHT:
        return Choice(
            False, f"the pictures have a right way up (agreement {s.facts.upright:.2f} better than upside down)"
        )
    return Choice(True, f"no preferred way up (agreement differs by {s.facts.upright:.2f})")


def flip_x(s: Situation) -> Choice:
    """Mirrored pictures are made unless left and right differ or class names say so."""
    if refused := mirror_refused(s):
        return refused
    if s.facts.sided >= SIDED:
        return Choice(False, f"left and right differ (agreement {s.facts.sided:.2f} better than mirrored)")
    return Choice(True, "left and right are alike")


def zoom(s: Situation) -> tuple[float, float]:
    """Smallest and largest zoom: the wider, the more the sizes of objects differ."""
    ratio = max((width[3] / width[0] for width in _widths(s)), default=2.0)
    return (0.6, 1.7) if ratio > 4 else (0.7, 1.4)


def zoom_out(s: Situation) -> Choice:
    """See `zoom`."""
    return Choice(
        zoom(s)[0],
        "objects differ more than fourfold in width" if zoom(s)[0] < 0.7 else "objects come in other sizes too",
    )


def zoom_in(s: Situation) -> Choice:
    """See `zoom`."""
    return Choice(zoom(s)[1], "as far as scale_min the other way")


def rotation(s: Situation) -> Choice:
    """Any angle where there is no right way up, a small one otherwise."""
    if mirror_refused(s):
        return Choice(15.0, "class names tell left and right apart; where a thing lies in the picture helps to name it")
    return (
        Choice(180.0, "no preferred way up")
        if s.decided["augmentation.flip_y"] and s.decided["augmentation.flip_x"]
        else Choice(15.0, "the pictures have a right way up")
    )


def color_change(s: Situation) -> Choice:
    """White balance differs between colour photographs, not between gray pictures."""
    return (
        Choice(0.0, "gray pictures")
        if s.facts.is_gray
        else Choice(0.1, "white balance differs between colour pictures")
    )


def foreground_share(s: Situation) -> Choice:
    """Look for objects the more, the rarer they are."""
    share = sum(c.share for c in s.facts.classes)
    value = 0.3 if share > 0.1 else 0.5 if share > 0.02 else 0.67
    return Choice(value, f"{share:.1%} of all pixels are foreground")


def class_weights(s: Situation) -> Choice:
    """Rare classes among many count more, by the square root of their rarity and at most fivefold."""
    if s.num_classes == 2:
        return Choice((), "two classes; Dice balances them")
    shares = [max(1e-6, 1 - sum(c.share for c in s.facts.classes)), *(max(c.share, 1e-6) for c in s.facts.classes)]
    middle = sorted(shares)[len(shares) // 2]
    weights = tuple(round(min(5.0, max(0.5, math.sqrt(middle / share))), 2) for share in shares)
    if max(weights) < 1.5:
        return Choice((), "classes are about equally frequent")
    return Choice(weights, "rare classes count more: square root of rarity, between 0.5 and 5")


def flips(s: Situation) -> Choice:
    """Predict small pictures mirrored as well, along the axes that training mirrors."""
    height, width = s.working_hw
    if height * width > FLIP_AREA:
        return Choice("", "pictures are large; mirrored copies would cost too much time")
    axes = "x" * s.decided["augmentation.flip_x"] + "y" * s.decided["augmentation.flip_y"]
    return Choice(
        axes,
        "pictures are small; the mean over mirrored copies is a little better"
        if axes
        else "mirrored pictures are not made",
    )


def expected_steps(s: Situation) -> float:
    """Optimizer steps that the run will take, roughly: from epochs where they are fixed, else from the budget."""
    height, width = s.decided["data.patch_hw"]
    batch = s.decided["sampling.batch"]
    by_budget = float(s.pixels / (height * width * batch))
    epochs = s.decided.get("schedule.epochs", 0)
    if not epochs:
        return by_budget
    steps = float(epochs * math.ceil(s.facts.num_images * s.decided["sampling.patches_per_image"] / batch))
    return steps if s.decided.get("schedule.budget") == "none" else min(steps, by_budget)


def warmup(s: Situation) -> Choice:
    """A few steps, fewer when time is short; at least as many as are timed before the length is known."""
    return Choice(int(min(100, max(SHORTEST_WARMUP, expected_steps(s) * 0.06))), "about 6 % of the expected steps")


def averaging(s: Situation) -> Choice:
    """Average weights over about the last twelfth of the run."""
    decay = round(min(0.999, max(0.8, 1 - 12 / max(expected_steps(s), 13))), 4)
    return Choice(decay, "weights are averaged over about a twelfth of the run, which steadies small validation sets")


def object_head(s: Situation) -> Choice:
    """See `limner.planning.object_rules.choose_head`."""
    return Choice(*choose_head(s.facts.objects, expected_steps(s)))


def object_diameter(s: Situation) -> Choice:
    """See `limner.planning.object_rules.choose_diameter`."""
    return Choice(*choose_diameter(s.facts.objects))


def object_reach(s: Situation) -> Choice:
    """See `limner.planning.object_rules.choose_reach`."""
    return Choice(*choose_reach(s.facts.objects))


def smallest_stuff(s: Situation) -> Choice:
    """See `limner.planning.object_rules.choose_min_stuff`."""
    height, width = s.facts.median_hw
    return Choice(*choose_min_stuff(s.facts.objects, s.num_classes - 1 - len(s.facts.objects), height * width))


RULES: dict[str, Callable[[Situation], Choice]] = {
    "data.scale": working_scale,
    "data.patch_hw": patch_size,
    "data.channels": channels,
    "data.normalization": normalization,
    "loss.class_weights": class_weights,
    "sampling.batch": batch_size,
    "sampling.patches_per_image": patches_per_image,
    "sampling.foreground_share": foreground_share,
    "objects.head": object_head,
    "objects.diameter": object_diameter,
    "objects.reach": object_reach,
    "objects.min_stuff": smallest_stuff,
    "augmentation.flip_x": flip_x,
    "augmentation.flip_y": flip_y,
    "augmentation.rotation_degrees": rotation,
    "augmentation.scale_min": zoom_out,
    "augmentation.scale_max": zoom_in,
    "augmentation.color": color_change,
    "optimizer.ema": averaging,
    "schedule.warmup_steps": warmup,
    "inference.flips": flips,
}

FIXED = {
    "encoder.name": "EfficientNet-Lite0: small and quick on a CPU; weights trained on ImageNet come with the installation",
    "model.architecture": "U-Net joins fine and coarse maps; the safest choice for few pictures",
    "loss.dice": "Dice counts objects as the score does, cross-entropy gives every pixel a gradient",
    "loss.dice_pooling": "scores are means over pictures; a picture with one small object counts as much as any other",
    "inference.postprocess": "labels stay as the network decides them; chosen = rules that better the validation pictures",
    "optimizer.name": "AdamW with a smaller rate for the pre-trained encoder",
}
