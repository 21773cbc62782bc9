"""What came of joining cells? Fewer pieces, their maps, and how far they are from the function, for certain."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from reluatlas.affine import AffineMaps
from reluatlas.analysis.joining.agglomerate import Joining
from reluatlas.analysis.joining.fewest import FewestPieces, fewest_pieces
from reluatlas.analysis.joining.ground import Ground
from reluatlas.answers.exactness import Exactness
from reluatlas.cells.coordinates import coordinates_of
from reluatlas.deadline import Deadline, under
from reluatlas.errors import ArgumentError
from reluatlas.shown import Shown
from reluatlas.typing import FloatArray, IntArray

if TYPE_CHECKING:
    from reluatlas.complexes.complex import PolyhedralComplex

Method = Literal["chebyshev", "kmeans"]


@dataclass(frozen=True, eq=False, repr=False)
class PieceCurve(Shown):
    """How many pieces joining leaves, and how far they are from the function then: one entry for each join.

    Attributes
    ----------
    n_pieces : ndarray of int
        From the number of linear regions down to 1.
    errors : ndarray
        Certain bounds on the largest error with so many pieces, in output units; they do not fall.
    """

    n_pieces: IntArray
    errors: FloatArray

    def pieces_within(self, tolerance: float) -> int:
        """Return the fewest pieces of the curve with an error of at most a tolerance.

        Raises
        ------
        ArgumentError
            When even the linear regions have more, by rounding.
        """
        within = self.n_pieces[self.errors <= tolerance]
        if not within.size:
            raise ArgumentError(
                f"`tolerance={tolerance!r}` is below {self.errors[0]:.3g}, the error of the linear regions' own maps "
                "in float64. Pass at least that."
            )
        return int(within.min())


@dataclass(frozen=True, eq=False, repr=False)
class JoinedCells:
    """A piecewise-affine function of fewer pieces, and certain bounds on its difference from the network.

    The error of a piece is the largest difference of its map and the network over its closed cells and all outputs.
    It is attained at a vertex of a cell, and on a wall between two pieces both sides count.

    Attributes
    ----------
    complex : PolyhedralComplex
    labels : ndarray of int, shape (n_cells,)
        The piece of each cell.
    affine : AffineMaps
        The map of each piece in the domain's coordinates: `A` (n_pieces, m, k), `b` (n_pieces, m).
    errors : ndarray, shape (n_pieces,)
        Certain bounds on the error of each piece, in output units.
    attained : ndarray, shape (n_pieces,)
        What the error of each piece is at least, for certain; it differs from `errors` by what float64 rounds.
    worst_points : ndarray, shape (n_pieces, k)
        Where: a vertex of a cell of the piece, in the domain's coordinates.
    worst_outputs : ndarray of int, shape (n_pieces,)
    tolerance : float or None
        What was asked for; None where a number of pieces was.
    method : {"chebyshev", "kmeans"}
    stopped_by : str
        "", or "max_seconds" when more could be joined in more time.
    """

    complex: PolyhedralComplex
    labels: IntArray
    affine: AffineMaps
    errors: FloatArray
    attained: FloatArray
    worst_points: FloatArray
    worst_outputs: IntArray
    tolerance: float | None
    method: Method
    stopped_by: Literal["", "max_seconds"]
    _ground: Ground = field(repr=False)

    @property
    def n_pieces(self) -> int:
        """Number of pieces."""
        return len(self.errors)

    @property
    def error(self) -> float:
        """A certain bound on the largest difference from the network, over the domain and all outputs."""
        return float(self.errors.max())

    @property
    def exactness(self) -> Exactness:
        """How certain the complex is, and so the bounds are."""
        return self.complex.exactness

    @property
    def output_range(self) -> float:
        """Largest minus smallest value of an output on the domain, of the output where that is most; in float64."""
        return self._ground.output_range

    @property
    def is_connected(self) -> bool:
        """Whether the cells of each piece hang together through facets; by k-means they need not."""
        return self.n_connected == self.n_pieces

    @cached_property
    def n_connected(self) -> int:
        """Number of pieces, where those that are not connected through facets count apart."""
        label, ground = self.labels[self._ground.first_cell], self._ground
        seen: set[int] = set()
        count = 0
        for start in range(ground.n_regions):
            count += start not in seen
            stack = [start]
            while stack:
                region = stack.pop()
                if region not in seen:
                    seen.add(region)
                    stack.extend(n for n in ground.neighbors[region] if label[n] == label[region])
        return count

    @cached_property
    def volumes(self) -> FloatArray:
        """Volume of each piece in input units, shape (n_pieces,)."""
        total = np.bincount(self.labels, weights=self.complex.volumes, minlength=self.n_pieces)
        return total.astype(np.float64, copy=False)

    def pieces_of(self, X: ArrayLike) -> IntArray:
        """Return the piece of each point, (N,); on a wall, that of the lowest cell.

        Parameters
        ----------
        X : array_like, shape (N, k), or for a slice also (N, *input_shape) or (N, n_inputs)
            As `PolyhedralComplex.cells_of` takes them.
        """
        return self.labels[self.complex.cells_of(X)]

    def __call__(self, X: ArrayLike) -> FloatArray:
        """Return the values of the pieces' maps at points, (N, m), in float64.

        Parameters
        ----------
        X : array_like
            As in `pieces_of`.
        """
        piece, u = self.pieces_of(X), coordinates_of(self.complex.domain, X)
        return np.einsum("nmk,nk->nm", self.affine.A[piece], u) + self.affine.b[piece]

    def curve(self) -> PieceCurve:
        """Return how many pieces joining leaves at each error, from the linear regions to one piece.

        Cells are joined from the start, whatever this answer is, always the two pieces whose joined error is smallest;
        what `tolerance=` does after that is not in the curve. Takes as long as `join_cells(cx, n_pieces=1)`; kept.
        """
        return self._curve

    @cached_property
    def _curve(self) -> PieceCurve:
        joining = Joining(self._ground)
        joining.run(1)
        n = self._ground.n_regions
        return PieceCurve(np.arange(n, n - len(joining.errors), -1), np.array(joining.errors))

    def lower_bound(
        self, tolerance: float | None = None, *, seed: int = 0, max_seconds: float | None = None
    ) -> FewestPieces:
        """Return a certain lower bound on the number of pieces, however cells are put together.

        It is the largest number of cells found of which no two can share a map within the tolerance, proved in rational
        numbers; that of the fewest pieces may be higher.

        Parameters
        ----------
        tolerance : float, optional
            In output units; the `error` of this answer by default.
        seed : int
            Of the orders in which cells are tried.
        max_seconds : float, optional
            When to be content with what is found.
        """
        wanted = self.error if tolerance is None else checked_tolerance(tolerance)
        with under(Deadline.after(max_seconds)):
            return fewest_pieces(self._ground, wanted, seed=seed)

    def to_dict(self) -> dict[str, Any]:
        """Return the answer as numbers, lists and words, for JSON."""
        cells = np.bincount(self.labels, minlength=self.n_pieces)
        return {
            "method": self.method,
            "tolerance": self.tolerance,
            "stopped_by": self.stopped_by,
            "exactness": self.exactness.status,
            "n_cells": self.complex.n_cells,
            "n_linear_regions": self._ground.n_regions,
            "n_pieces": self.n_pieces,
            "error": self.error,
            "output_range": self.output_range,
            "labels": self.labels.tolist(),
            "pieces": [
                {
                    "n_cells": int(cells[p]),
                    "volume": float(self.volumes[p]),
                    "A": self.affine.A[p].tolist(),
                    "b": self.affine.b[p].tolist(),
                    "error": float(self.errors[p]),
                    "attained": float(self.attained[p]),
                    "worst_point": self.worst_points[p].tolist(),
                    "worst_output": int(self.worst_outputs[p]),
                }
                for p in range(self.n_pieces)
            ],
        }

    def __len__(self) -> int:
        return self.n_pieces

    def __repr__(self) -> str:
        range_ = self.output_range
        share = f", {100 * self.error / range_:.3g} % of its range" if range_ > 0 else ""
        apart = (
            "" if self.is_connected else f" ({self.n_connected:,} where those that do not hang together count apart)"
        )
        doubt = "" if self.exactness.status == "exact" else f"; not certain: the complex is {self.exactness.status}"
        stopped = f"; stopped by {self.stopped_by}" if self.stopped_by else ""
        return (
            f"JoinedCells({self.n_pieces:,} pieces{apart} of {self._ground.n_regions:,} linear regions, "
            f"off the network by at most {self.error:.4g}{share}{doubt}{stopped})"
        )

    def _repr_html_(self) -> str:
        from html import escape

        return f"<div><strong>{escape(repr(self))}</strong></div>"


def checked_tolerance(tolerance: Any) -> float:
    """Return a tolerance as a number; refuse what is none."""
    is_number = isinstance(tolerance, int | float | np.integer | np.floating) and not isinstance(tolerance, bool)
    if not is_number or not 0 <= tolerance < np.inf:
        raise ArgumentError(
            f"`tolerance={tolerance!r}` must be a number of at least 0, the largest change in output units."
        )
    return float(tolerance)
