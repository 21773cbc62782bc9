"""How does one worker do an item? In the whole network, or in a local one, with buffers of its own."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reluatlas.domain import Space
from reluatlas.subdivision.items import Found, Item
from reluatlas.subdivision.local import localize
from reluatlas.subdivision.local.localize import ItemWorker, Localized, LocalWorker
from reluatlas.subdivision.local.names import Names
from reluatlas.subdivision.path.composition import S_VISITS
from reluatlas.subdivision.program.layout import Lowered
from reluatlas.subdivision.runner.contract import Done
from reluatlas.subdivision.runner.kinds import kind_of


@dataclass(eq=False)
class Plan:
    """What all workers of a run must know.

    Attributes
    ----------
    budget : int
        Cells of an item at the most. The order of cells depends on it.
    mode : str
        `localize.mode`, when the run began.
    local : Localized, optional
        The local network of the domain, when it was decided that there is one.
    """

    lowered: Lowered
    collect: bool
    measure: bool
    budget: int
    mode: localize.Mode = field(default_factory=lambda: localize.mode)
    local: Localized | None = None

    def is_local(self, item: Item) -> bool:
        """Return whether an item may be for a local network."""
        if self.mode == "off" or isinstance(self.lowered.domain, Space):
            return False
        return self.mode != "automatic" or bool(item.id)

    def to_send(self) -> Plan:
        """Return the same without what holds in this process alone: addresses of arrays."""
        local = self.local
        if local is not None:
            names = Names(local.names.whole, local.names.local, local.names.base)
            local = Localized(replace(local.lowered, names=names), names)
        return replace(self, lowered=replace(self.lowered), local=local)


class Bench:
    """One worker's buffers, those for a local network made when they are first needed."""

    def __init__(self, plan: Plan) -> None:
        self._plan, self._new_worker = plan, kind_of(plan.lowered).worker
        self._whole = self._new_worker(plan.lowered)
        self._whole.measures = plan.measure
        self._local: Any = None

    def load_kernels(self) -> None:
        """Compile the kernels or read them from the cache, so that no clock runs meanwhile."""
        self._whole.load_kernels()

    def do(self, item: Item, stop: NDArray[np.int64]) -> Done:
        """Subdivide an item up to its budget of cells."""
        plan = self._plan
        budget = plan.budget if item.id else localize.first_budget(plan.lowered)
        # by the first item it is decided whether to look for a local network
        self._whole.measures = plan.measure or not item.id
        does = self._whole
        if plan.is_local(item):
            if self._local is None:
                self._local = self._new_local()
            does = self._local
        answer: Found = does.do(item, budget, stop, collect=plan.collect)
        return Done(item, answer, not answer.rest or answer.n_cells >= budget)

    def _new_local(self) -> Any:
        """Return what subdivides items in the local network of the domain, if there is one, or in those of items.

        Of items in more than two dimensions none is looked for: cutting polytopes takes most of the time there.
        """
        plan = self._plan
        if plan.local is not None:
            return LocalWorker(self._new_worker, self._whole, plan.local)
        if plan.mode != "items" and plan.lowered.domain.dim > 2:
            return self._whole
        return ItemWorker(
            self._new_worker, self._whole, self._whole, plan.lowered, always=plan.mode == "items"
        )  # fmt: skip


class Choice:
    """Decides once a run, by its first item, whether all else is in a local network.

    The first item is subdivided in the whole network: many domains have few cells. What is left of it, and all else, is
    in a local one where that pays, which depends on the network and the domain alone.
    """

    def __init__(self, plan: Plan, bench: Bench) -> None:
        self._plan, self._bench = plan, bench
        self._is_decided = plan.mode == "off"
        self._first: Found | None = None

    def hear(self, done: Done) -> None:
        """Take note of what was done: the first item tells."""
        if not done.item.id:
            self._first = done.answer

    def prepare(self, item: Item) -> None:
        """Find the local network, if it is to be found for an item.

        Raises
        ------
        TimeLimitError
        """
        plan = self._plan
        if self._is_decided or not plan.is_local(item):
            return
        if plan.mode != "items":
            always = plan.mode == "on"
            if always or self._is_worth_a_look():
                plan.local = localize.localized(plan.lowered, always=always)
        self._is_decided = True

    def _is_worth_a_look(self) -> bool:
        """Return whether to look for a local network, by the first item.

        A run that goes on from a file does it again: it must decide as the first run did.
        """
        lowered = self._plan.lowered
        assert not isinstance(lowered.domain, Space)
        first = self._first
        if first is None:
            root = kind_of(lowered).root(lowered)
            first = self._bench.do(root, np.zeros(1, dtype=np.int64)).answer
        share = first.volume / lowered.domain.box.volume
        return localize.is_worth_a_look(lowered, first.n_cells, int(first.counters[S_VISITS]), share)
