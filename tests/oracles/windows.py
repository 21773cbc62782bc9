"""Which max windows tie on walls? Candidates that vanish with the two that win on either side, in every order."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from tests.oracles.families import FAMILIES, gaussian, place, start
from tests.oracles.steps import Array, Case, Conv, Dense, MaxOf, Pool, Relu, Step, Windows


def tied_walls(seed: int) -> Case:
    """Return windows of 3 to 9 candidates `c_i (a x + b)`: all of them tie on one wall, as in `max(0, x, -x)`."""
    rng = start("tied_walls", seed)
    here = place(rng, seed)
    k, n = len(here["low"]), here["shape"][0]
    rows, shifts, windows = [], [], []
    held = int(rng.integers(3, 10))
    for _ in range(int(rng.integers(1, 4 if k < 3 else 3))):
        weight, bias = _line(rng, n)
        factors = _factors(rng, held)
        windows.append(tuple(range(len(rows), len(rows) + held)))
        rows += [c * weight for c in factors]
        shifts += [c * bias for c in factors]
    if seed % 4 == 3:
        windows.append(tuple(rng.integers(0, len(rows), held).tolist()))
    steps: list[Step] = [Dense(np.array(rows), np.array(shifts))]
    if rng.random() < 0.2:
        steps.append(Relu())
    steps.append(Windows(tuple(windows)))
    size = len(windows)
    if rng.random() < 0.5:
        steps += [Dense(*_again(rng, 3, size)), (Relu(), Windows(((0, 1, 2), (2, 1, 0))))[int(rng.integers(0, 2))]]
        size = 3 if isinstance(steps[-1], Relu) else 2
    steps.append(Dense(*gaussian(rng, int(rng.integers(1, 4)), size)))
    return Case("tied_walls", seed, steps=tuple(steps), points=(np.zeros(k),), **here)


def outputs_tied(seed: int) -> Case:
    """Return outputs that all tie on walls, such as (0, x, -x): three and more, in every order."""
    rng = start("outputs_tied", seed)
    here = place(rng, seed)
    k, n = len(here["low"]), here["shape"][0]
    m = int(rng.integers(1, 4 if k < 3 else 3))
    steps: list[Step] = []
    if rng.random() < 0.5:
        steps += [Dense(rng.integers(-2, 3, (m, n)) / 2.0, rng.integers(-2, 3, m) / 2.0), Relu()]
        n = m
    rows, shifts = [], []
    for _ in range(int(rng.integers(1, 3))):
        weight, bias = _line(rng, n)
        factors = _factors(rng, int(rng.integers(2, 5)))
        rows += [c * weight for c in factors]
        shifts += [c * bias for c in factors]
    order = rng.permutation(len(rows))
    steps.append(Dense(np.array(rows)[order], np.array(shifts)[order]))
    return Case("outputs_tied", seed, steps=tuple(steps), points=(np.zeros(k),), **here)


def max_of_tensors(seed: int) -> Case:
    """Return elementwise maxima of two to nine tensors that are multiples of each other."""
    rng = start("max_of_tensors", seed)
    here = place(rng, seed)
    k, n = len(here["low"]), here["shape"][0]
    m = int(rng.integers(1, 4 if k < 3 else 3))
    weight, bias = _again(rng, m, n)
    steps: list[Step] = [Dense(weight, bias)]
    tensors = [1]
    for factor in _factors(rng, int(rng.integers(1, 9))):
        # Each reads the one before, so that factors multiply.
        steps.append(Dense((factor or 1.0) * np.eye(m), np.zeros(m)))
        tensors.append(len(steps))
    steps.append(MaxOf(tuple(int(t) for t in rng.permutation(tensors))))
    steps.append(Dense(*gaussian(rng, int(rng.integers(1, 4)), m)))
    return Case("max_of_tensors", seed, steps=tuple(steps), points=(np.zeros(k),), **here)


def pool_pixels(seed: int) -> Case:
    """Return a convolution and max-pool on a slice along pixels: where they are 0 all candidates of a window tie."""
    rng = start("pool_pixels", seed)
    k = (2, 2, 1, 2, 3)[seed % 5]
    side, channels = int(rng.integers(3, 6)), int(rng.integers(1, 3))
    tall, out = int(rng.integers(2, 4)), int(rng.integers(1, 3))
    if k == 3:
        side, out = min(side, 4), 1
    weight = rng.normal(size=(out, channels, tall, tall)).astype(np.float32).astype(np.float64)
    bias = (rng.normal(size=out) if rng.random() < 0.7 else np.zeros(out)).astype(np.float32).astype(np.float64)
    steps: list[Step] = [Conv(weight, bias, (channels, side, side))]
    shape = (out, side - tall + 1, side - tall + 1)
    if rng.random() < 0.3:
        steps.append(Relu())
    pool = min(int(rng.integers(2, 4)), shape[1])
    stride = int(rng.integers(1, pool + 1))
    if pool > 1:
        steps.append(Pool(pool, stride, shape))
        left = (shape[1] - pool) // stride + 1
        shape = (out, left, left)
    if rng.random() < 0.3:
        steps.append(Relu())
    size = int(np.prod(shape))
    last = rng.normal(size=(int(rng.integers(1, 4)), size)).astype(np.float32).astype(np.float64)
    steps.append(Dense(last, rng.normal(size=len(last)).astype(np.float32).astype(np.float64)))
    n = channels * side * side
    basis = np.zeros((k, n))
    basis[np.arange(k), rng.choice(n, k, replace=False)] = 1.0
    origin = np.zeros(n)
    if rng.random() < 0.3:
        origin[rng.integers(0, n, 3)] = 0.5
    return Case(
        "pool_pixels", seed, shape=(channels, side, side), steps=tuple(steps), low=-np.ones(k), high=np.ones(k),
        origin=origin, basis=basis, points=(np.zeros(k),),
    )  # fmt: skip


def _line(rng: Generator, n: int) -> tuple[Array, float]:
    if rng.random() < 0.5:
        weight = rng.integers(-3, 4, n) / 2.0
        weight[int(rng.integers(0, n))] = 1.0
        return weight, float(rng.choice([0.0, 0.0, 0.5, -0.25]))
    return rng.normal(size=n), 0.5 * float(rng.normal()) * float(rng.random() < 0.6)


def _factors(rng: Generator, held: int) -> list[float]:
    # Whole and dyadic multiples tie exactly, thirds up to rounding; 0 is the candidate that loses.
    usual = [0.0, 1.0, -1.0, 2.0, -2.0, 0.5, -0.5, 3.0, -3.0, 0.25]
    chosen = rng.choice(usual, held, replace=held > len(usual)).tolist()
    if rng.random() < 0.6:
        chosen[:3] = rng.permutation([0.0, 1.0, -1.0]).tolist()[: len(chosen[:3])]
    if rng.random() < 0.25:
        chosen[-1] = float(rng.choice([1 / 3, -1 / 3, 0.1]))
    return [float(c) for c in rng.permutation(chosen)]


def _again(rng: Generator, m: int, n: int) -> tuple[Array, Array]:
    if rng.random() < 0.5:
        return rng.integers(-2, 3, (m, n)).astype(float), np.zeros(m)
    return gaussian(rng, m, n)


FAMILIES |= {
    "tied_walls": tied_walls,
    "outputs_tied": outputs_tied,
    "max_of_tensors": max_of_tensors,
    "pool_pixels": pool_pixels,
}
