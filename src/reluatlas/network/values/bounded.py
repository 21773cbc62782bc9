"""How wrong can float64 be here? Rows of numbers with a rigorous bound on the error of each.

A bound of zero means that the number is exact, which is what lets whole families of networks (small integer
weights at points with few digits, units that are off, inputs that are zero) be decided without exact arithmetic.
NaN and infinity, in a value or in its bound, mean that nothing is known; every comparison with them fails.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reluatlas.arithmetic.bounded import TINY_FACTOR, Bounded, divided, exactly, plus, scaled, take
from reluatlas.arithmetic.constants import EPSILON, LOST, SLACK
from reluatlas.arithmetic.floats import NO_BIT, low_bits, width
from reluatlas.deadline import look
from reluatlas.network.interpret import Choice, Done, slopes_of, winners_of
from reluatlas.network.operators import (
    Convolution,
    Dense,
    Gather,
    LinearOperator,
    Sparse,
    apply_operator,
    mapped,
    numerator_product,
    terms,
)
from reluatlas.network.record import Affine, Breakpoints, Max
from reluatlas.typing import FloatArray

_WORK = 2**26  # multiplications between two looks at the clock


def _least(magnitude: FloatArray) -> float:
    return float(magnitude.min(initial=np.inf, where=magnitude > 0))


@dataclass(frozen=True, eq=False)
class Factor:
    """A matrix (n_in, n_out) to multiply rows by, with what its error bounds need.

    `product` and `magnitude` multiply rows by it and by its absolute values; `low`, `rounding` belong to the outputs.
    """

    product: Callable[[FloatArray], FloatArray]
    magnitude: Callable[[FloatArray], FloatArray]
    terms: int
    low: NDArray[np.int64]
    rounding: FloatArray
    smallest: float
    may_be_exact: bool

    @classmethod
    def of(cls, matrix: FloatArray) -> Factor:
        """Return the factor of `matrix` (n_in, n_out)."""
        magnitude = np.abs(matrix)
        low = low_bits(matrix).min(axis=0, initial=NO_BIT)
        terms = np.count_nonzero(matrix, axis=0)
        rounding = _rounding(terms, width(matrix).max(axis=0, initial=0))
        top = magnitude.max(axis=0, initial=0.0)
        spread = np.frexp(top)[1] - low
        return cls(
            lambda rows: rows @ matrix, lambda rows: rows @ magnitude, matrix.shape[0], low, rounding,
            _least(magnitude), bool(np.any(spread <= 53)),
        )  # fmt: skip

    @classmethod
    def of_sparse(cls, operator: Sparse) -> Factor:
        """Return the factor of the transposed numerators of a sparse operator."""
        whole = Sparse(operator.indptr, operator.indices, operator.values, operator.n_in)
        magnitude = mapped(whole, np.abs)
        row = np.repeat(np.arange(operator.n_out), np.diff(operator.indptr))
        low, wide = np.full(operator.n_out, NO_BIT), np.zeros(operator.n_out, dtype=np.int64)
        top = np.zeros(operator.n_out)
        np.minimum.at(low, row, low_bits(operator.values))
        np.maximum.at(wide, row, width(operator.values))
        np.maximum.at(top, row, np.abs(operator.values))
        terms = np.bincount(row[operator.values != 0], minlength=operator.n_out)
        return cls(
            lambda rows: numerator_product(whole, rows), lambda rows: apply_operator(magnitude, rows),
            int(terms.max(initial=0)), low, _rounding(terms, wide),
            _least(np.abs(operator.values)), bool(np.any(np.frexp(top)[1] - low <= 53)),
        )  # fmt: skip

    @classmethod
    def of_convolution(cls, operator: Convolution) -> Factor:
        """Return the factor of the transposed matrix of a convolution; taps on the padding count as terms."""
        weight = operator.weight.reshape(operator.weight.shape[0], -1)
        magnitude = mapped(operator, np.abs)
        low = low_bits(weight).min(axis=1, initial=NO_BIT)
        terms = np.count_nonzero(weight, axis=1)
        spread = np.frexp(np.abs(weight).max(axis=1, initial=0.0))[1] - low
        each = operator.places.shape[0]
        return cls(
            lambda rows: apply_operator(operator, rows), lambda rows: apply_operator(magnitude, rows),
            int(terms.max(initial=0)), np.repeat(low, each),
            np.repeat(_rounding(terms, width(weight).max(axis=1, initial=0)), each),
            _least(np.abs(weight)), bool(np.any(spread <= 53)),
        )  # fmt: skip


def _rounding(terms: NDArray, width: NDArray) -> FloatArray:
    # One term times a power of two is not rounded at all.
    return np.where((terms <= 1) & (width <= 1), 0.0, (terms + 4.0) * EPSILON)


def times(rows: Bounded, factor: Factor) -> Bounded:
    """Return `rows @ factor`, for any order of summation, with or without fused products."""
    magnitude = np.abs(rows.value)
    value = factor.product(rows.value)
    look()
    size = factor.magnitude(magnitude)
    look()
    error = size * factor.rounding
    noisy: NDArray[np.bool_] = np.any(rows.error != 0, axis=1)
    terms = factor.terms
    if min(_least(magnitude), _least(rows.error)) * factor.smallest < TINY_FACTOR:
        error = error + terms * LOST
    if factor.may_be_exact and not noisy.all():
        # All terms are multiples of 2^q and no partial sum passes 2^(53 + q): nothing is rounded.
        q = low_bits(rows.value).min(axis=1, initial=NO_BIT)[:, None] + factor.low
        limit = np.ldexp(1.0, (np.clip(q, -1074, 900) + 53).astype(np.int32))
        exact = (size * SLACK <= limit) & (q >= -1074) & ~noisy[:, None]
        error = np.where(exact, 0.0, error)
    if noisy.any():
        error = error + factor.magnitude(rows.error) * (1 + (terms + 4.0) * EPSILON)
    return Bounded(value, np.where(size > 2.0**1020, np.inf, error * SLACK))


class FloatBounds:
    """Applies linear operators to bounded rows; keeps what was computed of each operator."""

    def __init__(self) -> None:
        self._factors: dict[int, tuple[LinearOperator, Factor]] = {}

    def apply(self, operator: LinearOperator, rows: Bounded) -> Bounded:
        """Return the operator applied to rows (N, n_in): (N, n_out)."""
        n, step = rows.value.shape[0], max(1, _WORK // max(1, operator.n_in, operator.n_out * terms(operator)))
        if n > step:
            out = exactly(np.empty((n, operator.n_out)))
            for start in range(0, n, step):
                look()
                part = slice(start, start + step)
                found = self._apply(operator, Bounded(rows.value[part], rows.error[part]))
                out.value[part], out.error[part] = found
            return out
        look()
        return self._apply(operator, rows)

    def affine(self, node: Affine, done: Done[Bounded], n_rows: int) -> Bounded:
        """Return an affine node's values (n_rows, size) from those of the nodes before."""
        total = exactly(np.broadcast_to(node.bias, (n_rows, node.bias.size)).copy())
        for source, operator in zip(node.inputs, node.operators, strict=True):
            total = plus(self.apply(operator, done[source]), total)
        return total

    def _apply(self, operator: LinearOperator, rows: Bounded) -> Bounded:
        if isinstance(operator, Sparse):
            return divided(times(rows, self._factor(operator)), operator.denominator)
        if not isinstance(operator, Gather):
            return times(rows, self._factor(operator))
        return scaled(take(rows, operator.index), np.where(operator.index < 0, 0.0, operator.scale))

    def _factor(self, operator: Dense | Sparse | Convolution) -> Factor:
        if id(operator) not in self._factors:
            if isinstance(operator, Dense):
                made = Factor.of(operator.weight.T)
            elif isinstance(operator, Sparse):
                made = Factor.of_sparse(operator)
            else:
                made = Factor.of_convolution(operator)
            self._factors[id(operator)] = (operator, made)
        return self._factors[id(operator)][1]


def bent(node: Breakpoints, piece: NDArray, z: Bounded) -> Bounded:
    """Return the values of units on the given pieces (N, units), or (units,) of all rows."""
    return plus(scaled(z, slopes_of(node, piece)), node.intercepts[np.arange(node.knots.shape[0]), piece])


def chosen(node: Max, winner: NDArray, z: Bounded) -> Bounded:
    """Return the values of windows whose winners (N, windows) are given."""
    index = winners_of(node, winner)
    return Bounded(np.take_along_axis(z.value, index, axis=1), np.take_along_axis(z.error, index, axis=1))


class AlongPieces:
    """Values (N, size) along given pieces and winners (N, units): an algebra of `reluatlas.network.interpret`."""

    def __init__(self, bounds: FloatBounds, choice: Choice, n_rows: int) -> None:
        self._bounds, self._choice, self._n_rows = bounds, choice, n_rows

    def affine(self, t: int, node: Affine, done: Done[Bounded]) -> Bounded:
        """Return the values of an affine node."""
        return self._bounds.affine(node, done, self._n_rows)

    def breakpoints(self, t: int, node: Breakpoints, done: Done[Bounded]) -> Bounded:
        """Return the values of units on their pieces."""
        return bent(node, self._choice[t], done[node.input])

    def max(self, t: int, node: Max, done: Done[Bounded]) -> Bounded:
        """Return the values of the winners of windows."""
        return chosen(node, self._choice[t], done[node.input])
