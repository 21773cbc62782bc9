"""What proves that two networks are nearly the same function on a domain, and what could refute it? `Certificate`."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike

from reluatlas.domain import Box, Segment, Slice
from reluatlas.network.archive import digest_of
from reluatlas.network.network import Network
from reluatlas.network.values.exact import ExactPoint, IntegerArithmetic
from reluatlas.shown import Shown
from reluatlas.simplification.removals import Removal


@dataclass(frozen=True, eq=False, repr=False)
class Agreement(Shown):
    """What two networks give at points, compared in whole numbers.

    Attributes
    ----------
    n_points, n_equal : int
        Points, and those at which all outputs are exactly equal.
    largest : Fraction
        Largest exact difference of an output.
    is_within : bool
        Whether no difference is larger than the bound that was claimed.
    """

    n_points: int
    n_equal: int
    largest: Fraction
    is_within: bool


@dataclass(frozen=True, eq=False, repr=False)
class Certificate(Shown):
    """Why a simplified network is the given one on a domain, up to `error_bound`.

    Each unit that went is a claim: that its function on the domain is one affine piece, by bounds that hold for all of
    the domain; that what it reads is, coefficient by coefficient and exactly, a multiple of what another unit reads; or
    that no output depends on it. What was rewritten without a removed unit was checked to be exact: each coefficient is
    the float64 number that real arithmetic gives.

    Attributes
    ----------
    given, found : Network
    given_digest, found_digest : str
        SHA-256 of what they compute with.
    domain : Box, Slice or Segment
    claims : tuple of Removal
    error_bound : float
        No output differs by more on the domain; 0.0: they are the same function there.
    """

    given: Network
    found: Network
    given_digest: str
    found_digest: str
    domain: Box | Slice | Segment
    claims: tuple[Removal, ...]
    error_bound: float

    @classmethod
    def of(
        cls, given: Network, found: Network, domain: Box | Slice | Segment, claims: tuple[Removal, ...], bound: float
    ) -> Certificate:
        """Return the certificate of two networks."""
        return cls(given, found, digest_of(given), digest_of(found), domain, claims, bound)

    def check(self, X: ArrayLike) -> Agreement:
        """Return how both networks compare at points of the domain, in whole numbers: a wrong claim shows here.

        It can refute, and shares nothing with what proves: every tensor is computed exactly, by the pieces that are
        decided exactly. It is no proof by itself.

        Parameters
        ----------
        X : array_like, shape (N, n_inputs) or (N, *input_shape)
            Points; the claim is about those inside the domain only.
        """
        rows, _ = self.given.points(X)
        n_equal, largest = 0, Fraction(0)
        for mine, theirs in zip(exact_outputs(self.given, rows), exact_outputs(self.found, rows), strict=True):
            gap = max(abs(a - b) for a, b in zip(mine, theirs, strict=True))
            n_equal += gap == 0
            largest = max(largest, gap)
        return Agreement(rows.shape[0], n_equal, largest, largest <= Fraction(self.error_bound))


def exact_outputs(network: Network, rows: np.ndarray) -> list[list[Fraction]]:
    """Return the outputs at points (N, n_inputs), in fractions."""
    patterns = np.atleast_2d(network.patterns(rows))
    choice = {t: patterns[:, columns].astype(np.int64) for t, columns in network.pattern_slices().items()}
    arithmetic = IntegerArithmetic()
    return [
        ExactPoint(network, arithmetic, row, choice, i).values(network.output).fractions for i, row in enumerate(rows)
    ]
