"""How does a run work on a cluster? The driver holds what is left to do; batches go out, and portions come back.

The first item is done here: many domains have few cells, and it decides how all others are done. No worker is started
before a second one.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from typing import Any

import numpy as np

from reluatlas.clusters.again import keep, number_of
from reluatlas.clusters.batches import Batch, Estimate
from reluatlas.clusters.faults import Faults
from reluatlas.clusters.team import Seat, Team
from reluatlas.clusters.worker import Failure, Order, shortly
from reluatlas.deadline import look, pauses
from reluatlas.errors import ClusterError, ItemError
from reluatlas.subdivision.items import Item
from reluatlas.subdivision.runner.bench import Bench, Choice, Plan
from reluatlas.subdivision.runner.contract import Id, Portion

_PULSE_S = 0.05
_AHEAD = 2
"""Batches that a worker is given at the same time: the next lies there when it ends one."""
_START_S = 900.0
"""Within so long a worker must have its kernels, where processors are free."""
_BUSY_S = 120.0
"""Within so long, where none is free at first."""
_END_S = 10.0
"""So long after a stop answers are waited for."""


class RayCrew:
    """The workers of a cluster, and what they are working on; see `Runner`."""

    def __init__(self, ray: Any, plan: Plan, team: Team, most: int | None) -> None:
        self._ray, self._plan, self._most = ray, plan, most
        self._all = team
        self.stop = np.zeros(1, dtype=np.int64)
        self._bench = Bench(plan)
        self._bench.load_kernels()
        self._choice = Choice(plan, self._bench)
        self._first: list[Item] = []
        self._team: Team | None = None
        self._batch: Batch | None = None
        self._waiting: deque[Order] = deque()
        self._flying: dict[Any, tuple[Seat, Order]] = {}
        self._estimate, self._faults = Estimate(), Faults()
        self._is_halted = False

    @property
    def n_workers(self) -> int:
        """How many workers are ready."""
        return len(self._team.ready) if self._team is not None else 1

    @property
    def is_free(self) -> bool:
        """Whether another item can be begun."""
        n_held = len(self._flying) + len(self._waiting)
        return not self.stop[0] and not self._first and n_held < _AHEAD * max(1, self.n_workers)

    @property
    def running(self) -> list[Id]:
        """The ids of the items that were begun and are not back."""
        return [item.id for item in self._begun()]

    def _begun(self) -> list[Item]:
        orders = [*(order for _, order in self._flying.values()), *self._waiting]
        return self._first + (self._batch.items if self._batch else []) + [i for order in orders for i in order.items]

    def prepare(self, item: Item) -> None:
        """Decide on a local network, and have a worker ready, when an item other than the first is to be begun.

        Raises
        ------
        TimeLimitError
        ClusterError
            When no worker can be started.
        """
        self._choice.prepare(item)
        if item.id and self._team is None:
            try:
                plan = self._ray.put(self._plan.to_send())
            except self._ray.exceptions.ObjectStoreFullError:
                raise ClusterError(
                    "the network does not fit into the object store of the cluster. Start Ray with more "
                    "`object_store_memory`."
                ) from None
            self._team = self._all
            self._team.take(plan, self._most)
            self._await(self._team)

    def _await(self, team: Team) -> None:
        """Wait for the first worker; where a processor is free, it compiles kernels, which no limit counts."""
        is_free = self._ray.available_resources().get("CPU", 0) >= 1
        wait = _START_S if is_free else _BUSY_S
        latest = time.monotonic() + wait
        if is_free:
            pauses.begin()
        try:
            while not team.ready:
                team.look_around()
                if not is_free:
                    look()
                if time.monotonic() > latest:
                    raise ClusterError(
                        f"no worker of the cluster was ready within {wait:g} s"
                        + ("." if is_free else ": all its processors are taken.")
                        + " Look at its nodes with `ray status`."
                    )
                time.sleep(_PULSE_S)
        finally:
            if is_free:
                pauses.end()

    def begin(self, item: Item, n_pending: int) -> None:
        """Begin an item that was prepared for: it goes out with others."""
        if not item.id:
            self._first = [item]
        elif self._faults.is_suspect(item):
            self._waiting.append(Order([item], 0.0))
        else:
            if self._batch is None:
                self._batch = Batch(n_pending, self.n_workers)
            self._batch.add(item, self._estimate.of(item))
            if self._batch.is_full:
                self._send_batch()

    def _send_batch(self) -> None:
        if self._batch is not None:
            self._waiting.append(Order(self._batch.items, self._batch.seconds))
            self._batch = None

    def finished(self, timeout: float | None) -> Iterator[Portion]:
        """Yield what is there by now; wait for the first, no longer than `timeout` seconds; with None, for all."""
        if self._first:
            yield self._do_first()
            return
        self._send_batch()
        if not self._begun():
            return
        latest = time.monotonic() + (timeout if timeout is not None else _END_S)
        while True:
            if self.stop[0]:
                yield from self._halt()
            came = self._take_in(latest)
            yield from came
            if not self._begun() or (came and timeout is not None):
                return
            if time.monotonic() >= latest:
                if timeout is None:
                    yield Portion([], self._give_back())
                return

    def _do_first(self) -> Portion:
        begin = time.monotonic()
        done = self._bench.do(self._first[0], self.stop)
        self._choice.hear(done)
        self._first = []
        return Portion([done], worker="driver", seconds=time.monotonic() - begin)

    def _take_in(self, latest: float) -> list[Portion]:
        """Give workers what waits, and return what came from them within a moment."""
        assert self._team is not None
        self._team.look_around()
        for seat in self._team.ready:
            while self._waiting and len(seat.flying) < _AHEAD:
                self._send(seat, self._waiting.popleft())
        pause = max(0.0, min(_PULSE_S, latest - time.monotonic()))
        if not self._flying:
            time.sleep(pause)
            return []
        came, _ = self._ray.wait(list(self._flying), timeout=pause)
        if came:
            came, _ = self._ray.wait(list(self._flying), num_returns=len(self._flying), timeout=0)
        portions = [self._portion(ref) for ref in came if ref in self._flying]
        return [portion for portion in portions if portion is not None]

    def _send(self, seat: Seat, order: Order) -> None:
        ref = seat.actor.do.remote(order)
        seat.flying.append(ref)
        self._flying[ref] = seat, order

    def _portion(self, ref: Any) -> Portion | None:
        """Return what an answer holds; None when it is lost, or to be asked for again."""
        assert self._team is not None
        seat, order = self._flying[ref]
        try:
            answer = self._ray.get(ref)
        except self._ray.exceptions.ObjectStoreFullError as problem:
            raise ClusterError(
                f"the object store of the cluster is full ({problem}). Start Ray with more `object_store_memory`."
            ) from None
        except self._ray.exceptions.RayError as problem:
            self._lost(seat, str(problem))
            return None
        del self._flying[ref]
        seat.flying.remove(ref)
        if isinstance(answer, Failure):
            if not answer.is_memory:
                raise self._blame(answer.item, "fails", answer.text)
            others = [item for item in order.items if item.id != answer.item.id]
            self._do_again(Order([answer.item], 0.0), answer.text)
            if others:
                self._waiting.append(Order(others, order.seconds))
            return None
        self._estimate.hear(answer)
        self._team.work_was_done()
        return answer

    def _lost(self, seat: Seat, why: str) -> None:
        """Do again what a worker had that is no more; what it was working on counts against the items there."""
        assert self._team is not None
        self._team.lose(seat)
        for i, ref in enumerate(seat.flying):
            _, order = self._flying.pop(ref)
            if i == 0:
                self._do_again(order, why)
            else:
                self._waiting.appendleft(order)

    def _do_again(self, order: Order, why: str) -> None:
        again = self._faults.again(order)
        worst = self._faults.worst(order)
        if worst is not None:
            raise self._blame(worst, "cost as many workers as tried it", why)
        self._waiting.extendleft(reversed(again))

    def _blame(self, item: Item, what: str, why: str) -> ItemError:
        """Return an error that names an item, with all that was said of it as a note."""
        path = keep(self._plan, item)
        problem = ItemError(
            f"item {number_of(item)} {what}: {shortly(why)}. Its inputs are in {path}; `python -m "
            f"reluatlas.clusters.again {path}` does it again, here."
        )
        problem.item, problem.path = item.id, path
        problem.add_note(why)
        return problem

    def _halt(self) -> list[Portion]:
        """Have workers stop; return what nobody had begun."""
        if self._is_halted:
            return []
        self._is_halted = True
        if self._team is not None:
            self._team.halt()
        back = [item for order in self._waiting for item in order.items]
        self._waiting.clear()
        return [Portion([], back)] if back else []

    def _give_back(self) -> list[Item]:
        """Give up on what is out, and return it as it was."""
        back = self._begun()
        self._waiting.clear()
        self._flying.clear()
        return back

    def close(self) -> None:
        """Stop, and let go of the workers."""
        self.stop[0] = 1
        if self._team is not None and self._begun():
            self._team.halt()
        self._team = None
