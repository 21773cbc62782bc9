"""Where is a path cut, layer by layer? All intervals of all segments go through the network together.

Compose, then cut: at each breakpoint or max node the rows of the intervals so far are compared with the node's
breakpoints, intervals are cut at all of them at once, and the parts go on. A part is never met again: what is cut off
at a deeper layer lies inside it. Chunks are bounded, and the leftmost goes first, so memory does not grow with the
number of pieces but by what is kept of each.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cmp_to_key
from itertools import pairwise
from math import prod
from threading import Event

import numpy as np
from numpy.typing import NDArray

from reluatlas.answers.limits import StoppedBy
from reluatlas.arithmetic.constants import EPSILON
from reluatlas.arithmetic.rationals import Ratio, is_before, rounded
from reluatlas.deadline import Deadline
from reluatlas.errors import TimeLimitError
from reluatlas.network.interpret import last_uses, sources, winners_of
from reluatlas.network.network import Affine, Breakpoints, Dense, Max, Network
from reluatlas.paths.cut_units import cut_units
from reluatlas.paths.cut_windows import cut_windows
from reluatlas.paths.equal_entries import alike_entries
from reluatlas.paths.intervals import END, START, Chunk, Context, Found, Held
from reluatlas.paths.rows import Rows, added, along, bent, constant, factors_of, rectified, shifted, taken
from reluatlas.progress import Searched
from reluatlas.typing import FloatArray, IntArray

_NUMBERS = 2**18  # of the largest tensor in one chunk
_DENSE = 0.75  # share of units from which on none are left out
_COARSE = 1e-7  # a breakpoint with a larger radius is placed exactly


class Stopped(Exception):
    """A limit was reached."""


@dataclass
class Stop:
    """When to stop; shared by the sweeps of one call."""

    deadline: Deadline = field(default_factory=Deadline)
    max_cells: int | None = None
    asked: Event = field(default_factory=Event)
    why: StoppedBy = ""
    n_found: int = 0

    def check(self) -> None:
        """Raise `Stopped` when a limit is reached."""
        if self.asked.is_set():
            raise Stopped
        if self.deadline.is_over():
            self.end("max_seconds")
        if self.max_cells is not None and self.n_found >= self.max_cells:
            self.end("max_cells")

    def end(self, why: StoppedBy) -> None:
        """Stop this sweep and all others."""
        if not self.asked.is_set():
            self.why = why
            self.asked.set()
        raise Stopped


@dataclass
class Changes:
    """Which unit of which node takes another piece at which end."""

    end: IntArray
    unit: IntArray
    before: NDArray
    after: NDArray


@dataclass
class Swept:
    """What a sweep found: intervals in order, and the changes of every cut node between neighbors.

    `first` holds, for each cut node, the pieces of each segment's first interval.
    """

    context: Context
    segment: IntArray
    low: IntArray
    high: IntArray
    rows: Rows
    changes: dict[int, Changes]
    first: dict[int, dict[int, NDArray]]
    is_complete: bool


class Sweep:
    """Takes segments from `starts` (N, n) to `stops` through a network.

    Parameters
    ----------
    network : Network
        Its last node may be one that asks for classes: it is cut like all others.
    output : int
        Node whose rows are kept.
    stop : Stop
    told : callable
        Told how many intervals were found, and the sum over segments of the share done.
    """

    def __init__(
        self,
        network: Network,
        output: int,
        starts: FloatArray,
        stops: FloatArray,
        stop: Stop,
        told: Searched,
    ) -> None:
        self._network, self._output, self._stop, self._told = network, output, stop, told
        self._context = Context(network, starts, stops)
        self._factors = factors_of(network)
        self._last_use = last_uses(network, output)
        self._feeds_dense = _feed_dense(network)
        self._alike = alike_entries(network, starts, stops)
        self._step = max(1, _NUMBERS // max(prod(node.shape) for node in network.nodes[1:]))
        self._found: list[tuple[IntArray, IntArray, IntArray, Rows]] = []
        self._changes: dict[int, list[tuple]] = {t: [] for t in network.cuts}
        self._first: dict[int, dict[int, NDArray]] = {t: {} for t in network.cuts}
        self._before: dict[int, NDArray] = {}
        self._n_found = 0

    def run(self) -> Swept:
        """Return everything, or what was found when a limit was reached."""
        n = self._context.starts.shape[0]
        is_complete = True
        with np.errstate(all="ignore"):
            try:
                for begin in range(0, n, self._step):
                    part = slice(begin, min(begin + self._step, n))
                    size = part.stop - part.start
                    inputs = Held(along(self._context.starts[part], self._context.stops[part]))
                    ends = np.full(size, START), np.full(size, END)
                    self._go(Chunk(self._context, np.arange(part.start, part.stop), *ends, {0: inputs}), 1)
            except Stopped:
                is_complete = False
            except TimeLimitError:
                self._stop.why = self._stop.why or "max_seconds"
                self._stop.asked.set()
                is_complete = False
            except KeyboardInterrupt:
                self._stop.why = self._stop.why or "interrupt"
                self._stop.asked.set()
                is_complete = False
        return self._swept(is_complete=is_complete)

    def _go(self, chunk: Chunk, position: int) -> None:
        self._stop.check()
        for t in range(position, len(self._network.nodes)):
            node = self._network.nodes[t]
            if isinstance(node, Affine):
                chunk.tensors[t] = self._affine(node, chunk)
                self._drop(chunk, t)
                continue
            assert isinstance(node, Breakpoints | Max)
            for part in self._cut(t, node, chunk):
                self._go(part, t + 1)
            return
        rows = chunk.rows(self._output)
        self._found.append((chunk.segment, chunk.low, chunk.high, rows))
        self._n_found += len(chunk)
        t = float(self._context.ends.column("t")[chunk.high[-1]])
        self._told(self._n_found, float(chunk.segment[-1]) + t)

    def _affine(self, node: Affine, chunk: Chunk) -> Held:
        if not node.inputs:
            return Held(constant(node.bias), np.zeros(len(chunk), dtype=np.int64))
        parts, alone = [], len(node.inputs) == 1
        for source, operator in zip(node.inputs, node.operators, strict=True):
            held = chunk.tensors[source]
            few = held.columns is not None and isinstance(operator, Dense)
            rows = held.rows if few else held.whole()
            assert isinstance(rows, Rows)
            bias = node.bias if alone else None
            parts.append(Held(self._factors.apply(operator, rows, bias, held.columns if few else None), held.which))
        if alone:
            return parts[0]
        spread = [p.whole() if p.which is None else p.whole().at(p.which) for p in parts]
        total = spread[0]
        for part in spread[1:]:
            total = added(total, part)
        return Held(shifted(total, node.bias))

    def _drop(self, chunk: Chunk, t: int) -> None:
        for node in [node for node in chunk.tensors if self._last_use[node] <= t]:
            del chunk.tensors[node]

    def _cut(self, t: int, node: Breakpoints | Max, chunk: Chunk) -> Iterator[Chunk]:
        z = chunk.rows(node.input)
        if isinstance(node, Breakpoints):
            piece, found, doubtful = cut_units(chunk, node, z)
        else:
            piece, found, doubtful = cut_windows(chunk, node, z, self._alike[t])
        found, cut, unsure = self._ordered(t, chunk, found)
        doubtful[list(unsure.intervals)] = True
        self._context.n_visits += len(chunk)
        self._context.n_doubtful_visits += int(doubtful.sum())
        known = chunk.known()
        self._drop(chunk, t)

        from reluatlas.paths.kernels import overwrite

        n = len(chunk)
        is_new = np.flatnonzero(np.diff(cut, prepend=-1))
        ids = self._context.ends.append(t, found.at(is_new))
        for k, place in unsure.exact.items():
            self._context.ends.know(int(ids[cut[k]]), place)
        n_cuts = np.bincount(found.interval[is_new], minlength=n)
        first = np.concatenate([[0], np.cumsum(n_cuts + 1)])
        parent = np.repeat(np.arange(n), n_cuts + 1)
        low, high = np.empty(parent.size, np.int64), np.empty(parent.size, np.int64)
        begins = np.zeros(parent.size, dtype=bool)
        begins[first[:-1]] = True
        low[begins], low[~begins] = chunk.low, ids
        stops = np.roll(begins, -1)
        high[stops], high[~stops] = chunk.high, ids
        row = np.flatnonzero(~begins)[cut]  # of the first part behind each change
        after = first[found.interval + 1]

        for begin in range(0, parent.size, self._step):
            rows = slice(begin, min(begin + self._step, parent.size))
            of = parent[rows]
            pieces = piece[of]
            mine = slice(*np.searchsorted(found.interval, [of[0], of[-1] + 1]))
            overwrite(pieces, rows.start, *(c[mine] for c in (row, after, found.unit, found.piece)))
            part = Chunk(
                self._context, chunk.segment[of], low[rows], high[rows],
                {s: _narrowed(held, of) for s, held in chunk.tensors.items()},
                {s: _narrowed(held, of) for s, held in chunk.choice.items()} | {t: Held(pieces)},
                {j: known[i] for j, i in enumerate(of.tolist()) if i in known} if known else {},
            )  # fmt: skip
            self._note(t, part, pieces)
            if self._last_use[t] > t:
                part.tensors[t] = _behind(node, z, of, pieces, leave_out=self._feeds_dense[t])
            yield part

    def _note(self, t: int, part: Chunk, pieces: NDArray) -> None:
        # Keep what changes between neighbors, and the pieces that segments begin with.
        begins = part.low == START
        for i in np.flatnonzero(begins).tolist():
            self._first[t][int(part.segment[i])] = pieces[i].copy()
        i, unit = np.divmod(np.flatnonzero(pieces[1:] != pieces[:-1]), pieces.shape[1])
        kept = ~begins[i + 1]
        i, unit = i[kept], unit[kept]
        if i.size:
            self._changes[t].append((part.low[i + 1], unit, pieces[i, unit], pieces[i + 1, unit]))
        if not begins[0]:
            before = self._before[t]
            unit = np.flatnonzero(pieces[0] != before)
            self._changes[t].append((np.full(unit.size, part.low[0]), unit, before[unit], pieces[0, unit]))
        self._before[t] = pieces[-1].copy()

    def _ordered(self, t: int, chunk: Chunk, found: Found) -> tuple[Found, IntArray, _Unsure]:
        """Return cuts in order, the number of the place of each (equal where they coincide), and what was in doubt."""
        order = np.lexsort((found.t, found.interval))
        found = found.at(order)
        n = found.t.size
        unsure = _Unsure()
        if n == 0:
            return found, np.empty(0, dtype=np.int64), unsure
        for k in np.flatnonzero(found.radius > _COARSE).tolist():
            self._place(t, chunk, found, k, unsure)
        if unsure.exact:
            order = np.lexsort((found.t, found.interval))
            found, places = found.at(order), unsure.exact
            unsure.exact = {k: places[o] for k, o in enumerate(order.tolist()) if o in places}
        near = _near(found)
        same = np.zeros(n, dtype=bool)
        starts = np.flatnonzero(near & ~np.roll(near, 1)) - 1
        stops = np.flatnonzero(near & ~np.append(near[1:], False)) + 1
        for begin, end in zip(starts.tolist(), stops.tolist(), strict=True):
            self._context.n_doubts += end - begin - 1
            same[begin + 1 : end] = self._sorted(t, chunk, found, range(begin, end), unsure)
        return found, np.cumsum(~same) - 1, unsure

    def _place(self, t: int, chunk: Chunk, found: Found, k: int, unsure: _Unsure) -> Ratio:
        # Place a cut exactly.
        if k not in unsure.exact:
            i = int(found.interval[k])
            place = chunk.lines(i).root(t, int(found.first[k]), int(found.second[k]))
            found.t[k], found.radius[k] = rounded(place)
            unsure.intervals.add(i)
            unsure.exact[k] = place
        return unsure.exact[k]

    def _sorted(self, t: int, chunk: Chunk, found: Found, run: range, unsure: _Unsure) -> list[bool]:
        # Sort a run of cuts in doubt exactly; return which coincide with the one before.
        places = [(self._place(t, chunk, found, k, unsure), k) for k in run]
        places.sort(key=cmp_to_key(lambda p, q: -1 if is_before(p[0], q[0]) else int(is_before(q[0], p[0]))))
        chosen = np.array([k for _, k in places])
        for column in found:
            column[run.start : run.stop] = column[chosen]
        unsure.exact.update({k: place for k, (place, _) in zip(run, places, strict=True)})
        return [p[0] == q[0] for p, q in pairwise(places)]

    def _swept(self, *, is_complete: bool) -> Swept:
        size = prod(self._network.nodes[self._output].shape)
        empty = (np.empty(0, np.int64),) * 3
        found = self._found or [(*empty, Rows(np.empty((0, 2, size)), np.empty((0, size))))]
        segment, low, high = (np.concatenate([f[k] for f in found]) for k in range(3))
        rows = Rows(*(np.concatenate(arrays) for arrays in zip(*(f[3] for f in found), strict=True)))
        changes = {}
        for t, parts in self._changes.items():
            columns = zip(*parts, strict=True) if parts else ([np.empty(0, np.int64)],) * 4
            changes[t] = Changes(*(np.concatenate(c) for c in columns))  # type: ignore[arg-type]
        return Swept(self._context, segment, low, high, rows, changes, self._first, is_complete)


@dataclass
class _Unsure:
    intervals: set[int] = field(default_factory=set)
    exact: dict[int, Ratio] = field(default_factory=dict)


def _near(found: Found) -> NDArray[np.bool_]:
    """Return which cuts, sorted by interval and t, might not come after all that stand before them in the interval."""
    n = found.t.size
    out = np.zeros(n, dtype=bool)
    bounds = np.concatenate([[0], np.flatnonzero(np.diff(found.interval)) + 1, [n]])
    widest = np.repeat(np.maximum.reduceat(found.radius, bounds[:-1]), np.diff(bounds))
    out[1:] = (found.interval[1:] == found.interval[:-1]) & ~(np.diff(found.t) > 2 * widest[1:] + EPSILON)
    # where the widest radius of an interval does not tell, each one's own
    for k in np.unique(np.searchsorted(bounds, np.flatnonzero(out), side="right") - 1).tolist():
        run = slice(bounds[k], bounds[k + 1])
        t, radius = found.t[run], found.radius[run] + EPSILON
        latest, earliest = np.maximum.accumulate(t + radius), np.minimum.accumulate((t - radius)[::-1])[::-1]
        out[run.start + 1 : run.stop] = ~(latest[:-1] < earliest[1:])
    return out


def _behind(node: Breakpoints | Max, z: Rows, of: IntArray, pieces: NDArray, *, leave_out: bool) -> Held:
    """Return what a cut node gives, row i from row `of[i]` of its input; units that are off everywhere are left out."""
    if isinstance(node, Max):
        return Held(taken(z, of, winners_of(node, pieces)))
    if node.is_relu:
        units = pieces.shape[1]
        columns = np.flatnonzero(pieces.any(axis=0))
        if leave_out and columns.size < _DENSE * units:
            return Held(rectified(z, of, pieces, columns), None, columns, units)
        return Held(rectified(z, of, pieces, np.arange(units)))
    return Held(bent(node, z.at(of), pieces))


def _narrowed(held: Held, of: IntArray) -> Held:
    which = of if held.which is None else held.which[of]
    first, last = int(which[0]), int(which[-1])
    part = slice(first, last + 1)
    rows = held.rows.at(part) if isinstance(held.rows, Rows) else held.rows[part]
    return Held(rows, which - first, held.columns, held.size)


def _feed_dense(network: Network) -> list[bool]:
    # Whether all that reads a node is dense operators, which can leave out entries that are zero.
    out = [True] * len(network.nodes)
    for node in network.nodes:
        if isinstance(node, Affine):
            for source, operator in zip(node.inputs, node.operators, strict=True):
                out[source] = out[source] and isinstance(operator, Dense)
        else:
            for source in sources(node):
                out[source] = False
    return out
