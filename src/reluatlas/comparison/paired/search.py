"""How far apart are two networks on a box, at most and at least? A tree of parts, the worst one first, at any time.

A part is cut in two along the coordinate its own bound blames most, dropped when its bound is not above the best
witness, and worked out cell by cell when few units bend there. Both ends are certain at every stop.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from reluatlas.answers.limits import StoppedBy
from reluatlas.comparison.exact import ExactAt
from reluatlas.comparison.norms import Norm, norm_of
from reluatlas.comparison.paired.bounds import BoxBounds, Bounder
from reluatlas.comparison.paired.small import part_of, settled
from reluatlas.comparison.paired.tree import Part, Tree, halves
from reluatlas.comparison.paired.witness import Witnesses
from reluatlas.comparison.refinement import Refinement
from reluatlas.deadline import current
from reluatlas.domain import Box, Slice
from reluatlas.errors import DomainError, TimeLimitError
from reluatlas.subdivision.runner.kinds import MAX_DIMENSION
from reluatlas.typing import FloatArray

CLOSE = 5e-10
"""Gap between both ends, over the value, from which on a part is settled."""
_FEW_OPEN = 14
_FEW_CELLS = 4_000
"""A part where at most so many units bend is worked out cell by cell, up to so many cells."""
_CLIMB_EVERY = 32
Told = Callable[[int, float, float], None]


@dataclass(eq=False)
class Search:
    """A search for the largest difference on a domain.

    Attributes
    ----------
    tree : Tree
    witnesses : Witnesses
    n_boxes : int
        Parts that were bounded.
    n_enumerated, n_cells : int
        Parts that were worked out cell by cell, and cells there.
    """

    both: Refinement
    domain: Box | Slice
    norm: Norm
    bounder: Bounder
    exact: ExactAt
    jobs: int = 1
    eps: float | None = None
    max_boxes: int | None = None
    told: Told | None = None

    def __post_init__(self) -> None:
        self.witnesses = Witnesses(self.both, self.domain, self.norm, self.exact)
        self.tree = Tree(self.both.m)
        self.n_boxes = self.n_enumerated = self.n_cells = 0
        whole = self.domain.box
        # until something is known
        self.tree.put(Part(whole.low, whole.high, np.full(self.both.m, np.inf), np.inf, 10**9, 0))
        self._at_once = 1
        self._can_enumerate = self.domain.dim <= MAX_DIMENSION

    @property
    def lower(self) -> float:
        """What the largest difference certainly reaches."""
        return self.witnesses.lower

    @property
    def upper(self) -> float:
        """What it certainly does not exceed."""
        return max(self.tree.bound, self.lower)

    @property
    def is_done(self) -> bool:
        """Whether both ends meet, or are on one side of `eps`."""
        if self.eps is not None and (self.lower > self.eps or self.upper <= self.eps):
            return True
        return self.tree.open_bound <= self._enough

    @property
    def _enough(self) -> float:
        return self.lower * (1.0 + CLOSE)

    def run(self) -> StoppedBy:
        """Search until both ends meet or a limit is reached; return which limit."""
        pool = ThreadPoolExecutor(self.jobs) if self.jobs > 1 else None
        try:
            with threadpool_limits(1, user_api="blas"):
                self._look_at_whole()
                self.witnesses.begin()
                while not self.is_done:
                    current().check()
                    if self.max_boxes is not None and self.n_boxes >= self.max_boxes:
                        return "max_cells"
                    self._step(pool)
                    if self.told is not None:
                        self.told(self.n_boxes, self.lower, self.upper)
        except TimeLimitError:
            return "max_seconds"
        except KeyboardInterrupt:
            return "interrupt"
        finally:
            if pool is not None:
                pool.shutdown()
        return ""

    def _look_at_whole(self) -> None:
        part = self.tree.take()
        try:
            made = self._parts(self.bounder(part.low[None], part.high[None]), part.low[None], part.high[None], [part])
        except BaseException:
            self.tree.put(part)
            raise
        self.n_boxes += 1
        self.tree.put(made[0])

    def _step(self, pool: ThreadPoolExecutor | None) -> None:
        """Take the parts with the largest bounds, and put back what is left of them."""
        taken: list[Part] = []
        try:
            begin = time.monotonic()
            if self._is_small(self.tree_top()):
                taken.append(self.tree.take())
                if self._enumerated(taken[0]):
                    taken.clear()
                    return
            n = self._at_once * self.jobs
            while len(self.tree) and len(taken) < n and self.tree.open_bound > self._enough:
                if taken and self._is_small(self.tree_top()):
                    break
                taken.append(self.tree.take())
            made = self._halved(taken, pool)
            taken = []
            for part in made:
                self._put(part)
            if time.monotonic() - begin < 0.3:
                self._at_once = min(2 * self._at_once, self.bounder.at_once)
        finally:
            for part in taken:
                self.tree.put(part)

    def tree_top(self) -> Part:
        """Return the open part with the largest bound."""
        return self.tree._open[0][2]

    def _is_small(self, part: Part) -> bool:
        return self._can_enumerate and part.n_open <= _FEW_OPEN

    def _put(self, part: Part) -> None:
        if part.bound <= self._enough:
            self.tree.settle(part.most, part.bound)
        else:
            self.tree.put(part)

    def _halved(self, parts: list[Part], pool: ThreadPoolExecutor | None) -> list[Part]:
        lows, highs, parents, whole = [], [], [], []
        for part in parts:
            cut = halves(part)
            if cut is None:  # one float64 point, or nearly: nothing to halve
                whole.append(part)
                continue
            lows.append(cut[0])
            highs.append(cut[1])
            parents += [part, part]
        for part in whole:
            self.tree.settle(part.most, part.bound)
        if not lows:
            return []
        low, high = np.concatenate(lows), np.concatenate(highs)
        step = -(-len(low) // self.jobs)
        slices = [slice(i, i + step) for i in range(0, len(low), step)]
        if pool is None or len(slices) == 1:
            found = [self.bounder(low[s], high[s]) for s in slices]
        else:
            running = [pool.submit(copy_context().run, self.bounder, low[s], high[s]) for s in slices]
            found = [each.result() for each in running]
        self.n_boxes += len(low)
        made: list[Part] = []
        corners = []
        for s, bounds in zip(slices, found, strict=True):
            made += self._parts(bounds, low[s], high[s], parents[s])
            corners.append(bounds.corner)
        U = np.concatenate(corners)
        before = self.lower
        sizes = self.witnesses.take(U)
        if self.lower > before or self.n_boxes % _CLIMB_EVERY == 0:
            self.witnesses.climb(U[np.argsort(-sizes)[:4]])
        return made

    def _parts(
        self, found: BoxBounds, low: FloatArray, high: FloatArray, parents: list[Part]
    ) -> list[Part]:  # fmt: skip
        out = []
        size = np.maximum(np.maximum(-found.low, found.high), 0.0)
        for i, parent in enumerate(parents):
            most = np.minimum(size[i], parent.most)
            bound = min(float(norm_of(most, self.norm)) * (1.0 + 1e-9 * (self.norm != "inf")), parent.bound)
            out.append(Part(low[i], high[i], most, bound, int(found.n_open[i]), int(found.split[i])))
        return out

    def _enumerated(self, part: Part) -> bool:
        """Settle a part by its cells; return whether that was possible."""
        try:
            domain = part_of(self.domain, Box(part.low, part.high))
        except DomainError:  # too thin a box
            return False
        found = settled(self.both, domain, self.norm, self.exact, _FEW_CELLS)
        self.n_enumerated += 1
        if found is None:
            return False
        self.n_cells += found.n_cells
        if found.top.vertex is not None and found.top.values is not None:
            u = np.array([float(c) for c in found.top.vertex])
            self.witnesses.accept_vertex(found.top, u)
        for o, one in enumerate(found.every):
            if one.lower > self.witnesses.each[o]:
                self.witnesses.each[o] = one.lower
                self.witnesses.points[o] = one.point
        most = np.minimum(np.array([one.upper for one in found.every]), part.most)
        self.tree.settle(most, min(found.top.upper, part.bound))
        return True
