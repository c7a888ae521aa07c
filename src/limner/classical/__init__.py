"""Methods without training: from the brightness of a picture to object and background."""

from __future__ import annotations

from limner.classical.edges import canny_mask, sobel_mask
from limner.classical.fuzzy_cmeans import fuzzy_cmeans_mask, fuzzy_level_set_mask
from limner.classical.region_growing import region_growing_mask
from limner.classical.segmenter import ClassicalSegmenter
from limner.classical.threshold import adaptive_mask, multi_otsu_mask, otsu_mask
from limner.classical.watershed import watershed_mask

METHODS: dict[str, ClassicalSegmenter] = {
    method.name: method
    for method in (
        ClassicalSegmenter("otsu", otsu_mask, "one threshold: Otsu 1979, doi:10.1109/TSMC.1979.4310076"),
        ClassicalSegmenter(
            "multi-otsu", multi_otsu_mask, "several thresholds: Otsu 1979; Liao, Chen, Chung 2001, J. Inf. Sci. Eng. 17"
        ),
        ClassicalSegmenter(
            "adaptive",
            adaptive_mask,
            "local threshold: Niblack 1986; Bradley, Roth 2007, doi:10.1080/2151237X.2007.10129236",
        ),
        ClassicalSegmenter("sobel", sobel_mask, "regions between edges: Sobel, Feldman 1968; Duda, Hart 1973"),
        ClassicalSegmenter("canny", canny_mask, "regions between edges: Canny 1986, doi:10.1109/TPAMI.1986.4767851"),
        ClassicalSegmenter(
            "watershed",
            watershed_mask,
            "flooding from markers: Beucher, Lantuejoul 1979; Meyer 1994, doi:10.1016/0165-1684(94)90060-4",
        ),
        ClassicalSegmenter(
            "region-growing", region_growing_mask, "growing from seeds: Adams, Bischof 1994, doi:10.1109/34.295913"
        ),
        ClassicalSegmenter(
            "fuzzy-cmeans", fuzzy_cmeans_mask, "soft clusters: Bezdek 1981, doi:10.1007/978-1-4757-0450-1"
        ),
        ClassicalSegmenter(
            "fuzzy-cmeans-levelset",
            fuzzy_level_set_mask,
            "soft clusters, then a moving contour: Li et al. 2011, doi:10.1016/j.compbiomed.2010.10.007",
        ),
    )
}
