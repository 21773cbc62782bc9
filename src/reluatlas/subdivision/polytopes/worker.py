"""How does a worker subdivide polytopes? Its buffers, and polytopes as work items."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from reluatlas.compiled.structs import pack
from reluatlas.domain import Space
from reluatlas.errors import InternalError
from reluatlas.geometry.vertices.polygon import corner_radius
from reluatlas.geometry.vertices.polytope import FREE, Corners, new_corners
from reluatlas.geometry.vertices.volume import new_scratch, volume
from reluatlas.subdivision import worker as base
from reluatlas.subdivision.items import BUDGET, NO_OUTPUT_ROOM, NO_ROOM, Item
from reluatlas.subdivision.polytopes import cuts, tree
from reluatlas.subdivision.polytopes.buffers import Cells, Work, exact_limbs, new_cells, new_work
from reluatlas.subdivision.program.layout import M_K, Lowered

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
class Worker(base.Worker[Polytope]):
    """Subdivides polytopes, of at most 64 `words` facets. Volumes of items that nobody asks for are 0."""

    subdivide = staticmethod(tree.subdivide)
    words: int = 1

    def __post_init__(self) -> None:
        self.k = int(self.lowered.program.meta[M_K])
        self.corners = (4 << self.k) * BUDGET // 4
        super().__post_init__()

    def _buffers(self, room: int) -> tuple[Corners, Work]:
        program = self.lowered.program
        self.scratch = new_scratch(self.k, room, self.words)
        self.packed_scratch = pack(self.scratch)
        return new_corners(room, self.k, exact_limbs(program)), new_work(program, 4 * room, self.words)

    def _coarse(self, *, collect: bool) -> float:
        return self.coarse * (_SHOWN if collect else _COUNTED)

    def _fit(self, item: Polytope) -> None:
        n = item.radius.size
        while 2 * n > self.work.sign.size or 2 * n > self.room:
            self._set_room(2 * self.room)
        if item.mask.shape[1] > self.words:
            self.words = item.mask.shape[1]
            self._set_room(self.room)

    def _load(self, item: Polytope) -> tuple[int, ...]:
        n, n_facets = item.radius.size, item.facets.size
        self.pool.x[:n], self.pool.r[:n], self.pool.rows[:n] = item.x, item.radius, item.rows
        self.pool.size[:n] = np.abs(item.corners).sum(axis=1)
        self.pool.known[:n] = 0
        self.work.arena_v[:n] = np.arange(n)
        self.work.arena_m[:n] = 0
        self.work.arena_m[:n, : item.mask.shape[1]] = item.mask
        self.work.arena_f[:n_facets] = item.facets
        return item.level, -1, 0, 0, n, 0, n_facets, n

    def _grow(self, status: int) -> None:
        if status in (NO_ROOM, NO_OUTPUT_ROOM):
            super()._grow(status)
        elif status == cuts.NO_BITS:
            self.words *= 2
            self._set_room(self.room)
        else:
            raise InternalError(
                "an edge of a cell lies on fewer independent rows than it must. "
                "This is a bug in reluatlas: please report it with the network."
            )

    def _holds(self, budget: int) -> bool:
        return super()._holds(budget) and self.out.mask.shape[1] == self.words

    def _cells(self, budget: int) -> Cells:
        lowered = self.lowered
        corners = self.corners if budget else 0
        return new_cells(
            lowered.program, budget, corners, lowered.n_outputs, self.words, lowered.piece_dtype, corners
        )  # fmt: skip

    def _shown(self, n_cells: int, *written: int) -> list[NDArray]:
        corners, facets = written
        out = self.out
        return [a[:n_cells] for a in out[:5]] + [a[:corners] for a in out[5:9]] + [out.line[:facets]]

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
