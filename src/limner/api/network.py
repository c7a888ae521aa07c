"""Between recipe, network and bundle: what training and prediction must agree on."""

from __future__ import annotations

import dataclasses
import math
import shutil
import statistics
from collections.abc import Callable
from typing import Any

import numpy as np
from torch import nn

from limner.api.run_folder import RunFolder
from limner.core.bundle import Bundle, InputContract
from limner.core.files import write_atomic
from limner.core.labels import LabelSpace
from limner.core.object_head import FIRST_DECODER, ObjectHead, working_diameter
from limner.core.recipe import Recipe
from limner.data.dataset import Dataset, Item
from limner.data.splits import Split
from limner.evaluation.evaluate import Scorer
from limner.inference.query_segmenter import make_segmenter
from limner.metrics.instance import f1_at_iou
from limner.metrics.matching import Overlaps, count_overlaps, join
from limner.models import PLAIN, build, config_fields
from limner.models.encoder import load_pretrained
from limner.models.query_masks import QueryMasks
from limner.runtimes.pytorch import TorchPredictor
from limner.training.checkpoint import Progress
from limner.training.loop import Validation, seed_step

# of validation pictures in memory, labels included: 400 million pixels of 8 bits in three colours
KEPT_BYTES = 1_600_000_000


def make_network(recipe: Recipe, label_space: LabelSpace) -> tuple[nn.Module, dict[str, Any], tuple[str, ...]]:
    """The network, the arguments that build it again, and the licences of its first weights."""
    config = model_arguments(recipe)
    pretrained = recipe.encoder.pretrained and "encoder" in config and config["encoder"] != PLAIN
    channels = 3 if pretrained and recipe.data.channels == 1 else recipe.data.channels
    seed_step(recipe.seed, -1)
    maps = input_contract(recipe).num_maps(label_space)
    network = build(recipe.model.architecture, config, channels=channels, maps=maps)
    licences: tuple[str, ...] = ()
    if isinstance(network, QueryMasks):
        network.things = label_space.thing_ids
        return network, {"channels": channels, "maps": maps, **network.arguments}, network.licences
    if pretrained:
        licences = (load_pretrained(network.encoder, recipe.encoder.name, weights=recipe.encoder.weights),)  # type: ignore[arg-type]
    return network, {"channels": channels, "maps": maps, **config}, licences


def model_arguments(recipe: Recipe) -> dict[str, Any]:
    """Arguments of the architecture's Config that the recipe gives: encoder, decoder_widths and dropout where it has them,
    then `model.options`, which win.
    """
    part = recipe.model
    known = config_fields(part.architecture)
    given: dict[str, Any] = {"encoder": recipe.encoder.name, "dropout": part.dropout}
    if recipe.encoder.pretrained and recipe.encoder.weights:
        given["weights"] = recipe.encoder.weights
    if part.decoder_widths:
        given["decoder_widths"] = list(part.decoder_widths)
    chosen = {name: value for name, value in given.items() if name in known}
    return chosen | {name: list(v) if isinstance(v, tuple) else v for name, v in part.options.items()}


def input_contract(recipe: Recipe) -> InputContract:
    """How pictures have to be fed to a network of this recipe."""
    data, inference = recipe.data, recipe.inference
    return InputContract(
        channels=data.channels,
        scale=data.scale,
        resize_hw=data.resize_hw,
        normalization=data.normalization,
        intensity_range=data.intensity_range,
        tile=inference.tile,
        overlap=inference.overlap,
        flips=inference.flips,
        threshold=inference.threshold,
        objects=object_head(recipe),
    )


def object_head(recipe: Recipe) -> ObjectHead | None:
    """What tells objects apart before anything is chosen on validation pictures; None where the recipe wants no objects."""
    part = recipe.objects
    if part.head == "none":
        return None
    return ObjectHead(
        head=part.head,
        decoder=FIRST_DECODER[part.head],
        diameter=working_diameter(part.diameter, recipe.data.scale),
        reach=part.reach or 256,
        min_stuff=part.min_stuff,
    )


def make_validation(
    dataset: Dataset, items: tuple[Item, ...], recipe: Recipe, *, channels: int, bfloat16: bool
) -> Callable[[nn.Module], Validation]:
    """A function that scores a module on whole validation pictures at native size, with the code of ``evaluate``.

    The pictures are kept decoded unless they fill more than `KEPT_BYTES` together.
    """
    contract = dataclasses.replace(input_contract(recipe), flips="")  # mirrored copies would cost steps
    counts_objects = contract.objects is not None and contract.objects.head != "components"
    kept = [dataset.load(item) for item in items] if _decoded_bytes(dataset, items) <= KEPT_BYTES else None

    def validate(module: nn.Module) -> Validation:
        segmenter = make_segmenter(TorchPredictor(module, bfloat16=bfloat16), contract, dataset.label_space, channels)
        scorer = Scorer(dataset.label_space)
        tables: list[Overlaps] = []
        for sample in kept or map(dataset.load, items):
            assert sample.labels is not None
            found = segmenter.segment(sample)
            scorer.add(sample.name, found.labels, sample.labels, sample.valid)
            if counts_objects and found.objects is not None and sample.objects is not None:
                tables.append(count_overlaps(found.objects, sample.objects, valid=sample.valid))
        value = scorer.macro_dice()
        scores = {"val_dice": value, "val_foreground_dice": scorer.foreground_dice()}
        if not tables:
            return Validation("val_dice", value, scores, scorer.silent_classes(), scorer.picture_dice())
        pictures = tuple((f1_at_iou(one) + f1_at_iou(one, iou=0.75)) / 2 for one in tables)
        scores["val_f1_at_iou"], known = f1_at_iou(join(tables)), [one for one in pictures if not math.isnan(one)]
        scores["val_objects"] = statistics.fmean(known) if known else math.nan
        return Validation("val_objects", scores["val_objects"], scores, scorer.silent_classes(), pictures)

    return validate


def _decoded_bytes(dataset: Dataset, items: tuple[Item, ...]) -> int:
    """What pictures and their labels fill, decoded; a gray picture among colour pictures is repeated for each colour."""
    total = 0
    for item in items:
        if item.name in dataset.facts:
            header = dataset.facts[item.name].header
            channels = 3 if header.channels == 1 and dataset.channels == 3 else header.channels
            total += math.prod(header.size_hw) * (channels * np.dtype(header.dtype).itemsize + 1)
    return total


def write_bundle(
    folder: RunFolder,
    dataset: Dataset,
    split: Split,
    recipe: Recipe,
    progress: Progress,
    *,
    arguments: dict[str, Any],
    licences: tuple[str, ...],
) -> None:
    """The best weights and all that is needed to use them."""
    import limner

    folder.model.mkdir(parents=True, exist_ok=True)
    bundle = Bundle(
        folder=folder.model,
        architecture=recipe.model.architecture,
        arguments=arguments,
        label_space=dataset.label_space,
        contract=input_contract(recipe),
        training={
            "limner": limner.__version__,
            "data": dataset.root.name,
            "data_checksum": dataset.checksum,
            "split_checksum": split.checksum,
            "pictures": split.counts(),
            "seed": recipe.seed,
            "steps": progress.step,
            "best": progress.best_as_json(),
            "precision": recipe.optimizer.precision,
            "mirrored": "x" * recipe.augmentation.flip_x + "y" * recipe.augmentation.flip_y,
            **({} if dataset.spacing is None else {"spacing_mm": list(dataset.spacing)}),
        },
        licences=licences,
    )
    write_atomic(bundle.weights, lambda temporary: shutil.copyfile(folder.checkpoints / "best.safetensors", temporary))
    bundle.save()
