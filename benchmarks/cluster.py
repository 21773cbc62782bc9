"""How far does a count scale on a cluster? Measured here: overheads of Ray on two cores; simulated: up to 4,096 cores.

    python benchmarks/cluster.py [--pairs N] [--seconds S] [--core-hours H] [--out FILE.json] [--figure FILE.svg]

1. *Overhead*: N pairs of the same count, by two threads and by a local Ray cluster of two workers, in turn; its start
   is told apart. The answers must be equal.
2. *Items*: the tree of a run, item by item in one process: what share of an item's volume is left after a slice, in how
   many parts of which sizes, how many bytes it takes to send them, and how long the driver is busy with a portion.
3. *Simulated*: discrete events. A worker works on items until its slice is over; what is left of an item of so many
   seconds falls into parts as those that were measured; one driver takes portions and sends batches, each with its
   measured time, one after another; bytes go through one network card. Batches are those of
   `reluatlas.clusters.batches`. Nothing fails, all cores are as fast as one here, and starting is not counted.
"""

from __future__ import annotations

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import argparse
import heapq
import json
import pickle
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from _record import machine, write

import reluatlas as ra
from reluatlas.clusters.batches import LONG_S, Batch
from reluatlas.clusters.worker import Order, Worker
from reluatlas.subdivision.items import COUNT_BUDGET
from reluatlas.subdivision.program.lower import lower
from reluatlas.subdivision.runner.bench import Plan
from reluatlas.subdivision.runner.frontier import Frontier
from reluatlas.subdivision.runner.kinds import kind_of

SIZES, SIDE = (3, 96, 96, 96, 1), 3.0
CARD_BYTES_S = 1.25e9
"""Assumed: ten gigabits a second."""
CORES = [8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096]


def network() -> ra.Network:
    rng = np.random.default_rng(0)
    return ra.load([(rng.uniform(-1, 1, (m, n)) / n**0.5, rng.uniform(-1, 1, m) / n**0.5) for n, m in pairwise(SIZES)])


def overhead(pairs: int, max_seconds: float) -> dict[str, Any]:
    """Count with two threads and with two workers, in turn."""
    net, box = network(), ra.Box(-SIDE, SIDE, dim=3)
    begin = time.monotonic()
    with ra.cluster("local", workers=2) as machines:
        joined = time.monotonic() - begin
        first = ra.count_cells(net, ra.Box(-0.5, 0.5, dim=3), runner=machines)
        started = time.monotonic() - begin
        rows = []
        for _ in range(pairs):
            threads = ra.count_cells(net, box, jobs=2, max_seconds=max_seconds)
            there = ra.count_cells(net, box, runner=machines, max_seconds=max_seconds)
            if threads.is_complete and there.is_complete:
                assert threads.n_cells == there.n_cells
            rows.append([threads.n_cells / threads.seconds, there.n_cells / there.seconds])
            print(f"threads {rows[-1][0]:,.0f} cells/s, Ray {rows[-1][1]:,.0f} cells/s")
        ray_import = machines._ray
        call = _call_s(ray_import)
    ratio = [a / b for a, b in rows]
    return {"joined_s": joined, "started_s": started, "first_cells": first.n_cells, "cells_per_second": rows,
            "times_longer": float(np.median(ratio)), "call_s": call}  # fmt: skip


def _call_s(ray: Any) -> float:
    """Return what a call of a worker takes that does nothing."""
    echo = ray.remote(num_cpus=0)(lambda value: value)
    ray.get([echo.remote(0) for _ in range(20)])
    begin = time.monotonic()
    ray.get([echo.remote(0) for _ in range(300)])
    return (time.monotonic() - begin) / 300


def items(seconds: float) -> dict[str, Any]:
    """Work as a worker and a driver do, in this process, and measure what they exchange."""
    low = lower(network(), ra.Box(-SIDE, SIDE, dim=3))
    worker = Worker()
    worker.take(Plan(low, False, True, COUNT_BUDGET), 0, 1)
    frontier = Frontier(low, kind_of(low).root(low), collect=False, file=None)
    begin = time.monotonic()
    left_shares, parts, n_bytes, driver, per_volume = [], [], [], [], []
    while frontier.pending and time.monotonic() - begin < seconds:
        # anywhere in the tree, not only where a depth-first search is
        item: Any = frontier.pending.pop(int(np.random.default_rng(len(parts)).integers(len(frontier.pending))))
        heapq.heapify(frontier.pending)
        portion: Any = worker.do(Order([item], LONG_S / 8))
        sent = pickle.dumps(portion, protocol=5)
        n_bytes.append(len(sent))
        at = time.perf_counter()
        frontier.accept(pickle.loads(sent))
        frontier.settle(frontier.pending[0].id if frontier.pending else None)
        driver.append(time.perf_counter() - at)
        rest = [r.measure for r in portion.done[0].answer.rest]
        per_volume.append(portion.seconds / max(portion.volume, 1e-300))
        if rest:
            left_shares.append(sum(rest) / item.measure)
            parts.append((np.array(rest) / sum(rest)).tolist())
    return {
        "portions": len(n_bytes), "left_share": left_shares, "parts": parts[:200],
        "mean_parts": float(np.mean([len(p) for p in parts])) if parts else 0.0,
        "bytes_per_portion": float(np.mean(n_bytes)), "driver_s": float(np.median(driver)),
        "seconds_per_volume_spread": float(np.std(np.log(per_volume))),
    }  # fmt: skip


class Item:
    """An item of a simulated run, by how many seconds it takes."""

    __slots__ = ("id", "measure")

    def __init__(self, id: int, seconds: float) -> None:
        self.id, self.measure = id, seconds

    def __lt__(self, other: Item) -> bool:
        return self.id > other.id  # depth first: what came last


def simulated(n_cores: int, core_seconds: float, parts: list[list[float]], driver_s: float, n_bytes: float) -> dict:
    """Return how long a run takes on so many cores, and what they wait for."""
    rng = np.random.default_rng(n_cores)
    pending, n_items = [Item(0, core_seconds)], 1
    free, busy, clock, driver_at, card_at = n_cores * 2, 0.0, 0.0, 0.0, 0.0
    workers = [(0.0, i) for i in range(n_cores)]  # when each is free
    heapq.heapify(workers)
    coming: list[tuple[float, int, list[Item]]] = []
    n_calls, driver_busy, ramp = 0, 0.0, None
    while pending or coming:
        while pending and free:
            batch: Any = Batch(len(pending), n_cores)
            while pending and not batch.is_full:
                item = heapq.heappop(pending)
                batch.add(item, item.measure)
            begins = max(driver_at, clock)
            driver_at = begins + driver_s / 2
            driver_busy += driver_s / 2
            at, worker = heapq.heappop(workers)
            start = max(at, driver_at)
            left, time_left, worked = [], batch.seconds, 0.0
            for item in batch.items:
                does = min(item.measure, max(time_left, 0.0))
                worked, time_left = worked + does, time_left - does
                if item.measure > does:
                    # what is left of one item falls into parts; what nobody began comes back whole
                    sizes = parts[int(rng.integers(len(parts)))] if does else [1.0]
                    for size in sizes:
                        left.append(Item(n_items, (item.measure - does) * size))
                        n_items += 1
            heapq.heappush(workers, (start + worked, worker))
            heapq.heappush(coming, (start + worked, n_items, left))
            busy, free, n_calls = busy + worked, free - 1, n_calls + 1
        if not coming:
            break
        done, _, left = heapq.heappop(coming)
        card_at = max(card_at, done) + n_bytes / CARD_BYTES_S
        clock = max(card_at, driver_at) + driver_s / 2
        driver_at, driver_busy, free = clock, driver_busy + driver_s / 2, free + 1
        for item in left:
            heapq.heappush(pending, item)
        if ramp is None and len(pending) >= n_cores:
            ramp = clock
    took = max(clock, max(at for at, _ in workers))
    return {"cores": n_cores, "seconds": took, "efficiency": busy / (took * n_cores), "calls": n_calls,
            "driver_busy": driver_busy / took, "ramp_s": ramp,
            "card_busy": n_calls * n_bytes / CARD_BYTES_S / took}  # fmt: skip


def figure(rows: list[dict], path: Path) -> None:
    """Draw efficiency over cores, and how busy the driver is."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "reluatlas"
    from matplotlib import pyplot as plt

    fig, ax = plt.subplots(figsize=(6.4, 3.2), layout="constrained")
    cores = [row["cores"] for row in rows]
    ax.plot(cores, [100 * row["efficiency"] for row in rows], "o-", label="cores at work")
    ax.plot(cores, [100 * row["driver_busy"] for row in rows], "s--", label="driver at work")
    ax.set(xscale="log", xlabel="cores", ylabel="% of the time", ylim=(0, 105))
    ax.set_xticks(cores, [str(c) for c in cores])
    ax.minorticks_off()
    ax.legend(frameon=False)
    fig.savefig(path, metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=120.0, help="of each count, at the most")
    parser.add_argument("--core-hours", type=float, default=20.0, help="of the run that is simulated")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--figure", type=Path)
    asked = parser.parse_args()
    record: dict[str, Any] = {"machine": machine()}
    record["overhead"] = overhead(asked.pairs, asked.seconds) if asked.pairs else None
    found = items(min(asked.seconds, 30.0))
    call = record["overhead"]["call_s"] if record["overhead"] else 1e-3
    driver = found["driver_s"] + call
    rows = [simulated(n, asked.core_hours * 3600.0, found["parts"], driver, found["bytes_per_portion"]) for n in CORES]
    record["items"] = {name: value for name, value in found.items() if name not in ("parts", "left_share")}
    record["simulated"] = {"core_hours": asked.core_hours, "driver_s": driver, "slice_s": LONG_S, "rows": rows}
    for row in rows:
        print(json.dumps(row))
    if asked.figure is not None:
        figure(rows, asked.figure)
    if asked.out is not None:
        write(asked.out, record)


if __name__ == "__main__":
    main()
