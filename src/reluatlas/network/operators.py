"""Which linear maps can an affine node apply? Dense, gathering, sparse and convolving ones.

Their coefficients are float64 numbers; those of a sparse operator are divided by one whole number, so that the
1/9 of an average pool is what it says. Nothing here is ever rounded but by applying an operator in float64.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reluatlas.deadline import look
from reluatlas.typing import FloatArray

CHUNK = 2**20
"""Numbers that images are unrolled into at once, or one image."""


@dataclass(frozen=True, eq=False)
class Dense:
    """The linear operator `x -> weight @ x`, `weight` of shape (out, in)."""

    weight: FloatArray

    @cached_property
    def single(self) -> NDArray[np.float32]:
        """The weights rounded to float32."""
        return self.weight.astype(np.float32)

    @property
    def n_in(self) -> int:
        """Length of the vectors it takes."""
        return self.weight.shape[1]

    @property
    def n_out(self) -> int:
        """Length of the vectors it gives."""
        return self.weight.shape[0]


@dataclass(frozen=True, eq=False)
class Gather:
    """The linear operator `y[i] = scale[i] * x[index[i]]`; index -1 gives 0.

    Identity, permutation, slice, pad, broadcast, scaling by constants, and a place in a
    concatenation are all gathers.
    """

    index: NDArray[np.int64]
    scale: FloatArray
    n_in: int

    @property
    def n_out(self) -> int:
        """Length of the vectors it gives."""
        return self.index.size


@dataclass(frozen=True, eq=False)
class Sparse:
    """The linear operator `y[i] = sum_g values[g] * x[indices[g]] / denominator`.

    In row i, g goes from `indptr[i]` to `indptr[i + 1]`: the matrix in CSR form; the indices of one row differ.
    """

    indptr: NDArray[np.int64]
    indices: NDArray[np.int64]
    values: FloatArray
    n_in: int
    denominator: int = 1

    @property
    def n_out(self) -> int:
        """Length of the vectors it gives."""
        return self.indptr.size - 1

    @cached_property
    def numerators(self) -> Any:
        """The matrix without its denominator, as a SciPy CSR array."""
        from scipy.sparse import csr_array

        return csr_array((self.values, self.indices, self.indptr), shape=(self.n_out, self.n_in))

    @cached_property
    def transposed(self) -> Sparse:
        """The operator with the transposed matrix."""
        turned = self.numerators.T.tocsr()
        return Sparse(
            turned.indptr.astype(np.int64), turned.indices.astype(np.int64), turned.data, self.n_out, self.denominator
        )


@dataclass(frozen=True, eq=False)
class Convolution:
    """The linear operator `y[o, p] = sum_{c, k} weight[o, c, k] * x[c0 + c, places[p, k]]`; place -1 gives 0.

    Images are stored as (channels, positions), whatever the number of axes. Channel o of a group's outputs reads the
    group's input channels, the first of which is c0. `places` says at which position of the input tap k of output
    position p is; it holds stride, padding and dilation, and makes a transposed convolution one of these, too.
    No two positions of the output have the same tap at the same place.

    A batch is unrolled image by image into columns and multiplied by the weights (im2col and BLAS), in chunks that stay
    in the cache; `benchmarks/README.md` has the measurements. `sparse` is the same matrix for what needs its rows.

    Attributes
    ----------
    weight : ndarray, shape (out channels, in channels of one group, taps)
    places : ndarray, shape (out positions, taps)
    n_positions : int
        Positions of the input image.
    groups : int
    """

    weight: FloatArray
    places: NDArray[np.int64]
    n_positions: int
    groups: int = 1

    @property
    def n_in(self) -> int:
        """Length of the vectors it takes."""
        return self.groups * self.weight.shape[1] * self.n_positions

    @property
    def n_out(self) -> int:
        """Length of the vectors it gives."""
        return self.weight.shape[0] * self.places.shape[0]

    def columns(self, images: NDArray, zero: Any = 0.0) -> NDArray:
        """Return images (N, n_in) unrolled: (N, groups, channels of a group times taps, out positions)."""
        n = images.shape[0]
        channels = images.reshape(n, self.groups * self.weight.shape[1], self.n_positions)
        edge = np.full((n, channels.shape[1], 1), zero, dtype=images.dtype)
        padded = np.concatenate([channels, edge], axis=2)
        place = np.where(self.places < 0, self.n_positions, self.places).T.reshape(-1)
        return padded.take(place, axis=2).reshape(n, self.groups, -1, self.places.shape[0])

    @property
    def matrices(self) -> FloatArray:
        """The weights as one matrix per group: (groups, out channels of a group, columns' rows)."""
        return self.weight.reshape(self.groups, self.weight.shape[0] // self.groups, -1)

    @cached_property
    def transposed(self) -> Convolution:
        """The operator with the transposed matrix."""
        position, tap = np.nonzero(self.places >= 0)
        places = np.full((self.n_positions, self.places.shape[1]), -1, dtype=np.int64)
        places[self.places[position, tap], tap] = position
        out, channels, taps = self.weight.shape
        grouped = self.weight.reshape(self.groups, out // self.groups, channels, taps)
        turned = np.ascontiguousarray(grouped.transpose(0, 2, 1, 3)).reshape(self.groups * channels, -1, taps)
        return Convolution(turned, places, self.places.shape[0], self.groups)

    @cached_property
    def runs(self) -> NDArray[np.int64]:
        """How many taps, from each one on, read positions one after the other; 0 on the padding."""
        out = (self.places >= 0).astype(np.int64)
        for t in range(self.places.shape[1] - 2, -1, -1):
            goes_on = (self.places[:, t] >= 0) & (self.places[:, t + 1] == self.places[:, t] + 1)
            out[:, t] += np.where(goes_on, out[:, t + 1], 0)
        return out

    @cached_property
    def sparse(self) -> Sparse:
        """The same operator as a sparse matrix, zero weights left out."""
        out, channels, _ = self.weight.shape
        first = (np.arange(out) // (out // self.groups)) * channels
        indices, values = [], []
        counts = np.empty((out, self.places.shape[0]), dtype=np.int64)
        for o in range(out):
            look()
            c, k = np.nonzero(self.weight[o])
            where = self.places[:, k]
            p, t = np.nonzero(where >= 0)
            column = (first[o] + c[t]) * self.n_positions + where[p, t]
            order = np.argsort(p * self.n_in + column, kind="stable")
            counts[o] = np.bincount(p, minlength=self.places.shape[0])
            indices.append(column[order])
            values.append(self.weight[o, c[t], k[t]][order])
        indptr = np.concatenate([[0], np.cumsum(counts.reshape(-1))]).astype(np.int64)
        return Sparse(indptr, np.concatenate(indices), np.concatenate(values), self.n_in)

    @property
    def n_entries(self) -> int:
        """Number of entries of `sparse`."""
        return int((np.count_nonzero(self.weight, axis=(0, 1)) * np.count_nonzero(self.places >= 0, axis=0)).sum())


LinearOperator = Dense | Gather | Sparse | Convolution


def is_sound(operator: LinearOperator) -> bool:
    """Return whether an operator's arrays fit together and name only entries that there are."""
    if isinstance(operator, Dense):
        return operator.weight.ndim == 2
    if isinstance(operator, Gather):
        return (
            operator.index.ndim == 1
            and operator.scale.shape == operator.index.shape
            and _within(operator.index, -1, operator.n_in)
        )
    if isinstance(operator, Sparse):
        pointers = operator.indptr
        return (
            operator.denominator >= 1
            and pointers.ndim == operator.indices.ndim == 1
            and operator.values.shape == operator.indices.shape
            and pointers.size > 0
            and pointers[0] == 0
            and pointers[-1] == operator.indices.size
            and bool(np.all(np.diff(pointers) >= 0))
            and _within(operator.indices, 0, operator.n_in)
        )
    return (
        operator.weight.ndim == 3
        and operator.places.ndim == 2
        and operator.places.shape[1] == operator.weight.shape[2]
        and operator.groups >= 1
        and operator.weight.shape[0] % operator.groups == 0
        and _within(operator.places, -1, operator.n_positions)
    )


def _within(index: NDArray, low: int, end: int) -> bool:
    return index.size == 0 or bool(index.dtype.kind == "i" and index.min() >= low and index.max() < end)


def coefficients(operator: LinearOperator) -> FloatArray:
    """Return the stored numbers of an operator, before any denominator."""
    if isinstance(operator, Gather):
        return operator.scale
    return operator.values if isinstance(operator, Sparse) else operator.weight


def denominator(operator: LinearOperator) -> int:
    """Return the whole number that the coefficients are divided by."""
    return operator.denominator if isinstance(operator, Sparse) else 1


def terms(operator: LinearOperator) -> int:
    """Return a bound on the number of nonzero terms of one output."""
    if isinstance(operator, Gather):
        return 1
    if isinstance(operator, Sparse):
        return int(np.diff(operator.indptr).max(initial=0))
    flat = operator.weight.reshape(operator.weight.shape[0], -1)
    return int(np.count_nonzero(flat, axis=1).max(initial=0))


def mapped(operator: LinearOperator, function: Callable[[FloatArray], FloatArray]) -> LinearOperator:
    """Return the operator whose coefficients are `function` of the given one's; `function` keeps zero."""
    if isinstance(operator, Dense):
        return Dense(function(operator.weight))
    if isinstance(operator, Gather):
        return Gather(operator.index, function(operator.scale), operator.n_in)
    if isinstance(operator, Sparse):
        values = function(operator.values / operator.denominator)
        return Sparse(operator.indptr, operator.indices, values, operator.n_in)
    return Convolution(function(operator.weight), operator.places, operator.n_positions, operator.groups)


def as_sparse(operator: LinearOperator) -> Sparse:
    """Return the operator as a sparse matrix, zeros left out of all but what is sparse already."""
    if isinstance(operator, Sparse):
        return operator
    if isinstance(operator, Convolution):
        return operator.sparse
    if isinstance(operator, Gather):
        row = np.flatnonzero((operator.index >= 0) & (operator.scale != 0))
        column, value = operator.index[row], operator.scale[row]
    else:
        row, column = np.nonzero(operator.weight)
        value = operator.weight[row, column]
    indptr = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=operator.n_out))]).astype(np.int64)
    return Sparse(indptr, column.astype(np.int64), value, operator.n_in)


def apply_operator(operator: LinearOperator, rows: FloatArray) -> FloatArray:
    """Return the operator applied to each row of `rows` (N, n_in): (N, n_out)."""
    if isinstance(operator, Dense):
        return rows @ operator.weight.T
    if isinstance(operator, Sparse):
        product = numerator_product(operator, rows)
        return product if operator.denominator == 1 else product / operator.denominator
    if isinstance(operator, Convolution):
        return _convolved(operator, rows)
    if not operator.n_in:
        return np.zeros((rows.shape[0], operator.n_out))
    padded = operator.index < 0
    values = rows[:, np.where(padded, 0, operator.index)] * operator.scale
    values[:, padded] = 0.0
    return values


def numerator_product(operator: Sparse, rows: FloatArray) -> FloatArray:
    """Return `rows @ matrix.T` without the denominator."""
    return (operator.numerators @ rows.T).T


def _convolved(operator: Convolution, rows: FloatArray) -> FloatArray:
    out = np.empty((rows.shape[0], operator.n_out))
    per_image = operator.groups * operator.weight.shape[1] * operator.places.size
    step = max(1, CHUNK // max(1, per_image))
    for start in range(0, rows.shape[0], step):
        part = rows[start : start + step]
        out[start : start + step] = (operator.matrices @ operator.columns(part)).reshape(part.shape[0], -1)
    return out
