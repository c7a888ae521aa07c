"""Bands of wide pictures, decoded window by window from left to right, so that what a decoder needs does not grow with the width.

A band is taken as a picture that comes in columns; `object_rows` does the rest. What it says about objects longer than a band holds
here for objects that are wider than a window.
"""

from __future__ import annotations

import numpy as np

from limner.core.labels import Labels
from limner.core.objects import Objects
from limner.inference.object_bands import Decode, Maps, object_rows
from limner.inference.object_runs import RECORD, final_ids, renumbered

COLUMNS = 2048  # by which a window reaches farther than the one before


def by_columns(decode: Decode, *, reach: int, columns: int | None = None, join_share: float = 0.5) -> Decode:
    """A decoder of maps of any width from one that is local; see `object_rows`.

    Parameters
    ----------
    decode : maps ``(K, h, w)`` to labels and objects.
    reach : columns beside an object that it depends on.
    columns : None = `COLUMNS`, at least twice `reach`. Maps that are at most ``columns + reach`` wide are decoded as they are.

    Returns
    -------
    The decoder; its objects are numbered in the order of their first pixels, column by column.
    """
    step = max(COLUMNS, 2 * reach) if columns is None else columns

    def turned(maps: Maps) -> tuple[Labels, Objects]:
        labels, objects = decode(np.ascontiguousarray(maps.transpose(0, 2, 1)))
        return labels.T, Objects(objects.ids.T, objects.classes, objects.scores)

    def wide(maps: Maps) -> tuple[Labels, Objects]:
        height, width = maps.shape[1:]
        if width <= step + reach:
            return decode(maps)
        labels: Labels = np.zeros((height, width), np.uint8)
        ids = np.zeros((height, width), np.int32)
        found, joined, last = [np.zeros(0, RECORD)], [np.zeros((0, 2), np.int32)], 1
        for rows in object_rows(
            iter([(0, maps.transpose(0, 2, 1))]), turned, size_hw=(width, height), reach=reach, band_rows=step,
            join_share=join_share,
        ):  # fmt: skip
            if rows.labels.dtype != labels.dtype:
                labels = labels.astype(np.uint16)
            window = slice(rows.start, rows.start + len(rows.ids))
            labels[:, window], ids[:, window] = rows.labels.T, rows.ids.T
            found.append(rows.finished)
            joined.append(rows.joined)
            last = rows.state.next_id
        numbers = final_ids(last - 1, np.concatenate(joined))
        records = renumbered(np.concatenate(found), numbers)
        has_scores = not np.isnan(records["score"]).any()
        scores = records["score"].astype(np.float32) if has_scores else None
        return labels, Objects(numbers.take(ids), records["class_id"].astype(np.int32), scores)

    return wide
