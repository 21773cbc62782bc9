"""How is a space of any dimension subdivided into cells? The subdivision tree with polyhedra by their constraints.

No vertices are kept. Whether a row cuts a polyhedron is answered by points inside it that are known, else by one or
two linear programs; each answer is proved by a point or by multipliers, and decided in rational numbers where float64
leaves it open. Unbounded polyhedra are like any others. Memory does not grow with the number of cells.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import prod

import numpy as np
from numpy.typing import NDArray

from reluatlas.deadline import look
from reluatlas.domain import Box, Slice, Space
from reluatlas.errors import DimensionError
from reluatlas.geometry.halfspaces import float_facets, row_sides, splitting
from reluatlas.geometry.programs import rational
from reluatlas.geometry.programs.dictionary import new_dictionary
from reluatlas.network.balance import balanced
from reluatlas.network.network import Affine, Breakpoints, Dense, Max, Network
from reluatlas.network.operators import apply_operator
from reluatlas.subdivision.constraints.exact_rows import Reference, WholeRows
from reluatlas.subdivision.program.lower import lower

FloatArray = NDArray[np.float64]
_U = 2.0**-53
_PARTS = 256
_FIRST_PARTS, _MOST_PARTS, _MOMENT_S = 16, 1 << 16, 0.1


@dataclass(frozen=True, eq=False)
class Constraint:
    """A row that bounds a polyhedron, and on which of its sides the polyhedron lies (BELOW or ABOVE)."""

    reference: Reference
    side: int


@dataclass(frozen=True, eq=False)
class Polyhedron:
    """A polyhedron of the tree.

    Attributes
    ----------
    pieces : ndarray, shape (units,)
        Pieces and winners of the levels done; zeros behind.
    con : ndarray, shape (m, k + 3)
        Constraints (a, b, error of a, error of b): `a . u <= b`. Some may be redundant.
    constraints : tuple of Constraint
        What each of them is.
    points : ndarray, shape (q, k)
        Points that are certainly inside; may be none.
    """

    pieces: NDArray[np.int32]
    con: FloatArray
    constraints: tuple[Constraint, ...]
    points: FloatArray


@dataclass(eq=False)
class Tree:
    """Walks the subdivision tree of a network on a domain.

    Attributes
    ----------
    n_tests : int
        Rows that were tested against a polyhedron and not settled by known points in Python.
    n_escalated : int
        Tests that were decided in rational numbers.
    """

    network: Network
    domain: Box | Slice | Space
    n_escalated: int = 0
    n_tests: int = 0
    whole: WholeRows = field(init=False)

    def __post_init__(self) -> None:
        # powers of two change no pattern: rows near 1 are within what float64 can prove
        self.network = net = balanced(self.network)
        domain = self.domain
        n = domain.n_inputs if isinstance(domain, Space | Slice) else domain.dim
        if n != net.n_inputs:
            raise DimensionError(f"`domain` has {n} inputs but the network takes {net.n_inputs}. They must agree.")
        self.k = domain.dim
        frame = Box(-1, 1, dim=n) if isinstance(domain, Space) else domain
        program = lower(net, frame).program
        self._err_g, self._err_c, self._off = program.err_g, program.err_c, program.off
        self._input = program.rows0[:, : net.n_inputs].T.copy()
        self.whole = WholeRows(net, domain)
        self._slices = net.pattern_slices()
        self._cuts = net.cuts
        self.n_units = sum(s.stop - s.start for s in self._slices.values())
        widest = max((prod(net.nodes[net.nodes[c].input].shape) for c in self._cuts), default=1)  # type: ignore[union-attr]
        knots = sum(self._n_rows(c) for c in self._cuts)
        self._room = 2 * self.k + knots + 4 * widest + 8
        self._dictionary = new_dictionary(self.k, self._room)
        self._cone = new_dictionary(self.k + 1, self._room + 1)
        self._scratch = row_sides.new_scratch(self.k, self._room)
        self._buffers: dict[int, _Buffers] = {}

    def _n_rows(self, cut: int) -> int:
        node = self.network.nodes[cut]
        return node.knots.size if isinstance(node, Breakpoints) else node.candidates.size  # type: ignore[union-attr]

    def root(self) -> Polyhedron:
        """Return the whole domain."""
        k = self.k
        pieces = np.zeros(self.n_units, dtype=np.int32)
        if isinstance(self.domain, Space):
            return Polyhedron(pieces, np.zeros((0, k + 3)), (), np.zeros((1, k)) + 2.0**-10)
        box = self.domain.box
        con = np.zeros((2 * k, k + 3))
        made = []
        for axis in range(k):
            con[2 * axis, axis], con[2 * axis, k] = -1.0, -box.low[axis]
            con[2 * axis + 1, axis], con[2 * axis + 1, k] = 1.0, box.high[axis]
            made += [
                Constraint(Reference(-1, axis, 0, 0), row_sides.ABOVE),
                Constraint(Reference(-1, axis, 1, 0), row_sides.BELOW),
            ]
        return Polyhedron(pieces, con, tuple(made), (box.low + 0.5 * (box.high - box.low)).reshape(1, k))

    def cells(self) -> Iterator[Polyhedron]:
        """Yield the cells, depth first, in an order that depends on the network and the domain alone."""
        yield from self._below(0, self.root(), {0: self._input})

    def count(self) -> Iterator[int]:
        """Yield numbers of cells, as they are found."""
        yield from self._counted(0, self.root(), {0: self._input})

    def _counted(self, level: int, cell: Polyhedron, tensors: dict[int, FloatArray]) -> Iterator[int]:
        if level == len(self._cuts):
            yield 1
            return
        here = self._composed(level, cell, tensors)
        node = self.network.nodes[self._cuts[level]]
        if level == len(self._cuts) - 1 and isinstance(node, Breakpoints):
            yield from self._split(level, node, cell, here[node.input], collect=False)  # type: ignore[misc]
            return
        for part in self._parts(level, cell, here):
            yield from self._counted(level + 1, part, here)

    def _below(self, level: int, cell: Polyhedron, tensors: dict[int, FloatArray]) -> Iterator[Polyhedron]:
        if level == len(self._cuts):
            yield cell
            return
        here = self._composed(level, cell, tensors)
        for part in self._parts(level, cell, here):
            yield from self._below(level + 1, part, here)

    def _composed(self, level: int, cell: Polyhedron, tensors: dict[int, FloatArray]) -> dict[int, FloatArray]:
        """Return the rows (size, k + 1) of all tensors up to the input of a cut."""
        out = dict(tensors)
        nodes = self.network.nodes
        last = nodes[self._cuts[level]].input  # type: ignore[union-attr]
        for t in range(1, last + 1):
            if t in out:
                continue
            look()
            node = nodes[t]
            if isinstance(node, Affine):
                total = np.zeros((node.bias.size, self.k + 1))
                for source, operator in zip(node.inputs, node.operators, strict=True):
                    total += apply_operator(operator, np.ascontiguousarray(out[source].T)).T
                total[:, self.k] += node.bias
            elif isinstance(node, Breakpoints):
                piece, unit = cell.pieces[self._slices[t]], np.arange(node.knots.shape[0])
                total = out[node.input] * node.slopes[unit, piece][:, None] + 0.0
                total[:, self.k] += node.intercepts[unit, piece]
            else:
                assert isinstance(node, Max)
                total = out[node.input][node.candidates[node.offsets[:-1] + cell.pieces[self._slices[t]]]]
            out[t] = total
        return out

    def _parts(self, level: int, cell: Polyhedron, tensors: dict[int, FloatArray]) -> Iterator[Polyhedron]:
        node = self.network.nodes[self._cuts[level]]
        if isinstance(node, Breakpoints):
            yield from self._split(level, node, cell, tensors[node.input], collect=True)  # type: ignore[misc]
        else:
            assert isinstance(node, Max)
            yield from self._windows(level, node, 0, cell, tensors[node.input])

    def _errors(self, tensor: int, entries: NDArray) -> tuple[FloatArray, FloatArray]:
        at = self._off[tensor] + entries
        return self._err_g[at], self._err_c[at]

    def _split(
        self, level: int, node: Breakpoints, cell: Polyhedron, tensor: FloatArray, *, collect: bool
    ) -> Iterator[Polyhedron | int]:
        k = self.k
        unit, knot = np.nonzero(np.isfinite(node.knots))
        value = node.knots[unit, knot]
        rows = np.zeros((unit.size, k + 3))
        rows[:, : k + 1] = tensor[unit]
        rows[:, k] -= value
        rows[:, k + 1], rows[:, k + 2] = self._errors(node.input, unit)
        rows[:, k + 2] += np.where(value != 0, _U * 1.01 * np.abs(rows[:, k]), 0.0)
        _scale(rows, k)
        references = [Reference(level, int(i), int(q), 0) for i, q in zip(unit, knot, strict=True)]
        reached, cell = self._classified(cell, rows, references, self._seen(node, cell, unit, knot))
        order = np.flatnonzero(reached == row_sides.BELOW | row_sides.ABOVE)
        base = np.zeros(node.knots.shape[0], dtype=np.int32)
        np.add.at(base, unit[reached == row_sides.ABOVE], 1)
        at = self._slices[self._cuts[level]]
        if order.size == 0:
            if not collect:
                yield 1
                return
            pieces = cell.pieces.copy()
            pieces[at] = base
            yield Polyhedron(pieces, cell.con, cell.constraints, cell.points)
            return
        buffers = self._buffers_of(level, rows.shape[0])
        m0 = cell.con.shape[0]
        buffers.con[:m0] = cell.con
        buffers.frames[0] = (m0, 0, 0, -1, cell.points.shape[0])
        buffers.points[0, : cell.points.shape[0]] = cell.points
        depth, status = 1, splitting.DONE
        most = _FIRST_PARTS
        while depth:
            look()
            begin = time.monotonic()
            status, n, depth = splitting.split(
                buffers.con, rows, order, order.size, buffers.frames, buffers.points, buffers.choice, depth,
                buffers.out_choice, buffers.out_points, buffers.out_n, collect, min(most, _PARTS) if collect else most,
                self._dictionary, self._scratch,
            )  # fmt: skip
            # so many at once as take a moment: between two moments the clock is looked at
            most = min(2 * most, _MOST_PARTS) if time.monotonic() - begin < _MOMENT_S else max(1, most // 2)
            if not collect and n:
                yield n
            for i in range(n if collect else 0):
                choice = buffers.out_choice[i, : order.size].copy()
                points = buffers.out_points[i, : int(buffers.out_n[i])].copy()
                yield self._part(cell, rows, references, order, choice, base, unit, at, points)
            if status == splitting.DOUBT:
                self._settle_frame(buffers, depth - 1, cell, rows, references, order)

    def _seen(self, node: Breakpoints, cell: Polyhedron, unit: NDArray, knot: NDArray) -> NDArray[np.int64]:
        """Return the sides of rows that show in the weights: sums of units that are on, with weights of one sign."""
        out = np.full(unit.size, row_sides.UNKNOWN)
        nodes = self.network.nodes
        here = nodes[node.input]
        if not (isinstance(here, Affine) and len(here.inputs) == 1 and isinstance(here.operators[0], Dense)):
            return out
        before = nodes[here.inputs[0]]
        if not (isinstance(before, Breakpoints) and before.is_relu):
            return out
        on = cell.pieces[self._slices[here.inputs[0]]] == 1
        weight = here.operators[0].weight[np.ix_(unit, on)]
        constant = here.bias[unit] - node.knots[unit, knot]  # the sign of a float difference is exact
        least, most = weight.min(axis=1, initial=0.0), weight.max(axis=1, initial=0.0)
        least, most = np.minimum(least, constant), np.maximum(most, constant)
        out[(least < 0) & (most <= 0)] = row_sides.BELOW
        out[(least >= 0) & (most > 0)] = row_sides.ABOVE
        out[(least == 0) & (most == 0)] = 0
        return out

    def _part(
        self, cell: Polyhedron, rows: FloatArray, references: list[Reference], order: NDArray, choice: NDArray,
        base: NDArray, unit: NDArray, at: slice, points: FloatArray,
    ) -> Polyhedron:  # fmt: skip
        pieces = cell.pieces.copy()
        here = base.copy()
        np.add.at(here, unit[order[(choice & 3) == row_sides.ABOVE]], 1)
        pieces[at] = here
        cuts = np.flatnonzero(choice & splitting.CUT)
        chosen, side = order[cuts], choice[cuts] & 3
        up = np.where(side == row_sides.BELOW, 1.0, -1.0)
        con = rows[chosen].copy()
        con[:, : self.k] *= up[:, None]
        con[:, self.k] *= -up
        made = tuple(Constraint(references[j], int(s)) for j, s in zip(chosen.tolist(), side.tolist(), strict=True))
        return Polyhedron(pieces, np.concatenate([cell.con, con]), cell.constraints + made, points)

    def _buffers_of(self, level: int, n_rows: int) -> _Buffers:
        if level not in self._buffers:
            self._buffers[level] = _Buffers(self._room, n_rows, self.k)
        return self._buffers[level]

    def _classified(
        self, cell: Polyhedron, rows: FloatArray, references: list[Reference], known: NDArray[np.int64] | None = None
    ) -> tuple[NDArray[np.int64], Polyhedron]:
        """Return the sides that a polyhedron reaches of each row, and the polyhedron with the points found."""
        reached = np.full(rows.shape[0], row_sides.UNKNOWN) if known is None else known
        points = np.zeros((row_sides.POINTS, self.k))
        n, m = cell.points.shape[0], cell.con.shape[0]
        points[:n] = cell.points
        self.n_tests += rows.shape[0]
        j = -1
        while j < rows.shape[0]:
            j, n = row_sides.classify(cell.con, m, rows, points, n, self._dictionary, self._scratch, reached, j + 1)
            if j < rows.shape[0]:
                reached[j] = self._exactly(cell.pieces, cell.constraints, references[j], int(reached[j]))
        return reached, Polyhedron(cell.pieces, cell.con, cell.constraints, points[:n].copy())

    def _exactly(self, pieces: NDArray, constraints: Sequence[Constraint], reference: Reference, known: int) -> int:
        """Return the sides that a polyhedron reaches of a row; those in `known` are certain."""
        look()
        self.n_escalated += 1
        row = self.whole(reference, pieces)
        if not any(row[:-1]):
            return row_sides.ABOVE if row[-1] > 0 else (row_sides.BELOW if row[-1] < 0 else 0)
        rows = [self.whole_constraint(c, pieces) for c in constraints]
        basis = self._dictionary.nonbasic.tolist()
        out = known & ~row_sides.OPEN
        for side, up in ((row_sides.ABOVE, 1), (row_sides.BELOW, -1)):
            if not out & side and rational.reaches_beyond(rows, [up * v for v in row], basis)[0]:
                out |= side
        return out

    def whole_constraint(self, constraint: Constraint, pieces: NDArray) -> list[int]:
        """Return a constraint exactly: whole numbers (a, b) for `a . u <= b`."""
        row = self.whole(constraint.reference, pieces)
        if constraint.side == row_sides.BELOW:
            return [*row[:-1], -row[-1]]
        return [*(-v for v in row[:-1]), row[-1]]

    def _settle_frame(
        self, buffers: _Buffers, top: int, cell: Polyhedron, rows: FloatArray, references: list[Reference],
        order: NDArray,
    ) -> None:  # fmt: skip
        q = int(buffers.frames[top, splitting.F_NEXT])
        choice = buffers.choice[:q]
        made = [Constraint(references[order[i]], int(choice[i]) & 3) for i in range(q) if choice[i] & splitting.CUT]
        buffers.frames[top, splitting.F_GIVEN] = self._exactly(
            cell.pieces, [*cell.constraints, *made], references[order[q]], int(buffers.frames[top, splitting.F_GIVEN])
        )

    def _windows(
        self, level: int, node: Max, window: int, cell: Polyhedron, tensor: FloatArray
    ) -> Iterator[Polyhedron]:
        if window == node.n_windows:
            yield cell
            return
        at = self._slices[self._cuts[level]].start + window
        begin, end = int(node.offsets[window]), int(node.offsets[window + 1])
        for c in range(end - begin):
            part = self._won(level, node, window, begin, end, c, cell, tensor)
            if part is not None:
                pieces = part.pieces.copy()
                pieces[at] = c
                part = Polyhedron(pieces, part.con, part.constraints, part.points)
                yield from self._windows(level, node, window + 1, part, tensor)

    def _won(
        self, level: int, node: Max, window: int, begin: int, end: int, c: int, cell: Polyhedron, tensor: FloatArray
    ) -> Polyhedron | None:
        """Return the part of a polyhedron where candidate c wins a window, or None."""
        k = self.k
        for d in range(end - begin):
            if d == c:
                continue
            i, j = int(node.candidates[begin + c]), int(node.candidates[begin + d])
            row = np.zeros((1, k + 3))
            if i != j:
                row[0, : k + 1] = tensor[i] - tensor[j]
                e, f = self._errors(node.input, np.array([i, j]))
                if not np.array_equal(tensor[i], tensor[j]) or e.any() or f.any():
                    row[0, k + 1] = e.sum() + _U * 1.01 * np.abs(row[0, :k]).max()
                    row[0, k + 2] = f.sum() + _U * 1.01 * abs(row[0, k])
            _scale(row, k)
            reference = Reference(level, window, c, d)
            reached, cell = self._classified(cell, row, [reference])
            if not reached[0] & row_sides.ABOVE:
                if reached[0] & row_sides.BELOW or d < c:
                    return None
            elif reached[0] & row_sides.BELOW:
                con = np.concatenate([cell.con, -row])
                con[-1, k], con[-1, k + 1], con[-1, k + 2] = row[0, k], row[0, k + 1], row[0, k + 2]
                inside = [p for p in cell.points if float(row[0, :k] @ p + row[0, k]) > 0]
                points = self.sure_points(con, inside)
                cell = Polyhedron(cell.pieces, con, (*cell.constraints, Constraint(reference, row_sides.ABOVE)), points)
        return cell

    def sure_points(self, con: FloatArray, points: list[FloatArray]) -> FloatArray:
        """Return those of some points that are certainly inside."""
        out = np.zeros((len(points), self.k))
        n = 0
        for p in points:
            if float_facets.certainly_inside(con, con.shape[0], self.k, p):
                out[n] = p
                n += 1
        return out[:n]

    def facets(self, cell: Polyhedron) -> list[int]:
        """Return the constraints of a cell that cannot be left out, exactly."""
        m = cell.con.shape[0]
        found = np.full(m, -1, dtype=np.int64)
        if cell.points.shape[0]:
            float_facets.find_facets(cell.con, m, cell.points[0], self._dictionary, self._scratch, found)
        if np.any(found < 0):
            rows = [self.whole_constraint(c, cell.pieces) for c in cell.constraints]
            for i in np.flatnonzero(found < 0):
                self.n_escalated += 1
                others = rows[:i] + rows[i + 1 :]
                found[i] = rational.reaches_beyond(others, [*rows[i][:-1], -rows[i][-1]])[0]
        return np.flatnonzero(found).tolist()

    def is_bounded(self, cell: Polyhedron) -> bool:
        """Return whether a cell is bounded, exactly."""
        if not isinstance(self.domain, Space):
            return True
        known = float_facets.bounded(cell.con, cell.con.shape[0], self.k, self._dictionary, self._cone, self._scratch)
        if known >= 0:
            return bool(known)
        self.n_escalated += 1
        return rational.is_bounded([self.whole_constraint(c, cell.pieces) for c in cell.constraints], self.k)


class _Buffers:
    """Room for splitting at one level."""

    def __init__(self, room: int, n_rows: int, k: int) -> None:
        self.con = np.zeros((room, k + 3))
        self.frames = np.zeros((n_rows + 2, 5), dtype=np.int64)
        self.points = np.zeros((n_rows + 3, row_sides.POINTS, k))
        self.choice = np.zeros(n_rows + 1, dtype=np.int64)
        self.out_choice = np.zeros((_PARTS, n_rows), dtype=np.int64)
        self.out_points = np.zeros((_PARTS, row_sides.POINTS, k))
        self.out_n = np.zeros(_PARTS, dtype=np.int64)


def _scale(rows: FloatArray, k: int) -> None:
    """Multiply each row by the power of two that brings its largest coefficient near one."""
    top = np.abs(rows[:, :k]).max(axis=1, initial=0.0)
    exponent = np.where((top > 1e-200) & (top < 1e200), np.frexp(top)[1], 0)
    rows *= np.ldexp(1.0, -exponent)[:, None]
