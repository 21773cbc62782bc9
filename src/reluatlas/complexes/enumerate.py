"""Which cells are there? `enumerate_cells`: all of them, with their maps, vertices and neighbors."""

from __future__ import annotations

from os import PathLike

from reluatlas.answers.limits import Limits
from reluatlas.clusters.connect import Cluster, RunnerName, workers_of
from reluatlas.complexes.complex import PolyhedralComplex
from reluatlas.complexes.join import subdivide
from reluatlas.domain import Domain
from reluatlas.memory import in_a_sentence
from reluatlas.network.network import Network
from reluatlas.progress import Progress, tells
from reluatlas.subdivision.program.lower import check_domain
from reluatlas.subdivision.runner.kinds import MAX_DIMENSION


@in_a_sentence
@tells("cells", "share")
def enumerate_cells(
    net: Network,
    domain: Domain,
    *,
    max_cells: int | None = None,
    max_seconds: float | None = None,
    jobs: int | None = None,
    progress: Progress = None,
    certain: bool = True,
    checkpoint: str | PathLike[str] | None = None,
    runner: RunnerName | Cluster | None = None,
) -> PolyhedralComplex:
    """Return the polyhedral complex that a network cuts a domain into.

    A cell is the closure of the points of the domain with one activation pattern, when it has an interior relative
    to the domain. The network is one affine map on each.

    Parameters
    ----------
    net : Network
    domain : Box, Slice or Space
        A box or the whole space of a network's inputs, or a slice of it. Up to six dimensions polygons or polytopes are
        cut. Beyond, linear programs find the cells one after another, on one thread, and a limit must be given; what
        comes back knows facets, but no vertices (`FacetComplex`).
    max_cells : int, optional
        Keep at most so many cells: the first ones.
    max_seconds : float, optional
        Stop after so many seconds. A quarter of them is kept for the neighbors of what was found; neighbors not found
        by then stay unexplored, and the answer incomplete.
    jobs : int, optional
        Worker threads; all cores when None.
    progress : bool or callable(what, done, share), optional
        True shows a bar; a function is told what is counted, how many are done, and which share of the
        domain's volume they fill; with a checkpoint also before anything else.
    certain : bool
        Whether doubtful signs are settled exactly; False takes them from float64, to measure what certainty costs.
    checkpoint : path, optional
        An SQLite file that keeps cells and what is left to do, written now and then and at a stop. If it exists, the
        enumeration goes on from there, also after the process was killed. Limits and `jobs` may differ from run to
        run: `max_cells` is of all runs together, `max_seconds` of this one.
    runner : Cluster or {"threads", "inline", "ray"}, optional
        Who works, in up to six dimensions: what `reluatlas.cluster` returns, for many machines; "ray" for the Ray
        cluster that runs, or else one of this machine's processors; threads of this process when None. Cells come back
        to this process, which finds their neighbors.

    Returns
    -------
    PolyhedralComplex
        Its cells with their maps, vertices and neighbors; a `FacetComplex`, without vertices, beyond six dimensions.

    Raises
    ------
    DomainError, DimensionError
        When the domain does not fit the network, or has more than six dimensions and no limit is given.
    ArgumentError
        When a limit makes no sense.
    ResultFileError
        When the checkpoint is of something else, damaged, in use, or cannot be written.

    Guarantees
    ----------
    Cells, patterns and neighbors are exact (see `Exactness`); maps, vertices and volumes are float64, vertices with
    a bound on their error. Complete unless marked (`is_complete`). The same cells in the same order for any number
    of jobs. A stop by a limit or Ctrl-C gives what was found until then. With a checkpoint, the last run of several
    gives what one alone would have given, bit for bit; unless one of them was stopped within its first piece of work:
    then cells there may come in another order, with maps that differ by rounding.

    Cost
    ----
    Time and memory grow with the number of cells, each of which meets each layer once; one layer of n units makes about
    n^k / k! of them in k dimensions. Beyond six dimensions each cell takes about one linear program a neuron.

    References
    ----------
    [GrigsbyLindsey2022] for the complex; [Yap1997] and [Shewchuk1997] for signs that are certain by a bound, or else
    settled in whole numbers; [CohenHickey1979] for volumes beyond the plane.

    Examples
    --------
    >>> import numpy as np
    >>> import reluatlas as ra
    >>> net = ra.load([(np.eye(2), np.zeros(2)), (np.ones((1, 2)), np.zeros(1))])  # relu(x) + relu(y)
    >>> cx = ra.enumerate_cells(net, ra.Box(-1, 1, dim=2))
    >>> cx.n_cells, cx.volumes.tolist(), cx.f_vector  # a square, cut into four
    (4, [1.0, 1.0, 1.0, 1.0], (9, 12, 4))
    """
    limits = Limits(max_cells, max_seconds, jobs, progress)  # type: ignore[arg-type]
    if check_domain(net, domain).dim > MAX_DIMENSION:
        from reluatlas.complexes.facet_complex import enumerate_beyond

        return enumerate_beyond(net, domain, limits, checkpoint)
    with workers_of(runner) as workers:
        return subdivide(
            net, domain, limits, PolyhedralComplex, certain=certain, checkpoint=checkpoint, workers=workers
        )
