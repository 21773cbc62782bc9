"""How do two networks differ on a box or a slice? From all cells of their common refinement, as they are found."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Literal

import numpy as np

from reluatlas.answers.exactness import Exactness
from reluatlas.answers.limits import Limits, StoppedBy
from reluatlas.arithmetic.rationals import to_floats
from reluatlas.comparison.answer import Comparison
from reluatlas.comparison.exact import ExactAt, nearest_inside
from reluatlas.comparison.exact_means import ExactSums
from reluatlas.comparison.largest import Largest, largest
from reluatlas.comparison.norms import Norm, norm_of
from reluatlas.comparison.paired.find import BoxSearch, Searched, find
from reluatlas.comparison.proof import proving
from reluatlas.comparison.record import ClassPair, DifferingPieces, Witness
from reluatlas.comparison.refinement import Refinement
from reluatlas.comparison.runtime import runtime_error
from reluatlas.comparison.totals import Pieces, Totals
from reluatlas.comparison.zero import is_equal
from reluatlas.deadline import Deadline, current, grace, under
from reluatlas.domain import Box, Slice, Space
from reluatlas.errors import DimensionError, DomainError, TimeLimitError
from reluatlas.network.network import Network
from reluatlas.stable.stability import stability
from reluatlas.subdivision.program.lower import check_domain, lower
from reluatlas.subdivision.runner.kinds import MAX_DIMENSION
from reluatlas.subdivision.runner.run import exactness_of, run
from reluatlas.typing import FloatArray

_FOR_CELLS, _FOR_CELLS_OF_SOLIDS = 0.8, 0.5
"""Of the time, up to two dimensions and beyond; the rest is for what cells tell, or for boxes."""
_AT_LEAST = 0.4  # of the time, for cells, where the network is so large that bounds take long
_FOR_BOXES = 0.9  # of what is left after cells
_BOXES_AFTER_MAX_CELLS = 256
_AFTER_S, _AFTER_SHARE = 0.7, 0.05
"""How much longer it may take what should be told: one exact vertex, a bound on what was not looked at."""
_TRIED = 20
_SHARE_OF_VERTICES = 0.2


Method = Literal["cells", "boxes"]


@dataclass(frozen=True)
class Wanted:
    """What is asked of a domain, beside the largest difference."""

    norm: Norm = "inf"
    means: bool = True
    notices: tuple[str, ...] = ()
    method: Method | None = None
    eps: float | None = None
    certificate: str | PathLike[str] | None = None
    exact: bool = False


def compare_on(both: Refinement, domain: Box | Slice, wanted: Wanted, limits: Limits) -> Comparison:
    """Return how two networks differ on a domain; see `reluatlas.compare`.

    Raises
    ------
    DomainError, DimensionError
        When the domain is not bounded, does not fit, or has more than six dimensions.
    """
    require_bounded(both.network, domain, wanted.method)
    start = time.monotonic()
    if wanted.method == "boxes":
        return _by_boxes(both, domain, wanted, limits, start)
    with under(limits.deadline) as deadline, proving(wanted.certificate, both, domain) as proof:
        lowered = lower(both.network, domain)
        sums = ExactSums(both, domain, means=wanted.means) if wanted.exact else None
        totals = Totals(both, lowered, proof, wanted.norm, wanted.means, sums)
        # bounds on what is not looked at take about as long as this took
        stopped_by, exactness, share = _found(totals, domain, limits, time.monotonic() - start)
        with _after(deadline, stopped_by):
            equal = is_equal(totals, both, domain, is_complete=not stopped_by, deadline=deadline)
            proof.holds = equal is True
            # of what is not complete, both ends are for boxes to find
            top, every = _largest(both, totals, domain, deadline.share(_SHARE_OF_VERTICES) if stopped_by else deadline)
            rest = None
            if stopped_by:
                rest = (
                    _unseen(both, domain, wanted.norm),
                    _rest(both, domain, wanted, limits, top, stopped_by, deadline),
                )
            return _answer(
                both, domain, wanted, totals, top, every, rest, equal, stopped_by, exactness, share,
                time.monotonic() - start,
            )  # fmt: skip


@contextmanager
def _after(deadline: Deadline, stopped_by: StoppedBy) -> Iterator[None]:
    """Let what should be told take a little longer than the limit, and not much longer after Ctrl-C."""
    longer = _AFTER_S + (0.0 if deadline.is_never else _AFTER_SHARE * deadline.seconds)
    with under(Deadline.after(_AFTER_S) if stopped_by == "interrupt" else Deadline()), grace(longer):
        yield


def _rest(
    both: Refinement, domain: Box | Slice, wanted: Wanted, limits: Limits, top: Largest, stopped_by: StoppedBy,
    deadline: Deadline,
) -> Searched | None:  # fmt: skip
    """Return both ends by boxes, of a domain with too many cells, in what is left of the time."""
    if wanted.method == "cells" or stopped_by == "interrupt":
        return None
    most = None if stopped_by == "max_seconds" else _BOXES_AFTER_MAX_CELLS
    with under(deadline.share(_FOR_BOXES)):
        return find(
            both, domain, wanted.norm, Limits(most, None, limits.jobs, limits.progress), eps=wanted.eps, known=top
        )


def _by_boxes(both: Refinement, domain: Box | Slice, wanted: Wanted, limits: Limits, start: float) -> Comparison:
    """Return both ends of the largest difference, and nothing else, from parts of the domain."""
    with under(limits.deadline) as deadline:
        found = find(both, domain, wanted.norm, limits, eps=wanted.eps)
        with _after(deadline, found.search.stopped_by):
            witness, error = _witness(both, domain, found.top, ExactAt(both, domain))
    return Comparison(
        f=both.f,
        g=both.g,
        domain=domain,
        norm=wanted.norm,
        lower=found.top.lower,
        upper=found.top.upper,
        max_lower=found.each_lower,
        max_difference=found.each_upper,
        found=witness,
        witnesses=_witnesses(both, domain, found.points),
        mean_difference=None,
        mean_difference_error=None,
        mean_square=None,
        mean_square_error=None,
        disagreement=None,
        disagreement_error=None,
        pairs=(),
        pieces=None,
        f_tied=None,
        g_tied=None,
        is_equal=True if found.top.upper == 0.0 else False if found.top.lower > 0.0 else None,
        n_cells=0,
        n_pieces=0,
        stopped_by=found.search.stopped_by,
        share_done=float("nan"),
        exactness=Exactness("exact"),
        seconds=time.monotonic() - start,
        runtime_error=error,
        notices=wanted.notices,
        eps=wanted.eps,
        boxes=found.search,
    )


def require_bounded(network: Network, domain: object, method: Method | None = None) -> None:
    """Raise unless two networks can be compared on all of a domain.

    Raises
    ------
    DomainError, DimensionError
    """
    if isinstance(domain, Space):
        raise DomainError("`where` is a `Space`: a difference has no largest value there. Pass a `Box` or a `Slice`.")
    if not isinstance(domain, Box | Slice):
        raise DomainError(
            f"`where` is of type `{type(domain).__name__}`; expected a `Box` or a `Slice`. Points go into `X=`."
        )
    try:
        check_domain(network, domain)
    except DimensionError as error:
        raise DimensionError(str(error).replace("`domain`", "`where`")) from None
    if domain.dim > MAX_DIMENSION and method != "boxes":
        raise DomainError(
            f"`where` has {domain.dim} dimensions; cells of two networks are found in up to {MAX_DIMENSION}. Pass a "
            '`Slice`, such as `ra.Slice.through(X[:3])`, points as `X=`, or `method="boxes"` for both ends of the '
            "largest difference."
        )


def _found(totals: Totals, domain: Box | Slice, limits: Limits, kept: float) -> tuple[StoppedBy, Exactness, float]:
    """Let the cells be found and added up; return what stopped that, how it was decided, and the share done.

    So many seconds are kept for what follows, as far as there are as many.
    """
    tell = limits.progress
    told = Limits(limits.max_cells, None, limits.jobs, tell if tell is not None else _nobody)
    try:
        left, most = max(current().left(), 1e-9), _FOR_CELLS if domain.dim <= 2 else _FOR_CELLS_OF_SOLIDS
        with under(current().share(max(min(_AT_LEAST, most), min(most, 1.0 - kept / left)))):
            outcome = run(totals.lowered, told, collect=True, take=totals.take)
    except TimeLimitError:
        return "max_seconds", Exactness("exact"), _share(totals, domain)
    share = 1.0 if not outcome.stopped_by else min(1.0, outcome.volume / domain.box.volume)
    return outcome.stopped_by, exactness_of(outcome, certain=True), share


def _nobody(n_cells: int, share: float) -> None:
    """Be told, so that the share that is done is known."""


def _share(totals: Totals, domain: Box | Slice) -> float:
    return min(1.0, sum(p.volume for p in totals.parts) / domain.box.volume) if totals.means else float("nan")


def _largest(
    both: Refinement, totals: Totals, domain: Box | Slice, deadline: Deadline
) -> tuple[Largest, list[Largest]]:
    """Return the largest difference over all outputs, and of each."""
    exact, m = ExactAt(both, domain), both.m
    every = [
        largest(totals.parts, totals.lowered, o, m, totals.norm, exact, deadline, must_settle=False) for o in range(m)
    ]
    return largest(totals.parts, totals.lowered, m, m, totals.norm, exact, deadline, must_settle=True), every


def _unseen(both: Refinement, domain: Box | Slice, norm: Norm) -> tuple[float, FloatArray] | None:
    """Return certain bounds on the difference over the whole domain, of all outputs and each; None without the time."""
    try:
        found = stability(both.network, domain)
    except TimeLimitError:
        return None
    m = both.m
    bounds = np.maximum(np.abs(found.low[2 * m :]), np.abs(found.high[2 * m :]))
    return float(norm_of(bounds, norm)) * (1.0 + 1e-9 * (norm != "inf")), bounds


def _answer(
    both: Refinement, domain: Box | Slice, wanted: Wanted, totals: Totals, top: Largest, every: list[Largest],
    rest: tuple[tuple[float, FloatArray] | None, Searched | None] | None, equal: bool | None,
    stopped_by: StoppedBy, exactness: Exactness,
    share: float, seconds: float,
) -> Comparison:  # fmt: skip
    upper, max_upper = top.upper, np.array([one.upper for one in every])
    max_lower = np.array([one.lower for one in every])
    points = [one.point for one in every]
    boxes: BoxSearch | None = None
    if rest is not None:
        bounds, searched = rest
        upper, max_upper = bounds if bounds is not None else (float("inf"), np.full(both.m, np.inf))
        if searched is not None:
            boxes = searched.search
            upper, max_upper = min(upper, searched.top.upper), np.minimum(max_upper, searched.each_upper)
            top = searched.top if searched.top.lower > top.lower else top
            better = searched.each_lower > max_lower
            points = [new if b else old for b, new, old in zip(better, searched.points, points, strict=True)]
            max_lower = np.maximum(max_lower, searched.each_lower)
            is_all = not wanted.means and both.columns is None
            if is_all and not boxes.stopped_by and equal is not None:  # nothing is left that was asked for
                stopped_by = ""
    if equal:
        upper, max_upper = 0.0, np.zeros(both.m)
    exact = ExactAt(both, domain)
    witness, error = _witness(both, domain, top, exact)
    volume = domain.box.volume * (share if stopped_by else 1.0)
    means = _means(totals, volume) if wanted.means and volume > 0 else (None,) * 4
    pairs, pieces, disagreement = _disagreement(both, domain, totals, volume, exact)
    tied = {
        name: sum(part.tied[name][0] for part in totals.parts) / volume if volume > 0 else 0.0 for name in ("f", "g")
    } if both.columns is not None else {}  # fmt: skip
    return Comparison(
        f=both.f,
        g=both.g,
        domain=domain,
        norm=wanted.norm,
        lower=top.lower,
        upper=upper,
        max_lower=max_lower,
        max_difference=max_upper,
        found=witness,
        witnesses=_witnesses(both, domain, points),
        mean_difference=means[0],
        mean_difference_error=means[1],
        mean_square=means[2],
        mean_square_error=means[3],
        disagreement=None if disagreement is None else disagreement[0],
        disagreement_error=None if disagreement is None else disagreement[1],
        pairs=pairs,
        pieces=pieces,
        f_tied=tied.get("f"),
        g_tied=tied.get("g"),
        is_equal=equal,
        exact_means=None if stopped_by or totals.exact is None else totals.exact.finish(),
        certificate=Path(wanted.certificate) if equal and wanted.certificate is not None else None,
        n_cells=totals.n_cells,
        n_pieces=totals.n_pieces,
        stopped_by=stopped_by,
        share_done=share,
        exactness=exactness,
        seconds=seconds,
        runtime_error=error,
        notices=wanted.notices,
        eps=wanted.eps,
        boxes=boxes,
    )


def _witnesses(both: Refinement, domain: Box | Slice, points: list[FloatArray | None]) -> FloatArray | None:
    """Return the inputs next to points of the domain, where there are any."""
    there = [_input(both, domain, p) for p in points if p is not None]
    return np.stack(there) if there else None


def _witness(
    both: Refinement, domain: Box | Slice, top: Largest, exact: ExactAt
) -> tuple[Witness | None, float | None]:  # fmt: skip
    """Return the point where the difference is largest, and what a float32 forward pass is off by there."""
    if top.vertex is None or top.values is None:
        return None, None
    u = nearest_inside(top.vertex, domain.box.low, domain.box.high)
    x = np.asarray(domain.embed(u)).reshape(-1)
    try:
        here = exact.at_point(x)
    except TimeLimitError:
        return None, None
    made = Witness(
        to_floats(top.vertex), to_floats(top.values.f), to_floats(top.values.g), x.reshape(both.f.input_shape),
        to_floats(here.f), to_floats(here.g), to_floats(here.difference),
    )  # fmt: skip
    return made, runtime_error(both.f, both.g, x, here.difference)


def _input(both: Refinement, domain: Box | Slice, u: FloatArray) -> FloatArray:
    inside = np.clip(u, domain.box.low, domain.box.high)
    return np.asarray(domain.embed(inside)).reshape(both.f.input_shape)


def _means(totals: Totals, volume: float) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    slack = 1.0 + 1e-9
    absolute, square = totals.sum_of("absolute"), totals.sum_of("square")
    return (
        absolute / volume,
        slack * (totals.sum_of("absolute_error") + 1e-14 * absolute) / volume,
        square / volume,
        slack * (totals.sum_of("square_error") + 1e-14 * square) / volume,
    )


def _disagreement(
    both: Refinement, domain: Box | Slice, totals: Totals, volume: float, exact: ExactAt
) -> tuple[tuple[ClassPair, ...], DifferingPieces | None, tuple[float, float] | None]:
    """Return the pairs of classes that differ, the pieces themselves, and the share with its error."""
    if both.columns is None:
        return (), None, None
    sums: dict[tuple[int, int], list[tuple[float, float, int]]] = {}
    for part in totals.parts:
        for pair, found in part.pairs.items():
            sums.setdefault(pair, []).append(found)
    pieces = totals.pieces()
    pairs = []
    for (a, b), rows in sorted(sums.items()):
        size = sum(v for v, _, _ in rows)
        witness = _differing(both, domain, pieces, (a, b), exact)
        pairs.append(ClassPair(a, b, size / volume if volume > 0 else 0.0, sum(n for _, _, n in rows), witness))
    error = sum(e for rows in sums.values() for _, e, _ in rows)
    total = sum(v for rows in sums.values() for v, _, _ in rows)
    shown = DifferingPieces(
        pieces.points, pieces.offsets, pieces.f_class, pieces.g_class, pieces.volume * domain.unit_volume
    )  # fmt: skip
    if volume <= 0:
        return (), shown, (0.0, 0.0)
    return tuple(pairs), shown, (total / volume, (1.0 + 1e-9) * (error + 1e-14 * total) / volume)


def _differing(
    both: Refinement, domain: Box | Slice, pieces: Pieces, pair: tuple[int, int], exact: ExactAt
) -> FloatArray | None:
    """Return a float64 input in one of the largest pieces where the classes are, exactly, these two."""
    mine = np.flatnonzero((pieces.f_class == pair[0]) & (pieces.g_class == pair[1]))
    for i in mine[np.argsort(-pieces.volume[mine], kind="stable")][:_TRIED].tolist():
        middle = pieces.points[pieces.offsets[i] : pieces.offsets[i + 1]].mean(axis=0)
        x = _input(both, domain, middle)
        try:
            if exact.at_point(x.reshape(-1)).classes(both.f, both.g) == pair:
                return x
        except TimeLimitError:
            return None
    return None
