"""Which workers are there, on which nodes? One for each processor, pinned to its node; nodes come and go.

The first worker of a node compiles the kernels, or reads them from the node's cache; the others start when it is ready.
They stay for later runs, as starting one takes seconds.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from reluatlas.clusters.worker import Worker, shortly
from reluatlas.errors import ClusterError

_LOOK_S = 2.0
_FAILED_STARTS = 3
"""So many workers in a row may end before they are ready, and nobody has worked since."""


@dataclass(eq=False)
class Seat:
    """A worker: where it is, and what it was given, first to last."""

    actor: Any
    node: str
    number: int
    starting: Any
    flying: list[Any] = field(default_factory=list)

    @property
    def is_ready(self) -> bool:
        """Whether it has its kernels."""
        return self.starting is None


class Team:
    """The workers of a cluster, for one run after another.

    Parameters
    ----------
    ray : module
    most : int, optional
        Workers at the most; one for each processor of the cluster when None.
    """

    def __init__(self, ray: Any, most: int | None) -> None:
        self._ray, self._most = ray, most
        self.seats: list[Seat] = []
        self._actor = ray.remote(num_cpus=1, max_restarts=0, concurrency_groups={"talk": 1})(Worker)
        self._n_started = self._n_failed = 0
        self._looked = -_LOOK_S
        self._plan: Any = None
        self._run = 0
        self._most_now = most

    def take(self, plan: Any, most: int | None) -> None:
        """Begin a run: `plan`, in the object store, is what each worker must know; `most` how many may work."""
        self._plan = plan
        self._run += 1
        self._most_now = min((n for n in (self._most, most) if n is not None), default=None)
        for seat in self.seats:
            seat.starting, seat.flying = seat.actor.take.remote(plan, seat.number, self._run), []
        self._looked = -_LOOK_S

    @property
    def ready(self) -> list[Seat]:
        """The workers that can be given something."""
        return [seat for seat in self.seats if seat.is_ready][: self._most_now]

    def look_around(self) -> None:
        """Start workers where processors are free, and see who is ready by now."""
        self._take_in()
        if time.monotonic() - self._looked < _LOOK_S:
            return
        self._looked = time.monotonic()
        for node in self._ray.nodes():
            if node["Alive"]:
                self._fill(node["NodeID"], int(node["Resources"].get("CPU", 0)))

    def _fill(self, node: str, n_processors: int) -> None:
        own = [seat for seat in self.seats if seat.node == node]
        wanted = n_processors if any(seat.is_ready for seat in own) else min(1, n_processors)
        if self._most_now is not None:
            wanted = min(wanted, len(own) + self._most_now - len(self.seats))
        for _ in range(wanted - len(own)):
            self._start(node)

    def _start(self, node: str) -> None:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        number = self._n_started
        pinned = NodeAffinitySchedulingStrategy(node, soft=False)
        actor = self._actor.options(scheduling_strategy=pinned).remote()
        self._n_started += 1
        self.seats.append(Seat(actor, node, number, actor.take.remote(self._plan, number, self._run)))

    def _take_in(self) -> None:
        starting = {seat.starting: seat for seat in self.seats if seat.starting is not None}
        if not starting:
            return
        came, _ = self._ray.wait(list(starting), num_returns=len(starting), timeout=0)
        for ref in came:
            seat = starting[ref]
            try:
                self._ray.get(ref)
            except self._ray.exceptions.RayError as problem:
                self.lose(seat)
                self._n_failed += 1
                if self._n_failed >= _FAILED_STARTS:
                    raise ClusterError(
                        f"no worker could start on the cluster; the last of {self._n_failed} that tried ended with: "
                        f"{shortly(str(problem))}. Look at the node, or pass fewer workers."
                    ) from None
            else:
                seat.starting, self._looked = None, -_LOOK_S

    def work_was_done(self) -> None:
        """Take note that workers do work: those that ended are not held against the cluster."""
        self._n_failed = 0

    def lose(self, seat: Seat) -> None:
        """Let go of a worker that is no more; another will be started where there is a processor for it."""
        self.seats.remove(seat)
        self._ray.kill(seat.actor)

    def halt(self) -> None:
        """Have all workers end what they do."""
        for seat in self.seats:
            seat.actor.halt.options(concurrency_group="talk").remote(self._run)

    def close(self) -> None:
        """End all workers."""
        for seat in self.seats:
            self._ray.kill(seat.actor)
        self.seats = []
