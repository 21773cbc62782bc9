"""How is the tree worked through? Items, worker threads, budgets, stops.

The cells of an item, then those of the items it leaves, in order: that is the order of the answer. It
depends on the network and the domain alone, not on who computed what when.
"""

from __future__ import annotations

import heapq
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reluatlas.cells import tree
from reluatlas.cells.limits import Limits, StoppedBy
from reluatlas.cells.program import M_K, M_ROW_LIMBS, Lowered
from reluatlas.cells.state import (
    S_DOUBTFUL_VISITS,
    S_DOUBTS,
    S_VISITS,
    State,
    new_state,
    restore_path,
    state_bytes,
)
from reluatlas.domain import Box, Slice
from reluatlas.errors import DomainError
from reluatlas.geometry.polygons import Pool, new_pool
from reluatlas.packs import pack

FIRST_BUDGET, BUDGET, COUNT_BUDGET = 64, 4096, 1 << 15
_ROOM, _CORNERS_PER_CELL = 1 << 12, 8
_PULSE = 0.1


@dataclass(frozen=True, eq=False)
class Item:
    """A polygon in one cell of all levels before `level`, with the pieces of that cell."""

    id: tuple[int, ...]
    level: int
    pieces: NDArray[np.int32]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    radius: NDArray[np.float64]
    line_a: NDArray[np.int64]
    line_b: NDArray[np.int64]
    edges: NDArray[np.int64]

    def __lt__(self, other: Item) -> bool:
        return self.id < other.id


@dataclass(frozen=True, eq=False)
class Found:
    """What one item gave: its cells (None when only counted), and the items that are left."""

    id: tuple[int, ...]
    n_cells: int
    area: float
    cells: tree.Cells | None
    rest: list[Item]


@dataclass(eq=False)
class Run:
    """The outcome of a run: what was found, in order, and how it ended."""

    found: list[Found]
    n_cells: int
    area: float
    stopped_by: StoppedBy
    n_escalated: int
    visits: int
    doubtful_visits: int
    seconds: float


@dataclass(eq=False)
class Worker:
    """One thread's buffers."""

    lowered: Lowered
    coarse: float
    state: State = field(init=False)
    pool: Pool = field(init=False)
    work: tree.Work = field(init=False)
    corners: int = _CORNERS_PER_CELL * BUDGET

    def __post_init__(self) -> None:
        self.state = new_state(self.lowered.program)
        self.packed_state = pack(self.state)
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
        tree.pattern_key(pieces, 0)
        out = tree.new_cells(self.lowered.program, 0, 0, self.lowered.n_outputs, self.lowered.piece_dtype)
        stop = np.zeros(1, dtype=np.int64)
        tree.subdivide(packed, self.packed_state, *self.packed_buffers, pack(out), 0, 1, stop, False, self.coarse)

    def do(self, item: Item, budget: int, stop: NDArray[np.int64], *, collect: bool) -> Found:
        """Subdivide an item up to a budget of cells; buffers grow and it starts again when they are full."""
        program = self.lowered.program
        before = self.state.stats.copy()
        out = tree.new_cells(program, 0, 0, self.lowered.n_outputs, self.lowered.piece_dtype)
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
                    self.work.hash[item.level - 1] = tree.pattern_key(item.pieces, item.pieces.size)
                out = tree.new_cells(program, budget, self.corners, self.lowered.n_outputs, self.lowered.piece_dtype)
            status, n_cells, corners, depth = tree.subdivide(
                packed, state, pool, work, pack(out), 1, budget, stop, collect, self.coarse
            )
            if status == tree.DONE:
                break
            self.state.stats[1:] = before[1:]
            if status == tree.NO_ROOM:
                self._buffers(2 * self.room)
            else:
                self.corners *= 2
        rest = [self._item((*item.id, i), frame) for i, frame in enumerate(self.work.frame[:depth][::-1])]
        whole = _area(item.x, item.y) - sum(_area(r.x, r.y) for r in rest)
        cells = None
        if collect:
            shown = [a[:n_cells] for a in out[:4]] + [a[:corners] for a in out[4:]]
            cells = tree.Cells._make(a.copy() for a in shown)
        return Found(item.id, n_cells, whole, cells, rest)

    def _item(self, id: tuple[int, ...], frame: NDArray[np.int64]) -> Item:
        level, lo, hi = int(frame[tree.F_LEVEL]), int(frame[tree.F_LOW]), int(frame[tree.F_HIGH])
        vertices = self.work.arena_v[lo:hi]
        pieces = self.state.piece[: self.lowered.program.pat_off[level]].copy()
        pool = self.pool
        return Item(
            id, level, pieces, pool.x[vertices], pool.y[vertices], pool.r[vertices], pool.line_a[vertices],
            pool.line_b[vertices], self.work.arena_e[lo:hi].copy(),
        )  # fmt: skip


class _Inline:
    """An executor for one job: no thread to hand work to."""

    def submit(self, task: Callable[..., Found], *arguments: Any, **named: Any) -> Future[Found]:
        """Do the task at once and return it, done."""
        done: Future[Found] = Future()
        done.set_result(task(*arguments, **named))
        return done

    def shutdown(self, *, wait: bool) -> None:
        """Do nothing: nothing runs."""


def coarse_radius(domain: Box | Slice) -> float:
    """Return the radius from which a vertex is placed exactly: a billionth of the domain's largest coordinate."""
    return 1e-9 * max(float(np.abs([domain.box.low, domain.box.high]).max()), 1e-300)


def root(lowered: Lowered) -> Item:
    """Return the whole domain as a work item: its corners counter-clockwise, its sides as edges."""
    low, high = lowered.domain.box.low, lowered.domain.box.high
    x, y = np.array([low[0], high[0], high[0], low[0]]), np.array([low[1], low[1], high[1], high[1]])
    edges = np.array([-3, -2, -4, -1], dtype=np.int64)  # sides: low y, high x, high y, low x
    return Item((), 0, np.zeros(0, dtype=np.int32), x, y, np.zeros(4), np.roll(edges, 1), edges.copy(), edges)


def installed_memory() -> int | None:
    """Return the bytes of memory that this machine has, or None where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def _check_memory(lowered: Lowered, jobs: int) -> None:
    """Refuse a network whose state does not fit into memory, before anything is allocated."""
    need, there = state_bytes(lowered.program), installed_memory()
    if there is not None and jobs * need > there:
        advice = "Pass a smaller `jobs`" if jobs > 1 and need <= there else "Take a smaller network"
        raise DomainError(
            f"the state of one path through this network takes {need / 2**30:,.1f} GiB for each of {jobs} jobs, more "
            f"than the {there / 2**30:,.1f} GiB of this machine. {advice}."
        )


def _area(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    u, v = x - x[0], y - y[0]
    return 0.5 * float(np.sum(u * np.roll(v, -1) - np.roll(u, -1) * v))


def run(lowered: Lowered, limits: Limits, *, collect: bool) -> Run:
    """Subdivide the whole domain of a lowered network.

    Guarantees: the same cells in the same order for any number of jobs; after `max_cells`, the first
    ones of that order; after a time limit or an interrupt, what had been found.
    """
    k = int(lowered.program.meta[M_K])
    if k != 2:
        raise DomainError(
            f"`domain` has {k} dimensions; cells are enumerated on two-dimensional ones. "
            "Pass a `Slice` through three points, or a `Box` for a network with two inputs."
        )
    _check_memory(lowered, limits.n_jobs)
    stop = np.zeros(1, dtype=np.int64)
    idle = [Worker(lowered, coarse_radius(lowered.domain))]
    idle[0].load_kernels()
    start = time.monotonic()
    workers = list(idle)
    pending: list[Item] = [root(lowered)]
    running: dict[Future[Found], tuple[Item, Worker]] = {}
    found: list[Found] = []
    whole = lowered.domain.box.volume
    # the order of cells depends on it, so it may depend on the number of jobs only where there is no order
    later_budget = COUNT_BUDGET if limits.n_jobs == 1 and not collect else BUDGET
    n_cells, done = 0, 0.0
    stopped_by: StoppedBy = ""
    timer = None
    if limits.max_seconds is not None:
        timer = threading.Timer(limits.max_seconds, stop.__setitem__, (0, 1))
        timer.daemon = True
        timer.start()
    executor = ThreadPoolExecutor(limits.n_jobs, thread_name_prefix="reluatlas") if limits.n_jobs > 1 else _Inline()
    try:
        while pending or running:
            while pending and len(running) < limits.n_jobs and not stop[0]:
                item = heapq.heappop(pending)
                if not idle:
                    idle.append(Worker(lowered, workers[0].coarse))
                    workers.append(idle[-1])
                worker = idle.pop()
                budget = later_budget if item.id else FIRST_BUDGET
                running[executor.submit(worker.do, item, budget, stop, collect=collect)] = (item, worker)
            if not running:
                break
            for future in wait(running, timeout=_PULSE, return_when=FIRST_COMPLETED).done:
                item, worker = running.pop(future)
                idle.append(worker)
                answer = future.result()
                found.append(answer if collect else Found(answer.id, answer.n_cells, 0.0, None, []))
                n_cells += answer.n_cells
                done += answer.area
                for rest in answer.rest:
                    heapq.heappush(pending, rest)
            if limits.max_cells is not None and not stop[0]:
                first_open = min([i.id for i in pending] + [i.id for i, _ in running.values()], default=None)
                ready = sum(f.n_cells for f in found if first_open is None or f.id < first_open)
                if ready >= limits.max_cells and (pending or running or (collect and ready > limits.max_cells)):
                    stopped_by = "max_cells"
                    stop[0] = 1
            if limits.progress is not None:
                limits.progress(n_cells, min(1.0, done / whole))
    except KeyboardInterrupt:
        stop[0] = 1
        stopped_by = "interrupt"
        for future in wait(running).done:
            answer = future.result()
            found.append(answer)
            n_cells += answer.n_cells
            done += answer.area
            pending.extend(answer.rest)
    finally:
        stop[0] = 1
        if timer is not None:
            timer.cancel()
        executor.shutdown(wait=True)
    if not stopped_by and pending:
        stopped_by = "max_seconds"
    found.sort(key=lambda f: f.id)
    stats = np.sum([w.state.stats for w in workers], axis=0)
    return Run(
        found=found,
        n_cells=n_cells,
        area=done,
        stopped_by=stopped_by,
        n_escalated=int(stats[S_DOUBTS]),
        visits=int(stats[S_VISITS]),
        doubtful_visits=int(stats[S_DOUBTFUL_VISITS]),
        seconds=time.monotonic() - start,
    )
