"""What is kept of a point and its cells for a report? Numbers without the cell itself, which is large."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from reluatlas.answers.exactness import Exactness
from reluatlas.network.decision import classes_of
from reluatlas.network.network import Network
from reluatlas.typing import FloatArray

if TYPE_CHECKING:
    from reluatlas.cells.record import Owner
    from reluatlas.certify.check import CheckReport
    from reluatlas.decisions.nearest.answer import NearestClass


@dataclass(frozen=True, eq=False)
class CellFacts:
    """A cell of a point, in numbers; facets by their distance from the point.

    Attributes
    ----------
    pattern : ndarray, shape (units,)
    A, b : ndarray, shapes (m, n) and (m,)
        The affine map `x -> A x + b`.
    n_rows : int
        Rows of the cell that are not constant, facets or not.
    n_undecided : int
        Rows that may or may not be facets: the time was over. Then facets and neighbors are those known so far (the
        nearest one among them), and boundedness and ball are not known.
    is_bounded : bool or None
    inradius : float
        inf where balls of any size fit; NaN when not known.
    center : ndarray, shape (n,), or None
        Of a largest ball.
    distances : ndarray, shape (F,)
        From the point to the hyperplane of each facet: to the facet itself for the first.
    owners : list of tuple of Owner
    is_domain : ndarray of bool, shape (F,)
    flips : list of ndarray
        Columns of the pattern that change across each facet; none on the domain's boundary.
    other : NearestClass or None
        How far the nearest input of another class is from the point, in any cell; None where it was not looked for.
    exactness : Exactness
    check : CheckReport or None
        What the independent check said, when it was asked.
    """

    pattern: NDArray[np.integer]
    A: FloatArray
    b: FloatArray
    n_rows: int
    n_undecided: int
    is_bounded: bool | None
    inradius: float
    center: FloatArray | None
    distances: FloatArray
    owners: list[tuple[Owner, ...]]
    is_domain: NDArray[np.bool_]
    flips: list[NDArray[np.int64]]
    other: NearestClass | None
    exactness: Exactness
    check: CheckReport | None

    @property
    def nearest(self) -> int | None:
        """The first facet that is not on the domain's boundary; None when there is none."""
        inner = np.flatnonzero(~self.is_domain)
        return int(inner[0]) if inner.size else None

    @property
    def is_lower_bound(self) -> bool:
        """Whether `nearest` is known only to be at least that far: the domain's boundary is nearer."""
        return self.nearest is not None and bool(self.distances[self.nearest] > self.distances[0])

    @property
    def n_neighbors(self) -> int:
        """Number of cells behind facets."""
        return int(np.sum(~self.is_domain))


@dataclass(frozen=True, eq=False)
class PointFacts:
    """A point, and the cell that holds it, or the cells that meet there.

    Attributes
    ----------
    label, code : str
        A short name, and the Python that gives the point.
    x, outputs : ndarray, shapes (n,) and (m,)
    cells : list of CellFacts
    is_on_face : bool
        Whether several cells meet there.
    is_complete : bool
        Whether these are all of them.
    network : Network
        For what its outputs mean.
    """

    label: str
    code: str
    x: FloatArray
    outputs: FloatArray
    cells: list[CellFacts]
    is_on_face: bool
    is_complete: bool
    network: Network

    @property
    def is_done(self) -> bool:
        """Whether all cells are there, and all is known of them."""
        return self.is_complete and all(cell.n_undecided == 0 for cell in self.cells)

    @property
    def class_(self) -> int:
        """The class that the outputs decide on; see `Network.classes`."""
        return int(classes_of(self.network, self.outputs))
