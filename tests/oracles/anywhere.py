"""Which cells does a network have on a polyhedron of any dimension? Unit by unit: does some point have this piece too?

Every question is one linear program in fractions. For small networks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

from tests.oracles.plain import Affine, Breakpoints, Input, Max, Node
from tests.oracles.program import has_interior, largest

Form = tuple[Fraction, ...]
"""An affine function: k coefficients and the constant."""


def cells(
    nodes: Sequence[Node], k: int, domain: Sequence[Sequence[Fraction]] = ()
) -> dict[tuple[int, ...], list[Form]]:
    """Return, for each pattern that has an interior in `{x : a . x <= b}`, the forms that are >= 0 in its cell."""
    start = [(*(Fraction(-v) for v in row[:k]), Fraction(row[k])) for row in domain]
    out: dict[tuple[int, ...], list[Form]] = {}
    for pattern, demands in _walk(nodes, k, 1, (), start, [[_unit(k, i) for i in range(k)]]):
        assert pattern not in out
        out[pattern] = demands
    return out


def is_bounded(demands: Sequence[Form], k: int) -> bool:
    """Return whether the forms are >= 0 in a bounded set only."""
    rows = [[-v for v in f[:k]] + [f[k]] for f in demands]
    for j in range(k):
        for sign in (1, -1):
            if largest(rows, [sign * int(i == j) for i in range(k)]) == "unbounded":
                return False
    return True


def _walk(
    nodes: Sequence[Node], k: int, at: int, pattern: tuple[int, ...], demands: list[Form], tensors: list[list[Form]]
) -> Iterator[tuple[tuple[int, ...], list[Form]]]:
    if at == len(nodes):
        yield pattern, demands
        return
    node = nodes[at]
    assert not isinstance(node, Input)
    if isinstance(node, Affine):
        row = []
        for i, bias in enumerate(node.bias):
            total = (Fraction(0),) * k + (Fraction(bias),)
            for source, rows in node.terms:
                for j, weight in rows[i]:
                    total = tuple(a + weight * b for a, b in zip(total, tensors[source][j], strict=True))
            row.append(total)
        yield from _walk(nodes, k, at + 1, pattern, demands, [*tensors, row])
        return
    found = [((), demands, [])]
    units = len(node.knots) if isinstance(node, Breakpoints) else len(node.windows)
    for i in range(units):
        after = []
        for pieces, held, values in found:
            options = _pieces(node, i, tensors) if isinstance(node, Breakpoints) else _winners(node, i, tensors)
            for piece, asked, value in options:
                if _holds([*held, *asked], k):
                    after.append(((*pieces, piece), [*held, *asked], [*values, value]))
        found = after
    for pieces, held, values in found:
        yield from _walk(nodes, k, at + 1, pattern + pieces, held, [*tensors, values])


def _holds(demands: list[Form], k: int) -> bool:
    if any(not any(f[:k]) and f[k] < 0 for f in demands):
        return False
    return has_interior([[-v for v in f[:k]] + [f[k]] for f in demands if any(f[:k])], k)


def _pieces(node: Breakpoints, i: int, tensors: list[list[Form]]) -> Iterator[tuple[int, list[Form], Form]]:
    z = tensors[node.source][i]
    gaps = [(*z[:-1], z[-1] - k) for k in node.knots[i]]
    for piece in range(len(gaps) + 1):
        if any(not any(gap) for gap in gaps[:piece]):
            continue  # zero everywhere is not above
        asked = gaps[:piece] + [tuple(-v for v in gap) for gap in gaps[piece:]]
        value = tuple(node.slopes[i][piece] * v for v in z)
        yield piece, asked, (*value[:-1], value[-1] + node.intercepts[i][piece])


def _winners(node: Max, i: int, tensors: list[list[Form]]) -> Iterator[tuple[int, list[Form], Form]]:
    rows = [tensors[node.source][entry] for entry in node.windows[i]]
    for place, best in enumerate(rows):
        if best in rows[:place]:
            continue
        yield place, [tuple(a - b for a, b in zip(best, r, strict=True)) for r in rows if r != best], best


def _unit(k: int, i: int) -> Form:
    return tuple(Fraction(int(j == i)) for j in range(k + 1))


def n_facets(demands: Sequence[Form], k: int) -> int:
    """Return the number of facets of the set where the forms are >= 0: classes of rows that cannot be left out."""
    classes: dict[Form, Form] = {}
    for f in demands:
        if any(f[:k]):
            first = next(abs(v) for v in f[:k] if v)
            classes[tuple(v / first for v in f)] = f
    total = 0
    for f in classes.values():
        rows = [[-v for v in other[:k]] + [other[k]] for other in classes.values() if other is not f]
        value = largest(rows, [-v for v in f[:k]])
        total += value == "unbounded" or value > f[k]
    return total
