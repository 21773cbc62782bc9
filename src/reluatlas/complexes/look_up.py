"""Which cells of a complex hold points? Those whose patterns agree with what the network does there, exactly.

A cell is all points of the domain at which every unit is on its piece or at an end of it, and the winner of every
window is among the largest. So a point that is at no knot and no tie is in the one cell of its pattern, which a hash
finds. Of a unit at a knot, the pieces on both sides agree; of a window that ties, all its largest candidates: a point
on a face is in exactly the cells whose patterns agree in this way in every place. No coordinate is compared.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reluatlas.cells.chart import Chart, chart_of
from reluatlas.cells.coordinates import coordinates_of
from reluatlas.compiled.jit import kernel
from reluatlas.complexes.record import ComplexRecord
from reluatlas.errors import DimensionError, DomainError, InternalError
from reluatlas.network.batches import Plan, Points, run_batches
from reluatlas.network.maps.affine_at import pattern_type
from reluatlas.network.patterns.certain import Walk
from reluatlas.network.patterns.decide import Chooser
from reluatlas.network.point_shapes import require_order
from reluatlas.subdivision.program.keys import pattern_key
from reluatlas.typing import FloatArray, IntArray

_FEW = 16  # points below which nothing is prepared for many


class PatternTable:
    """The cells of a complex by their patterns.

    Parameters
    ----------
    patterns : ndarray of small integers, shape (n_cells, units)
        Different in each cell.
    """

    def __init__(self, patterns: NDArray[np.integer]) -> None:
        self.patterns = np.ascontiguousarray(patterns)
        self._hashes = np.zeros(len(patterns), dtype=np.uint64)
        self._table = np.full(1 << max(2, (2 * len(patterns)).bit_length()), -1, dtype=np.int64)
        _enter(self.patterns, self._hashes, self._table)

    def cells(self, wanted: NDArray[np.integer]) -> IntArray:
        """Return the cell with each pattern (N, units); -1 where there is none."""
        out = np.full(len(wanted), -1, dtype=np.int64)
        _find(self.patterns, self._hashes, self._table, np.ascontiguousarray(wanted), out)
        return out

    def first(self, low: IntArray, high: IntArray, at: IntArray, allowed: NDArray[np.bool_]) -> int:
        """Return the lowest cell whose pieces are all from `low` to `high` and allowed; -1 where there is none.

        Piece p of unit c is allowed when `at[c]` is negative or `allowed[at[c] + p]` holds.
        """
        return int(_first(self.patterns, low, high, at, allowed))


def cells_of(cx: ComplexRecord, by_pattern: PatternTable, X: ArrayLike, name: str = "X") -> IntArray:
    """Return the lowest cell that holds each point, -1 where an incomplete complex lacks them; see the method."""
    if isinstance(X, np.ndarray):
        require_order(X.shape, cx.network.input_shape, name, what="has")
    u = coordinates_of(cx.domain, X, name)
    chart = chart_of(cx.network, cx.domain)
    out = np.full(len(u), -1, dtype=np.int64)
    if not len(u) or not cx.n_cells:
        return out
    units = cx.patterns.shape[1]
    slices = chart.local.pattern_slices()
    chooser = Chooser(chart.local, Points(chart.local, u), perturb=True) if len(u) >= _FEW else None

    def work(batch: slice) -> None:
        rows = u[batch]
        chosen = _walk(chart, rows, perturb=True) if chooser is None else chooser(batch)
        wanted = np.zeros((len(rows), units), dtype=pattern_type(cx.network))
        for t, columns in slices.items():
            wanted[:, columns] = chosen.choice[t]
        found = by_pattern.cells(wanted)
        on_face = np.flatnonzero(chosen.on_face)
        if on_face.size:
            found[on_face] = _on_faces(cx, by_pattern, chart, rows[on_face])
        out[batch] = found

    run_batches(work, len(u), Plan.of(chart.local, len(u), None, width=1))
    if cx.is_complete and cx.exactness.status != "float64" and (out < 0).any():
        raise InternalError(
            f"no cell of a complete complex holds the point {u[int(out.argmin())].tolist()}. Please report it with "
            "the network."
        )
    return out


def cell_at(cx: ComplexRecord, by_pattern: PatternTable, x: ArrayLike) -> int:
    """Return the lowest cell that holds a point."""
    try:
        point = np.asarray(x, dtype=np.float64).reshape(1, -1)
    except (TypeError, ValueError):
        raise DimensionError("`x` is not an array of numbers. Pass the point's coordinates.") from None
    cell = int(cells_of(cx, by_pattern, point, "x")[0])
    if cell < 0:
        raise DomainError(
            f"`x` lies in a part of the domain that this incomplete complex lacks (stopped by {cx.stopped_by}). "
            "Enumerate with a larger budget."
            if cx.stopped_by
            else "`x` is in no cell of this complex, whose signs were taken from float64. Enumerate with certain=True."
        )
    return cell


def _walk(chart: Chart, rows: FloatArray, *, perturb: bool) -> Walk:
    return Walk(
        chart.local, rows, perturb=perturb, background=chart.background, bounds=chart.float_bounds,
        keep_ties=not perturb,
    )  # fmt: skip


def _on_faces(cx: ComplexRecord, by_pattern: PatternTable, chart: Chart, rows: FloatArray) -> IntArray:
    """Return the lowest cell that holds each of some points, whatever is at a knot or ties there."""
    walk = _walk(chart, rows, perturb=False)
    units = cx.patterns.shape[1]
    out = np.zeros(len(rows), dtype=np.int64)
    for p in range(len(rows)):
        low, high = np.zeros(units, dtype=np.int64), np.zeros(units, dtype=np.int64)
        at, allowed = np.full(units, -1, dtype=np.int64), []
        for t, columns in chart.local.pattern_slices().items():
            low[columns] = high[columns] = walk.choice[t][p]
            if t in walk.at_knot:
                high[columns] += walk.at_knot[t][p]
                continue
            largest = walk.largest[t][p]
            several = np.flatnonzero(largest.sum(axis=1) > 1)
            low[columns.start + several], high[columns.start + several] = 0, largest.shape[1] - 1
            at[columns.start + several] = largest.shape[1] * np.arange(several.size) + sum(a.size for a in allowed)
            allowed.append(largest[several].reshape(-1))
        out[p] = by_pattern.first(low, high, at, np.concatenate([*allowed, np.zeros(0, dtype=bool)]))
    return out


@kernel
def _enter(patterns, hashes, table):
    """Write the hash of each pattern, and the cells into an open table by it."""
    mask = np.uint64(table.size - 1)
    for cell in range(patterns.shape[0]):
        hashes[cell] = pattern_key(patterns[cell], patterns.shape[1])
        at = hashes[cell] & mask
        while table[at] >= 0:
            at = (at + np.uint64(1)) & mask
        table[at] = cell


@kernel
def _find(patterns, hashes, table, wanted, out):
    """Write the cell of each wanted pattern."""
    mask = np.uint64(table.size - 1)
    for i in range(wanted.shape[0]):
        key = pattern_key(wanted[i], wanted.shape[1])
        at = key & mask
        while table[at] >= 0:
            cell = table[at]
            if hashes[cell] == key:
                same = True
                for c in range(wanted.shape[1]):
                    if patterns[cell, c] != wanted[i, c]:
                        same = False
                        break
                if same:
                    out[i] = cell
                    break
            at = (at + np.uint64(1)) & mask


@kernel
def _first(patterns, low, high, at, allowed):
    """Return the first pattern with all pieces in their ranges and allowed, or -1."""
    for cell in range(patterns.shape[0]):
        agrees = True
        for c in range(patterns.shape[1]):
            piece = np.int64(patterns[cell, c])
            if piece < low[c] or piece > high[c] or (at[c] >= 0 and not allowed[at[c] + piece]):
                agrees = False
                break
        if agrees:
            return cell
    return -1
