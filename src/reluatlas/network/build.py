"""How is a network put together? `Builder`, which importers and tests use to add nodes one by one."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reluatlas.errors import DimensionError
from reluatlas.network.network import Network
from reluatlas.network.operators import Dense, Gather, LinearOperator
from reluatlas.network.record import Affine, Breakpoints, Input, Max, Node, Note, Part, Shape


class Builder:
    """Adds nodes to a network in topological order; every method returns the new node's index."""

    def __init__(self, input_shape: Sequence[int], name: str = "input", parts: tuple[Part, ...] = ()) -> None:
        self.nodes: list[Node] = [Input(tuple(int(s) for s in input_shape), name, parts)]
        self.notes: list[Note] = []

    def shape(self, node: int) -> Shape:
        """Return the shape of a node's tensor."""
        return self.nodes[node].shape

    def size(self, node: int) -> int:
        """Return the number of entries of a node's tensor."""
        return prod(self.nodes[node].shape)

    def note(self, kind: Literal["rounded", "folded", "dropped", "checked"], node: str, text: str) -> None:
        """Record something that import did, for `Network.notes`."""
        self.notes.append(Note(kind, node, text))

    def affine(
        self,
        inputs: Sequence[int],
        operators: Sequence[LinearOperator],
        bias: ArrayLike | None = None,
        *,
        shape: Sequence[int],
        name: str = "",
    ) -> int:
        """Add `sum_s operators[s](inputs[s]) + bias`."""
        size = prod(shape)
        offset = np.zeros(size) if bias is None else np.array(bias, dtype=np.float64).reshape(-1)
        return self._add(Affine(tuple(inputs), tuple(operators), offset, tuple(shape), name))

    def dense(self, source: int, weight: ArrayLike, bias: ArrayLike | None = None, *, name: str = "") -> int:
        """Add `weight @ x + bias` on the flattened tensor `source`."""
        matrix = np.ascontiguousarray(weight, dtype=np.float64)
        return self.affine([source], [Dense(matrix)], bias, shape=(matrix.shape[0],), name=name)

    def scale(
        self,
        source: int,
        scale: ArrayLike = 1.0,
        offset: ArrayLike = 0.0,
        *,
        shape: Sequence[int] | None = None,
        name: str = "",
    ) -> int:
        """Add `scale * x + offset`, entry by entry (arrays are broadcast to the tensor's shape)."""
        here = self.shape(source)
        factor = np.broadcast_to(np.asarray(scale, dtype=np.float64), here).reshape(-1)
        shift = np.broadcast_to(np.asarray(offset, dtype=np.float64), here).reshape(-1)
        index = np.arange(factor.size)
        return self.affine(
            [source],
            [Gather(index, factor.copy(), index.size)],
            shift,
            shape=here if shape is None else shape,
            name=name,
        )

    def gather(
        self, source: int, index: ArrayLike, scale: ArrayLike = 1.0, *, shape: Sequence[int], name: str = ""
    ) -> int:
        """Add `y[i] = scale[i] * x[index[i]]` (index -1: zero) with the given output shape."""
        take = np.asarray(index, dtype=np.int64).reshape(-1)
        factor = np.broadcast_to(np.asarray(scale, dtype=np.float64), take.shape).copy()
        return self.affine([source], [Gather(take, factor, self.size(source))], shape=shape, name=name)

    def add(self, inputs: Sequence[int], scales: Sequence[float] | None = None, *, name: str = "") -> int:
        """Add `sum_s scales[s] * inputs[s]`; shapes are broadcast as NumPy does."""
        scales = [1.0] * len(inputs) if scales is None else scales
        shape = np.broadcast_shapes(*(self.shape(i) for i in inputs))
        operators = []
        for source, factor in zip(inputs, scales, strict=True):
            index = np.broadcast_to(np.arange(self.size(source)).reshape(self.shape(source)), shape).reshape(-1)
            operators.append(Gather(index.astype(np.int64), np.full(index.size, float(factor)), self.size(source)))
        return self.affine(inputs, operators, shape=shape, name=name)

    def concatenate(self, inputs: Sequence[int], axis: int = 0, *, name: str = "") -> int:
        """Add the concatenation of tensors along an axis (batch axis not counted)."""
        marks = [np.arange(self.size(i)).reshape(self.shape(i)) for i in inputs]
        owner = np.concatenate([np.full_like(m, s) for s, m in enumerate(marks)], axis=axis)
        entry = np.concatenate(marks, axis=axis)
        operators = []
        for s, source in enumerate(inputs):
            index = np.where(owner == s, entry, -1).reshape(-1)
            operators.append(Gather(index, np.ones(index.size), self.size(source)))
        return self.affine(inputs, operators, shape=entry.shape, name=name)

    def reshape(self, source: int, shape: Sequence[int]) -> int:
        """Add a view of a tensor with another shape."""
        if prod(shape) != self.size(source):
            raise DimensionError(f"cannot view {self.shape(source)} as {tuple(shape)}: the sizes differ.")
        if tuple(shape) == self.shape(source):
            return source
        return self.scale(source, shape=tuple(shape), name="reshape")

    def breakpoints(
        self, source: int, knots: ArrayLike, slopes: ArrayLike, intercepts: ArrayLike, *, name: str = ""
    ) -> int:
        """Add a one-variable function, the same for all units (1-D arrays) or one per unit (2-D).

        Knots where the slope does not change are dropped.
        """
        n = self.size(source)
        k = np.broadcast_to(np.atleast_2d(np.asarray(knots, dtype=np.float64)), (n, np.shape(knots)[-1]))
        s = np.broadcast_to(np.atleast_2d(np.asarray(slopes, dtype=np.float64)), (n, k.shape[1] + 1))
        c = np.broadcast_to(np.atleast_2d(np.asarray(intercepts, dtype=np.float64)), (n, k.shape[1] + 1))
        k, s, c = _drop_idle_knots(k, s, c)
        return self._add(Breakpoints(source, k, s, c, self.shape(source), name))

    def relu(self, source: int, *, name: str = "") -> int:
        """Add max(0, z)."""
        return self.breakpoints(source, [0.0], [0.0, 1.0], [0.0, 0.0], name=name)

    def leaky_relu(self, source: int, slope: ArrayLike, *, name: str = "") -> int:
        """Add z for z > 0 and `slope * z` else; `slope` a number or one per unit."""
        low = np.broadcast_to(np.asarray(slope, dtype=np.float64), self.shape(source)).reshape(-1)
        both = np.stack([low, np.ones_like(low)], axis=1)
        return self.breakpoints(source, np.zeros((low.size, 1)), both, np.zeros_like(both), name=name)

    def abs(self, source: int, *, name: str = "") -> int:
        """Add |z|."""
        return self.breakpoints(source, [0.0], [-1.0, 1.0], [0.0, 0.0], name=name)

    def clip(self, source: int, low: float, high: float, *, name: str = "") -> int:
        """Add min(max(z, low), high); infinite bounds are left out, `low >= high` gives `high`."""
        if low >= high:
            return self.breakpoints(source, np.empty((1, 0)), [0.0], [high], name=name)
        knots = [b for b in (low, high) if np.isfinite(b)]
        slopes = ([0.0] if np.isfinite(low) else []) + [1.0] + ([0.0] if np.isfinite(high) else [])
        shifts = ([low] if np.isfinite(low) else []) + [0.0] + ([high] if np.isfinite(high) else [])
        return self.breakpoints(source, knots, slopes, shifts, name=name)

    def max_windows(
        self, source: int, windows: Sequence[ArrayLike] | NDArray, *, shape: Sequence[int], name: str = ""
    ) -> int:
        """Add the largest entry of each window (lists of entries of `source`)."""
        lists = [np.asarray(w, dtype=np.int64).reshape(-1) for w in windows]
        offsets = np.concatenate([[0], np.cumsum([w.size for w in lists])]).astype(np.int64)
        return self._add(Max(source, offsets, np.concatenate(lists), tuple(shape), name))

    def maximum(self, inputs: Sequence[int], *, name: str = "") -> int:
        """Add the elementwise maximum of tensors of one shape (broadcast)."""
        shape = np.broadcast_shapes(*(self.shape(i) for i in inputs))
        wide = [i if self.shape(i) == shape else self.add([i, self._zeros(shape)]) for i in inputs]
        both = self.concatenate([self.reshape(i, (prod(shape),)) for i in wide], name=f"{name} candidates")
        n = prod(shape)
        windows = np.arange(n)[:, None] + n * np.arange(len(inputs))
        return self.max_windows(both, windows, shape=shape, name=name)

    def minimum(self, inputs: Sequence[int], *, name: str = "") -> int:
        """Add the elementwise minimum, as minus the maximum of the negatives."""
        negative = [self.scale(i, -1.0) for i in inputs]
        return self.scale(self.maximum(negative, name=name), -1.0, name=name)

    def constant(self, value: ArrayLike, *, name: str = "") -> int:
        """Add a tensor that does not depend on the input."""
        array = np.asarray(value, dtype=np.float64)
        return self.affine([], [], array, shape=array.shape, name=name)

    def finish(self, output: int, *, source: str = "network") -> Network:
        """Return the network whose output is node `output`."""
        return Network(tuple(self.nodes), output, tuple(self.notes), source)

    def _zeros(self, shape: Sequence[int]) -> int:
        return self.constant(np.zeros(shape))

    def _add(self, node: Node) -> int:
        self.nodes.append(node)
        return len(self.nodes) - 1


def _drop_idle_knots(k: NDArray, s: NDArray, c: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    keep = s[:, 1:] != s[:, :-1]
    if keep.all():
        return np.ascontiguousarray(k), np.ascontiguousarray(s), np.ascontiguousarray(c)
    width = int(keep.sum(axis=1).max(initial=0))
    knots = np.full((k.shape[0], width), np.inf)
    slopes = np.zeros((k.shape[0], width + 1))
    shifts = np.zeros((k.shape[0], width + 1))
    for i in range(k.shape[0]):
        kept = np.flatnonzero(keep[i])
        knots[i, : kept.size] = k[i, kept]
        pieces = np.concatenate([[0], kept + 1])
        slopes[i, : pieces.size], shifts[i, : pieces.size] = s[i, pieces], c[i, pieces]
    return knots, slopes, shifts
