"""What do cells add up to? Sums over a common refinement, cell by cell as they are found; nothing else is kept.

But for what later questions need: the vertices that may be where the difference is largest, the cells whose classes
differ, and, while every difference met may still be zero, the patterns to decide that exactly.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from fractions import Fraction
from math import fsum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reluatlas.arithmetic.rationals import to_floats
from reluatlas.comparison.along import Along
from reluatlas.comparison.exact_means import ExactSums
from reluatlas.comparison.kernels import (
    SLACK,
    Measures,
    U,
    measure_cells,
    measure_vertices,
    new_measures,
    new_room,
)
from reluatlas.comparison.norms import Norm, norm_of
from reluatlas.comparison.proof import Proof
from reluatlas.comparison.refinement import Refinement
from reluatlas.comparison.shape import Shape, shape_of
from reluatlas.compiled.structs import pack
from reluatlas.complexes.linear_regions import ExactMaps, as_keys, errors_of
from reluatlas.geometry.vertices.volume import new_scratch
from reluatlas.network.decision import scores
from reluatlas.network.values.exact import IntegerArithmetic
from reluatlas.subdivision.items import Found
from reluatlas.subdivision.program.layout import Lowered
from reluatlas.typing import FloatArray, IntArray

_CANDIDATES, _FEWEST = 2_048, 64
"""Vertices that are kept as possibly the largest: of the first piece of work and of one output; of a late one."""
_PIECES = 200_000
_PATTERNS = 200_000
_VAGUE = 1e-4
"""Share of a difference that may be rounding; where it is more, rows are composed exactly, not only a few vertices."""
_SHARP, _SHARPENED, _TOGETHER = 1e-10, 4_096, 1_024
"""Share of a difference from which on its value is worked out better; at how many vertices of a piece of work."""
_LEAST_S, _SHARE = 2.0, 0.3
"""Seconds that this may take, and share of the time so far."""
TINY = 2.0**-1074


class Candidate(NamedTuple):
    """A vertex at which a difference may be the largest: how large there, by how much that may be off."""

    value: float
    bound: float
    point: FloatArray
    lines: IntArray
    pattern: NDArray[np.integer]


class Pieces(NamedTuple):
    """Cells on which the classes differ."""

    points: FloatArray
    offsets: IntArray
    f_class: IntArray
    g_class: IntArray
    volume: FloatArray


@dataclass(eq=False)
class Part:
    """What one piece of work gave."""

    n_cells: int
    n_runs: int
    ends: tuple[bytes, ...]
    volume: float
    volume_error: float
    absolute: FloatArray
    absolute_error: FloatArray
    square: FloatArray
    square_error: FloatArray
    pairs: dict[tuple[int, int], tuple[float, float, int]]
    tied: dict[str, tuple[float, float]]
    n_tied: dict[str, int]
    candidates: list[list[Candidate]]
    beyond: FloatArray
    pieces: Pieces


@dataclass(eq=False)
class Totals:
    """Takes cells of a common refinement, and adds up.

    Parameters
    ----------
    both : Refinement
    lowered : Lowered
        Its network on the domain.
    proof : Proof
        Is given the cells, too.
    norm : Norm
        Of the difference over the outputs.
    means : bool
        Whether integrals are asked for.
    exact : ExactSums or None
        Is given the cells, too.
    """

    both: Refinement
    lowered: Lowered
    proof: Proof
    norm: Norm
    means: bool
    exact: ExactSums | None = None
    parts: list[Part] = field(default_factory=list)
    is_different: bool = False
    doubtful: dict[bytes, NDArray[np.integer]] = field(default_factory=dict)
    has_all_doubtful: bool = True
    _n_pieces: int = 0

    def __post_init__(self) -> None:
        self.k, self.m = self.lowered.domain.dim, self.both.m
        self._errors = errors_of(self.lowered)
        self.best = np.zeros(self.m + 1)  # certain lower bounds on the largest difference, of each output and of all
        self._room = new_room(self.k)
        self._scratch_size = 0, 0
        self._arithmetic = IntegerArithmetic()
        self._begin, self._seconds_exact = time.monotonic(), 0.0
        self._along = Along(self.both.network, self.lowered.domain)  # type: ignore[arg-type]

    def take(self, found: Found) -> None:
        """Take what one item of the subdivision gave."""
        if found.n_cells == 0:
            return
        cells = shape_of(found.cells, self.k)
        part = self._part(cells)
        self.parts.append(part)
        self.proof.add(cells.pattern, is_different=self.is_different)

    def _part(self, cells: Shape) -> Part:
        m, c = self.m, len(cells.pattern)
        _, _, d = self.both.outputs(np.moveaxis(cells.affine, 1, -1))
        rows = np.ascontiguousarray(np.moveaxis(d, -1, 1))
        errors = np.repeat(self._errors[None, 2 * m :], c, axis=0)
        out = new_measures(c, len(cells.radius), m)
        packed = pack(out)
        measure_vertices(rows, errors, cells.points, cells.radius, cells.offsets, self.k, packed)
        sharp = self._sharpen(cells, rows, errors, out)
        if self._settle(cells, rows, errors, out, sharp):
            measure_vertices(rows, errors, cells.points, cells.radius, cells.offsets, self.k, packed)
            self._sharpen(cells, rows, errors, out)
        f_class, g_class = self._classes(cells)
        differ = f_class != g_class
        tied = self._tied(cells, f_class, g_class)
        if self.exact is not None:
            self.exact.add(cells, f_class, g_class, tied)
        wanted = np.ones(c, dtype=bool) if self.means else differ | np.any(list(tied.values()), axis=0)
        self._measure(cells, wanted, packed)
        candidates, beyond = self._candidates(cells, out)
        self._decide_zero(cells, rows, errors)
        runs, ends = _runs(cells.pattern[:, : self.both.n_base])
        return Part(
            n_cells=c,
            n_runs=runs,
            ends=ends,
            volume=float(out.volume.sum()) if self.means else float("nan"),
            volume_error=float(out.volume_error.sum()),
            absolute=out.absolute.sum(axis=1),
            absolute_error=out.absolute_error.sum(axis=1),
            square=out.square.sum(axis=1),
            square_error=out.square_error.sum(axis=1),
            pairs=_pairs(f_class, g_class, differ, out),
            tied={name: (float(out.volume[t].sum()), float(out.volume_error[t].sum())) for name, t in tied.items()},
            n_tied={name: int(t.sum()) for name, t in tied.items()},
            candidates=candidates,
            beyond=beyond,
            pieces=self._pieces(cells, f_class, g_class, differ, out),
        )

    def _measure(self, cells: Shape, wanted: NDArray[np.bool_], packed: object) -> None:
        most, words = int(np.diff(cells.offsets).max(initial=1)), max(1, cells.mask.shape[1])
        if most > self._scratch_size[0] or words != self._scratch_size[1]:
            self._scratch_size = 2 * most, words
            self._scratch = pack(new_scratch(self.k, 2 * most, words))
        measure_cells(
            cells.points, cells.radius, cells.mask, cells.offsets, cells.n_facets, self.k, wanted, self.means,
            self._scratch, pack(self._room), packed,
        )  # fmt: skip

    def _classes(self, cells: Shape) -> tuple[IntArray, IntArray]:
        if self.both.columns is None:
            none = np.full(len(cells.pattern), -1, dtype=np.int64)
            return none, none
        return self.both.classes(cells.pattern)

    def _tied(self, cells: Shape, f_class: IntArray, g_class: IntArray) -> dict[str, NDArray[np.bool_]]:
        """Return on which cells another output of f, or of g, is the same function as that of the class."""
        if self.both.columns is None:
            return {}
        m, out = self.m, {}
        for name, network, first, top in (("f", self.both.f, 0, f_class), ("g", self.both.g, m, g_class)):
            rows, errors = scores(network, cells.affine[:, first : first + m]), self._errors[first : first + m]
            if m == 1:
                gap, off = rows, errors[None]
            else:
                gap = rows - np.take_along_axis(rows, top[:, None, None], axis=1)
                off = errors[None] + errors[top][:, None]
            close = np.all(np.abs(gap) <= off, axis=2)
            if m > 1:
                np.put_along_axis(close, top[:, None], False, axis=1)
            doubtful = np.flatnonzero(close.any(axis=1))
            is_tied = np.zeros(len(top), dtype=bool)
            if doubtful.size:
                exact = ExactMaps(self.both.network, self.lowered.domain, cells.pattern[doubtful], self._arithmetic)
                for i, cell in enumerate(doubtful.tolist()):
                    form = exact.of(i)[first : first + m]
                    others = np.flatnonzero(close[cell]).tolist()
                    zero = (Fraction(0),) * (self.k + 1)
                    is_tied[cell] = any(form[o] == (zero if m == 1 else form[int(top[cell])]) for o in others)
            out[name] = is_tied
        return out

    def _candidates(self, cells: Shape, out: Measures) -> tuple[list[list[Candidate]], FloatArray]:
        """Return, for each output and for all, the vertices that may be the best, and what the others do not exceed."""
        owner = np.repeat(np.arange(len(cells.pattern)), np.diff(cells.offsets))
        found, beyond = [], np.zeros(self.m + 1)
        for o in range(self.m + 1):
            if o < self.m:
                value, bound = np.abs(out.value[:, o]), out.bound[:, o]
            else:
                value = norm_of(np.abs(out.value), self.norm)
                bound = (norm_of(out.bound, self.norm) + (self.m + 4) * U * value) * SLACK
            self.best[o] = max(self.best[o], float((value - bound).max()))
            at = np.flatnonzero(value + bound >= self.best[o])
            at = at[np.argsort(-(value + bound)[at], kind="stable")]
            room = max(_FEWEST, _CANDIDATES // (1 + len(self.parts)))
            kept, rest = at[:room], at[room:]
            beyond[o] = float((value + bound)[rest].max(initial=0.0))
            found.append(
                [
                    Candidate(
                        float(value[v]),
                        float(bound[v]),
                        cells.points[v].copy(),
                        cells.lines[v].copy(),
                        cells.pattern[owner[v]].copy(),
                    )
                    for v in kept.tolist()
                ]
            )
        return found, beyond

    def _sharpen(self, cells: Shape, rows: FloatArray, errors: FloatArray, out: Measures) -> NDArray[np.bool_]:
        """Put better values and bounds at the vertices that may be the largest: those of their own pattern.

        Returns at which that was done.
        """
        owner = np.repeat(np.arange(len(rows)), np.diff(cells.offsets))
        done = np.zeros(owner.size, dtype=bool)
        for room in (_FEWEST, _SHARPENED):  # the first few tell most of the others to be too small
            value = np.abs(out.value)
            self.best[:-1] = np.maximum(self.best[:-1], (value - out.bound).max(axis=0))
            vague = (value + out.bound >= self.best[:-1]) & (out.bound > _SHARP * np.maximum(value, self.best[:-1]))
            which = np.flatnonzero(vague.any(axis=1) & ~done)
            if which.size > room:
                which = which[np.argsort(-np.where(vague, value, 0.0)[which].max(axis=1), kind="stable")[:room]]
            done[which] = True
            for start in range(0, which.size, _TOGETHER):
                self._sharpen_some(cells, rows, errors, out, which[start : start + _TOGETHER], owner)
        self.best[:-1] = np.maximum(self.best[:-1], (np.abs(out.value) - out.bound).max(axis=0))
        return done

    def _sharpen_some(
        self, cells: Shape, rows: FloatArray, errors: FloatArray, out: Measures, at: IntArray, owner: IntArray
    ) -> None:
        cell = owner[at]
        found = self._along(cells.points[at], cells.pattern[cell])
        _, _, d = self.both.outputs(found.value)
        _, _, off = self.both.outputs(found.error)
        slope = np.abs(rows[cell][:, :, :-1]) + errors[cell][:, :, :-1]
        off = SLACK * (off + cells.radius[at][:, None] * slope.sum(axis=2))
        is_better = off < out.bound[at]  # False where nothing is known
        out.value[at] = np.where(is_better, d, out.value[at])
        out.bound[at] = np.where(is_better, off, out.bound[at])

    def _settle(
        self, cells: Shape, rows: FloatArray, errors: FloatArray, out: Measures, sharp: NDArray[np.bool_]
    ) -> bool:
        """Compose anew, exactly, the differences' rows of cells where rounding hides which value is the largest.

        So networks that differ by less than float64 sees are told apart, while time allows. Returns whether any was.
        """
        value = np.abs(out.value)
        self.best[:-1] = np.maximum(self.best[:-1], (value - out.bound).max(axis=0))
        may_be = value + out.bound >= self.best[:-1]
        radial = np.repeat(
            np.abs(rows[:, :, :-1]).sum(axis=2), np.diff(cells.offsets), axis=0
        ) * cells.radius[:, None]  # fmt: skip
        vague = may_be & (out.bound - SLACK * radial > _VAGUE * np.maximum(value, self.best[:-1]))
        which = np.flatnonzero(np.add.reduceat(vague.any(axis=1) & sharp, cells.offsets[:-1]))
        if not which.size:
            return False
        begin = time.monotonic()
        exact = ExactMaps(self.both.network, self.lowered.domain, cells.pattern[which], self._arithmetic)
        for i, cell in enumerate(which.tolist()):
            if self._seconds_exact + time.monotonic() - begin > _LEAST_S + _SHARE * (begin - self._begin):
                break
            form = exact.of(i)[2 * self.m :]
            rows[cell] = [to_floats(row) for row in form]
            is_zero = np.array([[v == 0 for v in row] for row in form])
            errors[cell] = np.where(is_zero, 0.0, 2 * U * np.abs(rows[cell]) + TINY)
        self._seconds_exact += time.monotonic() - begin
        return True

    def _decide_zero(self, cells: Shape, rows: FloatArray, errors: FloatArray) -> None:
        """Note that the difference is certainly not zero, or keep the patterns of cells where that is open."""
        if self.is_different:
            return
        if bool(np.any(np.abs(rows) > errors)):
            self.is_different = True
            self.doubtful = {}
            return
        # where nothing was rounded, what is zero is zero
        for pattern in cells.pattern[errors.any(axis=(1, 2))]:
            key = pattern[: self.both.n_base].tobytes()
            if key not in self.doubtful:
                if len(self.doubtful) >= _PATTERNS:
                    self.has_all_doubtful = False
                    return
                self.doubtful[key] = pattern.copy()

    def _pieces(
        self, cells: Shape, f_class: IntArray, g_class: IntArray, differ: NDArray[np.bool_], out: Measures
    ) -> Pieces:
        which = np.flatnonzero(differ)[: max(0, _PIECES - self._n_pieces)]
        self._n_pieces += which.size
        sizes = np.diff(cells.offsets)[which]
        offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        index = np.arange(int(offsets[-1])) + np.repeat(cells.offsets[which] - offsets[:-1], sizes)
        return Pieces(cells.points[index, : self.k], offsets, f_class[which], g_class[which], out.volume[which])

    @property
    def n_cells(self) -> int:
        """Number of cells of the common refinement, the decisions apart."""
        ends = {end for part in self.parts for end in part.ends}
        return sum(part.n_runs for part in self.parts) + len(ends)

    @property
    def n_pieces(self) -> int:
        """Number of cells that the decisions, too, cut."""
        return sum(part.n_cells for part in self.parts)

    def sum_of(self, name: str) -> FloatArray:
        """Return the sums of a column of the parts, correctly rounded, (m,)."""
        columns = [getattr(part, name) for part in self.parts]
        return np.array([fsum(float(c[o]) for c in columns) for o in range(self.m)])

    def pieces(self) -> Pieces:
        """Return all cells on which the classes differ."""
        parts = [part.pieces for part in self.parts if part.pieces.f_class.size]
        if not parts:
            none = np.zeros(0, dtype=np.int64)
            return Pieces(np.zeros((0, self.k)), np.zeros(1, dtype=np.int64), none, none, np.zeros(0))
        sizes = np.concatenate([np.diff(p.offsets) for p in parts])
        return Pieces(
            np.concatenate([p.points for p in parts]),
            np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
            np.concatenate([p.f_class for p in parts]),
            np.concatenate([p.g_class for p in parts]),
            np.concatenate([p.volume for p in parts]),
        )


def _runs(patterns: NDArray[np.integer]) -> tuple[int, tuple[bytes, ...]]:
    """Return how many runs of equal rows there are but for the first and the last one, and these two.

    The cells of one pattern follow each other in the order of the tree, so a run can go on elsewhere only at its ends.
    """
    keys = as_keys(patterns)
    n = int(np.count_nonzero(keys[1:] != keys[:-1])) + 1
    ends = (patterns[0].tobytes(),) if n == 1 else (patterns[0].tobytes(), patterns[-1].tobytes())
    return n - len(ends), ends


def _pairs(
    f_class: IntArray, g_class: IntArray, differ: NDArray[np.bool_], out: Measures
) -> dict[tuple[int, int], tuple[float, float, int]]:
    """Return, for each pair of classes that differ, the volume, its error and the number of cells."""
    which = np.flatnonzero(differ)
    found: dict[tuple[int, int], tuple[float, float, int]] = {}
    pairs, member = np.unique(np.stack([f_class[which], g_class[which]], axis=1), axis=0, return_inverse=True)
    for i, (a, b) in enumerate(pairs.tolist()):
        mine = which[member.reshape(-1) == i]
        found[a, b] = float(out.volume[mine].sum()), float(out.volume_error[mine].sum()), mine.size
    return found
