"""What is found beyond six dimensions? Cells by their facets, from linear programs; vertices would be too many."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from typing import NoReturn, cast

import numpy as np
from numpy.typing import NDArray

from reluatlas.affine import AffineMaps
from reluatlas.answers.limits import Limits
from reluatlas.answers.maps import input_affine
from reluatlas.complexes.complex import PolyhedralComplex
from reluatlas.complexes.facets import named_facets
from reluatlas.complexes.record import Vertices
from reluatlas.deadline import current, under
from reluatlas.domain import Domain
from reluatlas.errors import DimensionError, DomainError
from reluatlas.network.maps.affine_at import pattern_type
from reluatlas.network.network import Network
from reluatlas.subdivision.constraints.enumerate import Search
from reluatlas.subdivision.runner.kinds import MAX_DIMENSION
from reluatlas.subdivision.runner.run import exactness_of
from reluatlas.typing import FloatArray

MOST_DIMENSIONS = 24
"""Beyond this, even the first cell takes hours: the linear programs are solved with dense tables."""
_FOR_CELLS = 0.75  # of the time; the rest is for neighbors


@dataclass(frozen=True, eq=False, repr=False)
class FacetComplex(PolyhedralComplex):
    """A complex in more than six dimensions: patterns, maps, facets, neighbors, boundedness; no vertices.

    What follows from vertices (`volumes`, `f_vector`, `faces`, `corners`, the decision boundary, tables, figures,
    files) raises a DimensionError that says so.

    Attributes
    ----------
    inside : ndarray, shape (n_cells, k)
        A point inside each cell; NaN where float64 holds none for certain.
    bounded : ndarray of bool, shape (n_cells,)
    """

    inside: FloatArray | None = None
    bounded: NDArray[np.bool_] | None = None

    @property
    def method(self) -> str:
        """How the cells were found."""
        return "linear programs"

    @cached_property
    def is_bounded(self) -> NDArray[np.bool_]:
        """Whether each cell is bounded, shape (n_cells,); decided exactly."""
        assert self.bounded is not None
        return self.bounded

    @cached_property
    def interior_points(self) -> FloatArray:
        """A point inside of each cell, shape (n_cells, k); NaN where float64 holds none for certain."""
        assert self.inside is not None
        return self.inside


class NoVertices:
    """Stands where a complex has its vertices; refuses to give any, in a sentence."""

    def __init__(self, dim: int) -> None:
        self._dim = dim

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        raise DimensionError(
            f"the vertices of cells are not listed in {self._dim} dimensions, nor what follows from them. "
            f"Use `cell_at` for one cell, or a `Slice` of up to {MAX_DIMENSION} dimensions."
        )


def require_budget(domain: Domain, limits: Limits, checkpoint: str | PathLike[str] | None) -> None:
    """Refuse to begin in more than six dimensions what may have no end, unless a limit is given.

    Raises
    ------
    DomainError
        When there is neither `max_cells` nor `max_seconds`, a checkpoint is asked for, or there are more than 24.
    """
    if domain.dim > MOST_DIMENSIONS:
        raise DomainError(
            f"`domain` has {domain.dim} dimensions; cells are enumerated in up to {MOST_DIMENSIONS}. "
            "Use `cell_at` for the cell of a point, `explore` for those around it, or a `Slice` of fewer dimensions."
        )
    if checkpoint is not None:
        raise DomainError(
            f"`domain` has {domain.dim} dimensions; a checkpoint is kept in up to {MAX_DIMENSION}. Leave `checkpoint` "
            "out, or pass a `Slice` of fewer dimensions."
        )
    if limits.max_cells is None and limits.max_seconds is None and current().is_never:
        raise DomainError(
            f"`domain` has {domain.dim} dimensions: beyond {MAX_DIMENSION}, each cell takes about one linear program a "
            "neuron, and there may be far too many (`reluatlas inspect` prints bounds). Pass `max_cells=` or "
            "`max_seconds=` to go on, a `Slice` of fewer dimensions, or use `cell_at` and `explore`."
        )


def enumerate_beyond(
    net: Network, domain: Domain, limits: Limits, checkpoint: str | PathLike[str] | None = None
) -> FacetComplex:
    """Return the cells of a domain of more than six dimensions; see `enumerate_cells`."""
    require_budget(domain, limits, checkpoint)
    return facet_complex(net, domain, limits)


def facet_complex(net: Network, domain: Domain, limits: Limits) -> FacetComplex:
    """Return the cells of a domain of any dimension, by constraints alone."""
    with under(limits.deadline) as deadline:
        search = Search(net, domain, limits)
        with under(deadline.share(_FOR_CELLS)):
            cells = search.cells()
        neighbor = np.array(search.neighbors(cells), dtype=np.int64)
        outcome = search.outcome(len(cells))
    n, k = len(cells), domain.dim
    offsets = np.concatenate([[0], np.cumsum([len(cell.facets) for cell in cells])]).astype(np.int64)
    line = np.array([facet.reference.line for cell in cells for facet in cell.facets], dtype=np.int64)
    patterns = np.array([cell.pieces for cell in cells], dtype=np.int32).reshape(n, search.tree.n_units)
    maps = [_map_on(net, patterns, domain, i) for i in range(n)]
    return FacetComplex(
        network=net,
        domain=domain,
        stopped_by=outcome.stopped_by,
        exactness=exactness_of(outcome, certain=True),
        patterns=patterns.astype(pattern_type(net)),
        affine=AffineMaps(
            np.array([A for A, _ in maps]).reshape(n, net.n_outputs, k),
            np.array([b for _, b in maps]).reshape(n, net.n_outputs),
        ),
        vertices=cast(Vertices, NoVertices(k)),
        facets=named_facets(neighbor, _twins(neighbor, offsets), offsets, line),
        seconds=outcome.seconds,
        inside=np.array([cell.inside for cell in cells]).reshape(n, k),
        bounded=np.array([cell.is_bounded for cell in cells], dtype=bool),
    )


def _twins(neighbor: NDArray[np.int64], offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return each facet's other side: two convex cells share one facet at most."""
    owner = np.repeat(np.arange(offsets.size - 1), np.diff(offsets))
    at = {pair: j for j, pair in enumerate(zip(owner.tolist(), neighbor.tolist(), strict=True))}
    pairs = zip(neighbor.tolist(), owner.tolist(), strict=True)
    return np.array([at[pair] if pair[0] >= 0 else -1 for pair in pairs], dtype=np.int64)


def _map_on(net: Network, patterns: NDArray[np.integer], domain: Domain, cell: int) -> tuple[FloatArray, FloatArray]:
    """Return the map of a cell in the domain's coordinates."""
    maps = input_affine(net, patterns, cell)
    slopes = maps.A.reshape(net.n_outputs, -1)
    origin, basis = domain.frame()
    return slopes @ basis.T, maps.b[0] + slopes @ origin
