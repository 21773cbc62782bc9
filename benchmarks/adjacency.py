"""What do neighbors cost where several units turn across a facet? Enumerating against counting.

    python benchmarks/adjacency.py [--data-dir DATA] [--out FILE.json]

One process, one thread, warm; processor time, the best of nine, counting and enumerating in turn.

(a) `Convnet_maxpool` on 0.03 of each side, around the middle, of the plane through MNIST's test images 0, 1 and 2 with
margin 0.2: a ReLU that turns on takes a window of the max-pool along. It needs a folder with `models` and `mnist`
(`--data-dir`, or `RELUATLAS_DATA`), and is left out without.

(b) A network 2-48-48-1 with weights uniform in +-1/sqrt(fan-in), seed 0, in which each hidden unit is there twice, once
with another factor: two units turn across each facet, and whole numbers must say so.

Before anything is timed, cells must agree, areas sum to the domain's, V - E + F = 1, and every facet inside have its
reciprocal.
"""

from __future__ import annotations

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import argparse
import gzip
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import _record
import numpy as np

import reluatlas as ra

REPEATS = 9


def window(data: Path) -> tuple[str, ra.Network, ra.Slice]:
    """Return what (a) is about."""
    net = ra.load(data / "models" / "Convnet_maxpool.onnx")
    raw = gzip.decompress((data / "mnist" / "t10k-images-idx3-ubyte.gz").read_bytes())
    whole = ra.Slice.through(np.frombuffer(raw, np.uint8, 3 * 784, 16).reshape(3, 784) / 255, margin=0.2)
    middle, reach = (whole.box.low + whole.box.high) / 2, 0.03 * (whole.box.high - whole.box.low) / 2
    return "Convnet_maxpool, 0.03", net, ra.Slice(*whole.frame(), box=ra.Box(middle - reach, middle + reach))


def doubled() -> tuple[str, ra.Network, ra.Box]:
    """Return what (b) is about."""
    rng, layers, copies = np.random.default_rng(0), [], 1
    for n, m in pairwise((2, 48, 48, 1)):
        bound = 1 / np.sqrt(n)
        weight, bias = rng.uniform(-bound, bound, (m, n)), rng.uniform(-bound, bound, m)
        weight = np.concatenate([weight / copies] * copies, axis=1)
        copies = 2
        layers.append((weight, bias) if m == 1 else (np.concatenate([weight, -2 * weight]), np.append(bias, -2 * bias)))
    return "2-48-48-1, doubled", ra.load(layers), ra.Box(-1, 1, dim=2)


def seconds(task: Callable[[], object]) -> float:
    """Return the processor time of one call."""
    start = time.process_time()
    task()
    return time.process_time() - start


def measure(name: str, net: ra.Network, domain: ra.Box | ra.Slice) -> dict[str, object]:
    """Return the figures of one network."""
    count, cx = ra.count_cells(net, domain, jobs=1), ra.enumerate_cells(net, domain, jobs=1)
    assert count.n_cells == cx.n_cells and cx.exactness.status == "exact" and cx.euler_characteristic == 1
    assert abs(cx.volumes.sum() / domain.volume - 1) < 1e-9
    inner = np.flatnonzero(cx.facets.neighbor >= 0)
    assert (cx.facets.twin[cx.facets.twin[inner]] == inner).all()
    turning = (cx.patterns[np.repeat(np.arange(cx.n_cells), np.diff(cx.facets.offsets))[inner]]
               != cx.patterns[cx.facets.neighbor[inner]]).sum(axis=1)  # fmt: skip
    tasks = (lambda: ra.count_cells(net, domain, jobs=1), lambda: ra.enumerate_cells(net, domain, jobs=1))
    taken, listed = (min(column) for column in zip(*([seconds(t) for t in tasks] for _ in range(REPEATS)), strict=True))
    return {
        "network": name,
        "n_cells": cx.n_cells,
        "share_of_facets_with_several": float(np.mean(turning > 1)),
        "count_s": taken,
        "enumerate_s": listed,
        "ratio": listed / taken,
    }


def main() -> None:
    """Measure, print, and write a record when asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, default=os.environ.get("RELUATLAS_DATA"))
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    arguments = parser.parse_args()
    problems = [doubled()] if arguments.data_dir is None else [window(Path(arguments.data_dir)), doubled()]
    rows = [measure(*problem) for problem in problems]
    print(f"{'network':>24} {'cells':>8} {'several turn':>13} {'count':>10} {'enumerate':>10} {'ratio':>6}")
    for row in rows:
        print(
            f"{row['network']:>24} {row['n_cells']:>8,} {row['share_of_facets_with_several']:>12.0%} "
            f"{1e3 * row['count_s']:>7.1f} ms {1e3 * row['enumerate_s']:>7.1f} ms {row['ratio']:>6.2f}"
        )
    if arguments.out:
        _record.write(arguments.out, {**_record.machine(), "rows": rows})


if __name__ == "__main__":
    main()
