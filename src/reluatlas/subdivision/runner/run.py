"""How is the tree worked through? Items, worker threads, budgets, stops.

The cells of an item, then those of the items it leaves, in order: that is the order of the answer. It
depends on the network and the domain alone, not on who computed what when.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from os import PathLike
from typing import Any, NamedTuple

import numpy as np

from reluatlas.answers.exactness import Exactness
from reluatlas.answers.limits import Limits, StoppedBy
from reluatlas.deadline import flagged, under
from reluatlas.domain import Domain, Space
from reluatlas.errors import DomainError
from reluatlas.memory import available_memory, require_memory
from reluatlas.subdivision.items import BUDGET, COUNT_BUDGET, FIRST_BUDGET, Found, Item
from reluatlas.subdivision.path.composition import S_DOUBTFUL_VISITS, S_DOUBTS, S_VISITS, state_bytes
from reluatlas.subdivision.program.layout import M_K, Lowered
from reluatlas.subdivision.runner.checkpoint import RunFile
from reluatlas.subdivision.runner.frontier import Frontier

MAX_DIMENSION = 6
_PULSE = 0.1


@dataclass(eq=False)
class Run:
    """The outcome of a run, over all its parts when it went on from a checkpoint: what was found, and how it ended.

    `found` is in order, and empty where cells are only counted. `volume` says nothing where cells are collected without
    a checkpoint and nobody is told the progress.
    """

    found: list[Found]
    n_cells: int
    volume: float
    stopped_by: StoppedBy
    n_escalated: int
    visits: int
    doubtful_visits: int
    seconds: float


class _Kind(NamedTuple):
    """What makes a worker, the root of the tree, and cells of named arrays."""

    worker: Callable[[Lowered], Any]
    root: Callable[[Lowered], Item]
    cells: Callable[..., Any]


def _kind(lowered: Lowered) -> _Kind:
    """Return how the tree is worked through: as polygons in the plane, as polytopes in other dimensions."""
    k = int(lowered.program.meta[M_K])
    if k > MAX_DIMENSION:
        raise DomainError(
            f"`domain` has {k} dimensions; cells are counted in up to {MAX_DIMENSION}. Pass a `Slice` of fewer "
            "dimensions, or look at one cell after another with `cell_at` and `explore`."
        )
    if is_plane(lowered.domain):
        from reluatlas.subdivision.polygons import tree
        from reluatlas.subdivision.polygons import worker as plane

        return _Kind(plane.Worker, plane.root, tree.Cells)
    from reluatlas.subdivision.polytopes import buffers, worker

    return _Kind(worker.Worker, worker.root, buffers.Cells)


def is_plane(domain: Domain) -> bool:
    """Return whether cells are polygons: on a bounded domain of two dimensions."""
    return domain.dim == 2 and not isinstance(domain, Space)


def _check_memory(lowered: Lowered, jobs: int, *, collect: bool) -> None:
    """Refuse a network whose state, and what it finds of one item, do not fit into memory, before it is allocated."""
    # the program is there already, and what is available counts it
    made = sum(array.nbytes for array in lowered.program)
    need, there = state_bytes(lowered.program), available_memory()
    if collect:
        per_cell = lowered.n_units * lowered.piece_dtype.itemsize + 8 * lowered.n_outputs * (lowered.domain.dim + 1)
        need += BUDGET * per_cell
    fits_alone = there is not None and made + need <= there
    require_memory(
        made + jobs * need,
        f"this network with the state of one path through it for each of {jobs} jobs" if jobs > 1 else
        "this network with the state of one path through it",
        "Pass a smaller `jobs`." if jobs > 1 and fits_alone else "Take a smaller network, or smaller inputs.",
    )  # fmt: skip


class _Crew:
    """Worker threads with their buffers, each made when it is first needed, and what they are working on."""

    def __init__(
        self, new_worker: Callable[[Lowered], Any], lowered: Lowered, n_jobs: int, *, collect: bool, measure: bool
    ) -> None:
        self.n_jobs, self.collect, self._measure = n_jobs, collect, measure
        self.stop = np.zeros(1, dtype=np.int64)
        self.running: dict[Future[Found], tuple[Item, int, Any]] = {}
        self._new_worker, self._lowered = new_worker, lowered
        self._idle = [self._worker()]
        self._idle[0].load_kernels()
        # the order of cells depends on it, so it may depend on the number of jobs only where there is no order
        self._later_budget = COUNT_BUDGET if n_jobs == 1 and not collect else BUDGET
        # one job has its thread, too: the main thread waits, and hears of Ctrl-C meanwhile
        self._executor = ThreadPoolExecutor(n_jobs, thread_name_prefix="reluatlas")

    def _worker(self) -> Any:
        worker = self._new_worker(self._lowered)
        worker.measures = self._measure
        return worker

    @property
    def is_free(self) -> bool:
        """Whether another item can be begun."""
        return len(self.running) < self.n_jobs and not self.stop[0]

    def begin(self, item: Item) -> None:
        """Begin an item."""
        worker = self._idle.pop() if self._idle else self._worker()
        budget = self._later_budget if item.id else FIRST_BUDGET
        future = self._executor.submit(worker.do, item, budget, self.stop, collect=self.collect)
        self.running[future] = (item, budget, worker)

    def finished(self, timeout: float | None) -> Iterator[tuple[Item, Found, bool]]:
        """Yield items that are done by now, their answers, and whether no stop cut them short.

        Waits for the first one, but no longer than `timeout` seconds; with None, for all.
        """
        when = ALL_COMPLETED if timeout is None else FIRST_COMPLETED
        for future in wait(self.running, timeout=timeout, return_when=when).done:
            item, budget, worker = self.running.pop(future)
            self._idle.append(worker)
            answer = future.result()
            yield item, answer, not answer.rest or answer.n_cells >= budget

    def close(self) -> None:
        """Stop, and end the threads."""
        self.stop[0] = 1
        self._executor.shutdown(wait=True)


def run(
    lowered: Lowered,
    limits: Limits,
    *,
    collect: bool,
    checkpoint: str | PathLike[str] | None = None,
    take: Callable[[Any], None] | None = None,
) -> Run:
    """Subdivide the whole domain of a lowered network, or go on from where a checkpoint is.

    Parameters
    ----------
    take : callable(cells), optional
        With `collect` and no checkpoint: is given the cells in order, in portions, none of which is kept then. They
        come depth first, so that those that agree on the first units, however many, stand together.

    Raises
    ------
    ResultFileError
        When the checkpoint is of another run, damaged, in use, or cannot be written.

    Guarantees
    ----------
    The same cells in the same order for any number of jobs; after `max_cells`, the first ones of that order; after a
    time limit or an interrupt, what had been found. With a checkpoint, the same over any number of stops and kills.
    """
    _check_memory(lowered, limits.n_jobs, collect=collect)
    kind = _kind(lowered)
    file = None if checkpoint is None else RunFile(checkpoint, lowered, collect=collect)
    try:
        # volumes of polytopes take a while: they are worked out for a count, and for who is told of the share done
        measure = not collect or take is not None or limits.progress is not None or file is not None
        crew = _Crew(kind.worker, lowered, limits.n_jobs, collect=collect, measure=measure)
        frontier = Frontier(lowered, kind.root(lowered), collect=collect, file=file, take=take)
        stopped_by = _work(frontier, crew, limits, lowered.domain)
        frontier.finish(kind.cells)
    finally:
        if file is not None:
            file.close()
    tally = frontier.tally
    return Run(
        found=frontier.found,
        n_cells=tally.n_cells,
        volume=tally.volume,
        stopped_by=stopped_by,
        n_escalated=int(tally.counters[S_DOUBTS]),
        visits=int(tally.counters[S_VISITS]),
        doubtful_visits=int(tally.counters[S_DOUBTFUL_VISITS]),
        seconds=tally.seconds,
    )


def exactness_of(outcome: Run, *, certain: bool) -> Exactness:
    """Return how the decisions of a run were made."""
    return Exactness(
        status="exact" if certain else "float64",
        n_escalated=outcome.n_escalated,
        n_uncertain=0 if certain else outcome.n_escalated,
        n_visits=outcome.visits,
        n_doubtful_visits=outcome.doubtful_visits,
    )


def _work(frontier: Frontier, crew: _Crew, limits: Limits, domain: Domain) -> StoppedBy:
    """Work until nothing is open or something stops it; return what."""
    whole = np.inf if isinstance(domain, Space) else domain.box.volume
    stopped_by: StoppedBy = ""

    def tell() -> None:
        if limits.progress is not None:
            limits.progress(frontier.tally.n_cells, min(1.0, frontier.tally.volume / whole))

    try:
        with under(limits.deadline), flagged(crew.stop):
            if frontier.file is not None:
                tell()
            while True:
                if _is_enough(frontier, crew, limits.max_cells):
                    stopped_by = "max_cells"
                    crew.stop[0] = 1
                while frontier.pending and crew.is_free:
                    crew.begin(frontier.pop())
                if not crew.running:
                    break
                for item, answer, is_whole in crew.finished(_PULSE):
                    frontier.accept(item, answer, is_whole=is_whole)
                frontier.write_now_and_then()
                tell()
    except KeyboardInterrupt:
        crew.stop[0] = 1
        stopped_by = "interrupt"
        for item, answer, is_whole in crew.finished(None):
            frontier.accept(item, answer, is_whole=is_whole)
    finally:
        crew.close()
    return "max_seconds" if frontier.pending and not stopped_by else stopped_by


def _is_enough(frontier: Frontier, crew: _Crew, max_cells: int | None) -> bool:
    """Return whether the first `max_cells` cells of the order are there, and more besides or left to find."""
    is_open = bool(frontier.pending or crew.running)
    ids = [item.id for item in frontier.pending[:1]] + [item.id for item, _, _ in crew.running.values()]
    frontier.settle(min(ids) if is_open else None)
    n_ready = frontier.tally.n_ready
    if max_cells is None or n_ready < max_cells or crew.stop[0]:
        return False
    return is_open or (frontier.keeps and n_ready > max_cells)
