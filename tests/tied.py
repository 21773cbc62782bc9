"""Networks in which several candidates of a window, or several outputs, tie on one wall.

`TIED[name](seed, n)` is a network with `n` inputs whose walls run through the box [-1, 1]^n. Equal seeds give equal
networks. Small enough for the rational oracle.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.random import Generator

from reluatlas.network.build import Builder
from reluatlas.network.network import Network

FACTORS = (0.0, 1.0, -1.0, 2.0, -2.0, 0.5, -0.5, 3.0, 0.1, 1 / 3)


def _form(rng: Generator, n: int) -> np.ndarray:
    """Return an affine function (n + 1,): an axis, a few small whole numbers, or anything."""
    kind = rng.integers(0, 3)
    if kind == 0:
        row = np.zeros(n + 1)
        row[rng.integers(0, n)] = 1.0
        row[n] = rng.choice([0.0, 0.0, 0.25, -0.5])
        return row
    if kind == 1:
        return np.append(rng.integers(-2, 3, n), rng.choice([0.0, 0.0, 0.5, -0.5])).astype(float)
    return np.append(rng.uniform(-1, 1, n), rng.choice([0.0, rng.uniform(-0.5, 0.5)]))


def _pencil(rng: Generator, n: int, m: int) -> np.ndarray:
    """Return m affine functions (m, n + 1) that are equal where one function is zero: a base plus multiples of it."""
    wall, base = _form(rng, n), rng.choice([0.0, 1.0]) * _form(rng, n)
    rows = base + rng.choice(FACTORS[: int(rng.integers(3, len(FACTORS) + 1))], m)[:, None] * wall
    return rows[rng.permutation(m)]


def _layer(rng: Generator, n: int, sizes: list[int]) -> tuple[np.ndarray, np.ndarray]:
    rows = np.concatenate([_pencil(rng, n, m) for m in sizes])
    return rows[:, :n], rows[:, n]


def _split_windows(sizes: list[int]) -> list[np.ndarray]:
    return np.split(np.arange(sum(sizes)), np.cumsum(sizes)[:-1])


def _outputs(b: Builder, rng: Generator, here: int, m: int | None = None) -> Network:
    """Return the network with 1 to 4 outputs; often some of them tie on one wall."""
    m = int(rng.integers(1, 5)) if m is None else m
    n = b.size(here)
    if m > 1 and rng.random() < 0.6:
        rows = _pencil(rng, n, m)
        return b.finish(b.dense(here, rows[:, :n], rows[:, n]))
    return b.finish(b.dense(here, rng.integers(-2, 3, (m, n)).astype(float), rng.choice([0.0, 0.0, 0.5], m)))


def _one_window(seed: int, n: int) -> Network:
    """Return one maximum of three to nine functions that tie on one wall, in any order, with repetitions."""
    rng, b = np.random.default_rng([seed, 1]), Builder((n,))
    m = int(rng.integers(3, 10))
    window = rng.permutation(m) if rng.random() < 0.7 else rng.integers(0, m, m)
    return _outputs(b, rng, b.max_windows(b.dense(0, *_layer(rng, n, [m])), [window], shape=(1,)))


def _windows(seed: int, n: int) -> Network:
    """Return two or three windows, some of which share candidates or walls."""
    rng, b = np.random.default_rng([seed, 2]), Builder((n,))
    sizes = rng.integers(2, 6, int(rng.integers(2, 4))).tolist()
    z = b.dense(0, *_layer(rng, n, sizes))
    windows = _split_windows(sizes)
    if rng.random() < 0.5:
        windows = [rng.permutation(np.union1d(w, rng.integers(0, sum(sizes), 2))) for w in windows]
    return _outputs(b, rng, b.max_windows(z, windows, shape=(len(windows),)))


def _pixels(seed: int, n: int) -> Network:
    """Return a convolution with equal biases over n pixels of an image whose others are zero, and its max-pool.

    All `w x + b` of a window that sees one of these pixels tie where it is zero.
    """
    rng, b = np.random.default_rng([seed, 3]), Builder((n,))
    side = 4
    image = np.zeros((side * side, n))
    image[rng.permutation(side * side)[:n], np.arange(n)] = 1.0
    kernel = rng.uniform(-1, 1, (2, 2)) if rng.random() < 0.5 else rng.integers(-1, 2, (2, 2)).astype(float)
    bias = float(rng.choice([0.0, 0.25, rng.uniform(-0.3, 0.3)]))
    rows = []
    for i in range(side):
        for j in range(side):
            taps = [(i + a, j + c, kernel[a, c]) for a in (0, 1) for c in (0, 1) if max(i + a, j + c) < side]
            rows.append(sum((w * image[p * side + q] for p, q, w in taps), np.zeros(n)))
    z = b.dense(0, np.array(rows), np.full(side * side, bias))
    if rng.random() < 0.5:
        z = b.relu(z)
    pool, stride = (2, 2) if rng.random() < 0.6 else (3, 1)
    starts = range(0, side - pool + 1, stride)
    windows = [[(i + a) * side + j + c for a in range(pool) for c in range(pool)] for i in starts for j in starts]
    here = b.max_windows(z, windows, shape=(len(windows),))
    if rng.random() < 0.5:
        here = b.relu(b.dense(here, rng.uniform(-1, 1, (2, len(windows))), rng.choice([0.0, 0.25], 2)))
    return _outputs(b, rng, here)


def _nested(seed: int, n: int) -> Network:
    """Return maxima of maxima, of the candidates themselves and of ReLU of them."""
    rng, b = np.random.default_rng([seed, 4]), Builder((n,))
    m = int(rng.integers(3, 6))
    z = b.dense(0, *_layer(rng, n, [m]))
    first = b.max_windows(z, [rng.choice(m, 3, replace=False), rng.choice(m, 2, replace=False)], shape=(2,))
    kind = int(rng.integers(0, 3))
    joined = b.concatenate([first, (z, b.relu(z), b.scale(z, -1.0))[kind]])
    size = b.size(joined)
    windows = [rng.permutation(size)[: int(rng.integers(2, 5))] for _ in range(2)]
    here = b.max_windows(joined, windows, shape=(2,))
    if rng.random() < 0.5:
        here = b.max_windows(b.concatenate([here, first]), [rng.permutation(4)], shape=(1,))
    return _outputs(b, rng, here)


def _knots(seed: int, n: int) -> Network:
    """Return units with several knots and windows over them, whose walls coincide."""
    rng, b = np.random.default_rng([seed, 5]), Builder((n,))
    m = int(rng.integers(2, 4))
    z = b.dense(0, *_layer(rng, n, [m]))
    kind = int(rng.integers(0, 4))
    if kind == 0:
        y = b.clip(z, 0.0, 0.5)
    elif kind == 1:
        y = b.abs(z)
    elif kind == 2:
        y = b.breakpoints(z, [-0.5, 0.0, 0.5], [0.0, 1.0, -1.0, 2.0], [-0.5, 0.0, 0.0, -1.5])
    else:
        y = b.leaky_relu(z, rng.choice([0.5, -1.0, 1.0, 2.0], m))
    joined = b.concatenate([y, z, b.scale(z, -1.0)] if rng.random() < 0.5 else [y, z])
    windows = [rng.permutation(b.size(joined))[: int(rng.integers(3, 5))] for _ in range(2)]
    return _outputs(b, rng, b.max_windows(joined, windows, shape=(2,)))


def _outputs_only(seed: int, n: int) -> Network:
    """Return a ReLU layer with walls, and two to six outputs that tie on them, some equal."""
    rng, b = np.random.default_rng([seed, 6]), Builder((n,))
    m = int(rng.integers(1, 4))
    rows = _pencil(rng, n, m)
    here = b.relu(b.dense(0, rows[:, :n], rows[:, n]))
    if rng.random() < 0.4:
        here = b.concatenate([here, 0])
    outputs = int(rng.integers(1, 7))
    weight, bias = rng.integers(-1, 2, (outputs, b.size(here))).astype(float), rng.choice([0.0, 0.0, -0.5], outputs)
    if outputs > 2 and rng.random() < 0.5:
        weight[1], bias[1] = weight[0], bias[0]
    if rng.random() < 0.3:
        weight, bias = np.outer(rng.choice(FACTORS, outputs), weight[0]), np.zeros(outputs)
    return b.finish(b.dense(here, weight, bias))


def _rectified(seed: int, n: int) -> Network:
    """Return windows over ReLU of functions that tie, where many are zero together."""
    rng, b = np.random.default_rng([seed, 7]), Builder((n,))
    sizes = rng.integers(2, 4, 2).tolist()
    z = b.relu(b.dense(0, *_layer(rng, n, sizes)))
    windows = _split_windows(sizes)
    if rng.random() < 0.5:
        windows = [rng.permutation(sum(sizes))[:3] for _ in windows]
    here = b.max_windows(z, windows, shape=(2,))
    if rng.random() < 0.5:
        here = b.relu(b.dense(here, rng.integers(-1, 2, (2, 2)).astype(float), np.zeros(2)))
    return _outputs(b, rng, here)


TIED: dict[str, Callable[[int, int], Network]] = {
    "one_window": _one_window,
    "windows": _windows,
    "pixels": _pixels,
    "nested": _nested,
    "knots": _knots,
    "outputs": _outputs_only,
    "rectified": _rectified,
}
