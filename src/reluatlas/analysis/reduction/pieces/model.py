"""What is a reduced model that needs no network? `GatedPieces`: k affine maps and a linear gate that picks one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reluatlas.affine import AffineMaps
from reluatlas.errors import DimensionError, NonFiniteError

FloatArray = NDArray[np.float64]
_ROWS = 8192  # rows that are worked on at a time


@dataclass(frozen=True, eq=False)
class GatedPieces:
    """The function x -> A_j z + b_j with z = (x - mean) basis and j = arg max_i (g_i . z + h_i).

    The gate cuts the input space into k convex polyhedra (a power diagram; at a tie the lowest index wins), and on each
    the function is one affine map. So it is piecewise affine with at most k pieces, but in general **not continuous**:
    where the gate changes its mind the value jumps. A network jumps nowhere, and no such model equals one everywhere.

    Attributes
    ----------
    mean : ndarray, shape (n,)
        In input units.
    basis : ndarray, shape (n, d)
        The d directions of the input space that the model reads; it is constant along all others.
    gate_slopes, gate_offsets : ndarray, shapes (k, d) and (k,)
        The score of piece i is `gate_slopes[i] @ z + gate_offsets[i]`.
    slopes, offsets : ndarray, shapes (k, m, d) and (k, m)
        The affine maps, in output units.

    Raises
    ------
    DimensionError
        When the shapes do not fit together.
    NonFiniteError
        When a number is NaN or infinite.
    """

    mean: FloatArray
    basis: FloatArray
    gate_slopes: FloatArray
    gate_offsets: FloatArray
    slopes: FloatArray
    offsets: FloatArray

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:
            array = np.array(getattr(self, name), dtype=np.float64)
            if not np.isfinite(array).all():
                raise NonFiniteError(f"`{name}` of gated pieces holds NaN or an infinite number.")
            array.setflags(write=False)
            object.__setattr__(self, name, array)
        axes = [getattr(self, name).ndim for name in self.__dataclass_fields__]
        if axes != [1, 2, 2, 1, 3, 2] or not self._fits():
            shapes = {name: getattr(self, name).shape for name in self.__dataclass_fields__}
            raise DimensionError(f"the arrays of gated pieces do not fit together: {shapes}.")

    def _fits(self) -> bool:
        (n, d), (k, m) = self.basis.shape, self.offsets.shape
        gate = self.gate_slopes.shape == (k, d) and self.gate_offsets.shape == (k,)
        return self.mean.shape == (n,) and gate and self.slopes.shape == (k, m, d) and min(n, k, m) > 0

    @property
    def n_pieces(self) -> int:
        """Number of affine pieces k."""
        return self.offsets.shape[0]

    @property
    def n_inputs(self) -> int:
        """Number of inputs n."""
        return self.mean.size

    @property
    def n_outputs(self) -> int:
        """Number of outputs m."""
        return self.offsets.shape[1]

    @property
    def n_parameters(self) -> int:
        """Number of stored numbers: n (d + 1) for what is read of the input, k (d + 1) (m + 1) for gate and maps."""
        return sum(getattr(self, name).size for name in self.__dataclass_fields__)

    def piece_at(self, X: ArrayLike) -> NDArray[np.intp]:
        """Return the index of the piece at each point of X (N, n)."""
        rows = self._rows(X)
        parts = [self._read(rows[i : i + _ROWS]) for i in range(0, len(rows), _ROWS)]
        return np.concatenate([choose(self.gate_slopes, self.gate_offsets, z) for z in parts] or [np.empty(0, np.intp)])

    def __call__(self, X: ArrayLike) -> FloatArray:
        """Return the values (N, m) at the points X (N, n), or (N, *shape) with n numbers each."""
        rows = self._rows(X)
        out = np.empty((len(rows), self.n_outputs))
        for i in range(0, len(rows), _ROWS):
            z = self._read(rows[i : i + _ROWS])
            piece = choose(self.gate_slopes, self.gate_offsets, z)
            for j, members in groups(piece, self.n_pieces):
                out[i + members] = z[members] @ self.slopes[j].T + self.offsets[j]
        return out

    @property
    def affine(self) -> AffineMaps:
        """The k affine maps in the input's own coordinates: A (k, m, n), b (k, m)."""
        A = self.slopes @ self.basis.T
        return AffineMaps(A, self.offsets - A @ self.mean)

    @property
    def gate(self) -> tuple[FloatArray, FloatArray]:
        """The gate in the input's own coordinates: slopes (k, n), offsets (k,)."""
        slopes = self.gate_slopes @ self.basis.T
        return slopes, self.gate_offsets - slopes @ self.mean

    def _read(self, rows: FloatArray) -> FloatArray:
        return (rows - self.mean) @ self.basis

    def _rows(self, X: ArrayLike) -> FloatArray:
        points = np.asarray(X, dtype=np.float64)
        if points.ndim < 2 or (len(points) and points[0].size != self.n_inputs):
            raise DimensionError(
                f"`X` has shape {points.shape}; expected (N, {self.n_inputs}): {self.n_inputs} numbers a point."
            )
        return points.reshape(len(points), self.n_inputs)


def choose(slopes: NDArray, offsets: NDArray, z: NDArray) -> NDArray[np.intp]:
    """Return the piece with the largest score at each row of z (N, d); the lowest index where scores tie."""
    return (z @ slopes.T + offsets).argmax(axis=1)


def groups(piece: NDArray[np.intp], k: int) -> list[tuple[int, NDArray[np.intp]]]:
    """Return (j, the positions at which `piece` is j) for each j that occurs, in order."""
    order = np.argsort(piece, kind="stable")
    bounds = np.searchsorted(piece[order], np.arange(k + 1))
    return [(j, order[bounds[j] : bounds[j + 1]]) for j in range(k) if bounds[j] < bounds[j + 1]]
