"""Are the affine maps of two networks the same set, whatever images they are at? Matched one to one by distance alone.

Nothing says which map of one network belongs to which of the other: for each output the assignment is the one with the
least sum of squared Euclidean distances. It is then scored as mapped maps are (`reluatlas.similarity`): every point
takes, for each output, the map of the other network that its own was matched with.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reluatlas.affine import AffineMaps
from reluatlas.analysis.similarity.answer import Bias
from reluatlas.deadline import look
from reluatlas.errors import DimensionError
from reluatlas.typing import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class MatchedMaps:
    """The maps of a network f, matched with those of a network g.

    Attributes
    ----------
    partner : ndarray of int, shape (m, N)
        For each output and point, the point whose map of g is the partner.
    predicted : ndarray of int, shape (N,)
        The largest output of the partners, at the points of f.
    distance : ndarray, shape (m,)
        Root of the mean squared distance of partners, for each output.
    paired_distance : ndarray, shape (m,)
        The same between maps at the same point.
    """

    partner: IntArray
    predicted: IntArray
    distance: FloatArray
    paired_distance: FloatArray

    @property
    def same_point(self) -> float:
        """Share of the maps, over outputs and points, whose partner is at the same point."""
        return float((self.partner == np.arange(self.partner.shape[1])).mean())

    @property
    def inverse(self) -> IntArray:
        """The partners of the maps of g, (m, N)."""
        return np.argsort(self.partner, axis=1)


def match_maps(f: AffineMaps, g: AffineMaps, X: NDArray, *, bias: Bias = "mapped") -> MatchedMaps:
    """Return the maps of f at some points, matched one to one with those of g at the same points.

    Parameters
    ----------
    f, g : AffineMaps
        At the same N points: `A` (N, m, *input_shape), `b` (N, m).
    X : ndarray, shape (N, *input_shape)
        The points, at which what is matched is scored; the matching does not know them.
    bias : {"mapped", "not mapped"}
        Whether constants count, in distances and scores.

    Raises
    ------
    DimensionError
        When the maps are of other shapes than each other, or than the points.

    Guarantees: the assignments are optimal for distances in float64 (SciPy's `linear_sum_assignment`), deterministic.
    Cost: for each output a table of N x N distances, and up to N^3 operations.
    """
    n, m = f.b.shape
    first, second = _rows(f, bias), _rows(g, bias)
    if first.shape != second.shape or len(X) != n:
        raise DimensionError(
            f"`f` has maps of shape {first.shape} and `g` of shape {second.shape} at {len(X)} points. Pass the maps of "
            "two networks of one kind at the same points."
        )
    partner = np.stack([partners(first[:, o], second[:, o]) for o in range(m)])
    return _answer(first, second, partner, np.asarray(X, dtype=np.float64).reshape(n, -1))


def reversed_match(f: AffineMaps, g: AffineMaps, X: NDArray, known: MatchedMaps, *, bias: Bias) -> MatchedMaps:
    """Return what `match_maps(g, f, X)` does, from the matching of f and g: the assignment is the same."""
    points = np.asarray(X, dtype=np.float64).reshape(len(X), -1)
    return _answer(_rows(g, bias), _rows(f, bias), known.inverse, points)


def scored(maps: AffineMaps, X: NDArray, partner: IntArray | None, *, bias: Bias) -> IntArray:
    """Return the largest output at points (N, ...) when each takes the maps of its partners (m, N); None: its own."""
    rows = _rows(maps, bias)
    return _predicted(rows if partner is None else _taken(rows, partner), np.asarray(X, dtype=np.float64))


def partners(first: FloatArray, second: FloatArray) -> IntArray:
    """Return for each row (N, d) the row of another table that it is assigned: the least sum of squared distances."""
    from scipy.optimize import linear_sum_assignment

    look()
    # the squares of the rows are the same in every assignment: products alone decide
    center = second.mean(axis=0)
    _, column = linear_sum_assignment((first - center) @ (second - center).T, maximize=True)
    return np.asarray(column, dtype=np.int64)


def _rows(maps: AffineMaps, bias: Bias) -> FloatArray:
    """Return the numbers of each map, (N, m, d)."""
    A = np.asarray(maps.A, dtype=np.float64)
    A = A.reshape(*A.shape[:2], -1)
    return A if bias == "not mapped" else np.concatenate([A, np.asarray(maps.b, dtype=np.float64)[:, :, None]], axis=2)


def _answer(first: FloatArray, second: FloatArray, partner: IntArray, X: FloatArray) -> MatchedMaps:
    matched = _taken(second, partner)
    distance, paired = (np.sqrt(((first - other) ** 2).sum(axis=2).mean(axis=0)) for other in (matched, second))
    return MatchedMaps(partner, _predicted(matched, X), distance, paired)


def _taken(rows: FloatArray, partner: IntArray) -> FloatArray:
    return rows[partner.T, np.arange(len(partner))[None, :]]


def _predicted(rows: FloatArray, X: FloatArray) -> IntArray:
    X = X.reshape(len(X), -1)
    if rows.shape[2] > X.shape[1]:
        X = np.column_stack([X, np.ones(len(X))])
    return np.einsum("nmd,nd->nm", rows, X).argmax(axis=1).astype(np.int64)
