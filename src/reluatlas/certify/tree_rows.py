"""What are the rows of a network on many cells at once? In float64, with a bound on the error of every number.

Bounds are wide and simple: n products and their sum are off by at most (n + 4) u times the sum of their sizes, u the
unit roundoff, in any order, when nothing overflows or underflows. That is seen to: where a number that is not zero
leaves `REACH`, the rows of that cell are *lost*, and whole numbers decide. A number that is zero by structure has the
bound 0. A part of the check of trees: shares nothing with the search.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reluatlas.deadline import look
from reluatlas.domain import Box, Slice
from reluatlas.network.operators import Dense, as_sparse, coefficients, denominator, terms
from reluatlas.network.record import Affine, Breakpoints, Graph, Max
from reluatlas.typing import FloatArray, IntArray

U = 2.0**-53
WIDER = 1.001
"""Bounds are themselves sums in float64: their own rounding is far below a thousandth of them."""
REACH = 2.0**-200, 2.0**200
LEAST_ERROR = 2.0**-500


@dataclass(eq=False)
class Tensor:
    """One tensor on B cells: entries by cells by k + 1 columns, the constant last."""

    value: FloatArray
    error: FloatArray

    def take(self, cells: IntArray) -> Tensor:
        """Return it on some of the cells."""
        return Tensor(self.value[:, cells], self.error[:, cells])


class Rows:
    """Composes the tensors of a network."""

    def __init__(self, net: Graph, domain: Box | Slice, *, with_output: bool) -> None:
        self.net, self.k = net, domain.dim
        self._operators: dict[int, list[tuple[Any, Any]]] = {}
        self._last_reader = {net.output: len(net.nodes)} if with_output else {}
        numbers = [np.concatenate([domain.box.low, domain.box.high]), *domain.frame()]
        for t, node in enumerate(net.nodes):
            look()
            if isinstance(node, Affine):
                self._operators[t] = [_matrices(operator) for operator in node.operators]
                numbers += [coefficients(operator) for operator in node.operators] + [node.bias]
            elif isinstance(node, Breakpoints):
                numbers += [node.knots[np.isfinite(node.knots)], node.slopes, node.intercepts]
            sources = node.inputs if isinstance(node, Affine) else ()
            for s in (node.input,) if isinstance(node, Breakpoints | Max) else sources:
                self._last_reader[s] = max(t, self._last_reader.get(s, 0))
        sizes = np.abs(np.concatenate([np.ravel(a) for a in numbers]))
        self.is_trusted = not _beyond(sizes).any()
        table = (
            np.concatenate([domain.basis.T, domain.origin[:, None]], axis=1)
            if isinstance(domain, Slice)
            else (np.eye(self.k, self.k + 1))
        )
        self.input = Tensor(table[:, None].copy(), np.zeros((len(table), 1, self.k + 1)))

    def bytes_per_cell(self) -> int:
        """Return how large the tensors of one cell are, at most."""
        sizes = [int(np.prod(node.shape)) for node in self.net.nodes]
        ends = [self._last_reader.get(t, t) for t in range(len(sizes))]
        held = [sum(n for n, end in zip(sizes[: t + 1], ends, strict=False) if end >= t) for t in range(len(sizes))]
        return 16 * (self.k + 1) * max(held)

    def compose(self, tensors: dict[int, Tensor], begin: int, upto: int, lost: NDArray[np.bool_]) -> None:
        """Compose the affine nodes from `begin` on before `upto`; mark what is lost, drop what is read no more."""
        for t in range(begin, upto):
            node = self.net.nodes[t]
            assert isinstance(node, Affine)
            look()
            tensors[t] = self._affine(t, node, tensors, lost.size)
            lost |= self.guard(tensors[t])
        for t in [t for t in tensors if self._last_reader.get(t, -1) < upto]:
            del tensors[t]

    def chosen(self, node: Breakpoints | Max, source: Tensor, pieces: IntArray) -> Tensor:
        """Return what a cut node gives; `pieces` are those of its units on each cell (B, n)."""
        if isinstance(node, Max):
            entry = node.candidates[node.offsets[:-1] + pieces].T  # (windows, B)
            cells = np.arange(len(pieces))
            return Tensor(source.value[entry, cells], source.error[entry, cells])
        if node.is_relu:
            is_on = pieces.T[:, :, None] > 0
            return Tensor(source.value * is_on, source.error * is_on)
        unit = np.arange(len(node.slopes))
        slope, shift = node.slopes[unit, pieces].T[:, :, None], node.intercepts[unit, pieces].T
        value = slope * source.value
        error = WIDER * np.abs(slope) * source.error + np.where(np.abs(slope) == 1, 0.0, 2 * U) * np.abs(value)
        constant = value[:, :, -1] + shift
        error[:, :, -1] += np.where(shift == 0, 0.0, 2 * U * (np.abs(constant) + np.abs(shift)))
        value[:, :, -1] = constant
        return Tensor(value, error)

    def _affine(self, t: int, node: Affine, tensors: dict[int, Tensor], n_cells: int) -> Tensor:
        n_terms = 5 + sum(terms(operator) for operator in node.operators)
        value = error = None
        for s, (matrix, size) in zip(node.inputs, self._operators[t], strict=True):
            source = tensors[s]
            n, cells, columns = source.value.shape
            flat = source.value.reshape(n, -1)
            bound = source.error.reshape(n, -1) + n_terms * U * np.abs(flat)
            v, e = (np.asarray(a).reshape(-1, cells, columns) for a in (matrix @ flat, size @ bound))
            value, error = (v, e) if value is None or error is None else (value + v, error + e)
        if value is None or error is None:
            value, error = np.zeros((2, node.bias.size, n_cells, self.k + 1))
        value[:, :, -1] += node.bias[:, None]
        error[:, :, -1] += n_terms * U * np.abs(node.bias)[:, None]
        return Tensor(value, error * WIDER)

    def guard(self, tensor: Tensor) -> NDArray[np.bool_]:
        """Return on which cells bounds do not hold, and write zeros there."""
        if self.is_trusted:
            is_odd = (tensor.error != 0) & ~((tensor.error >= LEAST_ERROR) & (tensor.error < REACH[1]))
            lost = (_beyond(np.abs(tensor.value)) | is_odd).any(axis=(0, 2))
        else:
            lost = np.ones(tensor.value.shape[1], dtype=bool)
        tensor.value[:, lost] = tensor.error[:, lost] = 0.0
        return lost


def _matrices(operator: Any) -> tuple[Any, Any]:
    """Return an operator's matrix, and that of the sizes of its numbers."""
    if isinstance(operator, Dense):
        return operator.weight, np.abs(operator.weight)
    sparse = as_sparse(operator)
    matrix = sparse.numerators / denominator(sparse)
    return matrix, abs(matrix)


def _beyond(sizes: FloatArray) -> NDArray[np.bool_]:
    """Return which numbers are neither zero nor within reach."""
    return (sizes != 0) & ~((sizes >= REACH[0]) & (sizes <= REACH[1]))
