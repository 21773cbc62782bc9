"""What is one cell of a complex? A view of its row of each array: what iterating over a complex gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reluatlas.affine import AffineMaps
from reluatlas.errors import DimensionError
from reluatlas.network.decision import class_label, classes_of
from reluatlas.shown import Shown
from reluatlas.typing import FloatArray


@dataclass(frozen=True, eq=False, repr=False)
class CellView(Shown):
    """One cell of a complex; coordinates are those of the domain.

    Made by `cx[i]` and by iterating over a complex. For facets with certificates, ask `cell_at` for `center`.

    Attributes
    ----------
    complex : PolyhedralComplex
    index : int
    """

    complex: Any
    index: int

    @property
    def pattern(self) -> NDArray[np.integer]:
        """The activation pattern, shape (units,)."""
        return self.complex.patterns[self.index]

    @property
    def affine(self) -> AffineMaps:
        """The map in the domain's coordinates: `A` (1, m, k), `b` (1, m)."""
        return self.complex.affine[self.index]

    @property
    def input_affine(self) -> AffineMaps:
        """The map in input space: `A` (1, m, *input_shape), `b` (1, m)."""
        return self.complex.input_affine(self.index)

    @property
    def vertices(self) -> FloatArray:
        """The vertices, shape (V, k); on a `Space` also directions, see `Vertices.is_ray`."""
        at = self.complex.vertices.offsets
        return self.complex.vertices.points[at[self.index] : at[self.index + 1]]

    @property
    def volume(self) -> float:
        """The volume in input units; infinite where unbounded."""
        return float(self.complex.volumes[self.index])

    @property
    def center(self) -> FloatArray:
        """A point inside, shape (k,)."""
        return self.complex.interior_points[self.index]

    @property
    def label(self) -> int:
        """The class at the center, as `Network.classes` says."""
        values = self.affine.A[0] @ self.center + self.affine.b[0]
        return int(classes_of(self.complex.network, values))

    @property
    def neighbors(self) -> list[int]:
        """The cells behind its facets, by number."""
        at = self.complex.facets.offsets
        behind = self.complex.facets.neighbor[at[self.index] : at[self.index + 1]]
        return behind[behind >= 0].tolist()

    def __repr__(self) -> str:
        label = class_label(self.complex.network, self.label)
        return f"CellView({self.index} of {self.complex.n_cells:,}, class {label}, {len(self.neighbors)} neighbors)"


def polygon(cx: Any, cell: int) -> FloatArray:
    """Return the corners of a cell in the plane.

    Raises
    ------
    DimensionError
        When the domain has another dimension.
    """
    if cx.domain.dim != 2:
        raise DimensionError(
            f"the cells of a domain of {cx.domain.dim} dimensions are no polygons. Use `cx.vertices` or "
            "`cx[i].vertices`."
        )
    return CellView(cx, cell).vertices
