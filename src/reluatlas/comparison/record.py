"""What is known of two networks? On a domain, on segments, at points: the records that sentences are made of."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from reluatlas.answers.exactness import Exactness
from reluatlas.answers.limits import StoppedBy
from reluatlas.comparison.exact_means import ExactMeans
from reluatlas.comparison.norms import Norm, norm_of
from reluatlas.comparison.paired.find import BoxSearch, closes
from reluatlas.domain import Box, Segment, Slice
from reluatlas.errors import ArgumentError
from reluatlas.network.network import Network
from reluatlas.shown import Shown
from reluatlas.typing import FloatArray, IntArray

_CONFIDENCE = 0.95


@dataclass(frozen=True, eq=False)
class ClassPair(Shown):
    """The part of a domain where f has one class and g another.

    Attributes
    ----------
    f_class, g_class : int
    share : float
        Of the domain's volume (of the part that was done, of an incomplete answer).
    n_pieces : int
        Convex pieces that it consists of, each in one cell.
    witness : ndarray or None
        A float64 input at which, exactly, f has the one class and g the other; None where the part is too thin for
        any float64 point that was tried.
    """

    f_class: int
    g_class: int
    share: float
    n_pieces: int
    witness: FloatArray | None


@dataclass(frozen=True, eq=False)
class DifferingPieces(Shown):
    """Convex pieces on each of which f has one class and g another.

    Attributes
    ----------
    points : ndarray, shape (P, k)
        Their vertices, in the domain's coordinates; in the plane around each piece.
    offsets : ndarray, shape (S + 1,)
        Vertices of piece i are `points[offsets[i]:offsets[i + 1]]`.
    f_class, g_class : ndarray, shape (S,)
    volume : ndarray, shape (S,)
        In input units.
    """

    points: FloatArray
    offsets: IntArray
    f_class: IntArray
    g_class: IntArray
    volume: FloatArray

    def __len__(self) -> int:
        return self.f_class.size


@dataclass(frozen=True, eq=False)
class Witness(Shown):
    """The point where the difference is largest.

    Attributes
    ----------
    vertex : ndarray, shape (k,)
        The vertex of the common refinement, in the domain's coordinates, rounded.
    f_at_vertex, g_at_vertex : ndarray, shape (m,)
        What f and g are there exactly, rounded once.
    x : ndarray, shape input_shape
        The float64 input next to it, within the domain's box of coordinates.
    f, g : ndarray, shape (m,)
        What f and g are at `x` exactly, rounded once.
    difference : ndarray, shape (m,)
        What f - g is at `x` exactly, rounded once.
    """

    vertex: FloatArray
    f_at_vertex: FloatArray
    g_at_vertex: FloatArray
    x: FloatArray
    f: FloatArray
    g: FloatArray
    difference: FloatArray


@dataclass(frozen=True, eq=False, repr=False)
class ComparisonRecord(Shown):
    """How two networks differ on a domain, without what is made of it; see `Comparison`."""

    f: Network
    g: Network
    domain: Box | Slice
    norm: Norm
    lower: float
    upper: float
    max_lower: FloatArray
    max_difference: FloatArray
    found: Witness | None
    witnesses: FloatArray | None
    mean_difference: FloatArray | None
    mean_difference_error: FloatArray | None
    mean_square: FloatArray | None
    mean_square_error: FloatArray | None
    disagreement: float | None
    disagreement_error: float | None
    pairs: tuple[ClassPair, ...]
    pieces: DifferingPieces | None
    f_tied: float | None
    g_tied: float | None
    is_equal: bool | None
    n_cells: int
    n_pieces: int
    stopped_by: StoppedBy
    share_done: float
    exactness: Exactness
    seconds: float
    runtime_error: float | None = None
    notices: tuple[str, ...] = ()
    eps: float | None = None
    boxes: BoxSearch | None = None
    certificate: Path | None = None
    exact_means: ExactMeans | None = None

    @property
    def is_complete(self) -> bool:
        """Whether all that was asked for was found."""
        return self.stopped_by == ""

    @property
    def method(self) -> Literal["cells", "boxes", "cells, then boxes"]:
        """How the ends of the largest difference were found."""
        if self.boxes is None:
            return "cells"
        return "cells, then boxes" if self.n_cells else "boxes"

    @property
    def ends_meet(self) -> bool:
        """Whether `lower` and `upper` are the same up to rounding."""
        return (self.is_complete and self.boxes is None) or closes(self.lower, self.upper)

    @property
    def is_within(self) -> bool | None:
        """Whether |f - g| is at most `eps` all over the domain, certainly; None when that is open, or not asked."""
        if self.eps is None or self.lower <= self.eps < self.upper:
            return None
        return self.upper <= self.eps

    @property
    def largest(self) -> float:
        """The largest |f - g| over outputs and domain: the certain upper end; see `lower`."""
        return self.upper

    @property
    def output(self) -> int:
        """The output whose difference is the largest."""
        return int(self.max_lower.argmax())

    @property
    def witness(self) -> FloatArray | None:
        """The float64 input next to the vertex where the difference is largest."""
        return None if self.found is None else self.found.x

    @property
    def f_classes(self) -> int | None:
        """Number of classes that were compared; None when the networks have none."""
        return None if self.disagreement is None else max(2, self.f.n_outputs)

    @property
    def is_below_float32(self) -> bool:
        """Whether the largest difference is less than what a float32 forward pass is off by at the witness."""
        return self.runtime_error is not None and self.upper < self.runtime_error


@dataclass(frozen=True, eq=False, repr=False)
class SegmentRecord(Shown):
    """How two networks differ on segments, without what is made of it; see `SegmentComparison`."""

    f: Network
    g: Network
    segments: tuple[Segment, ...]
    norm: Norm
    max_by_segment: FloatArray
    bounds: FloatArray
    where: FloatArray
    max_difference: FloatArray
    disagreement: FloatArray | None
    n_pieces: IntArray
    stopped_by: StoppedBy
    exactness: Exactness

    @property
    def n_segments(self) -> int:
        """Number of segments (S)."""
        return len(self.segments)

    @property
    def is_complete(self) -> bool:
        """Whether all segments were traced."""
        return self.stopped_by == ""

    @property
    def largest(self) -> float:
        """The largest |f - g| on all segments: nowhere exceeded where they are complete."""
        return float((self.max_by_segment + self.bounds).max())

    @property
    def witness(self) -> FloatArray:
        """The float64 input next to where it is."""
        i = int(self.max_by_segment.argmax())
        segment, t = self.segments[i], float(self.where[i])
        return ((1 - t) * segment.a + t * segment.b).reshape(self.f.input_shape)


@dataclass(frozen=True, eq=False, repr=False)
class PointRecord(Shown):
    """How two networks differ at points, without what is made of it; see `PointComparison`."""

    f: Network
    g: Network
    norm: Norm
    differences: FloatArray
    f_classes: IntArray | None
    g_classes: IntArray | None
    f_margins: FloatArray | None
    g_margins: FloatArray | None
    hamming: IntArray | None
    by_layer: FloatArray | None
    notices: tuple[str, ...] = ()

    @property
    def n_points(self) -> int:
        """Number of points (N)."""
        return len(self.differences)

    @property
    def n_units(self) -> int:
        """Number of units and windows of f."""
        return self.f.n_neurons + self.f.n_windows

    @property
    def max_difference(self) -> FloatArray:
        """The largest |f - g| of each output, (m,)."""
        return np.abs(self.differences).max(axis=0)

    @property
    def _sizes(self) -> FloatArray:
        return norm_of(np.abs(self.differences), self.norm)

    @property
    def largest(self) -> float:
        """The largest |f - g| over outputs and points."""
        return float(self._sizes.max())

    @property
    def at(self) -> int:
        """The point at which it is."""
        return int(self._sizes.argmax())

    @property
    def output(self) -> int:
        """The output whose difference is largest there."""
        return int(np.abs(self.differences[self.at]).argmax())

    @property
    def is_same(self) -> NDArray[np.bool_]:
        """Whether both classes are the same at each point, (N,).

        Raises
        ------
        ArgumentError
            When the outputs are no classes.
        """
        if self.f_classes is None or self.g_classes is None:
            raise ArgumentError("the outputs of these networks are no classes. Open both with `classes=`.")
        return self.f_classes == self.g_classes

    @property
    def n_same(self) -> int:
        """Number of points with the same class."""
        return int(self.is_same.sum())

    @property
    def elsewhere(self) -> tuple[float, float]:
        """Between what the share with different classes is, with 95 % confidence, were the points drawn at random."""
        from scipy.stats import beta

        n, differ = self.n_points, self.n_points - self.n_same
        tail = (1.0 - _CONFIDENCE) / 2
        low = 0.0 if not differ else float(beta.ppf(tail, differ, n - differ + 1))
        return low, 1.0 if differ == n else float(beta.ppf(1.0 - tail, differ + 1, n - differ))
