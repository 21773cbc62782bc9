"""What is true of a case? The oracles' answers, computed once each, and the numbers that answers are compared by."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from functools import cached_property
from math import inf

import numpy as np
from numpy.typing import NDArray

from tests.oracles import decision, meeting, plain, solid
from tests.oracles.polytopes import Vertex, as_point
from tests.oracles.steps import Case

FloatArray = NDArray[np.float64]


class Truth:
    """The oracles' answers about a case."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.nodes = case.nodes()
        self.domain = case.domain()
        self.n_outputs = case.n_outputs()

    @cached_property
    def cells(self) -> list[solid.Cell]:
        """All cells."""
        return solid.cells(self.nodes, len(self.nodes) - 1, self.domain)

    @cached_property
    def at(self) -> dict[tuple[int, ...], int]:
        """The cell of each pattern."""
        out = {cell.pattern: i for i, cell in enumerate(self.cells)}
        assert len(out) == len(self.cells)
        return out

    @cached_property
    def behind(self) -> list[dict[int, int]]:
        """What lies behind each facet of each cell."""
        return meeting.behind(self.cells, self.domain)

    @cached_property
    def boundary(self) -> decision.Boundary:
        """The decision boundary."""
        return decision.decision_boundary(self.nodes, len(self.nodes) - 1, self.n_outputs, self.domain)

    @cached_property
    def size(self) -> float:
        """The largest coordinate of the domain's box, at least that of a vertex; for slack."""
        if self.domain.whole:
            return max([1.0, *(abs(number(v)) for c in self.cells for p in self.finite(c) for v in as_point(p))])
        return max(abs(number(v)) for v in (*self.domain.low, *self.domain.high))

    @cached_property
    def unit(self) -> float:
        """The volume of one unit of the domain's coordinates, in input units."""
        if self.case.basis is None:
            return 1.0
        return float(np.sqrt(np.linalg.det(self.case.basis @ self.case.basis.T)))

    @cached_property
    def magnitudes(self) -> list[tuple[Fraction, ...]]:
        """For each output and coordinate (the constant last), the size of what adds up when nothing cancels."""
        out: list[list[tuple[Fraction, ...]]] = []
        columns = list(zip(*self.domain.basis, self.domain.origin, strict=True))
        k = self.domain.k
        for node in self.nodes:
            if isinstance(node, plain.Input):
                out.append([tuple(abs(Fraction(v)) for v in column) for column in columns])
            elif isinstance(node, plain.Affine):
                rows = []
                for i, bias in enumerate(node.bias):
                    total = [Fraction(0)] * k + [abs(Fraction(bias))]
                    for source, table in node.terms:
                        for j, weight in table[i]:
                            total = [a + abs(weight) * b for a, b in zip(total, out[source][j], strict=True)]
                    rows.append(tuple(total))
                out.append(rows)
            elif isinstance(node, plain.Breakpoints):
                rows = []
                for row, slopes, shifts in zip(out[node.source], node.slopes, node.intercepts, strict=True):
                    top = max(abs(Fraction(s)) for s in slopes)
                    shift = max(abs(Fraction(s)) for s in shifts)
                    rows.append((*(top * v for v in row[:-1]), top * row[-1] + shift))
                out.append(rows)
            else:
                source = out[node.source]
                out.append([tuple(max(c) for c in zip(*(source[e] for e in w), strict=True)) for w in node.windows])
        return out[-1]

    def is_ray(self, vertex: Vertex) -> bool:
        """Return whether a vertex stands for one at infinity."""
        return self.domain.whole and max(abs(v) for v in vertex[:-1]) == self.domain.high[0] * vertex[-1]

    def finite(self, cell: solid.Cell) -> list[Vertex]:
        """Return the vertices of a cell that are not at infinity."""
        return [v for v in cell.polytope.vertices if not self.is_ray(v)]


def number(value: Fraction | int) -> float:
    """Return the nearest float64, infinite beyond its range."""
    try:
        return float(value)
    except OverflowError:
        return inf if value > 0 else -inf


def close(given: float, exact: Fraction, within: float | Fraction) -> bool:
    """Return whether a float64 is as close to an exact number as said; beyond float64's range it must be infinite."""
    if not np.isfinite(given):
        return given == number(exact)
    return abs(Fraction(given) - exact) <= Fraction(within)


def forward(nodes: Sequence[plain.Node], x: Sequence[Fraction]) -> tuple[int, ...]:
    """Return the pattern of exact evaluation at a point: knots strictly below, the first of the largest."""
    tensors: list[list[Fraction]] = []
    pattern: list[int] = []
    for node in nodes:
        if isinstance(node, plain.Input):
            tensors.append(list(x))
        elif isinstance(node, plain.Affine):
            rows = [Fraction(b) for b in node.bias]
            for source, table in node.terms:
                for i, row in enumerate(table):
                    rows[i] += sum((w * tensors[source][j] for j, w in row), start=Fraction(0))
            tensors.append(rows)
        elif isinstance(node, plain.Breakpoints):
            values = []
            for i, z in enumerate(tensors[node.source]):
                piece = sum(z > k for k in node.knots[i])
                pattern.append(piece)
                values.append(node.slopes[i][piece] * z + node.intercepts[i][piece])
            tensors.append(values)
        else:
            values = []
            for window in node.windows:
                held = [tensors[node.source][e] for e in window]
                pattern.append(held.index(max(held)))
                values.append(max(held))
            tensors.append(values)
    return tuple(pattern)


def floats(points: Iterable[Vertex], k: int) -> FloatArray:
    """Return vertices as float64 rows."""
    return np.array([[number(v) for v in as_point(p)] for p in points]).reshape(-1, k)
