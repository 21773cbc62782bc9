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
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from reluatlas.network.operators import LinearOperator, apply_operator, coefficients, denominator, mapped, terms
from reluatlas.network.record import Affine
from reluatlas.typing import FloatArray

ROUNDOFF = 2.0**-53
SLACK = 1.0 + 1e-9
"""Factor that covers the rounding of a bound itself, which is a sum of fewer than a million numbers."""
TINY = 2.0**-960
"""More than all products of a sum lose by underflow."""
_LEAST = 2.0**-900
"""Products of at least this size lose nothing by underflow."""


@dataclass(frozen=True, eq=False)
class Shape:
    """Where the coordinates of a domain can be: in the cube [-1, 1]^k, or in a polytope within it.

    Attributes
    ----------
    corners : ndarray, shape (v, k), optional
        Each vertex of the polytope is within `slack` (k,), coordinate by coordinate, of one of these.
    slack : ndarray, shape (k,), optional
    """

    corners: FloatArray | None = None
    slack: FloatArray | None = None

    def reach(self, shares: FloatArray, *, inner: bool = False) -> tuple[FloatArray, FloatArray]:
        """Return what linear functions (k, n) of the coordinates are at most and at least there; `inner`, surely reach.

        The least is returned with its sign turned.
        """
        size = np.abs(shares).sum(axis=0)
        if self.corners is None or self.slack is None:
            top = size * (2.0 - SLACK if inner else SLACK)
            return top, top
        values = self.corners @ shares
        error = (self.slack @ np.abs(shares) + (shares.shape[0] + 4) * ROUNDOFF * size) * SLACK
        error += TINY * (size > 0.0)
        if inner:
            error = -error
        return values.max(axis=0) + error, error - values.min(axis=0)


CUBE = Shape()


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
    n_coordinates : int
        Number of rows of `terms` that are of coordinates.
    shape : Shape
    """

    terms: FloatArray
    first: int
    rest: FloatArray
    low: FloatArray
    high: FloatArray
    is_affine: NDArray[np.bool_]
    n_coordinates: int
    shape: Shape = CUBE

    @cached_property
    def sizes(self) -> FloatArray:
        """Sums of the absolute values of each entry's terms, not rounded outward."""
        return np.abs(self.terms).sum(axis=0)

    def without(self, before: int) -> Enclosure:
        """Return the enclosure with symbols numbered below `before` moved into `rest`."""
        if before <= self.first:
            return self
        start = 1 + self.n_coordinates
        n = min(before - self.first, self.n_symbols)
        kept = np.concatenate([self.terms[:start], self.terms[start + n :]])
        rest = (self.rest + np.abs(self.terms[start : start + n]).sum(axis=0)) * SLACK
        return Enclosure(kept, before, rest, self.low, self.high, self.is_affine, self.n_coordinates, self.shape)

    @property
    def n_symbols(self) -> int:
        """Number of symbols."""
        return self.terms.shape[0] - 1 - self.n_coordinates

    def reach(self, terms: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return how far sums (as `terms`) are above and below their centers at most."""
        start = 1 + self.n_coordinates
        symbols = np.abs(terms[start:]).sum(axis=0) * SLACK
        above, below = self.shape.reach(terms[1:start])
        return up(above + symbols), up(below + symbols)

    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """Return bounds on what the terms can be, rounded outward."""
        above, below = self.reach(self.terms)
        return down(self.terms[0] - up(below + self.rest)), up(self.terms[0] + up(above + self.rest))

    def least_of_most(self) -> FloatArray:
        """Return a number that entries, where they are affine, certainly reach: their maximum is at least that."""
        above, _ = self.shape.reach(self.terms[1 : 1 + self.n_coordinates], inner=True)
        top = down(self.terms[0] + above)
        return np.where(np.isfinite(self.rest), down(top - self.rest), -np.inf)


def known(
    like: Enclosure | None,
    terms: FloatArray,
    first: int,
    rest: FloatArray,
    low: FloatArray,
    high: FloatArray,
    is_affine: NDArray[np.bool_],
    *,
    n_coordinates: int = 0,
    shape: Shape = CUBE,
) -> Enclosure:
    """Return an enclosure with its bounds narrowed by its terms; where numbers overflowed, nothing is known.

    Its coordinates are those of `like`, if there is one.
    """
    if like is not None:
        n_coordinates, shape = like.n_coordinates, like.shape
    sound = np.isfinite(terms).all(axis=0) & np.isfinite(rest)
    if not sound.all():
        terms, rest = np.where(sound, terms, 0.0), np.where(sound, rest, np.inf)
    made = Enclosure(terms, first, rest, low, high, is_affine, n_coordinates, shape)
    lower, upper = made.bounds()
    # infinite on the wrong side: too large for a float64, which says nothing about the other side
    low = np.where(np.isnan(low) | (low == np.inf), -np.inf, low)
    high = np.where(np.isnan(high) | (high == -np.inf), np.inf, high)
    return replace(made, low=np.maximum(low, lower), high=np.minimum(high, upper))


def down(values: FloatArray) -> FloatArray:
    """Return numbers below the exact result of the one operation that gave `values`; zero stays zero.

    A float64 sum is zero only where the exact one is.
    """
    return np.where(values == 0.0, 0.0, np.nextafter(values, -np.inf))


def up(values: FloatArray) -> FloatArray:
    """Return numbers above the exact result of the one operation that gave `values`; zero stays zero."""
    return np.where(values == 0.0, 0.0, np.nextafter(values, np.inf))


def of_coordinates(
    origin: FloatArray,
    basis: FloatArray,
    low: FloatArray,
    high: FloatArray,
    n_coordinates: int,
    corners: FloatArray | None = None,
    radius: float = 0.0,
) -> Enclosure:
    """Return what is known of `origin + u @ basis` for coordinates u between `low` and `high` (k,).

    Of the k coordinates the first `n_coordinates` have terms of their own; the others go into `rest`. With `corners`
    (v, k), each known up to `radius`, the coordinates are in the hull of these, which lies between `low` and `high`.
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
    shape = CUBE
    if corners is not None:
        far = np.maximum(np.abs(low), np.abs(high))
        shape = Shape((corners - middle) / half, (radius + 4.0 * ROUNDOFF * far) / half * SLACK)
    is_affine = np.ones(n, dtype=bool)
    return known(None, terms, 0, rest, lower.copy(), upper.copy(), is_affine, n_coordinates=n_coordinates, shape=shape)


def affine(node: Affine, sources: Sequence[Enclosure], first: int, like: Enclosure) -> Enclosure:
    """Return what is known of an affine node's tensor; `sources` are of its inputs, without symbols below `first`.

    `like` is that of any tensor.
    """
    n = node.bias.size
    n_terms = 3 + sum(terms(operator) + 2 for operator in node.operators)
    share = n_terms * ROUNDOFF * SLACK
    n_rows = max((s.terms.shape[0] for s in sources), default=1 + like.n_coordinates)
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
    return known(like, total, first, rest, low, high, ~bent)


def _lost(operator: LinearOperator, *factors: FloatArray) -> float:
    """Return what products of an operator's coefficients with numbers may lose by underflow: mostly nothing."""
    least = _least(coefficients(operator)) / denominator(operator)
    if least < _LEAST:
        return np.inf
    return 0.0 if least * min(_least(f) for f in factors) >= _LEAST else TINY


def _least(values: FloatArray) -> float:
    sizes = np.abs(values)
    return float(sizes.min(initial=np.inf, where=sizes > 0.0))
