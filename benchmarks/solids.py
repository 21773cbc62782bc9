"""Cells counted and enumerated per second in boxes of three to six dimensions, against NumPy's forward pass.

    python benchmarks/solids.py [--out FILE.json]

One process, one thread, warm, certainty on. For each network: (a) `count_cells` on [-1, 1]^k, (b) NumPy's float64
forward pass of one random point per cell, ReLU in place, in batches of 1,024, (c) `enumerate_cells` with maps, vertices
and the dual graph, timed in turn; medians of seven. Volumes of the cells are checked against the box, counts against
each other and the Euler characteristic against 1 before anything is timed.
"""

from __future__ import annotations

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import argparse
import statistics
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import _record
import numpy as np

import reluatlas as ra

SHAPES = {(3, 32, 32, 1): 400_000, (4, 16, 16, 1): 250_000, (5, 12, 12, 1): 150_000, (6, 10, 10, 1): 80_000}
"""Networks, and the cells per second asked for."""
REPEATS = 7


def layers_of(shape: tuple[int, ...]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return weights (out, in), then biases, uniform in +-1/sqrt(fan-in), layer by layer."""
    rng, out = np.random.default_rng(0), []
    for n, m in pairwise(shape):
        bound = 1 / np.sqrt(n)
        out.append((rng.uniform(-bound, bound, (m, n)), rng.uniform(-bound, bound, m)))
    return out


def forward(layers: list[tuple[np.ndarray, np.ndarray]], X: np.ndarray) -> None:
    """Run the network in batches, ReLU in place."""
    for start in range(0, len(X), 1024):
        h = X[start : start + 1024]
        for position, (weight, bias) in enumerate(layers):
            h = h @ weight.T
            h += bias
            if position < len(layers) - 1:
                np.maximum(h, 0.0, out=h)


def seconds(function: Callable[[], object]) -> float:
    """Return the wall time of one call."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def measure(shape: tuple[int, ...]) -> dict[str, object]:
    """Return the figures of one network."""
    layers, k = layers_of(shape), shape[0]
    net, box = ra.load(layers), ra.Box(-1, 1, dim=k)
    count = ra.count_cells(net, box, jobs=1)
    assert count.is_complete and count.exactness.status == "exact"
    assert abs(count.volume_done / 2**k - 1) < 1e-9
    X = np.random.default_rng(1).uniform(-1, 1, (count.n_cells, k))
    cx = ra.enumerate_cells(net, box, jobs=1)
    assert cx.n_cells == count.n_cells and cx.euler_characteristic == 1 and cx.exactness.status == "exact"
    tasks = (
        lambda: ra.count_cells(net, box, jobs=1),
        lambda: forward(layers, X),
        lambda: ra.enumerate_cells(net, box, jobs=1).dual_graph(),
    )
    times = [[seconds(task) for task in tasks] for _ in range(REPEATS)]
    taken, floor, listed = (statistics.median(column) for column in zip(*times, strict=True))
    return {
        "network": "-".join(map(str, shape)),
        "n_cells": count.n_cells,
        "cells_per_second": count.n_cells / taken,
        "asked_per_second": SHAPES[shape],
        "ratio_to_forward": taken / floor,
        "enumerated_per_second": count.n_cells / listed,
        "enumerate_ratio_to_forward": listed / floor,
    }


def main() -> None:
    """Measure, print, and write a record when asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    arguments = parser.parse_args()
    rows = [measure(shape) for shape in SHAPES]
    print(f"{'network':>12} {'cells':>8} {'cells/s':>10} {'asked':>10} {'x forward pass':>15} {'listed/s':>10}")
    for row in rows:
        print(
            f"{row['network']:>12} {row['n_cells']:>8,} {row['cells_per_second']:>10,.0f} "
            f"{row['asked_per_second']:>10,} {row['ratio_to_forward']:>15.1f} "
            f"{row['enumerated_per_second']:>10,.0f}"
        )
    if arguments.out:
        _record.write(arguments.out, {**_record.machine(), "rows": rows})


if __name__ == "__main__":
    main()
