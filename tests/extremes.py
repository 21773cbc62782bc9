"""Small networks whose numbers lie at the ends of float64, or one unit in the last place apart.

`FAMILIES[name](seed, n)` is a network of n inputs. Equal seeds give equal networks, whatever ran before.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from zlib import crc32

import numpy as np
from numpy.random import Generator

from reluatlas.network.build import Builder
from reluatlas.network.network import Network

_DIGITS = (-1.0, -0.75, -0.5, 0.25, 0.5, 1.0)


def _layers(rng: Generator, n: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return one or two hidden layers and an output, of weights with all digits or with few of them."""
    sizes = [n, *rng.integers(2, 5, rng.integers(1, 3)).tolist(), int(rng.integers(1, 3))]
    few, biased = rng.random() < 0.5, rng.random() < 0.8
    out = []
    for a, b in pairwise(sizes):
        weight = rng.choice(_DIGITS, (b, a)) if few else rng.normal(size=(b, a))
        bias = rng.choice(_DIGITS, b) if few else rng.uniform(-0.8, 0.8, b)
        out.append((weight, bias if biased else np.zeros(b)))
    return out


def _ulp(rng: Generator, n: int) -> list[tuple[np.ndarray, np.ndarray]]:
    layers = _layers(rng, n)
    for weight, bias in layers[:-1]:
        # every row but the first is the first, up to a few units in the last place
        base, shift = weight[0].copy(), bias[0]
        for i in range(1, len(weight)):
            weight[i] = base + rng.integers(-1, 2, base.size) * np.spacing(base)
            bias[i] = shift + rng.integers(-1, 2) * np.spacing(shift)
            if rng.random() < 0.3:
                weight[i], bias[i] = -weight[i], -bias[i]
    return layers


def _concurrent(rng: Generator, n: int) -> list[tuple[np.ndarray, np.ndarray]]:
    layers = _layers(rng, n)
    weight = layers[0][0]
    layers[0] = weight, -weight @ rng.uniform(-0.8, 0.8, n)
    return layers


def _scaled(low: int, high: int, *, rows: bool, biases: bool = True) -> Callable[[Generator, int], list]:
    """Return what multiplies rows (or layers) by powers of two between two exponents."""

    def make(rng: Generator, n: int) -> list[tuple[np.ndarray, np.ndarray]]:
        out = []
        for weight, bias in _layers(rng, n):
            scale = np.exp2(rng.integers(low, high + 1, len(bias) if rows else 1).astype(float))
            with np.errstate(under="ignore"):
                out.append((weight * scale[:, None], bias * scale if biases or not rows else bias))
        return out

    return make


def _entries(*scales: float) -> Callable[[Generator, int], list]:
    """Return what multiplies each number by one of some scales."""

    def make(rng: Generator, n: int) -> list[tuple[np.ndarray, np.ndarray]]:
        out = []
        for weight, bias in _layers(rng, n):
            with np.errstate(under="ignore"):
                out.append((weight * rng.choice(scales, weight.shape), bias * rng.choice(scales, bias.shape)))
        return out

    return make


def _network(name: str, make: Callable[[Generator, int], list], tail: str = "") -> Callable[[int, int], Network]:
    def network(seed: int, n: int) -> Network:
        rng = np.random.default_rng([seed, n, crc32(name.encode())])
        builder = Builder((n,), name=name)
        layers = make(rng, n)
        here = 0
        for i, (weight, bias) in enumerate(layers):
            here = builder.dense(here, weight, bias)
            if i + 1 == len(layers):
                break
            kind = rng.integers(4) if tail == "any" else 0
            if kind == 1:
                here = builder.leaky_relu(here, 2.0**-3)
            elif kind == 2 and len(bias) > 1:
                # windows of neighboring entries, one less than there are entries
                windows = [[j, j + 1] for j in range(len(bias) - 1)]
                layers[i + 1] = (layers[i + 1][0][:, : len(windows)], layers[i + 1][1])
                here = builder.max_windows(here, windows, shape=(len(windows),))
            elif kind == 3:
                here = builder.clip(here, 0.0, float(np.abs(bias).max(initial=0.25)) or 0.25)
            else:
                here = builder.relu(here)
        return builder.finish(here, source=name)

    return network


_MAKERS: dict[str, Callable[[Generator, int], list]] = {
    "ulp": _ulp,
    "concurrent": _concurrent,
    "wild": _scaled(-600, 600, rows=True),
    "wild_rows": _scaled(-600, 600, rows=True, biases=False),
    "tiny": _scaled(-600, -280, rows=False),
    "huge": _scaled(200, 480, rows=False),
    "both": _entries(1e-300, 1e300),
    "small_and_one": _entries(1.0, 1e-300),
    "large_and_one": _entries(1.0, 1e300),
    "subnormal": _entries(2.0**-1070),
    "subnormal_and_one": _entries(1.0, 2.0**-1070),
}
FAMILIES: dict[str, Callable[[int, int], Network]] = {
    **{name: _network(name, make) for name, make in _MAKERS.items()},
    **{f"{name}_any": _network(f"{name}_any", make, "any") for name, make in _MAKERS.items()},
}
