"""How many cells has an ACAS Xu network on [-0.5, 0.5]^5? As far as ten minutes reach, and an estimate of the rest.

    python benchmarks/acas_box.py --data-dir DATA [--seconds S] [--checkpoint FILE] [--sub-boxes N] [--out FILE.json]

DATA (or the environment variable RELUATLAS_DATA) holds `models/ACASXU_run2a_1_1_batch_2000.onnx`.

1. Exact: all cells of [-0.05, 0.05]^5 and [-0.1, 0.1]^5, with one thread and with all cores.
2. As far as S seconds reach: `count_cells` on [-0.5, 0.5]^5 on all cores, in three processes that hand a checkpoint on:
   the first is stopped by its limit, the second by `kill -9`, the third goes on. Memory is read early and late in each.
   With --checkpoint a later call of this script goes on in the same file.
3. Extrapolated, marked as such: (a) cells over share of the volume, which is biased, as a depth-first search does one
   corner first; (b) from N sub-boxes of side 0.025, drawn uniformly from the 40^5 of a grid. A cell belongs to the
   sub-box that holds its lowest vertex in one fixed direction: a part of a cell has its lowest vertex off the walls
   between sub-boxes exactly when that is the whole cell's. So each cell counts once, the mean over sub-boxes times 40^5
   is unbiased, and its standard error is that of a mean. That the parts add up is checked on [-0.05, 0.05]^5 first.
"""

from __future__ import annotations

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from _record import machine, write

import reluatlas as ra
from reluatlas.answers.limits import Limits
from reluatlas.subdivision.program.lower import lower
from reluatlas.subdivision.runner.run import run

NAME = "ACASXU_run2a_1_1_batch_2000"
K, HALF, GRID = 5, 0.5, 40
PROTOTYPE = {0.05: 14_941, 0.1: 689_202}
"""Cells of [-r, r]^5 that another program found, without certainty."""
DIRECTION = np.random.default_rng(0).normal(size=K)
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def exactly(net: ra.Network, half: float) -> dict[str, Any]:
    """Count all cells of [-half, half]^5."""
    box = ra.Box(-half, half, dim=K)
    one, all_cores = (ra.count_cells(net, box, jobs=jobs) for jobs in (1, CORES))
    for count in (one, all_cores):
        assert count.is_complete and count.exactness.status == "exact" and count.exactness.n_uncertain == 0
        assert abs(count.volume_done / box.volume - 1) < 1e-9
    assert one.n_cells == all_cores.n_cells
    print(f"[-{half}, {half}]^5: {one}, {one.n_cells / one.seconds:,.0f} cells/s on one thread")
    return {
        "half": half,
        "n_cells": one.n_cells,
        "prototype": PROTOTYPE[half],
        "n_escalated": one.exactness.n_escalated,
        "one_thread_per_second": one.n_cells / one.seconds,
        "all_cores_per_second": all_cores.n_cells / all_cores.seconds,
    }


def peak_mb(process: int | str = "self") -> float:
    """Return the peak memory of a process that runs; elsewhere than on Linux, of this one or of those that ended."""
    try:
        lines = Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) / 2**10 for line in lines if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        peak = resource.getrusage(resource.RUSAGE_SELF if process == "self" else resource.RUSAGE_CHILDREN).ru_maxrss
        return peak / (2**20 if sys.platform == "darwin" else 2**10)


def one_part(model: Path, file: str, seconds: float) -> None:
    """Go on for some seconds, and print how it went, early and at the end."""
    net, box = ra.load(model), ra.Box(-HALF, HALF, dim=K)
    start, begun_with, early = time.monotonic(), -1, 0.0

    def tell(n_cells: int, share: float) -> None:
        nonlocal begun_with, early
        if begun_with < 0:
            begun_with = n_cells
        if not early and time.monotonic() - start > seconds / 10:
            early = peak_mb()
            print(json.dumps({"n_cells_before": begun_with, "early_mb": early}), flush=True)

    count = ra.count_cells(net, box, max_seconds=seconds, jobs=CORES, checkpoint=file, progress=tell)
    assert count.exactness.status == "exact" and count.exactness.n_uncertain == 0
    print(
        json.dumps({
            "n_cells_before": begun_with, "early_mb": early, "n_cells": count.n_cells, "seconds": count.seconds,
            "share": count.volume_done / box.volume, "n_escalated": count.exactness.n_escalated,
            "stopped_by": count.stopped_by, "peak_mb": peak_mb(),
        })
    )  # fmt: skip


def part(model: Path, file: Path, seconds: float, *, kill: bool) -> dict[str, Any]:
    """Run a part in a process of its own; with `kill`, end it after the time with no chance to tidy up."""
    limit = seconds + 3600 if kill else seconds
    command = [sys.executable, __file__, "--part", str(model), str(file), str(limit)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            out, _ = process.communicate(timeout=seconds if kill else None)
        except subprocess.TimeoutExpired:
            late = peak_mb(process.pid)
            process.kill()
            out, _ = process.communicate()
            return {"ended_by": "kill -9", "peak_mb": late}
    assert process.returncode == 0
    last = json.loads(out.splitlines()[-1])
    return {"ended_by": last["stopped_by"] or "nothing left to do"} | last


def as_far_as(model: Path, seconds: float, checkpoint: Path | None) -> dict[str, Any]:
    """Count the whole box in three parts."""
    with tempfile.TemporaryDirectory() as folder:
        file = checkpoint or Path(folder) / "run.sqlite"
        parts = []
        for number, kill in enumerate((False, True, False)):
            print(f"part {number + 1} of 3, {seconds / 3:.0f} s", flush=True)
            parts.append(part(model, file, seconds / 3, kill=kill))
        size = file.stat().st_size / 2**20
    first, last = parts[0], parts[-1]
    assert first["n_cells"] < last["n_cells_before"] < last["n_cells"], "a part did not go on from the one before"
    if last["ended_by"] == "nothing left to do":
        assert abs(last["share"] - 1) < 1e-9
    per_second = last["n_cells"] / last["seconds"]
    print(f"[-{HALF}, {HALF}]^5: {last['n_cells']:,} cells so far, {100 * last['share']:.3g} %, {per_second:,.0f}/s")
    return {
        "half": HALF,
        "n_cells": last["n_cells"],
        "is_complete": last["ended_by"] == "nothing left to do",
        "share_of_volume": last["share"],
        "seconds": last["seconds"],
        "cells_per_second": per_second,
        "n_escalated": last["n_escalated"],
        "checkpoint_mb": size,
        "parts": parts,
    }


def n_own(net: ra.Network, low: np.ndarray, high: np.ndarray, whole: float) -> int:
    """Return how many cells of [-whole, whole]^5 have their lowest vertex in one of its sub-boxes."""
    outcome = run(lower(net, ra.Box(low, high)), Limits(jobs=1), collect=True)
    # the sides of the sub-box that are walls: not those of the whole box
    is_wall = np.stack([low > -whole, high < whole], axis=1).ravel()
    own = 0
    for cells in (f.cells for f in outcome.found if f.n_cells):
        first = np.concatenate([[0], np.cumsum(cells.n_vertices)[:-1]])
        facet = np.concatenate([[0], np.cumsum(cells.n_facets)[:-1]])
        height = cells.x[:, :K] @ DIRECTION
        lowest = np.minimum.reduceat(height, first)
        at = np.flatnonzero(height == np.repeat(lowest, cells.n_vertices))
        cell, where = np.unique(np.repeat(np.arange(first.size), cells.n_vertices)[at], return_index=True)
        assert cell.size == first.size
        on_wall = np.zeros(first.size, dtype=bool)
        for bit in range(int(cells.n_facets.max())):
            there = bit < cells.n_facets
            line = cells.line[np.where(there, facet + bit, 0)]
            holds = (cells.mask[at[where], bit // 64] >> np.uint64(bit % 64) & np.uint64(1)) == 1
            side = np.where(line < 0, -line - 1, 0)
            on_wall |= there & holds & (line < 0) & is_wall[np.minimum(side, 2 * K - 1)]
        own += int((~on_wall).sum())
    return own


def grid(half: float, n: int, places: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return sub-boxes of the grid that parts [-half, half]^5 into n^5."""
    edges = np.linspace(-half, half, n + 1)
    return [(edges[place], edges[place + 1]) for place in places]


def sampled(net: ra.Network, n_boxes: int) -> dict[str, Any]:
    """Estimate the cells of the whole box from sub-boxes."""
    small = 0.05
    corners = np.array(list(product((0, 1), repeat=K)))
    with ThreadPoolExecutor(CORES) as threads:
        total = sum(threads.map(lambda b: n_own(net, *b, small), grid(small, 2, corners)))
        exact = ra.count_cells(net, ra.Box(-small, small, dim=K)).n_cells
        assert total == exact, f"the cells of 32 sub-boxes are {total}, those of their union {exact}"
        places = np.random.default_rng(1).integers(0, GRID, (n_boxes, K))
        start, numbers = time.monotonic(), []
        for number in threads.map(lambda b: n_own(net, *b, HALF), grid(HALF, GRID, places)):
            numbers.append(number)
            if len(numbers) % max(1, n_boxes // 10) == 0:
                print(f"{len(numbers):,} of {n_boxes:,} sub-boxes", flush=True)
    found = np.array(numbers, dtype=np.float64)
    error = float(found.std(ddof=1) / np.sqrt(found.size))
    print(f"estimate from sub-boxes: {GRID**K * found.mean():.4g} +- {GRID**K * error:.2g}")
    return {
        "is_extrapolation": True,
        "how": "mean over uniformly drawn sub-boxes of a grid, each counted exactly, times their number; a cell counts "
        "where its lowest vertex in a fixed direction lies; one standard error",
        "n_sub_boxes": n_boxes,
        "grid": GRID,
        "n_cells": GRID**K * float(found.mean()),
        "standard_error": GRID**K * error,
        "cells_of_a_sub_box": {
            "mean": float(found.mean()),
            "quartiles": np.quantile(found, (0, 0.25, 0.5, 0.75, 1)).tolist(),
        },
        "seconds": time.monotonic() - start,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, default=os.environ.get("RELUATLAS_DATA"), help="or RELUATLAS_DATA")
    parser.add_argument("--seconds", type=float, default=600.0, help="for the whole box")
    parser.add_argument("--checkpoint", type=Path, help="file to go on from, and to keep; else a temporary one")
    parser.add_argument("--sub-boxes", type=int, default=1000, metavar="N", help="of the sample, at least 2")
    parser.add_argument("--out", type=Path, help="write the record as JSON")
    parser.add_argument("--part", nargs=3, metavar=("MODEL", "FILE", "SECONDS"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.part:
        model, file, seconds = arguments.part
        one_part(Path(model), file, float(seconds))
        return
    if arguments.data_dir is None or not (Path(arguments.data_dir) / "models").is_dir():
        parser.error("no folder with `models/`; pass --data-dir or set RELUATLAS_DATA")
    model = Path(arguments.data_dir) / "models" / f"{NAME}.onnx"
    net = ra.load(model)
    ra.count_cells(net, ra.Box(-0.01, 0.01, dim=K), jobs=1)
    record: dict[str, Any] = {**machine(), "model": NAME, "jobs": CORES}
    record["exact"] = [exactly(net, half) for half in PROTOTYPE]
    record["whole_box"] = as_far_as(model, arguments.seconds, arguments.checkpoint)
    if not record["whole_box"]["is_complete"]:
        found = record["whole_box"]
        record["extrapolations"] = {
            "by_share": {
                "is_extrapolation": True,
                "how": "cells over share of the volume; biased: a depth-first search does one corner first",
                "n_cells": found["n_cells"] / found["share_of_volume"],
            },
            "by_sub_boxes": sampled(net, arguments.sub_boxes),
        }
    record["load"] = os.getloadavg()[0]
    if arguments.out:
        write(arguments.out, record)


if __name__ == "__main__":
    main()
