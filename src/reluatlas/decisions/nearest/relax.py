"""What is an entry of a tensor at most, near a point and behind cuts? An affine function of the input.

Backward from the entry to the input: a unit that may change is replaced by a line above or below it, as the sign of
its factor asks for (linear relaxation, [ZhangEtAl2018]). Rounding goes into the constant: each product is off by a
share of the size of what it multiplies, and sizes of all tensors near the point are known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import NamedTuple

import numpy as np

from reluatlas.arithmetic.constants import UNIT_ROUNDOFF
from reluatlas.deadline import look
from reluatlas.decisions.nearest.ball import Around
from reluatlas.network.interpret import Choice, sources
from reluatlas.network.maps.compose import FloatRows
from reluatlas.network.operators import apply_operator, mapped
from reluatlas.network.record import Affine, Breakpoints, Graph, Input, Max
from reluatlas.stable.enclosure import TINY
from reluatlas.typing import FloatArray, IntArray

_NUMBERS = 2**22
_SAFE = 1.0 + 1e-9
Bounds = dict[int, tuple[FloatArray, FloatArray]]
"""For each cut node: least and largest values of the entries that it reads."""


class Cut(NamedTuple):
    """A unit on one side of a knot (sign 1: above), or a window with a winner (the position of its candidate)."""

    node: int
    unit: int
    sign: int
    knot: float
    winner: int = -1


class Rows(NamedTuple):
    """Affine functions `at + W . d` of steps d: what entries are at most."""

    W: FloatArray
    at: FloatArray


@dataclass(frozen=True, eq=False)
class Part:
    """Where cuts hold, at most `radius` from the point: what is known of all units there.

    Attributes
    ----------
    cuts : tuple of Cut
    radius : float
    bounds : dict
    """

    cuts: tuple[Cut, ...]
    radius: float
    bounds: Bounds


class _Lines(NamedTuple):
    """Lines `slope z + shift` above and below units, and how far each is off at most."""

    slope_above: FloatArray
    shift_above: FloatArray
    slope_below: FloatArray
    shift_below: FloatArray
    gap_above: FloatArray
    gap_below: FloatArray


class Relaxed:
    """Relaxations of one network around one point."""

    def __init__(self, network: Graph, around: Around) -> None:
        self._network, self._around = network, around
        self._depends, self._made_of = _cuts_before(network)
        self._sizes: list[FloatArray] = []
        self._spread: dict[int, FloatArray] = {}
        self._plain: dict[int, Rows] = {}
        self._sized_for = -1.0

    def size(self, radius: float) -> None:
        """Bound all tensors at most `radius` from the point; before anything else is asked."""
        if radius == self._sized_for:
            return
        if radius > self._sized_for:
            self._plain = {}  # what is rounded grows with the sizes
        up, down = self._around.room(radius)
        sizes: list[FloatArray] = [(np.abs(self._around.x) + np.maximum(up, down)) * _SAFE]
        self._spread = {}
        for t, node in enumerate(self._network.nodes[1:], start=1):
            if isinstance(node, Affine):
                total = np.abs(node.bias)
                for source, operator in zip(node.inputs, node.operators, strict=True):
                    total = total + apply_operator(mapped(operator, np.abs), sizes[source][None])[0]
                self._spread[t] = total * _SAFE + TINY
                sizes.append(self._spread[t])
            elif isinstance(node, Breakpoints):
                made = np.abs(node.slopes).max(axis=1) * sizes[node.input] + np.abs(node.intercepts).max(axis=1)
                sizes.append(made * _SAFE)
            elif isinstance(node, Max):
                sizes.append(np.maximum.reduceat(sizes[node.input][node.candidates], node.offsets[:-1]))
        self._sizes, self._sized_for = sizes, radius

    def whole(self, radius: float) -> Part:
        """Return what is known at most `radius` from the point, without cuts."""
        self.size(radius)
        return self._refined(Part((), radius, {}), set(self._network.cuts))  # type: ignore[return-value]

    def behind(self, part: Part, cuts: Sequence[Cut]) -> Part | None:
        """Return the part of a part where more cuts hold; None where they certainly hold nowhere."""
        bounds = dict(part.bounds)
        changed = set()
        for cut in cuts:
            changed.add(cut.node)
            if cut.winner < 0:
                low, high = (side.copy() for side in bounds[cut.node])
                (low if cut.sign > 0 else high)[cut.unit] = (
                    max(low[cut.unit], cut.knot) if cut.sign > 0 else min(high[cut.unit], cut.knot)
                )
                if low[cut.unit] > high[cut.unit]:
                    return None
                bounds[cut.node] = low, high
        made = Part((*part.cuts, *cuts), part.radius, bounds)
        later = {t for t in self._network.cuts if self._depends[t] & changed}
        return self._refined(made, later)

    def _refined(self, part: Part, which: set[int]) -> Part | None:
        self.size(part.radius)
        bounds = dict(part.bounds)
        here = Part(part.cuts, part.radius, bounds)
        for t in self._network.cuts:
            if t not in which:
                continue
            node = self._network.nodes[t]
            assert isinstance(node, Breakpoints | Max)
            n = prod(self._network.nodes[node.input].shape)
            if t in bounds:
                low, high = (side.copy() for side in bounds[t])
                asked = self._open_entries(here, t, node)
            else:
                low, high = np.full(n, -np.inf), np.full(n, np.inf)
                asked = np.arange(n) if isinstance(node, Breakpoints) else np.unique(node.candidates)
            if asked.size:
                top, bottom = self._range(here, node.input, asked)
                high[asked], low[asked] = np.minimum(high[asked], top), np.maximum(low[asked], bottom)
            if np.any(low > high):
                return None
            bounds[t] = low, high
        return here

    def _open_entries(self, part: Part, t: int, node: Breakpoints | Max) -> IntArray:
        units = self.open_units(part, t)
        if isinstance(node, Breakpoints):
            return units
        return np.unique(np.concatenate([np.zeros(0, np.int64), *(self._candidates(part, t, node, w) for w in units)]))

    def _range(self, part: Part, t: int, entries: IntArray) -> tuple[FloatArray, FloatArray]:
        n = prod(self._network.nodes[t].shape)
        top, bottom = np.empty(entries.size), np.empty(entries.size)
        widest = max(prod(node.shape) for node in self._network.nodes)
        if not self._made_of[t] and n * self._around.x.size <= 4 * _NUMBERS:
            if t not in self._plain:
                self._plain[t] = self.above(part, t, np.eye(n))
            rows = self._plain[t]
            W, at = rows.W[entries], rows.at[entries]
            # the rounding of an affine function is on both sides
            off = 2.0 * self._error(t, entries)
            return at + self._around.rise(W, part.radius), at - self._around.rise(-W, part.radius) - off
        step = max(1, _NUMBERS // (2 * widest))
        for start in range(0, entries.size, step):
            look()
            some = entries[start : start + step]
            seed = np.zeros((2 * some.size, n))
            seed[np.arange(some.size), some], seed[some.size + np.arange(some.size), some] = 1.0, -1.0
            rows = self.above(part, t, seed)
            most = rows.at + self._around.rise(rows.W, part.radius)
            top[start : start + step], bottom[start : start + step] = most[: some.size], -most[some.size :]
        return top, bottom

    def _error(self, t: int, entries: IntArray) -> FloatArray:
        """Return a bound on all rounding of an entry that no cut comes before."""
        total = sum(prod(node.shape) for node in self._network.nodes[: t + 1]) + 64 * (len(self._network.nodes) + 2)
        return total * 4.0 * UNIT_ROUNDOFF * self._sizes[t][entries] + TINY

    def candidates_of(self, part: Part, t: int, window: int) -> IntArray:
        """Return the positions, in a window, of candidates that may win."""
        node = self._network.nodes[t]
        assert isinstance(node, Max)
        run = node.candidates[node.offsets[window] : node.offsets[window + 1]]
        for cut in part.cuts:
            if cut.node == t and cut.unit == window:
                return np.array([cut.winner])
        low, high = part.bounds[t]
        best = int(low[run].argmax())
        able = high[run] > low[run].max()
        able[best] = True
        _, first = np.unique(run, return_index=True)  # the same entry twice
        once = np.zeros(run.size, dtype=bool)
        once[first] = True
        once[best] = True
        return np.flatnonzero(able & once)

    def _candidates(self, part: Part, t: int, node: Max, window: int) -> IntArray:
        run = node.candidates[node.offsets[window] : node.offsets[window + 1]]
        return run[self.candidates_of(part, t, window)]

    def pieces(self, part: Part, t: int) -> tuple[IntArray, IntArray]:
        """Return the first and the last piece that each unit's function needs there."""
        node = self._network.nodes[t]
        assert isinstance(node, Breakpoints)
        low, high = part.bounds[t]
        last = (high[:, None] > node.knots).sum(axis=1)
        return np.minimum((low[:, None] >= node.knots).sum(axis=1), last), last

    def open_units(self, part: Part, t: int) -> IntArray:
        """Return the units, or the windows, of a cut node that may change there."""
        node = self._network.nodes[t]
        if isinstance(node, Breakpoints):
            first, last = self.pieces(part, t)
            return np.flatnonzero(first < last)
        assert isinstance(node, Max)
        return np.array([w for w in range(node.n_windows) if self.candidates_of(part, t, w).size > 1], dtype=np.int64)

    def above(self, part: Part, t: int, rows: FloatArray, blame: dict[int, FloatArray] | None = None) -> Rows:
        """Return affine functions that sums (q, n) of a node's entries are at most.

        With `blame`, what each unit that may change adds to the first of them at most is put there, by cut node.
        """
        network, carried = self._network, FloatRows(1, rows.shape[0])
        waiting: dict[int, FloatArray] = {t: rows}
        constant, error = np.zeros(rows.shape[0]), np.zeros(rows.shape[0])
        full = np.zeros((rows.shape[0], network.n_inputs))

        def send(source: int, made: FloatArray) -> None:
            waiting[source] = waiting[source] + made if source in waiting else made

        for s in range(t, -1, -1):
            if s not in waiting:
                continue
            look()
            A, node = waiting.pop(s), network.nodes[s]
            size = np.abs(A)
            share = (A.shape[1] + 16) * 2.0 * UNIT_ROUNDOFF
            if isinstance(node, Input):
                full = A
            elif isinstance(node, Affine):
                constant = constant + A @ node.bias
                error = error + share * (size @ self._spread[s])
                for source, operator in zip(node.inputs, node.operators, strict=True):
                    send(source, carried.adjoint(operator, A[None])[0])
            elif isinstance(node, Breakpoints):
                lines = self._lines(part, s, node)
                plus, minus = np.maximum(A, 0.0), np.minimum(A, 0.0)
                constant = constant + plus @ lines.shift_above + minus @ lines.shift_below
                steep = np.maximum(np.abs(lines.slope_above), np.abs(lines.slope_below)) * self._sizes[node.input]
                shifts = np.maximum(np.abs(lines.shift_above), np.abs(lines.shift_below))
                error = error + share * (size @ (steep + shifts))
                if blame is not None:
                    blame[s] = plus[0] * lines.gap_above - minus[0] * lines.gap_below
                send(node.input, plus * lines.slope_above + minus * lines.slope_below)
            else:
                made, add = self._windows(part, s, node, A, blame)
                constant = constant + add
                error = error + share * (size @ self._sizes[s])
                send(node.input, made)
        x = self._around.x
        share = (x.size + len(network.nodes) + 16) * 2.0 * UNIT_ROUNDOFF
        error = error + share * (np.abs(full) @ self._sizes[0] + np.abs(constant))
        return Rows(full, (full @ x + constant) + error * _SAFE + TINY)

    def _windows(
        self, part: Part, t: int, node: Max, A: FloatArray, blame: dict[int, FloatArray] | None
    ) -> tuple[FloatArray, FloatArray]:
        low, high = part.bounds[t]
        out = np.zeros((A.shape[0], low.size))
        add = np.zeros(A.shape[0])
        gaps = np.zeros(node.n_windows)
        for w in range(node.n_windows):
            held = self._candidates(part, t, node, w)
            a = A[:, w]
            if held.size == 1:
                out[:, held[0]] += a
                continue
            lead = held[int(low[held].argmax())]
            plus, minus = np.maximum(a, 0.0), np.minimum(a, 0.0)
            top = float(high[held].max())
            out[:, lead] += minus
            add += plus * top
            gaps[w] = np.abs(a[0]) * (top - float(low[held].max()))
        if blame is not None:
            blame[t] = gaps
        return out, add

    def _lines(self, part: Part, t: int, node: Breakpoints) -> _Lines:
        low, high = part.bounds[t]
        first, last = self.pieces(part, t)
        unit = np.arange(low.size)
        slope, shift = node.slopes[unit, first], node.intercepts[unit, first]
        if node.is_relu:
            return _relu_lines(low, high, first, last)
        zero = np.zeros(low.size)
        out = _Lines(slope.copy(), shift.copy(), slope.copy(), shift.copy(), zero.copy(), zero.copy())
        bent = np.flatnonzero(first < last)
        if not bent.size:
            return out
        lo, hi, knots = low[bent], high[bent], node.knots[bent]
        slopes, shifts = node.slopes[bent], node.intercepts[bent]
        ends = np.column_stack([lo, np.clip(knots, lo[:, None], hi[:, None]), hi])
        row = np.arange(bent.size)
        place = np.column_stack(
            [
                first[bent],
                *(np.clip(p + 0 * first[bent], first[bent], last[bent]) for p in range(knots.shape[1])),
                last[bent],
            ]
        )
        own, moved = np.take_along_axis(slopes, place, axis=1), np.take_along_axis(shifts, place, axis=1)
        values = own * ends + moved
        off = 4.0 * UNIT_ROUNDOFF * (np.abs(own * ends) + np.abs(moved))
        with np.errstate(all="ignore"):
            chord = (values[:, -1] - values[:, 0]) / (hi - lo)
        chord = np.where(np.isfinite(chord), chord, 0.0)
        middle = 0.5 * (lo + hi)
        for sign, s_at, c_at, g_at in ((1.0, 0, 1, 4), (-1.0, 2, 3, 5)):
            best = None
            for s in (chord, slopes[row, first[bent]], slopes[row, last[bent]]):
                gap = sign * values - sign * s[:, None] * ends
                err = off + 4.0 * UNIT_ROUNDOFF * (np.abs(values) + np.abs(s[:, None] * ends)) + TINY
                c = (gap + err).max(axis=1)
                far = (c[:, None] - gap).max(axis=1)
                score = sign * s * middle + c
                if best is None:
                    best = [s.copy(), c, far, score]
                else:
                    better = score < best[3]
                    for k, new in enumerate((s, c, far, score)):
                        best[k] = np.where(better, new, best[k])
            assert best is not None
            out[s_at][bent], out[c_at][bent], out[g_at][bent] = best[0], sign * best[1], best[2]
        return out

    def demands(self, part: Part) -> Rows:
        """Return what is at least 0 where the cuts of a part hold: affine functions that are at most too large."""
        by_node: dict[int, list[Cut]] = {}
        for cut in part.cuts:
            by_node.setdefault(cut.node, []).append(cut)
        found = []
        for t, cuts in by_node.items():
            node = self._network.nodes[t]
            assert isinstance(node, Breakpoints | Max)
            n = prod(self._network.nodes[node.input].shape)
            seeds, shifts = demand_rows(node, n, cuts)
            rows = self.above(part, node.input, seeds)
            sizes = np.abs(rows.at) + np.abs(shifts)
            found.append(Rows(rows.W, rows.at + shifts + 4.0 * UNIT_ROUNDOFF * sizes))
        k = self._around.x.size
        return Rows(
            np.concatenate([np.zeros((0, k)), *(f.W for f in found)]),
            np.concatenate([np.zeros(0), *(f.at for f in found)]),
        )

    def choice(self, part: Part) -> Choice:
        """Return the pieces and winners of a part on which no unit may change."""
        out: Choice = {}
        for t in self._network.cuts:
            node = self._network.nodes[t]
            if isinstance(node, Breakpoints):
                out[t] = self.pieces(part, t)[0].astype(np.int64)
            else:
                assert isinstance(node, Max)
                out[t] = np.array([self.candidates_of(part, t, w)[0] for w in range(node.n_windows)], dtype=np.int64)
        return out


def _relu_lines(low: FloatArray, high: FloatArray, first: IntArray, last: IntArray) -> _Lines:
    """Return the lines of ReLUs: the chord above; zero or the identity below, whichever is off by less."""
    bent = first < last
    piece = first.astype(np.float64)
    lo, hi = np.where(bent, low, -1.0), np.where(bent, high, 1.0)
    chord = hi / (hi - lo)
    # at both ends the line is not below the ReLU, whatever the slope was rounded to
    ends = np.maximum(hi - chord * hi, -chord * lo)
    shift = (ends + 8.0 * UNIT_ROUNDOFF * (np.abs(hi) + np.abs(chord * lo))) + TINY
    is_on = hi > -lo
    off = np.zeros(low.size)
    return _Lines(
        np.where(bent, chord, piece), np.where(bent, shift, off), np.where(bent, is_on, piece).astype(np.float64), off,
        np.where(bent, shift, off), np.where(bent, np.minimum(hi, -lo), off),
    )  # fmt: skip


def demand_rows(node: Breakpoints | Max, n: int, cuts: Sequence[Cut]) -> tuple[FloatArray, FloatArray]:
    """Return sums (q, n) of entries and shifts (q,): together at least 0 where cuts of one node hold."""
    seeds: list[FloatArray] = []
    shifts: list[float] = []
    for cut in cuts:
        if isinstance(node, Breakpoints):
            row = np.zeros(n)
            row[cut.unit] = cut.sign
            seeds.append(row)
            shifts.append(-cut.sign * cut.knot)
        else:
            run = node.candidates[node.offsets[cut.unit] : node.offsets[cut.unit + 1]]
            for other in sorted(set(run.tolist()) - {int(run[cut.winner])}):
                row = np.zeros(n)
                row[run[cut.winner]], row[other] = 1.0, -1.0
                seeds.append(row)
                shifts.append(0.0)
    return np.array(seeds).reshape(-1, n), np.array(shifts)


def _cuts_before(network: Graph) -> tuple[list[set[int]], list[set[int]]]:
    """Return, for each node, the cut nodes that what it reads depends on, and those that its tensor depends on."""
    made: list[set[int]] = []
    reads: list[set[int]] = []
    for t, node in enumerate(network.nodes):
        before: set[int] = set()
        for source in sources(node):
            before |= made[source]
        reads.append(before)
        made.append(before | ({t} if isinstance(node, Breakpoints | Max) else set()))
    return reads, made
