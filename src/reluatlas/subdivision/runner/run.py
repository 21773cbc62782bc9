"""How is the tree worked through? Items in turn, budgets, stops, and what came of it.

The cells of an item, then those of the items it leaves, in order: that is the order of the answer. It
depends on the network and the domain alone, not on who computed what when.
"""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike

import numpy as np

from reluatlas.answers.exactness import Exactness
from reluatlas.answers.limits import Limits, StoppedBy
from reluatlas.deadline import flagged, under
from reluatlas.domain import Domain, Space
from reluatlas.errors import TimeLimitError
from reluatlas.network.batches import one_blas_thread
from reluatlas.subdivision.items import Found
from reluatlas.subdivision.path.composition import S_DOUBTFUL_VISITS, S_DOUBTS, S_VISITS
from reluatlas.subdivision.program.layout import Lowered
from reluatlas.subdivision.runner.checkpoint import RunFile
from reluatlas.subdivision.runner.contract import Runner, Workers
from reluatlas.subdivision.runner.frontier import Frontier, Take
from reluatlas.subdivision.runner.kinds import kind_of
from reluatlas.subdivision.runner.memory import check_memory
from reluatlas.subdivision.runner.threads import Threads

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


def run(
    lowered: Lowered,
    limits: Limits,
    *,
    collect: bool,
    checkpoint: str | PathLike[str] | None = None,
    take: Take | None = None,
    workers: Workers | None = None,
) -> Run:
    """Subdivide the whole domain of a lowered network, or go on from where a checkpoint is.

    Parameters
    ----------
    take : callable, optional
        With `collect` and no checkpoint: is given what each item gave, in order, on the thread that called, and nothing
        is kept. Cells come depth first, so that those that agree on the first units, however many, stand together. Of a
        run that was stopped, what later items gave follows at the end.
    workers : Workers, optional
        Who works on the items; threads of this process when None.

    Raises
    ------
    ResultFileError
        When the checkpoint is of another run, damaged, in use, or cannot be written.

    Guarantees
    ----------
    The same cells in the same order for any number of jobs, and whoever works; after `max_cells`, the first ones of
    that order; after a time limit or an interrupt, what had been found. With a checkpoint, the same over any number of
    stops and kills.
    """
    check_memory(lowered, limits.n_jobs if workers is None else 1, collect=collect)
    kind = kind_of(lowered)
    file = None if checkpoint is None else RunFile(checkpoint, lowered, collect=collect)
    try:
        # volumes of polytopes take a while: they are worked out for a count, and for who is told of the share done
        measure = not collect or take is not None or limits.progress is not None or file is not None
        crew = (workers or Threads()).runner(lowered, limits, collect=collect, measure=measure)
        frontier = Frontier(lowered, kind.root(lowered), collect=collect, file=file, take=take)
        with one_blas_thread():  # sums in the same order, whatever the machine
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


def _work(frontier: Frontier, crew: Runner, limits: Limits, domain: Domain) -> StoppedBy:
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
                    crew.prepare(frontier.pending[0])
                    crew.begin(frontier.pop(), len(frontier.pending))
                if not crew.running:
                    break
                for portion in crew.finished(_PULSE):
                    frontier.accept(portion)
                frontier.write_now_and_then()
                tell()
    except (KeyboardInterrupt, TimeLimitError) as stop:
        crew.stop[0] = 1
        stopped_by = "interrupt" if isinstance(stop, KeyboardInterrupt) else "max_seconds"
        for portion in crew.finished(None):
            frontier.accept(portion)
    finally:
        crew.close()
    return "max_seconds" if frontier.pending and not stopped_by else stopped_by


def _is_enough(frontier: Frontier, crew: Runner, max_cells: int | None) -> bool:
    """Return whether the first `max_cells` cells of the order are there, and more besides or left to find."""
    is_open = bool(frontier.pending or crew.running)
    ids = [item.id for item in frontier.pending[:1]] + crew.running
    frontier.settle(min(ids) if is_open else None)
    n_ready = frontier.tally.n_ready
    if max_cells is None or n_ready < max_cells or crew.stop[0]:
        return False
    return is_open or (frontier.keeps and n_ready > max_cells)
