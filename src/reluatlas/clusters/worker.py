"""What does a worker do with items that it is sent? It works on them and on what they leave, for about so many seconds.

One process of the cluster; of a run it keeps nothing between two calls but buffers: another may do the same again.
"""

from __future__ import annotations

import heapq
import os
import time
import traceback
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from reluatlas.errors import ReluAtlasError
from reluatlas.network.batches import one_blas_thread
from reluatlas.subdivision.items import Found, Item
from reluatlas.subdivision.runner.bench import Bench, Plan
from reluatlas.subdivision.runner.contract import Done, Portion

_MOST_BYTES = 16 << 20
"""Cells that are sent back at once, about: more would fill object stores."""


@dataclass(frozen=True, eq=False)
class Order:
    """Items to be worked on, first to last.

    Attributes
    ----------
    seconds : float
        After so many, what is left is given back; 0: only the items themselves are worked on.
    """

    items: list[Item]
    seconds: float


@dataclass(frozen=True, eq=False)
class Failure:
    """An item on which the work failed, and what Python says of it.

    Attributes
    ----------
    is_memory : bool
        Whether memory was short: another time it may be enough.
    """

    item: Item
    text: str
    is_memory: bool


class Worker:
    """A worker, for one run after another; its calls but `halt` come one after another, too."""

    def __init__(self) -> None:
        self._stop = np.zeros(1, dtype=np.int64)
        self._run = self._halted = 0
        self._name = ""
        self._plan: Any = None
        self._bench: Any = None

    def take(self, plan: Plan, number: int, run: int) -> str:
        """Begin a run; return who this is, once the kernels are there.

        Parameters
        ----------
        plan : Plan
            From the object store: its arrays are those of the node, held once.
        number : int
            Of the worker, for the log.
        run : int
            Of the run, from 1 on.
        """
        self._name = f"worker {number}, process {os.getpid()} on {os.uname().nodename}"
        self._plan, self._bench = plan, Bench(plan)
        self._bench.load_kernels()
        self._run = run
        self._stop[0] = int(self._halted >= run)
        return self._name

    def halt(self, run: int) -> None:
        """Let what is done of a run at this moment end, and all later calls of it at once; it may be over already."""
        self._halted = max(self._halted, run)
        if self._halted >= self._run:
            self._stop[0] = 1

    def do(self, order: Order) -> Portion | Failure:
        """Work on items, and what they leave, until the time is over or nothing is left."""
        begin = time.monotonic()
        portion = Portion([], worker=self._name)
        with one_blas_thread():  # sums in the same order, whatever the machine
            for i, item in enumerate(order.items):
                if i and (time.monotonic() - begin >= order.seconds > 0 or self._stop[0]):
                    portion.back = order.items[i:]
                    break
                try:
                    portion.done += self._below(item, begin + order.seconds)
                except Exception as problem:
                    return Failure(item, _said(problem), isinstance(problem, MemoryError))
        portion.seconds = time.monotonic() - begin
        return portion

    def _below(self, item: Item, until: float) -> list[Done]:
        """Work on an item, and on what it leaves as long as there is time."""
        first = self._bench.do(item, self._stop)
        done, left, n_bytes = [first], list(first.answer.rest), _size_of(first.answer)
        while left and time.monotonic() < until and n_bytes < _MOST_BYTES and not self._stop[0]:
            at = heapq.heappop(left)
            record = self._bench.do(at, self._stop)
            if not record.is_whole and self._plan.collect:
                heapq.heappush(left, at)
                break
            done.append(record)
            n_bytes += _size_of(record.answer)
            for rest in record.answer.rest:
                heapq.heappush(left, rest)
        if not self._plan.collect:
            return [Done(item, _sum_of(done, left), first.is_whole)]
        return [
            Done(
                d.item if d is first else _named(d.item), replace(d.answer, rest=left if d is first else []), d.is_whole
            )
            for d in done
        ]


def _sum_of(done: list[Done], left: list[Item]) -> Found:
    """Return what an item and those below it gave, when they are only counted."""
    answers = [d.answer for d in done]
    return Found(
        answers[0].id,
        sum(a.n_cells for a in answers),
        float(sum(a.volume for a in answers)),
        None,
        left,
        np.sum([a.counters for a in answers], axis=0),
    )


def _named(item: Item) -> Item:
    """Return an item of which nothing is there but its number: the driver never had it."""
    return Item(item.id, item.level, np.zeros(0, dtype=np.int32))


def _size_of(answer: Found) -> int:
    cells: Any = answer.cells
    return 0 if cells is None else sum(a.nbytes for a in cells)


def _said(problem: Exception) -> str:
    if isinstance(problem, ReluAtlasError):
        return str(problem)
    return "".join(traceback.format_exception(problem)).strip()


def shortly(text: str) -> str:
    """Return the line of a report that says what happened: of a traceback the last one, else the first one."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        return "nothing was said"
    return (lines[-1] if lines[0].startswith("Traceback") else lines[0]).rstrip(".")
