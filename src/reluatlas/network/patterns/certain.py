"""Which piece of each unit holds at points? One pass through the nodes, every sign certain or settled exactly."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reluatlas.arithmetic.bounded import Bounded, exactly
from reluatlas.arithmetic.rationals import compare, to_float
from reluatlas.network.interpret import Choice, Done, walk
from reluatlas.network.patterns.constant_regions import Background
from reluatlas.network.patterns.equal_entries import EqualValues
from reluatlas.network.patterns.tie_breaking import Directions
from reluatlas.network.record import Affine, Breakpoints, Graph, Max
from reluatlas.network.values.bounded import FloatBounds, bent, chosen
from reluatlas.network.values.exact import ExactPoint, IntegerArithmetic
from reluatlas.typing import FloatArray


class Walk:
    """The pieces and winners that points take, node by node: an algebra of `reluatlas.network.interpret`.

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
        Whether to keep `at_knot`, `largest` and `cutting`.

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
    cutting : dict
        With `perturb`, for each cut node the units (N, units) at a knot, or with several largest candidates, that do
        not tie in the whole cell: those whose zero sets the point lies on.
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
        self.cutting: dict[int, NDArray[np.bool_]] = {}
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
        last = max(network.cuts, default=-1)
        self._plain = self._background.everywhere(rows, last)
        with np.errstate(all="ignore"):
            walk(network, exactly(rows), self, upto=last)

    def affine(self, t: int, node: Affine, done: Done[Bounded]) -> Bounded:
        """Return the values of an affine node."""
        return self._bounds.affine(node, done, self.n_points)

    def breakpoints(self, t: int, node: Breakpoints, done: Done[Bounded]) -> Bounded:
        """Decide the pieces of units; return their values."""
        z = done[node.input]
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
            self._cut(t, zero.shape, p[signs != 0], i[signs != 0])
        elif zero.any():
            flat = zero & _is_abs(node)
            if flat.any():
                self.flat[t] = flat
        self.choice[t] = piece
        return bent(node, piece, z)

    def max(self, t: int, node: Max, done: Done[Bounded]) -> Bounded:
        """Decide the winners of windows; return their values."""
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
                self._cut(t, winner.shape, p[at[signs != 0]], w[at[signs != 0]])
            winner[p, w] = best
        self.choice[t] = winner
        return chosen(node, winner, z)

    def _cut(self, t: int, shape: tuple[int, ...], p: NDArray, unit: NDArray) -> None:
        # Units of points, on whose zero sets they lie.
        self.on_face[p] = True
        if self._keep_ties:
            self.cutting.setdefault(t, np.zeros(shape, dtype=bool))[p, unit] = True

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
        self, node: int, p: int, entry: NDArray, open_: NDArray[np.bool_], done: Done[Bounded]
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
