"""The live atlas: from a request to its first cells and to all of them, and memory after many moves.

    python benchmarks/live.py [DATA] [--moves N] [--quick] [--out FILE.json]

DATA (or the environment variable RELUATLAS_DATA) holds `models/*.onnx` and `mnist/t10k-images-idx3-ubyte.gz`. Windows
of the plane through three MNIST test images (of networks on CIFAR images: three images of noise), at random places and
depths, each as the server packs it; of those with at most so many cells the medians are told. The first ten are
checked: the packed patterns equal those of `enumerate_cells`.
"""

from __future__ import annotations

import argparse
import gzip
import os
import statistics
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import reluatlas as ra
from benchmarks._record import machine, write
from reluatlas.live.messages import WindowRequest
from reluatlas.live.windows import Windows
from tests.unit.atlas.read_page import patterns
from tests.unit.live.test_server import read

MODELS = {"mnist-net_256x4": 10_000, "cifar_base_kw": 3_000, "resnet_2b": 3_000}
CHECKED = 10


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("data", nargs="?", default=os.environ.get("RELUATLAS_DATA"))
    options.add_argument("--moves", type=int, default=1000)
    options.add_argument("--quick", action="store_true", help="the first network, 20 moves")
    options.add_argument("--out", type=Path)
    asked = options.parse_args()
    if not asked.data:
        print("pass DATA, or set RELUATLAS_DATA", file=sys.stderr)
        return 2
    rows = []
    for name, most in list(MODELS.items())[: 1 if asked.quick else None]:
        net = ra.load(Path(asked.data) / "models" / f"{name}.onnx")
        moves = 20 if asked.quick else asked.moves if name.startswith("mnist") else max(20, asked.moves // 20)
        rows.append({"model": name, "most_cells": most, **measured(net, plane(net, Path(asked.data)), most, moves)})
        print(rows[-1])
    if asked.out:
        write(asked.out, {**machine(), "rows": rows})
    return 0


def plane(net: ra.Network, data: Path) -> ra.Slice:
    if net.n_inputs != 784:
        return ra.Slice.through(np.random.default_rng(0).random((3, *net.input_shape)))
    raw = gzip.decompress((data / "mnist" / "t10k-images-idx3-ubyte.gz").read_bytes())
    images = np.frombuffer(raw, np.uint8, offset=16).reshape(-1, 784) / 255.0
    return ra.Slice.through(images[:3].reshape(3, *net.input_shape))


def measured(net: ra.Network, domain: ra.Slice, most: int, moves: int) -> dict[str, Any]:
    """Return the medians over random windows, and the memory after a tenth of them and after all."""
    rng, windows, box = np.random.default_rng(1), Windows(net, domain), domain.box
    first, whole, resident, n_counted = [], [], [], 0
    for k in range(moves):
        half = (box.high - box.low) / 2 * 2.0 ** -rng.uniform(1 if net.n_inputs == 784 else 3, 20)
        middle = rng.uniform(box.low, box.high)
        window = (*np.maximum(middle - half, box.low).tolist(), *np.minimum(middle + half, box.high).tolist())
        begin, times, last = time.perf_counter(), [], b""
        for last, _, _ in windows.answers(WindowRequest(k, window), threading.Event()):
            if last:  # else nothing is sent
                times.append(time.perf_counter() - begin)
        _, told, arrays = read(bytes(8) + last)
        if k < CHECKED:
            part = ra.Slice(domain.origin, domain.basis, box=ra.Box(window[:2], window[2:]))
            assert np.array_equal(patterns(arrays), ra.enumerate_cells(net, part).patterns)
        if told["n_cells"] <= most and k:  # the first loads the kernels
            first.append(times[0])
            whole.append(times[-1])
            n_counted += told["n_cells"]
        if k + 1 in (max(1, moves // 10), moves):
            resident.append(_resident_mb())
    return {
        "moves": moves, "windows": len(whole), "cells": n_counted / len(whole),
        "first_ms": 1e3 * statistics.median(first),
        "complete_ms": 1e3 * statistics.median(whole),
        "slowest_ms": 1e3 * max(whole), "memory_mb": resident,
    }  # fmt: skip


def _resident_mb() -> float:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    raise SystemExit(main())
