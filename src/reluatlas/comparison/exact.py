"""What are f and g exactly, at a vertex of a cell or at a float64 point? In fractions, along their pieces.

A vertex is where k rows vanish. They are composed from the weights in whole numbers, and solved.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from operator import mul

import numpy as np
from numpy.typing import NDArray

from reluatlas.arithmetic.rationals import ExactVector, exact_vector, over_one, to_floats
from reluatlas.comparison.refinement import Refinement
from reluatlas.domain import Domain
from reluatlas.errors import InternalError
from reluatlas.network.interpret import Choice
from reluatlas.network.network import Network
from reluatlas.network.record import Breakpoints, Max
from reluatlas.network.values.exact import ExactPoint, IntegerArithmetic, pieces_at
from reluatlas.subdivision.constraints.exact_rows import Reference, WholeRows
from reluatlas.typing import FloatArray


@dataclass(frozen=True)
class Values:
    """The exact outputs of both networks at one place."""

    f: tuple[Fraction, ...]
    g: tuple[Fraction, ...]

    @property
    def difference(self) -> tuple[Fraction, ...]:
        """F - g, output by output."""
        return tuple(a - b for a, b in zip(self.f, self.g, strict=True))

    def classes(self, f: Network, g: Network) -> tuple[int, int]:
        """Return both classes: the lowest index among the largest (or smallest); of a single output, its sign."""
        return class_of(f, self.f), class_of(g, self.g)


def class_of(network: Network, values: Sequence[Fraction]) -> int:
    """Return the class of exact outputs."""
    if len(values) == 1:
        return int(values[0] > 0)
    return values.index(min(values) if network.classes == "min" else max(values))


class ExactAt:
    """Exact values of a refinement on a domain."""

    def __init__(self, both: Refinement, domain: Domain) -> None:
        self._both, self._network = both, both.network
        self._slices = both.network.pattern_slices()
        self._rows = WholeRows(both.network, domain)
        self._arithmetic = IntegerArithmetic()
        origin, basis = domain.frame()
        self._is_box = not origin.any() and np.array_equal(basis, np.eye(len(basis), origin.size))
        # of each input the numbers of origin and basis, over one denominator
        frame = exact_vector(np.zeros((0, 1)) if self._is_box else np.concatenate([origin[None], basis]))
        scale = 1 << max(frame.exponent, 0)
        self._frame = [tuple(n * scale for n in frame.numbers[i :: origin.size]) for i in range(origin.size)]
        self._below = 1 << max(-frame.exponent, 0)
        self._known: dict[tuple[Fraction, ...], Values] = {}

    def vertex(self, lines: NDArray[np.int64], pattern: NDArray[np.integer]) -> tuple[Fraction, ...]:
        """Return the domain's coordinates of the vertex of a cell where the rows with these references vanish."""
        rows = [self._rows(Reference.of(line), pattern) for line in lines.tolist()]
        return solved(rows)

    def at_vertex(self, u: tuple[Fraction, ...], pattern: NDArray[np.integer]) -> Values:
        """Return the values at a vertex u of the cell with this pattern; all cells that meet there have them."""
        if u not in self._known:
            self._known[u] = self._values(
                self._embedded(u), {t: pattern[None, s].astype(np.int64) for t, s in self._slices.items()}
            )
        return self._known[u]

    def at_point(self, x: FloatArray) -> Values:
        """Return the values at a float64 input (n_inputs,)."""
        pattern = np.asarray(self._network.patterns(x.reshape(1, -1)))
        return self._values(over_one(x), {t: pattern[:, s].astype(np.int64) for t, s in self._slices.items()})

    def at_coordinates(self, u: Sequence[Fraction]) -> Values:
        """Return the values at exact coordinates of the domain; pieces are decided there, one layer after another."""
        choice: Choice = {}
        point = ExactPoint(self._network, self._arithmetic, self._embedded(u), choice, 0)
        for t in self._network.cuts:
            node = self._network.nodes[t]
            assert isinstance(node, Breakpoints | Max)
            choice[t] = pieces_at(node, point.values(node.input))[None]
        m, found = self._both.m, point.values(self._network.output).fractions
        return Values(tuple(found[:m]), tuple(found[m : 2 * m]))

    def _embedded(self, u: Sequence[Fraction]) -> ExactVector:
        """Return the input at coordinates of the domain, over one denominator."""
        place = over_one(u)
        if self._is_box:
            return place
        whole = (place.denominator, *place.numbers)
        return ExactVector([sum(map(mul, row, whole)) for row in self._frame], 0, place.denominator * self._below)

    def _values(self, x: ExactVector, choice: Choice) -> Values:
        point = ExactPoint(self._network, self._arithmetic, x, choice, 0)
        m = self._both.m
        found = point.values(self._network.output).fractions
        return Values(tuple(found[:m]), tuple(found[m : 2 * m]))


def solved(rows: Sequence[Sequence[int]]) -> tuple[Fraction, ...]:
    """Return the point at which k rows (g_1, ..., g_k, h) of whole numbers vanish: `g . u + h = 0`.

    Raises
    ------
    InternalError
        When the rows are dependent.
    """
    k = len(rows)
    table = [[Fraction(c) for c in row] for row in rows]
    for col in range(k):
        pivot = next((i for i in range(col, k) if table[i][col]), None)
        if pivot is None:
            raise InternalError("the rows of a vertex are not independent. Please report it with the networks.")
        table[col], table[pivot] = table[pivot], table[col]
        head = table[col][col]
        table[col] = [c / head for c in table[col]]
        for i in range(k):
            if i != col and table[i][col]:
                factor = table[i][col]
                table[i] = [a - factor * b for a, b in zip(table[i], table[col], strict=True)]
    return tuple(-row[k] for row in table)


def nearest_inside(u: Sequence[Fraction], low: FloatArray, high: FloatArray) -> FloatArray:
    """Return the float64 point next to exact coordinates, inside a box."""
    return np.clip(to_floats(tuple(u)), low, high)
