"""What does doubt cost? Degenerate 2-32-32-32-1 networks against generic ones: share escalated, time per cell.

    python benchmarks/degenerate.py [--quick] [--out FILE.json]

Ten networks of each family (seeds 0 to 9) on [-1, 1]^2, one thread, warm. The time of a network is the median of seven
runs; a family's time per cell is the sum of these over the sum of the cells, and its ratio is to that of the generic
family. For each family also the share of visits (a polygon meets a layer) in which some sign was open after the first
float64 bound, and the number of open signs per cell, of `count_cells`.

Counts are checked against enumeration, areas against the domain, Euler's formula and reciprocity before anything is
timed. Exit code 1 when ternary or biasless networks take more than 20 times the generic time per cell.
"""

from __future__ import annotations

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from _record import machine, write
from numpy.random import Generator

import reluatlas as ra

SHAPE = (2, 32, 32, 32, 1)
SEEDS = range(10)
MOST, BOUND_FAMILIES = 20.0, ("ternary", "biasless")
Layer = tuple[np.ndarray, np.ndarray]
Maker = Callable[[Generator, int, int], Layer]


def generic(rng: Generator, m: int, n: int) -> Layer:
    """Return weights and biases uniform in +-1/sqrt(n)."""
    bound = 1 / np.sqrt(n)
    return rng.uniform(-bound, bound, (m, n)), rng.uniform(-bound, bound, m)


def biasless(rng: Generator, m: int, n: int) -> Layer:
    """Return no biases: lines meet at 0."""
    return generic(rng, m, n)[0], np.zeros(m)


def related(rng: Generator, m: int, n: int, factors: tuple[float, ...]) -> Layer:
    """Return a layer in which half of the neurons are multiples of others."""
    weight, bias = generic(rng, m, n)
    half = (m + 1) // 2
    for i in range(half, m):
        factor, source = float(rng.choice(factors)), int(rng.integers(0, half))
        weight[i], bias[i] = factor * weight[source], factor * bias[source]
    return weight, bias


def duplicate(rng: Generator, m: int, n: int) -> Layer:
    """Return a layer in which half of the neurons are copies, some scaled by 2, 1/4 or 1/3 (rounded)."""
    return related(rng, m, n, (1.0, 1.0, 2.0, 0.25, 1 / 3))


def opposite(rng: Generator, m: int, n: int) -> Layer:
    """Return a layer in which half of the neurons are negated copies, some scaled."""
    return related(rng, m, n, (-1.0, -1.0, -0.5, -3.0))


def parallel(rng: Generator, m: int, n: int) -> Layer:
    """Return a layer in which half of the neurons are copies or opposites with a bias 1e-6 off."""
    weight, bias = related(rng, m, n, (1.0, -1.0))
    bias[(m + 1) // 2 :] += rng.choice((1e-6, -1e-6), m - (m + 1) // 2)
    return weight, bias


def zero_rows(rng: Generator, m: int, n: int) -> Layer:
    """Return a layer in which an eighth of the neurons is zero, another constant."""
    weight, bias = generic(rng, m, n)
    weight[: m // 4], bias[: m // 8] = 0.0, 0.0
    return weight, bias


def ternary(rng: Generator, m: int, n: int) -> Layer:
    """Return weights and biases in {-1, 0, 1}."""
    return rng.integers(-1, 2, (m, n)).astype(float), rng.integers(-1, 2, m).astype(float)


def pruned(rng: Generator, m: int, n: int) -> Layer:
    """Return a generic layer with 70 % of the weights and half of the biases set to zero."""
    weight, bias = generic(rng, m, n)
    return weight * (rng.random((m, n)) < 0.3), bias * (rng.random(m) < 0.5)


def eight_bit(rng: Generator, m: int, n: int) -> Layer:
    """Return whole numbers from -127 to 127 times a power of two near 1/(128 sqrt(n))."""
    scale = 2.0 ** np.round(np.log2(1 / (128 * np.sqrt(n))))
    return rng.integers(-127, 128, (m, n)) * scale, rng.integers(-127, 128, m) * scale


def float32(rng: Generator, m: int, n: int) -> Layer:
    """Return a generic layer rounded to float32."""
    weight, bias = generic(rng, m, n)
    return weight.astype(np.float32).astype(np.float64), bias.astype(np.float32).astype(np.float64)


FAMILIES: dict[str, Maker] = {
    "generic": generic,
    "float32": float32,
    "biasless": biasless,
    "duplicate": duplicate,
    "opposite": opposite,
    "parallel 1e-6": parallel,
    "zero rows": zero_rows,
    "ternary": ternary,
    "pruned": pruned,
    "8-bit": eight_bit,
}


def network(make: Maker, seed: int) -> ra.Network:
    """Return one network of a family."""
    rng = np.random.default_rng(seed)
    return ra.load([make(rng, m, n) for n, m in pairwise(SHAPE)])


def median_s(function: Callable[[], object], repeats: int) -> float:
    """Return the median time of some calls."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def measure(family: str, repeats: int) -> dict[str, Any]:
    """Check and time the networks of one family."""
    box, cells, visits, doubtful, signs = ra.Box(-1, 1, dim=2), 0, 0, 0, 0
    count_s = enumerate_s = 0.0
    per_network = []
    for seed in SEEDS:
        net = network(FAMILIES[family], seed)
        count, cx = ra.count_cells(net, box, jobs=1), ra.enumerate_cells(net, box, jobs=1)
        assert count.n_cells == cx.n_cells and count.exactness.status == cx.exactness.status == "exact"
        assert abs(cx.volumes.sum() - 4.0) < 4e-9 and cx.euler_characteristic == 1
        inner = np.flatnonzero(cx.facets.neighbor >= 0)
        assert (cx.facets.twin[cx.facets.twin[inner]] == inner).all()
        cells += count.n_cells
        visits += count.exactness.n_visits
        doubtful += count.exactness.n_doubtful_visits
        signs += count.exactness.n_escalated
        count_s += median_s(lambda net=net: ra.count_cells(net, box, jobs=1), repeats)
        enumerate_s += median_s(lambda net=net: ra.enumerate_cells(net, box, jobs=1).dual_graph(), repeats)
        per_network.append(count.n_cells)
    return {
        "family": family,
        "n_cells": per_network,
        "share_escalated": doubtful / visits,
        "escalated_per_cell": signs / cells,
        "count_us_per_cell": 1e6 * count_s / cells,
        "enumerate_us_per_cell": 1e6 * enumerate_s / cells,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one run instead of seven")
    parser.add_argument("--out", type=Path, help="write the record as JSON")
    arguments = parser.parse_args()
    rows: list[dict[str, Any]] = []
    print("| family | cells of a network (mean) | visits with an open sign | open signs per cell |", end="")
    print(" count, us per cell | x generic | enumerate, us per cell | x generic |")
    print("|---|---|---|---|---|---|---|---|")
    for family in FAMILIES:
        row = measure(family, 1 if arguments.quick else 7)
        rows.append(row)
        for kind in ("count", "enumerate"):
            row[f"{kind}_ratio"] = row[f"{kind}_us_per_cell"] / rows[0][f"{kind}_us_per_cell"]
        print(f"| {family} | {np.mean(row['n_cells']):,.0f} | {100 * row['share_escalated']:.2g} %", end="")
        print(f" | {row['escalated_per_cell']:.2g} | {row['count_us_per_cell']:.1f} | {row['count_ratio']:.1f}", end="")
        print(f" | {row['enumerate_us_per_cell']:.1f} | {row['enumerate_ratio']:.1f} |", flush=True)
    if arguments.out:
        write(arguments.out, {"question": "degenerate", "jobs": 1, **machine(), "shape": SHAPE, "rows": rows})
    missed = [
        f"{row['family']}: {kind} takes {row[f'{kind}_ratio']:.1f} x the generic time per cell"
        for row in rows
        for kind in ("count", "enumerate")
        if row["family"] in BOUND_FAMILIES and row[f"{kind}_ratio"] > MOST
    ]
    if missed:
        sys.exit("; ".join(missed) + f"; at most {MOST:g} x was promised")


if __name__ == "__main__":
    main()
