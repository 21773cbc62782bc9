"""What is a trajectory? The weights of a network over time; at each time a network, and its exact complex on demand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reluatlas.domain import Box, Slice
from reluatlas.errors import ArgumentError, DimensionError, NonFiniteError
from reluatlas.network.build import Builder
from reluatlas.network.network import Network

if TYPE_CHECKING:
    from reluatlas.complexes.complex import PolyhedralComplex

FloatArray = NDArray[np.float64]
Layers = list[tuple[NDArray[Any], NDArray[Any]]]


@dataclass(frozen=True, eq=False)
class TrajectoryRecord:
    """The weights of one dense ReLU network at many times, and the domain on which it is looked at.

    What is measured and kept of a trajectory reads this; its parameters are those of `Trajectory`.
    """

    sizes: tuple[int, ...]
    weights: NDArray[Any]
    domain: Box | Slice
    steps: NDArray[np.int64]
    X: FloatArray | None = None
    y: NDArray[np.int64] | None = None
    info: Mapping[str, Any] = field(default_factory=dict)

    def __init__(
        self,
        sizes: Sequence[int],
        weights: ArrayLike,
        *,
        domain: Box | Slice,
        steps: ArrayLike | None = None,
        X: ArrayLike | None = None,
        y: ArrayLike | None = None,
        info: Mapping[str, Any] | None = None,
    ) -> None:
        shape = check_sizes(sizes)
        rows = np.asarray(weights)
        if rows.dtype not in (np.float32, np.float64):
            rows = rows.astype(np.float64)
        if rows.ndim != 2 or not len(rows) or rows.shape[1] != n_weights(shape):
            raise DimensionError(
                f"`weights` has shape {rows.shape}; expected (T, {n_weights(shape)}) for a network of {name_of(shape)}."
            )
        if not np.isfinite(rows).all():
            t = int(np.flatnonzero(~np.isfinite(rows).all(axis=1))[0])
            raise NonFiniteError(f"`weights` has NaN or infinite numbers at time {t}. Check the training.")
        if not isinstance(domain, Box | Slice) or domain.dim != 2:
            raise ArgumentError("`domain` must be a two-dimensional `Box` or `Slice`.")
        if domain.n_inputs != shape[0]:
            raise DimensionError(
                f"`domain` lies in {domain.n_inputs} dimensions but the network takes {shape[0]} inputs."
            )
        when = np.arange(len(rows)) if steps is None else np.asarray(steps, dtype=np.int64)
        if when.shape != (len(rows),) or np.any(np.diff(when) <= 0):
            raise ArgumentError(f"`steps` must be {len(rows)} ascending whole numbers, one per row of `weights`.")
        points, labels = _labeled(X, y, shape)
        values = (shape, rows, domain, when, points, labels, MappingProxyType(dict(info or {})))
        for name, value in zip(("sizes", "weights", "domain", "steps", "X", "y", "info"), values, strict=True):
            if isinstance(value, np.ndarray):
                value = value.copy()
                value.setflags(write=False)
            object.__setattr__(self, name, value)

    @classmethod
    def from_layers(cls, layers: Sequence[Sequence[Any]], *, domain: Box | Slice, **more: Any) -> Self:
        """Return the trajectory of networks given as lists of layers `[(W, b), ...]`, one list per time.

        The other parameters are those of `Trajectory`.
        """
        from reluatlas.importers.arrays import checked_layers

        if not len(layers):
            raise ArgumentError("`layers` is empty; expected one list [(W, b), ...] per time.")
        checked = [checked_layers(each) for each in layers]
        sizes = [(pairs[0][0].shape[1], *(w.shape[0] for w, _ in pairs)) for pairs in checked]
        for t, here in enumerate(sizes):
            if here != sizes[0]:
                raise DimensionError(
                    f"`layers[{t}]` is a network of {name_of(here)}, `layers[0]` one of {name_of(sizes[0])}; "
                    "a trajectory has one shape."
                )
        rows = [np.concatenate([part.reshape(-1) for pair in pairs for part in pair]) for pairs in checked]
        return cls(sizes[0], np.stack(rows), domain=domain, **more)

    def __len__(self) -> int:
        return len(self.weights)

    @property
    def name(self) -> str:
        """The shape of the network in words: "2-8-8-8-2"."""
        return name_of(self.sizes)

    @property
    def n_hidden(self) -> int:
        """Number of hidden layers."""
        return len(self.sizes) - 2

    def layers(self, t: int) -> Layers:
        """Return the layers [(W, b), ...] at time t (negative: from the end), in the stored precision."""
        row, at, out = self.weights[self.position(t)], 0, []
        for n, m in pairwise(self.sizes):
            weight = row[at : at + n * m].reshape(m, n)
            out.append((weight, row[at + n * m : at + n * m + m]))
            at += n * m + m
        return out

    def network(self, t: int) -> Network:
        """Return the network at time t."""
        builder, node = Builder((self.sizes[0],)), 0
        pairs = self.layers(t)
        for position, (weight, bias) in enumerate(pairs):
            node = builder.dense(node, weight, bias, name=f"layer {position}")
            if position + 1 < len(pairs):
                node = builder.relu(node, name=f"relu {position}")
        return builder.finish(node, source=f"{self.name} after {self.steps[self.position(t)]} steps")

    def complex(self, t: int, *, jobs: int | None = None) -> PolyhedralComplex:
        """Return the exact polyhedral complex at time t."""
        from reluatlas.complexes.enumerate import enumerate_cells

        return enumerate_cells(self.network(t), self.domain, jobs=jobs)

    def accuracy(self, t: int) -> float:
        """Return the share of the points `X` whose largest output is their label (one output: its sign).

        Raises
        ------
        ArgumentError
            When the trajectory has no points.
        """
        if self.X is None or self.y is None:
            raise ArgumentError("the trajectory has no points to measure the accuracy on. Make it with `X=` and `y=`.")
        out = self.network(t)(self.X)
        chosen = (out[:, 0] > 0) if out.shape[1] == 1 else out.argmax(axis=1)
        return float(np.mean(chosen == self.y))

    def positions(self, times: ArrayLike | None = None) -> NDArray[np.int64]:
        """Return positions 0, ..., len - 1 for `times` (None: all; negative ones count from the end)."""
        if times is None:
            return np.arange(len(self))
        given = np.atleast_1d(np.asarray(times))
        if given.ndim != 1 or given.dtype.kind not in "iu" or not given.size:
            raise ArgumentError("`times` must be whole numbers, at least one.")
        bad = given[(given < -len(self)) | (given >= len(self))]
        if bad.size:
            raise ArgumentError(f"`times` holds {bad[0]} but the trajectory has the times 0 to {len(self) - 1}.")
        return np.where(given < 0, given + len(self), given).astype(np.int64)

    def position(self, t: int) -> int:
        """Return the position 0, ..., len - 1 of one time."""
        if isinstance(t, bool) or not isinstance(t, int | np.integer):
            raise ArgumentError(f"`t={t!r}` must be a whole number, a position in the trajectory.")
        return int(self.positions(t)[0])

    def __repr__(self) -> str:
        return f"Trajectory({self.name}, {len(self)} times, steps {self.steps[0]} to {self.steps[-1]})"


def n_weights(sizes: Sequence[int]) -> int:
    """Return the number of weights and biases of a dense network."""
    return sum(n * m + m for n, m in pairwise(sizes))


def name_of(sizes: Sequence[int]) -> str:
    """Return a shape in words: "2-8-8-8-2"."""
    return "-".join(str(s) for s in sizes)


def check_sizes(sizes: Sequence[int]) -> tuple[int, ...]:
    """Return a shape as whole numbers; refuse one without a hidden layer or with an empty layer."""
    try:
        given = tuple(sizes)
        shape = tuple(int(s) for s in given)
    except (TypeError, ValueError):
        raise ArgumentError(f"`sizes={sizes!r}` is no shape. Pass whole numbers such as (2, 8, 8, 8, 2).") from None
    if shape != given or len(shape) < 3 or min(shape) < 1:
        raise ArgumentError(
            f"`sizes={sizes!r}` is no shape of a ReLU network; expected inputs, at least one hidden layer, and "
            "outputs, each a whole number of at least 1, such as (2, 8, 8, 8, 2)."
        )
    return shape


def _labeled(X: ArrayLike | None, y: ArrayLike | None, shape: tuple[int, ...]):
    if X is None and y is None:
        return None, None
    if X is None or y is None:
        raise ArgumentError("`X` and `y` belong together. Pass both or neither.")
    points, labels = np.asarray(X, dtype=np.float64), np.asarray(y).astype(np.int64)
    if points.ndim != 2 or points.shape[1] != shape[0] or labels.shape != points.shape[:1] or not len(points):
        raise DimensionError(
            f"`X` has shape {points.shape} and `y` {labels.shape}; expected (N, {shape[0]}) and (N,), N at least 1."
        )
    n_classes = max(shape[-1], 2)
    if labels.min() < 0 or labels.max() >= n_classes:
        raise ArgumentError(f"`y` holds labels {labels.min()} to {labels.max()}; expected 0 to {n_classes - 1}.")
    return points, labels
