"""Which networks are hard to get right? Families of small ones, each case a plain value made from its seed alone.

`FAMILIES[name](seed)` is a `Case`. Equal seeds give equal cases, whatever ran before. Nothing of reluatlas is used.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from zlib import crc32

import numpy as np
from numpy.random import Generator

from tests.oracles.steps import Abs, Array, Beside, Case, Clip, Dense, Leaky, MaxOf, Plus, Relu, Step, Windows

Layer = tuple[Array, Array]
Make = Callable[[Generator, int, int], Layer]


def start(family: str, seed: int) -> Generator:
    """Return the random numbers of a case."""
    return np.random.default_rng([seed, crc32(family.encode())])


def place(rng: Generator, seed: int, *, boxes: bool = False) -> dict:
    """Return the domain of a case: the plane mostly; a line, a solid, a slice or the whole plane now and then."""
    kind = ("plane", "plane", "line", "slice", "plane", "solid", "plane", "space")[seed % 8]
    if boxes and kind in ("slice", "space"):
        kind = "plane"
    k = {"line": 1, "solid": 3}.get(kind, 2)
    low, high = -np.ones(k), np.ones(k)
    if kind == "plane" and seed % 3 == 1:
        low, high = np.array([-0.75, -2.0])[:k], np.array([1.5, 0.3])[:k]
    here: dict = {"shape": (k,), "low": low, "high": high, "is_space": kind == "space"}
    if kind == "slice":
        n = int(rng.integers(3, 6))
        here["shape"] = (n,)
        here["basis"] = rng.integers(-8, 9, (k, n)) / 8.0
        here["basis"][:, :k] += 2.0 * np.eye(k)  # independent rows
        here["origin"] = rng.integers(-4, 5, n) / 8.0
    return here


def widths_for(rng: Generator, k: int, most: int = 9) -> list[int]:
    """Return the sizes of one to three hidden layers, few where they make many cells."""
    depth = int(rng.integers(1, 4 if k < 3 else 3))
    top = {1: most, 2: {1: most - 2, 2: 5, 3: 4}[depth], 3: {1: 5, 2: 3}.get(depth, 3)}[k]
    return [int(w) for w in rng.integers(2, top + 1, depth)]


def dense_relu(family: str, make: Make, last: Make | None = None) -> Callable[[int], Case]:
    """Return a family of dense layers with ReLU between."""

    def case(seed: int) -> Case:
        rng = start(family, seed)
        here = place(rng, seed)
        sizes = [here["shape"][0], *widths_for(rng, len(here["low"]))]
        steps: list[Step] = []
        for n, m in pairwise(sizes):
            steps += [Dense(*make(rng, m, n)), Relu()]
        steps.append(Dense(*(last or make)(rng, int(rng.integers(1, 4)), sizes[-1])))
        return Case(family, seed, steps=tuple(steps), **here)

    case.__doc__ = f"Return dense layers and ReLU of the family {family!r}."
    return case


def gaussian(rng: Generator, m: int, n: int) -> Layer:
    """Return ordinary weights."""
    return rng.normal(size=(m, n)), 0.5 * rng.normal(size=m)


def _biasless(rng: Generator, m: int, n: int) -> Layer:
    return rng.normal(size=(m, n)), np.zeros(m)


def _ulp(rng: Generator, m: int, n: int) -> Layer:
    # Rows equal but for one ulp in some numbers, or opposite.
    weight, bias = gaussian(rng, m, n)
    for i in range(1, m):
        if rng.random() < 0.7:
            source = int(rng.integers(0, i))
            sign = float(rng.choice([1.0, 1.0, -1.0]))
            weight[i], bias[i] = sign * weight[source], sign * bias[source]
            for j in range(n):
                if rng.random() < 0.5:
                    weight[i, j] = np.nextafter(weight[i, j], rng.choice([-np.inf, np.inf]))
            if rng.random() < 0.5:
                bias[i] = np.nextafter(bias[i], rng.choice([-np.inf, np.inf]))
    return weight, bias


def _related(factors: tuple[float, ...], shift: float = 0.0) -> Make:
    def make(rng: Generator, m: int, n: int) -> Layer:
        weight, bias = gaussian(rng, m, n)
        for i in range((m + 1) // 2, m):
            factor, source = float(rng.choice(factors)), int(rng.integers(0, (m + 1) // 2))
            weight[i], bias[i] = factor * weight[source], factor * bias[source]
            bias[i] += shift * float(rng.choice([-1.0, 0.0, 1.0, 1e6]))
        return weight, bias

    return make


def _dead(rng: Generator, m: int, n: int) -> Layer:
    weight, bias = gaussian(rng, m, n)
    for i, kind in enumerate(rng.permutation(m)):
        if kind == 0:
            weight[i], bias[i] = 0.0, rng.choice([-0.5, 0.0, 0.0, 0.5])
        elif kind == 1:
            bias[i] = -100.0
        elif kind == 2:
            weight[i] = 0.0
    return weight, bias


def _ternary(rng: Generator, m: int, n: int) -> Layer:
    return rng.integers(-1, 2, (m, n)).astype(float), rng.integers(-1, 2, m) * float(rng.choice([0.0, 0.5, 1.0]))


def _eight_bit(rng: Generator, m: int, n: int) -> Layer:
    scale = 2.0 ** -float(rng.integers(4, 8))
    return rng.integers(-128, 128, (m, n)) * scale, rng.integers(-128, 128, m) * scale


def _few_bits(rng: Generator, m: int, n: int) -> Layer:
    return rng.integers(-3, 4, (m, n)) / 2.0, rng.integers(-2, 3, m) / 2.0


def _outputs_equal(rng: Generator, m: int, n: int) -> Layer:
    # Three or four outputs, two of which are one function.
    weight, bias = gaussian(rng, max(m, 2) + 1, n)
    i, j = rng.choice(len(bias), 2, replace=False)
    weight[i], bias[i] = weight[j], bias[j]
    if rng.random() < 0.4:
        bias[i] = bias[j] = bias.max() + float(rng.choice([0.0, 0.5, 3.0]))
    return weight, bias


def _outputs_tie(rng: Generator, m: int, n: int) -> Layer:
    # One constant for all outputs: they tie where all units are off, and where those that are on are not read.
    weight = rng.integers(-2, 3, (m, n)) * rng.choice([1.0, 0.5], (m, n)) * (rng.random((m, n)) < 0.6)
    if rng.random() < 0.3:
        weight = -abs(weight)
    return weight, np.full(m, float(rng.choice([0.0, 0.25, 1 / 3])))


def concurrent(seed: int) -> Case:
    """Return three and more lines (planes, points) that meet in one point up to rounding."""
    rng = start("concurrent", seed)
    here = place(rng, seed, boxes=True)
    k = len(here["low"])
    m = int(rng.integers(k + 1, {1: 7, 2: 6, 3: 6}[k]))
    target = rng.uniform(0.9 * here["low"], 0.9 * here["high"])
    weight = rng.normal(size=(m, k))
    steps: list[Step] = [Dense(weight, -weight @ target), Relu()]
    if rng.random() < 0.5:
        make = (gaussian, _biasless)[int(rng.integers(0, 2))]
        width = 3 if k < 3 else 1
        steps += [Dense(*make(rng, width, m)), Relu()]
        m = width
    steps.append(Dense(*gaussian(rng, int(rng.integers(1, 4)), m)))
    near = tuple(np.clip(target + 2.0**-50 * rng.integers(-3, 4, k), here["low"], here["high"]) for _ in range(3))
    return Case("concurrent", seed, steps=tuple(steps), points=(target, *near), **here)


def knots(seed: int) -> Case:
    """Return layers of one-variable functions with several knots: clip, abs, leaky."""
    rng = start("knots", seed)
    here = place(rng, seed)
    size, steps = here["shape"][0], []
    for m in widths_for(rng, len(here["low"]), 6):
        make = (gaussian, _ternary, _few_bits, _related((1.0, -1.0, 2.0)))[int(rng.integers(0, 4))]
        low, high = sorted(rng.choice([-1.0, -0.5, 0.0, 0.25, 1.0], 2, replace=False).tolist())
        alpha = float(rng.choice([0.25, -0.5, 0.0625, -1.0, 2.0]))
        unit = (Clip(low, high), Abs(), Leaky(alpha), Clip(-1.0, 1.0))[int(rng.integers(0, 4))]
        m = min(m, 4)
        steps += [Dense(*make(rng, m, size)), unit]
        size = m
    steps.append(Dense(*gaussian(rng, int(rng.integers(1, 4)), size)))
    return Case("knots", seed, steps=tuple(steps), **here)


def residual(seed: int) -> Case:
    """Return blocks that add or set beside what came before, some of which cancel it."""
    rng = start("residual", seed)
    here = place(rng, seed)
    k = len(here["low"])
    m = int(rng.integers(2, 5 if k < 3 else 4))
    make = (gaussian, _ternary, _few_bits)[int(rng.integers(0, 3))]
    steps: list[Step] = [Dense(*make(rng, m, here["shape"][0])), Relu()]
    for _ in range(2 if k < 3 else 1):
        before = len(steps)
        weight, bias = make(rng, m, m)
        if rng.random() < 0.3:
            weight, bias = -np.eye(m), np.zeros(m)  # h + relu(-h): nothing happens where h is a relu
        steps += [Dense(weight, bias), Relu() if rng.random() < 0.7 else Abs(), Plus(before)]
        if rng.random() < 0.4:
            steps.append(Relu())
    if rng.random() < 0.4:
        steps.append(Beside(int(rng.choice([0, 2]))))
        m += here["shape"][0] if steps[-1] == Beside(0) else m
    steps.append(Dense(*make(rng, int(rng.integers(1, 4)), m)))
    return Case("residual", seed, steps=tuple(steps), **here)


def nested(seed: int) -> Case:
    """Return maxima of ReLUs of maxima, of entries that overlap or are equal."""
    rng = start("nested", seed)
    here = place(rng, seed)
    k, size, steps = len(here["low"]), here["shape"][0], []
    for level in range(2):
        make = (gaussian, _ternary, _few_bits, _related((1.0, 2.0, -1.0)))[int(rng.integers(0, 4))]
        m = int(rng.integers(3, 5 if k < 3 else 4))
        steps.append(Dense(*make(rng, m, size)))
        if rng.random() < 0.6:
            steps.append(Relu())
        count, held = int(rng.integers(1, 3)), int(rng.integers(2, 5))
        if k == 3 and level:
            count = 1
        steps.append(Windows(tuple(tuple(rng.integers(0, m, held).tolist()) for _ in range(count))))
        size = count
        if rng.random() < 0.5:
            before = len(steps)
            steps += [
                Dense(*make(rng, size, size)),
                MaxOf((before, before + 1) if rng.random() < 0.5 else (-1, before)),
            ]
    steps.append(Dense(*(gaussian, _few_bits)[seed % 2](rng, int(rng.integers(1, 4)), size)))
    return Case("nested", seed, steps=tuple(steps), **here)


FAMILIES: dict[str, Callable[[int], Case]] = {
    "gaussian": dense_relu("gaussian", gaussian),
    "biasless": dense_relu("biasless", _biasless),
    "ulp": dense_relu("ulp", _ulp),
    "duplicate": dense_relu("duplicate", _related((1.0, 1.0, 2.0, 0.25, 1 / 3))),
    "opposite": dense_relu("opposite", _related((-1.0, -1.0, -0.5, -3.0))),
    "parallel": dense_relu("parallel", _related((1.0, -1.0), 1e-12)),
    "dead": dense_relu("dead", _dead),
    "ternary": dense_relu("ternary", _ternary),
    "eight_bit": dense_relu("eight_bit", _eight_bit),
    "few_bits": dense_relu("few_bits", _few_bits),
    "equal_outputs": dense_relu("equal_outputs", gaussian, _outputs_equal),
    "tie_region": dense_relu("tie_region", _few_bits, _outputs_tie),
    "concurrent": concurrent,
    "knots": knots,
    "residual": residual,
    "nested": nested,
}
