"""What is known of a tensor on many boxes at once? `Forms`: one zonotope for each entry and box, rounded outward.

On box b, entry i lies in `terms[b, 0, i] + sum_r terms[b, r, i] e_r + sum_s own[b, s, i] h_s + [-rest, rest]` with all
e_r, h_s in [-1, 1]. The first e_r are the box's coordinates, the others symbols of the second network's units; the h_s
are symbols of differences. A symbol means the same thing in every tensor of one box, and something else in another box.

Sums in float64 are trusted up to a bound on their rounding, as in `reluatlas.stable.enclosure`; what overflows is not
known at all. What reads nothing but zeros is zero: no rounding is added to it, so that equal parts have no difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from reluatlas.network.operators import LinearOperator, apply_operator, coefficients, mapped, terms
from reluatlas.stable.enclosure import ROUNDOFF, TINY, down, up
from reluatlas.typing import FloatArray

SLACK = 1.0 + 1e-10
"""Factor that covers the rounding of a bound itself, which is a sum of fewer than 900,000 numbers."""
_LEAST = 2.0**-900
"""Products of at least this size lose nothing by underflow."""


@dataclass(frozen=True, eq=False)
class Forms:
    """Zonotopes of the n entries of a tensor on B boxes.

    Attributes
    ----------
    terms : ndarray, shape (B, 1 + k + R, n)
        Centers, the shares of the boxes' k coordinates, and of R symbols.
    own : ndarray, shape (B, S, n)
        Shares of symbols of differences.
    rest : ndarray, shape (B, n)
        How far an entry may be from its terms; infinite where nothing is known.
    """

    terms: FloatArray
    own: FloatArray
    rest: FloatArray

    @cached_property
    def sizes(self) -> FloatArray:
        """Sums of the absolute values of all terms, (B, n), not rounded outward."""
        total = np.abs(self.terms).sum(axis=1)
        return total + np.abs(self.own).sum(axis=1) if self.own.shape[1] else total

    @cached_property
    def range(self) -> tuple[FloatArray, FloatArray]:
        """Certain bounds on the entries, (B, n) each."""
        center = self.terms[:, 0]
        reach = (np.abs(self.terms[:, 1:]).sum(axis=1) + np.abs(self.own).sum(axis=1) + self.rest) * SLACK
        return down(center - reach), up(center + reach)


def sound(made: Forms) -> Forms:
    """Return forms in which what overflowed is not known at all."""
    fine = np.isfinite(made.rest) & np.isfinite(made.sizes)
    if fine.all():
        return made
    keep = fine[:, None]
    return Forms(
        np.where(keep, made.terms, 0.0), np.where(keep, made.own, 0.0), np.where(fine, made.rest, np.inf)
    )  # fmt: skip


def of_boxes(origin: FloatArray, basis: FloatArray, low: FloatArray, high: FloatArray) -> Forms:
    """Return what is known of `origin + u @ basis` for u between `low` and `high` (B, k)."""
    middle = low / 2 + high / 2
    half = np.nextafter(np.maximum(high - middle, middle - low), np.inf)
    n = origin.size
    is_plain = bool(not origin.any() and basis.shape == (n, n) and np.array_equal(basis, np.eye(n)))
    rest = np.zeros((len(low), n))
    if is_plain:
        center = middle
    else:
        center = origin + middle @ basis
        size = np.abs(basis)
        far = np.maximum(np.abs(low), np.abs(high)) @ size
        rest = (low.shape[1] + 6) * ROUNDOFF * SLACK * (np.abs(origin) + 2.0 * far)
        rest += TINY * (size.any(axis=0) | (origin != 0.0))
    shares = half[:, :, None] * basis
    return Forms(np.concatenate([center[:, None], shares], axis=1), np.zeros((len(low), 0, n)), rest)


@dataclass(frozen=True, eq=False)
class Applied:
    """A linear operator, and what bounds the rounding of applying it."""

    operator: LinearOperator
    magnitude: LinearOperator
    n_terms: int
    least: float

    @classmethod
    def of(cls, operator: LinearOperator) -> Applied:
        """Return the operator with its magnitudes."""
        magnitude = mapped(operator, np.abs)
        return cls(operator, magnitude, terms(operator), least_of(coefficients(magnitude)))

    @property
    def is_zero(self) -> bool:
        """Whether it gives nothing but zeros."""
        return self.n_terms == 0

    def __call__(self, rows: FloatArray) -> FloatArray:
        """Return the operator applied to the last axis of `rows` (B, R, n_in)."""
        return _on_last(self.operator, rows)

    def of_sizes(self, rows: FloatArray) -> FloatArray:
        """Return the magnitudes applied to the last axis of `rows` (B, R, n_in)."""
        return _on_last(self.magnitude, rows)


def least_of(sizes: FloatArray) -> float:
    """Return the least of some numbers that are not negative, zeros left out; infinity where there is none."""
    return float(sizes.min(initial=np.inf, where=sizes > 0.0))


def _on_last(operator: LinearOperator, rows: FloatArray) -> FloatArray:
    flat = rows.reshape(-1, rows.shape[-1])
    return apply_operator(operator, flat).reshape(*rows.shape[:-1], operator.n_out)


def combined(parts: Sequence[tuple[Applied, Forms]], bias: FloatArray, bias_error: FloatArray, like: Forms) -> Forms:
    """Return the forms of `sum operator @ entries + bias`, where each number of `bias` may be off by its error."""
    parts = [part for part in parts if not part[0].is_zero]
    n_boxes, n = len(like.rest), bias.size
    n_rows = max((x.terms.shape[1] for _, x in parts), default=like.terms.shape[1])
    n_own = max((x.own.shape[1] for _, x in parts), default=0)
    total, own = np.zeros((n_boxes, n_rows, n)), np.zeros((n_boxes, n_own, n))
    size, rest = np.zeros((n_boxes, n)), np.zeros((n_boxes, n))
    lost = 0.0
    for apply, x in parts:
        total[:, : x.terms.shape[1]] += apply(x.terms)
        if x.own.shape[1]:
            own[:, : x.own.shape[1]] += apply(x.own)
        factors = np.stack([x.sizes, x.rest], axis=1)
        if apply.least * least_of(factors) < _LEAST:
            lost = TINY  # sums of magnitudes, too, may have lost all they were
        both = apply.of_sizes(factors)
        size += both[:, 0]
        rest += both[:, 1]
    total[:, 0] += bias
    share = (4 + sum(apply.n_terms + 3 for apply, _ in parts)) * ROUNDOFF * SLACK
    # where nothing but zeros is read, the bias is all there is, and exact
    rounding = np.where(size > 0.0, share * (size + np.abs(bias)) + TINY, 0.0)
    return sound(Forms(total, own, (rest + rounding + bias_error) * SLACK + lost))
