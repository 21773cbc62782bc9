"""Where is a linear function largest on a polyhedron? Fractions and Bland's rule, as textbooks have it.

The polyhedron is `{z : a . z <= b}` with free z, written z = u - v with u, v >= 0, one slack per row, one artificial
variable per row of negative right-hand side. Slow; shares nothing with reluatlas. `eliminate` is a second way: it
projects the variables away one after another (Fourier and Motzkin), for tiny problems.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from flint import fmpq

Row = Sequence[Fraction | int]


_ZERO = fmpq(0)


def _number(value: Fraction | int) -> fmpq:
    return fmpq(value.numerator, value.denominator)


def largest(rows: Sequence[Row], g: Row) -> Fraction | str:
    """Return the largest value of `g . z`, "unbounded", or "infeasible"; a row is (a_1, ..., a_k, b)."""
    k, m = len(g), len(rows)
    if k == 0 or m == 0:
        if any(row[-1] < 0 for row in rows):
            return "infeasible"
        return "unbounded" if any(g) else Fraction(0)
    # columns: u (k), v (k), slack (m), artificial (m), right-hand side
    width = 2 * k + 2 * m
    table, basis = [], []
    for i, row in enumerate(rows):
        sign = -1 if row[k] < 0 else 1
        line = [_ZERO] * (width + 1)
        for j in range(k):
            line[j] = _number(sign * row[j])
            line[k + j] = -line[j]
        line[2 * k + i] = _number(sign)
        line[width] = _number(sign * row[k])
        if sign < 0:
            line[2 * k + m + i] = _number(1)
        basis.append(2 * k + m + i if sign < 0 else 2 * k + i)
        table.append(line)
    first = [_ZERO] * (2 * k + m) + [_number(-1)] * m
    _bland(table, basis, first, width)
    if any(first[b] * line[width] != 0 for b, line in zip(basis, table, strict=True)):
        return "infeasible"
    for i, b in enumerate(basis):
        if b >= 2 * k + m:
            j = next((j for j in range(2 * k + m) if table[i][j] != 0), None)
            if j is not None:
                _pivot(table, basis, i, j)
    for line in table:
        for j in range(2 * k + m, width):
            line[j] = _ZERO
    second = [_number(x) for x in g] + [_number(-x) for x in g] + [_ZERO] * (2 * m)
    if not _bland(table, basis, second, 2 * k + m):
        return "unbounded"
    value = sum((second[b] * line[width] for b, line in zip(basis, table, strict=True)), _ZERO)
    return Fraction(int(value.p), int(value.q))


def has_interior(rows: Sequence[Row], k: int) -> bool:
    """Return whether some z has `a . z < b` for every row."""
    lifted = [[*row[:k], 1, row[k]] for row in rows]
    value = largest([*lifted, [0] * k + [1, 1]], [0] * k + [1])
    return not isinstance(value, str) and value > 0


def _bland(table: list, basis: list, cost: list, width: int) -> bool:
    while True:
        for j in range(width):
            if j in basis:
                continue
            reduced = cost[j] - sum(cost[b] * line[j] for b, line in zip(basis, table, strict=True) if line[j])
            if reduced > 0:
                break
        else:
            return True
        ratios = [
            (line[-1] / line[j], b, i) for i, (b, line) in enumerate(zip(basis, table, strict=True)) if line[j] > 0
        ]
        if not ratios:
            return False
        _pivot(table, basis, min(ratios)[2], j)


def _pivot(table: list, basis: list, i: int, j: int) -> None:
    p = table[i][j]
    table[i] = [v / p for v in table[i]]
    for r, line in enumerate(table):
        if r != i and line[j]:
            f = line[j]
            table[r] = [v - f * w for v, w in zip(line, table[i], strict=True)]
    basis[i] = j


def eliminate(rows: Sequence[Row], g: Row) -> Fraction | str:
    """Return the same as `largest`, by projecting onto the value of the objective."""
    k = len(g)
    # variables z_1, ..., z_k, t with t <= g . z
    left = [[*(Fraction(v) for v in row[:k]), Fraction(0), Fraction(row[k])] for row in rows]
    left.append([*(Fraction(-v) for v in g), Fraction(1), Fraction(0)])
    for j in range(k):
        plus, minus = [r for r in left if r[j] > 0], [r for r in left if r[j] < 0]
        left = [r for r in left if r[j] == 0]
        for p in plus:
            for n in minus:
                left.append([a / p[j] - b / n[j] for a, b in zip(p, n, strict=True)])
        left = [list(r) for r in {tuple(_normed(r)) for r in left}]
    if any(r[k] == 0 and r[k + 1] < 0 for r in left):
        return "infeasible"
    bounds = [r[k + 1] / r[k] for r in left if r[k] > 0]
    return min(bounds) if bounds else "unbounded"


def _normed(row: list) -> list:
    top = next((abs(v) for v in row if v), Fraction(1))
    return [v / top for v in row]
