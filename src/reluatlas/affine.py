"""`AffineMaps`: a stack of affine maps `x -> A x + b`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reluatlas.errors import DimensionError


@dataclass(frozen=True, eq=False)
class AffineMaps:
    """N affine maps `x -> A x + b`, stacked.

    Attributes
    ----------
    A : ndarray, shape (N, m, *input_shape)
        Linear parts: output units per input unit.
    b : ndarray, shape (N, m)
        Constants, in output units.
    is_on_face : ndarray of bool, shape (N,), or None
        For maps taken at points: whether the point lies on a face of its cell, so that the map of
        a neighboring cell would be as right as this one. None where the maps belong to cells.
    """

    A: NDArray[Any]
    b: NDArray[Any]
    is_on_face: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        if self.A.shape[:2] != self.b.shape:
            raise DimensionError(
                f"`A` has shape {self.A.shape} and `b` {self.b.shape}; the first two axes (maps, outputs) must agree."
            )

    def __len__(self) -> int:
        return self.A.shape[0]

    def __getitem__(self, index: int | slice | NDArray) -> AffineMaps:
        if isinstance(index, int | np.integer):
            index = slice(int(index), int(index) + 1 or None)
        on_face = None if self.is_on_face is None else self.is_on_face[index]
        return AffineMaps(self.A[index], self.b[index], on_face)

    def __call__(self, X: ArrayLike) -> NDArray[np.floating]:
        """Return the value of map i at point i, shape (N, m).

        Parameters
        ----------
        X : array_like, shape (N, *input_shape)
            One point for each map.
        """
        points = np.asarray(X, dtype=self.A.dtype)
        if points.shape != (len(self), *self.A.shape[2:]):
            raise DimensionError(
                f"`X` has shape {points.shape}; expected {(len(self), *self.A.shape[2:])}: one point per map."
            )
        flat = self.A.reshape(*self.A.shape[:2], -1)
        return np.einsum("nmk,nk->nm", flat, points.reshape(len(self), -1)) + self.b
