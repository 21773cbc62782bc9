"""Compares the affine maps of MNIST images, all ten classes: one backward pass at a time against reluatlas.

    python benchmarks/affine_maps.py [--quick] [--out FILE.json]

The other way is the paper's: for each image and each class one forward and one backward pass of torch, in float32. It
is measured on a part of the images, with one thread and with all cores, and the faster of the two counts. Both ways
take turns, so that whatever else the machine does slows both; ratios are of medians over the turns. Where other
programs run, too, the ratio of processor times is the one that they disturb less. Maps are compared before anything is
timed. Needs torch and MNIST (RELUATLAS_DATA, or ../shared/data).
"""

from __future__ import annotations

import argparse
import gzip
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _record import machine, write
from torch import nn

import reluatlas as ra
from reluatlas.network.batches import available_cores

FLOORS = {"conv": 20.0, "dense": 90.0, "factored": 1000.0}


def images(n: int) -> np.ndarray:
    """Return the first test images of MNIST, normalized as in the paper."""
    named = os.environ.get("RELUATLAS_DATA")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / "data"
    raw = gzip.decompress((folder / "mnist" / "t10k-images-idx3-ubyte.gz").read_bytes())
    pixels = np.frombuffer(raw, np.uint8, offset=16).reshape(-1, 1, 28, 28)[:n]
    return ((pixels / 255.0 - 0.1307) / 0.3081).astype(np.float32)


def conv() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 10, 5), nn.MaxPool2d(2), nn.ReLU(), nn.Conv2d(10, 20, 5), nn.Dropout2d(), nn.MaxPool2d(2),
        nn.ReLU(), nn.Flatten(), nn.Linear(320, 50), nn.ReLU(), nn.Dropout(), nn.Linear(50, 10),
    ).eval()  # fmt: skip


def dense() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), nn.Dropout(), nn.Linear(128, 10)).eval()


def one_at_a_time(module: nn.Module, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return A and b as the paper computes them."""
    A, b = np.empty((len(X), 10, *X.shape[1:]), np.float32), np.empty((len(X), 10), np.float32)
    for i, x in enumerate(X):
        for c in range(10):
            point = torch.from_numpy(x[None]).requires_grad_()
            value = module(point)[0, c]
            value.backward()
            A[i, c] = point.grad[0].numpy()
            b[i, c] = value.item() - float((point.grad * point).detach().sum())
    return A, b


def timed(function: Callable[[], Any], n: int) -> tuple[float, float]:
    """Return seconds, and seconds of all processors, for each of `n` images."""
    start, start_cpu = time.perf_counter(), time.process_time()
    function()
    return (time.perf_counter() - start) / n, (time.process_time() - start_cpu) / n


def measure(
    module: nn.Module, ours: dict[str, tuple[Callable, int]], X: np.ndarray, part: int, turns: int, path: Path
) -> dict[str, tuple[float, float]]:
    """Return milliseconds and processor milliseconds per image, of the paper's way by threads and of ours by name."""
    spent: dict[str, list[tuple[float, float]]] = {}
    all_cores = available_cores()
    for _ in range(turns):
        for threads, k in {all_cores: max(2, part // 10), 1: part}.items():
            torch.set_num_threads(threads)
            one_at_a_time(module, X[:1])
            spent.setdefault(f"one at a time, {threads} thread(s)", []).append(
                timed(lambda k=k: one_at_a_time(module, X[:k]), k)
            )
        torch.set_num_threads(all_cores)
        for name, (function, n) in ours.items():
            path.unlink(missing_ok=True)  # to write a file is measured, to remove the last one is not
            spent.setdefault(name, []).append(timed(lambda f=function, k=n: f(X[:k]), n))
    return {
        name: tuple(round(1e3 * statistics.median(times), 5) for times in zip(*pairs, strict=True))
        for name, pairs in spent.items()
    }


def check(net: ra.Network, module: nn.Module, X: np.ndarray) -> None:
    A, b = one_at_a_time(module, X)
    maps = net.affine_at(X, ties="torch", dtype=np.float32)
    np.testing.assert_allclose(maps.A, A, rtol=1e-3, atol=1e-5 * np.abs(A).max())
    np.testing.assert_allclose(maps.b, b, rtol=1e-3, atol=1e-5 * max(1.0, np.abs(b).max()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer images and turns")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    n, part, turns = (1_000, 5, 1) if arguments.quick else (10_000, 20, 3)
    X = images(n)
    modules = {"conv": conv(), "dense": dense()}
    nets = {name: ra.load(module, input_shape=(1, 28, 28)) for name, module in modules.items()}
    for name, net in nets.items():
        check(net, modules[name], X[:5])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "maps.npy"
        few = n // 5
        ways: dict[str, dict[str, tuple[Callable, int]]] = {
            "conv": {
                "conv": (lambda x: nets["conv"].affine_at(x, ties="torch", dtype=np.float32), few),
                "conv, float64": (lambda x: nets["conv"].affine_at(x, ties="torch"), few),
                "conv, cells": (lambda x: nets["conv"].affine_at(x, dtype=np.float32), few),
            },
            "dense": {
                "dense": (lambda x: nets["dense"].affine_at(x, ties="torch", dtype=np.float32, out=path), few),
                "dense, float64": (lambda x: nets["dense"].affine_at(x, ties="torch", out=path), few),
                "factored": (lambda x: nets["dense"].factored_affine_at(x), n),
            },
        }
        for kind in ways:  # kernels are compiled, files are warm
            for function, _ in ways[kind].values():
                function(X[:300])
        rows = []
        for kind, module in modules.items():
            spent = measure(module, ways[kind], X, part, turns, path)
            base = [min(pair[i] for name, pair in spent.items() if name.startswith("one")) for i in (0, 1)]
            ratios = {
                name: [round(b / t, 1) for b, t in zip(base, pair, strict=True)]
                for name, pair in spent.items()
                if not name.startswith("one")
            }
            rows.append(
                {"network": kind, "wall and processor ms per image": spent, "ratios of wall and processor time": ratios}
            )
            for name, (wall, cpu) in spent.items():
                line = f"{kind:6s} {name:28s} {wall:10.4f} ms/image, {cpu:10.4f} of processors"
                if name in ratios:
                    floor = f" (floor {FLOORS[name]:g})" if name in FLOORS else ""
                    line += f"  {ratios[name][0]:8.1f} x{floor}, {ratios[name][1]:8.1f} x in processor time"
                print(line)
    if arguments.out:
        about = {**machine(), "torch": torch.__version__, "images": n, "part": part, "load": os.getloadavg()[0]}
        write(arguments.out, {**about, "rows": rows})


if __name__ == "__main__":
    main()
