"""Who works on items, and how is that said? `Runner`: begin, finished, stop; threads keep to it, and a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from reluatlas.answers.limits import Limits
from reluatlas.subdivision.items import Found, Item
from reluatlas.subdivision.program.layout import Lowered

Id = tuple[int, ...]


class Done(NamedTuple):
    """An item, what it gave, and whether no stop cut it short."""

    item: Item
    answer: Found
    is_whole: bool


@dataclass(eq=False)
class Portion:
    """What one worker gives back at once.

    Attributes
    ----------
    done : list of Done
        What was worked on: items that the runner was given, and items that these left. What is left after all of it
        stands in `rest` of some answer, and nothing else does.
    back : list of Item
        Items that the runner was given, and nobody began.
    worker : str
        Who, in a word that is the same for all that one worker does.
    seconds : float
        How long it took.
    """

    done: list[Done]
    back: list[Item] = field(default_factory=list)
    worker: str = ""
    seconds: float = 0.0

    @property
    def n_cells(self) -> int:
        """The cells that were found."""
        return sum(done.answer.n_cells for done in self.done)

    @property
    def volume(self) -> float:
        """Their volume, in the domain's coordinates."""
        return sum(done.answer.volume for done in self.done)


class Runner(Protocol):
    """Works on the items of one run; `run` decides which, and keeps what comes of them.

    Guarantees
    ----------
    Each item that is begun comes back once: in a portion, as done or as it was. What an item gives depends on the
    network, the domain and the item alone. After `stop[0]` is set all that is begun comes back soon.

    Attributes
    ----------
    stop : ndarray
        One number; 1 from when all work is to end.
    """

    stop: NDArray[np.int64]

    @property
    def n_workers(self) -> int:
        """How many items can be worked on at the same time."""
        ...

    @property
    def is_free(self) -> bool:
        """Whether another item can be begun."""
        ...

    @property
    def running(self) -> list[Id]:
        """The ids of the items that were begun and are not back."""
        ...

    def prepare(self, item: Item) -> None:
        """Do what must be done before an item can be begun, under the time limit of the run."""
        ...

    def begin(self, item: Item, n_pending: int) -> None:
        """Begin an item that was prepared for; `n_pending` others wait."""
        ...

    def finished(self, timeout: float | None) -> Iterator[Portion]:
        """Yield what is there by now; wait for the first, no longer than `timeout` seconds; with None, for all."""
        ...

    def close(self) -> None:
        """Stop, and let go of all workers."""
        ...


class Workers(Protocol):
    """What makes runners: threads, or a cluster."""

    def runner(self, lowered: Lowered, limits: Limits, *, collect: bool, measure: bool) -> Runner:
        """Return a runner for one run; `measure` says whether volumes of what is left are worked out."""
        ...
