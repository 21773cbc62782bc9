"""How does a worker subdivide polygons? Its buffers, and polygons as work items."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reluatlas.domain import Space
from reluatlas.geometry.vertices.polygon import Pool, corner_radius, new_pool
from reluatlas.subdivision import worker as base
from reluatlas.subdivision.items import BUDGET, Item
from reluatlas.subdivision.polygons import tree
from reluatlas.subdivision.program.layout import M_ROW_LIMBS, Lowered

_CORNERS_PER_CELL = 8


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


class Worker(base.Worker[Polygon]):
    """Subdivides polygons. Areas are worked out whether anyone asks or not, in no time."""

    subdivide = staticmethod(tree.subdivide)
    corners = _CORNERS_PER_CELL * BUDGET

    def _buffers(self, room: int) -> tuple[Pool, tree.Work]:
        program = self.lowered.program
        return new_pool(room, 2 * int(program.meta[M_ROW_LIMBS]) + 2), tree.new_work(program, 4 * room)

    def _fit(self, item: Polygon) -> None:
        while item.x.size + 8 > self.room // 4:
            self._set_room(2 * self.room)

    def _load(self, item: Polygon) -> tuple[int, ...]:
        n = item.x.size
        for target, source in zip(self.pool[:5], (item.x, item.y, item.radius, item.line_a, item.line_b), strict=True):
            target[:n] = source
        self.pool.known[:n] = 0
        self.work.arena_v[:n] = np.arange(n)
        self.work.arena_e[:n] = item.edges
        return item.level, -1, 0, 0, n, n, 0, -1, -1, 1

    def _cells(self, budget: int) -> tree.Cells:
        lowered = self.lowered
        corners = self.corners if budget else 0
        return tree.new_cells(lowered.program, budget, corners, lowered.n_outputs, lowered.piece_dtype)

    def _shown(self, n_cells: int, *written: int) -> list[NDArray]:
        (corners,) = written
        return [a[:n_cells] for a in self.out[:4]] + [a[:corners] for a in self.out[4:]]

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
