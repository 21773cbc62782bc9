"""What do two networks share before any map is fitted, and what is learned by chance? CKA, random partners."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reluatlas.analysis.maps.rows import FloatArray


def predictions(scores: FloatArray) -> NDArray[np.int64]:
    """Return the predicted class of each row of scores: the first largest one; of one score, whether it is above 0."""
    return (scores[:, 0] > 0).astype(np.int64) if scores.shape[1] == 1 else scores.argmax(axis=1)


def linear_cka(gram: FloatArray, other: FloatArray, cross: FloatArray) -> float:
    """Return the linear centered kernel alignment of two sets of features, from their centered inner products.

    `|F'G|^2 / (|F'F| |G'G|)` in Frobenius norms, F and G with the mean of each column taken off: 1 when they agree up
    to rotation, scale and shift, 0 when no column of one correlates with one of the other; NaN when one is constant.
    (Kornblith, Norouzi, Lee, Hinton, "Similarity of neural network representations revisited", 2019.)
    """
    below = float(np.linalg.norm(gram) * np.linalg.norm(other))
    return float(np.linalg.norm(cross)) ** 2 / below if below > 0 else float("nan")


def centered(products: FloatArray, left_sum: FloatArray, right_sum: FloatArray, n: int) -> FloatArray:
    """Return sums of outer products with the means taken off; exactly zero where only rounding is left."""
    out = products - np.outer(left_sum, right_sum) / n
    noise = 8 * np.finfo(np.float64).eps * n**0.5 * np.abs(products).max(initial=0.0)
    return out if np.abs(out).max(initial=0.0) > noise else np.zeros_like(out)


def random_partners(n: int, labels: NDArray[np.int64] | None, seed: int) -> NDArray[np.int64]:
    """Return, for each point, another one drawn at random: all points once; with labels, of the same label.

    No point is its own partner where its group has two or more.
    """
    rng = np.random.default_rng(seed)
    groups = [np.arange(n)] if labels is None else [np.flatnonzero(labels == c) for c in np.unique(labels)]
    out = np.empty(n, dtype=np.int64)
    for group in groups:
        cycle = rng.permutation(group)
        out[cycle] = np.roll(cycle, 1)
    return out
