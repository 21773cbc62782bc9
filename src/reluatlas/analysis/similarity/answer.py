"""What is the answer to how alike two networks are as functions? One object a pair, and a table of pairs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from reluatlas.analysis.similarity.mapped import MappedScore, RankScores
from reluatlas.shown import Shown
from reluatlas.typing import FloatArray

Bias = Literal["mapped", "not mapped"]
Chance = Literal["any", "label"]
_FEW = 30
"""Test points below which shares of them are told with a warning."""


@dataclass(frozen=True, eq=False)
class Similarity(Shown):
    """How well the affine maps of a network f turn into those of a network g.

    Attributes
    ----------
    bias : {"mapped", "not mapped"}
    least_squares : MappedScore
        Of the least-squares mapping of minimum norm: the one of the paper.
    ridge : MappedScore or None
        Of the mapping whose penalty was chosen on fit points held back.
    by_rank : RankScores or None
        Of the best mappings of lower rank.
    chance : dict of MappedScore
        Of mappings fitted to maps at points paired at random: "any", or "label" within a label.
    ranks : ndarray of int, shape (m,)
        Rank of f's vectors at the fit points, per output: singular values above the cutoff.
    penalties : ndarray, shape (m,)
        Chosen penalty per output, as a share of the largest eigenvalue of F'F.
    cka : ndarray, shape (m,)
        Linear centered kernel alignment of the vectors of f and g at the fit points, per output.
    f_accuracy, g_accuracy : float
        Of the networks themselves on the test points; NaN without labels.
    predictions_agree : float
        Share of the test points where f and g predict the same.
    n_fit, n_test : int
        Number of fit points, and of test points.
    n_numbers : int
        Numbers of a vector that is mapped: inputs, and the constant where it is.
    """

    bias: Bias
    least_squares: MappedScore
    ridge: MappedScore | None
    by_rank: RankScores | None
    chance: dict[str, MappedScore]
    ranks: NDArray[np.int64]
    penalties: FloatArray
    cka: FloatArray
    f_accuracy: float
    g_accuracy: float
    predictions_agree: float
    n_fit: int
    n_test: int
    n_numbers: int

    @property
    def warning(self) -> str:
        """Why the scores say little of how alike the networks are; empty where nothing speaks against them.

        With fewer fit points than numbers of a vector many mappings fit them all, and the one of least norm is an
        accident of the points: it can score low for one and the same function. Shares of few test points vary by
        chance.
        """
        if self.n_fit < self.n_numbers:
            return (
                f"too few: {self.n_fit:,} fit points do not determine a mapping of {self.n_numbers:,} numbers, so low "
                f"scores do not mean that f and g differ (they predict the same at {self.predictions_agree:.1%} of the "
                "test points). Pass more than that, or ask `ra.compare`"
            )
        if self.n_test < _FEW:
            return f"too few: shares of {self.n_test:,} test points vary by {0.5 / self.n_test**0.5:.0%} by chance"
        return ""

    @property
    def accuracy(self) -> float:
        """Share of the test points on which f's mapped maps are right; NaN without labels."""
        return self.least_squares.accuracy

    @property
    def n_correct(self) -> int:
        """Number of test points on which f's mapped maps are right; -1 without labels."""
        return self.least_squares.n_correct

    @property
    def agreement(self) -> float:
        """Share of the test points on which f's mapped maps predict what g predicts."""
        return self.least_squares.agreement

    @property
    def r2(self) -> FloatArray:
        """R^2 on the test points per output, averaged over the coordinates, (m,)."""
        return self.least_squares.r2

    def __repr__(self) -> str:
        known = f"accuracy {self.accuracy:.4f}, " if self.n_correct >= 0 else ""
        return (
            f"Similarity(bias {self.bias}: {known}agreement {self.agreement:.4f}, "
            f"R^2 {self.r2.min():.3f} to {self.r2.max():.3f}{'; ' if self.warning else ''}{self.warning})"
        )


@dataclass(frozen=True, eq=False, repr=False)
class SimilarityTable(Shown):
    """Similarities of all ordered pairs of some networks.

    Attributes
    ----------
    names : tuple of str
    pairs : dict
        `pairs[f, g, bias]` is a `Similarity`, for f other than g.
    own_accuracy : ndarray, shape (k,)
        Of each network on the test points; NaN without labels.
    """

    names: tuple[str, ...]
    pairs: dict[tuple[str, str, Bias], Similarity] = field(repr=False)
    own_accuracy: FloatArray

    def accuracy(self, bias: Bias = "mapped") -> FloatArray:
        """Return the accuracies, from (row) to (column); the networks' own on the diagonal."""
        out = np.diag(self.own_accuracy)
        for (f, g, kind), answer in self.pairs.items():
            if kind == bias:
                out[self.names.index(f), self.names.index(g)] = answer.accuracy
        return out
