"""When does a long search stop, and whom does it tell? Limits that all long verbs share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from reluatlas.deadline import Deadline
from reluatlas.errors import ArgumentError
from reluatlas.network.batches import available_cores
from reluatlas.progress import Searched

StoppedBy = Literal["", "max_cells", "max_seconds", "interrupt"]


@dataclass(eq=False)
class Limits:
    """When to stop, and whom to tell; the time begins to run when these are made.

    Attributes
    ----------
    deadline : Deadline
        Of `max_seconds`.
    """

    max_cells: int | None = None
    max_seconds: float | None = None
    jobs: int | None = None
    progress: Searched | None = None
    deadline: Deadline = field(init=False)

    def __post_init__(self) -> None:
        if self.max_cells is not None and (
            isinstance(self.max_cells, bool) or self.max_cells != int(self.max_cells) or self.max_cells < 1
        ):
            raise ArgumentError(
                f"`max_cells={self.max_cells!r}` must be a whole number of at least 1, or None for no limit."
            )
        self.deadline = Deadline.after(self.max_seconds)
        if self.jobs is not None and (isinstance(self.jobs, bool) or self.jobs != int(self.jobs) or self.jobs < 1):
            raise ArgumentError(f"`jobs={self.jobs!r}` must be a whole number of at least 1, or None for all cores.")

    def tell(self, n_cells: int, share_done: float = 0.0) -> None:
        """Tell who asked how far the search is."""
        if self.progress is not None:
            self.progress(n_cells, share_done)

    @property
    def n_jobs(self) -> int:
        """Number of worker threads."""
        return int(self.jobs) if self.jobs else available_cores()
