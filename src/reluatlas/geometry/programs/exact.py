"""Where is a linear function largest on a polyhedron? Exactly, in rational numbers, for what float64 leaves open.

Slow and certain. Rows are lists of whole numbers: `(a_1, ..., a_k, b)` stands for `a . z <= b`, times any positive
factor. A basis that float64 found is tried first; then Bland's rule, which cannot cycle, decides [Bland1977].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from operator import mul
from typing import Any, NamedTuple

from reluatlas.arithmetic.rationals import ExactVector, WholeRow
from reluatlas.deadline import look

Whole = Sequence[int]


class Answer(NamedTuple):
    """The outcome of a linear program.

    Attributes
    ----------
    status : {"optimal", "unbounded", "infeasible"}
    point : list of fmpq
        A point where the largest value is taken, or any point of the polyhedron when unbounded; empty when infeasible.
    ray : list of fmpq
        A direction in which the polyhedron and the objective go on forever, when unbounded.
    multipliers : dict
        Of constraints: y >= 0 with `y . A = g` when optimal, `y . A = 0` and `y . b < 0` when infeasible.
    """

    status: str
    point: list[Any]
    ray: list[Any]
    multipliers: dict[int, Any]


@dataclass(frozen=True)
class ExactOptimum:
    """The answer of a linear program on a polyhedron with an interior.

    Attributes
    ----------
    is_bounded : bool
    point : list of Fraction
        An optimal point; when unbounded, a direction along which the function grows without end.
    multipliers : dict
        Of the rows by position, positive ones only: they add up to the objective, and prove the optimum.
    """

    is_bounded: bool
    point: list[Fraction]
    multipliers: dict[int, Fraction]


class _Exact:
    """A dictionary of rational numbers: see `reluatlas.geometry.programs.dictionary.Dictionary`.

    Slacks have the names 0, 1, ..., the coordinates, which are free, negative ones: -1 - r, or in the other order.
    """

    def __init__(self, rows: Sequence[Sequence[Any]], k: int, *, first_coordinate_first: bool = False) -> None:
        from flint import fmpq

        self.k, self.zero, self.one = k, fmpq(0), fmpq(1)
        self.nonbasic = [r - k for r in range(k)] if first_coordinate_first else [-1 - r for r in range(k)]
        # each row: constant, then coefficients of the nonbasic ones
        unit = [[self.zero] + [fmpq(int(r == j)) for j in range(k)] for r in range(k)]
        self.rows = unit + [[fmpq(row[k])] + [fmpq(-a) for a in row[:k]] for row in rows]

    def pivot(self, j: int, i: int) -> None:
        source = self.rows[self.k + i]
        p = source[1 + j]
        # u_j = (s_i - rest) / p
        scaled = [-v / p for v in source]
        scaled[1 + j] = self.one / p
        filled = [c for c, v in enumerate(scaled) if v]
        for row in self.rows:
            look()
            factor = row[1 + j]
            if factor:
                row[1 + j] = self.zero
                for c in filled:
                    row[c] += factor * scaled[c]
        self.nonbasic[j] = i

    def repair(self) -> int:
        """Find a point of the polyhedron; return -1, or a slack that cannot be raised to zero."""
        while True:
            at = set(self.nonbasic)
            low = next((i for i in range(len(self.rows) - self.k) if i not in at and self.rows[self.k + i][0] < 0), -1)
            if low < 0:
                return -1
            row = self.rows[self.k + low]
            able = [j for j in range(self.k) if row[1 + j] > 0 or (row[1 + j] != 0 and self.nonbasic[j] < 0)]
            if not able:
                return low
            self.pivot(min(able, key=lambda j: self.nonbasic[j]), low)

    def climb(self, g: Whole) -> int:
        """Go to where `g . z` is largest; return -1, or the nonbasic that can move forever (its sign in `forward`)."""
        while True:
            cost = [sum((a * self.rows[r][1 + j] for r, a in enumerate(g) if a), self.zero) for j in range(self.k)]
            able = [j for j, c in enumerate(cost) if c > 0 or (c != 0 and self.nonbasic[j] < 0)]
            self.cost = cost
            if not able:
                return -1
            j = min(able, key=lambda j: self.nonbasic[j])
            self.forward = 1 if cost[j] > 0 else -1
            best, step = -1, None
            for i in range(len(self.rows) - self.k):
                rate = -self.forward * self.rows[self.k + i][1 + j]
                if rate > 0:
                    this = self.rows[self.k + i][0] / rate
                    if step is None or this < step:
                        best, step = i, this
            if best < 0:
                return j
            self.pivot(j, best)

    @property
    def point(self) -> list[Any]:
        return [row[0] for row in self.rows[: self.k]]


def maximize(rows: Sequence[Whole], g: Whole) -> Answer:
    """Return where `g . z` is largest on `{z : a . z <= b}`, exactly.

    Guarantees: exact; ends, by Bland's rule.
    """
    k = len(g)
    exact = _Exact(rows, k)
    low = exact.repair()
    if low >= 0:
        row = exact.rows[k + low]
        y = {exact.nonbasic[j]: -row[1 + j] for j in range(k) if row[1 + j] != 0}
        return Answer("infeasible", [], [], {low: exact.one, **y})
    j = exact.climb(g)
    if j >= 0:
        return Answer("unbounded", exact.point, [exact.forward * row[1 + j] for row in exact.rows[:k]], {})
    return Answer("optimal", exact.point, [], {exact.nonbasic[j]: -c for j, c in enumerate(exact.cost) if c != 0})


def maximize_exactly(c: Sequence[int], rows: Sequence[WholeRow], inside: ExactVector) -> ExactOptimum:
    """Return the maximum of `c . z` where all rows hold, from a point (of exponent 0) at which they hold strictly."""
    from flint import fmpq

    k = len(c)
    relative = [[*row.a, fmpq(row.slack(inside), inside.denominator)] for row in rows]
    exact = _Exact(relative, k, first_coordinate_first=True)
    j = exact.climb(c)
    if j >= 0:
        return ExactOptimum(False, [_fraction(exact.forward * row[1 + j]) for row in exact.rows[:k]], {})
    offset = [_fraction(v) for v in exact.point]
    point = [Fraction(n, inside.denominator) + d for n, d in zip(inside.numbers, offset, strict=True)]
    multipliers = {i: -_fraction(v) for i, v in zip(exact.nonbasic, exact.cost, strict=True) if v != 0}
    return ExactOptimum(True, point, multipliers)


def _fraction(value: Any) -> Fraction:
    return Fraction(int(value.p), int(value.q))


def reaches_beyond(rows: Sequence[Whole], row: Whole, basis: Sequence[int] = ()) -> tuple[bool, list[Any]]:
    """Return whether `row[:k] . z + row[k]` is positive somewhere on a nonempty polyhedron, and where.

    Parameters
    ----------
    rows : sequence of sequences of int
        Constraints.
    row : sequence of int
        Coefficients and constant.
    basis : sequence of int
        Constraints that float64 took for a basis of the optimum; the answer does not depend on it.

    Returns
    -------
    (bool, list of fmpq)
        A point where it is positive; empty when there is none.
    """
    k = len(row) - 1
    g, h = row[:k], row[k]
    if not any(g):
        return h > 0, []
    sign, point = _try_basis(rows, g, h, [i for i in basis if 0 <= i < len(rows)])
    if sign:
        return sign > 0, point
    answer = maximize(rows, g)
    if answer.status == "unbounded":
        here = sum((a * p for a, p in zip(g, answer.point, strict=True)), answer.point[0] * 0) + h
        rate = sum((a * d for a, d in zip(g, answer.ray, strict=True)), answer.point[0] * 0)
        step = (abs(here) + 1) / rate
        return True, [p + step * d for p, d in zip(answer.point, answer.ray, strict=True)]
    value = sum((a * p for a, p in zip(g, answer.point, strict=True)), answer.point[0] * 0) + h
    return (True, answer.point) if value > 0 else (False, [])


def _try_basis(rows: Sequence[Whole], g: Whole, h: int, basis: Sequence[int]) -> tuple[int, list[Any]]:
    """Return -1 when the multipliers of a basis prove that the value is never positive, 1 and a point, or 0."""
    from flint import fmpz_mat

    k, n = len(g), len(basis)
    if n == 0:
        return 0, []
    # the multipliers: g as a combination of the rows of the basis, which may be fewer than k
    entries = [v for r in range(k) for v in (*(rows[i][r] for i in basis), g[r])]
    reduced, scale, rank = fmpz_mat(k, n + 1, entries).rref()
    if rank == n and all(int(reduced[j, j]) for j in range(n)):
        y = [int(reduced[j, n]) * (1 if scale > 0 else -1) for j in range(n)]
        if min(y) >= 0 and sum(v * rows[i][k] for v, i in zip(y, basis, strict=True)) + h * abs(int(scale)) <= 0:
            return -1, []
    if n < k:
        return 0, []
    entries = [v for i in basis for v in (*rows[i][:k], rows[i][k])]
    reduced, scale, rank = fmpz_mat(k, k + 1, entries).rref()
    if rank < k or not all(int(reduced[j, j]) for j in range(k)):
        return 0, []
    # the point z / w on all constraints of the basis
    w, sign = abs(int(scale)), 1 if scale > 0 else -1
    z = [sign * int(reduced[j, k]) for j in range(k)]
    if sum(map(mul, g, z)) + h * w <= 0 or any(sum(map(mul, row, z)) > row[k] * w for row in rows):
        return 0, []
    from flint import fmpq

    return 1, [fmpq(v, w) for v in z]


def interior_point(rows: Sequence[Whole], k: int) -> list[Fraction] | None:
    """Return a point with every `a . z < b`, or None when there is none: the polyhedron is empty or flat.

    Maximizes t <= 1 with `a . z + |a|_1 t <= b`.
    """
    lifted = [[*row[:k], sum(abs(a) for a in row[:k]) or 1, row[k]] for row in rows]
    answer = maximize([*lifted, [0] * k + [1, 1]], [0] * k + [1])
    if answer.status == "infeasible" or answer.point[k] <= 0:
        return None
    return [_fraction(v) for v in answer.point[:k]]


def is_bounded(rows: Sequence[Whole], k: int) -> bool:
    """Return whether a nonempty polyhedron is bounded: `a . d <= 0` for all rows only for d = 0.

    With the rows of a basis, the sum of `-a . d` over it is positive for every such d but 0, and bounded exactly then.
    """
    flat = [[*row[:k], 0] for row in rows]
    exact = _Exact(flat, k)
    for r in range(k):
        # bring in one independent row after another; where none is left, a line lies in the cone
        j = exact.nonbasic.index(-1 - r)
        i = next((i for i in range(len(rows)) if i not in exact.nonbasic and exact.rows[k + i][1 + j] != 0), None)
        if i is None:
            return False
        exact.pivot(j, i)
    g = [-sum(rows[i][r] for i in exact.nonbasic) for r in range(k)]
    return exact.climb(g) < 0


def is_ray(rows: Sequence[Whole], facets: Sequence[int], k: int) -> bool:
    """Return whether the line on which some k - 1 independent constraints are level holds a ray of the polyhedron."""
    from flint import fmpz_mat

    null, rank = fmpz_mat(len(facets), k, [rows[i][r] for i in facets for r in range(k)]).nullspace()
    if rank != 1:
        return False
    d = [int(null[r, 0]) for r in range(k)]
    rates = [sum(a * c for a, c in zip(row, d, strict=False)) for row in rows]
    return all(v <= 0 for v in rates) or all(v >= 0 for v in rates)
