"""What the oracles take: a network on a plane as plain data, every number a `Fraction`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

Number = Fraction | int
SparseRow = tuple[tuple[int, Number], ...]
"""Nonzero coefficients of one output: (entry of the source, coefficient)."""
Point = tuple[Fraction, Fraction]
Form = tuple[Fraction, Fraction, Fraction]
"""The affine function a x + b y + c of the two coordinates, as (a, b, c)."""


@dataclass(frozen=True)
class Input:
    """The input tensor."""

    size: int


@dataclass(frozen=True)
class Affine:
    """Output i is `bias[i]` plus, for each (source, rows), the sum of `coefficient * source[entry]` over `rows[i]`."""

    terms: tuple[tuple[int, tuple[SparseRow, ...]], ...]
    bias: tuple[Number, ...]


@dataclass(frozen=True)
class Breakpoints:
    """Unit i on piece p, the number of its knots strictly below z, is `slopes[i][p] * z + intercepts[i][p]`."""

    source: int
    knots: tuple[tuple[Number, ...], ...]
    slopes: tuple[tuple[Number, ...], ...]
    intercepts: tuple[tuple[Number, ...], ...]


@dataclass(frozen=True)
class Max:
    """Output w is the largest of the source's entries `windows[w]`."""

    source: int
    windows: tuple[tuple[int, ...], ...]


Node = Input | Affine | Breakpoints | Max


@dataclass(frozen=True)
class Problem:
    """A network (nodes in topological order, the input first) on `{origin + u @ basis : low <= u <= high}`.

    `low` and `high` are two numbers, `origin` has one number per input, `basis` two rows of them.
    """

    nodes: tuple[Node, ...]
    output: int
    low: tuple[Number, Number]
    high: tuple[Number, Number]
    origin: tuple[Number, ...]
    basis: tuple[tuple[Number, ...], tuple[Number, ...]]


def dense(source: int, weight: Sequence[Sequence[Number]], bias: Sequence[Number]) -> Affine:
    """Return `weight @ x + bias` with exact entries."""
    rows = tuple(tuple((j, Fraction(w)) for j, w in enumerate(row) if w) for row in weight)
    return Affine(((source, rows),), tuple(Fraction(b) for b in bias))


def relu(source: int, size: int) -> Breakpoints:
    """Return max(0, z) for `size` units."""
    return unit_function(source, size, knots=[0], slopes=[0, 1], intercepts=[0, 0])


def unit_function(
    source: int, size: int, *, knots: Sequence[Number], slopes: Sequence[Number], intercepts: Sequence[Number]
) -> Breakpoints:
    """Return the same piecewise-linear function for `size` units."""
    return Breakpoints(source, (tuple(knots),) * size, (tuple(slopes),) * size, (tuple(intercepts),) * size)


def on_box(nodes: Sequence[Node], low: Number = -1, high: Number = 1) -> Problem:
    """Return the problem of a network with two inputs, ending in its last node, on a square."""
    return Problem(tuple(nodes), len(nodes) - 1, (low, low), (high, high), (0, 0), ((1, 0), (0, 1)))
