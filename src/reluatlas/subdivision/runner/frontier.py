"""What is left to do, and what was found? `Frontier`: in memory, and in a file that a later run goes on from.

An item that a stop cuts short leaves cells and items in other portions than a run without that stop: the last bits of
their maps would differ. So where a file keeps cells, such an item goes back whole, and its cells are in this run's
answer alone; only a run that finished nothing else keeps them, so that every run gets further.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable
from typing import Any

from reluatlas.subdivision.items import Found, Item
from reluatlas.subdivision.program.layout import M_LEVELS, Lowered
from reluatlas.subdivision.runner.checkpoint import RunFile, Step
from reluatlas.subdivision.runner.contract import Portion
from reluatlas.subdivision.runner.tally import Tally

Take = Callable[[Found], None]
"""Who takes what an item gave."""

_LEAST_PAUSE_S, _MOST_PAUSE_S = 0.2, 5.0
_PAUSE_PER_WRITE = {False: 10.0, True: 1.0}
"""Pause after a write, in times that it took, by whether cells are collected: they wait in memory meanwhile."""


class Frontier:
    """The open items of a run and the sums over the finished ones.

    Parameters
    ----------
    lowered : Lowered
    root : Item
        Where a run begins that no file holds.
    collect : bool
        Whether cells are kept.
    file : RunFile, optional
    take : callable, optional
        Who takes what each item gave, in order: one that ends early waits for those before it. Nothing is kept then.
    """

    def __init__(
        self, lowered: Lowered, root: Item, *, collect: bool, file: RunFile | None, take: Take | None = None
    ) -> None:
        self.collect, self.file, self._give = collect, file, take
        self._early: list[tuple[tuple[int, ...], Found]] = []  # what waits for those before it
        self.pending: list[Item] = [root]
        self.tally = Tally()
        self.found: list[Found] = []
        self._cut_short: list[tuple[Item, Found]] = []
        self._n_finished = 0
        self._is_between_items = True
        self._step = Step(new={root.id: root})
        if file is not None and not file.is_new:
            self.pending, self.tally = file.read(root, lambda item: _fits(item, lowered))
            heapq.heapify(self.pending)
            self._step = Step()
        self._seconds_before = self.tally.seconds
        self._start = self._written = time.monotonic()
        self._pause = 0.0

    @property
    def keeps(self) -> bool:
        """Whether cells are part of the answer, so that it can have too many."""
        return self.collect and self._give is None

    def pop(self) -> Item:
        """Return the first open item, to be worked on."""
        return heapq.heappop(self.pending)

    def push(self, item: Item) -> None:
        """Put an item back."""
        heapq.heappush(self.pending, item)

    def accept(self, portion: Portion) -> None:
        """Take what a worker gives back."""
        self._is_between_items = False  # an interrupt may come anywhere in here: then nothing more is written
        for item, answer, is_whole in portion.done:
            if self.file is not None and self.collect and not is_whole:
                self._cut_short.append((item, answer))
                self.push(item)
            else:
                self._n_finished += 1
                self._take(item, answer)
        for item in portion.back:
            self.push(item)
        if self.file is not None:
            self._step.note(portion)
        self._is_between_items = True

    def _take(self, item: Item, answer: Found) -> None:
        self.tally.add(answer)
        for rest in answer.rest:
            self.push(rest)
        if self.file is not None:
            self._step.take(item, answer, collect=self.collect)
        elif self._give is not None:
            heapq.heappush(self._early, (answer.id, answer))
        elif self.collect:
            self.found.append(answer)

    def settle(self, first_open: tuple[int, ...] | None) -> None:
        """Count the cells of items before the first open one, and give them away; None stands for when none is open."""
        self.tally.settle(first_open)
        self._give_away(first_open)

    def _give_away(self, first_open: tuple[int, ...] | None) -> None:
        while self._early and (first_open is None or self._early[0][0] < first_open):
            _, answer = heapq.heappop(self._early)
            if self._give is not None:
                self._give(answer)

    def write_now_and_then(self) -> None:
        """Write what happened when the last write is a moment ago, and longer when it took long."""
        if self.file is not None and time.monotonic() - self._written >= self._pause:
            self._write(self.file)

    def _write(self, file: RunFile) -> None:
        begin = time.monotonic()
        self.tally.seconds = self._seconds_before + begin - self._start
        file.write(self._step, self.tally)
        self._step = Step()
        self._written = time.monotonic()
        took = self._written - begin
        self._pause = min(_MOST_PAUSE_S, max(_LEAST_PAUSE_S, took * _PAUSE_PER_WRITE[self.collect]))

    def finish(self, new_cells: Any) -> None:
        """Write what is left to write, and gather what was found, in order; `new_cells` makes cells of arrays."""
        if not self._n_finished and self._cut_short:
            again = {item.id for item, _ in self._cut_short}
            self.pending = [item for item in self.pending if item.id not in again]
            heapq.heapify(self.pending)
            self._is_between_items = False
            for item, answer in self._cut_short:
                self._take(item, answer)
            self._cut_short = []
            self._is_between_items = True
        self.tally.seconds = self._seconds_before + time.monotonic() - self._start
        if self.file is not None:
            if self._is_between_items:
                self._write(self.file)
            self.found = list(self.file.found(new_cells)) if self.collect else []
        for _, answer in self._cut_short:
            self.tally.add(answer)
            if self._give is not None:
                heapq.heappush(self._early, (answer.id, answer))
            else:
                self.found.append(answer)
        self._give_away(None)
        self.found.sort(key=lambda f: f.id)


def _fits(item: Item, lowered: Lowered) -> bool:
    """Return whether an item from a file can be one of this network."""
    offsets = lowered.program.pat_off
    return 0 <= item.level <= int(lowered.program.meta[M_LEVELS]) and item.pieces.size == int(offsets[item.level])
