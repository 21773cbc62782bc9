"""With how few affine pieces can a function do? Cells joined, with a certain bound on what that changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, get_args, overload

import numpy as np

from reluatlas.affine import AffineMaps
from reluatlas.analysis.joining.agglomerate import Joining
from reluatlas.analysis.joining.answer import JoinedCells, Method, checked_tolerance
from reluatlas.analysis.joining.dissolve import dissolve_all
from reluatlas.analysis.joining.ground import Deviation, Ground, ground_of
from reluatlas.analysis.joining.kmeans import cluster
from reluatlas.analysis.joining.pieces import Piece
from reluatlas.deadline import Deadline, under
from reluatlas.errors import ArgumentError, TimeLimitError
from reluatlas.progress import Progress, tells
from reluatlas.typing import IntArray

if TYPE_CHECKING:
    from reluatlas.complexes.complex import PolyhedralComplex


@overload
def join_cells(
    cx: PolyhedralComplex, tolerance: float, *, max_seconds: float | None = ..., progress: Progress = ...
) -> JoinedCells: ...
@overload
def join_cells(
    cx: PolyhedralComplex, *, n_pieces: int, method: Method = ..., seed: int = ..., max_seconds: float | None = ...,
    progress: Progress = ...,
) -> JoinedCells: ...  # fmt: skip
@tells("joins", "total")
def join_cells(
    cx: PolyhedralComplex,
    tolerance: float | None = None,
    *,
    n_pieces: int | None = None,
    method: Method = "chebyshev",
    seed: int = 0,
    max_seconds: float | None = None,
    progress: Progress = None,
) -> JoinedCells:
    """Return the cells of a complex joined to few pieces, with certain bounds on how that changes the function.

    A piece is a union of cells that hang together through facets, with an affine map of its own: the one nearest to the
    network at the vertices of its cells, in the largest difference (a Chebyshev fit for each output), not the map of
    one of its cells nor their mean. Its error is the largest difference over its closed cells and all outputs. On each
    cell both are affine, so that is attained at a vertex; on a wall between pieces both sides count.

    Of all pieces that share a facet, the two whose joined error is smallest are joined next, beginning with the linear
    regions. With a tolerance, pieces are then handed out to those beside them, region by region, where that leaves one
    piece less. It is a search: there may be a way with fewer pieces; `JoinedCells.lower_bound` says how few there must
    be.

    Parameters
    ----------
    cx : PolyhedralComplex
        Complete, on a bounded domain.
    tolerance : float, optional
        Largest change allowed, in output units. 0: linear regions, decided exactly; the errors told then are those of
        their maps in float64. Either this or `n_pieces`.
    n_pieces : int, optional
        Number of pieces to end with, at most that of the linear regions.
    method : {"chebyshev", "kmeans"}
        "kmeans", with `n_pieces`: cells clustered by k-means on their dual points in all outputs, weighted by volume,
        and a cluster's map its center, the paper's way. Clusters need not hang together. Their errors are those that
        they have, bounded in the same way.
    seed : int
        Of k-means.
    max_seconds : float, optional
        When to stop with what was joined by then.
    progress : optional
        True for a bar, or a function of (what, done, share).

    Returns
    -------
    JoinedCells

    Raises
    ------
    ArgumentError
        When the complex is incomplete, `tolerance` is negative or no number, above 0 but below what rounding alone
        changes, or both or none of it and `n_pieces` are given; when there are fewer linear regions than `n_pieces`.
    DomainError
        When the domain is a `Space`.
    TimeLimitError
        When the time was over before the linear regions were known.

    Guarantees
    ----------
    The bounds are certain for the float64 maps returned, whatever the linear programs answered: differences at vertices
    with outward rounding, the error of each vertex, and that of the cells' maps; they rest on the complex being exact
    (`cx.exactness`). No error exceeds `tolerance`. Deterministic.

    Cost
    ----
    A linear program of k + 2 unknowns for each output and each pair tried: about 10 for each linear region, a few
    milliseconds each, and more with a tolerance.

    References
    ----------
    [Cheney1966] for the fits; [Sattelberg2023] for k-means.

    Examples
    --------
    >>> import reluatlas as ra
    >>> net = ra.load([([[1.0], [1.0]], [0.0, -1.0]), ([[1.0, 1.0]], [0.0])])  # slopes 0, 1 and 2
    >>> cx = ra.enumerate_cells(net, ra.Box(-1, 2, dim=1))
    >>> [round(ra.join_cells(cx, n_pieces=n).error, 9) for n in (3, 2, 1)]  # 0, 0, 1, 3 at -1, 0, 1, 2
    [0.0, 0.25, 0.5]
    >>> joined = ra.join_cells(cx, 0.3)
    >>> joined.n_pieces, joined.lower_bound(0.3).n_pieces
    (2, 2)
    """
    ground = ground_of(cx)
    if (tolerance is None) == (n_pieces is None):
        raise ArgumentError(
            "`tolerance` and `n_pieces` are both given: pass one of them."
            if tolerance is not None
            else "neither `tolerance` nor `n_pieces` is given: pass the largest change, or how many pieces to end with."
        )
    if method not in get_args(Method):
        raise ArgumentError(f'`method={method!r}` is unknown. Pass "chebyshev" or "kmeans".')
    if n_pieces is not None:
        _check_count(n_pieces, ground, method)
    if method == "kmeans":
        if n_pieces is None:
            raise ArgumentError('`method="kmeans"` takes a number of pieces, no tolerance. Pass `n_pieces=`.')
        labels, maps = cluster(ground, int(n_pieces), seed)
        rows = [np.flatnonzero(labels[ground.cell] == p) for p in range(len(maps))]
        deviations = [ground.deviation(r, a, b) for r, a, b in zip(rows, maps.A, maps.b, strict=True)]
        return _answer(ground, labels, maps, deviations, None, method, "")
    wanted = None if tolerance is None else checked_tolerance(tolerance)
    tell: Any = progress
    deadline, stopped = Deadline.after(max_seconds), ""
    with under(deadline):
        joining = Joining(ground)  # of linear regions, which are found first
    if wanted is not None and 0 < wanted < joining.errors[0]:
        raise ArgumentError(
            f"`tolerance={tolerance!r}` is below {joining.errors[0]:.3g}, what rounding the linear regions' maps to "
            "float64 may change. Pass at least that, or 0 for linear regions."
        )
    pieces = joining.pieces
    if wanted != 0:
        limit = np.inf if wanted is None else wanted
        with under(deadline):
            try:
                joining.run(1 if n_pieces is None else int(n_pieces), limit, tell)
            except TimeLimitError:
                stopped = "max_seconds"
            pieces = joining.pieces
            if wanted is not None and not stopped:
                pieces, was_enough = dissolve_all(ground, pieces, wanted)
                stopped = "" if was_enough else "max_seconds"
    ordered = sorted(pieces.values(), key=lambda piece: piece.regions)
    maps = AffineMaps(np.stack([p.slope for p in ordered]), np.stack([p.constant for p in ordered]))
    return _answer(ground, _labels(ground, ordered), maps, [p.deviation for p in ordered], wanted, method, stopped)


def _labels(ground: Ground, pieces: Sequence[Piece]) -> IntArray:
    label = np.zeros(ground.n_regions, dtype=np.int64)
    for position, piece in enumerate(pieces):
        label[list(piece.regions)] = position
    return label[ground.region]


def _answer(
    ground: Ground, labels: IntArray, maps: AffineMaps, deviations: Sequence[Deviation], tolerance: float | None,
    method: Method, stopped: str,
) -> JoinedCells:  # fmt: skip
    reason: Literal["", "max_seconds"] = "max_seconds" if stopped else ""
    return JoinedCells(
        ground.cx,
        labels,
        maps,
        np.array([d.at_most for d in deviations]),
        np.array([d.at_least for d in deviations]),
        ground.points[[d.row for d in deviations]],
        np.array([d.output for d in deviations], dtype=np.int64),
        tolerance,
        method,
        reason,
        ground,
    )


def _check_count(n_pieces: Any, ground: Ground, method: str) -> None:
    if isinstance(n_pieces, bool) or not isinstance(n_pieces, int | np.integer) or n_pieces < 1:
        raise ArgumentError(f"`n_pieces={n_pieces!r}` must be a whole number of at least 1.")
    most, what = (
        (ground.cx.n_affine_maps, "affine maps") if method == "kmeans" else (ground.n_regions, "linear regions")
    )
    if n_pieces > most:
        raise ArgumentError(
            f"`n_pieces={n_pieces}` is more than the {most} {what} of the complex. Pass at most {most}."
        )
