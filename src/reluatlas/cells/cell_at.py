"""Which cell holds a point? `cell_at`, and `cells_at` for a point where several meet; decided exactly."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reluatlas.arithmetic.rationals import Coordinates, to_floats
from reluatlas.cells.answer_at import perturbed
from reluatlas.cells.cell import Cell
from reluatlas.cells.cells_at import meeting_cells
from reluatlas.cells.chart import Chart, chart_of
from reluatlas.cells.coordinates import coordinates_of
from reluatlas.deadline import Deadline, under
from reluatlas.domain import Domain, Slice, Space
from reluatlas.errors import ArgumentError, DimensionError, OnFaceError
from reluatlas.memory import in_a_sentence
from reluatlas.network.maps.affine_at import pattern_type
from reluatlas.network.network import Network
from reluatlas.network.patterns.certain import Walk
from reluatlas.network.point_shapes import require_order
from reluatlas.network.unit_names import listed
from reluatlas.typing import FloatArray


@in_a_sentence
def cell_at(
    net: Network,
    x: ArrayLike,
    domain: Domain | None = None,
    *,
    ties: Literal["raise", "perturb"] = "raise",
    max_seconds: float | None = None,
) -> Cell:
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
    ties : {"raise", "perturb"}
        What to do at a point on a face, where several cells meet: raise, or take the cell that holds
        x + (e, e^2, ..., e^k) for all small enough e > 0, as `affine_at` does (on the upper sides of a domain with
        steps inward). `Cell.answer` then names the units that tie.
    max_seconds : float, optional
        Limit on finding the cell, and again on the search for its facets, which begins when they are first asked for:
        facets not decided by then are counted as undecided.

    Returns
    -------
    Cell
        Its facets are found when they are first asked for.

    Raises
    ------
    OnFaceError
        When several cells meet at the point, unless `ties` is "perturb"; `cells_at` gives them all.
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

    Cost
    ----
    Finding the cell composes its rows: units times inputs, in time and memory. Its facets take at most a linear
    program for each row that no ray and no bound decides.

    References
    ----------
    [Clarkson1994] for facets that rays from inside meet first; [Farkas1902] for rows that others imply.

    Examples
    --------
    >>> import numpy as np
    >>> import reluatlas as ra
    >>> net = ra.load([(np.eye(2), np.zeros(2)), (np.ones((1, 2)), np.zeros(1))])  # relu(x) + relu(y)
    >>> cell = ra.cell_at(net, [0.5, -0.25])  # right of x = 0 and below y = 0
    >>> cell.pattern.tolist(), cell.affine.A.tolist(), len(cell.facets), cell.is_bounded
    ([1, 0], [[[1.0, 0.0]]], 2, False)
    """
    if ties not in ("raise", "perturb"):
        raise ArgumentError(f'`ties={ties!r}` is unknown. Pass "raise" or "perturb".')
    limit = Deadline.after(max_seconds)
    with under(limit):
        chart = chart_of(net, domain)
        u = point_of(chart, x)
        return _cell_at(chart, u, limit.seconds, perturb=ties == "perturb")


def _cell_at(chart: Chart, u: FloatArray, seconds: float, *, perturb: bool) -> Cell:
    pattern, on_face = _pattern_at(chart, u)
    if on_face and perturb:
        return Cell(chart, perturbed(chart.network, chart.local, u, chart.domain)[0], u, None, seconds)
    if on_face:
        # on the domain's boundary a row may touch the cell without another cell behind
        several = [] if chart.is_strictly_inside(u) else list(meeting_cells(chart, u, pattern, 2))
        if len(several) != 1:
            named = listed(perturbed(chart.network, chart.local, u, chart.domain)[1])
            raise OnFaceError(
                f'`x` lies on a face where several cells meet: {named}. Pass `ties="perturb"` for the one whose map '
                "`affine_at` gives, or use `cells_at` for all of them."
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

    Yields
    ------
    Cell
        One after another; nothing is computed before the first is asked for but the point's pattern.

    Raises
    ------
    DomainError, DimensionError, NonFiniteError, ArgumentError, TimeLimitError, OutOfMemoryError
        As `cell_at`, whose points on faces are welcome here.

    Guarantees
    ----------
    Exact and deterministic; all of them, each once, unless a limit stops.

    Cost
    ----
    That of `cell_at` for each cell, and a linear program in rational numbers for each facet that may hold the point.

    References
    ----------
    [GrigsbyLindsey2022] for the faces that cells share.

    Examples
    --------
    >>> import numpy as np
    >>> import reluatlas as ra
    >>> net = ra.load([(np.eye(2), np.zeros(2)), (np.ones((1, 2)), np.zeros(1))])  # relu(x) + relu(y)
    >>> [cell.pattern.tolist() for cell in ra.cells_at(net, [0.0, 3.0])]  # on the half line x = 0, y > 0
    [[1, 1], [0, 1]]
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
        array = np.array(x, dtype=np.float64)
    except (TypeError, ValueError):
        raise DimensionError("`x` is not an array of numbers. Pass the point's coordinates.") from None
    require_order(array.shape, chart.network.input_shape, "x", what="has")
    domain, point = chart.domain, array.reshape(1, -1)
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
