"""Small networks of many families, for points that lie on their faces."""

from __future__ import annotations

import numpy as np

from reluatlas.network.build import Builder
from reluatlas.network.network import Convolution, Dense, Network, Sparse

FAMILIES = (
    "generic", "biasless", "ternary", "pruned", "eight_bit", "duplicate", "opposite", "abs", "leaky", "clip",
    "staircase", "max", "max_of_relu", "overlapping_max", "equal_candidates", "maximum", "residual", "concatenated",
    "two_scales", "sparse", "averages", "convolution", "several_averages",
)  # fmt: skip


def dense_weights(family: str, m: int, n: int, rng: np.random.Generator):
    """Return (W, b) in the style of a family."""
    if family in ("generic", "duplicate", "opposite"):
        weight, bias = rng.uniform(-1, 1, (m, n)), rng.uniform(-1, 1, m)
        if family != "generic" and m > 1:
            factor = 1.0 if family == "duplicate" else -1.0
            weight[1], bias[1] = factor * weight[0], factor * bias[0]
        return weight, bias
    if family == "biasless":
        return rng.uniform(-1, 1, (m, n)), np.zeros(m)
    if family == "pruned":
        return rng.uniform(-1, 1, (m, n)) * (rng.random((m, n)) < 0.3), rng.uniform(-1, 1, m) * (rng.random(m) < 0.3)
    if family == "eight_bit":
        return rng.integers(-128, 128, (m, n)) * 2.0**-6, rng.integers(-128, 128, m) * 2.0**-6
    if family == "two_scales":
        return rng.integers(-1, 2, (m, n)) * 10.0 ** rng.integers(-12, 12, (m, 1)), np.zeros(m)
    return rng.integers(-1, 2, (m, n)).astype(float), rng.integers(-1, 2, m).astype(float)


def network(family: str, seed: int, *, n_inputs: int = 2, width: int = 4, depth: int = 2) -> Network:
    """Return a network with small whole or repeated numbers where the family has them."""
    rng = np.random.default_rng([seed, FAMILIES.index(family)])
    b = Builder((n_inputs,))
    here = 0
    for _ in range(depth):
        before = here
        z = _linear(b, here, family, width, rng)
        here = _activation(b, z, family)
        if family == "residual" and b.size(before) == b.size(here):
            here = b.add([here, before], [1.0, -1.0])
        if family == "concatenated":
            here = b.concatenate([here, b.relu(b.scale(z, -1.0))])
    return b.finish(b.dense(here, *dense_weights(family, 2, b.size(here), rng)))


def _linear(b: Builder, here: int, family: str, width: int, rng: np.random.Generator) -> int:
    n = b.size(here)
    weight, bias = dense_weights(family, width, n, rng)
    if family in ("sparse", "averages", "several_averages"):
        keep = rng.random(weight.shape) < 0.6
        values = weight if family == "sparse" else np.where(weight == 0, 3.0, weight)
        row, column = np.nonzero(keep)
        indptr = np.concatenate([[0], np.cumsum(keep.sum(axis=1))])
        operator = Sparse(indptr, column, values[row, column], n, {"sparse": 1, "averages": 3}.get(family, 9))
        if family == "several_averages":
            other = Sparse(indptr, column, rng.integers(-2, 3, row.size).astype(float), n, 6)
            return b.affine([here, here, here], [operator, other, Dense(weight)], bias, shape=(width,))
        return b.affine([here], [operator], bias, shape=(width,))
    if family == "convolution":
        places = np.stack([np.arange(width // 2), np.arange(width // 2) + 1], axis=1)
        positions = n // 2 if n > 2 else 1
        places = np.where(places < positions, places, -1)
        groups = 2 if n % 2 == 0 else 1
        taps = rng.integers(-2, 3, (2, n // positions // groups, 2)).astype(float)
        return b.affine([here], [Convolution(taps, places, positions, groups)], bias, shape=(width,))
    return b.dense(here, weight, bias)


def _activation(b: Builder, z: int, family: str) -> int:
    n = b.size(z)
    if family == "abs":
        return b.abs(z)
    if family == "leaky":
        return b.leaky_relu(z, 0.1)
    if family == "clip":
        return b.clip(z, 0.0, 1.0)
    if family == "staircase":
        return b.breakpoints(z, [-1.0, 0.0, 2.0], [0.0, 1.0, -1.0, 3.0], [-1.0, 0.0, 0.0, -8.0])
    if family == "max":
        return b.max_windows(z, np.arange(n).reshape(-1, 2), shape=(n // 2,))
    if family == "max_of_relu":
        return b.max_windows(b.relu(z), [list(range(n - 1)), [n - 1]], shape=(2,))
    if family == "overlapping_max":
        return b.max_windows(z, [[0, 1], [1, 2], [0, 1, 2, 3], [3, 3, 0]], shape=(4,))
    if family == "equal_candidates":
        both = b.concatenate([z, z, b.scale(z, 0.5)])
        return b.max_windows(both, [[i, i + n, i + 2 * n] for i in range(n)], shape=(n,))
    if family == "maximum":
        return b.maximum([z, b.scale(z, -1.0), b.constant(np.ones(n))])
    return b.relu(z)
