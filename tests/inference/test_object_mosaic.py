"""Known cells, tiled to a mosaic, come out of bands and windows as they went in: none cut at a line, none counted twice."""

from pathlib import Path

import numpy as np
import pytest
from benchmarks.huge_objects import SPACE, cuts, head_of, mosaic, perfect_maps

from limner.inference.object_bands import object_rows
from limner.inference.object_columns import by_columns
from limner.inference.object_runs import pair_counts
from limner.inference.objects import ObjectDecoder

NUCLEI = Path(__file__).parents[3] / "shared/data/nuclei_dsb2018"
needs_nuclei = pytest.mark.skipif(not (NUCLEI / "instances").is_dir(), reason="the nuclei are not there")


@needs_nuclei
@pytest.mark.parametrize(("decoder", "is_exact"), [("centres", True), ("watershed", False)])
def test_no_cell_is_cut_at_the_lines_of_bands_and_windows(decoder, is_exact):
    squares = mosaic(NUCLEI, 1000, width=1250)
    head = head_of(decoder, squares.ids)
    parts = [perfect_maps(ids, head) for ids in squares.ids]
    decode = ObjectDecoder(SPACE, head, 0.5)
    narrow = by_columns(decode, reach=head.reach, columns=230)
    ids, lines, count = [], set(), 0
    for rows in object_rows(squares.rows(parts), narrow, size_hw=squares.size_hw, reach=head.reach, band_rows=130):
        ids.append(rows.ids)
        lines.add(rows.state.bottom)
        count += len(rows.finished)
        assert not len(rows.joined)
    found = np.concatenate(ids)
    _, whole = decode(np.concatenate([part for _, part in squares.rows(parts)], axis=1))
    assert count == found.max() == len(whole)
    assert cuts(found, lines)[0] <= 0.5 and len(lines) > 6
    if not is_exact:  # where two cells touch, the watershed of a third one may move the border by a pixel
        assert (found != whole.ids).mean() < 1e-5
        return
    assert np.array_equal(found, whole.ids)
    truth = squares.truth()
    assert count == squares.count > 300 and np.array_equal(found > 0, truth > 0)
    assert len(pair_counts(found, truth)[0]) == count  # each object is one cell, to the pixel
