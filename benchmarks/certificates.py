"""What does it cost to check a count? The time of both, on planes and small boxes.

    python benchmarks/certificates.py [--quick] [--out FILE.json]

One process, one thread, warm. For each network: `count_cells`, the same with `certificate=`, and `check_tree` of the
file, in turn, three times; figures are medians, and ratios of medians. The certificate must hold and give the same
number before anything is timed.
"""

from __future__ import annotations

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
from _record import machine, write

import reluatlas as ra

NETWORKS = {
    "2-64-64-64-1, He": ((2, 64, 64, 64, 1), 4.0),
    "2-100-100-100-1, He": ((2, 100, 100, 100, 1), 8.0),
    "2-256-256-256-1, He": ((2, 256, 256, 256, 1), 0.3),
    "3-20-20-1, He": ((3, 20, 20, 1), 2.0),
    "4-12-12-1, He": ((4, 12, 12, 1), 2.0),
}


def network(sizes: tuple[int, ...]) -> ra.Network:
    """Return a network with weights as they are before training, and biases that spread its lines."""
    rng = np.random.default_rng(0)
    return ra.load([(rng.normal(size=(m, n)) * np.sqrt(2 / n), rng.normal(size=m) * 0.3) for n, m in pairwise(sizes)])


def seconds(function: Callable[[], object]) -> float:
    """Return the wall time of one call."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def measure(name: str, repeats: int, path: Path) -> dict[str, object]:
    sizes, half = NETWORKS[name]
    net, box = network(sizes), ra.Box(-half, half, dim=sizes[0])
    count = ra.count_cells(net, box, jobs=1, certificate=path)
    report = ra.certify.check_tree(net, path)
    assert count.is_complete and report.is_ok, report.problems
    assert report.n_cells == count.n_cells == ra.count_cells(net, box, jobs=1).n_cells
    tasks: dict[str, Callable[[], object]] = {
        "count": lambda: ra.count_cells(net, box, jobs=1),
        "count, with certificate": lambda: ra.count_cells(net, box, jobs=1, certificate=path),
        "check": lambda: ra.certify.check_tree(net, path),
    }
    times: dict[str, list[float]] = {task: [] for task in tasks}
    for _ in range(repeats):
        for task, function in tasks.items():
            times[task].append(seconds(function))
    median = {task: statistics.median(t) for task, t in times.items()}
    return {
        "network": name,
        "half_width": half,
        "n_cells": count.n_cells,
        "n_nodes": report.n_nodes,
        "n_settled": report.n_settled,
        "bytes": path.stat().st_size,
        "median_s": median,
        "check_ratio": median["check"] / median["count"],
        "write_ratio": median["count, with certificate"] / median["count"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one repeat instead of three")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    arguments = parser.parse_args()
    rows = []
    print(f"{'network':>20} {'cells':>8} {'bytes':>9} {'count':>10} {'+ file':>10} {'check':>10} {'check/count':>12}")
    with tempfile.TemporaryDirectory() as folder:
        for name in NETWORKS:
            row = measure(name, 1 if arguments.quick else 3, Path(folder) / "run.cert")
            rows.append(row)
            ms = [1e3 * v for v in row["median_s"].values()]
            print(f"{name:>20} {row['n_cells']:>8,} {row['bytes']:>9,} {ms[0]:>7.1f} ms {ms[1]:>7.1f} ms", end="")
            print(f" {ms[2]:>7.0f} ms {row['check_ratio']:>12.1f}", flush=True)
    if arguments.out:
        write(arguments.out, {**machine(), "rows": rows})


if __name__ == "__main__":
    main()
