"""What is the largest difference on a small box, exactly? By all cells of both networks there, if they are few."""

from __future__ import annotations

from typing import NamedTuple

from reluatlas.answers.limits import Limits
from reluatlas.comparison.exact import ExactAt
from reluatlas.comparison.largest import Largest, largest
from reluatlas.comparison.norms import Norm
from reluatlas.comparison.refinement import Refinement
from reluatlas.comparison.totals import Totals
from reluatlas.deadline import current
from reluatlas.domain import Box, Slice
from reluatlas.subdivision.program.lower import lower
from reluatlas.subdivision.runner.run import run


class Settled(NamedTuple):
    """The largest difference on a box: over all outputs, and of each."""

    top: Largest
    every: list[Largest]
    n_cells: int


def settled(
    both: Refinement, domain: Box | Slice, norm: Norm, exact: ExactAt, max_cells: int
) -> Settled | None:  # fmt: skip
    """Return the largest difference on a box; None where there are more cells than `max_cells`.

    Raises
    ------
    TimeLimitError
    """
    lowered = lower(both.network, domain)
    totals = Totals(both, lowered, norm, means=False)
    outcome = run(lowered, Limits(max_cells, None, 1, None), collect=True, take=totals.take)
    current().check()
    if outcome.stopped_by == "interrupt":
        raise KeyboardInterrupt
    if outcome.stopped_by:
        return None
    m = both.m

    def of(output: int, *, must_settle: bool) -> Largest:
        return largest(totals.parts, lowered, output, m, norm, exact, current(), must_settle=must_settle)

    return Settled(of(m, must_settle=True), [of(o, must_settle=False) for o in range(m)], outcome.n_cells)


def part_of(domain: Box | Slice, box: Box) -> Box | Slice:
    """Return the part of a domain with coordinates in a box."""
    return box if isinstance(domain, Box) else Slice(domain.origin, domain.basis, box=box)
