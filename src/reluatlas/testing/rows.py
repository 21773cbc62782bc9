"""Which affine functions stand before each node of a cell, by its pattern? In float64 with a bound, and exactly."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reluatlas.arithmetic.rationals import ExactVector, exact_vector
from reluatlas.network.operators import LinearOperator, apply_operator, mapped, terms
from reluatlas.network.record import Affine, Breakpoints, Graph, Input
from reluatlas.network.values.exact import IntegerArithmetic
from reluatlas.typing import FloatArray

_UNIT = 2.0**-52
_TINY = 2.0**-1000


@dataclass(frozen=True)
class Rows:
    """Affine functions of the domain's coordinates, for each of some cells.

    Attributes
    ----------
    value : ndarray, shape (cells, size, k + 1)
        Slopes, and the constant last.
    error : ndarray, shape (cells, size, k + 1)
        Bounds on the error of each number: what rounding does to sums of these sizes, in any order.
    """

    value: FloatArray
    error: FloatArray

    def at(self, cell: NDArray, points: FloatArray, weight: FloatArray, radii: FloatArray) -> tuple[NDArray, NDArray]:
        """Return the values (N, size) at points of cells, and bounds on their errors.

        `weight` is 1 for a point and 0 for a direction; each coordinate may be off by the point's radius.
        """
        full = np.concatenate([points, weight[:, None]], axis=1)
        size, value = np.abs(full), self.value[cell]
        magnitude = np.abs(value)
        error = self.error[cell] + magnitude * (full.shape[1] + 2) * _UNIT
        bound = np.einsum("vsk,vk->vs", error, size) + magnitude[:, :, :-1].sum(axis=2) * radii[:, None]
        return np.einsum("vsk,vk->vs", value, full), bound + _TINY


@dataclass(frozen=True)
class Walk:
    """Composes rows along patterns.

    Parameters
    ----------
    network : Network
    domain : Box, Slice or Space
    """

    network: Graph
    domain: Any
    _absolute: dict[int, list[LinearOperator]] = field(default_factory=dict)
    _integers: IntegerArithmetic = field(default_factory=IntegerArithmetic)

    def rows(self, patterns: NDArray[np.integer]) -> dict[int, Rows]:
        """Return the rows of all nodes along patterns (cells, units), whose pieces and winners exist."""
        origin, basis = self.domain.frame()
        columns, n = self.network.pattern_slices(), len(patterns)
        value: list[FloatArray] = []
        size: list[FloatArray] = []  # what adds up when nothing cancels
        steps: list[int] = []  # operations on the way to a node
        for t, node in enumerate(self.network.nodes):
            if isinstance(node, Input):
                first = np.concatenate([basis.T, origin[:, None]], axis=1)
                value.append(np.broadcast_to(first, (n, *first.shape)).copy())
                size.append(np.abs(value[-1]))
                steps.append(1)
            elif isinstance(node, Affine):
                sources = list(zip(node.inputs, node.operators, self._magnitudes(t, node), strict=True))
                total, whole = (np.zeros((n, node.bias.size, len(basis) + 1)) for _ in range(2))
                for source, operator, magnitude in sources:
                    total += _applied(operator, value[source])
                    whole += _applied(magnitude, size[source])
                total[:, :, -1] += node.bias
                whole[:, :, -1] += np.abs(node.bias)
                value.append(total)
                size.append(whole)
                longest = max((steps[s] + terms(operator) for s, operator, _ in sources), default=0)
                steps.append(longest + len(sources) + 4)
            elif isinstance(node, Breakpoints):
                piece = patterns[:, columns[t]].astype(np.int64)
                unit = np.arange(piece.shape[1])
                slope, constant = node.slopes[unit, piece], node.intercepts[unit, piece]
                value.append(slope[:, :, None] * value[node.input])
                size.append(np.abs(slope)[:, :, None] * size[node.input])
                value[-1][:, :, -1] += constant
                size[-1][:, :, -1] += np.abs(constant)
                steps.append(steps[node.input] + 3)
            else:
                entry = node.candidates[node.offsets[:-1] + patterns[:, columns[t]].astype(np.int64)]
                value.append(np.take_along_axis(value[node.input], entry[:, :, None], axis=1))
                size.append(np.take_along_axis(size[node.input], entry[:, :, None], axis=1))
                steps.append(steps[node.input])
        wanted = {self.network.nodes[t].input for t in self.network.cuts} | {self.network.output}  # type: ignore[union-attr]
        bounds = {t: size[t] * steps[t] * _UNIT + np.where(size[t] > 0, _TINY, 0.0) for t in wanted}
        return {t: Rows(value[t], bounds[t]) for t in wanted}

    def exact(self, pattern: NDArray[np.integer]) -> dict[int, list[ExactVector]]:
        """Return the rows before each cut along one pattern, exactly: k + 1 vectors, the constants last."""
        origin, basis = self.domain.frame()
        columns, whole = self.network.pattern_slices(), self._integers
        found: list[list[ExactVector]] = []
        for t, node in enumerate(self.network.nodes):
            if isinstance(node, Input):
                found.append([exact_vector(row) for row in (*basis, origin)])
                continue
            if isinstance(node, Affine):
                here = [*(ExactVector([0] * node.bias.size, 0) for _ in basis), exact_vector(node.bias)]
                for source, operator in zip(node.inputs, node.operators, strict=True):
                    here = [whole.add(a, whole.apply(operator, b)) for a, b in zip(here, found[source], strict=True)]
            elif isinstance(node, Breakpoints):
                piece = pattern[columns[t]].astype(np.int64)
                unit = np.arange(piece.size)
                here = [whole.scale(vector, node.slopes[unit, piece]) for vector in found[node.input]]
                here[-1] = whole.add(here[-1], exact_vector(node.intercepts[unit, piece]))
            else:
                entry = node.candidates[node.offsets[:-1] + pattern[columns[t]].astype(np.int64)].tolist()
                here = [v._replace(numbers=[v.numbers[j] for j in entry]) for v in found[node.input]]
            found.append(here)
        return {t: found[self.network.nodes[t].input] for t in self.network.cuts}  # type: ignore[union-attr]

    def _magnitudes(self, t: int, node: Affine) -> list[LinearOperator]:
        if t not in self._absolute:
            self._absolute[t] = [mapped(operator, np.abs) for operator in node.operators]
        return self._absolute[t]


def fraction(vector: ExactVector, i: int) -> Fraction:
    """Return one entry of an exact vector."""
    return Fraction(vector.numbers[i]) * Fraction(2) ** vector.exponent / vector.denominator


def _applied(operator: LinearOperator, rows: FloatArray) -> FloatArray:
    n, size, k = rows.shape
    flat = np.ascontiguousarray(rows.transpose(0, 2, 1)).reshape(n * k, size)
    return apply_operator(operator, flat).reshape(n, k, operator.n_out).transpose(0, 2, 1).copy()
