"""Which cell holds a point? `cell_at`, and `cells_at` for a point where several meet; decided exactly."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reluatlas.arithmetic.rationals import Coordinates, to_floats
from reluatlas.cells.cell import Cell
from reluatlas.cells.cells_at import meeting_cells, names_of
from reluatlas.cells.chart import Chart, Domain, chart_of
from reluatlas.cells.coordinates import coordinates_of
from reluatlas.deadline import Deadline, under
from reluatlas.domain import Slice, Space
from reluatlas.errors import ArgumentError, DimensionError, OnFaceError
from reluatlas.geometry.halfspaces.system import FloatArray
from reluatlas.memory import in_a_sentence
from reluatlas.network.maps.affine_at import pattern_type
from reluatlas.network.network import Network
from reluatlas.network.patterns.certain import Walk


@in_a_sentence
def cell_at(net: Network, x: ArrayLike, domain: Domain | None = None, *, max_seconds: float | None = None) -> Cell:
    """Return the cell that holds a point, in any dimension.

    A cell is the closure of the points of the domain with one activation pattern, when it has an interior relative
    to the domain. On it the network is one affine map.

    Parameters
    ----------
    net : Network
    x : array_like, shape (k,) or an input's shape
        The point: an input, or, for a slice, also its k coordinates.
    domain : Box, Slice or Space, optional
        Where to look; the whole input space when None.
    max_seconds : float, optional
        Limit on finding the cell, and again on the search for its facets, which begins when they are first asked for:
        facets not decided by then are counted as undecided.

    Raises
    ------
    OnFaceError
        When several cells meet at the point; `cells_at` gives them all.
    DomainError, DimensionError, NonFiniteError
        When the point or the domain does not fit the network, or the point is outside.
    ArgumentError
        When `max_seconds` makes no sense.
    TimeLimitError
        When the time was over before the cell was found.
    OutOfMemoryError
        When its rows do not fit into memory.

    Guarantees
    ----------
    Pattern, facets, boundedness and neighbors are exact (see `Cell.exactness`); coordinates, maps, distances and the
    inscribed ball are float64. Deterministic.
    """
    limit = Deadline.after(max_seconds)
    with under(limit):
        chart = chart_of(net, domain)
        u = point_of(chart, x)
        return _cell_at(chart, u, limit.seconds)


def _cell_at(chart: Chart, u: FloatArray, seconds: float) -> Cell:
    pattern, on_face = _pattern_at(chart, u)
    if on_face:
        # on the domain's boundary a row may touch the cell without another cell behind
        several = [] if chart.is_strictly_inside(u) else list(meeting_cells(chart, u, pattern, 2))
        if len(several) != 1:
            raise OnFaceError(
                f"`x` lies on a face where several cells meet: {names_of(chart, u, pattern)}. "
                "Use `cells_at` for all of them, or move the point a little."
            )
        return _cell(chart, *several[0], u, seconds)
    return _whole(chart, pattern, u, seconds)


def cells_at(
    net: Network,
    x: ArrayLike,
    domain: Domain | None = None,
    *,
    max_cells: int | None = None,
    max_seconds: float | None = None,
) -> Iterator[Cell]:
    """Yield the cells that meet at a point, one after another; one where the point is inside of a cell.

    There may be very many: 2^n around a point on n independent hyperplanes. They are found across the facets
    that hold the point, breadth first, so a part of them is connected.

    Parameters
    ----------
    net, x, domain
        As in `cell_at`.
    max_cells : int, optional
        Stop after so many.
    max_seconds : float, optional
        As in `cell_at`; and after so long no further cell is looked for, and a TimeLimitError raised.

    Guarantees
    ----------
    Exact and deterministic; all of them, each once, unless a limit stops.
    """
    limit = Deadline.after(max_seconds)
    with under(limit):
        chart = chart_of(net, domain)
        u = point_of(chart, x)
    if max_cells is not None and (
        isinstance(max_cells, bool) or not isinstance(max_cells, int | np.integer) or max_cells < 1
    ):
        raise ArgumentError(f"`max_cells={max_cells!r}` must be a whole number of at least 1, or None.")

    def stream() -> Iterator[Cell]:
        pattern, on_face = _pattern_at(chart, u)
        if not on_face:
            yield _whole(chart, pattern, u, limit.seconds)
            return
        for found, inside in meeting_cells(chart, u, pattern, max_cells):
            yield _cell(chart, found, inside, u, limit.seconds)

    return _each_under(stream(), limit)


def _each_under(stream: Iterator[Cell], limit: Deadline) -> Iterator[Cell]:
    """Yield what a stream does, each found under a limit that does not hold between them."""
    while True:
        with under(limit):
            cell = next(stream, None)
        if cell is None:
            return
        yield cell


def point_of(chart: Chart, x: ArrayLike) -> FloatArray:
    """Return the domain's coordinates of a point.

    Raises
    ------
    DimensionError, NonFiniteError, DomainError
        When it has another shape, is not finite, farther out than 2**500, or outside.
    """
    try:
        point = np.array(x, dtype=np.float64).reshape(1, -1)
    except (TypeError, ValueError):
        raise DimensionError("`x` is not an array of numbers. Pass the point's coordinates.") from None
    domain = chart.domain
    if point.shape[1] not in (domain.n_inputs, domain.dim):
        more = f", or the {domain.dim} coordinates of the slice" if isinstance(domain, Slice) else ""
        raise DimensionError(f"`x` has {point.size} numbers; expected one point of {domain.n_inputs} inputs{more}.")
    return coordinates_of(domain, point, "x")[0]


def _whole(chart: Chart, pattern: NDArray[np.integer], u: FloatArray, seconds: float) -> Cell:
    """Return the cell of a point that lies on no face."""
    if not chart.is_reduced and chart.is_strictly_inside(u):
        # the walk decided every sign there: the point is inside, and rows can wait until they are asked for
        return Cell(chart, pattern, u, u, seconds)
    return _cell(chart, pattern, _inside(chart, u), u, seconds)


def _cell(chart: Chart, pattern: NDArray, inside: Iterable[Coordinates], u: FloatArray, seconds: float) -> Cell:
    out = Cell(chart, pattern, u, u, seconds)
    out.put_inside(inside)
    return out


def _inside(chart: Chart, u: FloatArray) -> Iterator[Coordinates]:
    """Yield points nearer and nearer to `u` in the coordinates of cells, strictly inside of the domain."""
    if isinstance(chart.domain, Space):
        yield chart.to_inner(u)
        yield chart.to_inner_exactly(u)
        return
    if chart.is_strictly_inside(u):
        yield u
        return
    low, high = chart.bounds
    middle = low + 0.5 * (high - low)
    exact, goal = [Fraction(float(v)) for v in u], [Fraction(float(v)) for v in middle]
    share = Fraction(1, 2**10)
    while True:
        moved = [a + share * (b - a) for a, b in zip(exact, goal, strict=True)]
        yield to_floats(moved)
        yield moved
        share /= 16


def _pattern_at(chart: Chart, u: FloatArray) -> tuple[NDArray[np.integer], bool]:
    walk = Walk(chart.local, u[None], perturb=True, background=chart.background, bounds=chart.float_bounds)
    slices = chart.local.pattern_slices()
    width = max((s.stop for s in slices.values()), default=0)
    pattern = np.zeros(width, dtype=pattern_type(chart.network))
    for t, s in slices.items():
        pattern[s] = walk.choice[t][0]
    return pattern, bool(walk.on_face[0])
