"""`Cell`: one cell of a network in any dimension, with its facets, each with a certificate."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reluatlas.arithmetic.rationals import to_floats
from reluatlas.cells.cells_at import between
from reluatlas.cells.measures import Volume, chebyshev, is_bounded, volume
from reluatlas.cells.nearest_class import NearestOther, nearest_other_class
from reluatlas.cells.neighbor import pattern_across
from reluatlas.cells.record import CellRecord
from reluatlas.cells.sampling import sample
from reluatlas.domain import Space
from reluatlas.errors import InternalError
from reluatlas.geometry.halfspaces.system import FloatArray


@dataclass(frozen=True, eq=False)
class Neighbor:
    """The cell behind a facet.

    Attributes
    ----------
    facet : int
    pattern : ndarray, shape (units,)
    flips : ndarray, shape (units that differ,)
        Columns of the pattern that differ.
    """

    facet: int
    pattern: NDArray[np.integer]
    flips: NDArray[np.int64]
    _cell: Cell

    def cell(self) -> Cell:
        """Return the cell itself."""
        return self._cell.behind(self)


@dataclass(eq=False, repr=False)
class Cell(CellRecord):
    """One activation pattern's cell: a polyhedron on which the network is one affine map.

    Made by `cell_at`, `cells_at` and `Neighbor.cell`. Coordinates are those of the domain: inputs for `Space` and
    `Box`, coordinates of a `Slice`. What is expensive is computed when first asked for.

    Attributes
    ----------
    network : Network
    domain : Box, Slice or Space
    pattern : ndarray of small integers, shape (units,)
    x : ndarray, shape (k,)
        The point that the cell was asked for, or one inside.
    max_seconds : float
        Limit on the search for facets; rows left then are undecided.
    """

    def neighbors(self) -> list[Neighbor]:
        """Return the cells behind the facets that are not on the domain's boundary, in the order of the facets."""
        return [self.neighbor(i) for i in np.flatnonzero(~self.facets.is_domain).tolist()]

    def neighbor(self, facet: int) -> Neighbor:
        """Return what lies behind one facet."""
        found = self._ordered[facet]
        pattern = pattern_across(self.chart, self.system, self.pattern, found.constraints, found.beyond)
        flips = np.flatnonzero(pattern != self.pattern)
        if flips.size == 0:
            raise InternalError("nothing changes across a facet.")
        return Neighbor(facet, pattern, flips, self)

    def behind(self, neighbor: Neighbor) -> Cell:
        """Return the cell of one of `neighbors()`."""
        facet = self._ordered[neighbor.facet]
        out = Cell(self.chart, neighbor.pattern, self.x, facet.beyond, self.max_seconds)
        # a point inside that lies between the facet and the point beyond it
        out.put_inside(between(self.system.system.row(facet.constraints[0]), self.inside, facet.beyond))
        out.x = self.chart.from_inner(to_floats(out.inside), self.x)
        return out

    @cached_property
    def is_bounded(self) -> bool:
        """Whether the cell is bounded, decided exactly."""
        return is_bounded(self)

    @cached_property
    def _ball(self) -> tuple[FloatArray | None, float]:
        return chebyshev(self)

    @property
    def chebyshev_center(self) -> FloatArray | None:
        """The center of a largest ball in the cell (float64, in the domain's coordinates); None when there is none."""
        return self._ball[0]

    @property
    def inradius(self) -> float:
        """The radius of a largest ball in the cell, in input units (float64); inf when balls of any size fit."""
        return self._ball[1]

    @cached_property
    def volume(self) -> Volume:
        """The volume in input units; see `reluatlas.cells.measures.volume`."""
        return volume(self, is_bounded=self.is_bounded)

    def sample(self, n: int, *, seed: int = 0) -> FloatArray:
        """Return `n` points of the cell, approximately uniform; see `reluatlas.cells.sampling.sample`."""
        return sample(self, lambda: self.is_bounded, n, seed=seed)

    def nearest_other_class(self) -> NearestOther | None:
        """Return the point of another class nearest to `x` in this cell; see `reluatlas.cells.nearest_class`."""
        return nearest_other_class(self)

    def __repr__(self) -> str:
        where = "" if isinstance(self.domain, Space) else f" on {self.domain!r}"
        return f"Cell({self.pattern.size} units, dimension {self.k}{where})"

    def __reduce__(self) -> Any:
        raise TypeError("a Cell is not pickled. Keep its point, and ask `cell_at` again.")
