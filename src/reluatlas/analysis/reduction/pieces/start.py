"""Where does a fit start? At k-means prototypes, with a ridge regression on the points nearest to each."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reluatlas.analysis.reduction.pieces.model import choose, groups

FloatArray = NDArray[np.float64]
_BLOCK = 8192
_FULL = 200  # more prototypes are found by mini-batches
_CLUSTERED = 20_000  # k-means sees at most so many points, or 50 for each prototype


def prototype_gate(z: NDArray, k: int, random: np.random.RandomState) -> tuple[FloatArray, FloatArray]:
    """Return slopes (k', d) and offsets (k',) of the gate that picks the nearest of k' <= k k-means prototypes.

    The nearest prototype c is the one with the largest c . z - |c|^2 / 2. k' < k where fewer points differ.
    """
    from sklearn.cluster import KMeans, MiniBatchKMeans
    from sklearn.exceptions import ConvergenceWarning

    if k == 1:
        return np.zeros((1, z.shape[1])), np.zeros(1)
    size = max(_CLUSTERED, 50 * k)
    part = z if len(z) <= size else z[np.sort(random.choice(len(z), size, replace=False))]
    settings: dict[str, Any] = {"n_init": 1, "random_state": int(random.randint(2**31 - 1))}
    if k <= _FULL:
        clusters: Any = KMeans(k, max_iter=50, **settings)
    else:
        clusters = MiniBatchKMeans(k, max_iter=20, batch_size=4096, init_size=max(8192, 3 * k), **settings)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer different points than prototypes: some are equal
        centers = np.unique(clusters.fit(part).cluster_centers_.astype(np.float64), axis=0)
    return centers, -0.5 * (centers**2).sum(axis=1)


def ridge(z: NDArray, targets: NDArray, alpha: float, prior: FloatArray | None = None) -> tuple[FloatArray, FloatArray]:
    """Return A (m, d) and b (m,) that minimize sum |A z + b - t|^2 + alpha |A - prior|^2; b is free.

    Guarantees: float64, whatever the precision of the rows; the solution of the normal equations, of least norm about
    the prior where `alpha` is 0 and there are several.
    """
    d, m = z.shape[1], targets.shape[1]
    prior = np.zeros((m, d)) if prior is None else prior
    middle, level = z.mean(axis=0, dtype=np.float64), targets.mean(axis=0, dtype=np.float64)
    square, mixed = np.zeros((d, d)), np.zeros((d, m))
    for first in range(0, len(z), _BLOCK):
        rows = z[first : first + _BLOCK] - middle
        square += rows.T @ rows
        mixed += rows.T @ (targets[first : first + _BLOCK] - level - rows @ prior.T)
    square[np.diag_indices(d)] += alpha
    change = np.linalg.solve(square, mixed) if alpha > 0 else np.linalg.lstsq(square, mixed, rcond=None)[0]
    A = prior + change.T
    return A, level - A @ middle


def refit(
    z: NDArray, targets: NDArray, gate: tuple[Any, Any], alpha: float
) -> tuple[FloatArray, FloatArray, NDArray[np.intp]]:
    """Return the ridge maps (k, m, d), (k, m) on the rows that fall to each piece, and how many rows do.

    The prior of every piece is the ridge map of all rows: a piece with few rows stays near it, one with none has it.
    """
    k, d, m = len(gate[1]), z.shape[1], targets.shape[1]
    whole, level = ridge(z, targets, alpha)
    slopes, offsets, n = np.empty((k, m, d)), np.empty((k, m)), np.zeros(k, dtype=np.intp)
    slopes[:], offsets[:] = whole, level
    if k == 1:
        return slopes, offsets, np.array([len(z)])
    for j, members in groups(pieces_of(z, gate), k):
        slopes[j], offsets[j] = ridge(z[members], targets[members], alpha, whole)
        n[j] = len(members)
    return slopes, offsets, n


def pieces_of(z: NDArray, gate: tuple[Any, Any]) -> NDArray[np.intp]:
    """Return the piece of each row, block by block."""
    parts = [choose(gate[0], gate[1], z[i : i + _BLOCK].astype(np.float64)) for i in range(0, len(z), _BLOCK)]
    return np.concatenate(parts)
