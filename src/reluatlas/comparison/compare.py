"""Are two networks the same, and if not, by how much and where? `compare`."""

from __future__ import annotations

from reluatlas.answers.limits import Limits
from reluatlas.comparison.answer import Comparison
from reluatlas.comparison.norms import checked_norm
from reluatlas.comparison.on_domain import Wanted, compare_on, require_bounded
from reluatlas.comparison.refinement import refinement


def compare(f, g, where=None, *, norm="inf", means=True, classes=None, max_cells=None, max_seconds=None, jobs=None, progress=None) -> Comparison:
    both = refinement(f, g, classes=classes)
    wanted = Wanted(checked_norm(norm), means)
    return compare_on(both, where, wanted, Limits(max_cells, max_seconds, jobs, progress))
