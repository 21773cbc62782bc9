"""Is another class larger arbitrarily near a point at which it ties, or does it merely touch? Decided exactly.

In a direction d the network goes on as one affine function for a while: a unit at a knot takes the piece that its
derivative along d leads to. So a direction of the domain along which the margin rises settles it; in few coordinates
all of them are looked at, piece by piece.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import prod
from typing import Any

import numpy as np

from reluatlas.arithmetic.rationals import ExactVector, over_one
from reluatlas.deadline import look
from reluatlas.decisions.nearest.exactly import FEW, ratios
from reluatlas.decisions.nearest.targets import Target
from reluatlas.geometry.programs.exact import maximize
from reluatlas.network.interpret import Choice, Done, through
from reluatlas.network.record import Affine, Breakpoints, Graph, Max
from reluatlas.network.values.exact import IntegerArithmetic, pieces_at
from reluatlas.network.values.exact_rows import exact_affine
from reluatlas.typing import FloatArray

_MOST_TIES = 14


def crosses(
    network: Graph, point: Sequence[Fraction], target: Target, low: FloatArray, high: FloatArray,
    tries: Sequence[Sequence[Fraction]] = (),
) -> bool | None:  # fmt: skip
    """Return whether the margin of a target is positive arbitrarily near a point where it is 0; None when undecided.

    Parameters
    ----------
    network : Graph
        Of the domain's coordinates.
    point : sequence of Fraction
    low, high : ndarray, shape (k,)
        Of the domain.
    tries : sequence of points
        Of the domain; directions towards them are tried first.
    """
    values, _ = _along(network, point, [Fraction(0)] * len(point))
    if target.margin(values) > 0:
        return True
    able_up = [not np.isfinite(b) or v < Fraction(b) for v, b in zip(point, high.tolist(), strict=True)]
    able_down = [not np.isfinite(b) or v > Fraction(b) for v, b in zip(point, low.tolist(), strict=True)]
    for other in tries:
        step = [b - a for a, b in zip(point, other, strict=True)]
        if _rise(network, point, step, target) > 0:
            return True
    local = _Local(network, point, target, able_up, able_down)
    for way in local.ways():
        if _rise(network, point, way, target) > 0:
            return True
    if not local.n_ties:
        return False  # one affine function all around, and the way up of each coordinate was tried
    if len(point) > FEW or local.n_ties > _MOST_TIES:
        return None
    return local.rises()


def _rise(network: Graph, point: Sequence[Fraction], step: Sequence[Fraction], target: Target) -> Fraction:
    _, rates = _along(network, point, step)
    return sum((rates[j] * f for j, f in target.factors.items()), Fraction(0))


def _along(
    network: Graph, point: Sequence[Fraction], step: Sequence[Fraction]
) -> tuple[list[Fraction], list[Fraction]]:
    """Return the outputs at a point, and their derivatives in a direction."""
    algebra = _Directional()
    done: list[tuple[ExactVector, ExactVector]] = [(over_one(point), over_one(step))]
    for t, node in enumerate(network.nodes[1:], start=1):
        look()
        done.append(through(algebra, t, node, done))
    value, rate = done[network.output]
    return value.fractions, rate.fractions


Dual = tuple[ExactVector, ExactVector]


class _Directional:
    """Values and derivatives in one direction, exactly: an algebra of a walk."""

    def __init__(self) -> None:
        self._arithmetic = IntegerArithmetic()

    def affine(self, t: int, node: Affine, done: Done[Dual]) -> Dual:
        add, apply = self._arithmetic.add, self._arithmetic.apply
        value = over_one(node.bias)
        rate = ExactVector([0] * node.bias.size)
        for source, operator in zip(node.inputs, node.operators, strict=True):
            value = add(value, apply(operator, done[source][0]))
            rate = add(rate, apply(operator, done[source][1]))
        return value, rate

    def breakpoints(self, t: int, node: Breakpoints, done: Done[Dual]) -> Dual:
        value, rate = done[node.input]
        piece = pieces_at(node, value)
        for i, knots in _tied(node, value).items():
            # a knot is counted where it is strictly below; moving up, it soon is
            piece[i] += sum(knots) if rate.numbers[i] > 0 else 0
        unit = np.arange(piece.size)
        slope, shift = node.slopes[unit, piece], node.intercepts[unit, piece]
        scale = self._arithmetic.scale
        return self._arithmetic.add(scale(value, slope), over_one(shift)), scale(rate, slope)

    def max(self, t: int, node: Max, done: Done[Dual]) -> Dual:
        value, rate = done[node.input]
        chosen = []
        for window in np.split(node.candidates, node.offsets[1:-1]):
            run = window.tolist()
            top = max(value.numbers[j] for j in run)
            chosen.append(max((j for j in run if value.numbers[j] == top), key=lambda j: rate.numbers[j]))
        return (
            value._replace(numbers=[value.numbers[j] for j in chosen]),
            rate._replace(numbers=[rate.numbers[j] for j in chosen]),
        )


def _tied(node: Breakpoints, value: ExactVector) -> dict[int, list[int]]:
    """Return, for units exactly at a knot, a list with a 1 for it."""
    if node.is_relu:
        return {i: [1] for i, v in enumerate(value.numbers) if v == 0}
    out = {}
    for i, (v, row) in enumerate(zip(value.fractions, node.knots.tolist(), strict=True)):
        at = [1 for knot in row if v == knot]
        if at:
            out[i] = at
    return out


class _Local:
    """The network around one point: which units tie there, and the linear functions of steps that they become."""

    def __init__(
        self, network: Graph, point: Sequence[Fraction], target: Target, able_up: list[bool], able_down: list[bool]
    ) -> None:
        self._network, self._target = network, target
        self._up, self._down, self._k = able_up, able_down, len(point)
        self._arithmetic = IntegerArithmetic()
        self._choice: Choice = {}
        self._ties: list[tuple[int, int, list[int]]] = []
        values: list[Any] = [over_one(point)]
        plain = _Directional()
        duals: list[Dual] = [(values[0], ExactVector([0] * len(point)))]
        for t, node in enumerate(network.nodes[1:], start=1):
            duals.append(through(plain, t, node, duals))
            if isinstance(node, Breakpoints):
                here = duals[node.input][0]
                self._choice[t] = pieces_at(node, here)
                for i in _tied(node, here):
                    low = int(self._choice[t][i])
                    self._ties.append((t, i, [low, low + 1]))
            elif isinstance(node, Max):
                here = duals[node.input][0]
                self._choice[t] = pieces_at(node, here)
                for w, window in enumerate(np.split(node.candidates, node.offsets[1:-1])):
                    run = window.tolist()
                    top = max(here.numbers[j] for j in run)
                    first = {j: c for c, j in reversed(list(enumerate(run))) if here.numbers[j] == top}
                    if len(first) > 1:
                        self._ties.append((t, w, sorted(first.values())))
        self.n_ties = len(self._ties)

    def ways(self) -> list[list[Fraction]]:
        """Return directions in which the margin may rise: its own way up, on the pieces at the point."""
        row = self._margin(self._choice)
        way = [
            Fraction(int(v.p), int(v.q)) if (v > 0 and up) or (v < 0 and down) else Fraction(0)
            for v, up, down in zip(row, self._up, self._down, strict=True)
        ]
        return [way] if any(way) else []

    def _margin(self, choice: Choice) -> list[Any]:
        form = exact_affine(self._network, self._network.output, self._target.factors, choice, self._arithmetic)
        return ratios(form.row)

    def rises(self) -> bool:
        """Return whether the margin rises in some direction of the domain, over all pieces around the point."""
        from flint import fmpq

        rows: list[list[Any]] = []
        for j in range(self._k):
            for sign, able in ((1, self._up[j]), (-1, self._down[j])):
                rows.append([fmpq(sign * int(i == j)) for i in range(self._k)] + [fmpq(int(able))])
        return self._look(0, rows, {t: c.copy() for t, c in self._choice.items()})

    def _look(self, at: int, rows: list[list[Any]], choice: Choice) -> bool:
        look()
        if at == len(self._ties):
            answer = maximize(rows, self._margin(choice))
            value = sum((a * b for a, b in zip(self._margin(choice), answer.point, strict=True)), answer.point[0] * 0)
            return bool(value > 0)
        t, unit, options = self._ties[at]
        node = self._network.nodes[t]
        assert isinstance(node, Breakpoints | Max)
        n = prod(self._network.nodes[node.input].shape)
        for option in options:
            made = {s: c.copy() for s, c in choice.items()}
            made[t][unit] = option
            more = []
            if isinstance(node, Breakpoints):
                sign = 1 if option == options[0] else -1  # below the knot, or above it
                more.append(self._row(node.input, {unit: sign}, choice))
            else:
                run = node.candidates[node.offsets[unit] : node.offsets[unit + 1]].tolist()
                for other in options:
                    if other != option:
                        more.append(self._row(node.input, {run[other]: 1, run[option]: -1}, choice))
            assert n
            if self._look(at + 1, [*rows, *more], made):
                return True
        return False

    def _row(self, node: int, factors: dict[int, int], choice: Choice) -> list[Any]:
        """Return `factors . step <= 0` as a row."""
        from flint import fmpq

        form = exact_affine(self._network, node, factors, choice, self._arithmetic)
        return [*ratios(form.row), fmpq(0)]
