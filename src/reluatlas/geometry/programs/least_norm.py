"""Which point of a polyhedron is nearest to a point in the largest or in the summed distance, exactly? In ratios.

Both norms are the largest of finitely many linear functions, plus or minus one coordinate, or sums of all coordinates
with signs: they are brought in when an optimum of those before falls short of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reluatlas.deadline import look
from reluatlas.geometry.programs.exact import maximize
from reluatlas.geometry.programs.least_square import Polyhedron

_AT_ONCE = 12


def least_norm(
    x: Sequence[Any], within: Polyhedron, norm: float, basis: Sequence[Sequence[Any]] | None = None
) -> tuple[Any, list[Any]] | None:
    """Return the least norm of `(y - x) @ basis` on a polyhedron, and a point y there; None when it is empty.

    Parameters
    ----------
    x : sequence of fmpq
    within : Polyhedron
        Of fmpq.
    norm : 1 or inf
    basis : sequence of sequences of fmpq, optional
        Shape (k, n); the identity when None.

    Guarantees: exact; ends, as there are finitely many functions.
    """
    from flint import fmpq

    k, zero, one = len(x), fmpq(0), fmpq(1)
    if basis is None:
        basis = [[one if i == j else zero for j in range(k)] for i in range(k)]
    columns = [list(c) for c in zip(*basis, strict=True)]
    rows: list[list[Any]] = [[zero] * k + [-one, zero]]
    for a, b in within.rows:
        rows.append([*a, zero, b - sum((v * w for v, w in zip(a, x, strict=True)), zero)])
    for j in range(k):
        for sign, bound in ((1, within.high[j]), (-1, within.low[j])):
            if bound is not None:
                rows.append([fmpq(sign * int(i == j)) for i in range(k)] + [zero, sign * (bound - x[j])])
    if norm != 1 and len(columns) <= _AT_ONCE:
        rows += [[s * v for v in c] + [-one, zero] for c in columns for s in (one, -one)]
    while True:
        look()
        answer = maximize(rows, [0] * k + [-1])
        if answer.status == "infeasible":
            return None
        step, told = answer.point[:k], answer.point[k]
        values = [sum((v * w for v, w in zip(c, step, strict=True)), zero) for c in columns]
        sizes = [abs(v) for v in values]
        true = sum(sizes, zero) if norm == 1 else max(sizes)
        if true <= told:
            return told, [a + d for a, d in zip(x, step, strict=True)]
        if norm == 1:
            signs = [one if v >= 0 else -one for v in values]
            rows.append([sum((s * c[j] for s, c in zip(signs, columns, strict=True)), zero) for j in range(k)] + [-one, zero])
        else:
            worst = sorted((i for i in range(len(sizes)) if sizes[i] > told), key=lambda i: -sizes[i])[:4]
            rows += [[(one if values[i] > 0 else -one) * v for v in columns[i]] + [-one, zero] for i in worst]
