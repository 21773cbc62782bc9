"""How does a worker subdivide polytopes? Its buffers, and polytopes as work items."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product

import numpy as np
from numpy.typing import NDArray

from reluatlas.compiled.structs import Pack, pack
from reluatlas.domain import Space
from reluatlas.errors import InternalError
from reluatlas.geometry.vertices.polygon import corner_radius
from reluatlas.geometry.vertices.polytope import FREE, Corners, new_corners
from reluatlas.geometry.vertices.volume import new_scratch, volume
from reluatlas.subdivision.items import BUDGET, Found, Item, coarse_radius
from reluatlas.subdivision.path.composition import State, new_state, restore_path
from reluatlas.subdivision.path.pieces import path_key
from reluatlas.subdivision.polytopes import cuts, tree
from reluatlas.subdivision.polytopes.buffers import Cells, Work, exact_limbs, new_cells, new_work
from reluatlas.subdivision.program.keys import pattern_key
from reluatlas.subdivision.program.layout import M_K, Lowered

_ROOM = 1 << 12
_SHOWN, _COUNTED = 10.0, 1e5
"""From how many times the coarse radius on a vertex is placed anew: where it is shown, and where it only decides."""


@dataclass(frozen=True, eq=False)
class Polytope(Item):
    """A polytope as a work item: its vertices, the rows that meet in each, their masks, the table of facets.

    `volume` is one number; 0 on a space.
    """

    x: NDArray[np.float64]
    radius: NDArray[np.float64]
    rows: NDArray[np.int64]
    mask: NDArray[np.uint64]
    facets: NDArray[np.int64]
    volume: NDArray[np.float64]

    @property
    def corners(self) -> NDArray[np.float64]:
        """The vertices (n, k)."""
        return self.x[:, :-1]

    @property
    def farthest(self) -> float:
        """How far the vertices may be from where they are, in each coordinate."""
        return float(self.radius.max())

    @property
    def measure(self) -> float:
        """The volume, in the domain's coordinates."""
        return float(self.volume[0])


@dataclass(eq=False)
class Worker:
    """One thread's buffers; of a local network, beside a program and a state of the whole one (see `new_state`)."""

    lowered: Lowered
    whole: tuple[Pack, Pack] | None = None
    coarse: float = field(init=False)
    state: State = field(init=False)
    pool: Corners = field(init=False)
    work: Work = field(init=False)
    words: int = 1
    measures: bool = True
    """Whether the volumes of items that are left are worked out; else they are 0."""

    def __post_init__(self) -> None:
        self.coarse = coarse_radius(self.lowered.domain)
        self.state = new_state(self.lowered.program, self.lowered.packed, whole=self.whole)
        self.packed_state = pack(self.state)
        self.k = int(self.lowered.program.meta[M_K])
        self.corners = (4 << self.k) * BUDGET // 4
        self.out = self._cells(0)
        self.packed_out = pack(self.out)
        self._buffers(_ROOM)

    def _buffers(self, room: int) -> None:
        program = self.lowered.program
        self.room = room
        self.pool = new_corners(room, self.k, exact_limbs(program))
        self.work = new_work(program, 4 * room, self.words)
        self.scratch = new_scratch(self.k, room, self.words)
        self.packed_buffers, self.packed_scratch = (pack(self.pool), pack(self.work)), pack(self.scratch)

    def load_kernels(self) -> None:
        """Compile the kernels or read them from the cache, so that no clock runs meanwhile."""
        packed, pieces = self.lowered.packed, np.zeros(0, dtype=np.int32)
        restore_path(packed, self.packed_state, 0, pieces)
        pattern_key(pieces, 0)
        stop = np.zeros(1, dtype=np.int64)
        tree.subdivide(packed, self.packed_state, *self.packed_buffers, self.packed_out, 0, 1, stop, False, self.coarse)

    def do(self, item: Polytope, budget: int, stop: NDArray[np.int64], *, collect: bool) -> Found:
        """Subdivide an item up to a budget of cells; buffers grow and it starts again when they are full."""
        before = self.state.stats.copy()
        coarse = self.coarse * (_SHOWN if collect else _COUNTED)
        while True:
            n, n_facets = item.radius.size, item.facets.size
            if 2 * n > self.work.sign.size or 2 * n > self.room:
                self._buffers(2 * self.room)
                continue
            if item.mask.shape[1] > self.words:
                self.words = item.mask.shape[1]
                self._buffers(self.room)
            self._load(item)
            packed, state, (pool, work) = self.lowered.packed, self.packed_state, self.packed_buffers
            self.work.frame[0] = (item.level, -1, 0, 0, n, 0, n_facets, n)
            restore_path(packed, state, item.level, item.pieces)
            if collect:
                if item.level > 0:
                    self.work.hash[item.level - 1] = path_key(self.lowered, item.pieces)
                self._make_room(budget)
            status, n_cells, corners, facets, depth = tree.subdivide(
                packed, state, pool, work, self.packed_out, 1, budget, stop, collect, coarse
            )
            if status == cuts.DONE:
                break
            self.state.stats[1:] = before[1:]
            self._grow(status)
        rest = [self._item((*item.id, i), frame) for i, frame in enumerate(self.work.frame[:depth][::-1])]
        cells = None
        if collect:
            out = self.out
            shown = [a[:n_cells] for a in out[:5]] + [a[:corners] for a in out[5:9]] + [out.line[:facets]]
            cells = Cells._make(a.copy() for a in shown)
        done = float(item.volume[0]) - sum(float(p.volume[0]) for p in rest)
        return Found(item.id, n_cells, done, cells, rest, self.state.stats - before)

    def _load(self, item: Polytope) -> None:
        n, k = item.radius.size, self.k
        self.pool.x[:n], self.pool.r[:n], self.pool.rows[:n] = item.x, item.radius, item.rows
        self.pool.size[:n] = np.abs(item.x[:, :k]).sum(axis=1)
        self.pool.known[:n] = 0
        self.work.arena_v[:n] = np.arange(n)
        self.work.arena_m[:n] = 0
        self.work.arena_m[:n, : item.mask.shape[1]] = item.mask
        self.work.arena_f[: item.facets.size] = item.facets

    def _grow(self, status: int) -> None:
        if status == cuts.NO_ROOM:
            self._buffers(2 * self.room)
        elif status == cuts.NO_BITS:
            self.words *= 2
            self._buffers(self.room)
        elif status == cuts.NO_OUTPUT_ROOM:
            self.corners *= 2
        else:
            raise InternalError(
                "an edge of a cell lies on fewer independent rows than it must. "
                "This is a bug in reluatlas: please report it with the network."
            )

    def _make_room(self, budget: int) -> None:
        """Have room for a budget of cells: what was made for an item before it is used again."""
        out = self.out
        if out.hash.size < budget or out.radius.size < self.corners or out.mask.shape[1] != self.words:
            self.out = self._cells(budget)
            self.packed_out = pack(self.out)

    def _cells(self, budget: int) -> Cells:
        lowered = self.lowered
        corners = self.corners if budget else 0
        return new_cells(
            lowered.program, budget, corners, lowered.n_outputs, self.words, lowered.piece_dtype, corners
        )  # fmt: skip

    def _item(self, id: tuple[int, ...], frame: NDArray[np.int64]) -> Polytope:
        level, lo, hi = int(frame[tree.F_LEVEL]), int(frame[tree.F_LOW]), int(frame[tree.F_HIGH])
        vertices, pool, mask = self.work.arena_v[lo:hi], self.pool, self.work.arena_m[lo:hi].copy()
        facets = self.work.arena_f[frame[tree.F_FACETS] : frame[tree.F_END]].copy()
        x = pool.x[vertices]
        return Polytope(
            id,
            level,
            self.state.piece[: self.lowered.program.pat_off[level]].copy(),
            x,
            pool.r[vertices],
            pool.rows[vertices],
            mask,
            facets,
            np.array([self._volume(x, mask, facets.size)]),
        )

    def _volume(self, x: NDArray[np.float64], mask: NDArray[np.uint64], n_facets: int) -> float:
        if isinstance(self.lowered.domain, Space) or not self.measures:
            return 0.0
        if len(x) > self.scratch.members.shape[1] or mask.shape[1] != self.scratch.closure.shape[1]:
            self.scratch = new_scratch(self.k, 2 * len(x), mask.shape[1])
            self.packed_scratch = pack(self.scratch)
        return volume(x, mask, len(x), n_facets, self.k, self.packed_scratch)


def root(lowered: Lowered) -> Polytope:
    """Return the whole domain as a work item: the corners of its box; of a space, those at infinity."""
    k, domain = int(lowered.program.meta[M_K]), lowered.domain
    ends = np.array(list(product((0, 1), repeat=k)), dtype=np.int64)
    sides = 2 * np.arange(k) + ends
    x = np.zeros((len(ends), k + 1))
    x[:, :k] = lowered.program.side_val[sides]
    x[:, k] = 0.0 if isinstance(domain, Space) else 1.0
    mask = np.bitwise_or.reduce(np.uint64(1) << sides.astype(np.uint64), axis=1)
    rows = -sides - 1
    facets = -np.arange(2 * k) - 1
    assert facets.min() > FREE
    size = np.array([0.0 if isinstance(domain, Space) else domain.box.volume])
    radius = np.full(len(ends), corner_radius(x))
    return Polytope((), 0, np.zeros(0, dtype=np.int32), x, radius, rows, mask[:, None], facets, size)
