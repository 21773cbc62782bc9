"""What is the affine map along chosen pieces? Composed forward, or backward from the outputs asked for."""

from __future__ import annotations

from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from reluatlas.network.batches import COMPILED_FROM
from reluatlas.network.interpret import Choice, Done, has_images, outcome, pull, slopes_of, sources, winners_of
from reluatlas.network.operators import Dense, Gather, LinearOperator, apply_operator
from reluatlas.network.record import Affine, Breakpoints, Graph, Max
from reluatlas.typing import FloatArray


class _Chosen(NamedTuple):
    """Rows (1, m, size) with a single 1, at `index`."""

    index: NDArray[np.int64]  # pyright: ignore[reportIncompatibleMethodOverride]  # hides tuple.index
    size: int

    def full(self) -> FloatArray:
        out = np.zeros((1, self.index.size, self.size))
        out[0, np.arange(self.index.size), self.index] = 1.0
        return out


class _Scaled(NamedTuple):
    """Rows (N, m, size) that are the same at all points, (1, m, size), but for factors (N, size)."""

    rows: FloatArray
    factor: FloatArray

    def full(self) -> FloatArray:
        return self.rows * self.factor[:, None, :]


class FloatRows:
    """Carries rows (points or 1, m, size) of float64 coefficients backward, and adds up the constants.

    Rows are written out when that can no longer be put off. With `into` (points * m, n_inputs), the product with
    `last`, the dense operator behind which there is nothing but the input, is taken in its type and written there.
    """

    def __init__(
        self, n_points: int, n_rows: int, *, last: LinearOperator | None = None, into: NDArray | None = None
    ) -> None:
        self.total = np.zeros((n_points, n_rows))
        self._last = last
        self._into = into

    def adjoint(self, operator: LinearOperator, rows: Any) -> NDArray[Any]:
        """Return `rows @ matrix` of the operator."""
        if operator is self._last and isinstance(operator, Dense):
            return self._written(operator, rows)
        if isinstance(rows, _Chosen) and isinstance(operator, Dense):
            return operator.weight[rows.index][None]
        rows = _full(rows)
        if not isinstance(operator, Gather):
            flat = rows.reshape(-1, rows.shape[-1])
            flat = flat @ operator.weight if isinstance(operator, Dense) else apply_operator(operator.transposed, flat)
            return flat.reshape(*rows.shape[:-1], operator.n_in)
        kept = np.flatnonzero(operator.index >= 0)
        return _gathered(rows[..., kept] * operator.scale[kept], operator.index[kept], operator.n_in)

    def _written(self, operator: Dense, rows: Any) -> NDArray[Any]:
        assert self._into is not None
        kind = self._into.dtype
        weight = operator.single if kind == np.float32 else operator.weight
        if isinstance(rows, _Scaled):
            flat = rows.rows.astype(kind) * rows.factor.astype(kind)[:, None, :]
        else:
            flat = _full(rows).astype(kind)
        n, m = self.total.shape
        out = self._into.reshape(n, m, operator.n_in)
        if flat.shape[0] == n:
            np.matmul(flat.reshape(n * m, -1), weight, out=self._into)
        else:
            out[...] = flat[0] @ weight
        return out

    def collect(self, rows: Any, index: NDArray, size: int) -> FloatArray:
        """Return rows whose entry j is the sum of the entries i with `index[point, i] == j`."""
        rows = _full(rows)
        points, m, n = self.total.shape[0], rows.shape[1], index.shape[1]
        out = np.zeros((points, m, size))
        at = np.arange(points)[:, None, None], np.arange(m)[None, :, None], index[:, None, :]
        ranked = np.sort(index, axis=1)
        if np.any(ranked[:, 1:] == ranked[:, :-1]):
            np.add.at(out, at, np.broadcast_to(rows, (points, m, n)))
        else:
            out[at] = rows
        return out

    def scale(self, rows: Any, factor: FloatArray) -> Any:
        """Return the rows with every entry multiplied by its point's factor."""
        rows = _full(rows)
        return _Scaled(rows, factor) if rows.shape[0] == 1 else rows * factor[:, None, :]

    def add(self, rows: Any, other: Any) -> FloatArray:
        """Return the sum."""
        return _full(rows) + _full(other)

    def constant(self, rows: Any, vector: FloatArray) -> None:
        """Add `rows . vector` to the constants."""
        if isinstance(rows, _Chosen):
            self.total += vector[..., rows.index]
        elif isinstance(rows, _Scaled):
            self.total += (rows.factor * vector) @ rows.rows[0].T
        else:
            self.total += rows @ vector if vector.ndim == 1 else np.einsum("...mk,...k->...m", rows, vector)


def _full(rows: Any) -> Any:
    return rows.full() if isinstance(rows, _Chosen | _Scaled) else rows


def backward(
    network: Graph,
    choice: Choice,
    n_points: int,
    outputs: NDArray,
    flat: Choice | None = None,
    *,
    into: NDArray[Any] | None = None,
) -> tuple[NDArray[np.floating], FloatArray]:
    """Return A (n_points, m, n_inputs) and b (n_points, m), from the outputs to the input.

    With `into` (n_points * m, n_inputs), of any type and distance between rows, A is written there. The product with a
    dense matrix that is all that reads the input is taken in the type of `into`.
    """
    m, n = outputs.size, network.n_inputs
    seed = _Chosen(outputs, network.n_outputs)
    if n_points >= COMPILED_FROM and has_images(network):
        from reluatlas.network.maps.compose_images import ImageRows

        carried = ImageRows(n_points, m)
        entries = pull(network, network.output, carried.start(seed.full()), choice, carried, flat)
        row, total = None if entries is None else carried.rows(entries), carried.total
    else:
        last = None if into is None else _all_that_reads_the_input(network)
        arithmetic = FloatRows(n_points, m, last=last, into=into)
        row, total = _full(pull(network, network.output, seed, choice, arithmetic, flat)), arithmetic.total
    if into is None:
        return np.zeros((n_points, m, n)) if row is None else np.broadcast_to(row, (n_points, m, n)), total
    A = into.reshape(n_points, m, n)
    if row is None or not np.may_share_memory(row, A):
        A[...] = 0.0 if row is None else row
    return A, total


def _all_that_reads_the_input(network: Graph) -> Dense | None:
    readers = [node for node in network.nodes[1:] if 0 in sources(node)]
    if len(readers) != 1 or not isinstance(readers[0], Affine) or readers[0].inputs != (0,):
        return None
    operator = readers[0].operators[0]
    return operator if isinstance(operator, Dense) and network.output != 0 else None


def forward(
    network: Graph, choice: Choice, n_points: int, outputs: NDArray, flat: Choice | None = None
) -> tuple[FloatArray, FloatArray]:
    """Return A (n_points, m, n_inputs) and b (n_points, m), from the input to the outputs."""
    n = network.n_inputs
    columns = np.zeros((n_points, n + 1, n))
    columns[:, :n] = np.eye(n)
    chosen = outcome(network, columns, _Columns(columns.shape[:2], choice, flat or {}))[:, :, outputs]
    return chosen[:, :n].transpose(0, 2, 1), chosen[:, n]


class _Columns:
    """Affine functions of the input at N points, (N, n_inputs + 1, size): coefficients and, last, the constants."""

    def __init__(self, shape: tuple[int, ...], choice: Choice, flat: Choice) -> None:
        self._shape, self._choice, self._flat = shape, choice, flat

    def affine(self, t: int, node: Affine, done: Done[FloatArray]) -> FloatArray:
        total = np.zeros((*self._shape, node.bias.size))
        for source, operator in zip(node.inputs, node.operators, strict=True):
            rows = done[source].reshape(prod(self._shape), -1)
            total += apply_operator(operator, rows).reshape(total.shape)
        total[:, -1] += node.bias
        return total

    def breakpoints(self, t: int, node: Breakpoints, done: Done[FloatArray]) -> FloatArray:
        out = done[node.input] * slopes_of(node, self._choice[t], self._flat.get(t))[:, None, :]
        out[:, -1] += node.intercepts[np.arange(node.knots.shape[0]), self._choice[t]]
        return out

    def max(self, t: int, node: Max, done: Done[FloatArray]) -> FloatArray:
        return np.take_along_axis(done[node.input], winners_of(node, self._choice[t])[:, None, :], axis=2)


def _gathered(rows: FloatArray, index: NDArray, size: int) -> FloatArray:
    # Sum of the entries that share an index, in order of position.
    out = np.zeros((*rows.shape[:-1], size))
    if index.size == 0:
        return out
    order = np.argsort(index, kind="stable")
    ranked = index[order]
    starts = np.flatnonzero(np.concatenate([[True], ranked[1:] != ranked[:-1]]))
    if starts.size == index.size:
        out[..., index] = rows
    else:
        out[..., ranked[starts]] = np.add.reduceat(rows[..., order], starts, axis=-1)
    return out
