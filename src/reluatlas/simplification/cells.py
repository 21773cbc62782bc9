"""What do units do on all cells of a domain? Where bounds and linear programs leave it open: `by_cells`.

A domain is covered by its cells, and on each a unit is one of its pieces. So a unit that has one piece on all of them
is that affine function everywhere, by continuity on the walls, too; the same of winners of windows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reluatlas.answers.limits import Limits
from reluatlas.deadline import Deadline, under
from reluatlas.domain import Box, Segment, Slice
from reluatlas.errors import TimeLimitError
from reluatlas.network.network import Network
from reluatlas.simplification.bounds import Known, is_open
from reluatlas.simplification.removals import METHODS
from reluatlas.subdivision.items import Found
from reluatlas.subdivision.program.lower import lower
from reluatlas.subdivision.runner.kinds import MAX_DIMENSION
from reluatlas.subdivision.runner.run import run

MOST_CELLS = 200_000
"""Cells that are looked at, at most."""


class _NothingIsLeft(Exception):
    """Every unit that was open has been seen to bend: no further cell tells anything."""


def by_cells(net: Network, domain: Box | Slice | Segment, deadline: Deadline, known: Known) -> None:
    """Settle what is open by all cells of the domain, where it has up to six dimensions and they are few enough.

    Where they are not, or the deadline is over before, nothing is settled.
    """
    if isinstance(domain, Segment) or domain.dim > MAX_DIMENSION or not known.is_complete:
        return
    seen = _Seen(net, known)
    if seen.is_over():
        return
    try:
        with under(deadline):
            outcome = run(lower(net, domain), Limits(MOST_CELLS, None, None, None), collect=True, take=seen.take)
    except (_NothingIsLeft, TimeLimitError):
        return
    if outcome.stopped_by:
        return
    for t, found in known.possible.items():
        was_open = is_open(found)
        needed = seen.restricted(t, found.needed, was_open)
        known.possible[t] = found._replace(needed=needed)
        settled = was_open & ~is_open(known.possible[t])
        how = known.how.setdefault(t, np.zeros(settled.size, dtype=np.int8))
        how[settled] = METHODS.index("cells")


class _Seen:
    """Which pieces and winners were met on cells."""

    def __init__(self, net: Network, known: Known) -> None:
        self._columns = net.pattern_slices()
        self._open = {t: np.flatnonzero(is_open(found)) for t, found in known.possible.items()}
        self._offsets = {t: found.offsets for t, found in known.possible.items()}
        self._met = {t: np.zeros(found.needed.size, dtype=bool) for t, found in known.possible.items()}

    def take(self, found: Found) -> None:
        """Take the cells of one item."""
        if not found.n_cells:
            return
        patterns: NDArray[np.integer] = found.cells.pattern
        for t, units in self._open.items():
            pieces = patterns[:, self._columns[t].start + units]
            at = self._offsets[t][units] + pieces
            self._met[t][np.unique(at)] = True
        if self.is_over():
            raise _NothingIsLeft

    def is_over(self) -> bool:
        """Whether each unit that is open was seen on two pieces."""
        return all((self._n_met(t)[units] > 1).all() for t, units in self._open.items())

    def restricted(self, t: int, needed: NDArray[np.bool_], was_open: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return which pieces are needed, of units that were open only those that were met."""
        of_open = np.repeat(was_open, np.diff(self._offsets[t]))
        left = np.where(of_open, needed & self._met[t], needed)
        is_some = np.add.reduceat(left.astype(np.int64), self._offsets[t][:-1]) > 0
        return np.where(np.repeat(is_some, np.diff(self._offsets[t])), left, needed)

    def _n_met(self, t: int) -> NDArray[np.int64]:
        return np.add.reduceat(self._met[t].astype(np.int64), self._offsets[t][:-1])
