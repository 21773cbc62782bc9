"""What fits? Exact plane slices of trained networks from files, with cells, seconds, memory and escalated signs.

    python benchmarks/real_models.py --data-dir DATA [--models NAME ...] [--max-seconds S] [--out FILE.json]

DATA (or the environment variable RELUATLAS_DATA) holds `models/*.onnx` and `mnist/t10k-images-idx3-ubyte.gz`. ACAS Xu
networks are opened on the plane through three points of their input box, drawn with seed 0; networks of 28 x 28 images
on the plane through MNIST's test images 0, 1 and 2, pixels divided by 255; networks of 3 x 32 x 32 images on the plane
through three images of uniform noise, seed 0 (no CIFAR image is at hand). Planes reach 20 % beyond their points; where
that is too much, there is a close-up, too.

Each model has a process of its own, one thread, kernels compiled before. Seconds are the best of five runs (of one,
where it takes more than 5 s) of `count_cells`, and of `enumerate_cells` with the dual graph; memory is the peak of the
whole process after each. A complete answer is checked before it is written: both agree on the cells, areas sum to the
domain's, V - E + F = 1, every inner facet has its reciprocal, and the map of each cell equals the network at the middle
of the cell. Planes whose patterns take more than 4 GiB are counted only; their areas are checked.
"""

from __future__ import annotations

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import argparse
import gzip
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from _record import machine, write

import reluatlas as ra
from reluatlas.complexes.count import CellCount

MODELS = (
    "ACASXU_run2a_1_1_batch_2000",
    "ACASXU_run2a_2_7_batch_2000",
    "mnist-net_256x2",
    "mnist-net_256x4",
    "Convnet_maxpool",
    "cifar_base_kw",
    "resnet_2b",
)
CLOSE_UPS = {"Convnet_maxpool": (0.001,), "resnet_2b": (0.05,)}
"""Models opened on a part of their plane, too: these shares of its sides, around the first point."""
LONG_S = 5.0
PATTERN_BYTES = 4 << 30
"""Cells are not enumerated where their patterns alone take more."""
ACAS_LOW = (-0.3035311561, -0.5, -0.5, -0.5, -0.5)
ACAS_HIGH = (0.6798577687, 0.5, 0.5, 0.5, 0.5)
"""The input box of ACAS Xu after its normalization."""


def points_of(net: ra.Network, data: Path) -> tuple[np.ndarray, str]:
    """Return three inputs of a network, and what they are."""
    rng = np.random.default_rng(0)
    if net.n_inputs == 5:
        return rng.uniform(ACAS_LOW, ACAS_HIGH, (3, 5)), "three points of the input box"
    if net.n_inputs == 784:
        raw = gzip.decompress((data / "mnist" / "t10k-images-idx3-ubyte.gz").read_bytes())
        return np.frombuffer(raw, np.uint8, 3 * 784, 16).reshape(3, 784) / 255, "MNIST test images 0, 1, 2"
    return rng.uniform(0, 1, (3, net.n_inputs)), "three images of noise"


def peak_mb() -> float:
    """Return the peak memory of this process."""
    status = Path("/proc/self/status")
    if status.exists():
        # not that of getrusage, which starts with the peak of the process that started this one
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return round(int(line.split()[1]) / 2**10, 1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (2**20 if sys.platform == "darwin" else 2**10), 1)


def again(task: Callable[[], object], first: float) -> float:
    """Return the best time of five runs, of which the first is over; that one alone where it took long."""
    times = [first]
    while first <= LONG_S and len(times) < 5:
        start = time.perf_counter()
        task()
        times.append(time.perf_counter() - start)
    return min(times)


def check(net: ra.Network, cx: ra.PolyhedralComplex, n_counted: int) -> float:
    """Check a complete complex; return the largest relative difference of a map from the network."""
    assert cx.n_cells == n_counted and cx.exactness.status == "exact" and cx.exactness.n_uncertain == 0
    assert abs(cx.volumes.sum() / cx.domain.volume - 1) < 1e-9 and cx.euler_characteristic == 1
    inner = np.flatnonzero(cx.facets.neighbor >= 0)
    assert (cx.facets.twin[cx.facets.twin[inner]] == inner).all()
    offsets, worst = cx.vertices.offsets, 0.0
    middle = np.add.reduceat(cx.vertices.points, offsets[:-1], axis=0) / np.diff(offsets)[:, None]
    for start in range(0, cx.n_cells, 256):
        u = middle[start : start + 256]
        A, b = cx.affine.A[start : start + 256], cx.affine.b[start : start + 256]
        truth = net(cx.domain.embed(u).reshape(-1, *net.input_shape)).reshape(len(u), -1)
        size = np.einsum("imk,ik->im", np.abs(A), np.abs(u)) + np.abs(b) + np.abs(truth).max(axis=1, keepdims=True)
        worst = max(worst, float((np.abs(np.einsum("imk,ik->im", A, u) + b - truth) / size).max()))
    assert worst < 1e-10
    return worst


def plane_of(points: np.ndarray, share: float) -> ra.Slice:
    """Return the plane through three points, or a part of it around the first."""
    whole = ra.Slice.through(points)
    if share == 1.0:
        return whole
    reach = share * (whole.box.high - whole.box.low) / 2
    return ra.Slice(*whole.frame(), box=ra.Box(-reach, reach))


def warm_up() -> None:
    """Compile and load the kernels, on a network with equal units."""
    net = ra.load([(np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]), np.zeros(3)), (np.ones((1, 3)), np.zeros(1))])
    cx = ra.enumerate_cells(net, ra.Box(-1, 1, dim=2), jobs=1)
    assert cx.n_cells == 4 and cx.euler_characteristic == 1 and cx.n_linear_regions == 4


def measure(name: str, share: float, data: Path, max_seconds: float) -> dict[str, Any]:
    """Open one model and return its row of the record."""
    warm_up()
    start = time.perf_counter()
    net = ra.load(data / "models" / f"{name}.onnx")
    load_s = time.perf_counter() - start
    points, what = points_of(net, data)
    plane = plane_of(points, share)
    ra.count_cells(net, plane, jobs=1, max_cells=1)
    before = peak_mb()

    def count_all() -> CellCount:
        return ra.count_cells(net, plane, jobs=1, max_seconds=max_seconds)

    count = count_all()
    row: dict[str, Any] = {
        "model": name,
        "n_inputs": net.n_inputs,
        "n_neurons": net.n_neurons,
        "n_windows": net.n_windows,
        "through": what,
        "share_of_sides": share,
        "side_lengths": (plane.box.high - plane.box.low).tolist(),
        "load_s": load_s,
        "n_cells": count.n_cells,
        "is_complete": count.is_complete,
        "status": count.exactness.status,
        "share_done": min(1.0, count.volume_done / plane.volume),
        "count_s": count.seconds if not count.is_complete else again(count_all, count.seconds),
        "n_escalated": count.exactness.n_escalated,
        "share_escalated": count.exactness.share_escalated,
        "loaded_mb": before,
        "count_mb": peak_mb(),
    }
    if count.is_complete:
        assert abs(count.volume_done / plane.volume - 1) < 1e-9
    if count.is_complete and count.n_cells * (net.n_neurons + net.n_windows) <= PATTERN_BYTES:

        def enumerate_all() -> ra.PolyhedralComplex:
            found = ra.enumerate_cells(net, plane, jobs=1)
            found.dual_graph()
            return found

        start = time.perf_counter()
        cx = enumerate_all()
        first = time.perf_counter() - start
        row["enumerate_mb"] = peak_mb()
        row["enumerate_s"] = again(enumerate_all, first)
        row["largest_difference"] = check(net, cx, count.n_cells)
        start = time.perf_counter()
        row["n_linear_regions"], row["n_affine_maps"] = cx.n_linear_regions, cx.n_affine_maps
        row["regions_s"] = time.perf_counter() - start
    return row


def shown(row: dict[str, Any]) -> str:
    """Return a row of the record as a line of a Markdown table."""
    units = f"{row['n_neurons']:,}" + (f" + {row['n_windows']:,} windows" if row["n_windows"] else "")
    so_far = "" if row["is_complete"] else f" so far, {100 * row['share_done']:.2g} % of the area"
    cells = f"{row['n_cells']:,}{so_far}"
    enumerated = (f"{row['enumerate_s']:.2f}", f"{row['enumerate_mb']:,.0f} MB") if "enumerate_s" in row else ("", "")
    parts = [
        f"`{row['model']}`" + (f", {row['share_of_sides']:g} of the sides" if row["share_of_sides"] != 1 else ""),
        f"{row['n_inputs']:,}", units, cells, f"{row['count_s']:.2f}", enumerated[0],
        f"{row['count_mb']:,.0f} MB", enumerated[1], f"{row['n_escalated']:,}",
    ]  # fmt: skip
    return "| " + " | ".join(parts) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, default=os.environ.get("RELUATLAS_DATA"), help="or RELUATLAS_DATA")
    parser.add_argument("--models", nargs="+", default=MODELS, metavar="NAME")
    parser.add_argument("--max-seconds", type=float, default=120.0, help="for the count; beyond it, no enumeration")
    parser.add_argument("--out", type=Path, help="write the record as JSON")
    parser.add_argument("--one", nargs=2, metavar=("NAME", "SHARE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.data_dir is None or not (Path(arguments.data_dir) / "models").is_dir():
        parser.error("no folder with `models/`; pass --data-dir or set RELUATLAS_DATA")
    if arguments.one:
        name, share = arguments.one
        print(json.dumps(measure(name, float(share), Path(arguments.data_dir), arguments.max_seconds)))
        return
    print("| model | inputs | neurons | cells | count, s | enumerate, s | memory, count | memory, enumerate | signs |")
    print("|---|---|---|---|---|---|---|---|---|")
    rows = []
    warm_up()
    cases = [(name, share) for name in arguments.models for share in (1.0, *CLOSE_UPS.get(name, ()))]
    for name, share in cases:
        command = [sys.executable, __file__, "--one", name, str(share), "--data-dir", str(arguments.data_dir)]
        command += ["--max-seconds", str(arguments.max_seconds)]
        rows.append(json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout))
        print(shown(rows[-1]), flush=True)
    if arguments.out:
        write(arguments.out, {"question": "real_models", "jobs": 1, **machine(), "rows": rows})


if __name__ == "__main__":
    main()
