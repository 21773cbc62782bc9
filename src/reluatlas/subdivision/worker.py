"""How does a worker subdivide an item? In buffers that grow until it fits; polygons and polytopes fill them in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from reluatlas.compiled.structs import Pack, pack
from reluatlas.subdivision.items import DONE, NO_OUTPUT_ROOM, NO_ROOM, Found, Item, coarse_radius
from reluatlas.subdivision.path.composition import State, new_state, restore_path
from reluatlas.subdivision.path.pieces import path_key
from reluatlas.subdivision.program.keys import pattern_key
from reluatlas.subdivision.program.layout import Lowered

ROOM = 1 << 12
"""Vertices for which there is room at first."""

I = TypeVar("I", bound=Item)  # noqa: E741


@dataclass(eq=False)
class Worker(Generic[I]):
    """One thread's buffers; of a local network, beside a program and a state of the whole one (see `new_state`).

    Attributes
    ----------
    pool, work, out : tuples of arrays
        Vertices; the stack and scratch space; cells as the kernel writes them.
    corners : int
        Vertices of cells for which there is room.
    measures : bool
        Whether anyone asks for the volumes of items that are left.
    """

    subdivide: ClassVar[Callable[..., Any]]
    """The kernel."""

    lowered: Lowered
    whole: tuple[Pack, Pack] | None = None
    coarse: float = field(init=False)
    state: State = field(init=False)
    pool: Any = field(init=False)
    work: Any = field(init=False)
    out: Any = field(init=False)
    room: int = field(init=False)
    corners: int = field(init=False)
    measures: bool = True

    def __post_init__(self) -> None:
        self.coarse = coarse_radius(self.lowered.domain)
        self.state = new_state(self.lowered.program, self.lowered.packed, whole=self.whole)
        self.packed_state = pack(self.state)
        self._set_out(0)
        self._set_room(ROOM)

    def load_kernels(self) -> None:
        """Compile the kernels or read them from the cache, so that no clock runs meanwhile."""
        packed, pieces = self.lowered.packed, np.zeros(0, dtype=np.int32)
        restore_path(packed, self.packed_state, 0, pieces)
        pattern_key(pieces, 0)
        stop = np.zeros(1, dtype=np.int64)
        type(self).subdivide(
            packed, self.packed_state, *self.packed_buffers, self.packed_out, 0, 1, stop, False, self.coarse
        )  # fmt: skip

    def do(self, item: I, budget: int, stop: NDArray[np.int64], *, collect: bool) -> Found:
        """Subdivide an item up to a budget of cells; buffers grow and it starts again when they are full."""
        before = self.state.stats.copy()
        coarse = self._coarse(collect=collect)
        while True:
            self._fit(item)
            packed, state, (pool, work) = self.lowered.packed, self.packed_state, self.packed_buffers
            self.work.frame[0] = self._load(item)
            restore_path(packed, state, item.level, item.pieces)
            if collect:
                if item.level > 0:
                    self.work.hash[item.level - 1] = path_key(self.lowered, item.pieces)
                if not self._holds(budget):
                    self._set_out(budget)
            status, n_cells, *written, depth = type(self).subdivide(
                packed, state, pool, work, self.packed_out, 1, budget, stop, collect, coarse
            )
            if status == DONE:
                break
            self.state.stats[1:] = before[1:]
            self._grow(status)
        rest = [self._item((*item.id, i), frame) for i, frame in enumerate(self.work.frame[:depth][::-1])]
        cells = type(self.out)._make(a.copy() for a in self._shown(n_cells, *written)) if collect else None
        done = item.measure - sum(r.measure for r in rest)
        return Found(item.id, n_cells, done, cells, rest, self.state.stats - before)

    def _set_room(self, room: int) -> None:
        self.room = room
        self.pool, self.work = self._buffers(room)
        self.packed_buffers = pack(self.pool), pack(self.work)

    def _set_out(self, budget: int) -> None:
        """Have room for a budget of cells; what was made for an item before is used again while it will do."""
        self.out = self._cells(budget)
        self.packed_out = pack(self.out)

    def _grow(self, status: int) -> None:
        """Make larger what was too small."""
        if status == NO_ROOM:
            self._set_room(2 * self.room)
        else:
            assert status == NO_OUTPUT_ROOM
            self.corners *= 2

    def _coarse(self, *, collect: bool) -> float:
        """Return the radius from which a vertex is placed anew."""
        return self.coarse

    def _buffers(self, room: int) -> tuple[Any, Any]:
        """Return the pool of vertices, and the stack and scratch space."""
        raise NotImplementedError

    def _fit(self, item: I) -> None:
        """Let buffers grow until an item can be loaded."""
        raise NotImplementedError

    def _load(self, item: I) -> tuple[int, ...]:
        """Write an item into the buffers and return the frame that stands for it."""
        raise NotImplementedError

    def _holds(self, budget: int) -> bool:
        """Return whether there is room for a budget of cells."""
        return self.out.hash.size >= budget and self.out.radius.size >= self.corners

    def _cells(self, budget: int) -> Any:
        """Return room for cells."""
        raise NotImplementedError

    def _shown(self, n_cells: int, *written: int) -> list[NDArray]:
        """Return what was written of the cells, array by array."""
        raise NotImplementedError

    def _item(self, id: tuple[int, ...], frame: NDArray[np.int64]) -> I:
        """Return what a frame stands for as an item."""
        raise NotImplementedError
