"""How good are affine maps that a matrix made from another network's? Scores at test points, and explained variance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reluatlas.analysis.maps.gram import in_blocks
from reluatlas.analysis.maps.rows import MapRows, block_size, blocks
from reluatlas.analysis.similarity.baselines import predictions
from reluatlas.progress import Staged
from reluatlas.typing import FloatArray


@dataclass(frozen=True, eq=False)
class MappedScore:
    """What mapped affine maps say at the test points.

    Attributes
    ----------
    accuracy : float
        Share of the test points whose label has the largest score; NaN without labels.
    n_correct : int
        Number of these points; -1 without labels.
    agreement : float
        Share of the test points where the largest score is the target network's own.
    predictions : ndarray of int, shape (N,)
        Output of the largest score at each test point.
    r2 : ndarray, shape (m,)
        Per output, R^2 of the mapped vectors on the test points: 1 - (squared error) / (squared deviation of the
        target's vectors from their mean), for each coordinate alone, then averaged over the coordinates, as
        `sklearn.metrics.r2_score` does. A constant coordinate counts 1 where it is met exactly and 0 otherwise.
    r2_total : ndarray, shape (m,)
        The same of the sums over all coordinates: each coordinate weighs as much as it varies.
    r2_uncentered : ndarray, shape (m,)
        1 - (squared error) / (squares of the target's vectors), summed over all coordinates, no mean taken off.
    """

    accuracy: float
    n_correct: int
    agreement: float
    predictions: NDArray[np.int64]
    r2: FloatArray
    r2_total: FloatArray
    r2_uncentered: FloatArray


@dataclass(frozen=True, eq=False)
class RankScores:
    """What the best mapping of each rank says at the test points.

    Attributes
    ----------
    ranks : ndarray of int, shape (k,)
    accuracy, agreement : ndarray, shape (k,)
    r2_total : ndarray, shape (k, m)
    """

    ranks: NDArray[np.int64]
    accuracy: FloatArray
    agreement: FloatArray
    r2_total: FloatArray


Mapping = list[FloatArray]
"""Per output, the matrix T that takes a row vector of one network to one of the other."""


def evaluate(
    source: MapRows,
    target: MapRows,
    mappings: Sequence[Mapping],
    directions: Mapping | None,
    ranks: NDArray[np.int64],
    X: NDArray,
    labels: NDArray[np.int64] | None,
    expected: NDArray[np.int64],
    with_bias: bool,
    *,
    jobs: int | None = None,
    progress: Staged | None = None,
) -> tuple[list[MappedScore], RankScores | None]:
    """Return the score of each mapping, and that of the first one cut to each rank along `directions`.

    `expected` are the target network's own predictions at the points `X`.
    """
    n, m = source.n_maps, source.n_outputs
    width = source.n_inputs + with_bias
    many = len(mappings)
    scores = np.zeros((many, n, m))
    errors = np.zeros((many, m, width))
    sums, squares = np.zeros((m, width)), np.zeros((m, width))
    origin = np.stack([target.vectors(slice(0, 1), c)[0, :width] for c in range(m)])
    cut_scores = np.zeros((ranks.size, n, m))
    gains = np.zeros((m, int(ranks.max(initial=0))))

    def work(block: slice, output: int) -> None:
        points = X[block].astype(np.float64)
        if with_bias:
            points = np.concatenate([points, np.ones((points.shape[0], 1))], axis=1)
        vectors, wanted = source.vectors(block, output)[:, :width], target.vectors(block, output)[:, :width]
        for k, mapping in enumerate(mappings):
            made = vectors @ mapping[output]
            scores[k, block, output] = np.einsum("ij,ij->i", made, points)
            if k == 0 and directions is not None:
                V = directions[output]
                along = made @ V
                running = np.cumsum(along * (points @ V), axis=1)
                at = np.minimum(ranks, V.shape[1]) - 1
                cut_scores[:, block, output] = running[:, at].T if V.shape[1] else 0.0
                gains[output, : V.shape[1]] += np.einsum("ij,ij->j", along, 2 * (wanted @ V) - along)
            made -= wanted
            errors[k, output] += np.einsum("ij,ij->j", made, made)
        wanted = wanted - origin[output]
        sums[output] += wanted.sum(axis=0)
        squares[output] += np.einsum("ij,ij->j", wanted, wanted)

    size = block_size(4 * width)
    in_blocks(work, n, size, m, jobs=jobs, progress=progress, stage="test points")
    spread = np.maximum(squares - sums**2 / n, 0.0)
    spread[spread <= 4 * np.finfo(np.float64).eps * squares] = 0.0
    norms = squares + 2 * origin * sums + n * origin**2
    made = []
    for k in range(many):
        chosen = predictions(scores[k])
        error, varied, square = (v.sum(axis=1) for v in (errors[k], spread, norms))
        count = -1 if labels is None else int((chosen == labels).sum())
        made.append(
            MappedScore(
                count / n if count >= 0 else float("nan"), count, float((chosen == expected).mean()), chosen,
                _r2(errors[k], spread, norms).mean(axis=1), _r2(error, varied, square), _r2(error, square, square),
            )
        )  # fmt: skip
    if directions is None:
        return made, None
    picked = [predictions(s) for s in cut_scores]
    right = [np.nan if labels is None else float((p == labels).mean()) for p in picked]
    left = norms.sum(axis=1)[:, None] - np.cumsum(gains, axis=1)[:, ranks - 1]
    by_rank = np.stack([_r2(left[:, i], spread.sum(axis=1), norms.sum(axis=1)) for i in range(ranks.size)])
    return made, RankScores(ranks, np.array(right), np.array([float((p == expected).mean()) for p in picked]), by_rank)


def own_predictions(maps: MapRows, X: NDArray) -> NDArray[np.int64]:
    """Return what the network itself predicts at the points where its maps were taken."""
    scores = np.zeros((maps.n_maps, maps.n_outputs))
    for block in blocks(maps.n_maps, block_size(maps.n_features)):
        points = X[block].astype(np.float64)
        for c in range(maps.n_outputs):
            vectors = maps.vectors(block, c)
            scores[block, c] = np.einsum("ij,ij->i", vectors[:, :-1], points) + vectors[:, -1]
    return predictions(scores)


def _r2(errors: FloatArray, spread: FloatArray, norms: FloatArray) -> FloatArray:
    # An error within rounding of the numbers themselves is none.
    exact = errors <= 1e-24 * norms
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(spread > 0, 1 - errors / np.where(spread > 0, spread, 1), np.where(exact, 1.0, 0.0))
