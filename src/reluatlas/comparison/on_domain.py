"""How do two networks differ on a box or a slice? From all cells of their common refinement, as they are found."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from reluatlas.answers.exactness import Exactness
from reluatlas.answers.limits import Limits, StoppedBy
from reluatlas.comparison.answer import Comparison
from reluatlas.comparison.domain_answer import answer_of, witness_of, witnesses_of
from reluatlas.comparison.exact import ExactAt
from reluatlas.comparison.exact_means import ExactSums
from reluatlas.comparison.largest import Largest, largest
from reluatlas.comparison.norms import Norm, norm_of
from reluatlas.comparison.paired.find import Searched, find
from reluatlas.comparison.proof import proving
from reluatlas.comparison.refinement import Refinement
from reluatlas.comparison.totals import Totals
from reluatlas.comparison.wanted import Method, Wanted
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
_SHARE_OF_VERTICES = 0.2


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
            return answer_of(
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
            witness, error = witness_of(both, domain, found.top, ExactAt(both, domain))
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
        witnesses=witnesses_of(both, domain, found.points),
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
