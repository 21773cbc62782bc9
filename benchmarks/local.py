"""What does a small window of a plane cost where most units of the network cannot change? Counted, and enumerated.

    python benchmarks/local.py [--data-dir FOLDER] [--only NAME ...] [--repeat 3] [--whole] [--out RECORD.json]

Planes through three inputs (random ones in [0, 1]; of an MNIST network the test images 0, 1, 2), margin 0.2, and on
them windows of a share of each side around the middle. For each window: the cells, the units that can change there by
certain bounds, and the time to count and to enumerate, in forward passes of one point per cell (our own in float64, in
batches of the best size). With --whole also with local networks switched off, which must find the same cells. One
process, one thread; the best of a few runs, each of CPU time.

The residual network of four blocks is made here, with torch's first weights.
"""

from __future__ import annotations

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import argparse
import gzip
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from _record import machine, write

import reluatlas as ra
from reluatlas.subdivision.local import localize

WINDOWS = {
    "cifar_base_kw": 0.3,
    "resnet_2b": 0.05,
    "four blocks": 0.03,
    "Convnet_maxpool": 0.03,
}
TARGETS = {
    "cifar_base_kw": (0.25, 0.45),
    "resnet_2b": (0.15, 0.35),
    "four blocks": (0.3, None),
    "Convnet_maxpool": (None, None),
}
BATCHES = (16, 64, 256, 1024)


def four_blocks() -> ra.Network:
    """Return a residual network of 14,436 units with torch's first weights."""
    import torch

    torch.manual_seed(0)
    nn = torch.nn

    class Block(nn.Module):
        def __init__(self, n_in: int, n_out: int, stride: int) -> None:
            super().__init__()
            self.first = nn.Conv2d(n_in, n_out, 3, stride=stride, padding=1)
            self.second = nn.Conv2d(n_out, n_out, 3, padding=1)
            self.past = nn.Conv2d(n_in, n_out, 1, stride=stride) if stride > 1 or n_in != n_out else nn.Identity()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.relu(self.second(torch.relu(self.first(x))) + self.past(x))

    module = nn.Sequential(
        nn.Conv2d(3, 16, 3, stride=2, padding=1), nn.ReLU(), Block(16, 32, 2), Block(32, 32, 1), Block(32, 32, 2),
        Block(32, 32, 1), nn.Flatten(), nn.Linear(512, 100), nn.ReLU(), nn.Linear(100, 10),
    )  # fmt: skip
    return ra.load(module.eval(), input_shape=(3, 32, 32))


def network(name: str, folder: Path) -> ra.Network:
    return four_blocks() if name == "four blocks" else ra.load(folder / "models" / f"{name}.onnx")


def window(name: str, net: ra.Network, folder: Path, share: float) -> ra.Slice:
    if name == "Convnet_maxpool":
        with gzip.open(folder / "mnist" / "t10k-images-idx3-ubyte.gz") as file:
            X = np.frombuffer(file.read(), dtype=np.uint8, offset=16)[: 3 * 784].reshape(3, 784) / 255.0
    else:
        X = np.random.default_rng(0).random((3, net.n_inputs))
    plane = ra.Slice.through(X, margin=0.2)
    middle, half = (plane.box.low + plane.box.high) / 2, (plane.box.high - plane.box.low) / 2 * share
    return ra.Slice(plane.origin, plane.basis, box=ra.Box(middle - half, middle + half))


def best(ask: Callable[[], Any], repeat: int) -> tuple[float, Any]:
    """Return the least CPU time of some runs, and what the last one gave."""
    times, answer = [], None
    for _ in range(repeat):
        start = time.process_time()
        answer = ask()
        times.append(time.process_time() - start)
    return min(times), answer


def forward(net: ra.Network, plane: ra.Slice, repeat: int) -> float:
    """Return the time of a forward pass of one point."""
    U = np.random.default_rng(1).uniform(plane.box.low, plane.box.high, (BATCHES[-1], 2))
    X = plane.embed(U)
    found = []
    for size in BATCHES:
        net(X[:size])
        found.append(best(lambda n=size: [net(X[i : i + n]) for i in range(0, 256, n)], repeat)[0] / max(256, size))
    return min(found)


def measure(name: str, folder: Path, repeat: int, *, whole: bool) -> dict[str, Any]:
    net = network(name, folder)
    plane = window(name, net, folder, WINDOWS[name])
    stable_s, stable = best(lambda: ra.stability(net, plane), repeat)
    out: dict[str, Any] = {
        "network": name, "share": WINDOWS[name], "units": stable.n_units, "open": stable.n_open,
        "stability_s": stable_s, "targets": TARGETS[name],
    }  # fmt: skip
    patterns = {}
    for mode in ("automatic", "off") if whole else ("automatic",):
        localize.mode = mode
        ra.count_cells(net, plane, jobs=1)
        count_s, count = best(lambda: ra.count_cells(net, plane, jobs=1), repeat)
        cells_s, cx = best(lambda: ra.enumerate_cells(net, plane, jobs=1), 1 if mode == "off" else repeat)
        assert count.n_cells == cx.n_cells and count.is_complete and cx.is_complete
        patterns[mode] = cx.patterns
        floor = forward(net, plane, repeat) * cx.n_cells
        out["cells"] = cx.n_cells
        out[mode] = {
            "forward_s": floor, "count_s": count_s, "enumerate_s": cells_s, "count_ratio": count_s / floor,
            "enumerate_ratio": cells_s / floor, "count_per_s": cx.n_cells / count_s,
        }  # fmt: skip
    if whole:
        assert np.array_equal(patterns["automatic"], patterns["off"]), "local networks found other cells"
    localize.mode = "automatic"
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, default=os.environ.get("RELUATLAS_DATA"), help="or RELUATLAS_DATA")
    parser.add_argument("--only", nargs="*", choices=list(WINDOWS))
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--whole", action="store_true", help="also without local networks")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    if arguments.data_dir is None:
        parser.error("no folder with `models/` and `mnist/`; pass --data-dir or set RELUATLAS_DATA")
    found = []
    for name in arguments.only or WINDOWS:
        one = measure(name, arguments.data_dir, arguments.repeat, whole=arguments.whole)
        found.append(one)
        print(f"{name}, {one['share']}: {one['cells']:,} cells, {one['open']:,} of {one['units']:,} units can change")
        for mode in ("automatic", "off"):
            if mode in one:
                said = one[mode]
                print(
                    f"  {mode:9}: count {said['count_s']:.3f} s, {said['count_ratio']:.2f} forward passes; enumerate "
                    f"{said['enumerate_s']:.3f} s, {said['enumerate_ratio']:.2f}; forward {said['forward_s']:.3f} s",
                    flush=True,
                )
    if arguments.out:
        write(arguments.out, {"machine": machine(), "load": os.getloadavg(), "windows": found})


if __name__ == "__main__":
    main()
