"""What is the maximum of a linear function on a polyhedron, exactly? The simplex method in rational numbers.

Slow and certain: asked where float64 leaves a decision open. Bland's rule, so it ends on degenerate polyhedra, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from reluatlas.arithmetic.rationals import Ratio, WholeRow
from reluatlas.deadline import look


@dataclass(frozen=True)
class ExactOptimum:
    """The answer of an exact linear program.

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


def maximize_exactly(c: Sequence[int], rows: Sequence[WholeRow], inside: Ratio) -> ExactOptimum:
    """Return the maximum of `c . z` where all rows hold, from a point at which they hold strictly."""
    from flint import fmpq

    k, zero = len(c), fmpq(0)
    # rows: basic variables as functions of the nonbasic ones; columns 0..k-1 and the constant last. Names: 0..k-1
    # are the (free) coordinates relative to `inside`, k + i is the slack of row i.
    table: list[list[Any]] = []
    for row in rows:
        look()
        table.append([*(fmpq(-v) for v in row.a), fmpq(row.slack(inside), inside.denominator)])
    cost: list[Any] = [*(fmpq(v) for v in c), zero]
    basic, other = [k + i for i in range(len(rows))], list(range(k))
    while True:
        column = _entering(cost, other, k)
        if column is None:
            break
        grows = cost[column] > 0
        best, leaving = None, None
        for i, line in enumerate(table):
            if basic[i] < k:
                continue
            rate = line[column] if grows else -line[column]
            if rate < 0:
                step = -line[k] / rate
                if best is None or step < best or (step == best and basic[i] < basic[leaving]):  # type: ignore[index]
                    best, leaving = step, i
        if leaving is None:
            return ExactOptimum(False, _direction(table, basic, other, column, grows, k), {})
        _pivot(table, cost, leaving, column)
        basic[leaving], other[column] = other[column], basic[leaving]
    offset = [Fraction(0)] * k
    for i, name in enumerate(basic):
        if name < k:
            offset[name] = _fraction(table[i][k])
    point = [Fraction(n, inside.denominator) + d for n, d in zip(inside.numbers, offset, strict=True)]
    multipliers = {name - k: -_fraction(cost[j]) for j, name in enumerate(other) if name >= k and cost[j] != 0}
    return ExactOptimum(True, point, multipliers)


def _entering(cost: list[Any], other: list[int], k: int) -> int | None:
    useful = [j for j, name in enumerate(other) if (cost[j] != 0 if name < k else cost[j] > 0)]
    return min(useful, key=lambda j: other[j], default=None)


def _pivot(table: list[list[Any]], cost: list[Any], leaving: int, column: int) -> None:
    line = table[leaving]
    factor = 1 / line[column]
    fresh = [-v * factor if v else v for v in line]
    fresh[column] = factor
    filled = [j for j, v in enumerate(fresh) if v]
    table[leaving] = fresh
    for other in (*table[:leaving], *table[leaving + 1 :], cost):
        look()
        rate = other[column]
        if rate:
            other[column] = type(rate)(0)
            for j in filled:
                other[j] += rate * fresh[j]


def _direction(table: list[list[Any]], basic: list[int], other: list[int], column: int, grows: bool, k: int) -> list:
    out = [Fraction(0)] * k
    sign = 1 if grows else -1
    if other[column] < k:
        out[other[column]] = Fraction(sign)
    for i, name in enumerate(basic):
        if name < k:
            out[name] = sign * _fraction(table[i][column])
    return out


def _fraction(value: Any) -> Fraction:
    return Fraction(int(value.p), int(value.q))
