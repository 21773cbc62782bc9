"""`Exactness`: how certain an answer is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Exactness:
    """How the decisions of an answer were made.

    Attributes
    ----------
    status : {"exact", "float64", "sampled", "incomplete"}
        "exact": the sign behind every decision was certain by an error bound, or settled in integers. "float64":
        doubtful signs were taken from float64. "sampled": the answer rests on points that were tried.
        "incomplete": what is told is exact, and a limit left `n_uncertain` decisions open.
    n_escalated : int
        Number of signs at a vertex that the first float64 bound left open.
    n_uncertain : int
        Number of decisions that were never settled; 0 for an exact answer.
    n_visits, n_doubtful_visits : int
        How often a polygon met a node of the network, and how often some sign was open then.
    """

    status: Literal["exact", "float64", "sampled", "incomplete"]
    n_escalated: int = 0
    n_uncertain: int = 0
    n_visits: int = 0
    n_doubtful_visits: int = 0

    @property
    def share_escalated(self) -> float:
        """Share of the visits in which some sign was open after the first bound."""
        return self.n_doubtful_visits / self.n_visits if self.n_visits else 0.0

    def __str__(self) -> str:
        escalated = f", {self.n_escalated:,} signs settled beyond float64" if self.n_escalated else ""
        return f"{self.status}{escalated}"
