"""Which parts of a plane do two networks share, and how far are they apart there? Their common refinement, measured.

Every cell of the refinement lies in one cell of either network: that is where overlaps come from, and no polygon is
ever clipped.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import fsum

import numpy as np
from numpy.typing import NDArray

from reluatlas.answers.limits import Limits
from reluatlas.complexes.complex import PolyhedralComplex
from reluatlas.complexes.enumerate import enumerate_cells
from reluatlas.domain import Domain
from reluatlas.errors import ArgumentError, InternalError, TimeLimitError
from reluatlas.network.join import finish, join, outputs_of
from reluatlas.network.network import Network
from reluatlas.network.record import Graph
from reluatlas.typing import FloatArray, IntArray

_THIRD_MOMENT = (
    12.0  # the mean of q^2 on a triangle is (sum of v^2 + (sum of v)^2) / 12 for its values v at the corners
)


@dataclass(frozen=True, eq=False)
class Overlaps:
    """The cells of the common refinement of two networks in a plane.

    Attributes
    ----------
    share : ndarray, shape (c,)
        Of each cell in the area of the domain.
    square : ndarray, shape (c,)
        The integral of |f - g|^2 over a cell, summed over the outputs, by the area of the domain.
    unrelated : float
        The mean of |f(x) - g(y)|^2 over two points x and y of the domain that have nothing to do with each other.
    f_region, g_region : ndarray of int, shape (c,)
        The linear region of f, and of g, that a cell lies in; both count from 0.
    f_patterns, g_patterns : ndarray of small integers, shape (c, units)
        Activation patterns of f, and of g.
    f_complex, g_complex : PolyhedralComplex
    """

    share: FloatArray
    square: FloatArray
    unrelated: float
    f_region: IntArray
    g_region: IntArray
    f_patterns: NDArray[np.integer]
    g_patterns: NDArray[np.integer]
    f_complex: PolyhedralComplex
    g_complex: PolyhedralComplex

    @property
    def agreement(self) -> float:
        """How far f and g agree as functions; see `reluatlas.compare_structure`."""
        return agreement_of(fsum(self.square), 1.0, self.unrelated)

    @property
    def n_cells(self) -> int:
        """Number of cells of the common refinement."""
        return self.share.size


def agreement_of(square: float, share: float, unrelated: float) -> float:
    """Return 1 - (mean of |f - g|^2 at one point) / (the same at unrelated points), 0 at least; equal constants: 1."""
    if unrelated <= 0:
        return 1.0
    return max(0.0, 1.0 - square / (share * unrelated))


def overlaps(f_complex: PolyhedralComplex, g_complex: PolyhedralComplex, limits: Limits) -> Overlaps:
    """Return the common refinement of two networks, by their complexes on one plane domain.

    Raises
    ------
    ArgumentError, TimeLimitError
        When a limit is reached before all of it was found.
    """
    f, g = f_complex.network, g_complex.network
    joined = join(f, g)
    both = finish(f, g, joined, outputs_of(joined, f.n_outputs, with_difference=False))
    cx = complete(both, f_complex.domain, limits)
    columns = both.pattern_slices()
    f_patterns = _own(cx, f, joined.first, columns, f_complex)
    g_patterns = _own(cx, g, joined.second, columns, g_complex)
    return Overlaps(
        *_measures(cx, f.n_outputs),
        _regions(f_complex, f_patterns),
        _regions(g_complex, g_patterns),
        f_patterns,
        g_patterns,
        f_complex,
        g_complex,
    )


def complete(network: Network, domain: Domain, limits: Limits) -> PolyhedralComplex:
    """Return all cells of a network on a domain.

    Raises
    ------
    ArgumentError, TimeLimitError
        When a limit is reached before.
    """
    cx = enumerate_cells(network, domain, max_cells=limits.max_cells, jobs=limits.jobs)
    if cx.stopped_by == "interrupt":
        raise KeyboardInterrupt
    if cx.stopped_by == "max_cells":
        raise ArgumentError(
            f"`max_cells={limits.max_cells}` is not enough for all cells of the common refinement. Allow more, or pass "
            "a smaller domain."
        )
    if cx.stopped_by:
        raise TimeLimitError(
            f"the time was over when {cx.n_cells:,} cells were found, which were not all. Allow more seconds, or pass "
            "a smaller domain."
        )
    return cx


def _own(
    cx: PolyhedralComplex, network: Graph, place: tuple[int, ...], columns: dict[int, slice], own: PolyhedralComplex
) -> NDArray[np.integer]:
    """Return the patterns of one of the networks in the cells of both."""
    mine = [cx.patterns[:, columns[place[t]]] for t in network.cuts]
    none = np.zeros((cx.n_cells, 0), dtype=own.patterns.dtype)
    return np.ascontiguousarray(np.concatenate([none, *mine], axis=1), dtype=own.patterns.dtype)


def _regions(own: PolyhedralComplex, patterns: NDArray[np.integer]) -> IntArray:
    cell = own.by_pattern.cells(patterns)
    if (cell < 0).any():
        raise InternalError("a cell of a common refinement lies in no cell of one network. Please report it with both.")
    return own.linear_regions[cell]


def _measures(cx: PolyhedralComplex, m: int) -> tuple[FloatArray, FloatArray, float]:
    """Return shares of area, integrals of |f - g|^2 by the whole area, and that of unrelated points."""
    points, offsets = cx.vertices.points, cx.vertices.offsets
    # the triangles (first corner, another one, the next) of each cell
    sizes = np.diff(offsets) - 2
    owner = np.repeat(np.arange(cx.n_cells), sizes)
    first = offsets[:-1][owner]
    second = first + 1 + np.arange(owner.size) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    corner = np.stack([first, second, second + 1])
    a, b, c = points[corner]
    area = np.abs((b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])) / 2
    whole = fsum(area)
    weight = area / whole
    values = np.einsum("tik,iok->tio", points[corner], cx.affine.A[owner]) + cx.affine.b[owner]
    mean = np.array([fsum(weight * column) for column in values.mean(axis=0).T])
    centered = values - mean
    spread = fsum(weight * _mean_square(centered))
    apart = weight * _mean_square(centered[..., :m] - centered[..., m:] + (mean[:m] - mean[m:]))
    share: FloatArray = np.bincount(owner, weights=weight, minlength=cx.n_cells).astype(np.float64)
    square: FloatArray = np.bincount(owner, weights=apart, minlength=cx.n_cells).astype(np.float64)
    return share, square, spread + float(((mean[:m] - mean[m:]) ** 2).sum())


def _mean_square(values: FloatArray) -> FloatArray:
    """Return the mean over each triangle of the sum of squares of affine functions, by their values (3, t, o)."""
    return ((values**2).sum(axis=0) + values.sum(axis=0) ** 2).sum(axis=1) / 12.0  # (sum v^2 + (sum v)^2) / (3 * 4)
