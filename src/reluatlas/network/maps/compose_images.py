"""How are rows of coefficients carried back through images? As the few entries that win or are on.

After a max-pool one entry in four is not zero, after a ReLU perhaps half of these: compiled loops visit no others.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reluatlas.network.operators import Convolution, Dense, FloatArray, Gather, LinearOperator, apply_operator
from reluatlas.network.values.kernels import pull_image, scatter


class Entries(NamedTuple):
    """Coefficients `value` (N or 1, k, m) of the entries `index` (N or 1, k), or of all `size` of them (None)."""

    value: FloatArray
    index: NDArray[np.int64] | None
    size: int


class ImageRows:
    """Carries rows of float64 coefficients backward, and adds up the constants; see `maps.pull`."""

    def __init__(self, n_points: int, n_rows: int) -> None:
        self.total = np.zeros((n_points, n_rows))

    @staticmethod
    def start(seed: FloatArray) -> Entries:
        """Return rows (1, m, size) as entries."""
        return Entries(np.ascontiguousarray(seed.transpose(0, 2, 1)), None, seed.shape[2])

    @staticmethod
    def rows(entries: Entries) -> FloatArray:
        """Return entries as rows (N or 1, m, size)."""
        return _all(entries).transpose(0, 2, 1)

    def adjoint(self, operator: LinearOperator, row: Entries) -> Entries:
        """Return `rows @ matrix` of the operator."""
        if isinstance(operator, Gather):
            return self._gathered(operator, row)
        if isinstance(operator, Convolution):
            return self._convolved(operator, row)
        value = _all(row)
        if isinstance(operator, Dense):
            return Entries(np.matmul(operator.weight.T, value), None, operator.n_in)
        n, _, m = value.shape
        flat = apply_operator(operator.transposed, value.transpose(0, 2, 1).reshape(n * m, -1))
        return Entries(flat.reshape(n, m, -1).transpose(0, 2, 1), None, operator.n_in)

    def collect(self, row: Entries, index: NDArray, size: int) -> Entries:
        """Return rows whose entry j is the sum of the entries i with `index[point, i] == j`."""
        return Entries(row.value, index if row.index is None else _taken(index, row.index), size)

    def scale(self, row: Entries, factor: FloatArray) -> Entries:
        """Return the rows with every entry multiplied by its point's factor."""
        if row.index is not None:
            factor = _taken(factor, row.index)
        return row._replace(value=row.value * factor[:, :, None])

    def add(self, row: Entries, other: Entries) -> Entries:
        """Return the sum."""
        return Entries(_all(row) + _all(other), None, row.size)

    def constant(self, row: Entries, vector: FloatArray) -> None:
        """Add `rows . vector` to the constants; `vector` (size,) or (N, size)."""
        if not vector.any():
            return
        factor = vector[None] if vector.ndim == 1 else vector
        if row.index is not None:
            factor = _taken(factor, row.index)
        self.total += np.matmul(factor[:, None, :], row.value)[:, 0]

    def _convolved(self, operator: Convolution, row: Entries) -> Entries:
        index = np.arange(row.size)[None] if row.index is None else row.index
        n, m = max(row.value.shape[0], index.shape[0]), row.value.shape[2]
        channels = operator.groups * operator.weight.shape[1]
        out = np.zeros((n, channels, operator.n_positions * m))
        value = np.broadcast_to(row.value, (n, *row.value.shape[1:]))
        index = np.broadcast_to(index, (n, index.shape[1]))
        weight = np.repeat(operator.weight, m, axis=2)
        workspace = np.empty(int(operator.runs.max(initial=1)) * m)
        arrays = map(np.ascontiguousarray, (value, index, weight, operator.places, operator.runs, workspace))
        pull_image(*arrays, out)
        return Entries(out.reshape(n, operator.n_in, m), None, operator.n_in)

    def _gathered(self, operator: Gather, row: Entries) -> Entries:
        index = np.arange(row.size)[None] if row.index is None else row.index
        kept = operator.index[index] >= 0
        if not operator.n_in:
            return Entries(np.zeros((1, 0, row.value.shape[2])), None, 0)
        factor = np.where(kept, operator.scale[index], 0.0)
        return Entries(row.value * factor[:, :, None], np.where(kept, operator.index[index], 0), operator.n_in)


def _taken(array: NDArray, index: NDArray) -> NDArray:
    n = max(array.shape[0], index.shape[0])
    array, index = np.broadcast_to(array, (n, array.shape[1])), np.broadcast_to(index, (n, index.shape[1]))
    return np.take_along_axis(array, index, axis=1)


def _all(row: Entries) -> FloatArray:
    if row.index is None:
        return row.value
    n = max(row.value.shape[0], row.index.shape[0])
    out = np.zeros((n, row.size, row.value.shape[2]))
    value = np.broadcast_to(row.value, (n, *row.value.shape[1:]))
    index = np.broadcast_to(row.index, (n, row.index.shape[1]))
    scatter(np.ascontiguousarray(value), np.ascontiguousarray(index), out)
    return out
