"""What can rows of a network be at least on boxes? Linear forms of the inputs, by going backward, many boxes at once.

Each unit that may bend on a box lies between two linear functions there, chosen for what a row asks (as DeepPoly
[SinghGehrPueschelVechev2019] and CROWN [ZhangEtAl2018] do); a row that is followed back to the inputs is
then a linear function that it is never below. The numbers here are plain float64: they say where to look and what to
claim. What is claimed is proved by `reluatlas.certify`, which shares nothing with this.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reluatlas.deadline import look
from reluatlas.network.operators import Dense, as_sparse, denominator
from reluatlas.network.record import Affine, Breakpoints, Graph
from reluatlas.typing import FloatArray, IntArray

_CLOSE = 1e-12
_NUMBERS = 2**24  # of the rows of one tensor, on all boxes together
_FEWEST_ROWS = 16
_SMALL = 2**16  # numbers of a matrix that is better multiplied whole than by its entries


class Starts(NamedTuple):
    """Where rows start: which of them, and the weights (q, n) of a tensor's entries that each of them has."""

    rows: IntArray
    weights: FloatArray


class Lines(NamedTuple):
    """Linear functions below and above units, by box: `slope * z + shift`, all of shape (B, n)."""

    low_slope: FloatArray
    low_shift: FloatArray
    high_slope: FloatArray
    high_shift: FloatArray


@dataclass(eq=False)
class Known:
    """What is known of boxes: their ends, ranges of what units read, and lines around what units give.

    Attributes
    ----------
    low, high : ndarray, shape (B, n)
        Of the inputs.
    ranges : dict
        By cut node: bounds (B, units) each on what its units read.
    lines : dict of Lines
    is_empty : ndarray of bool, shape (B,)
        Whether no point is there: a unit would have to read less than it reads at least.
    shares : dict
        By cut node: units whose ranges were looked for, and what each input adds to them, (B, units, n).
    """

    low: FloatArray
    high: FloatArray
    ranges: dict[int, tuple[FloatArray, FloatArray]]
    lines: dict[int, Lines]
    is_empty: NDArray[np.bool_]
    shares: dict[int, tuple[IntArray, FloatArray]] = field(default_factory=dict)

    def one(self, i: int) -> Known:
        """Return what is known of one box, as a batch of one."""
        at = slice(i, i + 1)
        return Known(
            self.low[at],
            self.high[at],
            {t: (low[at], high[at]) for t, (low, high) in self.ranges.items()},
            {t: Lines(*(line[at] for line in lines)) for t, lines in self.lines.items()},
            self.is_empty[at],
            {t: (units, shares[at]) for t, (units, shares) in self.shares.items()},
        )


class Forms:
    """Linear functions below rows on boxes: `constants + coefficients @ x`, shapes (B, q) and (B, q, n).

    `center` is what they are in the middle of a box, `shares` what each input adds to its ends, `size` how large they
    are at most, and `least` what they are at least.
    """

    def __init__(self, coefficients: FloatArray, constants: FloatArray, low: FloatArray, high: FloatArray) -> None:
        self.coefficients = coefficients
        self.constants = constants
        middle, half = low / 2 + high / 2, high / 2 - low / 2
        self.center = constants + np.matmul(coefficients, middle[:, :, None])[:, :, 0]
        self.shares = coefficients * half[:, None]
        reach = np.abs(self.shares).sum(axis=2)
        self.size = np.abs(self.center) + reach
        self.least = self.center - reach

    def shift(self, by: FloatArray) -> None:
        """Add a constant (q,) to each row."""
        self.constants, self.center, self.least = self.constants + by, self.center + by, self.least + by
        self.size = self.size + np.abs(by)

    def one(self, i: int) -> Forms:
        """Return those of one box, as a batch of one."""
        out = object.__new__(Forms)
        for name, value in vars(self).items():
            setattr(out, name, value[i : i + 1])
        return out


class Walker:
    """Goes backward through a network without windows."""

    def __init__(self, net: Graph) -> None:
        self.net = net
        self._widest = max(prod(node.shape) for node in net.nodes)
        self._matrices = {
            t: [(s, _matrix(operator)) for s, operator in zip(node.inputs, node.operators, strict=True)]
            for t, node in enumerate(net.nodes)
            if isinstance(node, Affine)
        }

    def nothing_known(self, n_boxes: int) -> dict[int, tuple[FloatArray, FloatArray]]:
        """Return ranges that say nothing."""
        sizes = {t: (n_boxes, prod(self.net.nodes[t].shape)) for t in self.net.cuts}
        return {t: (np.full(size, -np.inf), np.full(size, np.inf)) for t, size in sizes.items()}

    def look_at(
        self,
        low: FloatArray,
        high: FloatArray,
        given: dict[int, tuple[FloatArray, FloatArray]],
        care: IntArray | None = None,
    ) -> Known:
        """Return what is known of boxes, given ranges that hold there: of their parents, and of the sides of units.

        Ranges are widened by what float64 may have lost, roughly; with `care` (B,) by a power of ten more.
        """
        slack = _CLOSE * 10.0 ** (np.zeros(len(low)) if care is None else care)[:, None]
        known = Known(low, high, {}, {}, np.zeros(len(low), dtype=bool))
        for t in self.net.cuts:
            look()
            node = self.net.nodes[t]
            assert isinstance(node, Breakpoints)
            least, most = given[t]
            # a unit that has one piece on each of the boxes needs no better range, but needs one
            asked = np.flatnonzero((_bends(node, least, most) | np.isinf(least) | np.isinf(most)).any(axis=0))
            least, most = least.copy(), most.copy()
            shares = []
            step = max(_FEWEST_ROWS, _NUMBERS // (2 * len(low) * self._widest))
            for units in (asked[i : i + step] for i in range(0, asked.size, step)):
                look()
                q = units.size
                weights = np.zeros((2 * q, prod(node.shape)))
                weights[np.arange(q), units], weights[q + np.arange(q), units] = 1.0, -1.0
                forms = self.back({node.input: Starts(np.arange(2 * q), weights)}, 2 * q, known)
                far = forms.size if care is None else np.where(
                    care[:, None] > 0, forms.size.max(axis=1, keepdims=True), forms.size)  # fmt: skip
                found = forms.least - slack * far
                shares.append(forms.shares[:, :q])
                least[:, units] = np.maximum(least[:, units], found[:, :q])
                most[:, units] = np.minimum(most[:, units], -found[:, q:])
            if shares:
                known.shares[t] = asked, np.concatenate(shares, axis=1)
            known.is_empty |= (least > most).any(axis=1)
            most = np.maximum(least, most)
            known.ranges[t] = least, most
            known.lines[t] = lines_around(node, least, most)
        return known

    def back(
        self,
        starts: Mapping[int, Starts],
        n_rows: int,
        known: Known,
        blame: dict[int, FloatArray] | None = None,
    ) -> Forms:
        """Return forms of the inputs that rows are never below; `blame` takes what each unit's line costs each row."""
        n_boxes, n = known.low.shape
        held: dict[int, FloatArray] = {}
        constants = np.zeros((n_boxes, n_rows))
        for t in range(max(starts), 0, -1):
            rows = _with_starts(held.pop(t, None), starts.get(t), n_rows, prod(self.net.nodes[t].shape))
            if rows is None:
                continue
            node = self.net.nodes[t]
            if isinstance(node, Affine):
                constants += rows @ node.bias
                for source, matrix in self._matrices[t]:
                    part = _times(rows, matrix)
                    held[source] = held[source] + part if source in held else part
            elif isinstance(node, Breakpoints):
                lines = known.lines[t]
                rises, falls = np.maximum(rows, 0.0), np.minimum(rows, 0.0)
                costs = _along(rises, lines.low_shift) + _along(falls, lines.high_shift)
                if blame is not None:
                    low, high = known.ranges[t]
                    slope, shift = lines.high_slope - lines.low_slope, lines.high_shift - lines.low_shift
                    gap = slope * (low / 2 + high / 2) + shift
                    blame[t] = np.abs(rows) * np.where(_bends(node, low, high), gap, 0.0)[:, None]
                constants += costs
                part = rises * lines.low_slope[:, None] + falls * lines.high_slope[:, None]
                held[node.input] = held[node.input] + part if node.input in held else part
        rows = _with_starts(held.pop(0, None), starts.get(0), n_rows, n)
        total = np.zeros((n_boxes, n_rows, n)) if rows is None else np.broadcast_to(rows, (n_boxes, n_rows, n))
        return Forms(total, constants, known.low, known.high)

    def at_points(self, X: FloatArray) -> Known:
        """Return what is known of points (N, n): all of it."""
        values = self.values(X)
        known = Known(X, X, {}, {}, np.zeros(len(X), dtype=bool))
        for t in self.net.cuts:
            node = self.net.nodes[t]
            assert isinstance(node, Breakpoints)
            z = values[node.input]
            known.ranges[t], known.lines[t] = (z, z), lines_around(node, z, z)
        return known

    def values(self, X: FloatArray) -> dict[int, FloatArray]:
        """Return the tensors at points (N, n)."""
        out = {0: X}
        for t, node in enumerate(self.net.nodes):
            if isinstance(node, Affine):
                out[t] = sum((_times(out[s], _turned(m)) for s, m in self._matrices[t]), node.bias)  # type: ignore
            elif isinstance(node, Breakpoints):
                z = out[node.input]
                piece = (z[:, :, None] > node.knots).sum(axis=2)
                unit = np.arange(z.shape[1])
                out[t] = node.slopes[unit, piece] * z + node.intercepts[unit, piece]
        return out


def lines_around(node: Breakpoints, low: FloatArray, high: FloatArray) -> Lines:
    """Return lines below and above units that read numbers between `low` and `high` (B, n): close in the middle.

    Tried are the chord, and the slopes at both ends.
    """
    unit = np.arange(low.shape[1])
    ends = [low, high, *(np.clip(node.knots[:, q], low, high) for q in range(node.knots.shape[1]))]
    values: list[FloatArray] = []
    first = last = np.zeros(low.shape)
    for i, z in enumerate(ends):
        piece = (z[:, :, None] > node.knots).sum(axis=2)
        values.append(node.slopes[unit, piece] * z + node.intercepts[unit, piece])
        if i == 0:
            first = node.slopes[unit, (z[:, :, None] >= node.knots).sum(axis=2)]
        elif i == 1:
            last = node.slopes[unit, piece]
    width = high - low
    with np.errstate(invalid="ignore", divide="ignore"):
        chord = np.where(width > 0.0, (values[1] - values[0]) / width, last)
    middle = low / 2 + high / 2
    best: list[FloatArray] = []
    for slope in (chord, first, last):
        gaps = np.stack([v - slope * z for v, z in zip(values, ends, strict=True)])
        below, above = gaps.min(axis=0), gaps.max(axis=0)
        if not best:
            best = [slope, below, slope, above]
            continue
        better = slope * middle + below > best[0] * middle + best[1]
        best[0], best[1] = np.where(better, slope, best[0]), np.where(better, below, best[1])
        better = slope * middle + above < best[2] * middle + best[3]
        best[2], best[3] = np.where(better, slope, best[2]), np.where(better, above, best[3])
    only = ~_bends(node, low, high)
    piece = (node.knots <= low[:, :, None]).sum(axis=2)
    slopes, shifts = node.slopes[unit, piece], node.intercepts[unit, piece]
    exact = (slopes, shifts, slopes, shifts)
    return Lines(*(np.where(only, mine, line) for mine, line in zip(exact, best, strict=True)))


def _bends(node: Breakpoints, low: FloatArray, high: FloatArray) -> NDArray[np.bool_]:
    """Return which units may be on both sides of a knot."""
    return np.asarray(((node.knots > low[:, :, None]) & (node.knots < high[:, :, None])).any(axis=2))


def bends(net: Graph, known: Known) -> dict[int, NDArray[np.bool_]]:
    """Return which units of each cut node may bend on each box."""
    out = {}
    for t, (low, high) in known.ranges.items():
        node = net.nodes[t]
        assert isinstance(node, Breakpoints)
        out[t] = _bends(node, low, high)
    return out


def _matrix(operator: object) -> object:
    if isinstance(operator, Dense):
        return operator.weight
    sparse = as_sparse(operator)  # type: ignore[arg-type]
    matrix = sparse.numerators / denominator(sparse)
    return matrix.toarray() if sparse.n_in * sparse.n_out <= _SMALL else matrix


def _turned(matrix: object) -> object:
    return matrix.T  # type: ignore[attr-defined]


def _times(rows: FloatArray, matrix: object) -> FloatArray:
    """Return `rows @ matrix` over the last axis."""
    if isinstance(matrix, np.ndarray):
        return rows @ matrix
    flat = rows.reshape(-1, rows.shape[-1])
    return (matrix.T @ flat.T).T.reshape(*rows.shape[:-1], -1)  # type: ignore[attr-defined]


def _along(rows: FloatArray, shifts: FloatArray) -> FloatArray:
    """Return the sums of rows (B, q, n) or (q, n) times shifts (B, n)."""
    return shifts @ rows.T if rows.ndim == 2 else np.matmul(rows, shifts[:, :, None])[:, :, 0]


def _with_starts(rows: FloatArray | None, starts: Starts | None, n_rows: int, n: int) -> FloatArray | None:
    if starts is None:
        return rows
    first = np.zeros((n_rows, n))
    first[starts.rows] = starts.weights
    return first if rows is None else rows + first
