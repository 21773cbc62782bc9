"""Are two networks equal on some cells? Decided exactly, cell by cell, where float64 leaves it open."""

from __future__ import annotations

import numpy as np

from reluatlas.comparison.refinement import Refinement
from reluatlas.comparison.totals import Totals
from reluatlas.complexes.linear_regions import ExactMaps
from reluatlas.deadline import Deadline
from reluatlas.domain import Domain
from reluatlas.errors import TimeLimitError


def is_equal(totals: Totals, both: Refinement, domain: Domain, *, is_complete: bool, deadline: Deadline) -> bool | None:
    """Return whether the difference is zero on all cells; None where time or memory did not suffice to tell."""
    if totals.is_different:
        return False
    patterns = list(totals.doubtful.values())
    if patterns:
        exact, m = ExactMaps(both.network, domain, np.stack(patterns)), both.m
        for i in range(len(patterns)):
            if deadline.is_over():
                return None
            try:
                form = exact.of(i)
            except TimeLimitError:
                return None
            if any(any(row) for row in form[2 * m :]):
                return False
    return True if is_complete and totals.has_all_doubtful else None
