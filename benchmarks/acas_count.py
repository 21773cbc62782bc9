"""How many cells has an ACAS Xu network on [-0.5, 0.5]^5? An estimate with a standard error of a few percent.

    python benchmarks/acas_count.py --data-dir DATA [--seconds S] [--pilot N] [--part PART] [--out FILE.json]

DATA (or the environment variable RELUATLAS_DATA) holds `models/ACASXU_run2a_1_1_batch_2000.onnx`.

*Parts that add up.* The box is cut into GRID^5 sub-boxes. A cell is convex, so of the sub-boxes, walls, edges, ... of
the grid that it meets the alternating sum of the numbers, by codimension, is 1. A sub-box is given its count of cells,
less those of its low inner walls, plus those of the edges where two of these meet, and so on: 32 exact counts in zero
to five dimensions, whose sum over all sub-boxes is the number of cells of the box. On one box this is
checked (`--part law`).

*Importance.* Most cells are in few sub-boxes. For every sub-box it is known on how many units the corners differ: signs
at the GRID + 1 points a side, in float64, all of them. By a pilot's counts a size is fitted to that, and sub-boxes are
drawn with a probability in proportion to it; their total is known, so count over probability is unbiased, however bad
the fit is. The standard error is that of a mean of independent draws.

*The law* (`--part law`): on [-0.1, 0.1]^5, in sub-boxes of which all counts are known, a hundred such estimates; how
many of the intervals of 95 % hold the number of cells, which `count_cells` finds in one go.

PART is `estimate` or `law`; what FILE.json holds of the other one stays.
"""

from __future__ import annotations

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import argparse
import json
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations, product
from pathlib import Path
from typing import Any

import numpy as np
from _record import machine, write
from numpy.typing import NDArray

import reluatlas as ra

NAME = "ACASXU_run2a_1_1_batch_2000"
K, HALF, GRID = 5, 0.5, 20
BLOCK = 8
LAW_HALF, LAW_GRID = 0.1, 3
FLOOR = 0.02
"""Of the mean size, what every sub-box has at the least: none has a probability of almost nothing."""
POWER = 3.0
"""Of the number of units that differ, for a size that nothing was fitted to."""
Z95 = 1.96
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Grid:
    """Sub-boxes of [-half, half]^5."""

    def __init__(self, net: ra.Network, half: float, n: int) -> None:
        self.net, self.n = net, n
        self.edges = np.linspace(-half, half, n + 1)

    def counted(self, place: NDArray[np.int64]) -> tuple[int, int]:
        """Return what a sub-box contributes to the number of cells of all, and how many cells were counted for it."""
        low, high = self.edges[place], self.edges[place + 1]
        inner = [axis for axis in range(K) if place[axis] > 0]
        total = found = 0
        for size in range(len(inner) + 1):
            for fixed in combinations(inner, size):
                n = self._cells(low, high, fixed)
                total += (-1) ** size * n
                found += n
        return total, found

    def _cells(self, low: NDArray[np.float64], high: NDArray[np.float64], fixed: tuple[int, ...]) -> int:
        free = [axis for axis in range(K) if axis not in fixed]
        if not free:
            return 1
        if not fixed:
            domain: Any = ra.Box(low, high)
        else:
            origin = np.where(np.isin(np.arange(K), fixed), low, 0.0)
            domain = ra.Slice(origin, np.eye(K)[free], box=ra.Box(low[free], high[free]))
        count = ra.count_cells(self.net, domain, jobs=1)
        assert count.is_complete and count.exactness.status == "exact"
        return count.n_cells

    def differing(self) -> NDArray[np.int64]:
        """Return, for each sub-box and layer, on how many units its corners differ (n, ..., n, layers)."""
        return differing(self.net, [self.edges] * K)


def differing(net: ra.Network, edges: list[NDArray[np.float64]]) -> NDArray[np.int64]:
    """Return, for each box of a grid and each layer, on how many units its corners differ."""
    layers = [(node.operators[0].weight, node.bias) for node in net.nodes if hasattr(node, "operators")][:-1]
    signs: list[list[NDArray[np.uint8]]] = [[] for _ in layers]
    rest = np.stack([a.ravel() for a in np.meshgrid(*edges[1:], indexing="ij")])
    for edge in edges[0]:  # a slab of points at a time
        h = np.vstack([np.full((1, rest.shape[1]), edge), rest])
        for layer, (weight, bias) in enumerate(layers):
            z = weight @ h + np.asarray(bias)[:, None]
            signs[layer].append(np.packbits(z > 0, axis=0).T.reshape(*[len(e) for e in edges[1:]], -1))
            h = np.maximum(z, 0.0)
    out = []
    for slabs in signs:
        every = some = np.stack(slabs)
        for axis in range(K):
            low, high = [(slice(None),) * axis + (s,) for s in (slice(None, -1), slice(1, None))]
            every, some = every[low] & every[high], some[low] | some[high]
        out.append(np.bitwise_count(every ^ some).sum(axis=-1, dtype=np.int64))
    return np.stack(out, axis=-1)


def features(differ: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return what the size of a sub-box is fitted by: of each layer and of all together."""
    total = np.log1p(differ.sum(axis=-1))
    return np.column_stack([np.ones(len(total)), total, total**2, *np.log1p(differ).T])


class Sizes:
    """A size for each sub-box, fitted to counts of a pilot; places are drawn in proportion to it."""

    def __init__(self, differ: NDArray[np.int64]) -> None:
        self._differ = differ
        self._set(differ.sum(axis=-1).astype(np.float64) ** POWER)

    def fit(self, places: NDArray[np.int64], counts: NDArray[np.float64]) -> None:
        """Fit log count by least squares, a little ridge included."""
        X, y = features(self._differ[places]), np.log(np.maximum(counts, 1.0))
        ridge = 1e-3 * len(y) * np.eye(X.shape[1])
        beta = np.linalg.solve(X.T @ X + ridge, X.T @ y)
        spread = np.std(y - X @ beta)
        lowest, highest = y.min() - 2, y.max() + 1
        self._set(np.exp(np.clip(features(self._differ) @ beta, lowest, highest) + spread**2 / 2))

    def _set(self, sizes: NDArray[np.float64]) -> None:
        sizes = sizes + FLOOR * sizes.mean()
        self.probability = sizes / sizes.sum()

    def draw(self, rng: np.random.Generator, n: int) -> NDArray[np.int64]:
        """Return the numbers of sub-boxes, drawn independently."""
        return rng.choice(len(self.probability), size=n, p=self.probability)


def estimate(each: NDArray[np.float64]) -> tuple[float, float]:
    """Return the estimate of a total from counts over probabilities, and its standard error."""
    return float(each.mean()), float(each.std(ddof=1) / np.sqrt(len(each)))


class Draws:
    """Sub-boxes that are drawn and counted, one block after another."""

    def __init__(self, grid: Grid, sizes: Sizes) -> None:
        self._grid, self._sizes = grid, sizes
        self.n_counted = 0

    def each(self, rng: np.random.Generator, n: int, until: float) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return numbers of sub-boxes, and their counts.

        A block that was begun is ended, whatever it takes: so what is slow is not left out.
        """
        numbers: list[int] = []
        counts: list[float] = []
        with ThreadPoolExecutor(CORES) as threads:
            while len(numbers) < n and (not numbers or time.monotonic() < until):
                block = self._sizes.draw(rng, min(BLOCK, n - len(numbers)))
                places = np.stack(np.unravel_index(block, (self._grid.n,) * K), axis=1)
                for count, found in threads.map(self._grid.counted, places):
                    counts.append(count)
                    self.n_counted += found
                numbers += block.tolist()
        return np.array(numbers), np.array(counts, dtype=np.float64)


def estimated(net: ra.Network, seconds: float, n_pilot: int) -> dict[str, Any]:
    """Estimate the number of cells of [-0.5, 0.5]^5."""
    begin, cpu = time.monotonic(), time.process_time()
    rng = np.random.default_rng(0)
    grid = Grid(net, HALF, GRID)
    sizes = Sizes(grid.differing().reshape(GRID**K, -1))
    made = time.monotonic() - begin
    ready = time.monotonic()
    draws = Draws(grid, sizes)
    pilot, counts = draws.each(rng, n_pilot, ready + seconds / 3)
    rough = estimate(counts / sizes.probability[pilot])
    sizes.fit(pilot, counts)
    print(f"{len(pilot)} sub-boxes of the pilot: {rough[0]:.3g} +- {rough[1]:.2g}")
    start, draws.n_counted = time.monotonic(), 0
    numbers, counts = draws.each(rng, 10**6, ready + seconds)
    each = counts / sizes.probability[numbers]
    total, error = estimate(each)
    print(f"{len(each)} sub-boxes: {total:.4g} +- {error:.2g} ({100 * error / total:.1f} %)")
    return {
        "half": HALF, "grid": GRID, "n_pilot": len(pilot), "pilot": rough, "n_sub_boxes": len(each),
        "n_cells": total, "standard_error": error, "largest_share": float(each.max() / each.sum()),
        "cells_counted": draws.n_counted, "cells_per_second": draws.n_counted / (time.monotonic() - start),
        "signs_s": made, "seconds": time.monotonic() - begin, "processor_s": time.process_time() - cpu,
    }  # fmt: skip


def law(net: ra.Network) -> dict[str, Any]:
    """Estimate a number that is known, a hundred times; what intervals of 95 % hold of it."""
    grid = Grid(net, LAW_HALF, LAW_GRID)
    known = ra.count_cells(net, ra.Box(-LAW_HALF, LAW_HALF, dim=K))
    assert known.is_complete
    places = np.array(list(product(range(LAW_GRID), repeat=K)))
    with ThreadPoolExecutor(CORES) as threads:
        counts = np.array([n for n, _ in threads.map(grid.counted, places)], dtype=np.float64)
    assert counts.sum() == known.n_cells, "the parts must add up"
    differ = grid.differing().reshape(LAW_GRID**K, -1)
    held, errors = 0, []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        sizes = Sizes(differ)
        pilot = sizes.draw(rng, 60)
        sizes.fit(pilot, counts[pilot])
        drawn = sizes.draw(rng, 100)
        total, error = estimate(counts[drawn] / sizes.probability[drawn])
        held += abs(total - known.n_cells) <= Z95 * error
        errors.append(error / known.n_cells)
    print(f"[-{LAW_HALF}, {LAW_HALF}]^5: {known.n_cells:,} cells; {held} of 100 intervals of 95 % hold that")
    return {"half": LAW_HALF, "grid": LAW_GRID, "n_cells": known.n_cells, "held_of_100": held,
            "mean_relative_error": float(np.mean(errors))}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, default=Path(os.environ.get("RELUATLAS_DATA", "../shared/data")))
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--pilot", type=int, default=200)
    parser.add_argument("--part", choices=("estimate", "law"), default="estimate")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    net = ra.load(asked.data_dir / "models" / f"{NAME}.onnx")
    before = json.loads(asked.out.read_text(encoding="utf-8")) if asked.out is not None and asked.out.exists() else {}
    part = law(net) if asked.part == "law" else estimated(net, asked.seconds, asked.pilot)
    if asked.part == "law":
        assert 90 <= part["held_of_100"] <= 99
    if asked.out is not None:
        write(asked.out, {**before, "network": NAME, asked.part: {"machine": machine(), **part}})


if __name__ == "__main__":
    main()
