"""Where do k-means centers start? At points drawn by their squared distance to those drawn before, many at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from reluatlas.analysis.maps.rows import blocks

_ROWS = 8192


def spread_points(points: NDArray[Any], k: int, rng: Generator, *, batch: int | None = None) -> NDArray[np.int64]:
    """Return the positions of k of the points, as k-means++ draws them.

    The first is drawn evenly, each later one with probability in proportion to D(x)^2, its squared distance to the
    nearest point drawn before (Arthur and Vassilvitskii, "k-means++", 2007). Candidates are drawn in batches with the
    weights w(x) of the batch's start, and then accepted one after the other with probability D(x)^2 / w(x): the ones
    accepted follow exactly the law of one draw at a time, and the distances to all points become a matrix product.
    When every point is at a center already, up to rounding, the rest are drawn evenly among the points not drawn yet.

    Parameters
    ----------
    points : ndarray, shape (n, q)
    k : int
        At most n.
    batch : int, optional
        Candidates drawn at once; an eighth of what there is by default. It changes the time, not the law.

    Returns
    -------
    ndarray of int, shape (k,)
        All different.
    """
    n = len(points)
    norms = np.einsum("ij,ij->i", points, points)
    chosen = [int(rng.integers(n))]
    weights = np.full(n, np.inf)
    _bring_closer(weights, points, norms, np.array(chosen))
    while len(chosen) < k:
        total = weights.sum()
        if not total > 0:
            rest = np.setdiff1d(np.arange(n), chosen)
            return np.concatenate([chosen, rng.choice(rest, k - len(chosen), replace=False)]).astype(np.int64)
        # few beside those that have come so far, so that few are in each other's way
        size = min(max(1, len(chosen) // 8), 512) if batch is None else batch
        drawn = np.searchsorted(np.cumsum(weights), rng.random(size) * total, side="right")
        drawn = np.minimum(drawn, n - 1)
        accepted = _accept(points[drawn], weights[drawn], rng.random(size))
        fresh = drawn[accepted][: k - len(chosen)]
        chosen.extend(int(i) for i in fresh)
        _bring_closer(weights, points, norms, fresh)
    return np.array(chosen, dtype=np.int64)


def _accept(candidates: NDArray[Any], weights: NDArray[np.float64], luck: NDArray[np.float64]) -> NDArray[np.int64]:
    norms = np.einsum("ij,ij->i", candidates, candidates)
    gaps = _gaps(candidates, norms, candidates, norms).astype(np.float64)
    now = weights.copy()
    out = []
    for i in range(len(candidates)):
        if luck[i] * weights[i] < now[i]:
            out.append(i)
            np.minimum(now, gaps[i], out=now)
    return np.array(out, dtype=np.int64)


def _bring_closer(
    weights: NDArray[np.float64], points: NDArray[Any], norms: NDArray[Any], centers: NDArray[np.int64]
) -> None:
    for block in blocks(len(points), _ROWS):
        gaps = _gaps(points[block], norms[block], points[centers], norms[centers])
        np.minimum(weights[block], gaps.min(axis=1), out=weights[block])
    weights[centers] = 0.0


def _gaps(points: NDArray[Any], norms: NDArray[Any], others: NDArray[Any], other_norms: NDArray[Any]) -> NDArray[Any]:
    # Squared distances; exactly 0 where they are rounding, else equal points would be drawn again.
    scale = norms[:, None] + other_norms
    gaps = points @ (-2 * others).T
    gaps += scale
    scale *= 8 * np.finfo(points.dtype).eps
    gaps[gaps <= scale] = 0.0
    return gaps
