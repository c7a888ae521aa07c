"""Numbers on a grid of pixels that are weighted means of their neighbours, where some are given: a linear system, solved on arrays.

Conjugate gradients, preconditioned by one V-cycle over coarser grids. A coarse pixel stands for two by two fine ones that move
together: weights across its border add up, those inside drop out, so that every grid is a network of the same kind.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Known = npt.NDArray[np.bool_]

FEWEST = 4  # pixels of the longer side of the coarsest grid
DAMPING = 0.7  # of Jacobi's steps before and after the coarser grid
REACH = 1.5  # of the coarse answer: pixels that move together are too stiff (Braess 1995, doi:10.1007/BF02238488)
MOST_ROUNDS = 500
TOLERANCE = 3e-5  # by how much a pixel may differ from the mean of its neighbours


@dataclass(frozen=True)
class Network:
    """Weights between neighbours; ``degree x - sum of weight x neighbour`` is the flow out of a pixel.

    Parameters
    ----------
    along_x, along_y : ``(H, W - 1)`` and ``(H - 1, W)`` float64, of steps to the right and down, >= 0.
    degree : ``(H, W)`` sum of the weights of a pixel, those to given pixels included; 0 at pixels that are left alone.
    """

    along_x: Floats
    along_y: Floats
    degree: Floats

    def flow(self, x: Floats) -> Floats:
        """Out of each pixel of ``(H, W)``."""
        out = self.degree * x
        out[:, 1:] -= self.along_x * x[:, :-1]
        out[:, :-1] -= self.along_x * x[:, 1:]
        out[1:] -= self.along_y * x[:-1]
        out[:-1] -= self.along_y * x[1:]
        return np.asarray(out)

    def jacobi(self, flow: Floats) -> Floats:
        """What each pixel would have to change by, were it alone; 0 where it is left alone."""
        return np.divide(flow, self.degree, out=np.zeros_like(flow), where=self.degree > 0)

    def coarser(self) -> Network:
        """The network of blocks of two by two pixels; single rows and columns at the end are blocks as well."""
        height, width = self.degree.shape
        inside = np.zeros((height, width))  # each weight inside of a block counts at both ends
        inside[:, : width // 2 * 2 : 2] += 2 * self.along_x[:, ::2]
        inside[: height // 2 * 2 : 2] += 2 * self.along_y[::2]
        return Network(
            np.add.reduceat(self.along_x[:, 1::2], np.arange(0, height, 2), axis=0),
            np.add.reduceat(self.along_y[1::2], np.arange(0, width, 2), axis=1),
            np.maximum(add_blocks(self.degree - inside), 0.0),
        )


def add_blocks(values: Floats) -> Floats:
    """Sums of blocks of two by two; ``(H, W)`` to ``(ceil(H / 2), ceil(W / 2))``."""
    height, width = values.shape
    rows = np.add.reduceat(values, np.arange(0, height, 2), axis=0)
    return np.asarray(np.add.reduceat(rows, np.arange(0, width, 2), axis=1))


def v_cycle(grids: list[Network], flow: Floats) -> Floats:
    """About what has to change to bring about `flow`: damped steps on each grid, the coarser ones in between."""
    grid = grids[0]
    change = DAMPING * grid.jacobi(flow)
    if len(grids) > 1:
        rest = flow - grid.flow(change)
        coarse = v_cycle(grids[1:], add_blocks(rest))
        height, width = flow.shape
        change = change + REACH * np.repeat(np.repeat(coarse, 2, axis=0), 2, axis=1)[:height, :width]
    return np.asarray(change + DAMPING * grid.jacobi(flow - grid.flow(change)))


def fill_harmonic(along_x: Floats, along_y: Floats, start: Floats, known: Known) -> Floats:
    """Every pixel the weighted mean of its neighbours, but for those that are given.

    Parameters
    ----------
    along_x, along_y : weights of steps to the right ``(H, W - 1)`` and down ``(H - 1, W)``, > 0.
    start : ``(H, W)`` float64; given values, and a guess elsewhere.
    known : ``(H, W)`` bool, where values are given; at least one.

    Returns
    -------
    ``(H, W)`` float64.

    References
    ----------
    Hestenes, Stiefel 1952, doi:10.6028/jres.049.044; Tatebe 1993, The multigrid preconditioned conjugate gradient method, 6th
    Copper Mountain Conference on Multigrid Methods.
    """
    degree = np.zeros(start.shape)
    degree[:, 1:] += along_x
    degree[:, :-1] += along_x
    degree[1:] += along_y
    degree[:-1] += along_y
    residual = np.where(known, 0.0, -Network(along_x, along_y, degree).flow(start))
    free = ~known
    grids = [Network(along_x * (free[:, 1:] & free[:, :-1]), along_y * (free[1:] & free[:-1]), degree * free)]
    while max(grids[-1].degree.shape) > FEWEST:
        grids.append(grids[-1].coarser())
    x = start
    step, product = np.zeros_like(x), 1.0
    for _ in range(MOST_ROUNDS):
        if float(np.abs(grids[0].jacobi(residual)).max()) <= TOLERANCE:
            break
        scaled = v_cycle(grids, residual) * free
        last, product = product, float((residual * scaled).sum())
        step = scaled + product / last * step
        flow = grids[0].flow(step)
        length = product / float((step * flow).sum())
        x = x + length * step
        residual = residual - length * flow
    return np.asarray(x)
