"""Methods without training of weights: from the brightness or the colours of a picture to object and background."""

from __future__ import annotations

import dataclasses

from limner.classical.edges import canny_mask, sobel_mask
from limner.classical.fixed_threshold import fitting_thresholds, fixed_threshold_mask
from limner.classical.fuzzy_cmeans import fuzzy_cmeans_mask, fuzzy_level_set_mask
from limner.classical.grabcut import grabcut_mask
from limner.classical.kmeans import kmeans_mask
from limner.classical.options import POLARITY, POLARITY_OF_SEVERAL, SMOOTHING, TWO_CLASSES, Option
from limner.classical.random_walker import random_walker_mask
from limner.classical.region_growing import region_growing_mask
from limner.classical.segmenter import ClassicalSegmenter
from limner.classical.threshold import adaptive_mask, multi_otsu_mask, otsu_mask
from limner.classical.watershed import watershed_mask

TWO_SIDES = {"polarity": dataclasses.replace(POLARITY, words=TWO_CLASSES), "smoothing": SMOOTHING}
SEVERAL = {"polarity": POLARITY_OF_SEVERAL, "smoothing": SMOOTHING}
CLUSTERS = Option("number of clusters", 2, (3, 4, 5), limits=(2, 16), jointly=True)
FUZZINESS = Option("how soft clusters are; near 1 memberships become yes or no", 2.0, (1.5, 3.0), limits=(1.1, 10.0))
BRIDGE = Option("pixels by which edges are thickened to close gaps", 3, (1, 2, 5), limits=(0, 50), in_pixels=True)
SURE = Option("share of each side of Otsu's threshold that is sure", 0.5, (0.25, 0.75, 0.9), limits=(0.0, 1.0))

METHODS: dict[str, ClassicalSegmenter] = {
    method.name: method
    for method in (
        ClassicalSegmenter(
            "threshold",
            fixed_threshold_mask,
            "one number for all pictures: Prewitt, Mendelsohn 1966, doi:10.1111/j.1749-6632.1965.tb11715.x",
            own={
                **TWO_SIDES,
                "threshold": Option(
                    "in units of the full range of 8 or 16 bit; of floating point as it is",
                    0.5,
                    fitting_thresholds,
                    jointly=True,
                ),
            },
            sees="unit",
        ),
        ClassicalSegmenter("otsu", otsu_mask, "one threshold: Otsu 1979, doi:10.1109/TSMC.1979.4310076", own=TWO_SIDES),
        ClassicalSegmenter(
            "multi-otsu",
            multi_otsu_mask,
            "several thresholds: Otsu 1979; Liao, Chen, Chung 2001, J. Inf. Sci. Eng. 17",
            own={
                "classes": Option("number of classes of brightness", 3, (4, 5), limits=(2, 16), jointly=True),
                **SEVERAL,
            },
        ),
        ClassicalSegmenter(
            "adaptive",
            adaptive_mask,
            "local threshold: Niblack 1986; Bradley, Roth 2007, doi:10.1080/2151237X.2007.10129236",
            own={
                "window": Option(
                    "side in pixels of the square that is averaged; 0 = half the longer side of the picture",
                    0,
                    (15, 31, 63, 127),
                    limits=(0, 100_000),
                    jointly=True,
                    in_pixels=True,
                ),
                "offset": Option(
                    "least difference from the mean, in standard deviations",
                    0.5,
                    (0.0, 0.1, 0.25, 1.0),
                    limits=(-10.0, 10.0),
                ),
                **TWO_SIDES,
            },
        ),
        ClassicalSegmenter(
            "sobel",
            sobel_mask,
            "regions between edges: Sobel, Feldman 1968; Duda, Hart 1973",
            own={"bridge": BRIDGE, **TWO_SIDES},
        ),
        ClassicalSegmenter(
            "canny",
            canny_mask,
            "regions between edges: Canny 1986, doi:10.1109/TPAMI.1986.4767851",
            own={
                "bridge": BRIDGE,
                "low_share": Option("lower threshold relative to the upper one", 0.4, (0.2,), limits=(0.0, 1.0)),
                **TWO_SIDES,
            },
        ),
        ClassicalSegmenter(
            "watershed",
            watershed_mask,
            "flooding from markers: Beucher, Lantuejoul 1979; Meyer 1994, doi:10.1016/0165-1684(94)90060-4",
            own={
                "core": Option(
                    "depth of an object's sure part relative to its deepest pixel", 0.3, (0.1, 0.6), limits=(0, 1)
                ),
                "margin": Option(
                    "pixels between an object and sure background",
                    8.0,
                    (2.0, 4.0, 16.0),
                    limits=(0, 1e5),
                    in_pixels=True,
                ),
                **TWO_SIDES,
            },
        ),
        ClassicalSegmenter(
            "region-growing",
            region_growing_mask,
            "growing from seeds: Adams, Bischof 1994, doi:10.1109/34.295913",
            own={
                "core": Option(
                    "depth of a seed relative to the deepest pixel of its part", 0.5, (0.2, 0.8), limits=(0, 1)
                ),
                **TWO_SIDES,
            },
        ),
        ClassicalSegmenter(
            "k-means",
            kmeans_mask,
            "clusters of colour: MacQueen 1967; Lloyd 1982, doi:10.1109/TIT.1982.1056489",
            own={"clusters": CLUSTERS, **SEVERAL},
            sees="channels",
            is_slow=True,
        ),
        ClassicalSegmenter(
            "fuzzy-cmeans",
            fuzzy_cmeans_mask,
            "soft clusters: Bezdek 1981, doi:10.1007/978-1-4757-0450-1",
            own={"clusters": CLUSTERS, "fuzziness": FUZZINESS, **SEVERAL},
        ),
        ClassicalSegmenter(
            "fuzzy-cmeans-levelset",
            fuzzy_level_set_mask,
            "soft clusters, then a moving contour: Li et al. 2011, doi:10.1016/j.compbiomed.2010.10.007",
            own={
                "clusters": CLUSTERS,
                "stiffness": Option(
                    "details that are much smaller in pixels vanish",
                    2.0,
                    (1.0, 4.0),
                    limits=(0.1, 100.0),
                    in_pixels=True,
                ),
                "force": Option(
                    "of a sure pixel, relative to a region around it; above 0.5 it wins alone",
                    0.5,
                    (0.3, 1.0),
                    limits=(0, 10),
                ),
                "fuzziness": FUZZINESS,
                **SEVERAL,
            },
        ),
        ClassicalSegmenter(
            "grabcut",
            grabcut_mask,
            "mixtures of colours and a cheapest cut: Rother, Kolmogorov, Blake 2004, doi:10.1145/1015706.1015720",
            own={
                "sure": SURE,
                "rounds": Option("how often mixtures and cut are computed in turn", 3, (1, 8), limits=(1, 100)),
                **TWO_SIDES,
            },
            levels=1,
            sees="channels",
            is_slow=True,
        ),
        ClassicalSegmenter(
            "random-walker",
            random_walker_mask,
            "which seed a walk meets first: Grady 2006, doi:10.1109/TPAMI.2006.233",
            own={
                "sure": SURE,
                "beta": Option("how much edges hold a walk back", 3.0, (1.0, 10.0, 30.0), limits=(0.0, 1e6)),
                **TWO_SIDES,
            },
            levels=1,
            is_slow=True,
        ),
    )
}
