"""Which plain steps compute a network? `plan_of`, which every format writes in its own words.

All tensors are batches of flat rows (N, n). Steps use no number that the network does not hold, so that what is written
is the same function: but for a unit of several pieces, see `Bent`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from reluatlas.exporters.images import Window, window_of
from reluatlas.network.operators import Convolution, Dense, Gather, LinearOperator, Sparse
from reluatlas.network.record import Affine, Breakpoints, Graph, Input, Max, Shape
from reluatlas.typing import FloatArray, IntArray

_DENSE_FROM = 8  # of so many entries of a row one that is not zero: rows are then written in full


@dataclass(frozen=True, eq=False)
class Linear:
    """`x @ weight.T + bias`."""

    source: int
    weight: FloatArray
    bias: FloatArray | None


@dataclass(frozen=True, eq=False)
class Rows:
    """`sum_k values[i, k] * x[index[i, k]]`, or the mean over k."""

    source: int
    index: IntArray
    values: FloatArray
    is_mean: bool


@dataclass(frozen=True, eq=False)
class Take:
    """`scale[i] * x[index[i]]`; without a scale where all are 1."""

    source: int
    index: IntArray
    scale: FloatArray | None


@dataclass(frozen=True, eq=False)
class Convolve:
    """A convolution on images (channels, positions); `window` where it is one of those that formats know."""

    source: int
    operator: Convolution
    window: Window | None


@dataclass(frozen=True, eq=False)
class Sum:
    """The sum of tensors, and numbers."""

    sources: tuple[int, ...]
    bias: FloatArray | None


@dataclass(frozen=True, eq=False)
class Relu:
    """`max(0, x)`."""

    source: int


@dataclass(frozen=True, eq=False)
class Leaky:
    """`x` where it is above 0, else `slope * x`; or `above * x` in place of x."""

    source: int
    slope: FloatArray
    above: FloatArray | None


@dataclass(frozen=True, eq=False)
class Clip:
    """`x` between two numbers; an infinite one is none."""

    source: int
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Bent:
    """Units of several pieces: `slope * x + shift`, and of each knot `(after - before) * relu(x - knot)`.

    That is the network's function where its pieces meet at the knots; where they miss each other by rounding, it is off
    by so much at most (`jumps`).
    """

    source: int
    slope: FloatArray
    shift: FloatArray
    knots: FloatArray  # (n, q), and so are the following; 0 where there is no knot
    before: FloatArray
    after: FloatArray


@dataclass(frozen=True, eq=False)
class Largest:
    """The largest of `x[index[i, k]]` over k."""

    source: int
    index: IntArray


Step = Linear | Rows | Take | Convolve | Sum | Relu | Leaky | Clip | Bent | Largest
Add = Callable[[Step], int]


@dataclass(frozen=True, eq=False)
class Plan:
    """Steps in order; tensor 0 is the input, tensor i what step i - 1 gives.

    Attributes
    ----------
    steps : tuple of Step
    output : int
    homes : tuple of int
        For each node of the network, the tensor that holds it.
    """

    steps: tuple[Step, ...]
    output: int
    homes: tuple[int, ...]


def plan_of(network: Graph) -> Plan:
    """Return the steps that compute a network."""
    steps: list[Step] = []

    def add(step: Step) -> int:
        steps.append(step)
        return len(steps)

    homes: list[int] = []
    for node in network.nodes:
        if isinstance(node, Input):
            homes.append(0)
        elif isinstance(node, Affine):
            parts = [
                _operator(add, homes[s], operator, network.nodes[s].shape, node.shape)
                for s, operator in zip(node.inputs, node.operators, strict=True)
            ]
            homes.append(_summed(add, parts, node.bias, prod(network.input_shape)))
        elif isinstance(node, Breakpoints):
            homes.append(add(_units(node, homes[node.input])))
        else:
            assert isinstance(node, Max)
            homes.append(add(Largest(homes[node.input], _windows(node))))
    return Plan(tuple(steps), homes[network.output], tuple(homes))


def _summed(add: Add, parts: list[int], bias: FloatArray, n_inputs: int) -> int:
    held = bias if bias.any() else None
    if not parts:
        # a constant: as many rows as the input has
        zero = add(Take(0, np.zeros(bias.size, dtype=np.int64), np.zeros(bias.size)))
        return add(Sum((zero,), bias))
    if len(parts) == 1 and held is None:
        return parts[0]
    return add(Sum(tuple(parts), held))


def _operator(add: Add, source: int, operator: LinearOperator, before: Shape, after: Shape) -> int:
    if isinstance(operator, Dense):
        return add(Linear(source, operator.weight, None))
    if isinstance(operator, Convolution):
        return add(Convolve(source, operator, window_of(operator, before, after)))
    if isinstance(operator, Gather):
        there = operator.index >= 0
        scale = np.where(there, operator.scale, 0.0)
        is_plain = bool(np.all(scale == 1.0))
        if is_plain and operator.n_in == operator.n_out and np.array_equal(operator.index, np.arange(operator.n_in)):
            return source
        return add(Take(source, np.where(there, operator.index, 0), None if is_plain else scale))
    return add(_sparse(source, operator))


def _sparse(source: int, operator: Sparse) -> Step:
    counts = np.diff(operator.indptr)
    row = np.repeat(np.arange(operator.n_out), counts)
    most = max(1, int(counts.max(initial=0)))
    if operator.denominator == 1 and most * _DENSE_FROM >= operator.n_in:
        weight = np.zeros((operator.n_out, operator.n_in))
        weight[row, operator.indices] = operator.values
        return Linear(source, weight, None)
    factor = 1.0
    if operator.denominator > 1:
        # the mean of d 2^j numbers, each times 2^j, is their sum over d: exact
        while operator.denominator * factor < most:
            factor *= 2.0
        most = int(operator.denominator * factor)
    index, values = np.zeros((operator.n_out, most), dtype=np.int64), np.zeros((operator.n_out, most))
    place = np.arange(row.size) - operator.indptr[row]
    index[row, place], values[row, place] = operator.indices, operator.values * factor
    return Rows(source, index, values, is_mean=operator.denominator > 1)


def _units(node: Breakpoints, source: int) -> Step:
    if node.is_relu:
        return Relu(source)
    held = np.isfinite(node.knots)
    if node.knots.shape[1] == 1 and not np.any(node.knots[held]) and held.all() and not node.intercepts.any():
        above = node.slopes[:, 1]
        return Leaky(source, node.slopes[:, 0], None if np.all(above == 1.0) else above)
    clip = _clip(node, source)
    if clip is not None:
        return clip
    return Bent(
        source, node.slopes[:, 0], node.intercepts[:, 0], np.where(held, node.knots, 0.0),
        np.where(held, node.slopes[:, :-1], 0.0), np.where(held, node.slopes[:, 1:], 0.0),
    )  # fmt: skip


def _clip(node: Breakpoints, source: int) -> Clip | None:
    """Return the one clip that all units are; None where they are not."""
    if not node.knots.size or np.any(node.knots != node.knots[0]) or not np.isfinite(node.knots).all():
        return None
    knots, slopes, shifts = node.knots[0], node.slopes[0], node.intercepts[0]
    if np.any(node.slopes != slopes) or np.any(node.intercepts != shifts) or knots.size > 2:
        return None
    low, high = -np.inf, np.inf
    inner = int(np.flatnonzero(slopes == 1.0)[0]) if np.count_nonzero(slopes) == 1 and np.any(slopes == 1.0) else -1
    if inner < 0 or shifts[inner] != 0.0 or inner > 1:
        return None
    if inner == 1:
        low = float(knots[0])
        if shifts[0] != low:
            return None
    if inner + 1 < slopes.size:
        high = float(knots[inner])
        if shifts[inner + 1] != high:
            return None
    return Clip(source, low, high)


def _windows(node: Max) -> IntArray:
    """Return the candidates (windows, k); of shorter windows the first one again."""
    counts = np.diff(node.offsets)
    place = np.minimum(np.arange(int(counts.max(initial=1)))[None], 10**9)
    inside = place < counts[:, None]
    return node.candidates[np.where(inside, node.offsets[:-1, None] + place, node.offsets[:-1, None])]


def jumps(node: Breakpoints) -> FloatArray:
    """Return by how much the pieces of each unit miss each other at most, at all knots together: 0.0 nearly always."""
    held = np.isfinite(node.knots)
    at = np.where(held, node.knots, 0.0)
    parts = np.stack(
        [node.slopes[:, :-1] * at, node.intercepts[:, :-1], -(node.slopes[:, 1:] * at), -node.intercepts[:, 1:]]
    )
    size = np.abs(parts).sum(axis=0)
    gap = np.abs(parts.sum(axis=0)) + np.where(_is_plain(node, at), 0.0, 2.0**-50 * size + 2.0**-1000)
    return np.where(held, gap, 0.0).sum(axis=1) * (1.0 + 1e-9)


def _is_plain(node: Breakpoints, at: FloatArray) -> NDArray[np.bool_]:
    """Return where nothing is rounded: products with 0 and 1 that are equal."""
    one = (node.slopes == 0.0) | (np.abs(node.slopes) == 1.0)
    return (one[:, :-1] & one[:, 1:]) | (at == 0.0)
