"""The sections of a recipe: frozen dataclasses, one field per choice, its meaning behind it.

A field's default is what a run gets when nobody decides; the planner decides most of them (`limner.planning.rules`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class DataPart:
    """How pictures become network input."""

    scale: float = 1.0  # working size / native size, both sides
    resize_hw: tuple[int, int] = (
        0,
        0,
    )  # every picture becomes this high and wide, whatever its shape; (0, 0) = by scale
    patch_hw: tuple[int, int] = (256, 256)  # training patch at working scale, multiples of 32
    channels: int = 3  # channels of the pictures; a network with pre-trained colour input repeats a gray one
    normalization: str = (
        "fixed"  # fixed: (x - 127) / 128 of 8 bit; unit: x / 255; percentile: each picture's own range first, as fixed
    )
    intensity_range: tuple[float, float] = (0.0, 255.0)  # native values that become 0 and 255 under "fixed" and "unit"


@dataclass(frozen=True)
class SplitPart:
    """Who trains, who chooses, who judges."""

    rule: str = "data"  # "data": given where the data bring a split, else automatic; "given"; "automatic"
    val_share: float = 0.12  # of the groups or pictures that may train
    test_share: float = 0.2  # of all, only for an automatic split
    group_by: str = ""  # pattern on the stem, "folders", "patient", "csv:FILE:COLUMN"; "" = declared or seen; "none"
    folds: int = 0  # of a cross-validation; 0 = none
    fold: int = 0  # the only one of them that is trained, from 1 on; 0 = all
    inner_val_share: float = 0.0  # of a fold's training pictures choose its weights; 0 = the held-out ones do


@dataclass(frozen=True)
class EncoderPart:
    """The half of the network that looks; architectures without an encoder of their choice ignore it."""

    name: str = "tf_efficientnet_lite0"  # any timm encoder, or "plain" for one that is described in model.options
    pretrained: bool = True
    weights: str = ""  # a local weights file (safetensors); "" = the weights that belong to the name


@dataclass(frozen=True)
class ModelPart:
    """The half of the network that draws."""

    architecture: str = "unet"  # a name from `limner models`
    decoder_widths: tuple[int, ...] = ()  # coarse to fine; () = the architecture's own
    dropout: float = 0.0  # share of channels dropped before the last layer
    options: Mapping[str, Any] = field(default_factory=dict)  # further arguments of the architecture's Config


@dataclass(frozen=True)
class LossPart:
    """What training makes small: the sum of the losses, each with its weight; 0 = not computed."""

    cross_entropy: float = 1.0  # binary for one map, softmax for several
    binary_cross_entropy: float = 0.0  # one yes/no question per class
    dice: float = 1.0
    generalized_dice: float = 0.0
    tversky: float = 0.0
    focal: float = 0.0
    focal_tversky: float = 0.0
    lovasz: float = 0.0
    boundary: float = 0.0
    dice_pooling: str = (
        "picture"  # of all overlap losses: batch = one for all patches of a step; picture = one for each
    )
    dice_squared: bool = False  # squares in the denominator
    class_weights: tuple[float, ...] = ()  # per class id for the cross-entropy; empty = all 1
    label_smoothing: float = 0.0  # of the cross-entropy
    tversky_alpha: float = 0.3  # weight of false positives; false negatives weigh 1 - alpha
    focal_gamma: float = 2.0
    focal_tversky_gamma: float = 0.75  # exponent of (1 - Tversky)
    deep_supervision: float = (
        0.5  # weight of each coarser output relative to the next finer one, where a network has them
    )


@dataclass(frozen=True)
class ObjectsPart:
    """How objects of one class are told apart; where the labels do not do so, `head` is none."""

    head: str = "none"  # components, watershed, flow, both or queries; none = not
    diameter: float = 0.0  # median diameter of the objects in native pixels: the unit of offsets
    reach: int = 0  # hardly any object is longer, in native pixels
    min_stuff: int = 0  # areas of stuff of fewer native pixels are void
    weight: float = 1.0  # of the maps that tell objects apart, in the loss


@dataclass(frozen=True)
class SamplingPart:
    """Which patches are shown."""

    batch: int = 8
    patches_per_image: int = 1  # in one epoch
    foreground_share: float = 0.5  # of the patches are centred near a foreground pixel, classes taken in turn


@dataclass(frozen=True)
class AugmentationPart:
    """How patches are varied; geometry is one warp of image and labels alike."""

    flip_x: bool = True
    flip_y: bool = True
    rotation_degrees: float = 180.0  # largest angle to either side
    scale_min: float = 0.7
    scale_max: float = 1.4
    perspective: float = 0.0  # largest shift of a corner, in units of the patch's side
    elastic: float = 0.0  # share of patches that are deformed by a smooth random field
    elastic_pixels: float = 8.0  # standard deviation of that field's displacement
    grid: float = 0.0  # share of patches that are deformed on a coarse grid of straight cells
    exact_share: float = (
        0.4  # of patches are neither zoomed nor turned but by right angles: no resampling, as in prediction
    )
    brightness: float = 0.2  # largest shift, in units of the full range
    contrast: float = 0.3  # largest relative change
    gamma: float = 0.3  # largest |log gamma|
    color: float = 0.0  # largest relative change of one channel
    noise: float = 0.03  # largest standard deviation, in units of the full range
    blur: float = 0.0  # share of patches that are blurred
    jpeg: float = 0.0  # share of patches that are compressed as JPEG of quality 30 to 90
    low_resolution: float = 0.0  # share of patches that are shrunk to a half to a fifth and enlarged again
    invert: bool = False  # sometimes bright becomes dark
    mosaic: float = 0.0  # share of patches that are put together from four pictures
    cutmix: float = 0.0  # share of patches in which a rectangle comes from another picture
    device: str = "auto"  # where geometry and intensities are computed: cpu, cuda, or auto = where the network is


@dataclass(frozen=True)
class OptimizerPart:
    """How weights are changed."""

    name: str = "adamw"  # adamw, adam, sgd or rmsprop
    learning_rate: float = 1e-3
    encoder_rate: float = 0.3  # learning rate of a pre-trained encoder relative to the rest
    weight_decay: float = 0.01
    momentum: float = 0.9  # of sgd and rmsprop
    nesterov: bool = False  # of sgd
    epsilon: float = 1e-8  # of adam, adamw (beside the root) and rmsprop (under it)
    rho: float = 0.9  # of rmsprop: decay of the mean square per step
    clip_norm: float = 5.0  # 0 = no clipping
    accumulate: int = 1  # patches of a step are computed in so many parts, one after the other
    ema: float = 0.0  # decay of the averaged weights per step; 0 = none
    precision: str = "auto"  # auto, float32 or bfloat16
    compile: bool = False  # torch.compile: minutes at the start, quicker steps on a GPU


@dataclass(frozen=True)
class SchedulePart:
    """How long, and how fast at which step."""

    budget: str = "10m"  # a duration, or "none"
    epochs: int = 0  # 0 = as many as the budget holds
    steps: int = 0  # 0 = from budget or epochs; written into a run when the budget was measured
    revisions: tuple[
        tuple[int, int], ...
    ] = ()  # (step, new total): where a run had to shorten or lengthen its schedule
    curve: str = "cosine"  # cosine, constant, poly, one_cycle or plateau
    floor: float = 0.01  # last learning rate relative to the peak; the least under plateau
    poly_power: float = 0.9
    plateau_patience: int = 5  # validations without a better one before the learning rate falls
    plateau_factor: float = 0.5
    warmup_steps: int = 30
    validations: int = 8  # how many, evenly over the schedule; fewer in a run when they would take too long
    patience: int = 0  # stop after so many validations without a better one; 0 = never
    keep_top: int = 0  # also keep the weights of so many of the best validations


@dataclass(frozen=True)
class InferencePart:
    """How pictures are predicted."""

    tile: int = 0  # side of a tile in input pixels; 0 = whole picture where it fits
    overlap: float = 0.25  # of a tile's side
    threshold: float = 0.5
    flips: str = ""  # average over copies mirrored along x, y or both ("xy"); "" = none
    postprocess: str = "none"  # chosen: rules for parts, holes and threshold that better the validation pictures
