"""Are two networks the same, and if not, by how much and where? `compare`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from os import PathLike
from typing import Any, Literal, overload

from numpy.typing import ArrayLike

from reluatlas.answers.limits import Limits
from reluatlas.comparison.answer import Comparison, PointComparison, SegmentComparison
from reluatlas.comparison.at_points import chosen, compare_at, points_of
from reluatlas.comparison.norms import checked_norm
from reluatlas.comparison.notices import notices_of
from reluatlas.comparison.on_domain import compare_on, require_bounded
from reluatlas.comparison.on_segments import compare_along
from reluatlas.comparison.refinement import Refinement, refinement
from reluatlas.comparison.wanted import Method, Wanted
from reluatlas.deadline import look, under
from reluatlas.domain import Box, Segment, Slice
from reluatlas.errors import ArgumentError, DimensionError, TimeLimitError
from reluatlas.memory import in_a_sentence
from reluatlas.network.network import Network
from reluatlas.progress import Progress, tells

NormName = Literal["inf", 1, 2]


@overload
def compare(
    f: Network, g: Network, where: Segment | Sequence[Segment], *, norm: NormName = ..., classes: bool | None = ...,
    means: bool = ..., max_cells: int | None = ..., max_seconds: float | None = ..., jobs: int | None = ...,
    progress: Progress = ...,
) -> SegmentComparison: ...  # fmt: skip
@overload
def compare(
    f: Network, g: Network, where: Box | Slice, *, norm: NormName = ..., classes: bool | None = ...,
    means: bool = ..., method: Method | None = ..., eps: float | None = ...,
    exact: bool = ..., certificate: str | PathLike[str] | None = ..., max_cells: int | None = ...,
    max_seconds: float | None = ..., jobs: int | None = ..., progress: Progress = ...,
) -> Comparison: ...  # fmt: skip
@overload
def compare(
    f: Network, g: Network, *, X: ArrayLike, segments: ArrayLike | None = ..., planes: ArrayLike | None = ...,
    margin: float = ..., norm: NormName = ..., classes: bool | None = ..., means: bool = ...,
    max_cells: int | None = ..., max_seconds: float | None = ..., jobs: int | None = ..., progress: Progress = ...,
) -> PointComparison: ...  # fmt: skip
@in_a_sentence
@tells("cells", "share")
def compare(
    f: Network,
    g: Network,
    where: Box | Slice | Segment | Sequence[Segment] | None = None,
    *,
    X: ArrayLike | None = None,
    segments: ArrayLike | None = None,
    planes: ArrayLike | None = None,
    margin: float = 0.2,
    norm: NormName = "inf",
    classes: bool | None = None,
    means: bool = True,
    method: Method | None = None,
    eps: float | None = None,
    exact: bool = False,
    certificate: str | PathLike[str] | None = None,
    max_cells: int | None = None,
    max_seconds: float | None = None,
    jobs: int | None = None,
    progress: Progress = None,
) -> Comparison | SegmentComparison | PointComparison:
    """Return how two networks differ: on a domain, on segments, or at data and between them.

    On a domain, f - g is affine on every cell of the common refinement (a cell of f cut by the cells of g). So |f - g|
    is convex there, and largest at a vertex; means are integrals over the cells, cut where the sign of f - g changes.
    The class is the lowest index among the largest outputs (or as `Network.classes` says; of a single output its sign),
    and the refinement is cut by both decisions to tell where classes differ.

    Parameters
    ----------
    f, g : Network
        With the same shapes of inputs and outputs, up to axes of length 1.
    where : Box, Slice, Segment or several segments
        Where to compare: on all of it. Boxes and slices have up to six dimensions. Either this or `X`.
    X : array_like, shape (N, *input_shape) or (N, n_inputs)
        Points to compare at.
    segments : array_like of int, shape (S, 2), optional
        With `X`: the points, by number, between which to compare, too, on the straight line.
    planes : array_like of int, shape (P, 3), optional
        With `X`: the points, by number, through three of which to lay a plane, and compare on it.
    margin : float
        Of these planes, as for `Slice.through`.
    norm : {"inf", 1, 2}
        Over the outputs, for the largest difference over all: the largest, the sum, the Euclidean length.
    classes : bool, optional
        Whether classes are compared; by default where both networks have some.
    means : bool
        Whether integrals are asked for, on a domain: beyond the plane they take longer than the cells.
    method : {"cells", "boxes"}, optional
        On a domain: from all cells of both networks; or only the ends of the largest difference, from a tree of
        sub-boxes in which units of f and g that correspond are bounded in pairs, in any dimension. By default from
        cells, and by boxes for the rest of the time when these are too many.
    eps : float, optional
        On a domain: whether |f - g| is at most that, in `is_within`; boxes stop as soon as it is certain.
    exact : bool
        On a domain: whether means and shares are also told in fractions, in `exact_means`. Takes some milliseconds for
        each cell of a plane, ten times that for one of a solid; the numbers have the digits of all cells together.
    certificate : path, optional
        A file, such as `equal.cert`, that proves to anyone that f and g are equal on the domain:
        `reluatlas.certify.check_equal` and `reluatlas verify` check it by code that shares nothing with this. From
        cells; written only where `is_equal` is true.
    max_cells, max_seconds, jobs, progress
        As for `enumerate_cells`. Of boxes, `max_cells` counts these.

    Returns
    -------
    Comparison, SegmentComparison or PointComparison
        On a box or slice, on segments, at points. `.words` tells it in sentences, `.to_dict()` as numbers.

    Raises
    ------
    DimensionError
        When shapes of f and g differ (the message names both), or the domain or points have another.
    DomainError
        When `where` is unbounded, or has more than six dimensions and `method` is not "boxes".
    ArgumentError
        When an argument makes no sense; when neither or both of `where` and `X` are given.
    ResultFileError
        When the certificate cannot be written there.

    Guarantees
    ----------
    On a domain: cells and classes are exact; `lower` and `upper` are certain, equal up to rounding when complete;
    `is_equal` is decided exactly; means and shares are float64 with bounds. After a limit both ends still hold on the
    whole domain. By boxes: `upper` is rounded outward, `lower` is exact at the witness, at every stop. On segments:
    pieces and classes are exact, numbers float64. At
    points: classes and patterns are exact, outputs from float64 forward passes.

    Cost
    ----
    On a domain that of `enumerate_cells` for both networks side by side, whose cells may be as many as the product of
    theirs; memory does not grow with them.

    References
    ----------
    [PaulsenWangWang2020] for bounds on such differences, unit by unit; the divided differences of Hermite and Genocchi
    for integrals.

    Examples
    --------
    >>> import numpy as np
    >>> import reluatlas as ra
    >>> f = ra.load([(np.eye(2), np.zeros(2)), (np.ones((1, 2)), np.zeros(1))])  # relu(x) + relu(y)
    >>> g = ra.load([(np.eye(2), np.zeros(2)), (np.array([[1.0, 0.5]]), np.zeros(1))])
    >>> answer = ra.compare(f, g, ra.Box(-1, 1, dim=2))
    >>> round(answer.largest, 12), answer.mean_difference.tolist(), answer.is_equal  # half of relu(y)
    (0.5, [0.125], False)
    """
    if (where is None) == (X is None):
        raise ArgumentError(
            "`compare` takes a domain or points: pass either `where`, such as `ra.Box(-1, 1, dim=2)`, or `X=`."
        )
    if X is None and (segments is not None or planes is not None):
        raise ArgumentError("`segments` and `planes` go by the numbers of points. Pass the points as `X=`.")
    _require_way(method, eps, exact, certificate, on_domain=X is None and (isinstance(where, Box | Slice)))
    limits = Limits(max_cells, max_seconds, jobs, progress)  # type: ignore[arg-type]
    both, kind = refinement(f, g, classes=classes), checked_norm(norm)
    with under(limits.deadline):
        if X is not None:
            return _at(both, X, segments, planes, margin, Wanted(kind, means), limits)
        if isinstance(where, Segment) or (isinstance(where, Sequence) and len(where) and _are_segments(where)):
            lines = [where] if isinstance(where, Segment) else list(where)
            return _along(both, lines, Wanted(kind, means), limits)
        require_bounded(both.network, where, method)
        assert isinstance(where, Box | Slice)
        wanted = Wanted(kind, means, notices_of(f, g, where), method, eps, certificate, exact)
        return compare_on(both, where, wanted, limits)


def _require_way(method: object, eps: object, exact: bool, certificate: object, *, on_domain: bool) -> None:
    """Raise unless these arguments make sense together.

    Raises
    ------
    ArgumentError
    """
    if method not in (None, "cells", "boxes"):
        raise ArgumentError(f'`method={method!r}` is unknown. Pass "cells" or "boxes", or leave it out.')
    is_number = isinstance(eps, int | float) and not isinstance(eps, bool)
    if eps is not None and not (is_number and 0 <= eps < float("inf")):  # type: ignore[operator]
        raise ArgumentError(f"`eps={eps!r}` must be a number of at least 0, or None.")
    if (method is not None or eps is not None) and not on_domain:
        raise ArgumentError("`method` and `eps` are for a `Box` or a `Slice`. Leave them out, or pass one as `where`.")
    if exact and (not on_domain or method == "boxes"):
        raise ArgumentError(
            "`exact=True` is from all cells of a `Box` or a `Slice`. Leave it out, or pass one of them."
        )
    if certificate is not None and not on_domain:
        raise ArgumentError(
            "`certificate` proves that networks are equal on all of a `Box` or a `Slice`. Leave it out, or pass one as "
            "`where`."
        )
    if certificate is not None and method == "boxes":
        raise ArgumentError('`certificate` is made from cells, not with `method="boxes"`. Leave one out.')


def _are_segments(things: Sequence[Any]) -> bool:
    return all(isinstance(thing, Segment) for thing in things)


def _along(both: Refinement, lines: list[Segment], wanted: Wanted, limits: Limits) -> SegmentComparison:
    for line in lines:
        if line.n_inputs != both.f.n_inputs:
            raise DimensionError(
                f"`where` is a segment of {line.n_inputs} inputs but the networks take {both.f.n_inputs}."
            )
    told = limits.progress

    def adapted(what: str, done: int, share: float) -> None:
        if told is not None:
            told(done, share)

    return compare_along(
        both, lines, wanted.norm, max_cells=limits.max_cells, max_seconds=limits.max_seconds, jobs=limits.jobs,
        progress=None if told is None else adapted,
    )  # fmt: skip


def _at(
    both: Refinement, X: ArrayLike, segments: ArrayLike | None, planes: ArrayLike | None, margin: float,
    wanted: Wanted, limits: Limits,
) -> PointComparison:  # fmt: skip
    f, g = both.f, both.g
    rows = points_of(f, X)
    pairs = [] if segments is None else chosen(segments, 2, len(rows), "segments")
    corners = [] if planes is None else chosen(planes, 3, len(rows), "planes")
    laid = [Slice.through(rows[three], margin=margin) for three in corners]
    lines = [Segment(rows[a], rows[b]) for a, b in pairs]
    found = compare_at(
        f, g, rows, wanted.norm, classes=both.columns is not None, notices=notices_of(f, g, rows)
    )  # fmt: skip
    done: list[SegmentComparison | Comparison] = []
    asked: list[list[Segment] | Slice] = [*([lines] if lines else []), *laid]
    for what in asked:
        try:
            look()
            done.append(
                compare_on(both, what, wanted, limits)
                if isinstance(what, Slice)
                else _along(both, what, wanted, limits)
            )
        except TimeLimitError:
            break
        if done[-1].stopped_by == "interrupt":
            break
    return replace(
        found,
        segments=tuple(part for part in done if isinstance(part, SegmentComparison)),
        planes=tuple(part for part in done if isinstance(part, Comparison)),
        n_left_out=len(asked) - len(done),
    )
