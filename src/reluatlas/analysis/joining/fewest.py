"""How few pieces can there be? No fewer than cells of which no two can share a map.

Two cells cannot share a map within a tolerance when some output f, at k + 2 points x_i of the two, and some weights
with `sum w_i = 0` and `sum w_i x_i = 0` have `sum w_i f(x_i) > tolerance sum |w_i|`: every affine function is zero in
such a sum, so it is farther than the tolerance from f at one of the points (duality of the Chebyshev fit [Cheney1966]).
Weights come from the float64 points in rational numbers, and f(x_i) with the bound on its error; the points lie in
their cells for certain, as the network has the cell's pattern there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from reluatlas.analysis.joining.fit import fit_output
from reluatlas.analysis.joining.ground import Ground
from reluatlas.complexes.linear_regions import map_errors
from reluatlas.deadline import look
from reluatlas.errors import TimeLimitError
from reluatlas.shown import Shown
from reluatlas.typing import FloatArray, IntArray

_PULLS = 2.0 ** -np.array([44.0, 36.0, 28.0, 20.0, 12.0])
_STARTS = 8
_NONE = np.zeros(0, dtype=np.int64)


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


@dataclass(frozen=True, eq=False, repr=False)
class FewestPieces(Shown):
    """A certain lower bound on the number of pieces within a tolerance, however cells are put together.

    Attributes
    ----------
    n_pieces : int
        No fewer will do.
    tolerance : float
    cells : tuple of int
        So many cells, no two of which can be in one piece.
    conflicts : tuple of Conflict
        One for each two of them.
    """

    n_pieces: int
    tolerance: float
    cells: tuple[int, ...]
    conflicts: tuple[Conflict, ...] = field(repr=False)

    def __repr__(self) -> str:
        why = f": no two of the cells {list(self.cells)} can share a map" if len(self.cells) > 1 else ""
        return f"FewestPieces(at least {self.n_pieces} within {self.tolerance:.6g}{why})"


class _Inside(NamedTuple):
    """Points of one cell, and the outputs there."""

    points: FloatArray
    values: FloatArray


def fewest_pieces(ground: Ground, tolerance: float, *, seed: int = 0, n_starts: int = _STARTS) -> FewestPieces:
    """Return a lower bound on the number of pieces: the most cells found of which no two can share a map.

    The largest cell of each linear region is tried, large ones first, then in orders drawn from a seed. Ended by a
    time limit, it is what was found so far.
    """
    known: dict[tuple[int, int], Conflict | None] = {}
    best: list[int] = []
    try:
        for found in _cliques(ground, tolerance, known, np.random.default_rng(seed), n_starts):
            best = found if len(found) > len(best) else best
    except TimeLimitError:  # what was found holds
        pass
    best = sorted(best)
    pairs = [known[i, j] for n, i in enumerate(best) for j in best[n + 1 :]]
    return FewestPieces(max(len(best), 1), tolerance, tuple(best), tuple(p for p in pairs if p is not None))


def _cliques(
    ground: Ground, tolerance: float, known: dict[tuple[int, int], Conflict | None], rng: np.random.Generator,
    n_starts: int,
) -> Iterator[list[int]]:  # fmt: skip
    """Yield sets of cells of which no two can share a map, as they grow; `known` has the proofs."""
    cells = _largest(ground)
    inside = _points_inside(ground, cells)
    cells = [c for c in cells if c in inside]
    volume = np.maximum(np.asarray(ground.cx.volumes, dtype=np.float64)[cells], np.finfo(float).tiny)
    errors = map_errors(ground.cx)
    for start in range(n_starts):
        drawn = volume if start == 0 else volume ** rng.uniform(0.0, 1.0) * rng.exponential(1.0, len(cells))
        found: list[int] = []
        for c in np.argsort(-drawn, kind="stable"):
            cell = cells[int(c)]
            if all(_conflict(ground, inside, errors, cell, other, tolerance, known) for other in found):
                found = [*found, cell]
                yield found


def _largest(ground: Ground) -> list[int]:
    """Return the largest cell of each linear region."""
    order = np.lexsort((-np.asarray(ground.cx.volumes), ground.region))
    return order[np.unique(ground.region[order], return_index=True)[1]].tolist()


def _points_inside(ground: Ground, cells: list[int]) -> dict[int, _Inside]:
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
    out = {}
    for cell in cells:
        here = np.flatnonzero((owner == cell) & ~open_)
        if here.size:
            points = place[here]
            out[cell] = _Inside(points, points @ cx.affine.A[cell].T + cx.affine.b[cell])
    return out


def _conflict(
    ground: Ground, inside: dict[int, _Inside], errors: FloatArray, i: int, j: int, tolerance: float,
    known: dict[tuple[int, int], Conflict | None],
) -> Conflict | None:  # fmt: skip
    """Return why two cells cannot share a map, or None when that is not certain."""
    i, j = min(i, j), max(i, j)
    if (i, j) not in known:
        look()
        known[i, j] = _found(ground, inside, errors, i, j, tolerance)
    return known[i, j]


def _found(
    ground: Ground, inside: dict[int, _Inside], errors: FloatArray, i: int, j: int, tolerance: float
) -> Conflict | None:  # fmt: skip
    points = np.concatenate([inside[i].points, inside[j].points])
    values = np.concatenate([inside[i].values, inside[j].values])
    cell = np.repeat([i, j], [len(inside[i].points), len(inside[j].points)])
    for output in _most_bent_first(ground, points, i, j):
        found = fit_output(points, values[:, output], _NONE)
        if found is None or not found.error > tolerance:
            continue
        chosen = _independent(points, found.support)
        weights = null_weights(points[chosen])
        if weights is None:
            continue
        total, unknown = _sum(ground, errors, output, points[chosen], cell[chosen], weights)
        if abs(total) - unknown > Fraction(tolerance):
            signed = weights if total > 0 else tuple(-w for w in weights)
            return Conflict((i, j), output, points[chosen], cell[chosen], signed, abs(total) - unknown)
    return None


def _most_bent_first(ground: Ground, points: FloatArray, i: int, j: int) -> list[int]:
    """Return the outputs, that whose two maps differ most at the points of both cells first."""
    affine = ground.cx.affine
    gap = np.abs(points @ (affine.A[i] - affine.A[j]).T + affine.b[i] - affine.b[j]).max(axis=0)
    return np.argsort(-gap, kind="stable").tolist()


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


def _sum(
    ground: Ground, errors: FloatArray, output: int, points: FloatArray, cell: IntArray, weights: tuple[Fraction, ...]
) -> tuple[Fraction, Fraction]:
    """Return `sum w f(x)` with the float64 maps, exactly, and how far it may be from that with the true ones."""
    affine = ground.cx.affine
    bound = [Fraction(e) for e in errors[output].tolist()]
    total, unknown = Fraction(0), Fraction(0)
    for x, c, w in zip(points.tolist(), cell.tolist(), weights, strict=True):
        place = [*(Fraction(v) for v in x), Fraction(1)]
        row = [*(Fraction(v) for v in affine.A[c, output].tolist()), Fraction(float(affine.b[c, output]))]
        total += w * sum(a * v for a, v in zip(row, place, strict=True))
        unknown += abs(w) * sum(e * abs(v) for e, v in zip(bound, place, strict=True))
    return total, unknown
