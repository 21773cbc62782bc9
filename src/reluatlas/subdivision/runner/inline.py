"""How are items done one after another, by the thread that asks? The runner that others are compared with.

Ctrl-C is heard between two items.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from reluatlas.answers.limits import Limits
from reluatlas.subdivision.items import BUDGET, Item
from reluatlas.subdivision.program.layout import Lowered
from reluatlas.subdivision.runner.bench import Bench, Choice, Plan
from reluatlas.subdivision.runner.contract import Id, Portion


class Inline:
    """Makes runners that work in the thread that asks."""

    def runner(self, lowered: Lowered, limits: Limits, *, collect: bool, measure: bool) -> OneAfterAnother:
        """Return a runner for one run."""
        return OneAfterAnother(Plan(lowered, collect, measure, BUDGET))


class OneAfterAnother:
    """Does the item that was begun when somebody asks for what is finished."""

    def __init__(self, plan: Plan) -> None:
        self.n_workers = 1
        self.stop = np.zeros(1, dtype=np.int64)
        self._bench = Bench(plan)
        self._choice = Choice(plan, self._bench)
        self._begun: list[Item] = []
        self._bench.load_kernels()

    @property
    def is_free(self) -> bool:
        """Whether another item can be begun."""
        return not self._begun and not self.stop[0]

    @property
    def running(self) -> list[Id]:
        """The ids of the items that were begun and are not back."""
        return [item.id for item in self._begun]

    def prepare(self, item: Item) -> None:
        """Find the local network, if it is to be found for an item.

        Raises
        ------
        TimeLimitError
        """
        self._choice.prepare(item)

    def begin(self, item: Item, n_pending: int) -> None:
        """Begin an item that was prepared for."""
        self._begun = [item]

    def finished(self, timeout: float | None) -> Iterator[Portion]:
        """Do what was begun, however long it takes."""
        if self._begun:
            begin = time.monotonic()
            done = self._bench.do(self._begun[0], self.stop)
            self._choice.hear(done)
            self._begun = []
            yield Portion([done], worker="inline", seconds=time.monotonic() - begin)

    def close(self) -> None:
        """Stop."""
        self.stop[0] = 1
