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
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reluatlas.arithmetic.rationals import ExactVector, exact_vector
from reluatlas.deadline import look
from reluatlas.network.interpret import Done, sources, through, winners_of
from reluatlas.network.operators import Convolution, Dense, Gather, LinearOperator, Sparse, terms
from reluatlas.network.record import Affine, Breakpoints, Graph, Max
from reluatlas.typing import FloatArray

_FLINT_FROM = 2048
_SPARSE_FROM = 32  # of so many entries of a row, one that is not zero
_CHUNK = 2**17  # terms of sparse products that are held as integers at once


class IntegerArithmetic:
    """Applies linear operators to dyadic vectors, forward and backward; keeps operators as integers."""

    def __init__(self) -> None:
        self._rows: dict[tuple[int, int], tuple[LinearOperator, ExactVector]] = {}
        self._matrices: dict[tuple[int, bool], tuple] = {}

    def apply(self, operator: LinearOperator, vector: ExactVector) -> ExactVector:
        """Return the operator applied to a vector."""
        if isinstance(operator, Dense):
            return self._product(operator, vector, transposed=False)
        if isinstance(operator, Sparse):
            return _sparse_product(operator, vector)
        if isinstance(operator, Convolution):
            return _convolved(operator, vector)
        taken = [vector.numbers[j] if j >= 0 else 0 for j in operator.index.tolist()]
        return self.scale(vector._replace(numbers=taken), np.where(operator.index < 0, 0.0, operator.scale))

    def entry(self, operator: LinearOperator, vector: ExactVector, i: int) -> ExactVector:
        """Return entry i of the operator applied to a vector."""
        if isinstance(operator, Sparse | Convolution):
            return _sparse_entry(operator.sparse if isinstance(operator, Convolution) else operator, vector, i)
        if isinstance(operator, Gather):
            j = int(operator.index[i])
            factor = exact_vector(operator.scale[i] if j >= 0 else 0.0)
            number = vector.numbers[j] * factor.numbers[0] if j >= 0 else 0
            return ExactVector([number], vector.exponent + factor.exponent, vector.denominator)
        key = (id(operator), i)
        if key not in self._rows:
            self._rows[key] = (operator, exact_vector(operator.weight[i]))
        row = self._rows[key][1]
        total = sum(map(mul, row.numbers, vector.numbers))
        return ExactVector([total], row.exponent + vector.exponent, vector.denominator)

    def adjoint(self, operator: LinearOperator, row: ExactVector) -> ExactVector:
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

    def collect(self, row: ExactVector, index: NDArray, size: int) -> ExactVector:
        """Return the vector of `size` entries whose entry j is the sum of the entries i with `index[i] == j`."""
        out = [0] * size
        for j, number in zip(np.ravel(index).tolist(), row.numbers, strict=True):
            if j >= 0:
                out[j] += number
        return row._replace(numbers=out)

    def scale(self, vector: ExactVector, factor: FloatArray) -> ExactVector:
        """Return `vector * factor`, entry by entry."""
        exact = exact_vector(factor)
        numbers = list(map(mul, vector.numbers, exact.numbers))
        return ExactVector(numbers, vector.exponent + exact.exponent, vector.denominator)

    def add(self, vector: ExactVector, other: ExactVector) -> ExactVector:
        """Return the sum of two vectors."""
        exponent, shared = min(vector.exponent, other.exponent), math.lcm(vector.denominator, other.denominator)
        left, right = vector.exponent - exponent, other.exponent - exponent
        both = zip(vector.numbers, other.numbers, strict=True)
        if vector.denominator == other.denominator:
            return ExactVector([(a << left) + (b << right) for a, b in both], exponent, shared)
        first, second = (shared // vector.denominator) << left, (shared // other.denominator) << right
        return ExactVector([a * first + b * second for a, b in both], exponent, shared)

    def constant(self, row: ExactVector, vector: FloatArray) -> None:
        """Ignore constants: only linear parts are followed."""

    def _product(self, operator: Dense, vector: ExactVector, *, transposed: bool) -> ExactVector:
        from flint import fmpz_mat

        key = (id(operator), transposed)
        if key not in self._matrices:
            weight = operator.weight.T if transposed else operator.weight
            whole = exact_vector(weight)
            matrix = fmpz_mat(weight.shape[0], weight.shape[1], whole.numbers) if weight.size else None
            self._matrices[key] = (operator, matrix, whole.exponent, weight.shape[0])
        _, matrix, exponent, size = self._matrices[key]
        if matrix is None:
            return ExactVector([0] * size, 0, vector.denominator)
        column = matrix * fmpz_mat(len(vector.numbers), 1, vector.numbers)
        return ExactVector([int(v) for v in column.entries()], exponent + vector.exponent, vector.denominator)


def _sparse_entry(operator: Sparse, vector: ExactVector, i: int) -> ExactVector:
    run = slice(operator.indptr[i], operator.indptr[i + 1])
    factors = exact_vector(operator.values[run])
    taken = (vector.numbers[j] for j in operator.indices[run].tolist())
    total = sum(map(mul, factors.numbers, taken))
    return ExactVector([total], factors.exponent + vector.exponent, operator.denominator * vector.denominator)


def _sparse_rows(operator: Sparse, row: ExactVector, used: list[int]) -> ExactVector:
    """Return `row @ matrix` for a row that is zero but at a few places."""
    runs = [slice(operator.indptr[i], operator.indptr[i + 1]) for i in used]
    out = [0] * operator.n_in
    if not runs:
        return ExactVector(out, 0)
    factors = exact_vector(np.concatenate([operator.values[run] for run in runs]))
    columns = [j for run in runs for j in operator.indices[run].tolist()]
    times = [row.numbers[i] for i, run in zip(used, runs, strict=True) for _ in range(run.stop - run.start)]
    for j, factor, number in zip(columns, factors.numbers, times, strict=True):
        out[j] += factor * number
    return ExactVector(out, factors.exponent + row.exponent, operator.denominator * row.denominator)


def _sparse_product(operator: Sparse, vector: ExactVector) -> ExactVector:
    parts: list[ExactVector] = []
    first = 0
    while first < operator.n_out:
        end = int(np.searchsorted(operator.indptr, operator.indptr[first] + _CHUNK, side="right")) - 1
        end = min(max(end, first + 1), operator.n_out)
        run = slice(operator.indptr[first], operator.indptr[end])
        factors = exact_vector(operator.values[run])
        taken = [vector.numbers[j] for j in operator.indices[run].tolist()]
        products = list(map(mul, factors.numbers, taken))
        stops = (operator.indptr[first : end + 1] - operator.indptr[first]).tolist()
        sums = [sum(products[a:b]) for a, b in pairwise(stops)]
        parts.append(ExactVector(sums, factors.exponent))
        first = end
        look()
    exponent = min((part.exponent for part in parts), default=0)
    numbers = [number << (part.exponent - exponent) for part in parts for number in part.numbers]
    return ExactVector(numbers, exponent + vector.exponent, operator.denominator * vector.denominator)


def _convolved(operator: Convolution, vector: ExactVector) -> ExactVector:
    from flint import fmpz_mat

    whole = exact_vector(operator.weight)
    weights = np.array(whole.numbers, dtype=object).reshape(operator.matrices.shape)
    image: Any = np.array(vector.numbers, dtype=object)[None]
    numbers: list[int] = []
    for weight, columns in zip(weights, operator.columns(image, zero=0)[0], strict=True):
        left = fmpz_mat(weight.shape[0], weight.shape[1], weight.reshape(-1).tolist())
        right = fmpz_mat(columns.shape[0], columns.shape[1], columns.reshape(-1).tolist())
        numbers.extend(int(v) for v in (left * right).entries())
        look()
    return ExactVector(numbers, whole.exponent + vector.exponent, vector.denominator)


class ExactPoint:
    """The exact values of a network's tensors at one point, along pieces that are already chosen: an algebra of a walk.

    Parameters
    ----------
    x : ndarray, shape (n_inputs,), or ExactVector
    choice : dict
        Pieces or winners (N, units) of each cut node that comes before the tensors asked for; may grow later.
    position : int
        The point's row in these.
    """

    def __init__(
        self,
        network: Graph,
        arithmetic: IntegerArithmetic,
        x: FloatArray | ExactVector,
        choice: dict[int, NDArray],
        position: int,
    ) -> None:
        self._network = network
        self._arithmetic = arithmetic
        self._choice = choice
        self._position = position
        self._known: dict[int, ExactVector] = {0: x if isinstance(x, ExactVector) else exact_vector(x)}

    @property
    def known(self) -> dict[int, ExactVector]:
        """The tensors computed so far, by node; more may be put in."""
        return self._known

    def entries(self, node: int, indices: Sequence[int]) -> list[tuple[int, int, int]]:
        """Return the entries of a node's tensor as (integer, exponent, denominator); all of one denominator."""
        here = self._network.nodes[node]
        few = node not in self._known and len(indices) * 2 < prod(here.shape)
        if few and isinstance(here, Max):
            return self.entries(here.input, self._winners(node, here)[np.asarray(indices)].tolist())
        if few and isinstance(here, Breakpoints):
            return self._bent(here, node, indices)
        if node not in self._known and isinstance(here, Affine):
            work = len(indices) * sum(o.n_in if isinstance(o, Dense) else terms(o) for o in here.operators)
            if len(indices) * 2 < here.bias.size or work < _FLINT_FROM:
                return [self._entry(here, i) for i in indices]
        vector = self.values(node)
        return [(vector.numbers[i], vector.exponent, vector.denominator) for i in indices]

    def values(self, node: int) -> ExactVector:
        """Return all of a node's tensor."""
        if node not in self._known:
            for earlier in sorted(_needed(self._network, node)):
                if earlier not in self._known:
                    look()
                    self._known[earlier] = through(self, earlier, self._network.nodes[earlier], self._known)
        return self._known[node]

    def _entry(self, here: Affine, i: int) -> tuple[int, int, int]:
        look()
        total = exact_vector(here.bias[i])
        for source, operator in zip(here.inputs, here.operators, strict=True):
            total = self._arithmetic.add(total, self._arithmetic.entry(operator, self.values(source), i))
        return total.numbers[0], total.exponent, total.denominator

    def _bent(self, here: Breakpoints, node: int, indices: Sequence[int]) -> list[tuple[int, int, int]]:
        unit = np.asarray(indices)
        piece = self._choice[node][self._position][unit]
        slopes, intercepts = here.slopes[unit, piece].tolist(), here.intercepts[unit, piece].tolist()
        out = []
        for number, slope, shift in zip(self.entries(here.input, indices), slopes, intercepts, strict=True):
            factor = exact_vector(slope)
            made = ExactVector([number[0] * factor.numbers[0]], number[1] + factor.exponent, number[2])
            total = self._arithmetic.add(made, exact_vector(shift))
            out.append((total.numbers[0], total.exponent, total.denominator))
        return out

    def affine(self, t: int, node: Affine, done: Done[ExactVector]) -> ExactVector:
        """Return the tensor of an affine node."""
        total = exact_vector(node.bias)
        for source, operator in zip(node.inputs, node.operators, strict=True):
            total = self._arithmetic.add(total, self._arithmetic.apply(operator, done[source]))
        return total

    def breakpoints(self, t: int, node: Breakpoints, done: Done[ExactVector]) -> ExactVector:
        """Return the tensor of units, on their pieces."""
        piece, unit = self._choice[t][self._position], np.arange(node.knots.shape[0])
        scaled = self._arithmetic.scale(done[node.input], node.slopes[unit, piece])
        return self._arithmetic.add(scaled, exact_vector(node.intercepts[unit, piece]))

    def max(self, t: int, node: Max, done: Done[ExactVector]) -> ExactVector:
        """Return the tensor of windows: what their winners hold."""
        source = done[node.input]
        return source._replace(numbers=[source.numbers[j] for j in self._winners(t, node).tolist()])

    def _winners(self, t: int, node: Max) -> NDArray[np.int64]:
        return winners_of(node, self._choice[t][self._position])


def pieces_at(node: Breakpoints | Max, z: ExactVector) -> NDArray[np.int64]:
    """Return the piece of each unit, or a largest candidate of each window, where the node reads z."""
    if isinstance(node, Max):
        windows = np.split(node.candidates, node.offsets[1:-1])
        return np.array([max(range(w.size), key=lambda c, w=w: z.numbers[w[c]]) for w in windows], dtype=np.int64)
    if node.is_relu:
        return np.array([int(v > 0) for v in z.numbers], dtype=np.int64)
    values = z.fractions
    return np.array(
        [sum(v > knot for knot in row) for v, row in zip(values, node.knots.tolist(), strict=True)], np.int64
    )


def _needed(network: Graph, node: int) -> set[int]:
    needed, stack = set(), [node]
    while stack:
        t = stack.pop()
        if t not in needed:
            needed.add(t)
            stack.extend(sources(network.nodes[t]))
    return needed
