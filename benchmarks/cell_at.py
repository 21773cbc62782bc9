"""Time of one cell in 784 dimensions: its facets, each certified.

    python benchmarks/cell_at.py [--data DATA] [--state NET.pt] [--skip-large] [--out FILE.json]

One process, one thread. For each network and domain: `cell_at` and the certificates of all facets (`Cell.found`), at
several points, after one that is not counted (it prepares what is kept per network); medians and the slowest. Random
networks have He weights; points are uniform in the box, or test images of MNIST where DATA (or RELUATLAS_DATA) holds
`mnist/t10k-images-idx3-ubyte.gz`. DATA also gives `models/mnist-net_256x4.onnx`. NET.pt is a state dict of Flatten,
Linear(784, 128), ReLU, Dropout, Linear(128, 10). One cell per row is checked by the independent checker (not timed).
"""

from __future__ import annotations

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import argparse
import gzip
import statistics
import time
from itertools import pairwise
from pathlib import Path

import _record
import numpy as np

import reluatlas as ra
from reluatlas.cells.certificate import check_cell


def he(*sizes: int) -> list[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(0)
    return [(rng.normal(size=(m, n)) * np.sqrt(2 / n), rng.uniform(-1, 1, m) / np.sqrt(n)) for n, m in pairwise(sizes)]


def measured(name: str, net: ra.Network, domain, X: np.ndarray, *, check: bool, target: float | None) -> dict:
    ra.cell_at(net, X[0], domain).found  # noqa: B018
    times, counts, programs, kept = [], [], [], None
    for x in X[1:]:
        start = time.perf_counter()
        cell = ra.cell_at(net, x, domain, max_seconds=120)
        found = cell.found
        times.append(time.perf_counter() - start)
        counts.append(len(found.facets))
        programs.append(found.n_programs)
        assert len(found.undecided) == 0 or cell.exactness.status != "exact"
        kept = cell
    assert kept is not None
    if check:
        report = check_cell(kept)
        assert report.is_ok, report.problems[:3]
    row = {
        "case": name,
        "points": len(times),
        "seconds_median": statistics.median(times),
        "seconds_most": max(times),
        "target_seconds": target,
        "facets": [min(counts), max(counts)],
        "rows": len(kept.system.owner),
        "programs_most": max(programs),
        "undecided": len(kept.found.undecided),
        "checked": check,
    }
    print(row, flush=True)
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("RELUATLAS_DATA"))
    parser.add_argument("--state", type=Path)
    parser.add_argument("--skip-large", action="store_true")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    rng = np.random.default_rng(1)
    X = rng.uniform(size=(22, 784))
    box = ra.Box(0, 1, dim=784)
    one, two = ra.load(he(784, 128, 10)), ra.load(he(784, 64, 64, 10))
    rows = [
        measured("784-128-10, He weights, space", one, None, X, check=True, target=0.010),
        measured("784-64-64-10, He weights, space", two, None, X, check=True, target=0.100),
        measured("784-128-10, He weights, [0, 1]^784", one, box, X[:5], check=True, target=3.0),
    ]
    if arguments.data is not None:
        with gzip.open(arguments.data / "mnist" / "t10k-images-idx3-ubyte.gz") as file:
            images = np.frombuffer(file.read(), dtype=np.uint8, offset=16).reshape(-1, 784) / 255.0
        if arguments.state is not None:
            import torch

            state = {k: v.double().numpy() for k, v in torch.load(arguments.state, weights_only=True).items()}
            weights = [v for v in state.values()]
            net = ra.load([(weights[0], weights[1]), (weights[2], weights[3])])
            rows.append(
                measured("784-128-10 trained on MNIST, space", net, None, images[:22], check=True, target=0.010)
            )
            rows.append(
                measured("784-128-10 trained on MNIST, [0, 1]^784", net, box, images[:5], check=True, target=3.0)
            )
        if not arguments.skip_large:
            net = ra.load(arguments.data / "models" / "mnist-net_256x4.onnx")
            rows.append(measured("mnist-net_256x4, space", net, None, images[:3], check=False, target=None))
    if arguments.out:
        _record.write(arguments.out, {**_record.machine(), "load": os.getloadavg()[0], "rows": rows})


if __name__ == "__main__":
    main()
