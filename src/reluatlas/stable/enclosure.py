"""What is known of a tensor on a domain? An `Enclosure`: affine terms with symbols, and intervals, rounded outward.

Entry i of a tensor lies in `terms[0, i] + sum_j terms[j, i] e_j + [-rest[i], rest[i]]` with every e_j in [-1, 1]: the
first few e_j are the domain's coordinates, the others symbols that stand for what single units may do (a zonotope).
Beside it stand plain bounds `low <= entry <= high`: a sum of ReLUs is not negative, which symbols forget.

Floating-point sums are trusted up to a bound on their rounding, which goes into `rest`: a product of vectors of length
n is off by at most n + 2 units of roundoff of the sum of absolute values, in whatever order it is summed (N. J. Higham,
"Accuracy and Stability of Numerical Algorithms", 2002, chapter 3). What overflows is not known at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from reluatlas.network.operators import (
    FloatArray,
    LinearOperator,
    apply_operator,
    coefficients,
    denominator,
    mapped,
    terms,
)
from reluatlas.network.record import Affine

ROUNDOFF = 2.0**-53
SLACK = 1.0 + 1e-9
"""Factor that covers the rounding of a bound itself, which is a sum of fewer than a million numbers."""
TINY = 2.0**-960
"""More than all products of a sum lose by underflow."""
_LEAST = 2.0**-900
"""Products of at least this size lose nothing by underflow."""


@dataclass(frozen=True, eq=False)
class Enclosure:
    """All that is known of the n entries of a tensor.

    Attributes
    ----------
    terms : ndarray, shape (1 + k + s, n)
        Centers, the shares of the domain's k coordinates (each in [-1, 1]), and of s symbols.
    first : int
        Number of the first of the symbols; they follow each other.
    rest : ndarray, shape (n,)
        How far an entry may be from its terms.
    low, high : ndarray, shape (n,)
    is_affine : ndarray of bool, shape (n,)
        Whether an entry is certainly an affine function on all of the domain.
    """

    terms: FloatArray
    first: int
    rest: FloatArray
    low: FloatArray
    high: FloatArray
    is_affine: NDArray[np.bool_]

    @cached_property
    def sizes(self) -> FloatArray:
        """Sums of the absolute values of each entry's terms, not rounded outward."""
        return np.abs(self.terms).sum(axis=0)

    def without(self, before: int, n_coordinates: int) -> Enclosure:
        """Return the enclosure with symbols numbered below `before` moved into `rest`."""
        n = min(max(before - self.first, 0), self.terms.shape[0] - 1 - n_coordinates)
        if before <= self.first:
            return self
        head, old = self.terms[: 1 + n_coordinates], self.terms[1 + n_coordinates : 1 + n_coordinates + n]
        kept = np.concatenate([head, self.terms[1 + n_coordinates + n :]])
        rest = (self.rest + np.abs(old).sum(axis=0)) * SLACK
        return Enclosure(kept, before, rest, self.low, self.high, self.is_affine)


def known(
    terms: FloatArray, first: int, rest: FloatArray, low: FloatArray, high: FloatArray, is_affine: NDArray[np.bool_]
) -> Enclosure:
    """Return an enclosure with its bounds narrowed by its terms; where numbers overflowed, nothing is known."""
    sound = np.isfinite(terms).all(axis=0) & np.isfinite(rest)
    if not sound.all():
        terms, rest = np.where(sound, terms, 0.0), np.where(sound, rest, np.inf)
    lower, upper = range_of(terms, rest)
    # infinite on the wrong side: too large for a float64, which says nothing about the other side
    low = np.where(np.isnan(low) | (low == np.inf), -np.inf, low)
    high = np.where(np.isnan(high) | (high == -np.inf), np.inf, high)
    return Enclosure(terms, first, rest, np.maximum(low, lower), np.minimum(high, upper), is_affine)


def range_of(terms: FloatArray, rest: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return bounds on what terms can be, rounded outward."""
    reach = up(np.abs(terms[1:]).sum(axis=0) * SLACK + rest)
    return down(terms[0] - reach), up(terms[0] + reach)


def least_of_most(terms: FloatArray, rest: FloatArray) -> FloatArray:
    """Return a number that affine functions of the coordinates certainly reach: their maximum is at least that."""
    top = down(terms[0] + np.abs(terms[1:]).sum(axis=0) * (2.0 - SLACK))
    return np.where(np.isfinite(rest), down(top - rest), -np.inf)


def down(values: FloatArray) -> FloatArray:
    """Return numbers below the exact result of the one operation that gave `values`; zero stays zero.

    A float64 sum is zero only where the exact one is.
    """
    return np.where(values == 0.0, 0.0, np.nextafter(values, -np.inf))


def up(values: FloatArray) -> FloatArray:
    """Return numbers above the exact result of the one operation that gave `values`; zero stays zero."""
    return np.where(values == 0.0, 0.0, np.nextafter(values, np.inf))


def of_coordinates(
    origin: FloatArray, basis: FloatArray, low: FloatArray, high: FloatArray, n_coordinates: int
) -> Enclosure:
    """Return what is known of `origin + u @ basis` for coordinates u between `low` and `high` (k,).

    Of the k coordinates the first `n_coordinates` have terms of their own; the others go into `rest`.
    """
    n = origin.size
    middle = low / 2 + high / 2
    half = np.nextafter(np.maximum(high - middle, middle - low), np.inf)
    size = np.abs(basis)
    # a box of the inputs itself: nothing is rounded
    is_plain = bool(not origin.any() and basis.shape == (n, n) and np.array_equal(basis, np.eye(n)))
    center = middle if is_plain else origin + middle @ basis
    error = np.zeros(n)
    if is_plain:
        lower, upper = low, high
    else:
        far = np.maximum(np.abs(low), np.abs(high))
        error = (low.size + 4) * ROUNDOFF * SLACK * (np.abs(origin) + 2.0 * far @ size)
        error += TINY * (size.any(axis=0) | (origin != 0.0))
        rises, falls = np.maximum(basis, 0.0), np.minimum(basis, 0.0)
        lower = origin + low @ rises + high @ falls - 2.0 * error
        upper = origin + high @ rises + low @ falls + 2.0 * error
    shares = half[:, None] * basis
    rest = error + shares[n_coordinates:].__abs__().sum(axis=0) * SLACK
    terms = np.concatenate([center[None], shares[:n_coordinates]])
    is_affine = np.ones(n, dtype=bool)
    return known(terms, 0, rest, lower.copy(), upper.copy(), is_affine)


def affine(node: Affine, sources: Sequence[Enclosure], first: int, n_coordinates: int) -> Enclosure:
    """Return what is known of an affine node's tensor; `sources` are of its inputs, without symbols below `first`."""
    n = node.bias.size
    n_terms = 3 + sum(terms(operator) + 2 for operator in node.operators)
    share = n_terms * ROUNDOFF * SLACK
    n_rows = max((s.terms.shape[0] for s in sources), default=1 + n_coordinates)
    total = np.zeros((n_rows, n))
    rest, size, low_size, high_size = np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n)
    low, high = node.bias.copy(), node.bias.copy()
    bent, lost = np.zeros(n, dtype=bool), 0.0
    for operator, source in zip(node.operators, sources, strict=True):
        total[: source.terms.shape[0]] += apply_operator(operator, source.terms)
        rises = mapped(operator, lambda w: np.maximum(w, 0.0))
        falls = mapped(operator, lambda w: np.maximum(-w, 0.0))
        ends = np.stack([source.low, source.high])
        both = np.concatenate([ends, np.abs(ends), source.sizes[None], source.rest[None]])
        up_by, down_by = apply_operator(rises, both), apply_operator(falls, both)
        low += up_by[0] - down_by[1]
        high += up_by[1] - down_by[0]
        low_size += up_by[2] + down_by[3]
        high_size += up_by[3] + down_by[2]
        size += up_by[4] + down_by[4]
        rest += up_by[5] + down_by[5]
        if not source.is_affine.all():
            reads = mapped(operator, lambda w: (w != 0.0).astype(np.float64))
            bent |= apply_operator(reads, (~source.is_affine[None]).astype(np.float64))[0] > 0.0
        lost += _lost(operator, source.terms, both)
    total[0] += node.bias
    # where nothing is read, the bias is all there is, and exact
    rest = (rest + share * (size + np.abs(node.bias)) * (size > 0.0)) * SLACK + lost
    low -= share * (low_size + np.abs(node.bias)) * (low_size > 0.0) * SLACK + lost
    high += share * (high_size + np.abs(node.bias)) * (high_size > 0.0) * SLACK + lost
    return known(total, first, rest, low, high, ~bent)


def _lost(operator: LinearOperator, *factors: FloatArray) -> float:
    """Return what products of an operator's coefficients with numbers may lose by underflow: mostly nothing."""
    least = _least(coefficients(operator)) / denominator(operator)
    if least < _LEAST:
        return np.inf
    return 0.0 if least * min(_least(f) for f in factors) >= _LEAST else TINY


def _least(values: FloatArray) -> float:
    sizes = np.abs(values)
    return float(sizes.min(initial=np.inf, where=sizes > 0.0))
