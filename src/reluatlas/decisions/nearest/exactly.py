"""What is true exactly? Outputs at points, distances, and the nearest point of a part on which no unit changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import isqrt, prod
from typing import Any, NamedTuple

import numpy as np

from reluatlas.arithmetic.rationals import Coordinates, ExactVector, over_one
from reluatlas.decisions.nearest.relax import Cut, demand_rows
from reluatlas.decisions.nearest.targets import Target
from reluatlas.geometry.programs.least_norm import least_norm, settled
from reluatlas.geometry.programs.least_square import Polyhedron, least_square
from reluatlas.network.interpret import Choice
from reluatlas.network.record import Breakpoints, Graph, Max
from reluatlas.network.values.exact import ExactPoint, IntegerArithmetic, pieces_at
from reluatlas.network.values.exact_rows import ExactAffine, exact_affine
from reluatlas.typing import FloatArray

FEW = 12
"""Coordinates up to which polyhedral norms are settled by exact programs from the start."""


class Found(NamedTuple):
    """A nearest point, exactly; of the Euclidean norm the squared distance."""

    size: Fraction
    point: tuple[Fraction, ...]


class Exactly:
    """Exact answers about one network around one point.

    Parameters
    ----------
    network : Graph
        Of the domain's coordinates.
    x : ndarray, shape (k,)
    low, high : ndarray, shape (k,)
        Of the domain; infinite where it has no end.
    norm : 1, 2 or inf
    basis : ndarray, shape (k, n), optional
        What steps are measured behind; None: as they are.
    """

    def __init__(
        self, network: Graph, x: FloatArray, low: FloatArray, high: FloatArray, norm: float, basis: FloatArray | None
    ) -> None:
        self._network, self._norm = network, norm
        self._arithmetic = IntegerArithmetic()
        self.low, self.high = low, high
        self.x = tuple(Fraction(v) for v in x.tolist())
        self._x = [ratio(v) for v in self.x]
        self._low = [None if not np.isfinite(v) else ratio(Fraction(v)) for v in low.tolist()]
        self._high = [None if not np.isfinite(v) else ratio(Fraction(v)) for v in high.tolist()]
        self._basis = None if basis is None else [[ratio(Fraction(v)) for v in row] for row in basis.tolist()]
        self._inverse = None if self._basis is None or norm != 2 else _inverse_gram(self._basis)

    def outputs(self, u: Coordinates) -> list[Fraction]:
        """Return the outputs at a point."""
        choice: Choice = {}
        point = ExactPoint(self._network, self._arithmetic, over_one(u), choice, 0)
        for t in self._network.cuts:
            node = self._network.nodes[t]
            assert isinstance(node, Breakpoints | Max)
            choice[t] = pieces_at(node, point.values(node.input))[None]
        return point.values(self._network.output).fractions

    def size(self, u: Coordinates) -> Fraction:
        """Return the distance of a point from x; of the Euclidean norm its square."""
        step = [ratio(Fraction(v)) - a for v, a in zip(_list(u), self._x, strict=True)]
        if self._basis is not None:
            step = [sum((s * row[j] for s, row in zip(step, self._basis, strict=True)), step[0] * 0)
                    for j in range(len(self._basis[0]))]  # fmt: skip
        if self._norm == 2:
            return fraction(sum((s * s for s in step), step[0] * 0))
        sizes = [abs(s) for s in step]
        return fraction(sum(sizes, step[0] * 0) if self._norm == 1 else max(sizes))

    def nearest(
        self, cuts: Sequence[Cut], choice: Choice, target: Target,
        guess: tuple[Sequence[int], Mapping[int, int]] = ((), {}), multipliers: Sequence[float] | None = None,
    ) -> Found | bool | None:  # fmt: skip
        """Return the nearest point where cuts hold and the target is reached, on given pieces; None for none.

        False where it was not settled: in many coordinates, with norms 1 and inf, float64 may not guess what is active.
        """
        rows = [_demand(self.row(self._network.output, target.factors, choice), Fraction(target.shift))]
        for t in dict.fromkeys(cut.node for cut in cuts):
            node = self._network.nodes[t]
            assert isinstance(node, Breakpoints | Max)
            n = prod(self._network.nodes[node.input].shape)
            seeds, shifts = demand_rows(node, n, [cut for cut in cuts if cut.node == t])
            for seed, shift in zip(seeds, shifts.tolist(), strict=True):
                factors = {int(j): int(seed[j]) for j in np.flatnonzero(seed)}
                rows.append(_demand(self.row(node.input, factors, choice), Fraction(shift)))
        within = Polyhedron(rows, self._low, self._high)
        if self._norm == 2:
            found = least_square(self._x, within, inverse=self._inverse, guess=guess)
            return None if found is None else Found(fraction(found.square), tuple(map(fraction, found.point)))
        if len(self._x) > FEW:
            if self._basis is not None or multipliers is None:
                return False
            known = settled(self._x, within, self._norm, multipliers)
            return False if known is None else Found(fraction(known[0]), tuple(map(fraction, known[1])))
        told = least_norm(self._x, within, self._norm, self._basis)
        return None if told is None else Found(fraction(told[0]), tuple(map(fraction, told[1])))

    def row(self, node: int, factors: Mapping[int, int], choice: Choice) -> ExactAffine:
        """Return a sum of entries as an affine function, on given pieces."""
        return exact_affine(self._network, node, factors, choice, self._arithmetic)


def _demand(form: ExactAffine, shift: Fraction) -> tuple[list[Any], Any]:
    """Return `row . y + constant + shift >= 0` as `a . y <= b`."""
    a = [-v for v in ratios(form.row)]
    return a, ratios(form.constant)[0] + ratio(shift)


def _inverse_gram(basis: list[list[Any]]) -> list[list[Any]]:
    from flint import fmpq_mat

    k = len(basis)
    entries = [sum((v * w for v, w in zip(a, b, strict=True)), a[0] * 0) for a in basis for b in basis]
    inverse = fmpq_mat(k, k, entries).inv()
    return [[inverse[i, j] for j in range(k)] for i in range(k)]


def ratios(vector: ExactVector) -> list[Any]:
    """Return a vector as fmpq."""
    from flint import fmpq

    top, bottom = 1 << max(vector.exponent, 0), vector.denominator << max(-vector.exponent, 0)
    return [fmpq(n * top, bottom) if n else fmpq(0) for n in vector.numbers]


def ratio(value: Fraction) -> Any:
    """Return a fraction as fmpq."""
    from flint import fmpq

    return fmpq(value.numerator, value.denominator)


def fraction(value: Any) -> Fraction:
    """Return an fmpq as a fraction."""
    return Fraction(int(value.p), int(value.q))


def _list(u: Coordinates) -> list[Any]:
    return u.tolist() if isinstance(u, np.ndarray) else list(u)


def length_up(size: Fraction, norm: float) -> float:
    """Return a float64 number of at least a distance that is given by its size (its square, in the Euclidean norm)."""
    value = float(size) if norm != 2 else _root(size)
    while not _at_least(value, size, norm):
        value = float(np.nextafter(value, np.inf))
    return value


def length_nearest(size: Fraction, norm: float) -> float:
    """Return the float64 number nearest to a distance (of a square root, one of the two next to it)."""
    return float(size) if norm != 2 else _root(size)


def _root(size: Fraction) -> float:
    # 128 bits of the root
    shift = max(0, 128 - (size.numerator.bit_length() - size.denominator.bit_length()) // 2)
    return float(Fraction(isqrt((size.numerator << (2 * shift)) // size.denominator), 1 << shift))


def _at_least(value: float, size: Fraction, norm: float) -> bool:
    held = Fraction(value)
    return (held * held if norm == 2 else held) >= size
