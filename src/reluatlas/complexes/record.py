"""What is known of a complex? The record that functions read; `PolyhedralComplex` has the methods that call them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from reluatlas.affine import AffineMaps
from reluatlas.answers.exactness import Exactness
from reluatlas.answers.limits import StoppedBy
from reluatlas.complexes.facets import Facets
from reluatlas.domain import Box, Slice, Space
from reluatlas.errors import DomainError
from reluatlas.network.network import Network

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Vertices:
    """The vertices of all cells, one cell after another; in the plane counter-clockwise in each.

    Attributes
    ----------
    points : ndarray, shape (V, k)
        In the domain's coordinates; a vertex of several cells occurs in each. On a `Space`, a direction for each
        vertex at infinity: a cell with vertices is their convex hull plus the cone of its directions.
    offsets : ndarray, shape (n_cells + 1,)
        Vertices of cell i are `points[offsets[i]:offsets[i + 1]]`.
    radii : ndarray, shape (V,)
        Bounds on the error of each coordinate.
    is_ray : ndarray of bool, shape (V,)
        Whether it is at infinity.
    on : ndarray of uint64, shape (V, words), or None
        Bit b of a row says whether the vertex lies on facet b of its cell. None in the plane, where facet j goes
        from vertex j to the next.
    rows : ndarray, shape (V, k), or None
        References of k independent rows that vanish at it, as the engine names them. None in the plane.
    """

    points: FloatArray
    offsets: IntArray
    radii: FloatArray
    is_ray: NDArray[np.bool_]
    on: NDArray[np.uint64] | None = None
    rows: IntArray | None = None


@dataclass(frozen=True, eq=False, repr=False)
class ComplexRecord:
    """The cells of a network on a domain, without what follows from them; `PolyhedralComplex` says what is what."""

    network: Network
    domain: Box | Slice | Space
    stopped_by: StoppedBy
    exactness: Exactness
    patterns: NDArray[np.integer]
    affine: AffineMaps
    vertices: Vertices
    facets: Facets
    seconds: float = field(default=0.0)

    @property
    def box(self) -> Box:
        """The box that bounds the domain, in its coordinates.

        Raises
        ------
        DomainError
            When the domain is a `Space`.
        """
        if isinstance(self.domain, Space):
            raise DomainError(f"`domain` is {self.domain!r}, which no box bounds. Pass a `Box` or a `Slice`.")
        return self.domain.box

    @property
    def n_cells(self) -> int:
        """Number of cells."""
        return self.patterns.shape[0]

    @property
    def n_outputs(self) -> int:
        """Number of outputs (m)."""
        return self.affine.b.shape[1]

    @property
    def is_complete(self) -> bool:
        """Whether all cells of the domain are there."""
        return self.stopped_by == ""

    @cached_property
    def is_bounded(self) -> NDArray[np.bool_]:
        """Whether each cell is bounded, shape (n_cells,); decided exactly, never by a radius."""
        rays = np.concatenate([[0], np.cumsum(self.vertices.is_ray)])
        return np.diff(rays[self.vertices.offsets]) == 0
