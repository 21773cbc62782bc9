"""How many cells are there? `count_cells`: nothing is kept."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike

from reluatlas.answers.exactness import Exactness
from reluatlas.answers.limits import Limits, StoppedBy
from reluatlas.certify.tree_write import writing_tree
from reluatlas.clusters.connect import Cluster, RunnerName, workers_of
from reluatlas.deadline import under
from reluatlas.domain import Domain, Space
from reluatlas.errors import ArgumentError, DomainError, TimeLimitError
from reluatlas.memory import in_a_sentence
from reluatlas.network.network import Network
from reluatlas.progress import Progress, tells
from reluatlas.shown import Shown
from reluatlas.subdivision.items import Found
from reluatlas.subdivision.program.layout import Lowered
from reluatlas.subdivision.program.lower import check_domain, lower
from reluatlas.subdivision.runner.contract import Workers
from reluatlas.subdivision.runner.kinds import MAX_DIMENSION, is_plane
from reluatlas.subdivision.runner.run import Run, exactness_of, run


@dataclass(frozen=True)
class CellCount(Shown):
    """The number of cells of a network on a domain.

    Attributes
    ----------
    n_cells : int
        Cells found.
    is_complete : bool
        Whether these are all.
    stopped_by : str
        What ended an incomplete count: "max_cells", "max_seconds" or "interrupt".
    exactness : Exactness
    volume_done : float
        Volume of the part of the domain that the cells found fill, in input units; on a `Space` 0 or, when all are
        there, infinite. Not known (0) of a part in more than six dimensions.
    seconds : float
        Time taken, by all runs that a checkpoint joins.
    method : str
        How they were found: by cutting "polygons", "polytopes", or with "linear programs".
    """

    n_cells: int
    is_complete: bool
    stopped_by: StoppedBy
    exactness: Exactness
    volume_done: float
    seconds: float
    method: str = "polygons"

    def __str__(self) -> str:
        rest = "" if self.is_complete else f" so far (stopped by {self.stopped_by})"
        return f"{self.n_cells:,} cells{rest}, {self.exactness}"


@in_a_sentence
@tells("cells", "share")
def count_cells(
    net: Network,
    domain: Domain,
    *,
    max_cells: int | None = None,
    max_seconds: float | None = None,
    jobs: int | None = None,
    progress: Progress = None,
    certain: bool = True,
    checkpoint: str | PathLike[str] | None = None,
    certificate: str | PathLike[str] | None = None,
    runner: RunnerName | Cluster | None = None,
) -> CellCount:
    """Return the number of cells of a network on a domain.

    A cell is the closure of the points of the domain with one activation pattern, when it has an interior relative
    to the domain.

    Parameters
    ----------
    net : Network
    domain : Box, Slice or Space
        A box or the whole space of a network's inputs, or a slice of it. Up to six dimensions polygons or polytopes are
        cut. Beyond, linear programs find the cells one after another, on one thread, and a limit must be given.
    max_cells : int, optional
        Stop when at least so many are found.
    max_seconds : float, optional
        Stop after so many seconds.
    jobs : int, optional
        Worker threads; all cores when None.
    progress : bool or callable(what, done, share), optional
        True shows a bar; a function is told what is counted, how many are done, and which share of the
        domain's volume they fill; with a checkpoint also before anything else.
    certain : bool
        Whether doubtful signs are settled exactly; False takes them from float64, to measure what certainty costs.
    checkpoint : path, optional
        An SQLite file that keeps how far the count is, written now and then and at a stop. If it exists, the count goes
        on from there, also after the process was killed. Limits and `jobs` may differ from run to run: `max_cells` is
        of all runs together, `max_seconds` of this one.
    certificate : path, optional
        A file, such as `run.cert`, that proves the count to anyone: the tree that cuts the domain into its cells, which
        `reluatlas.certify.check_tree` and `reluatlas verify` walk again by code that shares nothing with this. A box or
        slice of up to six dimensions, without a checkpoint. An incomplete count writes none.
    runner : Cluster or {"threads", "inline", "ray"}, optional
        Who works, in up to six dimensions: what `reluatlas.cluster` returns, for many machines; "ray" for the Ray
        cluster that runs, or else one of this machine's processors; threads of this process when None.

    Returns
    -------
    CellCount
        How many there are, whether these are all, and how much of the domain's volume they fill.

    Raises
    ------
    DomainError, DimensionError
        When the domain does not fit the network, or has more than six dimensions and no limit is given.
    ArgumentError
        When a limit makes no sense; for a certificate together with a checkpoint, or with `certain=False`.
    ResultFileError
        When the checkpoint is of something else, damaged, in use, or cannot be written; when the certificate cannot be.

    Guarantees
    ----------
    Exact (see `Exactness`), complete unless marked, the same for any number of jobs and over any number of stops.
    Memory does not grow with the number of cells.

    Cost
    ----
    As `enumerate_cells`, of which it takes a part of the time: cells of the last layer are counted and not made. With a
    certificate they are made, and let go of.

    References
    ----------
    [GrigsbyLindsey2022], [Yap1997], [Shewchuk1997], as for `enumerate_cells`; [Zaslavsky1975] for counting the parts
    that hyperplanes cut a cell into.

    Examples
    --------
    >>> import numpy as np
    >>> import reluatlas as ra
    >>> net = ra.load([(np.eye(2), np.zeros(2)), (np.ones((1, 2)), np.zeros(1))])  # relu(x) + relu(y)
    >>> count = ra.count_cells(net, ra.Space(2))  # one cell a quadrant
    >>> count.n_cells, count.is_complete
    (4, True)
    """
    limits = Limits(max_cells, max_seconds, jobs, progress)  # type: ignore[arg-type]
    domain = check_domain(net, domain)
    if certificate is not None:
        require_provable(domain, checkpoint, certain=certain)
    if domain.dim > MAX_DIMENSION:
        from reluatlas.complexes.facet_complex import require_budget
        from reluatlas.subdivision.constraints.enumerate import count_everywhere

        require_budget(domain, limits, checkpoint)
        return _counted(count_everywhere(net, domain, limits), domain, "linear programs")
    method = "polygons" if is_plane(domain) else "polytopes"
    with workers_of(runner) as workers, under(limits.deadline) as deadline:
        try:
            lowered = lower(net, domain, certain=certain)
            if certificate is None:
                outcome = run(lowered, limits, collect=False, checkpoint=checkpoint, workers=workers)
            else:
                outcome = _run_and_prove(lowered, limits, certificate, workers)
        except TimeLimitError:
            return CellCount(0, False, "max_seconds", Exactness("exact"), 0.0, deadline.seconds, method)
    return _counted(outcome, domain, method, certain=certain)


def _counted(outcome: Run, domain: Domain, method: str, *, certain: bool = True) -> CellCount:
    is_complete = outcome.stopped_by == ""
    if isinstance(domain, Space):
        volume = domain.volume if is_complete else 0.0
    else:
        volume = outcome.volume * domain.unit_volume
    exactness = exactness_of(outcome, certain=certain)
    return CellCount(outcome.n_cells, is_complete, outcome.stopped_by, exactness, volume, outcome.seconds, method)


class _Unproved(Exception):
    """A count was stopped: what its certificate has so far covers a part of the domain."""

    def __init__(self, outcome: Run) -> None:
        self.outcome = outcome


def _run_and_prove(lowered: Lowered, limits: Limits, certificate: str | PathLike[str], workers: Workers | None) -> Run:
    """Return the outcome of a run that writes its certificate as it goes."""
    try:
        with writing_tree(certificate, lowered.network, lowered.domain) as tree:

            def take(found: Found) -> None:
                if found.n_cells:
                    tree.add(found.cells.pattern)

            outcome = run(lowered, limits, collect=True, take=take, workers=workers)
            if outcome.stopped_by:
                raise _Unproved(outcome)
    except _Unproved as stopped:
        return stopped.outcome
    return outcome


def require_provable(domain: Domain, checkpoint: str | PathLike[str] | None = None, *, certain: bool = True) -> None:
    """Refuse a count that has no certificate.

    Raises
    ------
    DomainError, ArgumentError
    """
    if domain.dim > MAX_DIMENSION or isinstance(domain, Space):
        what = "all inputs have no bounds" if isinstance(domain, Space) else f"`domain` has {domain.dim} dimensions"
        raise DomainError(
            f"`certificate` proves counts of bounded domains of up to {MAX_DIMENSION} dimensions; {what}. Pass a `Box` "
            "or a `Slice` of fewer dimensions, or leave `certificate` out."
        )
    if checkpoint is not None:
        raise ArgumentError(
            "`certificate` and `checkpoint` were both given; a certificate is written in one run. Leave one out."
        )
    if not certain:
        raise ArgumentError("`certificate` with `certain=False`: what is not certain has no proof. Leave one out.")
