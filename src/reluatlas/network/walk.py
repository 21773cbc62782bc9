"""Which piece of each unit holds at points? One pass through the nodes, every sign certain or settled exactly."""

from __future__ import annotations

from math import prod

import numpy as np
from numpy.typing import NDArray

from reluatlas.network.exact import Dyadic, ExactPoint, IntegerArithmetic, compare, to_float
from reluatlas.network.graph import Affine, Breakpoints, FloatArray, Input, Max, Network
from reluatlas.network.maps import Choice, pull, slopes_of, varies, winners_of
from reluatlas.network.rounding import Bounded, FloatBounds, exactly, plus, scaled

_CHUNK = 2**22


class Walk:
    """The pieces and winners that points take, node by node.

    Parameters
    ----------
    rows : ndarray, shape (N, n_inputs)
    perturb : bool
        False: exact evaluation at the points themselves. True: at x + (e, e^2, ..., e^n) for infinitely small e.

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
    n_exact : int
        Number of values that were computed exactly.
    """

    def __init__(self, network: Network, rows: FloatArray, *, perturb: bool = False) -> None:
        self.n_points = rows.shape[0]
        self.choice: Choice = {}
        self.flat: Choice = {}
        self.tied = np.zeros(self.n_points, dtype=bool)
        self.on_face = np.zeros(self.n_points, dtype=bool)
        self.n_exact = 0
        self._network = network
        self._rows = rows
        self._perturb = perturb
        self._bounds = FloatBounds()
        self._integers = IntegerArithmetic()
        self._points: dict[int, ExactPoint] = {}
        done: list[Bounded] = []
        with np.errstate(all="ignore"):
            for t, node in enumerate(network.nodes[: max(network.cuts, default=-1) + 1]):
                if isinstance(node, Input):
                    done.append(exactly(rows))
                elif isinstance(node, Affine):
                    done.append(self._affine(node, done))
                elif isinstance(node, Breakpoints):
                    done.append(self._breakpoints(t, node, done[node.input]))
                else:
                    done.append(self._max(t, node, done[node.input]))

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
        if zero.any() and self._perturb:
            p, i = np.nonzero(zero)
            signs = self._directions(node.input, p, i, np.full(i.size, -1))
            piece[p, i] += signs > 0
            self.on_face[p[signs != 0]] = True
        elif zero.any():
            flat = zero & _is_abs(node)
            if flat.any():
                self.flat[t] = flat
        self.choice[t] = piece
        shift = node.intercepts[np.arange(node.knots.shape[0]), piece]
        return plus(scaled(z, slopes_of(node, piece)), shift)

    def _max(self, t: int, node: Max, z: Bounded) -> Bounded:
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
        doubt = several & (open_ & (error != 0)).any(axis=2)
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
        if several.any() and self._perturb:
            p, w = np.nonzero(several)
            best = winner[p, w]
            for c in place[1:]:
                at = np.flatnonzero(open_[p, w, c] & (best < c))
                signs = self._directions(node.input, p[at], entry[w[at], c], entry[w[at], best[at]])
                best[at[signs > 0]] = c
                self.on_face[p[at[signs != 0]]] = True
            winner[p, w] = best
        self.choice[t] = winner
        chosen = winners_of(node, winner)
        return Bounded(np.take_along_axis(z.value, chosen, axis=1), np.take_along_axis(z.error, chosen, axis=1))

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

    def _directions(self, node: int, p: NDArray, up: NDArray, down: NDArray) -> NDArray[np.int8]:
        """Return the sign of the first nonzero partial derivative of entry `up` minus entry `down` (-1: none)."""
        out = np.zeros(p.size, dtype=np.int8)
        if p.size == 0:
            return out
        points, where = np.unique(p, return_inverse=True)
        moving = varies(self._network, {t: c[points] for t, c in self.choice.items()}, node, points.size)
        asked = np.flatnonzero((moving[where, up] | ((down >= 0) & moving[where, down])) & (up != down))
        if asked.size == 0:
            return out
        # Derivatives depend on the point through its pieces alone.
        states: dict[bytes, int] = {}
        state = np.array(
            [states.setdefault(b"".join(c[q].tobytes() for c in self.choice.values()), len(states)) for q in points]
        )
        keys = np.stack([state[where[asked]], up[asked], down[asked]], axis=1)
        _, first, copies = np.unique(keys, axis=0, return_index=True, return_inverse=True)
        cases = asked[first]
        size = max(prod(n.shape) for n in self._network.nodes[: node + 1])
        step = max(1, _CHUNK // size)
        parts = [cases[i : i + step] for i in range(0, cases.size, step)]
        signs = np.concatenate([self._gradient_signs(node, p[c], up[c], down[c]) for c in parts])
        out[asked] = signs[copies.reshape(-1)]
        return out

    def _gradient_signs(self, node: int, p: NDArray, up: NDArray, down: NDArray) -> NDArray[np.int8]:
        width = prod(self._network.nodes[node].shape)
        seed = np.zeros((p.size, width))
        seed[np.arange(p.size), up] = 1.0
        minus = np.flatnonzero(down >= 0)
        seed[minus, down[minus]] = -1.0
        choice = {t: c[p] for t, c in self.choice.items()}
        gradient = pull(self._network, node, exactly(seed), choice, self._bounds)
        if gradient is None:
            return np.zeros(p.size, dtype=np.int8)
        found = (gradient.value != 0) | (gradient.error != 0)
        first = found.argmax(axis=1)[:, None]
        value = np.take_along_axis(gradient.value, first, axis=1)[:, 0]
        error = np.take_along_axis(gradient.error, first, axis=1)[:, 0]
        signs = np.sign(value).astype(np.int8)
        for i in np.flatnonzero(~((np.abs(value) > error) | (error == 0))):
            coefficients = Dyadic([int(v) for v in seed[i]], 0)
            row = pull(self._network, node, coefficients, {t: c[i] for t, c in choice.items()}, self._integers)
            number = next((v for v in row.numbers if v), 0)
            signs[i] = (number > 0) - (number < 0)
        return signs


def _is_abs(node: Breakpoints) -> NDArray[np.bool_]:
    if node.knots.shape[1] < 1:
        return np.zeros(node.knots.shape[0], dtype=bool)
    lone = (node.knots[:, 0] == 0) & ~np.isfinite(node.knots[:, 1:]).any(axis=1)
    return lone & (node.slopes[:, 0] == -1) & (node.slopes[:, 1] == 1) & ~node.intercepts[:, :2].any(axis=1)
