"""What is the number exactly? Vectors of integers on a common power of two.

Every float64 is an integer times a power of two, and so is everything that an affine or a piecewise-linear
node computes from float64 numbers; where an average is taken, over one whole number more, which depends on the node
alone. Slow, and asked only where a float64 error bound leaves a sign open.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from math import prod
from operator import mul
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reluatlas.deadline import look
from reluatlas.network.operators import Convolution, Dense, FloatArray, Gather, LinearOperator, Sparse, terms
from reluatlas.network.record import Affine, Breakpoints, Graph, Input, Max
from reluatlas.network.values.bounded import SLACK, low_bits

_FLINT_FROM = 2048
_SPARSE_FROM = 32  # of so many entries of a row, one that is not zero
_CHUNK = 2**17  # terms of sparse products that are held as integers at once


class Dyadic(NamedTuple):
    """The vector `numbers * 2**exponent / denominator`."""

    numbers: list[int]
    exponent: int
    denominator: int = 1


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


def to_float(number: int, exponent: int, denominator: int = 1) -> tuple[float, float]:
    """Return `number * 2**exponent / denominator` as float64, and a bound on the error: 0.0 when there is none."""
    if number == 0:
        return 0.0, 0.0
    if denominator != 1:
        # a quotient of 64 bits or more, whose last bit says whether there is a remainder
        shift = max(0, 66 + denominator.bit_length() - abs(number).bit_length())
        whole, rest = divmod(abs(number) << shift, denominator)
        number, exponent = (2 * whole + (rest != 0)) * (1 if number > 0 else -1), exponent - shift - 1
    extra = max(abs(number).bit_length() - 53, -1074 - exponent, 0)
    kept = number >> extra
    try:
        value = math.ldexp(kept, exponent + extra)
        return value, 0.0 if kept << extra == number else math.ldexp(SLACK, exponent + extra)
    except OverflowError:
        return math.inf if number > 0 else -math.inf, math.inf


def compare(number: int, exponent: int, bound: float, denominator: int = 1) -> int:
    """Return the sign of `number * 2**exponent / denominator - bound` for a finite `bound`."""
    above, below = bound.as_integer_ratio()
    above *= denominator
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
        if isinstance(operator, Sparse):
            return _sparse_product(operator, vector)
        if isinstance(operator, Convolution):
            return _convolved(operator, vector)
        taken = [vector.numbers[j] if j >= 0 else 0 for j in operator.index.tolist()]
        return self.scale(vector._replace(numbers=taken), np.where(operator.index < 0, 0.0, operator.scale))

    def entry(self, operator: LinearOperator, vector: Dyadic, i: int) -> Dyadic:
        """Return entry i of the operator applied to a vector."""
        if isinstance(operator, Sparse | Convolution):
            return _sparse_entry(operator.sparse if isinstance(operator, Convolution) else operator, vector, i)
        if isinstance(operator, Gather):
            j = int(operator.index[i])
            factor = dyadic(operator.scale[i] if j >= 0 else 0.0)
            number = vector.numbers[j] * factor.numbers[0] if j >= 0 else 0
            return Dyadic([number], vector.exponent + factor.exponent, vector.denominator)
        key = (id(operator), i)
        if key not in self._rows:
            self._rows[key] = (operator, dyadic(operator.weight[i]))
        row = self._rows[key][1]
        total = sum(map(mul, row.numbers, vector.numbers))
        return Dyadic([total], row.exponent + vector.exponent, vector.denominator)

    def adjoint(self, operator: LinearOperator, row: Dyadic) -> Dyadic:
        """Return `row @ matrix` of the operator."""
        if isinstance(operator, Dense):
            return self._product(operator, row, transposed=True)
        if isinstance(operator, Sparse | Convolution) and len(row.numbers) >= _SPARSE_FROM:
            used = [i for i, number in enumerate(row.numbers) if number]
            if len(used) * _SPARSE_FROM <= len(row.numbers):
                return _sparse_rows(operator.sparse if isinstance(operator, Convolution) else operator, row, used)
        if isinstance(operator, Sparse):
            return _sparse_product(operator.transposed, row)
        if isinstance(operator, Convolution):
            return _convolved(operator.transposed, row)
        parts = self.scale(row, np.where(operator.index < 0, 0.0, operator.scale))
        return self.collect(parts, operator.index, operator.n_in)

    def collect(self, row: Dyadic, index: NDArray, size: int) -> Dyadic:
        """Return the vector of `size` entries whose entry j is the sum of the entries i with `index[i] == j`."""
        out = [0] * size
        for j, number in zip(np.ravel(index).tolist(), row.numbers, strict=True):
            if j >= 0:
                out[j] += number
        return row._replace(numbers=out)

    def scale(self, vector: Dyadic, factor: FloatArray) -> Dyadic:
        """Return `vector * factor`, entry by entry."""
        exact = dyadic(factor)
        numbers = list(map(mul, vector.numbers, exact.numbers))
        return Dyadic(numbers, vector.exponent + exact.exponent, vector.denominator)

    def add(self, vector: Dyadic, other: Dyadic) -> Dyadic:
        """Return the sum of two vectors."""
        exponent, shared = min(vector.exponent, other.exponent), math.lcm(vector.denominator, other.denominator)
        left, right = vector.exponent - exponent, other.exponent - exponent
        both = zip(vector.numbers, other.numbers, strict=True)
        if vector.denominator == other.denominator:
            return Dyadic([(a << left) + (b << right) for a, b in both], exponent, shared)
        first, second = (shared // vector.denominator) << left, (shared // other.denominator) << right
        return Dyadic([a * first + b * second for a, b in both], exponent, shared)

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
            return Dyadic([0] * size, 0, vector.denominator)
        column = matrix * fmpz_mat(len(vector.numbers), 1, vector.numbers)
        return Dyadic([int(v) for v in column.entries()], exponent + vector.exponent, vector.denominator)


def _sparse_entry(operator: Sparse, vector: Dyadic, i: int) -> Dyadic:
    run = slice(operator.indptr[i], operator.indptr[i + 1])
    factors = dyadic(operator.values[run])
    taken = (vector.numbers[j] for j in operator.indices[run].tolist())
    total = sum(map(mul, factors.numbers, taken))
    return Dyadic([total], factors.exponent + vector.exponent, operator.denominator * vector.denominator)


def _sparse_rows(operator: Sparse, row: Dyadic, used: list[int]) -> Dyadic:
    """Return `row @ matrix` for a row that is zero but at a few places."""
    runs = [slice(operator.indptr[i], operator.indptr[i + 1]) for i in used]
    out = [0] * operator.n_in
    if not runs:
        return Dyadic(out, 0)
    factors = dyadic(np.concatenate([operator.values[run] for run in runs]))
    columns = [j for run in runs for j in operator.indices[run].tolist()]
    times = [row.numbers[i] for i, run in zip(used, runs, strict=True) for _ in range(run.stop - run.start)]
    for j, factor, number in zip(columns, factors.numbers, times, strict=True):
        out[j] += factor * number
    return Dyadic(out, factors.exponent + row.exponent, operator.denominator * row.denominator)


def _sparse_product(operator: Sparse, vector: Dyadic) -> Dyadic:
    parts: list[Dyadic] = []
    first = 0
    while first < operator.n_out:
        end = int(np.searchsorted(operator.indptr, operator.indptr[first] + _CHUNK, side="right")) - 1
        end = min(max(end, first + 1), operator.n_out)
        run = slice(operator.indptr[first], operator.indptr[end])
        factors = dyadic(operator.values[run])
        taken = [vector.numbers[j] for j in operator.indices[run].tolist()]
        products = list(map(mul, factors.numbers, taken))
        stops = (operator.indptr[first : end + 1] - operator.indptr[first]).tolist()
        sums = [sum(products[a:b]) for a, b in pairwise(stops)]
        parts.append(Dyadic(sums, factors.exponent))
        first = end
        look()
    exponent = min((part.exponent for part in parts), default=0)
    numbers = [number << (part.exponent - exponent) for part in parts for number in part.numbers]
    return Dyadic(numbers, exponent + vector.exponent, operator.denominator * vector.denominator)


def _convolved(operator: Convolution, vector: Dyadic) -> Dyadic:
    from flint import fmpz_mat

    whole = dyadic(operator.weight)
    weights = np.array(whole.numbers, dtype=object).reshape(operator.matrices.shape)
    image: Any = np.array(vector.numbers, dtype=object)[None]
    numbers: list[int] = []
    for weight, columns in zip(weights, operator.columns(image, zero=0)[0], strict=True):
        left = fmpz_mat(weight.shape[0], weight.shape[1], weight.reshape(-1).tolist())
        right = fmpz_mat(columns.shape[0], columns.shape[1], columns.reshape(-1).tolist())
        numbers.extend(int(v) for v in (left * right).entries())
        look()
    return Dyadic(numbers, whole.exponent + vector.exponent, vector.denominator)


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
        network: Graph,
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

    @property
    def known(self) -> dict[int, Dyadic]:
        """The tensors computed so far, by node; more may be put in."""
        return self._known

    def entries(self, node: int, indices: Sequence[int]) -> list[tuple[int, int, int]]:
        """Return the entries of a node's tensor as (integer, exponent, denominator); all of one denominator."""
        here = self._network.nodes[node]
        few = node not in self._known and len(indices) * 2 < prod(here.shape)
        if few and isinstance(here, Max):
            winners = here.candidates[here.offsets[:-1] + self._choice[node][self._position]]
            return self.entries(here.input, winners[np.asarray(indices)].tolist())
        if few and isinstance(here, Breakpoints):
            return self._bent(here, node, indices)
        if node not in self._known and isinstance(here, Affine):
            work = len(indices) * sum(o.n_in if isinstance(o, Dense) else terms(o) for o in here.operators)
            if len(indices) * 2 < here.bias.size or work < _FLINT_FROM:
                return [self._entry(here, i) for i in indices]
        vector = self.values(node)
        return [(vector.numbers[i], vector.exponent, vector.denominator) for i in indices]

    def values(self, node: int) -> Dyadic:
        """Return all of a node's tensor."""
        if node not in self._known:
            for earlier in sorted(_needed(self._network, node)):
                if earlier not in self._known:
                    look()
                    self._known[earlier] = self._compute(earlier)
        return self._known[node]

    def _entry(self, here: Affine, i: int) -> tuple[int, int, int]:
        look()
        total = dyadic(here.bias[i])
        for source, operator in zip(here.inputs, here.operators, strict=True):
            total = self._arithmetic.add(total, self._arithmetic.entry(operator, self.values(source), i))
        return total.numbers[0], total.exponent, total.denominator

    def _bent(self, here: Breakpoints, node: int, indices: Sequence[int]) -> list[tuple[int, int, int]]:
        unit = np.asarray(indices)
        piece = self._choice[node][self._position][unit]
        slopes, intercepts = here.slopes[unit, piece].tolist(), here.intercepts[unit, piece].tolist()
        out = []
        for number, slope, shift in zip(self.entries(here.input, indices), slopes, intercepts, strict=True):
            factor = dyadic(slope)
            made = Dyadic([number[0] * factor.numbers[0]], number[1] + factor.exponent, number[2])
            total = self._arithmetic.add(made, dyadic(shift))
            out.append((total.numbers[0], total.exponent, total.denominator))
        return out

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
        return source._replace(numbers=[source.numbers[j] for j in winners.tolist()])


def _needed(network: Graph, node: int) -> set[int]:
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
