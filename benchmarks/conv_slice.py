"""Time of a plane slice of the paper's Conv network, against a forward pass of one image per cell.

    python benchmarks/conv_slice.py [--data-dir FOLDER] [--margin 0.2] [--seconds 60]

The network of Sattelberg et al. (2023), MNIST: conv 5x5 (10), max-pool 2, ReLU, conv 5x5 (20), max-pool 2, ReLU, 50,
ReLU, 10, with torch's first weights (seed 0). The slice goes through three test images, black corners and all. The
forward pass is our own in float64, in batches of 256. One process, one thread.
"""

from __future__ import annotations

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import argparse
import gzip
import time
from pathlib import Path

import numpy as np
import torch

import reluatlas as ra

MEAN, DEVIATION = 0.1307, 0.3081


def conv_network() -> torch.nn.Module:
    torch.manual_seed(0)
    nn = torch.nn
    return nn.Sequential(
        nn.Conv2d(1, 10, 5), nn.MaxPool2d(2), nn.ReLU(), nn.Conv2d(10, 20, 5), nn.MaxPool2d(2), nn.ReLU(),
        nn.Flatten(), nn.Linear(320, 50), nn.ReLU(), nn.Linear(50, 10),
    ).eval()  # fmt: skip


def images(folder: Path, n: int) -> np.ndarray:
    with gzip.open(folder / "mnist" / "t10k-images-idx3-ubyte.gz") as file:
        pixels = np.frombuffer(file.read(), dtype=np.uint8, offset=16)[: n * 784]
    return ((pixels / 255.0 - MEAN) / DEVIATION).reshape(n, 1, 28, 28)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, default=os.environ.get("RELUATLAS_DATA"), help="or RELUATLAS_DATA")
    parser.add_argument("--margin", type=float, default=0.2)
    parser.add_argument("--seconds", type=float, default=60.0)
    arguments = parser.parse_args()
    if arguments.data_dir is None:
        parser.error("no folder with `mnist/`; pass --data-dir or set RELUATLAS_DATA")
    X = images(arguments.data_dir, 256)
    net = ra.load(conv_network(), input_shape=(1, 28, 28))
    plane = ra.Slice.through(X[:3], margin=arguments.margin)
    ra.count_cells(net, plane, jobs=1, max_seconds=1.0)
    start = time.process_time()
    found = ra.count_cells(net, plane, jobs=1, max_seconds=arguments.seconds)
    slice_s = (time.process_time() - start) / found.n_cells
    forward = []
    for _ in range(7):
        start = time.process_time()
        net(X)
        forward.append((time.process_time() - start) / len(X))
    floor = float(np.median(forward))
    print(found)
    print(f"per cell {slice_s * 1e6:.0f} us, forward pass per image {floor * 1e6:.0f} us: ratio {slice_s / floor:.2f}")


if __name__ == "__main__":
    main()
