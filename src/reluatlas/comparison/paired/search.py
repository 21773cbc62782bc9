"""How far apart are two networks on a box, at most and at least? A tree of parts, the worst one first, at any time.

A part is cut in two along the coordinate its own bound blames most, dropped when its bound is not above the best
witness, and cut along single units where few of them bend, until both ends meet. Both are certain at every stop.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass

import numpy as np

from reluatlas.answers.limits import StoppedBy
from reluatlas.comparison.exact import ExactAt
from reluatlas.comparison.norms import Norm, norm_of
from reluatlas.comparison.paired.bounds import Bounder, BoxBounds
from reluatlas.comparison.paired.phases import cut, most_on
from reluatlas.comparison.paired.tree import Part, Tree, halves
from reluatlas.comparison.paired.witness import Witnesses
from reluatlas.comparison.refinement import Refinement
from reluatlas.deadline import current
from reluatlas.domain import Box, Slice
from reluatlas.errors import TimeLimitError
from reluatlas.network.batches import one_blas_thread
from reluatlas.typing import FloatArray

CLOSE = 5e-10
"""Gap between both ends, over the value, from which on a part is settled."""
_FEW_OPEN = 5
"""A box where at most so many units bend is cut along them, not halved."""
_STEP_S = 0.3
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
        self.n_boxes = 0
        whole = self.domain.box
        # until something is known
        self.tree.put(Part(whole.low, whole.high, np.full(self.both.m, np.inf), np.inf, 10**9, 0))
        self._at_once = 1

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
            with one_blas_thread():
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
            made = self._parts(self.bounder(part.low[None], part.high[None]), [part])
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
            n = self._at_once * self.jobs
            while len(self.tree) and len(taken) < n and self.tree.open_bound > self._enough:
                taken.append(self.tree.take())
            made, lost = self._cut(taken, pool)
            taken = []
            for part in lost:
                self.tree.settle(part.most, part.bound)
            for part in made:
                self._put(part)
            if time.monotonic() - begin < _STEP_S:
                self._at_once = min(2 * self._at_once, self.bounder.at_once)
        finally:
            for part in taken:
                self.tree.put(part)

    def _put(self, part: Part) -> None:
        is_affine = part.phases is not None and part.bend.unit < 0
        if part.bound <= self._enough or is_affine:  # of an affine function, nothing is left to find out
            self.tree.settle(part.most, part.bound)
        else:
            self.tree.put(part)

    def _cut(self, parts: list[Part], pool: ThreadPoolExecutor | None) -> tuple[list[Part], list[Part]]:
        """Return the parts of parts, bounded; and those that cannot be cut."""
        new: list[Part] = []
        lost: list[Part] = []
        for part in parts:
            if part.phases is not None or (part.bend.unit >= 0 and part.n_open <= _FEW_OPEN):
                new += [part._replace(phases=phases) for phases in cut(part, self.bounder.n_units)]
                continue
            ends = halves(part)
            if ends is None:  # one float64 point, or nearly
                lost.append(part)
                continue
            new += [part._replace(low=low, high=high) for low, high in zip(*ends, strict=True)]
        if not new:
            return [], lost
        plain, special = [p for p in new if p.phases is None], [p for p in new if p.phases is not None]
        made = []
        for group in (plain, special):
            if group:
                made += self._bounded(group, pool)
        return made, lost

    def _bounded(self, parts: list[Part], pool: ThreadPoolExecutor | None) -> list[Part]:
        low, high = np.stack([p.low for p in parts]), np.stack([p.high for p in parts])
        given = [p.phases for p in parts]
        fixed = None if given[0] is None else np.stack([p.fixed for p in given if p is not None])
        step = max(1, min(self.bounder.at_once, -(-len(low) // self.jobs)))
        slices = [slice(i, i + step) for i in range(0, len(low), step)]

        def bound(s: slice) -> BoxBounds:
            return self.bounder(low[s], high[s], None if fixed is None else fixed[s])

        if pool is None or len(slices) == 1:
            found = [bound(s) for s in slices]
        else:
            running = [pool.submit(copy_context().run, bound, s) for s in slices]
            found = [each.result() for each in running]
        self.n_boxes += len(parts)
        made: list[Part] = []
        for s, bounds in zip(slices, found, strict=True):
            if fixed is None:
                self._look_at(bounds.corner)
            made += self._parts(bounds, parts[s])
        return made

    def _look_at(self, U: FloatArray) -> None:
        before = self.lower
        sizes = self.witnesses.take(U)
        if self.lower > before:
            self.witnesses.climb(U[np.argsort(-sizes)[:4]])

    def _parts(self, found: BoxBounds, parts: list[Part]) -> list[Part]:
        """Return parts with what is now known of them."""
        out = []
        size = np.maximum(np.maximum(-found.low, found.high), 0.0)
        points = []
        for i, part in enumerate(parts):
            most = np.minimum(size[i], part.most)
            if part.phases is not None:
                most = self._most_on(found, i, part, most, points)
            bound = min(float(norm_of(most, self.norm)) * (1.0 + 1e-9 * (self.norm != "inf")), part.bound)
            out.append(
                part._replace(
                    most=most, bound=bound, n_open=int(found.n_open[i]), split=int(found.split[i]), bend=found.bends[i]
                )
            )
        if points:
            self.witnesses.take(np.clip(np.stack(points), self.domain.box.low, self.domain.box.high))
        return out

    def _most_on(
        self, found: BoxBounds, i: int, part: Part, most: FloatArray, points: list[FloatArray]
    ) -> FloatArray:  # fmt: skip
        """Return what each output does not exceed where units are known to be on or off."""
        assert part.phases is not None
        most = most.copy()
        # outputs that are below what is reached already need no better bound
        level = self._enough if self.norm == "inf" else 0.0
        for o in np.flatnonzero(most > level).tolist():
            reach = 0.0
            center, along, slack = float(found.center[i, o]), found.along[i, :, o], float(found.slack[i, o])
            for sign in (1.0, -1.0):
                if np.abs(along).sum() + sign * center + slack <= level * (1.0 - 1e-9):
                    reach = max(reach, level)
                    continue
                bound, e = most_on(part.phases, sign * center, sign * along, slack)
                reach = max(reach, bound)
                if bound > level:
                    points.append(part.low / 2 + part.high / 2 + e * (part.high - part.low) / 2)
            most[o] = min(most[o], reach)
        return most
