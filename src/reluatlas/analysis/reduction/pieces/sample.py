"""What does a network say at and near the data? `sample_outputs`: its outputs at points and at changed copies of them.

A network answers at any input, not only at the given ones. Copies of the points, each changed a little, show how it
goes on between them; a model with many pieces that is fitted to the points alone does not learn that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reluatlas.errors import ArgumentError, DimensionError, NonFiniteError

FloatArray = NDArray[np.float64]
Change = Callable[[NDArray, np.random.Generator], NDArray]
_BLOCK = 4096


@dataclass(frozen=True, eq=False)
class OutputSample:
    """Points, in the coordinates of their principal directions, and a network's outputs at them.

    Attributes
    ----------
    mean : ndarray, shape (n,)
    basis : ndarray, shape (n, d)
        Principal directions of the points, largest variance first, all divided by one number: the root of the mean
        variance along them.
    z : ndarray, shape (c + 1, N, d)
        `(x - mean) @ basis` of the points and of c changed copies of each; float32 from `sample_outputs`.
    outputs : ndarray, shape (c + 1, N, m)
        The outputs there; float32 from `sample_outputs`.
    """

    mean: FloatArray
    basis: FloatArray
    z: NDArray[np.floating]
    outputs: NDArray[np.floating]

    @classmethod
    def of(cls, X: NDArray, outputs: NDArray, n_components: int) -> OutputSample:
        """Return given outputs (N, m) at rows X (N, n) as a sample without copies, in float64."""
        mean, basis = principal_directions(X, n_components)
        return cls(mean, basis, ((X - mean) @ basis)[None], np.asarray(outputs, dtype=np.float64)[None])

    def leading(self, d: int) -> OutputSample:
        """Return the sample in the first d directions, scaled again; all of them when d is larger."""
        if d >= self.basis.shape[1]:
            return self
        size = float(np.sqrt((self.z[0, :, :d].astype(np.float64) ** 2).mean())) or 1.0
        return replace(self, basis=self.basis[:, :d] / size, z=self.z[..., :d] / np.asarray(size, self.z.dtype))


def sample_outputs(
    network: Callable[[NDArray], NDArray],
    X: ArrayLike,
    *,
    copies: int = 0,
    change: Change | None = None,
    n_components: int = 100,
    random_state: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> OutputSample:
    """Return a network's outputs at points and at changed copies of them, for any number of fits.

    Parameters
    ----------
    network : Network or callable
        Takes points (N, *shape) and returns outputs (N, m).
    X : array_like, shape (N, *shape)
    copies : int
        How many changed copies of all points the network is asked about as well.
    change : callable, optional
        Takes points and a `numpy.random.Generator` and returns changed points of the same shape. Default: `toward`. For
        images, see `reluatlas.analysis.reduction.pieces.images`.
    n_components : int
        At most so many principal directions are kept.
    random_state : int
    progress : callable, optional
        Called with (points done, points in all).

    Raises
    ------
    ArgumentError
        When `copies` or `n_components` makes no sense, or there is no point.
    DimensionError
        When `change` or the network returns another shape.
    NonFiniteError
        When a point or an output is NaN or infinite.

    Guarantees
    ----------
    Deterministic. Outputs are the network's, rounded to float32.
    """
    points = np.asarray(X)
    if points.dtype != np.float32:
        points = points.astype(np.float64)
    if points.ndim < 2 or len(points) == 0:
        raise ArgumentError(f"`X` has shape {points.shape}; expected (N, *shape) with N of at least 1.")
    for name, value, least in (("copies", copies, 0), ("n_components", n_components, 1)):
        if isinstance(value, bool) or int(value) != value or value < least:
            raise ArgumentError(f"`{name}={value!r}` must be a whole number of at least {least}.")
    if not np.isfinite(points).all():
        raise NonFiniteError("`X` holds NaN or an infinite number. Pass finite points.")
    mean, basis = principal_directions(points.reshape(len(points), -1), n_components)
    generator = np.random.default_rng(random_state)
    done, total = 0, len(points) * (copies + 1)
    z, outputs = [], []
    for copy in range(copies + 1):
        said: list[NDArray] = []
        read: list[NDArray] = []
        for first in range(0, len(points), _BLOCK):
            part = points[first : first + _BLOCK]
            if copy:
                part = _changed(change or toward(points), part, generator)
            said.append(_asked(network, part))
            read.append(((part.reshape(len(part), -1) - mean) @ basis).astype(np.float32))
            done += len(part)
            if progress is not None:
                progress(done, total)
        z.append(np.concatenate(read))
        outputs.append(np.concatenate(said))
    return OutputSample(mean, basis, np.stack(z), np.stack(outputs))


def toward(points: NDArray, share: float = 0.2) -> Change:
    """Return a change that adds `share` times the difference of two of the points, drawn at random, to each point."""

    def change(part: NDArray, generator: np.random.Generator) -> NDArray:
        first, second = generator.integers(len(points), size=(2, len(part)))
        return part + np.asarray(share, dtype=part.dtype) * (points[first] - points[second])

    return change


def principal_directions(rows: NDArray, n_components: int) -> tuple[FloatArray, FloatArray]:
    """Return the mean (n,) and the leading principal directions (n, d) of rows (N, n), divided by one number.

    d is the number of directions along which the rows differ, at most `n_components`, at least 1. The number is the
    root of the mean variance along the d directions. Each direction's largest entry is positive.
    """
    n_rows, n = rows.shape
    mean = rows.mean(axis=0, dtype=np.float64)
    if n <= n_rows:
        square = np.zeros((n, n))
        for first in range(0, n_rows, _BLOCK):
            part = rows[first : first + _BLOCK] - mean
            square += part.T @ part
        variances, directions = np.linalg.eigh(square / n_rows)
    else:
        centered = rows - mean
        variances, left = np.linalg.eigh(centered @ centered.T / n_rows)
        directions = centered.T @ left
        directions = directions / np.maximum(np.linalg.norm(directions, axis=0), np.finfo(float).tiny)
    variances, directions = variances[::-1], directions[:, ::-1]
    rank = (
        int(np.count_nonzero(variances > variances[0] * max(n, n_rows) * np.finfo(float).eps))
        if variances[0] > 0
        else 0
    )
    d = max(1, min(rank, n_components))
    directions = directions[:, :d]
    largest = np.abs(directions).argmax(axis=0)
    directions = directions * np.where(directions[largest, np.arange(d)] < 0, -1.0, 1.0)
    size = float(np.sqrt(max(variances[:d].mean(), 0.0))) if rank else 1.0
    return mean, directions / size


def _changed(change: Change, part: NDArray, generator: np.random.Generator) -> NDArray:
    moved = np.asarray(change(part, generator))
    if moved.shape != part.shape:
        raise DimensionError(f"`change` returned shape {moved.shape} for points of shape {part.shape}.")
    if not np.isfinite(moved).all():
        raise NonFiniteError("`change` returned NaN or an infinite number.")
    return moved


def _asked(network: Callable[[NDArray], NDArray], part: NDArray) -> NDArray[np.float32]:
    said = np.asarray(network(part), dtype=np.float64)
    said = said.reshape(len(said), -1) if said.ndim else said.reshape(1, 1)
    if len(said) != len(part):
        raise DimensionError(f"`network` returned {len(said)} rows for {len(part)} points; expected one row a point.")
    with np.errstate(over="ignore"):
        short = said.astype(np.float32)
    if not np.isfinite(short).all():
        raise NonFiniteError("`network` returned an output that is NaN, infinite, or beyond float32.")
    return short
