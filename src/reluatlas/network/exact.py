"""What is the number exactly? Vectors of integers on a common power of two.

Every float64 is an integer times a power of two, and so is everything that an affine or a piecewise-linear
node computes from float64 numbers. Slow, and asked only where a float64 error bound leaves a sign open.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import mul
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reluatlas.network.graph import Affine, Breakpoints, Dense, FloatArray, Input, LinearOperator, Max, Network
from reluatlas.network.rounding import SLACK, low_bits

_FLINT_FROM = 2048


class Dyadic(NamedTuple):
    """The vector `numbers * 2**exponent`."""

    numbers: list[int]
    exponent: int


def dyadic(array: ArrayLike) -> Dyadic:
    """Return a vector of finite float64 numbers exactly."""
    values = np.asarray(array, dtype=np.float64).reshape(-1)
    low = low_bits(values)
    nonzero = values != 0
    if not nonzero.any():
        return Dyadic([0] * values.size, 0)
    exponent = int(low[nonzero].min())
    mantissa, top = np.frexp(values)
    if int(top.max(where=nonzero, initial=exponent)) - exponent <= 62:
        whole = np.ldexp(mantissa, np.where(nonzero, top - exponent, 0))
        return Dyadic(whole.astype(np.int64).tolist(), exponent)
    wholes = np.ldexp(mantissa, 53).astype(np.int64).tolist()
    shifts = np.where(nonzero, top - 53 - exponent, 0).tolist()
    return Dyadic([w << s if s >= 0 else w >> -s for w, s in zip(wholes, shifts, strict=True)], exponent)


def to_float(number: int, exponent: int) -> tuple[float, float]:
    """Return `number * 2**exponent` as float64, and a bound on the error: 0.0 when there is none."""
    if number == 0:
        return 0.0, 0.0
    extra = max(abs(number).bit_length() - 53, -1074 - exponent, 0)
    kept = number >> extra
    try:
        value = math.ldexp(kept, exponent + extra)
        return value, 0.0 if kept << extra == number else math.ldexp(SLACK, exponent + extra)
    except OverflowError:
        return math.inf if number > 0 else -math.inf, math.inf


def compare(number: int, exponent: int, bound: float) -> int:
    """Return the sign of `number * 2**exponent - bound` for a finite `bound`."""
    above, below = bound.as_integer_ratio()
    gap = (number << exponent) * below - above if exponent >= 0 else number * below - (above << -exponent)
    return (gap > 0) - (gap < 0)


class IntegerArithmetic:
    """Applies linear operators to dyadic vectors, forward and backward; keeps operators as integers."""

    def __init__(self) -> None:
        self._rows: dict[tuple[int, int], tuple[LinearOperator, Dyadic]] = {}
        self._matrices: dict[tuple[int, bool], tuple] = {}

    def apply(self, operator: LinearOperator, vector: Dyadic) -> Dyadic:
        """Return the operator applied to a vector."""
        if isinstance(operator, Dense):
            return self._product(operator, vector, transposed=False)
        taken = [vector.numbers[j] if j >= 0 else 0 for j in operator.index.tolist()]
        return self.scale(Dyadic(taken, vector.exponent), np.where(operator.index < 0, 0.0, operator.scale))

    def entry(self, operator: LinearOperator, vector: Dyadic, i: int) -> Dyadic:
        """Return entry i of the operator applied to a vector."""
        if not isinstance(operator, Dense):
            j = int(operator.index[i])
            factor = dyadic(operator.scale[i] if j >= 0 else 0.0)
            number = vector.numbers[j] * factor.numbers[0] if j >= 0 else 0
            return Dyadic([number], vector.exponent + factor.exponent)
        key = (id(operator), i)
        if key not in self._rows:
            self._rows[key] = (operator, dyadic(operator.weight[i]))
        row = self._rows[key][1]
        return Dyadic([sum(map(mul, row.numbers, vector.numbers))], row.exponent + vector.exponent)

    def adjoint(self, operator: LinearOperator, row: Dyadic) -> Dyadic:
        """Return `row @ matrix` of the operator."""
        if isinstance(operator, Dense):
            return self._product(operator, row, transposed=True)
        parts = self.scale(row, np.where(operator.index < 0, 0.0, operator.scale))
        return self.collect(parts, operator.index, operator.n_in)

    def collect(self, row: Dyadic, index: NDArray, size: int) -> Dyadic:
        """Return the vector of `size` entries whose entry j is the sum of the entries i with `index[i] == j`."""
        out = [0] * size
        for j, number in zip(np.ravel(index).tolist(), row.numbers, strict=True):
            if j >= 0:
                out[j] += number
        return Dyadic(out, row.exponent)

    def scale(self, vector: Dyadic, factor: FloatArray) -> Dyadic:
        """Return `vector * factor`, entry by entry."""
        exact = dyadic(factor)
        return Dyadic(list(map(mul, vector.numbers, exact.numbers)), vector.exponent + exact.exponent)

    def add(self, vector: Dyadic, other: Dyadic) -> Dyadic:
        """Return the sum of two vectors."""
        exponent = min(vector.exponent, other.exponent)
        left, right = vector.exponent - exponent, other.exponent - exponent
        both = zip(vector.numbers, other.numbers, strict=True)
        return Dyadic([(a << left) + (b << right) for a, b in both], exponent)

    def constant(self, row: Dyadic, vector: FloatArray) -> None:
        """Ignore constants: only linear parts are followed."""

    def _product(self, operator: Dense, vector: Dyadic, *, transposed: bool) -> Dyadic:
        from flint import fmpz_mat

        key = (id(operator), transposed)
        if key not in self._matrices:
            weight = operator.weight.T if transposed else operator.weight
            whole = dyadic(weight)
            matrix = fmpz_mat(weight.shape[0], weight.shape[1], whole.numbers) if weight.size else None
            self._matrices[key] = (operator, matrix, whole.exponent, weight.shape[0])
        _, matrix, exponent, size = self._matrices[key]
        if matrix is None:
            return Dyadic([0] * size, 0)
        column = matrix * fmpz_mat(len(vector.numbers), 1, vector.numbers)
        return Dyadic([int(v) for v in column.entries()], exponent + vector.exponent)


class ExactPoint:
    """The exact values of a network's tensors at one point, along pieces that are already chosen.

    Parameters
    ----------
    x : ndarray, shape (n_inputs,), or Dyadic
    choice : dict
        Pieces or winners (N, units) of each cut node that comes before the tensors asked for; may grow later.
    position : int
        The point's row in these.
    """

    def __init__(
        self,
        network: Network,
        arithmetic: IntegerArithmetic,
        x: FloatArray | Dyadic,
        choice: dict[int, NDArray],
        position: int,
    ) -> None:
        self._network = network
        self._arithmetic = arithmetic
        self._choice = choice
        self._position = position
        self._known: dict[int, Dyadic] = {0: x if isinstance(x, Dyadic) else dyadic(x)}

    def entries(self, node: int, indices: Sequence[int]) -> list[tuple[int, int]]:
        """Return the entries of a node's tensor as pairs (integer, exponent)."""
        here = self._network.nodes[node]
        if node not in self._known and isinstance(here, Affine):
            work = len(indices) * sum(o.n_in for o in here.operators if isinstance(o, Dense))
            if len(indices) * 2 < here.bias.size or work < _FLINT_FROM:
                return [self._entry(here, i) for i in indices]
        vector = self.values(node)
        return [(vector.numbers[i], vector.exponent) for i in indices]

    def values(self, node: int) -> Dyadic:
        """Return all of a node's tensor."""
        if node not in self._known:
            for earlier in sorted(_needed(self._network, node)):
                if earlier not in self._known:
                    self._known[earlier] = self._compute(earlier)
        return self._known[node]

    def _entry(self, here: Affine, i: int) -> tuple[int, int]:
        total = dyadic(here.bias[i])
        for source, operator in zip(here.inputs, here.operators, strict=True):
            total = self._arithmetic.add(total, self._arithmetic.entry(operator, self.values(source), i))
        return total.numbers[0], total.exponent

    def _compute(self, node: int) -> Dyadic:
        here, arithmetic = self._network.nodes[node], self._arithmetic
        if isinstance(here, Affine):
            total = dyadic(here.bias)
            for source, operator in zip(here.inputs, here.operators, strict=True):
                total = arithmetic.add(total, arithmetic.apply(operator, self._known[source]))
            return total
        if isinstance(here, Breakpoints):
            piece, unit = self._choice[node][self._position], np.arange(here.knots.shape[0])
            scaled = arithmetic.scale(self._known[here.input], here.slopes[unit, piece])
            return arithmetic.add(scaled, dyadic(here.intercepts[unit, piece]))
        assert isinstance(here, Max)
        source = self._known[here.input]
        winners = here.candidates[here.offsets[:-1] + self._choice[node][self._position]]
        return Dyadic([source.numbers[j] for j in winners.tolist()], source.exponent)


def _needed(network: Network, node: int) -> set[int]:
    needed, stack = set(), [node]
    while stack:
        t = stack.pop()
        if t not in needed:
            needed.add(t)
            here = network.nodes[t]
            if isinstance(here, Affine):
                stack.extend(here.inputs)
            elif not isinstance(here, Input):
                stack.append(here.input)
    return needed
