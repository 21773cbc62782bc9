"""Which sign, and which comes first? Exact rows on an interval of a path, and exact points of it.

An exact row is its pair of values at both ends of the segment, extended along the pieces of the interval: two whole
numbers of one scale. The point where a row takes a value is a ratio of whole numbers.
"""

from __future__ import annotations

from fractions import Fraction
from math import gcd
from typing import NamedTuple

from numpy.typing import NDArray

from reluatlas.network.network import Max, Network
from reluatlas.network.values.exact import Dyadic, ExactPoint, IntegerArithmetic

Ratio = tuple[int, int]
"""A number as (numerator, denominator), the denominator above 0, in lowest terms."""


class Line(NamedTuple):
    """The function with values `start` and `end` at t = 0 and 1, times a power of two and over a whole number.

    Lines of one node and interval share that scale when they were asked for together.
    """

    start: int
    end: int

    def sign_at(self, t: Ratio) -> int:
        """Return the sign at a point."""
        value = self.start * (t[1] - t[0]) + self.end * t[0]
        return (value > 0) - (value < 0)

    def minus(self, other: Line) -> Line:
        """Return the difference of two lines of one scale."""
        return Line(self.start - other.start, self.end - other.end)

    def root(self) -> Ratio:
        """Return where the line is zero; it must not be constant."""
        return ratio(self.start, self.start - self.end)


def ratio(top: int, bottom: int) -> Ratio:
    """Return a fraction in lowest terms, its denominator above 0."""
    shared = gcd(top, bottom) * (1 if bottom > 0 else -1)
    return top // shared, bottom // shared


def is_before(t: Ratio, other: Ratio) -> bool:
    """Return whether a point comes before another."""
    return t[0] * other[1] < other[0] * t[1]


class Exact(NamedTuple):
    """A number `numbers * 2**exponent / denominator` per line, for lines with knots."""

    lines: list[Line]
    exponent: int
    denominator: int


class ExactLines:
    """The exact rows of one interval.

    Parameters
    ----------
    ends : (Dyadic, Dyadic)
        Both ends of the segment.
    choice : dict
        For each cut node before the rows asked for, the pieces or winners (1, units).
    known : pair of dict, optional
        Tensors that another interval has computed and that are the same functions here.
    """

    def __init__(
        self,
        network: Network,
        arithmetic: IntegerArithmetic,
        ends: tuple[Dyadic, Dyadic],
        choice: dict[int, NDArray],
        known: tuple[dict[int, Dyadic], dict[int, Dyadic]] | None = None,
    ) -> None:
        self._network = network
        self._points = tuple(ExactPoint(network, arithmetic, end, choice, 0) for end in ends)
        if known is not None:
            for point, tensors in zip(self._points, known, strict=True):
                point.known.update(tensors)

    @property
    def known(self) -> tuple[dict[int, Dyadic], dict[int, Dyadic]]:
        """The tensors computed so far, at both ends."""
        return self._points[0].known, self._points[1].known

    def entries(self, node: int, indices: list[int]) -> Exact:
        """Return the rows of some entries of a node's tensor, all of one scale."""
        start, end = (point.entries(node, indices) for point in self._points)
        exponent = min((number[1] for number in (*start, *end)), default=0)
        denominator = start[0][2] if start else 1
        lines = [Line(u[0] << (u[1] - exponent), v[0] << (v[1] - exponent)) for u, v in zip(start, end, strict=True)]
        return Exact(lines, exponent, denominator)

    def above(self, node: int, indices: list[int], knots: list[float]) -> list[Line]:
        """Return entries minus a knot each; lines of several scales."""
        exact = self.entries(node, indices)
        return [_minus_knot(line, exact, knot) for line, knot in zip(exact.lines, knots, strict=True)]

    def root(self, node: int, unit: int, other: int) -> Ratio:
        """Return where a cut of a node is: of unit and its knot number `other`, or of two candidates of a max."""
        here = self._network.nodes[node]
        if isinstance(here, Max):
            first, second = self.entries(here.input, [unit, other]).lines
            return first.minus(second).root()
        knot = float(here.knots[unit, other])  # type: ignore[union-attr]
        return self.above(here.input, [unit], [knot])[0].root()  # type: ignore[union-attr]


def _minus_knot(line: Line, exact: Exact, knot: float) -> Line:
    if knot == 0:
        return line
    gap = Fraction(knot) * exact.denominator / Fraction(2) ** exact.exponent
    return Line(line.start * gap.denominator - gap.numerator, line.end * gap.denominator - gap.numerator)


def nearest(t: Ratio) -> tuple[float, float]:
    """Return a point of [0, 1] in float64, and a bound on the error."""
    value = t[0] / t[1]
    return value, value * 2.0**-53 + 2.0**-1074
