"""Is this source slower than another one? Whole processes in turn, and the ratio of each answer's time.

    python benchmarks/alternating.py OLD/src [NEW/src] [--pairs 15]

Each process finds cells of random networks in two, three and five dimensions, maps at 2,000 points and pieces on 59
segments, one thread, best of three after a first run. Printed: the geometric mean of the ratios new / old of processor
time, with its 95 % interval. Kernels of both are compiled before.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np

STUDENT = 2.145  # of 15 pairs


def measure() -> dict[str, float]:
    """Return the processor time of each answer."""
    import reluatlas as ra

    def net(*sizes: int) -> ra.Network:
        rng = np.random.default_rng(0)
        return ra.load(
            [(rng.normal(size=(m, n)) * np.sqrt(2 / n), 0.1 * rng.normal(size=m)) for n, m in pairwise(sizes)]
        )

    plane, solid, five, wide = net(2, 128, 128, 128, 1), net(3, 16, 16, 1), net(5, 12, 12, 1), net(20, 200, 200, 10)
    X, corners = (np.random.default_rng(seed).normal(size=(n, 20)) for seed, n in ((0, 2000), (1, 60)))
    asks = {
        f"{verb} {name}": lambda verb=verb, n=n: getattr(ra, verb)(n, ra.Box(-1, 1, dim=n.n_inputs), jobs=1)
        for name, n in (("2-128-128-128-1", plane), ("3-16-16-1", solid), ("5-12-12-1", five))
        for verb in ("count_cells", "enumerate_cells")
    } | {"affine_at": lambda: wide.affine_at(X, jobs=1), "trace": lambda: ra.trace(wide, corners, jobs=1)}
    found = {}
    for name, ask in asks.items():
        ask()
        times = []
        for _ in range(3):
            start = time.process_time()
            ask()
            times.append(time.process_time() - start)
        found[name] = min(times)
    return found


def main() -> None:
    """Run both in turn, and print the ratios."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("old", type=Path, nargs="?", help="folder `src` of the other source")
    parser.add_argument("new", type=Path, nargs="?", default=Path(__file__).resolve().parents[1] / "src")
    parser.add_argument("--pairs", type=int, default=15)
    asked = parser.parse_args()
    if asked.old is None:
        print(json.dumps(measure()))
        return

    def run(source: Path) -> dict[str, float]:
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        environment = os.environ | threads | {"PYTHONPATH": str(source.resolve())}
        done = subprocess.run([sys.executable, __file__], env=environment, capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    for source in (asked.old, asked.new):
        run(source)
    both = [(run(asked.old), run(asked.new)) for _ in range(asked.pairs)]
    for name in both[0][0]:
        logs = np.log([new[name] / old[name] for old, new in both])
        half = STUDENT * logs.std(ddof=1) / np.sqrt(logs.size)
        low, mean, high = np.exp([logs.mean() - half, logs.mean(), logs.mean() + half])
        print(f"{name:32} {mean:.3f} [{low:.3f}, {high:.3f}]{'  slower' if low > 1.03 else ''}")


if __name__ == "__main__":
    main()
