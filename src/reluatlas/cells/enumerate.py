"""Which cells are there? `enumerate_cells`: all of them, with their maps, vertices and neighbors."""

from __future__ import annotations

from os import PathLike

import numpy as np

from reluatlas.affine import AffineMaps
from reluatlas.cells.adjacency import match_facets
from reluatlas.cells.complex import PolyhedralComplex, Vertices
from reluatlas.cells.count import exactness_of
from reluatlas.cells.limits import Limits, ProgressCallback
from reluatlas.cells.program import Lowered, check_domain, lower
from reluatlas.cells.run import Run, run
from reluatlas.cells.tree import Cells, new_cells
from reluatlas.domain import Box, Slice, Space
from reluatlas.errors import DomainError
from reluatlas.network.graph import Network


def enumerate_cells(
    net: Network,
    domain: Box | Slice,
    *,
    max_cells: int | None = None,
    max_seconds: float | None = None,
    jobs: int | None = None,
    progress: ProgressCallback | None = None,
    certain: bool = True,
    checkpoint: str | PathLike[str] | None = None,
) -> PolyhedralComplex:
    """Return the polyhedral complex that a network cuts a domain into.

    A cell is the closure of the points of the domain with one activation pattern, when it has an interior relative
    to the domain. The network is one affine map on each.

    Parameters
    ----------
    net : Network
    domain : Box or Slice
        Two-dimensional: a box of a network with two inputs, or a plane slice of any input space.
    max_cells : int, optional
        Keep at most so many cells: the first ones.
    max_seconds : float, optional
        Stop after so many seconds.
    jobs : int, optional
        Worker threads; all cores when None.
    progress : callable, optional
        Called now and then with the number of cells found and the share of the domain's volume that they fill; with a
        checkpoint also before anything else.
    certain : bool
        Whether doubtful signs are settled exactly; False takes them from float64, to measure what certainty costs.
    checkpoint : path, optional
        An SQLite file that keeps cells and what is left to do, written now and then and at a stop. If it exists, the
        enumeration goes on from there, also after the process was killed. Limits and `jobs` may differ from run to
        run: `max_cells` is of all runs together, `max_seconds` of this one.

    Raises
    ------
    DomainError, DimensionError
        When the domain is not bounded, not two-dimensional, or does not fit the network.
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
    """
    if check_domain(net, domain).dim != 2 or isinstance(domain, Space):
        raise DomainError(
            f"`domain` is {domain!r}; cells are enumerated on a two-dimensional `Box` or `Slice`. "
            "Pass one, or ask `count_cells`, which takes 1 to 6 dimensions and a `Space`."
        )
    limits = Limits(max_cells, max_seconds, jobs, progress)
    lowered = lower(net, domain, certain=certain)
    outcome = run(lowered, limits, collect=True, checkpoint=checkpoint)
    cells = _joined(lowered, outcome, max_cells)
    offsets = np.concatenate([[0], np.cumsum(cells.n_vertices)]).astype(np.int64)
    facets = match_facets(lowered, cells, is_complete=outcome.stopped_by == "" and certain)
    return PolyhedralComplex(
        network=net,
        domain=domain,
        stopped_by=outcome.stopped_by,
        exactness=exactness_of(outcome, certain=certain),
        patterns=cells.pattern,
        affine=AffineMaps(cells.affine[:, :, :-1], cells.affine[:, :, -1]),
        vertices=Vertices(np.stack([cells.x, cells.y], axis=1), offsets, cells.radius),
        facets=facets,
        seconds=outcome.seconds,
    )


def _joined(lowered: Lowered, outcome: Run, max_cells: int | None) -> Cells:
    """Return the cells of all items in order, as one."""
    parts = [found.cells for found in outcome.found if found.cells is not None]
    if not parts:
        return new_cells(lowered.program, 0, 0, lowered.n_outputs, lowered.piece_dtype)
    joined = Cells._make(np.concatenate(columns) for columns in zip(*parts, strict=True))
    if outcome.stopped_by != "max_cells" or max_cells is None or joined.hash.size <= max_cells:
        return joined
    n_corners = int(joined.n_vertices[:max_cells].sum())
    return Cells._make([*(a[:max_cells] for a in joined[:4]), *(a[:n_corners] for a in joined[4:])])
