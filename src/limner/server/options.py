"""What a request may ask of a model, and the segmenter that does it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import cv2
import numpy as np

from limner.core.bundle import InputContract
from limner.core.labels import Labels
from limner.core.object_head import QUERIES
from limner.core.protocols import Segmenter
from limner.inference.postprocess import RuledSegmenter
from limner.inference.segmenter import NetworkSegmenter
from limner.metrics.calibration import apply_temperature
from limner.server.loaded import Loaded
from limner.server.refused import Refused


@dataclass(frozen=True)
class Options:
    """Wishes of one request; those that are left out follow the model's own choice.

    Parameters
    ----------
    threshold : score in [0, 1], as it is handed out, above which a pixel is foreground; models of two classes only.
    min_area : objects, and connected patches of classes without objects, with fewer pixels become background.
    tta : average over mirrored copies.
    tile : side of a tile in input pixels, at least 32.
    scores : the answer carries scores.
    """

    threshold: float | None = None
    min_area: int = 0
    tta: bool = False
    tile: int | None = None
    scores: bool = False


def segmenter_for(loaded: Loaded, options: Options) -> Segmenter:
    """The model's segmenter, changed as `options` ask; weights are shared.

    Raises
    ------
    Refused : 422; an option that this model has not.
    """
    network = network_of(loaded.segmenter)
    asked = [name for name in ("threshold", "tta", "tile") if getattr(options, name) not in (None, False)]
    asked += ["scores"] if options.scores else []
    if not asked:
        return loaded.segmenter
    if network is None:
        raise Refused(
            422, "option", f"{asked[0]} is asked of '{loaded.name}', which is no single network and has no such option"
        )
    contract = network.contract
    _refuse_without_effect(loaded, contract, options)
    if options.threshold is not None:
        if len(loaded.label_space) != 2:
            raise Refused(
                422, "option", f"threshold is for two classes; the {len(loaded.label_space)} classes of '{loaded.name}' "
                "compete for each pixel",
            )  # fmt: skip
        contract = dataclasses.replace(contract, threshold=as_given(options.threshold, contract.temperature))
    if options.tile is not None:
        contract = dataclasses.replace(contract, tile=options.tile)
    if options.tta:
        if not loaded.mirrored:
            raise Refused(422, "option", f"tta is asked of '{loaded.name}', which saw no mirrored pictures in training")
        contract = dataclasses.replace(contract, flips=loaded.mirrored)
    changed = dataclasses.replace(network, contract=contract, keep_scores=network.keep_scores or options.scores)
    if isinstance(loaded.segmenter, RuledSegmenter):
        return dataclasses.replace(loaded.segmenter, inner=changed)
    return changed


def _refuse_without_effect(loaded: Loaded, contract: InputContract, options: Options) -> None:
    """Refuse what would leave the answer as it is.

    Raises
    ------
    Refused : 422; a tile of pictures that come at one size, mirrored copies or a threshold of masks that queries decide.
    """
    has_queries = contract.objects is not None and contract.objects.head == QUERIES
    found = ""
    if options.tile is not None and any(contract.resize_hw):
        found = f"tile is asked of '{loaded.name}', which sees whole pictures, brought to one size"
    elif options.tta and has_queries:
        found = f"tta is asked of '{loaded.name}', which answers queries: those of mirrored copies have no mean"
    elif options.threshold is not None and has_queries and loaded.label_space.things:
        found = f"threshold is asked of '{loaded.name}', whose queries decide which pixels are foreground"
    if found:
        raise Refused(422, "option", found)


def as_given(threshold: float, temperature: float) -> float:
    """A threshold of the scores that are handed out, which are calibrated, as one of scores as the network gives them.

    Examples
    --------
    >>> as_given(0.5, 3.0), round(as_given(0.9, 0.5), 3), as_given(1.0, 0.5)
    (0.5, 0.75, 1.0)
    """
    if temperature == 1 or not 0 < threshold < 1:
        return threshold
    return float(apply_temperature(np.array([[threshold]]), 1 / temperature)[0, 0])


def network_of(segmenter: Segmenter) -> NetworkSegmenter | None:
    """The single network of a segmenter, below the rules that its labels obey; None where there is none."""
    inner = segmenter.inner if isinstance(segmenter, RuledSegmenter) else segmenter
    return inner if isinstance(inner, NetworkSegmenter) else None


def drop_small(labels: Labels, min_area: int) -> Labels:
    """`labels` ``(H, W)`` without 8-connected patches of one class that have fewer than `min_area` pixels.

    Examples
    --------
    >>> drop_small(np.array([[1, 0, 2], [1, 0, 0]], np.uint8), 2).tolist()
    [[1, 0, 0], [1, 0, 0]]
    """
    if min_area < 2:
        return labels
    kept = labels.copy()
    for index in np.unique(labels).tolist():
        if index == 0:
            continue
        count, patches, stats, _ = cv2.connectedComponentsWithStats((labels == index).astype(np.uint8), connectivity=8)
        small = stats[:count, cv2.CC_STAT_AREA] < min_area
        small[0] = False
        kept[small[patches]] = 0
    return kept
