"""Which worker thread does which item, and with which buffers? In the whole network, or in a local one."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any

import numpy as np

from reluatlas.domain import Space
from reluatlas.subdivision.items import BUDGET, COUNT_BUDGET, Found, Item
from reluatlas.subdivision.local import localize
from reluatlas.subdivision.local.localize import ItemWorker, Localized, LocalWorker
from reluatlas.subdivision.path.composition import S_VISITS
from reluatlas.subdivision.program.layout import Lowered
from reluatlas.subdivision.runner.kinds import Kind


class Crew:
    """Worker threads with their buffers, each made when it is first needed, and what they are working on.

    The first item is subdivided in the whole network: many domains have few cells. What is left of it, and all else, is
    in a local one where that pays, which depends on the network, the domain and the item alone.
    """

    def __init__(self, kind: Kind, lowered: Lowered, n_jobs: int, *, collect: bool, measure: bool) -> None:
        self.n_jobs, self.collect, self._measure = n_jobs, collect, measure
        new_worker, self._root = kind.worker, kind.root(lowered)
        self.stop = np.zeros(1, dtype=np.int64)
        self.running: dict[Future[Found], tuple[Item, int, Any]] = {}
        self._new_worker, self._lowered = new_worker, lowered
        self._first_budget = localize.first_budget(lowered)
        self._local: Localized | None = None
        self._first: Found | None = None
        self._is_decided = localize.mode == "off"
        self._idle = [self._worker()]
        self._local_of: dict[int, Any] = {}
        self._idle[0].load_kernels()
        # the order of cells depends on it, so it may depend on the number of jobs only where there is no order
        self._later_budget = COUNT_BUDGET if n_jobs == 1 and not collect else BUDGET
        # one job has its thread, too: the main thread waits, and hears of Ctrl-C meanwhile
        self._executor = ThreadPoolExecutor(n_jobs, thread_name_prefix="reluatlas")

    def _worker(self) -> Any:
        worker = self._new_worker(self._lowered)
        worker.measures = self._measure
        return worker

    @property
    def is_free(self) -> bool:
        """Whether another item can be begun."""
        return len(self.running) < self.n_jobs and not self.stop[0]

    def prepare(self, item: Item) -> None:
        """Find the local network, if it is to be found for an item.

        Raises
        ------
        TimeLimitError
        """
        if self._is_decided or not self._is_local(item):
            return
        if localize.mode == "items":
            self._is_decided = True
            return
        always = localize.mode == "on"
        if always or self._is_worth_a_look():
            self._local = localize.localized(self._lowered, always=always)
        self._is_decided = True

    def _is_worth_a_look(self) -> bool:
        """Return whether to look for a local network, by the first item.

        A run that goes on from a file does it again: it must decide as the first run did.
        """
        domain = self._lowered.domain
        assert not isinstance(domain, Space)
        first = self._first
        if first is None:
            self._idle[-1].measures = True
            first = self._idle[-1].do(self._root, self._first_budget, np.zeros(1, dtype=np.int64), collect=self.collect)
        share = first.volume / domain.box.volume
        return localize.is_worth_a_look(self._lowered, first.n_cells, int(first.counters[S_VISITS]), share)

    def begin(self, item: Item) -> None:
        """Begin an item that was prepared for."""
        worker = self._idle.pop() if self._idle else self._worker()
        budget = self._later_budget if item.id else self._first_budget
        # by the first item it is decided whether to look for a local network
        worker.measures = self._measure or not item.id
        does = worker
        if self._is_local(item):
            if id(worker) not in self._local_of:
                self._local_of[id(worker)] = self._local_worker(worker)
            does = self._local_of[id(worker)]
        future = self._executor.submit(does.do, item, budget, self.stop, collect=self.collect)
        self.running[future] = (item, budget, worker)

    def _is_local(self, item: Item) -> bool:
        """Return whether an item may be for a local network."""
        if localize.mode == "off" or isinstance(self._lowered.domain, Space):
            return False
        return localize.mode != "automatic" or bool(item.id)

    def _local_worker(self, worker: Any) -> Any:
        """Return what subdivides items in the local network of the domain, if there is one, or in those of items.

        Of items in more than two dimensions none is looked for: cutting polytopes takes most of the time there.
        """
        if self._local is not None:
            return LocalWorker(self._new_worker, worker, self._local)
        if localize.mode != "items" and self._lowered.domain.dim > 2:
            return worker
        return ItemWorker(self._new_worker, worker, worker, self._lowered, always=localize.mode == "items")

    def finished(self, timeout: float | None) -> Iterator[tuple[Item, Found, bool]]:
        """Yield items that are done by now, their answers, and whether no stop cut them short.

        Waits for the first one, but no longer than `timeout` seconds; with None, for all.
        """
        when = ALL_COMPLETED if timeout is None else FIRST_COMPLETED
        for future in wait(self.running, timeout=timeout, return_when=when).done:
            item, budget, worker = self.running.pop(future)
            self._idle.append(worker)
            answer = future.result()
            if not item.id:
                self._first = answer
            yield item, answer, not answer.rest or answer.n_cells >= budget

    def close(self) -> None:
        """Stop, and end the threads."""
        self.stop[0] = 1
        self._executor.shutdown(wait=True)
