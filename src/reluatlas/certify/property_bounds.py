"""What are rows of a network never below on a box? Float64, with everything that rounding can do taken off.

Rows are followed backward; a unit that may be on both sides of a knot lies between two lines. Beside each row goes a
bound on what its rounding so far can do to its value, from how large each tensor can be: a sum of n products is off by
at most n + 2 units of roundoff of the sum of their sizes, in whatever order (N. J. Higham, "Accuracy and Stability of
Numerical Algorithms", 2002, chapter 3).

A part of the check of certificates: shares nothing with the search.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reluatlas.deadline import look
from reluatlas.network.operators import Dense, as_sparse, mapped
from reluatlas.network.record import Affine, Breakpoints, Graph
from reluatlas.typing import FloatArray

UNIT = 2.0**-53
SLACK = 1.0 + 1e-9  # the rounding of bounds themselves, which are sums of fewer than a million numbers
_NUMBERS = 2**24  # of the rows of one tensor, on all boxes together
_FEWEST_ROWS = 16
_SMALL = 2**16  # numbers of a matrix that is better multiplied whole than by its entries
TINY = 2.0**-1020  # more than a product loses by underflow
Ranges = dict[int, tuple[FloatArray, FloatArray]]


@dataclass(frozen=True, eq=False)
class Lines:
    """Lines that units are certainly between, (B, n) each: `slope * z + shift`."""

    low_slope: FloatArray
    low_shift: FloatArray
    high_slope: FloatArray
    high_shift: FloatArray


class Boxes:
    """Some boxes: what is known of every tensor there.

    `low`, `high` (B, n) enclose the boxes; `ranges` (B, units) what units read; `size` (B, n) how large entries are.
    """

    def __init__(self, low: FloatArray, high: FloatArray) -> None:
        self.low, self.high = low, high
        self.middle = low / 2 + high / 2
        half = np.maximum(high - self.middle, self.middle - low)
        self.half = np.where(half > 0.0, np.nextafter(half, np.inf), 0.0)
        self.ranges: Ranges = {}
        self.lines: dict[int, Lines] = {}
        self.size: dict[int, FloatArray] = {0: np.maximum(np.abs(low), np.abs(high))}
        self.reach: dict[int, FloatArray] = {}  # of affine nodes: sums of sizes of all that is added up
        self.is_empty = np.zeros(len(low), dtype=bool)  # certainly without a point


class Bounder:
    """Bounds rows of a network that has no windows."""

    def __init__(self, net: Graph) -> None:
        self.net = net
        self._widest = max(prod(node.shape) for node in net.nodes)
        cuts = [node for node in net.nodes if isinstance(node, Breakpoints)]
        self.is_continuous = not any(_jumps(node).any() for node in cuts)
        self._matrices: dict[int, list[tuple[int, Any, Any, int]]] = {}
        for t, node in enumerate(net.nodes):
            if isinstance(node, Affine):
                self._matrices[t] = [_held(s, o) for s, o in zip(node.inputs, node.operators, strict=True)]

    def look_at(self, low: FloatArray, high: FloatArray, given: Ranges) -> Boxes:
        """Return what is certain on boxes, where units are known to read what is in the ranges given."""
        with np.errstate(all="ignore"):  # what is not finite proves nothing
            boxes = Boxes(low, high)
            for t, node in enumerate(self.net.nodes):
                look()
                if isinstance(node, Affine):
                    reach = np.tile(np.abs(node.bias), (len(low), 1))
                    for s, _, sizes, _ in self._matrices[t]:
                        reach = reach + _times(boxes.size[s], sizes)
                    boxes.reach[t] = boxes.size[t] = (reach + TINY) * SLACK
                elif isinstance(node, Breakpoints):
                    self._bend(t, node, boxes, given[t])
            return boxes

    def _bend(self, t: int, node: Breakpoints, boxes: Boxes, given: tuple[FloatArray, FloatArray]) -> None:
        least, most = given[0].copy(), given[1].copy()
        asked = np.flatnonzero((bending(node, least, most) | np.isinf(least) | np.isinf(most)).any(axis=0))
        step = max(_FEWEST_ROWS, _NUMBERS // (2 * len(least) * self._widest))
        for units in (asked[i : i + step] for i in range(0, asked.size, step)):
            look()
            n = units.size
            rows, zero = np.zeros((2 * n, prod(node.shape))), np.zeros(2 * n)
            rows[np.arange(n), units], rows[n + np.arange(n), units] = 1.0, -1.0
            found = self.least({node.input: rows}, zero, zero, boxes)
            least[:, units] = np.fmax(least[:, units], found[:, :n])
            most[:, units] = np.fmin(most[:, units], -found[:, n:])
        # a part without points may have a range turned round: all is true of it
        boxes.is_empty |= (least > most).any(axis=1)
        most = np.fmax(least, most)
        boxes.ranges[t] = least, most
        far = np.fmax(np.abs(least), np.abs(most))
        boxes.size[node.input] = np.fmin(boxes.size[node.input], far)
        boxes.lines[t], boxes.size[t] = lines_of(node, least, most)

    def least(
        self, starts: Mapping[int, FloatArray], constant: FloatArray, error: FloatArray, boxes: Boxes
    ) -> FloatArray:
        """Return what rows are never below, (B, q).

        `starts` has, by node, rows (q, n) or (B, q, n) of weights of its tensor's entries, which add up with `constant`
        (q,). Its weights and the constant are taken for exact; by how much they are off, all together, is `error`,
        (q,) or (B, q), in terms of the row's value.
        """
        with np.errstate(all="ignore"):
            n_boxes, n_rows = len(boxes.low), constant.size
            total = np.tile(constant, (n_boxes, 1))
            lost = np.zeros((n_boxes, n_rows)) + error
            held: dict[int, FloatArray] = dict(starts)
            for t in range(max(held), 0, -1):
                rows = held.pop(t, None)
                if rows is None:
                    continue
                node = self.net.nodes[t]
                if isinstance(node, Affine):
                    total = total + rows @ node.bias
                    n_terms = 8 + rows.shape[-1]
                    lost = lost + n_terms * UNIT * _along(np.abs(rows), boxes.reach[t]) + TINY * n_terms
                    parts = [(s, _times_turned(rows, turned), n) for s, turned, _, n in self._matrices[t]]
                else:
                    assert isinstance(node, Breakpoints)
                    lines = boxes.lines[t]
                    rises, falls = np.maximum(rows, 0.0), np.minimum(rows, 0.0)
                    total = total + _along(rises, lines.low_shift) + _along(falls, lines.high_shift)
                    shift = np.maximum(np.abs(lines.low_shift), np.abs(lines.high_shift))
                    lost = lost + (8 + rows.shape[-1]) * UNIT * _along(np.abs(rows), shift)
                    part = _by(rises, lines.low_slope) + _by(falls, lines.high_slope)
                    parts = [(node.input, part, 1)]
                for s, part, n in parts:
                    held[s] = held[s] + part if s in held else part
                    size = boxes.size[s]
                    # what is added, and what products lose by underflow
                    lost = lost + 4.0 * UNIT * _along(np.abs(held[s]), size)
                    lost = lost + TINY * n * rows.shape[-1] * (1.0 + size.sum(axis=1, keepdims=True))
                lost = lost + 4.0 * UNIT * np.abs(total)
            n = boxes.low.shape[1]
            rows = held.get(0, np.zeros((n_rows, n)))
            around = _along(rows, boxes.middle) + total
            reach = _along(np.abs(rows), boxes.half)
            far = _along(np.abs(rows), np.abs(boxes.middle)) + reach + np.abs(total)
            lost = (lost + (n + 8) * UNIT * far + TINY * (n + 8)) * SLACK
            out = np.nextafter(around - reach - lost, -np.inf)
            return np.where(np.isnan(out), -np.inf, out)


def bending(node: Breakpoints, low: FloatArray, high: FloatArray) -> NDArray[np.bool_]:
    """Return which units may be on both sides of a knot; of one whose pieces do not meet there, at the knot."""
    inside = (node.knots > low[:, :, None]) & (node.knots < high[:, :, None])
    jumps = _jumps(node)
    if jumps.any():
        inside |= jumps & (node.knots >= low[:, :, None]) & (node.knots <= high[:, :, None])
    return np.asarray(inside.any(axis=2))


@lru_cache(maxsize=256)
def _jumps(node: Breakpoints) -> NDArray[np.bool_]:
    """Return the knots at which a unit's pieces do not meet, by the roundings of its numbers."""
    if node.is_relu:
        return np.zeros(node.knots.shape, dtype=bool)
    out = np.zeros(node.knots.shape, dtype=bool)
    for i, q in np.argwhere(np.isfinite(node.knots)):
        z = Fraction(float(node.knots[i, q]))
        sides = [Fraction(float(node.slopes[i, p])) * z + Fraction(float(node.intercepts[i, p])) for p in (q, q + 1)]
        out[i, q] = sides[0] != sides[1]
    return out


def lines_of(node: Breakpoints, low: FloatArray, high: FloatArray) -> tuple[Lines, FloatArray]:
    """Return lines around units that read numbers between `low` and `high`, and how large their values can be."""
    unit, n_pieces = np.arange(low.shape[1]), node.slopes.shape[1]
    first = np.minimum((node.knots < low[:, :, None]).sum(axis=2), n_pieces - 1)
    # at a knot both pieces give the same; the one that goes on upward is that of the whole range
    first = np.where((low < high) & (node.knots == low[:, :, None]).any(axis=2), first + 1, first)
    last = (node.knots < high[:, :, None]).sum(axis=2)
    is_one = ~bending(node, low, high)
    slopes, shifts = node.slopes[unit, first], node.intercepts[unit, first]
    end = node.slopes[unit, last]
    places = [low, high, *(np.clip(node.knots[:, q], low, high) for q in range(node.knots.shape[1]))]
    ends, values, errors = [], [], []
    for i, z in enumerate(places):
        below = (z[:, :, None] > node.knots).sum(axis=2)
        above = (z[:, :, None] >= node.knots).sum(axis=2)
        for piece in (below,) if i < 2 and node.is_relu else (below, above):
            slope, shift = node.slopes[unit, piece], node.intercepts[unit, piece]
            ends.append(z)
            values.append(slope * z + shift)
            errors.append(4.0 * UNIT * (np.abs(slope * z) + np.abs(shift)) + TINY * (z != 0.0))
    size = np.max([np.abs(v) + e for v, e in zip(values, errors, strict=True)], axis=0) * SLACK
    chord = (values[1 if node.is_relu else 2] - values[0]) / (high - low)
    chord = np.where(np.isfinite(chord), chord, 0.0)
    middle = low / 2 + high / 2
    best: list[FloatArray] = []
    for slope in (chord, slopes, end):
        below, above = np.full(low.shape, np.inf), np.full(low.shape, -np.inf)
        for z, v, e in zip(ends, values, errors, strict=True):
            gap, off = v - slope * z, (e + 4.0 * UNIT * (np.abs(v) + np.abs(slope * z)) + TINY * (z != 0.0)) * SLACK
            below, above = np.minimum(below, gap - off), np.maximum(above, gap + off)
        if not best:
            best = [slope, below, slope, above]
            continue
        better = slope * middle + below > best[0] * middle + best[1]
        best[0], best[1] = np.where(better, slope, best[0]), np.where(better, below, best[1])
        better = slope * middle + above < best[2] * middle + best[3]
        best[2], best[3] = np.where(better, slope, best[2]), np.where(better, above, best[3])
    low_slope, low_shift, high_slope, high_shift = best
    return Lines(
        np.where(is_one, slopes, low_slope),
        np.where(is_one, shifts, low_shift),
        np.where(is_one, slopes, high_slope),
        np.where(is_one, shifts, high_shift),
    ), size


def _held(source: int, operator: Any) -> tuple[int, Any, Any, int]:
    """Return an operator as a matrix to go backward by, and the sizes of its numbers; how many an output adds up."""
    if isinstance(operator, Dense):
        return source, operator.weight, np.abs(operator.weight), operator.n_in
    sparse = as_sparse(operator)
    # the quotient is rounded once, which the terms of `reach` hold
    matrix, sizes = sparse.numerators / sparse.denominator, as_sparse(mapped(sparse, np.abs)).numerators
    if sparse.n_in * sparse.n_out <= _SMALL:
        matrix, sizes = matrix.toarray(), sizes.toarray()
    return source, matrix, sizes, operator.n_in


def _times(sizes: FloatArray, matrix: Any) -> FloatArray:
    """Return `sizes @ matrix.T`."""
    return sizes @ matrix.T if isinstance(matrix, np.ndarray) else (matrix @ sizes.T).T


def _times_turned(rows: FloatArray, matrix: Any) -> FloatArray:
    """Return `rows @ matrix` over the last axis."""
    if isinstance(matrix, np.ndarray):
        return rows @ matrix
    return (matrix.T @ rows.reshape(-1, rows.shape[-1]).T).T.reshape(*rows.shape[:-1], -1)


def _along(rows: FloatArray, numbers: FloatArray) -> FloatArray:
    """Return rows (q, n) or (B, q, n) times numbers (B, n): (B, q)."""
    return numbers @ rows.T if rows.ndim == 2 else np.matmul(rows, numbers[:, :, None])[:, :, 0]


def _by(rows: FloatArray, slopes: FloatArray) -> FloatArray:
    return rows * slopes[:, None]
