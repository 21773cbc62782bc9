"""How far is a closed set of points where a sum of outputs is at least 0? Cell by cell, in fractions.

Of each cell's closed polytope: linear programs for the norms 1 and inf; in the Euclidean norm the one set of rows whose
multipliers are not negative and whose point is in the polytope. For small networks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import combinations

from tests.oracles import anywhere
from tests.oracles.plain import Node
from tests.oracles.pointwise import map_along
from tests.oracles.polyhedra import solve
from tests.oracles.program import largest

Form = tuple[Fraction, ...]


def distance(
    nodes: Sequence[Node], output: int, x: Sequence[Fraction], targets: Sequence[Mapping[int, int]],
    norm: float, domain: Sequence[Sequence[Fraction]] = (), basis: Sequence[Sequence[Fraction]] | None = None,
    shift: Fraction = Fraction(0),
) -> Fraction | None:  # fmt: skip
    """Return the least distance (norm 2: its square) from x of points of the domain that reach a target, or None.

    A target is reached where the sum of the outputs times its factors, and `shift`, is at least 0. Steps of
    coordinates are measured as `step @ basis`.
    """
    k = len(x)
    if basis is None:
        basis = [[Fraction(int(i == j)) for j in range(k)] for i in range(k)]
    best: Fraction | None = None
    for pattern, demands in anywhere.cells(nodes, k, domain).items():
        forms = map_along(nodes, output, k, pattern)
        rows = [([-v for v in f[:k]], f[k]) for f in demands]
        for factors in targets:
            form = [sum((forms[j][i] * f for j, f in factors.items()), Fraction(0)) for i in range(k + 1)]
            asked = [*rows, ([-v for v in form[:k]], form[k] + shift)]
            # with x as the origin
            moved = [(a, b - sum(v * w for v, w in zip(a, x, strict=True))) for a, b in asked]
            found = _euclidean(moved, basis, k) if norm == 2 else _polyhedral(moved, basis, k, norm)
            if found is not None and (best is None or found < best):
                best = found
    return best


def _polyhedral(rows, basis, k: int, norm: float) -> Fraction | None:
    n = len(basis[0])
    n_sizes = n if norm == 1 else 1
    table = [[*a, *([Fraction(0)] * n_sizes), b] for a, b in rows]
    for j in range(n):
        for sign in (1, -1):
            size = [Fraction(-int(i == (j if norm == 1 else 0))) for i in range(n_sizes)]
            table.append([*(sign * basis[i][j] for i in range(k)), *size, Fraction(0)])
    answer = largest(table, [Fraction(0)] * k + [Fraction(-1)] * n_sizes)
    assert answer != "unbounded"
    return None if isinstance(answer, str) else -answer


def _euclidean(rows, basis, k: int) -> Fraction | None:
    if any(not any(a) and b < 0 for a, b in rows):
        return None
    rows = list(dict.fromkeys((tuple(a), b) for a, b in rows if any(a)))
    if isinstance(largest([[*a, b] for a, b in rows], [Fraction(0)] * k), str):
        return None
    gram = [[_dot(v, w) for w in basis] for v in basis]
    for size in range(k + 1):
        for chosen in combinations(rows, size):
            # gram d + sum of y a = 0, a . d = b
            table = []
            for i in range(k):
                table.append(((*gram[i], *(a[i] for a, _ in chosen)), Fraction(0)))
            for a, b in chosen:
                table.append(((*a, *([Fraction(0)] * size)), b))
            found = solve(table)
            if found is None:
                continue
            step, y = found[:k], found[k:]
            if all(v >= 0 for v in y) and all(_dot(a, step) <= b for a, b in rows):
                return sum((step[i] * _dot(gram[i], step) for i in range(k)), Fraction(0))
    raise AssertionError("a nearest point has its multipliers")


def _dot(a, b) -> Fraction:
    return sum((v * w for v, w in zip(a, b, strict=True)), Fraction(0))
