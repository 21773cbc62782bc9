"""Which rows of one pattern's cell are its facets? Composed from plain data, decided by linear programs in fractions.

Rows are named as in certificates: (cut node, unit, knot or losing candidate, side), and (-1, coordinate, 0, side) for
the domain. For small networks.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from tests.oracles.plain import Affine, Breakpoints, Input, Max, Node
from tests.oracles.program import has_interior, largest

Form = tuple[Fraction, ...]
"""An affine function: k coefficients and the constant."""
Key = tuple[int, int, int, int]


def facets(
    nodes: Sequence[Node],
    pattern: Sequence[int],
    start: Sequence[Form],
    sides: Sequence[tuple[Fraction, Fraction]] = (),
) -> set[frozenset[Key]] | None:
    """Return the facets of a pattern's cell, each with all rows that are this halfspace; None without an interior.

    `start` are the inputs as functions of the coordinates, `sides` the (low, high) of each coordinate.
    """
    k = len(start[0]) - 1
    demands = _demands(nodes, pattern, start, k)
    for j, (low, high) in enumerate(sides):
        unit = tuple(Fraction(int(i == j)) for i in range(k))
        demands[-1, j, 0, 1] = (*(-v for v in unit), high)
        demands[-1, j, 0, -1] = (*unit, -low)
    rows: dict[Form, set[Key]] = {}
    for key, form in demands.items():
        scale = next((abs(v) for v in form[:k] if v), None)
        if scale is not None:
            rows.setdefault((*(-v / scale for v in form[:k]), form[k] / scale), set()).add(key)
        elif form[k] < 0 or (form[k] == 0 and _is_strict(key, pattern, nodes)):
            return None
    if not has_interior(list(rows), k):
        return None
    found = set()
    for row, keys in rows.items():
        value = largest([other for other in rows if other is not row], row[:k])
        if isinstance(value, str) or value > row[k]:
            found.add(frozenset(keys))
    return found


def _is_strict(key: Key, pattern: Sequence[int], nodes: Sequence[Node]) -> bool:
    """Return whether a row that is zero everywhere rules the pattern out: above a knot; an earlier candidate wins."""
    cut, unit, which, side = key
    if side:
        return side < 0
    cuts = [node for node in nodes if isinstance(node, Breakpoints | Max)]
    return which < pattern[sum(_size(node) for node in cuts[:cut]) + unit]


def _size(node: Breakpoints | Max) -> int:
    return len(node.knots) if isinstance(node, Breakpoints) else len(node.windows)


def _demands(nodes: Sequence[Node], pattern: Sequence[int], start: Sequence[Form], k: int) -> dict[Key, Form]:
    """Return the forms that are at least 0 in the cell."""
    out: dict[Key, Form] = {}
    tensors: list[list[Form]] = []
    column = cut = 0
    for node in nodes:
        if isinstance(node, Input):
            tensors.append(list(start))
        elif isinstance(node, Affine):
            tensors.append([_sum(node, i, tensors, k) for i in range(len(node.bias))])
        else:
            values = []
            for i in range(_size(node)):
                p = pattern[column + i]
                values.append(_unit(node, i, p, tensors[node.source], out, cut))
            column, cut = column + _size(node), cut + 1
            tensors.append(values)
    return out


def _sum(node: Affine, i: int, tensors: Sequence[Sequence[Form]], k: int) -> Form:
    total = (Fraction(0),) * k + (Fraction(node.bias[i]),)
    for source, rows in node.terms:
        for j, weight in rows[i]:
            total = tuple(a + weight * b for a, b in zip(total, tensors[source][j], strict=True))
    return total


def _unit(node: Breakpoints | Max, i: int, p: int, source: Sequence[Form], out: dict[Key, Form], cut: int) -> Form:
    if isinstance(node, Max):
        best = source[node.windows[i][p]]
        for place, entry in enumerate(node.windows[i]):
            if place != p:
                out[cut, i, place, 0] = tuple(a - b for a, b in zip(best, source[entry], strict=True))
        return best
    z = source[i]
    if p < len(node.knots[i]):
        out[cut, i, p, 1] = (*(-v for v in z[:-1]), node.knots[i][p] - z[-1])
    if p > 0:
        out[cut, i, p - 1, -1] = (*z[:-1], z[-1] - node.knots[i][p - 1])
    slope, shift = node.slopes[i][p], node.intercepts[i][p]
    return (*(slope * v for v in z[:-1]), slope * z[-1] + shift)
