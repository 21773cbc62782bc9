"""Networks of degenerate families: what trained, pruned and quantized networks are like, made small.

`FAMILIES[name](seed)` is a network for `domain_for(seed)`. Equal seeds give equal networks, whatever ran before.
"""

from __future__ import annotations

from collections.abc import Callable
from zlib import crc32

import numpy as np
from numpy.random import Generator

from reluatlas.domain import Box, Slice
from reluatlas.network.build import Builder
from reluatlas.network.network import Network

Layer = tuple[np.ndarray, np.ndarray]
WIDEST = {1: 10, 2: 8, 3: 6, 4: 5}
"""Most units of a layer, by depth: small enough for the rational oracle."""


def domain_for(seed: int) -> Box | Slice:
    """Return the domain of a seed's networks: half are [-1, 1]^2, else another box or a slice of 3 to 5 inputs."""
    n = _n_inputs(seed)
    rng = np.random.default_rng([seed, 7])
    if n == 2:
        return (Box(-1, 1, dim=2), Box([-0.75, -2.0], [1.5, 0.3]))[seed % 4 == 1]
    if seed % 8 == 3:
        # The graph of an affine map over the first two inputs: rows there stay as simple as they are.
        basis = np.concatenate([np.eye(2), rng.uniform(-1, 1, (2, n - 2))], axis=1)
        return Slice(np.concatenate([[0.0, 0.0], rng.uniform(-1, 1, n - 2)]), basis, box=Box(-1, 1, dim=2))
    points = rng.uniform(-0.5, 0.5, (3, n))
    points[:, :2] += [[-1, -1], [1, -1], [0, 1]]
    return Slice.through(points)


def _n_inputs(seed: int) -> int:
    return 3 + (seed // 4) % 3 if seed % 4 == 3 else 2


def _start(seed: int, family: str) -> tuple[Generator, Builder, list[int]]:
    rng = np.random.default_rng([seed, crc32(family.encode())])
    depth = 1 + seed % 4 if seed < 8 else int(rng.integers(1, 5))
    widths = rng.integers(3, WIDEST[depth] + 1, depth)
    return rng, Builder((_n_inputs(seed),), name=family), [int(w) for w in widths]


def _uniform(rng: Generator, m: int, n: int) -> Layer:
    return rng.uniform(-1, 1, (m, n)), rng.uniform(-1, 1, m) * 0.5


def _finish(b: Builder, here: int, rng: Generator, make: Callable[[Generator, int, int], Layer]) -> Network:
    outputs = int(rng.integers(1, 4))
    return b.finish(b.dense(here, *make(rng, outputs, b.size(here))), source=b.nodes[0].name)  # type: ignore[union-attr]


def _dense_relu(family: str, make: Callable[[Generator, int, int], Layer]) -> Callable[[int], Network]:
    def network(seed: int) -> Network:
        rng, b, widths = _start(seed, family)
        here = 0
        for m in widths:
            here = b.relu(b.dense(here, *make(rng, m, b.size(here))))
        return _finish(b, here, rng, make)

    network.__doc__ = f"Return dense layers and ReLU with weights of the family {family!r}."
    return network


def _biasless(rng: Generator, m: int, n: int) -> Layer:
    return rng.uniform(-1, 1, (m, n)), np.zeros(m)


def _related(rng: Generator, m: int, n: int, factors: list[float]) -> Layer:
    # The last half of the neurons are multiples of the first ones.
    weight, bias = _uniform(rng, m, n)
    for i in range((m + 1) // 2, m):
        factor = float(rng.choice(factors))
        source = int(rng.integers(0, (m + 1) // 2))
        weight[i], bias[i] = factor * weight[source], factor * bias[source]
    return weight, bias


def _duplicate(rng: Generator, m: int, n: int) -> Layer:
    return _related(rng, m, n, [1.0, 1.0, 2.0, 0.25, 1 / 3])


def _opposite(rng: Generator, m: int, n: int) -> Layer:
    return _related(rng, m, n, [-1.0, -1.0, -0.5, -3.0])


def _parallel(rng: Generator, m: int, n: int) -> Layer:
    weight, bias = _related(rng, m, n, [1.0, -1.0])
    for i in range((m + 1) // 2, m):
        shift = float(rng.choice([1e-6, -1e-6, 1e-12, -1e-12]))
        if rng.random() < 0.7:
            bias[i] += shift
        else:
            weight[i, int(rng.integers(0, n))] += shift
    return weight, bias


def _zero_rows(rng: Generator, m: int, n: int) -> Layer:
    # Rows that are zero, constant (positive or negative), dead (never on here), or columns that are not read.
    weight, bias = _uniform(rng, m, n)
    for i, kind in enumerate(rng.permutation(m)):
        if kind == 0:
            weight[i], bias[i] = 0.0, 0.0
        elif kind == 1:
            weight[i], bias[i] = 0.0, rng.choice([-0.5, 0.5])
        elif kind == 2:
            bias[i] = -100.0
    if rng.random() < 0.5:
        weight[:, rng.integers(0, n)] = 0.0
    return weight, bias


def _ternary(rng: Generator, m: int, n: int) -> Layer:
    return rng.integers(-1, 2, (m, n)).astype(float), rng.integers(-1, 2, m) * float(rng.choice([0.0, 0.5, 1.0]))


def _pruned(rng: Generator, m: int, n: int) -> Layer:
    weight, bias = _uniform(rng, m, n)
    return weight * (rng.random((m, n)) < 0.3), bias * (rng.random(m) < 0.5)


def _eight_bit(rng: Generator, m: int, n: int) -> Layer:
    if rng.random() < 0.5:
        weight, bias = _uniform(rng, m, n)
        return weight.astype(np.float32).astype(np.float64), bias.astype(np.float32).astype(np.float64)
    scale = 2.0 ** -float(rng.integers(3, 8))
    return rng.integers(-128, 128, (m, n)) * scale, rng.integers(-128, 128, m) * scale


def _max_identical(seed: int) -> Network:
    """Return maxout and pooling whose windows hold equal candidates, or nothing but zeros."""
    rng, b, widths = _start(seed, "max_identical")
    here = 0
    for m in widths[:3]:
        m = min(m, 5)
        make = (_uniform, _duplicate, _ternary)[int(rng.integers(0, 3))]
        z = b.dense(here, *make(rng, m, b.size(here)))
        kind = int(rng.integers(0, 5))
        if kind == 0:
            here = b.max_windows(b.relu(z), [np.arange(m), [m - 1, 0], [0, 1, 0]], shape=(3,))
        elif kind == 1:
            here = b.max_windows(z, [[i, i, (i + 1) % m] for i in range(m)], shape=(m,))
        elif kind == 2:
            here = b.maximum([z, b.scale(z, 1.0), b.scale(z, 0.5)])
        elif kind == 3:
            here = b.minimum([b.relu(z), b.relu(b.scale(z, -1.0)), b.constant(np.full(m, 0.25))])
        else:
            copied = b.gather(z, np.repeat(np.arange(m), 2), shape=(2 * m,))
            here = b.max_windows(b.relu(copied), np.arange(2 * m).reshape(m, 2), shape=(m,))
    return _finish(b, here, rng, _uniform)


def _leaky_abs_clip(seed: int) -> Network:
    """Return layers of one-variable functions with one to three knots, a different one in each layer."""
    rng, b, widths = _start(seed, "leaky_abs_clip")
    here = 0
    for m in widths:
        make = (_uniform, _ternary, _duplicate)[int(rng.integers(0, 3))]
        here = _one_variable(b, b.dense(here, *make(rng, min(m, 6), b.size(here))), rng)
    return _finish(b, here, rng, _uniform)


def _one_variable(b: Builder, z: int, rng: Generator) -> int:
    kind = int(rng.integers(0, 8))
    if kind == 0:
        return b.clip(z, -1.0, 1.0)
    if kind == 1:
        return b.clip(z, 0.0, 0.75, name="relu6")
    if kind == 2:
        return b.leaky_relu(z, 0.1)
    if kind == 3:
        return b.leaky_relu(z, rng.choice([0.25, -0.5, 0.0, 1.0], b.size(z)))
    if kind == 4:
        return b.abs(z)
    if kind == 5:
        return b.breakpoints(z, [-0.5, 0.0, 0.5], [0.0, 1.0, -1.0, 2.0], [-0.5, 0.0, 0.0, -1.5], name="staircase")
    if kind == 6:
        return b.clip(b.scale(z, 1 / 6, 0.5), 0.0, 1.0, name="hard sigmoid")
    low = rng.choice([-0.75, -0.25, 0.0], b.size(z))
    knots = np.stack([low, low + rng.choice([2.0**-20, 0.5], low.size)], axis=1)
    zero = np.zeros_like(low)
    shifts = np.stack([zero, -low, knots[:, 1] - low], axis=1)
    return b.breakpoints(z, knots, np.stack([zero, zero + 1, zero], axis=1), shifts, name="ramp")


def _residual(seed: int) -> Network:
    """Return blocks x + relu(W x + b) or x - relu(...), some of which cancel what they add."""
    rng, b, widths = _start(seed, "residual")
    m = widths[0]
    make = (_uniform, _ternary, _pruned)[int(rng.integers(0, 3))]
    here = b.relu(b.dense(0, *make(rng, m, b.size(0))))
    for _ in widths[1:3]:
        before = here
        if rng.random() < 0.3:
            # relu(z) - relu(-z) is z again: edges without a bend.
            here = b.add([b.relu(before), b.relu(b.scale(before, -1.0))], [1.0, -1.0])
        else:
            here = b.relu(b.dense(before, *make(rng, m, m)))
        here = b.add([before, here], [1.0, float(rng.choice([1.0, -1.0, 0.5]))])
        if rng.random() < 0.5:
            here = b.relu(here)
    return _finish(b, here, rng, make)


def _concat(seed: int) -> Network:
    """Return layers that read the input and relu(z), relu(-z) side by side."""
    rng, b, widths = _start(seed, "concat")
    make = (_uniform, _ternary)[int(rng.integers(0, 2))]
    here = 0
    for m in widths[:3]:
        z = b.dense(here, *make(rng, min(m, 4), b.size(here)))
        here = b.concatenate([b.relu(z), b.relu(b.scale(z, -1.0)), 0])
    return _finish(b, here, rng, make)


def _three_lines_meet(seed: int) -> Network:
    """Return a first layer with three lines through one point (even seeds), or an ulp of a bias from it (odd).

    The second layer, when it has no bias, vanishes there too where the first layer's units are off.
    """
    rng, b, widths = _start(seed, "three_lines_meet")
    m, n = max(widths[0], 3), b.size(0)
    weight, bias = np.zeros((m, n)), np.zeros(m)
    denominator = int(rng.choice([1, 2, 3, 7, 10]))
    target = rng.integers(-denominator // 2, denominator // 2 + 1, 2)
    normals: list[np.ndarray] = []
    while len(normals) < m:
        normal = rng.integers(-9, 10, 2)
        if normal.any() and all(normal[0] * n[1] != normal[1] * n[0] for n in normals[:2]):
            normals.append(normal)
    for i, normal in enumerate(normals):
        weight[i, :2], bias[i] = denominator * normal, -normal @ target
        if rng.random() < 0.5:
            # Powers of two change no line.
            weight[i], bias[i] = weight[i] / 64, bias[i] / 64
    if seed % 2:
        toward = float(rng.choice([-np.inf, np.inf]))
        if bias[2]:
            bias[2] = np.nextafter(bias[2], toward)
        else:
            bias[2] = np.copysign(2.0**-53, toward)
    here = b.relu(b.dense(0, weight, bias))
    for k in widths[1:3]:
        here = b.relu(b.dense(here, *(_biasless if rng.random() < 0.7 else _uniform)(rng, k, b.size(here))))
    return _finish(b, here, rng, _uniform)


def _sliver(seed: int) -> Network:
    """Return a first layer with strips and wedges of width 1e-12, crossed by the lines of later layers."""
    rng, b, widths = _start(seed, "sliver")
    m, n = max(widths[0], 3), b.size(0)
    weight, bias = np.zeros((m, n)), np.zeros(m)
    weight[:, :2], bias[:] = rng.uniform(-1, 1, (m, 2)), rng.uniform(-0.3, 0.3, m)
    sign = float(rng.choice([1.0, -1.0]))
    weight[1], bias[1] = sign * weight[0], sign * (bias[0] + 1e-12)
    if rng.random() < 0.5:
        weight[2], bias[2] = weight[0], bias[0]
        weight[2, int(rng.integers(0, 2))] += 1e-12
    here = b.relu(b.dense(0, weight, bias))
    for k in widths[1:]:
        here = b.relu(b.dense(here, *_uniform(rng, min(k, 6), b.size(here))))
    return _finish(b, here, rng, _uniform)


FAMILIES: dict[str, Callable[[int], Network]] = {
    "generic": _dense_relu("generic", _uniform),
    "biasless": _dense_relu("biasless", _biasless),
    "duplicate": _dense_relu("duplicate", _duplicate),
    "opposite": _dense_relu("opposite", _opposite),
    "parallel": _dense_relu("parallel", _parallel),
    "zero_rows": _dense_relu("zero_rows", _zero_rows),
    "ternary": _dense_relu("ternary", _ternary),
    "pruned": _dense_relu("pruned", _pruned),
    "eight_bit": _dense_relu("eight_bit", _eight_bit),
    "max_identical": _max_identical,
    "leaky_abs_clip": _leaky_abs_clip,
    "residual": _residual,
    "concat": _concat,
    "three_lines_meet": _three_lines_meet,
    "sliver": _sliver,
}
