"""Which worker thread does which item, and with which buffers? Threads of one process, as many as there are jobs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

import numpy as np

from reluatlas.answers.limits import Limits
from reluatlas.subdivision.items import BUDGET, COUNT_BUDGET, Item
from reluatlas.subdivision.program.layout import Lowered
from reluatlas.subdivision.runner.bench import Bench, Choice, Plan
from reluatlas.subdivision.runner.contract import Id, Portion


class Threads:
    """Makes crews of worker threads."""

    def runner(self, lowered: Lowered, limits: Limits, *, collect: bool, measure: bool) -> Crew:
        """Return a crew for one run."""
        return Crew(lowered, limits.n_jobs, collect=collect, measure=measure)


class Crew:
    """Worker threads with their buffers, each made when it is first needed, and what they are working on."""

    def __init__(self, lowered: Lowered, n_jobs: int, *, collect: bool, measure: bool) -> None:
        self.n_workers = n_jobs
        self.stop = np.zeros(1, dtype=np.int64)
        # the order of cells depends on it, so it may depend on the number of jobs only where there is no order
        budget = COUNT_BUDGET if n_jobs == 1 and not collect else BUDGET
        self._plan = Plan(lowered, collect, measure, budget)
        self._benches = [Bench(self._plan)]
        self._idle = [0]
        self._choice = Choice(self._plan, self._benches[0])
        self._running: dict[Future[Portion], tuple[Id, int]] = {}
        self._benches[0].load_kernels()
        # one job has its thread, too: the main thread waits, and hears of Ctrl-C meanwhile
        self._executor = ThreadPoolExecutor(n_jobs, thread_name_prefix="reluatlas")

    @property
    def is_free(self) -> bool:
        """Whether another item can be begun."""
        return len(self._running) < self.n_workers and not self.stop[0]

    @property
    def running(self) -> list[Id]:
        """The ids of the items that were begun and are not back."""
        return [id for id, _ in self._running.values()]

    def prepare(self, item: Item) -> None:
        """Find the local network, if it is to be found for an item.

        Raises
        ------
        TimeLimitError
        """
        self._choice.prepare(item)

    def begin(self, item: Item, n_pending: int) -> None:
        """Begin an item that was prepared for."""
        if not self._idle:
            self._benches.append(Bench(self._plan))
            self._idle.append(len(self._benches) - 1)
        number = self._idle.pop()
        future = self._executor.submit(self._do, item, number)
        self._running[future] = (item.id, number)

    def _do(self, item: Item, number: int) -> Portion:
        begin = time.monotonic()
        done = self._benches[number].do(item, self.stop)
        return Portion([done], worker=f"thread {number}", seconds=time.monotonic() - begin)

    def finished(self, timeout: float | None) -> Iterator[Portion]:
        """Yield what is there by now; wait for the first, no longer than `timeout` seconds; with None, for all."""
        when = ALL_COMPLETED if timeout is None else FIRST_COMPLETED
        for future in wait(self._running, timeout=timeout, return_when=when).done:
            _, number = self._running.pop(future)
            self._idle.append(number)
            portion = future.result()
            self._choice.hear(portion.done[0])
            yield portion

    def close(self) -> None:
        """Stop, and end the threads."""
        self.stop[0] = 1
        self._executor.shutdown(wait=True)
