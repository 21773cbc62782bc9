"""Which inequalities does a pattern demand? One row for each knot beside a piece, and for each losing candidate.

Rows are composed along the pattern in float64 with error bounds; a row that its error could change much is
computed exactly, as is everything that is later in doubt.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import prod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reluatlas.arithmetic.bounded import Bounded, exactly, plus, scaled, take
from reluatlas.arithmetic.constants import EPSILON, SMALLEST
from reluatlas.arithmetic.rationals import Coordinates, WholeRow, nearest
from reluatlas.cells.chart import Chart
from reluatlas.deadline import look
from reluatlas.geometry.halfspaces.system import System
from reluatlas.memory import require_memory
from reluatlas.network.batches import one_blas_thread
from reluatlas.network.interpret import Done, slopes_of, walk, winners_of
from reluatlas.network.network import Affine, Breakpoints, Dense, Max, Network
from reluatlas.network.operators import Gather, apply_operator
from reluatlas.network.values.bounded import AlongPieces, FloatBounds
from reluatlas.network.values.exact_rows import exact_affine

_FAIR = 1e-10
_SMALL, _LARGE = 1e-150, 1e150  # rows of other lengths are taken exactly, and scaled by a power of two


class RowOf(NamedTuple):
    """What a row belongs to.

    Attributes
    ----------
    node : int
        The cut node in `Chart.inner`.
    unit : int
    which : int
        The knot of a neuron, or the losing candidate of a window, by position.
    side : int
        Of a neuron's row: 1 when it is at most the knot, -1 when at least; 0 for a window.
    """

    node: int
    unit: int
    which: int
    side: int


@dataclass(eq=False)
class CellRows:
    """The rows of one pattern, as a system in the coordinates of its chart.

    Attributes
    ----------
    system : System
    owner : list of RowOf or tuple
        What each constraint belongs to; `(j, side)` for a bound of the domain: side -1 lower, 1 upper.
    ties : dict
        For each cut node, (unit, knot or candidate) that vanish on the whole cell.
    units : dict
        See `unit_of`; 1 where there is none.
    """

    system: System
    owner: dict[int, RowOf | tuple[int, int]]
    ties: dict[int, list[tuple[int, int]]]
    units: dict[int, Fraction]

    def unit_of(self, c: int) -> Fraction:
        """Return what the exact row of a unit was multiplied by to be constraint `c` of the system."""
        return self.units.get(c, Fraction(1))


class Composer:
    """Composes the rows of a pattern.

    Parameters
    ----------
    chart : Chart
    pattern : ndarray, shape (units,)
    """

    def __init__(self, chart: Chart, pattern: NDArray[np.integer]) -> None:
        self.chart = chart
        self.network = chart.inner
        self.choice = chart.choice(pattern)
        self._pieces = {t: c[0] for t, c in self.choice.items()}
        _require_room(self.network)
        n, bounds = self.network.n_inputs, chart.float_bounds
        with np.errstate(all="ignore"), one_blas_thread():
            along = AlongPieces(bounds, self.choice, 1)
            self.constant = walk(self.network, exactly(np.zeros((1, n))), along)
            self.linear = walk(self.network, None, _Linear(bounds, self._pieces, n))

    def _of(self, t: int) -> Bounded:
        return _written(self.linear[t], self.network.n_inputs)

    def exact_row(self, of: RowOf) -> WholeRow:
        """Return a row in whole numbers; all zero when it is constant."""
        look()
        node = self.network.nodes[of.node]
        assert isinstance(node, Breakpoints | Max)
        if isinstance(node, Breakpoints):
            factors, knot = {of.unit: of.side}, of.side * Fraction(float(node.knots[of.unit, of.which]))
        else:
            loser, winner = self._contest(node, of)
            factors, knot = {loser: 1, winner: -1}, Fraction(0)
        row, rest = exact_affine(self.network, node.input, factors, self._pieces, self.chart.integers)
        constant = rest.fractions[0] - knot
        if not any(row.numbers):
            return WholeRow([0] * self.network.n_inputs, _sign(-constant))
        scale = Fraction(2) ** row.exponent / row.denominator
        # numbers * scale . z <= -constant, cleared
        bound = -constant / scale
        whole = [n * bound.denominator for n in row.numbers]
        return WholeRow(whole, bound.numerator, bound.denominator / scale)

    def _contest(self, node: Max, of: RowOf) -> tuple[int, int]:
        first = int(node.offsets[of.unit])
        winner = int(self._pieces[of.node][of.unit])
        return int(node.candidates[first + of.which]), int(node.candidates[first + winner])

    def rows(self) -> tuple[list[RowOf], Bounded, Bounded]:
        """Return all rows, zero ones included: owners, coefficients (p, k), and right sides (p, 1)."""
        owners: list[RowOf] = []
        parts: list[tuple[Bounded, Bounded]] = []
        for t in self.network.cuts:
            look()
            node = self.network.nodes[t]
            assert isinstance(node, Breakpoints | Max)
            linear, constant = self._of(node.input), self.constant[node.input]
            if isinstance(node, Breakpoints):
                piece = self._pieces[t]
                padded = np.concatenate([node.knots, np.full((piece.size, 1), np.inf)], axis=1)
                unit = np.arange(piece.size)
                for side, which, units in (
                    (1, piece, np.flatnonzero(np.isfinite(padded[unit, piece]))),
                    (-1, piece - 1, np.flatnonzero(piece > 0)),
                ):
                    look()
                    knot = node.knots[units, which[units]]
                    gap = plus(Bounded(constant.value[:, units], constant.error[:, units]), -knot[None])
                    owners += [RowOf(t, i, w, side) for i, w in zip(units.tolist(), which[units].tolist(), strict=True)]
                    parts.append((_times(linear, units, side), Bounded(-side * gap.value, gap.error)))
            else:
                up, down = [], []
                for w, winner in enumerate(self._pieces[t].tolist()):
                    window = node.candidates[node.offsets[w] : node.offsets[w + 1]].tolist()
                    for c, entry in enumerate(window):
                        if entry != window[winner]:
                            owners.append(RowOf(t, w, c, 0))
                            up.append(entry)
                            down.append(window[winner])
                loser, best = np.array(up, dtype=np.int64), np.array(down, dtype=np.int64)
                lead = plus(take(constant, best), _times(constant, loser, -1))
                look()
                losing = take(linear, loser)
                look()
                winning = _times(linear, best, -1)
                look()
                parts.append((plus(losing, winning), lead))
        k = self.network.n_inputs
        if not parts:
            return owners, exactly(np.zeros((0, k))), exactly(np.zeros((0, 1)))
        look()
        G = Bounded(*(np.concatenate([getattr(g, name).T for g, _ in parts]) for name in ("value", "error")))
        h = Bounded(*(np.concatenate([getattr(r, name).T for _, r in parts]) for name in ("value", "error")))
        return owners, G, h

    def build(self, inside: Coordinates) -> CellRows:
        """Return the system of all rows that are not constant, and of the domain's bounds."""
        with np.errstate(all="ignore"):
            owners, G, h = self.rows()
        look()
        value, error = G.value.copy(), G.error.max(axis=1, initial=0.0)
        right = h.value[:, 0].copy()
        right_error = h.error[:, 0]
        with np.errstate(all="ignore"):
            norms = np.linalg.norm(value, axis=1)
            fair = (error <= _FAIR * norms) & (norms > _SMALL) & (norms < _LARGE)
            fair &= (np.abs(right) < _LARGE) & np.isfinite(error + right_error)
        zero = ~value.any(axis=1) & (error == 0)
        look()
        known: dict[int, WholeRow] = {}
        units: dict[int, Fraction] = {}
        for i in np.flatnonzero(~fair & ~zero).tolist():
            row = self.exact_row(owners[i])
            known[i] = row
            zero[i] = not any(row.a)
            if not zero[i]:
                top = max(abs(v) for v in row.a)
                # a positive factor changes nothing but the size of float64 numbers
                factor = Fraction(2) ** top.bit_length()
                value[i] = [float(Fraction(v) / factor) for v in row.a]
                right[i] = nearest(Fraction(row.b) / factor)
                known[i] = WholeRow(row.a, row.b, factor)
                units[i] = row.scale / factor
                error[i] = EPSILON * np.abs(value[i]).max()
        rounded = np.array([i in known for i in range(len(owners))], dtype=bool)
        right_error = np.where(rounded, np.abs(right) * EPSILON + SMALLEST * (right != 0), right_error)
        ties = self._ties(owners, zero, h, known)
        lower, upper = (b.copy() for b in self.chart.bounds)
        k = lower.size
        owner: dict[int, RowOf | tuple[int, int]] = {}
        of_bound: dict[tuple[int, int], RowOf | tuple[int, int]] = {}
        of_row: dict[tuple[int, int], Fraction] = {}
        for side, array in ((-1, lower), (1, upper)):
            of_bound |= {(j, side): (j, side) for j in np.flatnonzero(np.isfinite(array)).tolist()}
        single = np.flatnonzero((np.count_nonzero(value, axis=1) == 1) & (error == 0) & (right_error == 0) & ~zero)
        is_bound = np.zeros(len(owners), dtype=bool)
        axes = (value[single] != 0).argmax(axis=1)
        factors = value[single, axes]
        with np.errstate(over="ignore"):
            places_ = right[single] / factors
        whole = (np.abs(np.frexp(factors)[0]) == 0.5) & (places_ * factors == right[single])
        for i, j, g, at in zip(*(a[whole].tolist() for a in (single, axes, factors, places_)), strict=True):
            side = 1 if g > 0 else -1
            if (j, side) not in of_bound:
                of_bound[j, side] = owners[i]
                of_row[j, side] = units.get(i, Fraction(1)) / Fraction(abs(g))
                (upper if side > 0 else lower)[j] = at
                is_bound[i] = True
        kept = np.flatnonzero(~zero & ~is_bound)
        for c, i in enumerate(kept.tolist()):
            owner[c] = owners[i]
        for (j, side), of in of_bound.items():
            owner[kept.size + j + (k if side > 0 else 0)] = of
        places = kept.tolist()

        def exactly_(c: int) -> WholeRow:
            i = places[c]
            return known[i] if i in known else self.exact_row(owners[i])

        both = np.maximum(error, right_error)[kept]
        system = System(value[kept], right[kept], both, lower, upper, exactly_, inside)
        unit_of = {c: units[i] for c, i in enumerate(places) if i in units}
        # a bound that a unit's row gives is that row over its only coefficient
        unit_of |= {kept.size + j + (k if side > 0 else 0): unit for (j, side), unit in of_row.items()}
        return CellRows(system, owner, ties, unit_of)

    def _ties(
        self, owners: list[RowOf], zero: NDArray[np.bool_], h: Bounded, known: dict[int, WholeRow]
    ) -> dict[int, list[tuple[int, int]]]:
        out: dict[int, list[tuple[int, int]]] = {}
        for i in np.flatnonzero(zero).tolist():
            of, value, error = owners[i], float(h.value[i, 0]), float(h.error[i, 0])
            if of.side < 0 or abs(value) > error:
                continue
            if error != 0:
                row = known[i] if i in known else self.exact_row(of)
                if row.b != 0:
                    continue
            out.setdefault(of.node, []).append((of.unit, of.which))
        return out


class _Linear:
    """The linear parts (n_inputs, size) of tensors: an algebra of `reluatlas.network.interpret`; None: the identity."""

    def __init__(self, bounds: FloatBounds, pieces: dict[int, NDArray], n_inputs: int) -> None:
        self._bounds, self._pieces, self._n_inputs = bounds, pieces, n_inputs

    def affine(self, t: int, node: Affine, done: Done[Bounded | None]) -> Bounded | None:
        linear = exactly(np.zeros((self._n_inputs, node.bias.size)))
        for source, operator in zip(node.inputs, node.operators, strict=True):
            below = done[source]
            if below is None and isinstance(operator, Dense):
                part = exactly(operator.weight.T)
            elif below is None and isinstance(operator, Gather):
                part = exactly(apply_operator(operator, np.eye(operator.n_in)))
            else:
                part = self._bounds.apply(operator, _written(below, self._n_inputs))
            linear = part if not linear.value.any() else plus(part, linear)
        return linear

    def breakpoints(self, t: int, node: Breakpoints, done: Done[Bounded | None]) -> Bounded | None:
        return scaled(_written(done[node.input], self._n_inputs), slopes_of(node, self._pieces[t]))

    def max(self, t: int, node: Max, done: Done[Bounded | None]) -> Bounded | None:
        return take(_written(done[node.input], self._n_inputs), winners_of(node, self._pieces[t]))


def _written(linear: Bounded | None, n_inputs: int) -> Bounded:
    return exactly(np.eye(n_inputs)) if linear is None else linear


def _require_room(network: Network) -> None:
    """Refuse a network whose rows on all its tensors do not fit into memory.

    Of each tensor a matrix is kept, with error bounds; while one is made there are a few more as large as the largest,
    and in the end the rows of all units.
    """
    sizes = [prod(node.shape) for node in network.nodes[1 : max(network.cuts, default=0) + 1]]
    rows = 0
    for t in network.cuts:
        node = network.nodes[t]
        assert isinstance(node, Breakpoints | Max)
        rows += node.candidates.size if isinstance(node, Max) else node.knots.size
    need = 16.0 * network.n_inputs * (sum(sizes) + 3 * max(sizes, default=0) + rows)
    require_memory(
        need,
        f"one cell of this network ({rows:,} rows on {network.n_inputs:,} inputs)",
        "Take a `Slice` of few dimensions, on which a cell has few coordinates, a smaller network, or smaller inputs.",
    )


def _times(rows: Bounded, index: NDArray, factor: float) -> Bounded:
    chosen = take(rows, index)
    return Bounded(chosen.value * factor, chosen.error)


def _sign(value: Fraction) -> int:
    return (value > 0) - (value < 0)
