"""Which points are easy? A quick float64 pass with one error bound per point and node, before any careful one.

The floating-point filter of exact geometric computation [Yap1997]. What it calls decided is decided: the bound holds
for any order of summation. Points with a unit in doubt are left to `Walk`, and so is a whole batch where the
bounds have grown too wide to be of use.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from reluatlas.arithmetic.constants import EPSILON, SLACK, SLACK_LONG
from reluatlas.network.interpret import Choice, Done, outcome, slopes_of, sources
from reluatlas.network.operators import Convolution, LinearOperator, apply_operator, coefficients, mapped, terms
from reluatlas.network.patterns.constant_regions import Background
from reluatlas.network.patterns.tie_tables import Tables, no_tables, under_relu
from reluatlas.network.record import Affine, Breakpoints, Graph, Max
from reluatlas.typing import FloatArray

_LEAST, _MOST = 2.0**-300, 2.0**300


class _Level:
    """Values (N, size) of a node, the error of entry i at point n at most `scale[n] * width[i]`."""

    def __init__(self, value: FloatArray, scale: FloatArray, width: FloatArray, *, is_relu: bool = False) -> None:
        self.value = value
        self.scale = scale
        self.width = width
        self.is_relu = is_relu

    def largest(self) -> FloatArray:
        """Return the largest error (N,) of an entry of each point."""
        return self.scale * self.width.max(initial=0.0)


class Screen:
    """Decides the pieces and winners of points where that is easy.

    Parameters
    ----------
    network : Graph
    background : Background
    perturb : bool
        As in `Walk`.

    Attributes
    ----------
    is_usable : bool
        False where weights are too large or too small for the simple bound.
    """

    def __init__(self, network: Graph, background: Background, *, perturb: bool = False) -> None:
        self._network = network
        self._background = background
        self._tables = Tables(network, background)
        self._perturb = perturb
        self._last = max(network.cuts, default=-1)
        self._widths: dict[int, FloatArray] = {}
        self._terms: dict[int, int] = {}
        # how many nodes read each: what one alone reads may be overwritten by it
        self._readers = Counter(source for node in network.nodes for source in {*sources(node)})
        for t, node in enumerate(network.nodes[: self._last + 1]):
            if isinstance(node, Affine):
                parts = [_row_sums(o) for o in node.operators]
                self._widths[t] = np.sum(parts, axis=0) + np.abs(node.bias) if parts else np.abs(node.bias)
                self._terms[t] = sum(terms(o) for o in node.operators) + 2 * len(node.operators) + 8
        used = np.concatenate([w[w > 0] for w in self._widths.values()] or [np.ones(1)])
        self.is_usable = bool(np.all((used > _LEAST) & (used < _MOST)))

    def run(self, rows: FloatArray, *, tables: bool = True) -> tuple[Choice, NDArray[np.bool_], NDArray[np.bool_]]:
        """Return pieces and winners, which points (N,) are in doubt, and at which some tie may cut (perturbed: cuts).

        Where a point is in doubt its pieces mean nothing, nor does whether it is tied. With `perturb` and without
        `tables`, points with ties are in doubt.
        """
        passed = _Pass(self, rows, tables=tables)
        if self._last >= 0:
            with np.errstate(all="ignore"):
                outcome(self._network, passed.first, passed, upto=self._last)
        return passed.choice, passed.doubt, passed.tied


class _Pass:
    """One batch of points on its way through a screen: an algebra of `reluatlas.network.interpret`."""

    def __init__(self, screen: Screen, rows: FloatArray, *, tables: bool) -> None:
        n = rows.shape[0]
        self.choice: Choice = {}
        self.doubt, self.tied = np.zeros(n, dtype=bool), np.zeros(n, dtype=bool)
        self.first = _Level(rows, np.zeros(n), np.zeros(rows.shape[1]))
        self._screen, self._rows, self._has_tables = screen, rows, tables
        self._plain = screen._background.everywhere(rows, screen._last)

    def affine(self, t: int, node: Affine, done: Done[_Level]) -> _Level:
        total = np.zeros((self._rows.shape[0], node.bias.size))
        scale = np.zeros(total.shape[0])
        n_terms = self._screen._terms[t]
        for source, operator in zip(node.inputs, node.operators, strict=True):
            level = done[source]
            part = apply_operator(operator, level.value)
            total = part if len(node.inputs) == 1 else total + part
            most = np.maximum(np.abs(level.value).max(axis=1, initial=0.0) + level.largest(), 1.0)
            most[~(most < _MOST)] = np.inf
            scale = np.maximum(scale, level.largest() + most * (n_terms * EPSILON))
        if not node.inputs:
            scale += EPSILON
        total = total + node.bias
        return _Level(total, scale * SLACK, self._screen._widths[t])

    def breakpoints(self, t: int, node: Breakpoints, done: Done[_Level]) -> _Level:
        is_owned = node.input > 0 and self._screen._readers[node.input] == 1
        self.choice[t], level = _pieces(node, done[node.input], self.doubt, owned=is_owned)
        return level

    def max(self, t: int, node: Max, done: Done[_Level]) -> _Level:
        from reluatlas.network.values.kernels import sure_winners

        level, plain, screen = done[node.input], self._plain[node.input], self._screen
        n = level.value.shape[0]
        width = int(np.diff(node.offsets).max(initial=1))
        winner = np.zeros((n, node.n_windows), dtype=np.uint8 if width <= 256 else np.int64)
        value = np.empty((n, node.n_windows))
        classes = screen._background.classes[node.input]
        if plain is None or classes is None:
            plain, classes = np.empty((n, 0), dtype=bool), np.empty(0, dtype=np.int64)
        images, places, bias = _patches(screen._network, node, self._rows)
        signs, kind = np.empty((0, 0, 0, 0), dtype=np.int8), np.empty(0, dtype=np.int64)
        if screen._perturb:
            signs, kind = screen._tables.of(t, self._rows) if self._has_tables else no_tables(n)
        sure_winners(
            level.value, level.scale, level.width, level.is_relu, node.offsets, node.candidates, classes, plain,
            images, places, bias, signs, kind, winner, value, self.doubt, self.tied,
        )  # fmt: skip
        self.choice[t] = winner
        widest = np.maximum.reduceat(level.width[node.candidates], node.offsets[:-1]) if width else level.width[:0]
        return _Level(value, level.scale, widest, is_relu=level.is_relu)


def _patches(network: Graph, node: Max, rows: FloatArray) -> tuple[FloatArray, NDArray[np.int64], FloatArray]:
    """Return the inputs as images and what is read of them, where windows are taken of one convolution of them."""
    first = network.nodes[under_relu(network, node)]
    if isinstance(first, Affine) and first.inputs == (0,) and isinstance(first.operators[0], Convolution):
        operator = first.operators[0]
        return rows.reshape(rows.shape[0], -1, operator.n_positions), operator.places, first.bias
    return np.empty((rows.shape[0], 0, 0)), np.empty((0, 0), dtype=np.int64), np.empty(0)


def _pieces(node: Breakpoints, level: _Level, doubt: NDArray[np.bool_], *, owned: bool) -> tuple[NDArray, _Level]:
    value = np.ascontiguousarray(level.value)
    if node.is_relu:
        from reluatlas.network.values.kernels import sure_relu

        value = value if owned else value.copy()
        piece = np.empty(value.shape, dtype=np.uint8)
        sure_relu(value, level.scale, level.width, piece, doubt)
        return piece, _Level(value, level.scale, level.width, is_relu=True)
    piece = np.zeros(value.shape, dtype=np.int64)
    error = level.scale[:, None] * level.width
    for knot in node.knots.T:
        gap, live = value - knot, np.isfinite(knot)
        piece += live & (gap > 0)
        doubt |= (live & ~(np.abs(gap) > error + np.abs(gap) * 2.0**-50)).any(axis=1)
    value = value * slopes_of(node, piece) + node.intercepts[np.arange(node.knots.shape[0]), piece]
    steepest = max(1.0, float(np.abs(node.slopes).max(initial=0.0)))
    shift = float(np.abs(node.intercepts).max(initial=0.0))
    most = np.abs(level.value).max(axis=1, initial=0.0) * steepest + shift + 2.0**-200
    scale = (level.largest() * steepest + most * 2 * EPSILON) * SLACK
    return piece, _Level(value, scale, np.ones(value.shape[1]))


def _row_sums(operator: LinearOperator) -> FloatArray:
    magnitude = mapped(operator, np.abs)
    if not coefficients(operator).size:
        return np.zeros(operator.n_out)
    return apply_operator(magnitude, np.ones((1, operator.n_in)))[0] * SLACK_LONG
