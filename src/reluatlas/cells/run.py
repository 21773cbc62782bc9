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
from dataclasses import dataclass
from typing import Any

import numpy as np

from reluatlas.cells.items import BUDGET, COUNT_BUDGET, FIRST_BUDGET, Found, Item
from reluatlas.cells.limits import Limits, StoppedBy
from reluatlas.cells.program import M_K, Lowered
from reluatlas.cells.state import S_DOUBTFUL_VISITS, S_DOUBTS, S_VISITS, state_bytes
from reluatlas.domain import Box, Slice, Space
from reluatlas.errors import DomainError

MAX_DIMENSION = 6
_PULSE = 0.1


@dataclass(eq=False)
class Run:
    """The outcome of a run: what was found, in order, and how it ended."""

    found: list[Found]
    n_cells: int
    volume: float
    stopped_by: StoppedBy
    n_escalated: int
    visits: int
    doubtful_visits: int
    seconds: float


class _Inline:
    """An executor for one job: no thread to hand work to."""

    def submit(self, task: Callable[..., Found], *arguments: Any, **named: Any) -> Future[Found]:
        """Do the task at once and return it, done."""
        done: Future[Found] = Future()
        done.set_result(task(*arguments, **named))
        return done

    def shutdown(self, *, wait: bool) -> None:
        """Do nothing: nothing runs."""


def _kind(lowered: Lowered) -> tuple[Callable[[Lowered], Any], Callable[[Lowered], Any]]:
    """Return what makes a worker and the root of the tree: polygons in the plane, polytopes in other dimensions."""
    k = int(lowered.program.meta[M_K])
    if k > MAX_DIMENSION:
        raise DomainError(
            f"`domain` has {k} dimensions; cells are counted in up to {MAX_DIMENSION}. Pass a `Slice` of fewer "
            "dimensions, or look at one cell after another with `cell_at` and `explore`."
        )
    if is_plane(lowered.domain):
        from reluatlas.cells import plane

        return plane.Worker, plane.root
    from reluatlas.cells.solid import worker

    return worker.Worker, worker.root


def is_plane(domain: Box | Slice | Space) -> bool:
    """Return whether cells are polygons: on a bounded domain of two dimensions."""
    return domain.dim == 2 and not isinstance(domain, Space)


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


def run(lowered: Lowered, limits: Limits, *, collect: bool) -> Run:
    """Subdivide the whole domain of a lowered network.

    Guarantees: the same cells in the same order for any number of jobs; after `max_cells`, the first
    ones of that order; after a time limit or an interrupt, what had been found.
    """
    _check_memory(lowered, limits.n_jobs)
    stop = np.zeros(1, dtype=np.int64)
    new_worker, root = _kind(lowered)
    idle = [new_worker(lowered)]
    idle[0].load_kernels()
    start = time.monotonic()
    workers = list(idle)
    pending: list[Any] = [root(lowered)]
    running: dict[Future[Found], tuple[Item, Any]] = {}
    found: list[Found] = []
    whole = np.inf if isinstance(lowered.domain, Space) else lowered.domain.box.volume
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
                    idle.append(new_worker(lowered))
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
                done += answer.volume
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
            done += answer.volume
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
        volume=done,
        stopped_by=stopped_by,
        n_escalated=int(stats[S_DOUBTS]),
        visits=int(stats[S_VISITS]),
        doubtful_visits=int(stats[S_DOUBTFUL_VISITS]),
        seconds=time.monotonic() - start,
    )
