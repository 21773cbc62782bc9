"""What is a tensor along a segment? Rows of affine functions of t, with a bound on their float64 error.

On an interval of a path every entry of every tensor is `value + t * slope`, t in [0, 1]: two rows of numbers go through
the network's operators, and a third one bounds the error of both. All intervals in work are rows of one batch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reluatlas.arithmetic.bounded import Bounded, divided, plus, scaled
from reluatlas.arithmetic.constants import EPSILON, LOST_IN_SUMS, SLACK, UNIT_ROUNDOFF
from reluatlas.arithmetic.floats import low_bits
from reluatlas.network.network import Breakpoints, Dense, Gather, LinearOperator, Network, Sparse
from reluatlas.network.values.bounded import Factor
from reluatlas.typing import FloatArray

_FLOOR = 2.0**-450  # least size that enters an error bound, so that no bound underflows
_LEAST_WEIGHT = 2.0**-400
"""More than a product loses by underflow."""
_NO_BIT = 4096
_TOGETHER = 4
"""Neighbors that share a bound, so that one product bounds them all: they differ in few units."""
_SINGLE_FROM = 2**11  # weights from which on error bounds are multiplied in float32
_LEAST_SINGLE = np.float32(2.0**-60)


class Rows(NamedTuple):
    """Affine functions of t: `both[:, 0] + t * both[:, 1]`.

    Attributes
    ----------
    both : ndarray, shape (N, 2, size)
        Values at t = 0, and slopes.
    error : ndarray, shape (N, size)
        What value and slope together are off by at most.
    """

    both: FloatArray
    error: FloatArray

    @property
    def value(self) -> FloatArray:
        """Values at t = 0, shape (N, size)."""
        return self.both[:, 0]

    @property
    def slope(self) -> FloatArray:
        """Slopes, shape (N, size)."""
        return self.both[:, 1]

    def at(self, index: slice | NDArray) -> Rows:
        """Return some of the rows."""
        return Rows(self.both[index], self.error[index])

    def size(self) -> FloatArray:
        """Return |value| + |slope|: at least the largest value for t in [0, 1]."""
        magnitude = np.abs(self.both)
        return np.add(magnitude[:, 0], magnitude[:, 1], out=magnitude[:, 0])

    def parts(self) -> tuple[Bounded, Bounded]:
        """Return values with the whole error, and slopes with none."""
        return Bounded(self.value, self.error), Bounded(self.slope, np.zeros(self.error.shape))


def _joined(value: Bounded, slope: Bounded) -> Rows:
    return Rows(np.stack([value.value, slope.value], axis=1), (value.error + slope.error) * SLACK)


def along(start: FloatArray, end: FloatArray) -> Rows:
    """Return the rows of the inputs on the segments from `start` (N, n) to `end`."""
    exact = Bounded(start, np.zeros(start.shape))
    return _joined(exact, plus(Bounded(end, exact.error), -start))


def constant(bias: FloatArray) -> Rows:
    """Return one row of constants."""
    return Rows(np.stack([bias, np.zeros(bias.size)])[None], np.zeros((1, bias.size)))


class Factors:
    """The operators of one network, ready to carry rows; made when first used."""

    def __init__(self) -> None:
        self._made: dict[int, tuple[LinearOperator, Factor]] = {}
        self._transposed: dict[int, tuple[Dense, FloatArray]] = {}

    def apply(
        self, operator: LinearOperator, rows: Rows, bias: FloatArray | None = None, columns: NDArray | None = None
    ) -> Rows:
        """Return the operator applied to rows, plus constants.

        With `columns`, to rows of those entries only, all others being zero; the operator is dense then.
        """
        if isinstance(operator, Gather):
            return shifted(_gathered(operator, rows), bias)
        factor = self._of(operator)
        if columns is not None:
            assert isinstance(operator, Dense)
            factor = _narrowed(self._turned(operator), factor, columns)
        fast = _pushed_far(rows, factor, bias) if isinstance(factor.magnitude, _Single) else None
        return fast or shifted(self._slow(operator, factor, rows), bias)

    def _slow(self, operator: LinearOperator, factor: Factor, rows: Rows) -> Rows:
        out = _pushed(rows, factor)
        if isinstance(operator, Sparse) and operator.denominator != 1:
            value, slope = (divided(part, operator.denominator) for part in out.parts())
            return _joined(value, slope)
        return out

    def _turned(self, operator: Dense) -> FloatArray:
        if id(operator) not in self._transposed:
            self._transposed[id(operator)] = (operator, np.ascontiguousarray(operator.weight.T))
        return self._transposed[id(operator)][1]

    def _of(self, operator: LinearOperator) -> Factor:
        key = id(operator)
        if key not in self._made:
            if isinstance(operator, Dense):
                made = Factor.of(self._turned(operator))
                if operator.weight.size >= _SINGLE_FROM:
                    made = replace(made, magnitude=_Single.of(operator.weight))
            elif isinstance(operator, Sparse):
                made = Factor.of_sparse(operator)
            else:
                assert not isinstance(operator, Gather)
                made = Factor.of_convolution(operator)
            self._made[key] = (operator, made)
        return self._made[key][1]


@lru_cache(maxsize=4)
def factors_of(network: Network) -> Factors:
    """Return the factors of a network; those of the last four are kept."""
    return Factors()


def _narrowed(weight: FloatArray, factor: Factor, columns: NDArray) -> Factor:
    matrix = weight[columns]
    magnitude = factor.magnitude
    if isinstance(magnitude, _Single):
        magnitude = _Single(magnitude.matrix[columns], magnitude.slack)
    else:
        size = np.abs(matrix)
        magnitude = lambda rows: rows @ size  # noqa: E731
    return replace(factor, product=lambda rows: rows @ matrix, magnitude=magnitude)


def _pushed_far(rows: Rows, factor: Factor, bias: FloatArray | None) -> Rows | None:
    # The usual case of a large dense operator, in compiled loops; None where a row may be exact.
    from reluatlas.paths.kernels import finished, single_bounds

    assert isinstance(factor.magnitude, _Single)
    if factor.smallest < _LEAST_WEIGHT or not factor.rounding.all():
        return None
    n, m = rows.error.shape
    single, most = np.empty((n, m), dtype=np.float32), np.empty(n)
    noise = 1 + (factor.terms + 4.0) * EPSILON
    if not single_bounds(rows.both, rows.error, float(factor.rounding.max()), noise, single, most):
        return None
    both = factor.product(rows.both.reshape(2 * n, m)).reshape(n, 2, -1)
    error = np.empty((n, both.shape[2]))
    finished(
        both, single @ factor.magnitude.matrix, most, factor.magnitude.slack,
        np.zeros(both.shape[2]) if bias is None else bias, error,
    )  # fmt: skip
    return Rows(both, error)


def _pushed(rows: Rows, factor: Factor) -> Rows:
    n = rows.both.shape[0]
    both = factor.product(rows.both.reshape(2 * n, -1)).reshape(n, 2, -1)
    noise = 1 + (factor.terms + 4.0) * EPSILON
    rounding = float(factor.rounding.max(initial=0.0))
    size = rows.size()
    bound = size * rounding
    bound += rows.error * noise if rounding else rows.error
    quiet = np.flatnonzero(~rows.error.any(axis=1)) if factor.may_be_exact else []
    once = factor.rounding == 0
    together = 1 if len(quiet) or once.any() else _TOGETHER
    error = _magnitude(factor, bound, together)
    error *= SLACK
    if once.any():
        error[:, once] = factor.magnitude(rows.error)[:, once] * (noise * SLACK)
    if factor.smallest < _LEAST_WEIGHT or _is_tiny(size) or _is_tiny(bound):
        error += LOST_IN_SUMS
    if len(quiet):
        # All terms are multiples of 2^q and no partial sum passes 2^(53 + q): nothing is rounded.
        q = low_bits(rows.both[quiet]).min(axis=(1, 2), initial=_NO_BIT)[:, None] + factor.low
        limit = np.ldexp(1.0, (np.clip(q, -1074, 900) + 53).astype(np.int32))
        exact = (factor.magnitude(size[quiet]) * SLACK <= limit) & (q >= -1074)
        error[quiet] = np.where(exact, 0.0, error[quiet])
    return Rows(both, error)


def _magnitude(factor: Factor, bound: FloatArray, together: int) -> FloatArray:
    """Return the operator's absolute values times bounds, or times the largest of so many neighbors each."""
    if together == 1:
        return factor.magnitude(bound)
    most = np.maximum.reduceat(bound, np.arange(0, bound.shape[0], together), axis=0)
    return np.repeat(factor.magnitude(most), together, axis=0)[: bound.shape[0]]


def _is_tiny(bound: FloatArray) -> bool:
    # Whether some bound is so small, and not zero, that products with it might underflow.
    low = float(bound.min(initial=np.inf))
    return low < _FLOOR and bool(((bound < _FLOOR) & (bound > 0)).any())


class _Single:
    """Multiplies rows (N, n_in), none negative, by the absolute values of weights: in float32, never too small."""

    def __init__(self, matrix: NDArray[np.float32], slack: float) -> None:
        self.matrix, self.slack = matrix, slack

    @classmethod
    def of(cls, weight: FloatArray) -> Callable[[FloatArray], FloatArray]:
        top = float(np.abs(weight).max())
        scale = top if 0.0 < top < np.inf else 1.0
        matrix = np.ascontiguousarray(_lifted(np.abs(weight) / scale).T)
        return cls(matrix, scale * (1 + (matrix.shape[0] + 8) * 2.0**-23))

    def __call__(self, rows: FloatArray) -> FloatArray:
        most = rows.max(axis=1, keepdims=True, initial=0.0)
        most[most == 0] = 1.0
        return (_lifted(rows / most) @ self.matrix) * (most * self.slack)


def _lifted(part: FloatArray) -> NDArray[np.float32]:
    # Numbers from 0 to 1 in float32: what is not zero is large enough for products that do not underflow.
    lifted = part.astype(np.float32)
    return np.maximum(lifted, (part > 0) * _LEAST_SINGLE, out=lifted)


def _gathered(operator: Gather, rows: Rows) -> Rows:
    padded = operator.index < 0
    factor = np.where(padded, 0.0, operator.scale)
    if not rows.error.shape[1]:
        n = rows.error.shape[0]
        return Rows(np.zeros((n, 2, padded.size)), np.zeros((n, padded.size)))
    index = np.where(padded, 0, operator.index)
    taken = Rows(np.ascontiguousarray(rows.both[:, :, index]), np.ascontiguousarray(rows.error[:, index]))
    return _scaled(taken, factor)


def _scaled(rows: Rows, factor: FloatArray) -> Rows:
    if np.all((factor == 0) | (factor == 1) | (factor == -1)):
        # what is off is zero, whatever it was
        off = factor == 0
        both = rows.both * (factor[:, None] if factor.ndim > 1 else factor)
        error = rows.error * np.abs(factor)
        if off.any():
            both = np.where(off[:, None] if factor.ndim > 1 else off, 0.0, both)
            error = np.where(off, 0.0, error)
        return Rows(both, error)
    value, slope = (scaled(part, factor) for part in rows.parts())
    return _joined(value, slope)


def shifted(rows: Rows, bias: FloatArray | None) -> Rows:
    """Return rows with constants added; the rows may be overwritten."""
    if bias is None or not bias.any():
        return rows
    if (rows.error > 0).all():
        value = rows.value
        value += bias
        error = np.abs(value)
        error *= UNIT_ROUNDOFF
        error += rows.error
        error *= SLACK
        return Rows(rows.both, error)
    exact, slope = rows.parts()
    return _joined(plus(exact, bias), slope)


def added(rows: Rows, other: Rows) -> Rows:
    """Return the sum of rows."""
    value, slope = (plus(a, b) for a, b in zip(rows.parts(), other.parts(), strict=True))
    return _joined(value, slope)


def rectified(rows: Rows, of: NDArray, piece: NDArray, columns: NDArray) -> Rows:
    """Return rows `of[i]` after ReLU, units being on or off (N, units); only some of the columns."""
    from reluatlas.paths.kernels import masked

    out = Rows(np.empty((of.size, 2, columns.size)), np.empty((of.size, columns.size)))
    masked(rows.both, rows.error, of, piece, columns, *out)
    return out


def taken(rows: Rows, of: NDArray, chosen: NDArray) -> Rows:
    """Return rows `of[i]`, of each the entries `chosen[i]` (N, windows)."""
    from reluatlas.paths.kernels import taken as taken_

    out = Rows(np.empty((of.size, 2, chosen.shape[1])), np.empty(chosen.shape))
    taken_(rows.both, rows.error, of, chosen, *out)
    return out


def bent(node: Breakpoints, rows: Rows, piece: NDArray) -> Rows:
    """Return the rows after a node whose units are on the given pieces (N, units)."""
    unit = np.arange(node.knots.shape[0])
    out = _scaled(rows, node.slopes[unit, piece])
    return shifted(out, node.intercepts[unit, piece])
