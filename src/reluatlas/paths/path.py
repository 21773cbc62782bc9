"""`Path`: what a network does along a segment, piece by piece; `Paths`: along several."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from html import escape
from typing import Any, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from reluatlas.affine import AffineMaps
from reluatlas.answers.exactness import Exactness
from reluatlas.answers.limits import StoppedBy
from reluatlas.domain import Segment
from reluatlas.errors import ArgumentError
from reluatlas.network.network import Network
from reluatlas.network.values.exact import IntegerArithmetic, dyadic
from reluatlas.paths.exact import ExactLines

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


class Change(NamedTuple):
    """A unit that takes another piece: `unit` of the cut node number `layer`, from piece `before` to `after`."""

    layer: int
    unit: int
    before: int
    after: int


@dataclass(frozen=True, eq=False)
class Crossings:
    """Which units change at which breakpoint, one entry for each.

    Attributes
    ----------
    offsets : ndarray, shape (number of breakpoints + 1,)
        Entries of breakpoint i are `offsets[i]:offsets[i + 1]`; several where rows vanish at the same point.
    column : ndarray
        Column of the unit in an activation pattern.
    before, after : ndarray
        Its piece (or winner) on either side.
    first, second : ndarray, shape (number of breakpoints,)
        The row that made breakpoint i, of node `node[i]`: a unit and its knot, or two candidates of a max.
    """

    offsets: IntArray
    column: IntArray
    before: IntArray
    after: IntArray
    node: IntArray
    first: IntArray
    second: IntArray


@dataclass(frozen=True, eq=False, repr=False)
class Path:
    """The pieces of a network on a segment: the closures of the sets of t in [0, 1] with one activation pattern.

    Made by `trace`. A piece is where the segment passes through one cell.

    Attributes
    ----------
    network : Network
    segment : Segment
        The point at t is `a + t (b - a)`.
    breakpoints : ndarray, shape (n_pieces - 1,)
        Where the pattern changes, ascending in (0, 1); float64. Different ones may have equal float64 numbers.
    radii : ndarray, shape (n_pieces - 1,)
        Bounds on the error of each.
    crossings : Crossings
        Which units change at each breakpoint.
    affine : AffineMaps
        The map of each piece in the coordinate t: `A` (n_pieces, m, 1) its slopes, `b` (n_pieces, m) its values
        extended to t = 0.
    errors : ndarray, shape (n_pieces, m)
        Bounds on the error of `A` and `b` together.
    classes : ndarray of int
        The class of each stretch of the path, as `Network.classes` says: the largest or smallest output (the lowest
        of equal ones); of a single output, whether it is above 0; -1 where outputs are no classes.
    class_changes : ndarray, shape (classes.size - 1,)
        Where one class gives way to the next; ascending, float64.
    reached : float
        1.0, or where an incomplete path ends.
    stopped_by : str
        "" when complete, else "max_cells", "max_seconds" or "interrupt".
    exactness : Exactness
        Of all segments that were traced together.
    """

    network: Network
    segment: Segment
    breakpoints: FloatArray
    radii: FloatArray
    crossings: Crossings
    affine: AffineMaps
    errors: FloatArray
    classes: IntArray
    class_changes: FloatArray
    reached: float
    stopped_by: StoppedBy
    exactness: Exactness
    first_pattern: NDArray[np.integer] = field(repr=False)

    @property
    def n_pieces(self) -> int:
        """Number of pieces: of cells that the segment passes through, as often as it does."""
        return self.affine.b.shape[0]

    @property
    def is_complete(self) -> bool:
        """Whether the whole segment was traced."""
        return self.stopped_by == ""

    @property
    def edges(self) -> FloatArray:
        """Where pieces begin and end, shape (n_pieces + 1,): the breakpoints between 0 and `reached`."""
        return np.concatenate([[0.0], self.breakpoints, [self.reached]])[: self.n_pieces + 1]

    @property
    def points(self) -> FloatArray:
        """The inputs at the breakpoints, shape (n_pieces - 1, n)."""
        t = self.breakpoints[:, None]
        return (1 - t) * self.segment.a + t * self.segment.b

    @cached_property
    def patterns(self) -> NDArray[np.integer]:
        """The activation pattern of each piece, shape (n_pieces, neurons and windows), as in `PolyhedralComplex`."""
        out = np.empty((self.n_pieces, self.first_pattern.size), dtype=self.first_pattern.dtype)
        row, at = self.first_pattern.copy(), self.crossings.offsets
        for i in range(self.n_pieces):
            if i:
                run = slice(at[i - 1], at[i])
                row[self.crossings.column[run]] = self.crossings.after[run]
            out[i] = row
        return out

    @property
    def last_pattern(self) -> NDArray[np.integer]:
        """The activation pattern of the last piece."""
        return self._pattern(self.n_pieces - 1)

    @property
    def hamming(self) -> int:
        """Number of units that are on different pieces at the two ends: Hamming distance of the end cells' patterns.

        It is at most the number of changes along the path, which counts units that go back and forth.
        """
        return int(np.count_nonzero(self.first_pattern != self.last_pattern)) if self.n_pieces else 0

    @property
    def n_changes(self) -> int:
        """Number of changes of single units along the path, all breakpoints together."""
        return self.crossings.column.size

    def changes(self, i: int) -> list[Change]:
        """Return which units change at breakpoint i, in topological order."""
        i = _checked(i, self.breakpoints.size, "breakpoint")
        starts = [s.start for s in self.network.pattern_slices().values()]
        run = slice(self.crossings.offsets[i], self.crossings.offsets[i + 1])
        out = []
        columns = (self.crossings.column, self.crossings.before, self.crossings.after)
        for column, before, after in zip(*(c[run].tolist() for c in columns), strict=True):
            layer = int(np.searchsorted(starts, column, side="right")) - 1
            out.append(Change(layer, column - starts[layer], before, after))
        return out

    def exact_breakpoint(self, i: int) -> Fraction:
        """Return breakpoint i as the ratio of whole numbers that it is."""
        i = _checked(i, self.breakpoints.size, "breakpoint")
        made = self.crossings
        lines = self._lines(self._pattern(i), IntegerArithmetic())
        return Fraction(*lines.root(int(made.node[i]), int(made.first[i]), int(made.second[i])))

    @cached_property
    def linear_regions(self) -> IntArray:
        """A label for each piece, 0, 1, ...: neighbors of one map along the segment share it, decided exactly."""
        slope, error = self.affine.A[:, :, 0], self.errors
        apart = np.abs(np.diff(slope, axis=0)) > error[1:] + error[:-1]
        differs = apart.any(axis=1)
        arithmetic, exact = IntegerArithmetic(), {}
        outputs = list(range(self.network.n_outputs))
        for i in np.flatnonzero(~differs).tolist():
            for piece in (i, i + 1):
                if piece not in exact:
                    lines = self._lines(self._pattern(piece), arithmetic).entries(self.network.output, outputs)
                    scale = Fraction(2) ** lines.exponent / lines.denominator
                    exact = {p: v for p, v in exact.items() if p >= i}
                    exact[piece] = [(line.start * scale, line.end * scale) for line in lines.lines]
            differs[i] = exact[i] != exact[i + 1]  # type: ignore[index]
        return np.concatenate([[0], np.cumsum(differs)])[: self.n_pieces].astype(np.int64)

    @property
    def n_linear_regions(self) -> int:
        """Number of runs of pieces with one affine map along the segment."""
        return int(self.linear_regions.max(initial=-1)) + 1

    def values(self) -> FloatArray:
        """Return the outputs at `edges`, shape (n_pieces + 1, m): the path is straight in between."""
        t = self.edges[:, None]
        slope, start = self.affine.A[:, :, 0], self.affine.b
        if not self.n_pieces:
            return np.empty((0, start.shape[1]))
        return np.concatenate([start + t[:-1] * slope, start[-1:] + t[-1:] * slope[-1:]])

    def input_affine(self, i: int) -> AffineMaps:
        """Return the map of piece i in input space: `A` (1, m, *input_shape), `b` (1, m)."""
        from reluatlas.answers.maps import input_affine

        return input_affine(self.network, self._pattern(_checked(i, self.n_pieces, "piece"))[None], 0)

    def to_table(self) -> dict[str, NDArray]:
        """Return one column per property of the pieces, for `pandas.DataFrame(...)` and the like."""
        edges = self.edges
        middle = (edges[1:] + edges[:-1]) / 2
        n_changes = np.concatenate([[0], np.diff(self.crossings.offsets)])[: self.n_pieces]
        out = {
            "piece": np.arange(self.n_pieces),
            "start": edges[:-1],
            "end": edges[1:],
            "changes_at_start": n_changes,
            "linear_region": self.linear_regions,
            "class_at_middle": self.classes[np.searchsorted(self.class_changes, middle)],
        }
        for k in range(self.network.n_outputs):
            out[f"slope_{k}"] = self.affine.A[:, k, 0]
            out[f"value_at_0_{k}"] = self.affine.b[:, k]
        return out

    def _pattern(self, i: int) -> NDArray[np.integer]:
        if "patterns" in self.__dict__:
            return self.patterns[i]
        row, made = self.first_pattern.copy(), self.crossings
        upto = slice(0, made.offsets[max(i, 0)])
        # the last change of a column counts: in reverse, the first one found
        columns, first = np.unique(made.column[upto][::-1], return_index=True)
        row[columns] = made.after[upto][::-1][first]
        return row

    def _lines(self, pattern: NDArray, arithmetic: IntegerArithmetic) -> ExactLines:
        choice = {t: pattern[None, s] for t, s in self.network.pattern_slices().items()}
        return ExactLines(self.network, arithmetic, (dyadic(self.segment.a), dyadic(self.segment.b)), choice)

    def __repr__(self) -> str:
        rest = "" if self.is_complete else f", incomplete: stopped by {self.stopped_by} at t = {self.reached:g}"
        return f"Path({self.n_pieces:,} pieces, {self.classes.size:,} stretches of one class, {self.exactness}{rest})"

    def _repr_html_(self) -> str:
        return f"<p><b>{escape(repr(self))}</b></p>"

    def __reduce__(self) -> Any:
        raise TypeError("a Path is not pickled. Keep its arrays, or trace the segment again.")


class Paths(Sequence[Path]):
    """The paths of several segments, in their order; `paths[i]` is a `Path`.

    Parameters
    ----------
    paths : sequence of Path
    is_polyline : bool
        Whether each segment begins where the one before ends.
    """

    def __init__(self, paths: Sequence[Path], *, is_polyline: bool = False) -> None:
        self._paths = tuple(paths)
        self.is_polyline = is_polyline

    @overload
    def __getitem__(self, index: int) -> Path: ...
    @overload
    def __getitem__(self, index: slice) -> Paths: ...
    def __getitem__(self, index: int | slice) -> Path | Paths:
        if isinstance(index, slice):
            return Paths(self._paths[index], is_polyline=self.is_polyline and index.step in (None, 1))
        return self._paths[index]

    def __len__(self) -> int:
        return len(self._paths)

    def __iter__(self) -> Iterator[Path]:
        return iter(self._paths)

    @property
    def n_pieces(self) -> IntArray:
        """Number of pieces of each path."""
        return np.array([path.n_pieces for path in self._paths], dtype=np.int64)

    @property
    def n_pieces_joined(self) -> int:
        """Number of pieces of all paths; on a polyline, a corner inside a cell does not begin a new piece."""
        total = int(self.n_pieces.sum())
        if not self.is_polyline:
            return total
        both = zip(self._paths, self._paths[1:], strict=False)
        return total - sum(
            p.is_complete and q.n_pieces > 0 and np.array_equal(p.last_pattern, q.first_pattern) for p, q in both
        )

    @property
    def hamming(self) -> IntArray:
        """Hamming distance of the end cells' patterns of each path."""
        return np.array([path.hamming for path in self._paths], dtype=np.int64)

    @property
    def lengths(self) -> FloatArray:
        """Length of each segment, in input units."""
        return np.array([float(np.linalg.norm(p.segment.b - p.segment.a)) for p in self._paths])

    @property
    def is_complete(self) -> bool:
        """Whether all segments were traced."""
        return all(path.is_complete for path in self._paths)

    @property
    def stopped_by(self) -> StoppedBy:
        """What ended an incomplete answer."""
        for path in self._paths:
            if not path.is_complete:
                return path.stopped_by
        return ""

    def __repr__(self) -> str:
        rest = "" if self.is_complete else f", incomplete: stopped by {self.stopped_by}"
        return f"Paths({len(self):,} segments, {int(self.n_pieces.sum()):,} pieces{rest})"


def _checked(i: int, size: int, what: str) -> int:
    if isinstance(i, bool) or not isinstance(i, int | np.integer) or not -size <= i < size:
        raise ArgumentError(f"`i={i!r}` names no {what}; this path has {size:,}, numbered from 0.")
    return int(i) % size
