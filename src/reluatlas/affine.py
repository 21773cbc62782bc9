"""`AffineMaps`: a stack of affine maps `x -> A x + b`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reluatlas.errors import DimensionError
from reluatlas.shown import Shown


class AffineMaps(Shown):
    """N affine maps `x -> A x + b`, stacked.

    The arrays may be memory maps of a file; a part of the maps, `maps[i:j]`, is then a part of the file.

    Parameters
    ----------
    A : ndarray, shape (N, m, *input_shape)
    b : ndarray, shape (N, m)
    is_on_face : ndarray of bool, shape (N,), or a function that returns it, optional
        A function is called when the answer is first asked for.

    Attributes
    ----------
    A : ndarray, shape (N, m, *input_shape)
        Linear parts: output units per input unit.
    b : ndarray, shape (N, m)
        Constants, in output units.
    """

    A: NDArray[Any]
    b: NDArray[Any]
    _on_face: Any

    def __init__(
        self,
        A: NDArray[Any],
        b: NDArray[Any],
        is_on_face: NDArray[np.bool_] | Callable[[], NDArray[np.bool_]] | None = None,
    ) -> None:
        if A.shape[:2] != b.shape:
            raise DimensionError(
                f"`A` has shape {A.shape} and `b` {b.shape}; the first two axes (maps, outputs) must agree."
            )
        object.__setattr__(self, "A", A)
        object.__setattr__(self, "b", b)
        object.__setattr__(self, "_on_face", is_on_face)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"cannot assign to `{name}`: AffineMaps do not change.")

    def __repr__(self) -> str:
        return f"AffineMaps({len(self)} maps of {self.A.shape[2:]} to {self.b.shape[1]} outputs, {self.A.dtype})"

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of `A`."""
        return self.A.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of `A` and `b`."""
        return self.A.dtype

    @property
    def is_on_face(self) -> NDArray[np.bool_] | None:
        """Whether each point lies on a face of its cell, for maps taken at points; None where they belong to cells.

        On a face, the map of a neighboring cell would be as right as this one. For maps taken with `ties="torch"` this
        is computed when it is first asked for, from the points as they are then.
        """
        return None if self._on_face is None else self._faces()

    def _faces(self) -> NDArray[np.bool_]:
        if callable(self._on_face):
            object.__setattr__(self, "_on_face", self._on_face())
        return cast("NDArray[np.bool_]", self._on_face)

    def __len__(self) -> int:
        return self.A.shape[0]

    def __getitem__(self, index: int | slice | NDArray) -> AffineMaps:
        if isinstance(index, int | np.integer):
            index = slice(int(index), int(index) + 1 or None)
        known = self._on_face
        on_face = (lambda: self._faces()[index]) if callable(known) else None if known is None else known[index]
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
