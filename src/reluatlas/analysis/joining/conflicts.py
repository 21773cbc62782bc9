"""Why can two cells not share a map? Weights at points of theirs, which vanish on affine functions: a rational proof.

Two cells cannot share a map within a tolerance when some output f, at k + 2 points x_i of the two, and some weights
with `sum w_i = 0` and `sum w_i x_i = 0` have `sum w_i f(x_i) > tolerance sum |w_i|`: every affine function is zero in
such a sum, so it is farther than the tolerance from f at one of the points (duality of the Chebyshev fit [Cheney1966]).
Points are proposed by float64. Weights come from them in rational numbers, and f(x_i) with the bound on its error; the
points lie in their cells for certain, as the network has the cell's pattern there.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np

from reluatlas.analysis.joining.fit import fit_output
from reluatlas.analysis.joining.ground import Ground
from reluatlas.complexes.linear_regions import map_errors
from reluatlas.deadline import look
from reluatlas.shown import Shown
from reluatlas.typing import FloatArray, IntArray

_PULLS = 2.0 ** -np.array([44.0, 36.0, 28.0, 20.0, 12.0])
_NONE = np.zeros(0, dtype=np.int64)
_CLEAR = 1e-6  # by how much float64 must exceed a tolerance, relative to it, before a proof is tried without a program


@dataclass(frozen=True, eq=False, repr=False)
class Conflict(Shown):
    """Why two cells cannot share a map: points of theirs, and weights that are zero on every affine function.

    Attributes
    ----------
    cells : tuple of int
        The two.
    output : int
    points : ndarray, shape (p, k)
        In the domain's coordinates.
    cell : ndarray of int, shape (p,)
        Which of the two each point is of.
    weights : tuple of Fraction
        `sum weights = 0`, `sum weights points = 0`, `sum |weights| = 1`.
    difference : Fraction
        A certain lower bound on `sum weights f(points)`: no affine function is nearer to the output than that.
    """

    cells: tuple[int, int]
    output: int
    points: FloatArray
    cell: IntArray
    weights: tuple[Fraction, ...]
    difference: Fraction


@dataclass(frozen=True, eq=False)
class Inside:
    """Points certainly in one cell: its vertices, pulled inside as little as needed."""

    points: FloatArray

    @cached_property
    def simplex(self) -> IntArray:
        """Positions of k + 1 points far from each other's span; fewer where float64 sees no more."""
        edges = self.points - self.points.mean(axis=0)
        chosen = [int((edges**2).sum(axis=1).argmax())]
        edges = self.points - self.points[chosen[0]]
        floor = 1e-12 * np.sqrt((edges**2).sum(axis=1).max(initial=0.0))
        while len(chosen) <= self.points.shape[1]:
            lengths = np.sqrt((edges**2).sum(axis=1))
            far = int(lengths.argmax())
            if not lengths[far] > floor:
                break
            chosen.append(far)
            edges = edges - np.outer(edges @ edges[far], edges[far]) / lengths[far] ** 2
        return np.array(chosen, dtype=np.int64)

    @cached_property
    def to_weights(self) -> FloatArray | None:
        """The matrix that takes (x, 1) to the weights of the simplex with the sum x; None without a whole simplex."""
        if self.simplex.size <= self.points.shape[1]:
            return None
        corners = self.points[self.simplex]
        inverse = np.linalg.inv(np.column_stack([corners, np.ones(len(corners))]).T)
        return inverse.astype(np.float64, copy=False)


class Conflicts:
    """Which of some cells cannot share a map within a tolerance; each pair is looked at once.

    Attributes
    ----------
    cells : list of int
        Those that have points inside.
    known : dict
        For each pair (i, j), i < j, that was asked for: why, or None when that is not certain.
    """

    def __init__(self, ground: Ground, cells: list[int], tolerance: float) -> None:
        self._cx, self._tolerance = ground.cx, tolerance
        self._errors = map_errors(ground.cx)
        self._inside = points_inside(ground, cells)
        self.cells = [c for c in cells if c in self._inside]
        self.known: dict[tuple[int, int], Conflict | None] = {}

    def between(self, i: int, j: int) -> Conflict | None:
        """Return why two cells cannot share a map, or None when that is not certain."""
        i, j = min(i, j), max(i, j)
        if (i, j) not in self.known:
            look()
            self.known[i, j] = self._found(i, j)
        return self.known[i, j]

    def _found(self, i: int, j: int) -> Conflict | None:
        A, b = self._cx.affine.A, self._cx.affine.b
        first, second = self._inside[i], self._inside[j]
        gap = [np.abs(inside.points @ (A[i] - A[j]).T + b[i] - b[j]) for inside in (first, second)]
        far = np.stack([g.max(axis=0) for g in gap])
        # a map between the two is off by this much at most: a proof would fail
        shared = far[0] * far[1] / np.maximum(far.sum(axis=0), np.finfo(float).tiny)
        for output in np.argsort(-shared, kind="stable").tolist():
            if not shared[output] > self._tolerance:
                break
            for mine, others, height in ((first, second, gap[1]), (second, first, gap[0])):
                one = self._by_simplex(mine, others, height[:, output])
                found = None if one is None else self._proved(i, j, output, one[mine is second], one[mine is first])
                if found is not None:
                    return found
            found = self._by_program(i, j, output)
            if found is not None:
                return found
        return None

    def _by_simplex(self, mine: Inside, others: Inside, height: FloatArray) -> tuple[IntArray, IntArray] | None:
        """Return k + 1 points of one cell and one of another, where these seem to prove it.

        On the k + 1 the map of their cell is right, so the sum is what it is off by at the other point.
        """
        if mine.to_weights is None:
            return None
        weights = np.abs(np.column_stack([others.points, np.ones(len(others.points))]) @ mine.to_weights.T).sum(axis=1)
        level = height / (1.0 + weights)
        best = int(level.argmax())
        return (mine.simplex, np.array([best])) if level[best] > self._tolerance * (1 + _CLEAR) else None

    def _by_program(self, i: int, j: int, output: int) -> Conflict | None:
        A, b = self._cx.affine.A, self._cx.affine.b
        first, second = self._inside[i].points, self._inside[j].points
        values = [p @ A[c, output] + b[c, output] for c, p in ((i, first), (j, second))]
        points = np.concatenate([first, second])
        found = fit_output(points, np.concatenate(values), _NONE)
        if found is None or not found.error > self._tolerance:
            return None
        chosen = _independent(points, found.support)
        is_first = chosen < len(first)
        return self._proved(i, j, output, chosen[is_first], chosen[~is_first] - len(first))

    def _proved(self, i: int, j: int, output: int, first: IntArray, second: IntArray) -> Conflict | None:
        """Return the conflict that points of two cells prove, or None when they do not."""
        points = np.concatenate([self._inside[i].points[first], self._inside[j].points[second]])
        cell = np.repeat([i, j], [first.size, second.size])
        weights = null_weights(points)
        if weights is None:
            return None
        total, unknown = self._sum(output, points, cell, weights)
        if not abs(total) - unknown > Fraction(self._tolerance):
            return None
        signed = weights if total > 0 else tuple(-w for w in weights)
        return Conflict((i, j), output, points, cell, signed, abs(total) - unknown)

    def _sum(
        self, output: int, points: FloatArray, cell: IntArray, weights: tuple[Fraction, ...]
    ) -> tuple[Fraction, Fraction]:
        """Return `sum w f(x)` with the float64 maps, exactly, and how far it may be from that with the true ones."""
        affine = self._cx.affine
        bound = [Fraction(e) for e in self._errors[output].tolist()]
        total, unknown = Fraction(0), Fraction(0)
        for x, c, w in zip(points.tolist(), cell.tolist(), weights, strict=True):
            place = [*(Fraction(v) for v in x), Fraction(1)]
            row = [*(Fraction(v) for v in affine.A[c, output].tolist()), Fraction(float(affine.b[c, output]))]
            total += w * sum(a * v for a, v in zip(row, place, strict=True))
            unknown += abs(w) * sum(e * abs(v) for e, v in zip(bound, place, strict=True))
        return total, unknown


def points_inside(ground: Ground, cells: list[int]) -> dict[int, Inside]:
    """Return, for each cell that has some, points certainly in it: its vertices, pulled inside as little as needed."""
    cx, offsets = ground.cx, ground.cx.vertices.offsets
    rows = np.concatenate([_NONE, *(np.arange(offsets[c], offsets[c + 1]) for c in cells)])
    owner, vertex = ground.cell[rows], ground.points[rows]
    middle = np.clip(cx.interior_points, cx.box.low, cx.box.high)
    place, open_ = np.zeros_like(vertex), np.ones(rows.size, dtype=bool)
    for pull in _PULLS:
        left = np.flatnonzero(open_)
        if not left.size:
            break
        moved = np.clip(vertex[left] + pull * (middle[owner[left]] - vertex[left]), cx.box.low, cx.box.high)
        good = cx.cells_of(moved) == owner[left]
        place[left[good]], open_[left[good]] = moved[good], False
    held = np.flatnonzero(~open_)
    return {cell: Inside(place[held[owner[held] == cell]]) for cell in np.unique(owner[held]).tolist()}


def _independent(points: FloatArray, support: IntArray) -> IntArray:
    """Return k + 2 points, those of the support first, that span what all points do as far as float64 sees."""
    k = points.shape[1]
    low, size = points.min(axis=0), np.ptp(points, axis=0)
    rows = np.column_stack([(points - low) / np.where(size > 0, size, 1.0), np.ones(len(points))])
    order = np.concatenate([support, np.setdiff1d(np.arange(len(points)), support)])
    chosen = support.tolist()[: k + 2]
    rank = np.linalg.matrix_rank(rows[chosen]) if chosen else 0
    for p in order[len(chosen) :].tolist():
        if len(chosen) == k + 2:
            break
        more = np.linalg.matrix_rank(rows[[*chosen, p]])
        if more > rank:
            chosen, rank = [*chosen, p], more
    return np.array(chosen, dtype=np.int64)


def null_weights(points: FloatArray) -> tuple[Fraction, ...] | None:
    """Return weights w with `sum w = 0`, `sum w x = 0` and `sum |w| = 1`; None unless that is one, up to its sign."""
    columns = [[Fraction(1), *(Fraction(v) for v in p)] for p in points.tolist()]
    n = len(columns)
    rows = [list(row) for row in zip(*columns, strict=True)]
    pivots: list[int] = []
    for c in range(n):
        r = len(pivots)
        pivot = next((i for i in range(r, len(rows)) if rows[i][c]), None)
        if pivot is None:
            continue
        rows[r], rows[pivot] = rows[pivot], rows[r]
        scale = rows[r][c]
        rows[r] = [v / scale for v in rows[r]]
        for i in range(len(rows)):
            if i != r and rows[i][c]:
                factor = rows[i][c]
                rows[i] = [v - factor * w for v, w in zip(rows[i], rows[r], strict=True)]
        pivots.append(c)
    free = [c for c in range(n) if c not in pivots]
    if len(free) != 1:
        return None
    weights = [Fraction(0)] * n
    weights[free[0]] = Fraction(1)
    for r, c in enumerate(pivots):
        weights[c] = -rows[r][free[0]]
    size = sum(abs(w) for w in weights)
    return tuple(w / size for w in weights)
