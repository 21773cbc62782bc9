"""Which intervals are in work? A run of neighbors on one or several segments, with their tensors and their ends."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reluatlas.network.network import FloatArray, Network
from reluatlas.network.values.exact import Dyadic, IntegerArithmetic, dyadic
from reluatlas.paths.exact import ExactLines, Ratio, nearest
from reluatlas.paths.rows import Rows

IntArray = NDArray[np.int64]

START, END = 0, 1
"""Ids of the two ends of every segment."""
_ROUNDING = 2.0**-51


class Found(NamedTuple):
    """Where units of one node cut intervals: one entry per unit and place.

    `first` and `second` name the row that vanishes there: a unit and its knot, or two candidates of a max. `piece` is
    the unit's piece behind it.
    """

    interval: IntArray
    t: FloatArray
    radius: FloatArray
    unit: IntArray
    first: IntArray
    second: IntArray
    piece: IntArray

    def at(self, index: NDArray) -> Found:
        """Return some of the entries."""
        return Found(*(column[index] for column in self))  # type: ignore[arg-type]


def nothing_found() -> Found:
    """Return no cut."""
    none, never = np.empty(0, dtype=np.int64), np.empty(0)
    return Found(none, never, never, none, none, none, none)


class Ends:
    """The ends of intervals, of all segments of a sweep: where they are, and which row made them."""

    def __init__(self) -> None:
        self._columns: dict[str, NDArray] = {
            "t": np.array([0.0, 1.0]), "radius": np.zeros(2), "node": np.full(2, -1), "first": np.zeros(2, np.int64),
            "second": np.zeros(2, np.int64),
        }  # fmt: skip
        self._size = 2
        self._exact: dict[int, Ratio] = {START: (0, 1), END: (1, 1)}

    def __len__(self) -> int:
        return self._size

    def column(self, name: str) -> NDArray:
        """Return a property of all ends: t, radius, node, first or second."""
        return self._columns[name][: self._size]

    def append(self, node: int, found: Found) -> IntArray:
        """Add ends that a node made and return their ids."""
        new = self._size + found.t.size
        parts = {
            "t": found.t, "radius": found.radius, "node": np.full(found.t.size, node), "first": found.first,
            "second": found.second,
        }  # fmt: skip
        for name, part in parts.items():
            column = self._columns[name]
            if new > column.size:
                self._columns[name] = np.resize(column, max(new, 2 * column.size))
            self._columns[name][self._size : new] = part
        self._size = new
        return np.arange(new - found.t.size, new)

    def know(self, end: int, t: Ratio) -> None:
        """Keep where an end is exactly."""
        self._exact[end] = t

    def exact(self, end: int, lines: ExactLines) -> Ratio:
        """Return where an end is exactly, by the rows of an interval that it bounds."""
        if end not in self._exact:
            columns = self._columns
            node, first, second = (int(columns[name][end]) for name in ("node", "first", "second"))
            self._exact[end] = lines.root(node, first, second)
            columns["t"][end], columns["radius"][end] = nearest(self._exact[end])
        return self._exact[end]


@dataclass
class Held:
    """A tensor, or the pieces of a node: rows, and which of them each interval has (None: its own).

    With `columns`, the rows hold only these entries; all others, of `size`, are zero.
    """

    rows: Rows | NDArray
    which: IntArray | None = None
    columns: IntArray | None = None
    size: int = 0

    def whole(self) -> Rows:
        """Return all entries of a tensor's rows."""
        assert isinstance(self.rows, Rows)
        if self.columns is None:
            return self.rows
        n = self.rows.error.shape[0]
        out = Rows(np.zeros((n, 2, self.size)), np.zeros((n, self.size)))
        out.both[:, :, self.columns] = self.rows.both
        out.error[:, self.columns] = self.rows.error
        return out


@dataclass
class Context:
    """What all chunks of a sweep share."""

    network: Network
    starts: FloatArray
    stops: FloatArray
    ends: Ends = field(default_factory=Ends)
    arithmetic: IntegerArithmetic = field(default_factory=IntegerArithmetic)
    n_doubts: int = 0
    n_visits: int = 0
    n_doubtful_visits: int = 0
    _points: dict[int, tuple[Dyadic, Dyadic]] = field(default_factory=dict)

    def points(self, segment: int) -> tuple[Dyadic, Dyadic]:
        """Return both ends of a segment exactly."""
        if segment not in self._points:
            self._points[segment] = dyadic(self.starts[segment]), dyadic(self.stops[segment])
        return self._points[segment]


@dataclass
class Chunk:
    """Intervals in the order of segments and of t.

    Attributes
    ----------
    segment, low, high : ndarray, shape (n,)
        The segment of each interval, and the ids of its ends.
    tensors : dict
        Rows of the nodes that are still to be read.
    choice : dict
        Pieces or winners of the nodes that have cut.
    inherited : dict
        For intervals whose parent has computed tensors exactly, these.
    """

    context: Context
    segment: IntArray
    low: IntArray
    high: IntArray
    tensors: dict[int, Held]
    choice: dict[int, Held] = field(default_factory=dict)
    inherited: dict[int, tuple[dict, dict]] = field(default_factory=dict)
    _lines: dict[int, ExactLines] = field(default_factory=dict)

    def __len__(self) -> int:
        return self.segment.size

    def span(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return where intervals begin and end (n, 1), and a bound on the error of both, rounding included."""
        t, radius = self.context.ends.column("t"), self.context.ends.column("radius")
        loose = np.maximum(radius[self.low], radius[self.high]) + _ROUNDING
        return t[self.low, None], t[self.high, None], loose[:, None]

    def rows(self, node: int) -> Rows:
        """Return a tensor's rows, one for each interval."""
        held = self.tensors[node]
        return held.whole() if held.which is None else held.whole().at(held.which)

    def lines(self, i: int) -> ExactLines:
        """Return the exact rows of an interval."""
        if i not in self._lines:
            choice = {
                node: held.rows[i if held.which is None else int(held.which[i])][None]  # type: ignore[index]
                for node, held in self.choice.items()
            }
            context = self.context
            self._lines[i] = ExactLines(
                context.network, context.arithmetic, context.points(int(self.segment[i])), choice,
                self.inherited.get(i),
            )  # fmt: skip
        return self._lines[i]

    def exact_ends(self, i: int) -> tuple[Ratio, Ratio]:
        """Return where an interval begins and ends, exactly."""
        lines, ends = self.lines(i), self.context.ends
        return ends.exact(int(self.low[i]), lines), ends.exact(int(self.high[i]), lines)

    def known(self) -> dict[int, tuple[dict, dict]]:
        """Return the tensors that were computed exactly, by interval."""
        return {**self.inherited, **{i: lines.known for i, lines in self._lines.items()}}
