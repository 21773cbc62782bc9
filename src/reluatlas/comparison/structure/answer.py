"""What is the answer to how alike two networks cut a plane? Matchings, their scores, and those of chance."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np

from reluatlas.answers.exactness import Exactness
from reluatlas.comparison.structure.hyperplanes import HyperplaneMatching
from reluatlas.comparison.structure.regions import RegionMatching
from reluatlas.comparison.words import counted, place
from reluatlas.domain import Box, Slice
from reluatlas.network.network import Network
from reluatlas.shown import Shown
from reluatlas.typing import FloatArray


@dataclass(frozen=True)
class StructureScores:
    """How alike two networks are, from 0 to 1, by four measures; see `reluatlas.compare_structure`.

    Attributes
    ----------
    regions : float
        Linear regions, with their maps.
    overlap : float
        Linear regions, without their maps.
    hyperplanes : float
        Bent hyperplanes.
    agreement : float
        As functions, however they are cut.
    """

    regions: float
    overlap: float
    hyperplanes: float
    agreement: float


@dataclass(frozen=True, eq=False, repr=False)
class StructureComparison(Shown):
    """How alike two networks cut a plane. Made by `reluatlas.compare_structure`.

    Attributes
    ----------
    f, g : Network
    domain : Box or Slice
    scores : StructureScores
        Of f and g.
    chance : tuple of StructureScores
        Of pairs one of which learned nothing; empty when they were not asked for.
    regions : RegionMatching
    hyperplanes : HyperplaneMatching
    n_cells : int
        Of the common refinement.
    exactness : Exactness
    seconds : float
    notices : tuple of str
        What to know about the pair: other normalizations, classes that look as if in another order.
    """

    f: Network
    g: Network
    domain: Box | Slice
    scores: StructureScores
    chance: tuple[StructureScores, ...]
    regions: RegionMatching
    hyperplanes: HyperplaneMatching
    n_cells: int
    exactness: Exactness
    seconds: float
    notices: tuple[str, ...] = ()

    @property
    def similarity(self) -> float:
        """How alike the linear regions are, with their maps: `scores.regions`."""
        return self.scores.regions

    @property
    def words(self) -> list[str]:
        """The answer in sentences."""
        r, h = self.regions, self.hyperplanes
        here = place(self.domain)
        out = [
            f"On {here} {counted(r.n_f, 'linear region')} of f and {counted(r.n_g, 'linear region')} of g match to "
            f"{score(r.similarity)} of 1{self._beside('regions')}; by area alone to {score(r.overlap)}"
            f"{self._beside('overlap')}.",
            f"Their {h.n_f:,} and {counted(h.n_g, 'bent hyperplane')} match to {score(h.similarity)}"
            f"{self._beside('hyperplanes')}; as functions, f and g agree to {score(self.scores.agreement)}"
            f"{self._beside('agreement')}.",
        ]
        if self.chance:
            out.append(f"Chance: the mean and the range of {counted(len(self.chance), 'pair')}, one of which learned "
                       "nothing.")  # fmt: skip
        else:
            out.append("What chance would give was not asked for: pass `chance=`.")
        return [*out, *self.notices]

    def summary(self) -> str:
        """Return the answer in words."""
        return "\n".join(self.words)

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers as plain values, for JSON."""
        r, h = self.regions, self.hyperplanes
        return {
            "scores": vars(self.scores),
            "chance": [vars(scores) for scores in self.chance],
            "n_cells": self.n_cells,
            "regions": {"n_f": r.n_f, "n_g": r.n_g, **_listed(f=r.f, g=r.g, share=r.share, agreement=r.agreement)},
            "hyperplanes": {
                "n_f": h.n_f, "n_g": h.n_g, "f": list(h.f), "g": list(h.g),
                **_listed(between=h.between, agreement=h.agreement),
            },
            "words": self.words,
        }  # fmt: skip

    def _beside(self, name: str) -> str:
        found = [getattr(scores, name) for scores in self.chance]
        return f" (chance {score(fmean(found))}, {score(min(found))} to {score(max(found))})" if found else ""

    def __repr__(self) -> str:
        return f"StructureComparison({' '.join(self.words[:2])})"


def score(value: float) -> str:
    """Return a number from 0 to 1 with two digits; never 1 where it is less."""
    if value >= 1.0:
        return "1"
    return f"{np.floor(1e4 * value) / 1e4:.4f}" if value > 0.99 else f"{value:.2f}"


def _listed(**arrays: FloatArray | np.ndarray) -> dict[str, list[Any]]:
    return {name: array.tolist() for name, array in arrays.items()}
