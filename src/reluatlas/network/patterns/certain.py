"""Which piece of each unit holds at points? One pass through the nodes, every sign certain or settled exactly."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reluatlas.deadline import look
from reluatlas.network.interpret import Choice, slopes_of, winners_of
from reluatlas.network.operators import FloatArray
from reluatlas.network.patterns.constant_regions import Background
from reluatlas.network.patterns.equal_entries import EqualValues
from reluatlas.network.patterns.perturbation import Directions
from reluatlas.network.record import Affine, Breakpoints, Graph, Input, Max
from reluatlas.network.values.bounded import Bounded, FloatBounds, exactly, plus, scaled
from reluatlas.network.values.exact import ExactPoint, IntegerArithmetic, compare, to_float


class Walk:
    """The pieces and winners that points take, node by node.

    Parameters
    ----------
    rows : ndarray, shape (N, n_inputs)
    perturb : bool
        False: exact evaluation at the points themselves. True: at x + (e, e^2, ..., e^n) for infinitely small e.
    background : Background, optional
        That of the network, when it was made before.
    bounds : FloatBounds, optional
        One that was used for the network before: it keeps what it computed of the operators.
    keep_ties : bool
        Whether to keep `at_knot` and `largest`.

    Attributes
    ----------
    choice : dict
        For each cut node, the pieces or winners (N, units).
    flat : dict
        For breakpoint nodes, units with pieces -z and z that are at zero (absent when there are none).
    tied : ndarray of bool, shape (N,)
        Whether some unit is at a knot or some window has several largest candidates.
    on_face : ndarray of bool, shape (N,)
        Whether some of these cut: they do not tie in the whole cell. Known with `perturb` only.
    at_knot : dict
        For breakpoint nodes, the units (N, units) that are at a knot: the one above their piece, without `perturb`.
    largest : dict
        For max nodes, the candidates (N, windows, places) that are exactly maximal.
    n_exact : int
        Number of values that were computed exactly.
    """

    def __init__(
        self,
        network: Graph,
        rows: FloatArray,
        *,
        perturb: bool = False,
        background: Background | None = None,
        bounds: FloatBounds | None = None,
        keep_ties: bool = False,
    ) -> None:
        self.n_points = rows.shape[0]
        self.choice: Choice = {}
        self.flat: Choice = {}
        self.at_knot: dict[int, NDArray[np.bool_]] = {}
        self.largest: dict[int, NDArray[np.bool_]] = {}
        self.tied = np.zeros(self.n_points, dtype=bool)
        self.on_face = np.zeros(self.n_points, dtype=bool)
        self.n_exact = 0
        self._network = network
        self._rows = rows
        self._perturb = perturb
        self._keep_ties = keep_ties
        self._bounds = bounds or FloatBounds()
        self._integers = IntegerArithmetic()
        self._points: dict[int, ExactPoint] = {}
        self._values: dict[int, EqualValues] = {}
        self._directions = Directions(network, self._integers)
        self._background = background or Background(network)
        self._plain = [self._background.start(rows)]
        done: list[Bounded] = []
        with np.errstate(all="ignore"):
            for t, node in enumerate(network.nodes[: max(network.cuts, default=-1) + 1]):
                look()
                if t:
                    self._plain.append(self._background.through(t, self._plain))
                if isinstance(node, Input):
                    done.append(exactly(rows))
                elif isinstance(node, Affine):
                    done.append(self._affine(node, done))
                elif isinstance(node, Breakpoints):
                    done.append(self._breakpoints(t, node, done[node.input]))
                else:
                    done.append(self._max(t, node, done))

    def _affine(self, node: Affine, done: list[Bounded]) -> Bounded:
        total = exactly(np.broadcast_to(node.bias, (self.n_points, node.bias.size)).copy())
        for source, operator in zip(node.inputs, node.operators, strict=True):
            total = plus(self._bounds.apply(operator, done[source]), total)
        return total

    def _breakpoints(self, t: int, node: Breakpoints, z: Bounded) -> Bounded:
        piece = np.zeros(z.value.shape, dtype=np.intp)
        doubt, zero = np.zeros(z.value.shape, dtype=bool), np.zeros(z.value.shape, dtype=bool)
        for knot in node.knots.T:
            gap, live = z.value - knot, np.isfinite(knot)
            sure = (np.abs(gap) > z.error) | (z.error == 0)
            piece += live & (gap > 0)
            zero |= live & sure & (gap == 0)
            doubt |= live & ~sure
        for p in np.flatnonzero(doubt.any(axis=1)).tolist():
            units = np.flatnonzero(doubt[p, :])
            for i, number in zip(units, self._exact(node.input, p, units, z), strict=True):
                signs = [compare(*number[:2], k, number[2]) for k in node.knots[i].tolist() if np.isfinite(k)]
                piece[p, i], zero[p, i] = signs.count(1), 0 in signs
        self.tied |= zero.any(axis=1)
        if self._keep_ties:
            self.at_knot[t] = zero
        if zero.any() and self._perturb:
            p, i = np.nonzero(zero)
            signs = self._directions.signs(node.input, p, i, np.full(i.size, -1), self.choice)
            piece[p, i] += signs > 0
            self.on_face[p[signs != 0]] = True
        elif zero.any():
            flat = zero & _is_abs(node)
            if flat.any():
                self.flat[t] = flat
        self.choice[t] = piece
        shift = node.intercepts[np.arange(node.knots.shape[0]), piece]
        return plus(scaled(z, slopes_of(node, piece)), shift)

    def _max(self, t: int, node: Max, done: list[Bounded]) -> Bounded:
        z = done[node.input]
        widths = node.offsets[1:] - node.offsets[:-1]
        place = np.arange(int(widths.max(initial=1)))
        real = place < widths[:, None]
        entry = node.candidates[np.where(real, node.offsets[:-1, None] + place, node.offsets[:-1, None])]
        value, error = np.where(real, z.value[:, entry], -np.inf), z.error[:, entry]
        top = value.argmax(axis=2)[:, :, None]
        ahead = np.take_along_axis(value, top, axis=2) - value
        top_error = np.take_along_axis(error, top, axis=2)
        # Candidates that may be the largest; where their bounds are zero, those that are.
        open_ = real & ~(ahead > top_error + error)
        several = open_.sum(axis=2) > 1
        doubt = several & (open_ & (error != 0)).any(axis=2) & ~self._alike(node.input, entry, open_)
        if self._background.classes[node.input] is not None:
            for p in np.flatnonzero(doubt.any(axis=1)).tolist():
                doubt[p] &= ~self._equal(node.input, p, entry, open_[p], done)
        for p in np.flatnonzero(doubt.any(axis=1)).tolist():
            windows = np.flatnonzero(doubt[p])
            entries = np.unique(entry[windows][open_[p, windows]])
            known = dict(zip(entries.tolist(), self._exact(node.input, p, entries, z), strict=True))
            lowest = min(exponent for _, exponent, _ in known.values())
            whole = {j: number << (exponent - lowest) for j, (number, exponent, _) in known.items()}
            for w in windows:
                places = np.flatnonzero(open_[p, w])
                largest = max(whole[j] for j in entry[w, places].tolist())
                open_[p, w, places] = [whole[j] == largest for j in entry[w, places].tolist()]
        winner = open_.argmax(axis=2)
        several = open_.sum(axis=2) > 1
        self.tied |= several.any(axis=1)
        if self._keep_ties:
            self.largest[t] = open_
        if several.any() and self._perturb:
            p, w = np.nonzero(several)
            best = winner[p, w]
            for c in place[1:]:
                at = np.flatnonzero(open_[p, w, c] & (best < c))
                down = entry[w[at], best[at]]
                signs = self._directions.signs(node.input, p[at], entry[w[at], c], down, self.choice)
                best[at[signs > 0]] = c
                self.on_face[p[at[signs != 0]]] = True
            winner[p, w] = best
        self.choice[t] = winner
        chosen = winners_of(node, winner)
        return Bounded(np.take_along_axis(z.value, chosen, axis=1), np.take_along_axis(z.error, chosen, axis=1))

    def _alike(self, node: int, entry: NDArray, open_: NDArray[np.bool_]) -> NDArray[np.bool_]:
        # Windows whose open candidates are background of one class: they are equal.
        classes, plain = self._background.classes[node], self._plain[node]
        if classes is None or plain is None:
            return np.zeros(open_.shape[:2], dtype=bool)
        here = plain[:, entry % self._background.positions[node]]
        kind = classes[entry]
        first = np.take_along_axis(np.broadcast_to(kind, open_.shape), open_.argmax(axis=2)[:, :, None], axis=2)
        return (~open_ | (here & (kind == first))).all(axis=2)

    def _equal(
        self, node: int, p: int, entry: NDArray, open_: NDArray[np.bool_], done: list[Bounded]
    ) -> NDArray[np.bool_]:
        # Windows of point p whose open candidates are known to be one number.
        if p not in self._values:
            self._values[p] = self._background.values(done, self.choice, p)
        label = self._values[p].labels(node)[entry]
        first = np.take_along_axis(label, open_.argmax(axis=1)[:, None], axis=1)
        return (~open_ | (label == first)).all(axis=1)

    def _exact(self, node: int, p: int, entries: NDArray, z: Bounded) -> list[tuple[int, int, int]]:
        # Exact values as (integer, exponent, denominator); they also replace the float ones, which ends the doubt
        # for later nodes.
        if p not in self._points:
            self._points[p] = ExactPoint(self._network, self._integers, self._rows[p], self.choice, p)
        numbers = self._points[p].entries(node, entries.tolist())
        self.n_exact += len(numbers)
        for i, number in zip(entries, numbers, strict=True):
            z.value[p, i], z.error[p, i] = to_float(*number)
        return numbers


def _is_abs(node: Breakpoints) -> NDArray[np.bool_]:
    if node.knots.shape[1] < 1:
        return np.zeros(node.knots.shape[0], dtype=bool)
    lone = (node.knots[:, 0] == 0) & ~np.isfinite(node.knots[:, 1:]).any(axis=1)
    return lone & (node.slopes[:, 0] == -1) & (node.slopes[:, 1] == 1) & ~node.intercepts[:, :2].any(axis=1)
