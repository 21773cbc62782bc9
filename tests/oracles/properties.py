"""Is some input of a box in a case, with the network's output? All cells in fractions, one linear program for each.

A case is a list of inequalities: coefficients of inputs and of outputs by their numbers, and what the sum is at most.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction

from tests.oracles.plain import Affine, Breakpoints, Node
from tests.oracles.program import largest
from tests.oracles.solid import Domain, cells

Inequality = tuple[Mapping[int, Fraction], Mapping[int, Fraction], Fraction]
Row = list[Fraction]
Box = tuple[Sequence[Fraction], Sequence[Fraction]]


def is_violated(nodes: Sequence[Node], output: int, box: Box, case: Sequence[Inequality]) -> bool:
    """Return whether some point of the closed box satisfies all inequalities."""
    return any(largest([*room, *rows], [Fraction(0)] * k) != "infeasible" for k, room, rows in _programs(
        nodes, output, box, case))  # fmt: skip


def least_bound(nodes: Sequence[Node], output: int, box: Box, case: Sequence[Inequality]) -> Fraction | None:
    """Return the least bound of the last inequality with which the others can hold; None when they cannot."""
    found = []
    for _, room, rows in _programs(nodes, output, box, case):
        *others, (*form, bound) = rows
        value = largest([*room, *others], [-v for v in form])
        if value != "infeasible":
            assert not isinstance(value, str)
            found.append(case[-1][2] - value - bound)
    return min(found, default=None)


def value(nodes: Sequence[Node], output: int, x: Sequence[Fraction]) -> list[Fraction]:
    """Return the output at a point."""
    tensors: list[list[Fraction]] = [list(x)]
    for node in nodes[1:]:
        if isinstance(node, Affine):
            sums = [Fraction(b) for b in node.bias]
            for source, rows in node.terms:
                for i, row in enumerate(rows):
                    sums[i] += sum((w * tensors[source][j] for j, w in row), Fraction(0))
            tensors.append(sums)
        elif isinstance(node, Breakpoints):
            out = []
            for i, z in enumerate(tensors[node.source]):
                p = sum(knot < z for knot in node.knots[i])
                out.append(node.slopes[i][p] * z + node.intercepts[i][p])
            tensors.append(out)
        else:
            tensors.append([max(tensors[node.source][j] for j in window) for window in node.windows])
    return tensors[output]


def _programs(
    nodes: Sequence[Node], output: int, box: Box, case: Sequence[Inequality]
) -> Iterator[tuple[int, list[Row], list[Row]]]:
    """Yield, for each cell, the number of coordinates, its rows, and the rows of the case: a . u <= b."""
    low, high = box
    free = [i for i, (a, b) in enumerate(zip(low, high, strict=True)) if a < b]
    k = len(free)
    if not k:
        y = value(nodes, output, low)
        rows = []
        for inputs, outputs, bound in case:
            total = sum((c * low[i] for i, c in inputs.items()), Fraction(0))
            total += sum((c * y[j] for j, c in outputs.items()), Fraction(0))
            rows.append([bound - total])
        yield 0, [], rows
        return
    origin = tuple(Fraction(0) if i in free else low[i] for i in range(len(low)))
    basis = tuple(tuple(int(i == j) for i in range(len(low))) for j in free)
    domain = Domain(tuple(low[i] for i in free), tuple(high[i] for i in free), origin, basis)
    for cell in cells(nodes, output, domain):
        room = [[*(Fraction(-v) for v in row[:k]), Fraction(row[k])] for row in cell.polytope.rows.values()]
        rows = []
        for inputs, outputs, bound in case:
            form = [Fraction(0)] * (k + 1)
            for i, c in inputs.items():
                form[k if i not in free else free.index(i)] += c * (1 if i in free else low[i])
            for j, c in outputs.items():
                form = [a + c * b for a, b in zip(form, cell.map[j], strict=True)]
            rows.append([*form[:k], bound - form[k]])
        yield k, room, rows
