"""How does a worker subdivide polygons? Its buffers, and polygons as work items."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from reluatlas.compiled.structs import Pack, pack
from reluatlas.domain import Space
from reluatlas.geometry.vertices.polygon import Pool, corner_radius, new_pool
from reluatlas.subdivision.items import BUDGET, Found, Item, coarse_radius
from reluatlas.subdivision.path.composition import State, new_state, restore_path
from reluatlas.subdivision.path.pieces import path_key
from reluatlas.subdivision.polygons import tree
from reluatlas.subdivision.program.keys import pattern_key
from reluatlas.subdivision.program.layout import M_ROW_LIMBS, Lowered

_ROOM, _CORNERS_PER_CELL = 1 << 12, 8


@dataclass(frozen=True, eq=False)
class Polygon(Item):
    """A polygon as a work item: its vertices counter-clockwise, the two lines of each, the line of each edge."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    radius: NDArray[np.float64]
    line_a: NDArray[np.int64]
    line_b: NDArray[np.int64]
    edges: NDArray[np.int64]

    @property
    def corners(self) -> NDArray[np.float64]:
        """The vertices (n, 2)."""
        return np.stack([self.x, self.y], axis=1)

    @property
    def farthest(self) -> float:
        """How far the vertices may be from where they are, in each coordinate."""
        return float(self.radius.max())

    @property
    def measure(self) -> float:
        """The area, in the domain's coordinates."""
        return _area(self.x, self.y)


@dataclass(eq=False)
class Worker:
    """One thread's buffers; of a local network, beside a program and a state of the whole one (see `new_state`)."""

    lowered: Lowered
    whole: tuple[Pack, Pack] | None = None
    coarse: float = field(init=False)
    state: State = field(init=False)
    pool: Pool = field(init=False)
    work: tree.Work = field(init=False)
    corners: int = _CORNERS_PER_CELL * BUDGET
    measures: bool = True
    """Whether anyone asks for areas; they are worked out anyhow, in no time."""

    def __post_init__(self) -> None:
        self.coarse = coarse_radius(self.lowered.domain)
        self.state = new_state(self.lowered.program, self.lowered.packed, whole=self.whole)
        self.packed_state = pack(self.state)
        self.out = self._cells(0)
        self.packed_out = pack(self.out)
        self._buffers(_ROOM)

    def _buffers(self, room: int) -> None:
        program = self.lowered.program
        self.room = room
        self.pool = new_pool(room, 2 * int(program.meta[M_ROW_LIMBS]) + 2)
        self.work = tree.new_work(program, 4 * room)
        self.packed_buffers = pack(self.pool), pack(self.work)

    def load_kernels(self) -> None:
        """Compile the kernels or read them from the cache, so that no clock runs meanwhile."""
        packed, pieces = self.lowered.packed, np.zeros(0, dtype=np.int32)
        restore_path(packed, self.packed_state, 0, pieces)
        pattern_key(pieces, 0)
        stop = np.zeros(1, dtype=np.int64)
        tree.subdivide(packed, self.packed_state, *self.packed_buffers, self.packed_out, 0, 1, stop, False, self.coarse)

    def do(self, item: Polygon, budget: int, stop: NDArray[np.int64], *, collect: bool) -> Found:
        """Subdivide an item up to a budget of cells; buffers grow and it starts again when they are full."""
        before = self.state.stats.copy()
        while True:
            n = item.x.size
            if n + 8 > self.room // 4:
                self._buffers(2 * self.room)
                continue
            for target, source in zip(
                self.pool[:5], (item.x, item.y, item.radius, item.line_a, item.line_b), strict=True
            ):
                target[:n] = source
            self.pool.known[:n] = 0
            self.work.arena_v[:n] = np.arange(n)
            self.work.arena_e[:n] = item.edges
            packed, state, (pool, work) = self.lowered.packed, self.packed_state, self.packed_buffers
            self.work.frame[0] = (item.level, -1, 0, 0, n, n, 0, -1, -1, 1)
            restore_path(packed, state, item.level, item.pieces)
            if collect:
                if item.level > 0:
                    self.work.hash[item.level - 1] = path_key(self.lowered, item.pieces)
                self._make_room(budget)
            status, n_cells, corners, depth = tree.subdivide(
                packed, state, pool, work, self.packed_out, 1, budget, stop, collect, self.coarse
            )
            if status == tree.DONE:
                break
            self.state.stats[1:] = before[1:]
            if status == tree.NO_ROOM:
                self._buffers(2 * self.room)
            else:
                self.corners *= 2
        rest = [self._item((*item.id, i), frame) for i, frame in enumerate(self.work.frame[:depth][::-1])]
        area = _area(item.x, item.y) - sum(_area(r.x, r.y) for r in rest)
        cells = None
        if collect:
            shown = [a[:n_cells] for a in self.out[:4]] + [a[:corners] for a in self.out[4:]]
            cells = tree.Cells._make(a.copy() for a in shown)
        return Found(item.id, n_cells, area, cells, rest, self.state.stats - before)

    def _make_room(self, budget: int) -> None:
        """Have room for a budget of cells: what was made for an item before it is used again."""
        if self.out.hash.size < budget or self.out.radius.size < self.corners:
            self.out = self._cells(budget)
            self.packed_out = pack(self.out)

    def _cells(self, budget: int) -> tree.Cells:
        lowered = self.lowered
        corners = self.corners if budget else 0
        return tree.new_cells(lowered.program, budget, corners, lowered.n_outputs, lowered.piece_dtype)

    def _item(self, id: tuple[int, ...], frame: NDArray[np.int64]) -> Polygon:
        level, lo, hi = int(frame[tree.F_LEVEL]), int(frame[tree.F_LOW]), int(frame[tree.F_HIGH])
        vertices = self.work.arena_v[lo:hi]
        pieces = self.state.piece[: self.lowered.program.pat_off[level]].copy()
        pool = self.pool
        return Polygon(
            id, level, pieces, pool.x[vertices], pool.y[vertices], pool.r[vertices], pool.line_a[vertices],
            pool.line_b[vertices], self.work.arena_e[lo:hi].copy(),
        )  # fmt: skip


def root(lowered: Lowered) -> Polygon:
    """Return the whole domain as a work item: its corners counter-clockwise, its sides as edges."""
    assert not isinstance(lowered.domain, Space)
    low, high = lowered.domain.box.low, lowered.domain.box.high
    x, y = np.array([low[0], high[0], high[0], low[0]]), np.array([low[1], low[1], high[1], high[1]])
    edges = np.array([-3, -2, -4, -1], dtype=np.int64)  # sides: low y, high x, high y, low x
    radius = np.full(4, corner_radius(lowered.domain.box.low, lowered.domain.box.high))
    return Polygon((), 0, np.zeros(0, dtype=np.int32), x, y, radius, np.roll(edges, 1), edges.copy(), edges)


def _area(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    u, v = (x - x[0]).tolist(), (y - y[0]).tolist()  # few numbers: a fourth of the time that arrays take
    return 0.5 * sum(u[i] * v[i + 1] - u[i + 1] * v[i] for i in range(1, len(u) - 1))
