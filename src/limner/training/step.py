"""One step: gradients of a batch, in one go or in parts one after the other, then the change of the weights.

A part's loss weighs as much as its share of the batch, ``sum_i n_i / n * loss_i``. For losses that are means over patches this is
the loss of the whole batch, and the gradient is the same up to rounding: cross-entropy where all pixels are valid and classes
weigh alike, and overlaps counted for each picture where each shows every class. It is another, equally fair number where

- pixels are not valid, classes have weights or are absent: a mean over what is counted is taken in each part by itself;
- overlaps are pooled over the batch (``loss.dice_pooling = "batch"``): they are pooled over each part;
- the network has batch norm: statistics are those of each part, and running means move once for each part.

The same holds for the parts that several processes compute, but for batch norm on several GPUs (`Crew.place_network`).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from limner.core.errors import MachineError
from limner.core.object_head import MAPS
from limner.core.recipe import Recipe
from limner.losses import compound_loss, supervised_loss
from limner.losses.object_maps import object_map_loss
from limner.losses.query_masks import supervised_query_loss
from limner.models.query_masks import QueryMasks
from limner.models.smp import fewest_patches
from limner.training.crops import Crops
from limner.training.distributed import Crew
from limner.training.loader import Batch, objects_to_device, to_device
from limner.training.optimize import set_rate
from limner.training.rmsprop import Tensors

WINDOWS = 12  # an average reaches back over this part of the run, as the planner's does
APART = 2_654_435_761  # between the seeds of two processes: torch looks at 32 bits only, and no run has so many steps


def seed_step(seed: int, step: int, rank: int = 0) -> None:
    """All of torch's randomness (dropout) of one step follows from (seed, step, process), so no random state has to be saved."""
    torch.manual_seed((seed * 1_000_003 + step + rank * APART) % 2**63)


def decay_after(updates: int, most: float) -> float:
    """Decay of the averaged weights after so many updates: the average reaches back over a twelfth of them until `most` holds.

    With `most` from the start, weights from before training would still make up most of the average at the end of a run that is
    shorter than ``1 / (1 - most)`` steps. The form is that of ``tf.train.ExponentialMovingAverage(num_updates=...)``.
    """
    return min(most, (1 + updates) / (WINDOWS + 1 + updates))


def make_average(model: nn.Module, decay: float) -> AveragedModel | None:
    """The exponential average of the weights, or None for a decay of 0; see `decay_after`."""
    if not decay:
        return None

    def average(averaged: Tensors, current: Tensors, updates: Tensor | int) -> None:
        get_ema_multi_avg_fn(decay_after(int(updates), decay))(averaged, current, updates)  # type: ignore[no-untyped-call]

    return AveragedModel(model, multi_avg_fn=average, use_buffers=True)


def has_levels(network: nn.Module) -> bool:
    """Whether the network was built with heads at coarser levels, which ``forward_levels`` asks and training supervises."""
    heads = getattr(network, "level_heads", None)
    return isinstance(network, QueryMasks) or (isinstance(heads, nn.ModuleList) and len(heads) > 0)


class Levels(nn.Module):
    """A network whose ``forward`` gives all levels: what wraps it (compiler, several processes) knows only ``forward``."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> list[Tensor]:
        """Logits, fine to coarse."""
        levels: list[Tensor] = self.network.forward_levels(images)  # type: ignore[operator]
        return levels


class Kept:
    """The buffers of a network (statistics of batch norm) as they were before a step that may fail half-way."""

    def __init__(self, network: nn.Module) -> None:
        self._pairs: dict[torch.dtype, tuple[list[Tensor], list[Tensor]]] = {}
        for buffer in network.buffers():
            here, kept = self._pairs.setdefault(buffer.dtype, ([], []))
            here.append(buffer)
            kept.append(buffer.detach().clone())

    def save(self) -> None:
        """Keep the buffers as they are."""
        for here, kept in self._pairs.values():
            torch._foreach_copy_(kept, here)

    def restore(self) -> None:
        """Make the buffers what they were."""
        for here, kept in self._pairs.values():
            torch._foreach_copy_(here, kept)


def most_parts(patches: int, recipe: Recipe) -> int:
    """Into how many parts a step's patches of one process can be split."""
    return max(1, patches // fewest_patches(recipe.model.architecture))


def smaller_parts(parts: int, patches: int, recipe: Recipe) -> int | None:
    """Twice as many parts, or as many as can be; None where there are as many already."""
    most = most_parts(patches, recipe)
    return min(2 * parts, most) if parts < most else None


class Learner:
    """A network on its device with its optimizer, and one step of them.

    Parameters
    ----------
    network : where `Crew.place_network` put it; its weights are changed, its names stay.
    optimizer : of its weights.
    average : of its weights, or None.
    """

    def __init__(
        self,
        crew: Crew,
        network: nn.Module,
        optimizer: torch.optim.Optimizer,
        average: AveragedModel | None,
        recipe: Recipe,
    ) -> None:
        self.crew, self.network, self.average, self.recipe = crew, network, average, recipe
        self.parts = min(recipe.optimizer.accumulate, most_parts(self.patches, recipe))
        self.supervised = has_levels(network) and recipe.loss.deep_supervision > 0
        module = Levels(network) if self.supervised else network
        if recipe.optimizer.compile:
            module = torch.compile(module)  # type: ignore[assignment]
        self.model: nn.Module
        self.optimizer: torch.optim.Optimizer
        self.model, self.optimizer = crew.fabric.setup(module, optimizer)
        self.retried = False
        self._kept = Kept(network)
        network.train()

    @property
    def patches(self) -> int:
        """Patches of a step that this process computes."""
        place = self.crew.place
        return len(range(place.rank, self.recipe.sampling.batch, place.world))

    @property
    def can_split(self) -> bool:
        """Whether a step can be computed in more parts."""
        return smaller_parts(self.parts, self.patches, self.recipe) is not None

    def gradients(self, batch: Batch | Crops, step: int) -> float:
        """Leave the gradients of a batch in the weights; returns its loss, over all processes."""
        seed_step(self.recipe.seed, step, self.crew.place.rank)
        self._kept.save()
        self.optimizer.zero_grad(set_to_none=True)
        images, target, valid = to_device(batch, self.crew.device)
        own = torch.zeros((), device=self.crew.device)
        tensors = (images, target, valid, *(objects_to_device(batch, self.crew.device) or ()))
        pieces = list(zip(*(tensor.tensor_split(self.parts) for tensor in tensors), strict=True))
        for number, piece in enumerate(pieces, 1):
            # gradients are averaged over the processes, which need not have the same number of patches
            share = len(piece[0]) * self.crew.place.world / self.recipe.sampling.batch
            with self.crew.unsynced(self.model, number < len(pieces)):
                loss = self._loss(*piece)
                if share != 1:
                    loss = loss * share
                self.crew.fabric.backward(loss)
            own += loss.detach()
        return self.crew.mean(float(own))

    def update(self, factor: float) -> None:
        """Change the weights along the gradients, `factor` times as fast as at the peak."""
        clip = self.recipe.optimizer.clip_norm
        set_rate(self.optimizer, factor)
        if clip > 0:
            self.crew.fabric.clip_gradients(self.model, self.optimizer, max_norm=clip, error_if_nonfinite=False)
        self.optimizer.step()
        if self.average is not None:
            self.average.update_parameters(self.network)

    def halve(self) -> bool:
        """Undo what failing gradients have changed and halve the parts; False where they are as small as the network allows."""
        parts = smaller_parts(self.parts, self.patches, self.recipe)
        if parts is None:
            return False
        self.parts, self.retried = parts, True
        self._kept.restore()
        self.optimizer.zero_grad(set_to_none=True)
        if self.crew.device.type == "cuda":
            torch.cuda.empty_cache()
        return True

    def _loss(
        self, images: Tensor, target: Tensor, valid: Tensor, maps: Tensor | None = None, instances: Tensor | None = None
    ) -> Tensor:
        try:
            outputs = self.model(images)
        except Exception as error:
            if type(error).__module__.startswith(("torch._dynamo", "torch._inductor")):
                said = " ".join(str(error).split()).partition(" Set TORCH")[0][:300]
                raise MachineError(
                    f"torch.compile failed: {said}",
                    expected="a compiler: g++ for a processor, Triton for a GPU",
                    where="optimizer.compile",
                    fix="install one, or --set optimizer.compile=false",
                ) from error
            raise
        levels = list(outputs) if self.supervised else [outputs]
        if isinstance(self.network, QueryMasks):
            ids = torch.zeros_like(target) if instances is None else instances
            classes, things = self.network.num_classes, self.network.things
            return supervised_query_loss(levels, target, valid, ids, num_classes=classes, things=things)
        total = torch.zeros((), device=images.device)
        names = MAPS[self.recipe.objects.head]
        if names and maps is not None and instances is not None:
            classes = levels[0].shape[1] - len(names)
            total = self.recipe.objects.weight * object_map_loss(levels[0][:, classes:], maps, instances, names=names)
            levels = [level[:, :classes] for level in levels]
        if self.supervised:
            return total + supervised_loss(levels, target, valid, self.recipe.loss)
        return total + compound_loss(levels[0], target, valid, self.recipe.loss)
