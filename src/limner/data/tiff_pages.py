"""The pages of a TIFF file that somebody else may have damaged or made up: no endless chains, no pixels beyond the end."""

from __future__ import annotations

import tifffile


def all_series(file: tifffile.TiffFile) -> list[tifffile.TiffPageSeries]:
    """The pictures of a TIFF; a chain of directories that leads back into itself ends where it does."""
    len(file.pages)  # follows the chain and finds such a loop; `series` alone would go round in it for ever
    return list(file.series)


def check_whole(file: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> None:
    """Refuse a file that ends before its pixels do; some decoders fill up the rest of a cut strip.

    Raises
    ------
    ValueError : a strip or tile lies beyond the end.
    """
    size = file.filehandle.size
    for page in series.pages:
        if page is not None and any(
            at + n > size for at, n in zip(page.dataoffsets, page.databytecounts, strict=False)
        ):
            raise ValueError("the file ends before its pixels do")
