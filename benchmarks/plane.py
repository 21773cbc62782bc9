"""Time of counting and of enumerating the cells of a plane, against NumPy's forward pass.

    python benchmarks/plane.py [--quick] [--out FILE.json]

One process, one thread, warm. For each network: (a) `count_cells`, (b) `enumerate_cells` with maps, vertices and the
dual graph, (c) NumPy's float64 forward pass of one random point per cell, ReLU in place, the best batch size. The
three are timed in turn, seven times; the figures are medians, and ratios of medians. Then (a) and (b) with one and
two jobs. Counts are checked against each other, areas against the domain, before anything is timed.
"""

from __future__ import annotations

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import argparse
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np

import reluatlas as ra

WIDTHS = (32, 64, 128, 256)
BATCHES = (256, 1024, 4096)
REPEATS = 7


def layers_of(width: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return 2-w-w-w-1: weights (out, in), then biases, uniform in +-1/sqrt(fan-in), layer by layer."""
    rng, out = np.random.default_rng(0), []
    for n, m in pairwise((2, width, width, width, 1)):
        bound = 1 / np.sqrt(n)
        out.append((rng.uniform(-bound, bound, (m, n)), rng.uniform(-bound, bound, m)))
    return out


def forward(layers: list[tuple[np.ndarray, np.ndarray]], X: np.ndarray, batch: int) -> None:
    """Run the network in batches, ReLU in place."""
    for start in range(0, len(X), batch):
        h = X[start : start + batch]
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


def measure(width: int, repeats: int) -> dict[str, object]:
    layers, box = layers_of(width), ra.Box(-1, 1, dim=2)
    net = ra.load(layers)
    count, cells = ra.count_cells(net, box, jobs=1), ra.enumerate_cells(net, box, jobs=1)
    assert count.n_cells == cells.n_cells and count.exactness.status == cells.exactness.status == "exact"
    assert abs(cells.volumes.sum() - 4.0) < 4e-9 and cells.euler_characteristic == 1
    X = np.random.default_rng(1).uniform(-1, 1, (count.n_cells, 2))
    tasks: dict[str, Callable[[], object]] = {
        "count": lambda: ra.count_cells(net, box, jobs=1),
        "enumerate": lambda: ra.enumerate_cells(net, box, jobs=1).dual_graph(),
        **{f"forward {b}": (lambda b=b: forward(layers, X, b)) for b in (*BATCHES, len(X))},
        "count, 2 jobs": lambda: ra.count_cells(net, box, jobs=2),
        "enumerate, 2 jobs": lambda: ra.enumerate_cells(net, box, jobs=2),
    }
    times: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(repeats):
        for name, task in tasks.items():
            times[name].append(seconds(task))
    median = {name: statistics.median(t) for name, t in times.items()}
    floor = min(t for name, t in median.items() if name.startswith("forward"))
    return {
        "network": f"2-{width}-{width}-{width}-1",
        "n_cells": count.n_cells,
        "share_escalated": count.exactness.share_escalated,
        "median_s": median,
        "forward_s": floor,
        "count_ratio": median["count"] / floor,
        "enumerate_ratio": median["enumerate"] / floor,
        "count_speedup_2_jobs": median["count"] / median["count, 2 jobs"],
        "enumerate_speedup_2_jobs": median["enumerate"] / median["enumerate, 2 jobs"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="three repeats instead of seven")
    parser.add_argument("--widths", type=int, nargs="+", default=WIDTHS)
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    arguments = parser.parse_args()
    rows = []
    print(f"{'network':>20} {'cells':>8} {'(a) count':>12} {'(b) enumerate':>14} {'(c) forward':>12}", end="")
    print(f" {'(a)/(c)':>8} {'(b)/(c)':>8}  two jobs")
    for width in arguments.widths:
        row = measure(width, 3 if arguments.quick else REPEATS)
        rows.append(row)
        median = row["median_s"]
        ms = [1e3 * v for v in (median["count"], median["enumerate"], row["forward_s"])]
        print(f"{row['network']:>20} {row['n_cells']:>8,} {ms[0]:>9.1f} ms {ms[1]:>11.1f} ms {ms[2]:>9.1f} ms", end="")
        print(f" {row['count_ratio']:>8.2f} {row['enumerate_ratio']:>8.2f}", end="")
        print(f"  {row['count_speedup_2_jobs']:.2f} {row['enumerate_speedup_2_jobs']:.2f}", flush=True)
    record = {
        "machine": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "python": sys.version.split()[0],
        "numpy": np.__version__,
        "reluatlas": ra.__version__,
        "rows": rows,
    }
    if arguments.out:
        temporary = arguments.out.with_suffix(".tmp")
        temporary.write_text(json.dumps(record, indent=1))
        os.replace(temporary, arguments.out)


if __name__ == "__main__":
    main()
