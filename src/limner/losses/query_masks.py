"""Set loss of query masks: each segment of a picture is matched with one query, which is told its class and its mask.

A segment is one object of a class of things, or all pixels of a class of stuff; the background is none. Queries and segments are
matched one to one at the least total cost (the Hungarian method), and with Q queries and their matched segments

    loss = 2 CE(class, "no object" weighs 0.1) + 5 BCE(mask) + 5 (1 - (2 p t + 1) / (p + t + 1))

the last two being means over matched pairs; the same three terms, the class's as minus its score, are the cost of a pair.
Carion et al. 2020, arXiv:2005.12872 (matching); Cheng et al. 2022, arXiv:2112.01527, section 3.3 (weights). The paper compares
masks at sampled points, which saves memory; here every cell of the mask's own grid is compared with the share of it that the
segment covers, so that a step has no randomness of its own.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.core.errors import MachineError, ShapeError
from limner.core.query_answer import unpack

CLASS_WEIGHT, MASK_WEIGHT, DICE_WEIGHT = 2.0, 5.0, 5.0
NO_OBJECT = 0.1
LARGEST = 1e6  # cost of a pair that is not finite, as in a run that diverges


@dataclass(frozen=True)
class Segments:
    """What one picture shows, on the grid of the masks.

    Parameters
    ----------
    classes : ``(M,)`` int64, class id - 1.
    cover : ``(M, h * w)`` float32 in [0, 1], the share of each cell's valid pixels that belongs to the segment.
    known : ``(h * w,)`` float32 in [0, 1], the share of each cell's pixels that is valid.
    """

    classes: Tensor
    cover: Tensor
    known: Tensor


def query_loss(
    packed: Tensor,
    target: Tensor,
    valid: Tensor,
    instances: Tensor,
    *,
    num_classes: int,
    things: Sequence[int] = (),
    no_object: float = NO_OBJECT,
) -> Tensor:
    """The set loss of one layer's answer.

    Parameters
    ----------
    packed : ``(N, Q, h + r, w)``, see `limner.core.query_answer`.
    target : ``(N, H, W)`` int64 class ids, 0 = background.
    valid : ``(N, H, W)`` bool; other pixels have no part in any mask.
    instances : ``(N, H, W)`` integer object ids, 0 = none; those of one picture have nothing to do with those of another. Pixels
        of a thing without an object's id (a crowd, say) count as not valid.
    num_classes : without the background.
    things : class ids whose objects are told apart; the others are stuff. An object of a class of stuff is stuff.
    no_object : weight of "no object" in the cross-entropy, >= 0.

    Returns
    -------
    Scalar, float32; 0 when no pixel is valid, with a gradient of 0. In an empty picture all queries are told that they show
    nothing. Where there are more segments than queries, those that fit worst have none.

    Raises
    ------
    ShapeError : rows do not go with the number of classes.
    MachineError : SciPy, which solves the matching, is missing.
    """
    masks, logits = (part.float() for part in unpack(packed, num_classes))
    size_hw = (masks.shape[2], masks.shape[3])
    masks = masks.flatten(2)
    # zeros that depend on the answer, so that a part without a valid pixel can be derived like any other
    class_loss, mask_loss = logits[:0].sum(), masks[:0].sum()
    weights, num_pairs = masks.new_zeros(()), 0
    told = torch.ones(num_classes + 1, device=packed.device)
    told[-1] = no_object
    for each_masks, each_logits, each_target, each_valid, each_ids in zip(
        masks, logits, target, valid, instances, strict=True
    ):
        segments = segments_of(each_target, each_valid, each_ids, size_hw, things=things)
        if not bool(segments.known.any()):
            continue
        queries, chosen = match(each_masks, each_logits, segments)
        wanted = torch.full_like(each_logits[:, 0], num_classes, dtype=torch.int64)
        wanted[queries] = segments.classes[chosen]
        class_loss = class_loss + F.cross_entropy(each_logits, wanted, weight=told, reduction="sum")
        weights = weights + told[wanted].sum()
        num_pairs += len(queries)
        if len(queries):
            entropy, dice = _pairs(each_masks[queries], segments.cover[chosen], segments.known)
            mask_loss = mask_loss + MASK_WEIGHT * entropy.sum() + DICE_WEIGHT * dice.sum()
    return CLASS_WEIGHT * class_loss / weights.clamp_min(1e-6) + mask_loss / max(1, num_pairs)


def supervised_query_loss(
    levels: Sequence[Tensor],
    target: Tensor,
    valid: Tensor,
    instances: Tensor,
    *,
    num_classes: int,
    things: Sequence[int] = (),
) -> Tensor:
    """The mean of `query_loss` over the answers of all layers, each matched by itself; arguments as there.

    The paper takes their sum; the mean asks for the same learning rate whatever the number of layers.

    Raises
    ------
    ShapeError : no answer at all.
    """
    if not levels:
        raise ShapeError("a list of no answers", expected="at least one")
    losses = [query_loss(each, target, valid, instances, num_classes=num_classes, things=things) for each in levels]
    return torch.stack(losses).mean()


def segments_of(
    target: Tensor, valid: Tensor, instances: Tensor, size_hw: tuple[int, int], *, things: Sequence[int]
) -> Segments:
    """The segments of one picture on a grid of `size_hw`; arguments are those of `query_loss` without the batch."""
    target, ids = target.long(), instances.long()
    is_thing = torch.isin(target, torch.tensor(things, dtype=torch.int64, device=target.device))
    valid = valid & ~(is_thing & (ids <= 0))
    num_ids = int(target.max()) + 1 if target.numel() else 1
    # stuff under its class id; an object under an id behind all classes, with its class, so that none has two
    keys = torch.where(is_thing, (ids * num_ids + target) + num_ids, target)
    shown, number = torch.unique(keys, return_inverse=True)
    classes = torch.where(shown < num_ids, shown, (shown - num_ids) % num_ids)
    cells = _cells(target.shape[0], target.shape[1], size_hw, target.device)
    count = size_hw[0] * size_hw[1]
    every = torch.bincount(cells.flatten(), minlength=count)
    found = torch.bincount((number * count + cells)[valid], minlength=len(shown) * count).reshape(len(shown), count)
    known = found.sum(0)
    kept = (classes > 0) & (found.sum(1) > 0)
    cover = found[kept].float() / known.clamp_min(1).float()
    return Segments(classes[kept] - 1, cover, known.float() / every.clamp_min(1).float())


@torch.no_grad()
def match(masks: Tensor, logits: Tensor, segments: Segments) -> tuple[Tensor, Tensor]:
    """The queries and the segments of the cheapest pairs, int64 indices of equal length, at most ``min(Q, M)``.

    Parameters
    ----------
    masks : ``(Q, h * w)`` logits.
    logits : ``(Q, C + 1)``.
    segments : see `segments_of`; without any, both are empty.
    """
    if not len(segments.classes):
        nothing = torch.zeros(0, dtype=torch.int64, device=masks.device)
        return nothing, nothing
    cost = -CLASS_WEIGHT * logits.softmax(1)[:, segments.classes]
    known, cover = segments.known, segments.cover
    total = known.sum()
    # BCE of logit x and truth t is softplus(x) - x t: linear in t, so all pairs are one product of matrices
    entropy = ((F.softplus(masks) @ known)[:, None] - (masks * known) @ cover.T) / total
    score = masks.sigmoid() * known
    both = score @ cover.T
    dice = 1 - (2 * both + 1) / (score.sum(1)[:, None] + (cover * known).sum(1)[None] + 1)
    cost = cost + MASK_WEIGHT * entropy + DICE_WEIGHT * dice
    rows, columns = _assign(torch.nan_to_num(cost, nan=LARGEST, posinf=LARGEST, neginf=LARGEST))
    return rows.to(masks.device), columns.to(masks.device)


def _pairs(masks: Tensor, cover: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropy and Dice loss ``(P,)`` of masks ``(P, h * w)`` with the segments that they were matched with."""
    entropy = (F.binary_cross_entropy_with_logits(masks, cover, reduction="none") * known).sum(1) / known.sum()
    score, truth = masks.sigmoid() * known, cover * known
    dice = 1 - (2 * (score * cover).sum(1) + 1) / (score.sum(1) + truth.sum(1) + 1)
    return entropy, dice


def _assign(cost: Tensor) -> tuple[Tensor, Tensor]:
    """The rows and columns of the cheapest one-to-one choice."""
    try:
        solver: Any = importlib.import_module("scipy.optimize")  # optional: the other losses do without SciPy
    except ImportError as error:
        raise MachineError(
            f"query masks need the package scipy ({error})",
            expected="it",
            where="model.architecture",
            fix="pip install scipy",
        ) from None
    rows, columns = solver.linear_sum_assignment(cost.cpu().double().numpy())
    return torch.from_numpy(rows).long(), torch.from_numpy(columns).long()


def _cells(height: int, width: int, size_hw: tuple[int, int], device: torch.device) -> Tensor:
    """``(height, width)`` the cell of the grid in which each pixel lies."""
    rows = torch.arange(height, device=device) * size_hw[0] // height
    columns = torch.arange(width, device=device) * size_hw[1] // width
    return rows[:, None] * size_hw[1] + columns[None]
