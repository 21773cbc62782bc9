"""Which matrix maps one network's affine maps to another's best? Least squares from inner products.

All here is for one output: F (N, p) are the vectors of one network, G (N, q) those of the other, and only the sums F'F,
F'G and G'G are known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reluatlas.analysis.maps.rows import FloatArray

PENALTIES = (0.0, *(10.0 ** (-k / 2) for k in range(20, 0, -1)))
"""What `choose_penalty` tries, in units of the largest eigenvalue of F'F."""


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Eigenvalues above the cutoff, descending, and their vectors, of F'F.

    Attributes
    ----------
    values : ndarray, shape (rank,)
    vectors : ndarray, shape (p, rank)
    cutoff : float
        What an eigenvalue must exceed, as a share of the largest one.
    """

    values: FloatArray
    vectors: FloatArray
    cutoff: float

    @property
    def rank(self) -> int:
        """Number of eigenvalues above the cutoff."""
        return self.values.size


def spectrum(gram: FloatArray, unit: float) -> Spectrum:
    """Return the eigenvalues of F'F that are more than rounding.

    The cutoff is `p max(eps, unit^2)` of the largest eigenvalue: the sum of N products and the decomposition err by
    less than about p eps, and numbers stored with relative rounding `unit` by `unit^2` each (they move the smallest
    singular values of F by `unit` times the norm of a column, and eigenvalues are squares). Directions below it hold
    no information that the stored maps have.
    """
    cutoff = gram.shape[0] * max(float(np.finfo(np.float64).eps), unit**2)
    values, vectors = np.linalg.eigh((gram + gram.T) / 2)
    values, vectors = values[::-1], vectors[:, ::-1]
    kept = values > cutoff * max(float(values[0]), 0.0) if values.size else values > 0
    return Spectrum(values[kept], vectors[:, kept], cutoff)


def least_squares(known: Spectrum, cross: FloatArray, penalty: float = 0.0) -> FloatArray:
    """Return T (p, q) of least |F T - G|^2 + penalty |T|^2; without penalty that of minimum norm."""
    return known.vectors @ ((known.vectors.T @ cross) / (known.values + penalty)[:, None])


def choose_penalty(
    kept: Spectrum, kept_cross: FloatArray, gram: FloatArray, cross: FloatArray, penalties: Sequence[float] = PENALTIES
) -> float:
    """Return the penalty (a share of the largest eigenvalue) whose T, fitted to kept points, errs least on others.

    Parameters
    ----------
    kept, kept_cross
        Spectrum of F'F and F'G over the kept points.
    gram, cross
        F'F and F'G over the points held back.

    Returns
    -------
    float
        One of `penalties`; the largest of those that err equally.
    """
    if not kept.rank:
        return 0.0
    middle = kept.vectors.T @ kept_cross
    turned = kept.vectors.T @ gram @ kept.vectors
    square = (middle @ middle.T) * turned
    linear = np.einsum("ij,ij->i", middle, kept.vectors.T @ cross)
    best, least = 0.0, np.inf
    for penalty in sorted(penalties):
        inverse = 1.0 / (kept.values + penalty * kept.values[0])
        error = inverse @ square @ inverse - 2 * (inverse @ linear)  # up to |G|^2, which is the same for all
        if error <= least:
            best, least = penalty, error
    return best


def leading_directions(T: FloatArray, gram: FloatArray, rank: int) -> FloatArray:
    """Return V (q, rank) such that T V V' is the best T of each rank up to `rank`: by its first columns.

    The columns are the right singular vectors of F T, the fitted values: reduced-rank regression (Izenman 1975).
    """
    values = np.linalg.multi_dot([T.T, gram, T])
    _, vectors = np.linalg.eigh((values + values.T) / 2)
    return np.ascontiguousarray(vectors[:, ::-1][:, :rank])
