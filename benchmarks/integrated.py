"""How far are integrated gradients by steps from those without? captum's, by 50 to 1,000 steps, at MNIST test images.

    python benchmarks/integrated.py [--data DATA] [--images 5]

DATA (or RELUATLAS_DATA) holds `models/mnist-net_256x4.onnx` and `mnist/t10k-images-idx3-ubyte.gz`. Needs torch and
captum (`pip install captum`). The baseline is a black image. Printed for each number of steps: the largest difference
of one pixel's part from the exact one, and how far the sum of all is from the margin's change; then the time of both.
"""

from __future__ import annotations

import argparse
import gzip
import os
import time
from pathlib import Path

import _record
import numpy as np

import reluatlas as ra
from reluatlas.exporters.torch import to_torch

STEPS = (50, 300, 1000)


def main() -> None:
    """Compare, and print a line for each number of steps."""
    import torch
    from captum.attr import IntegratedGradients

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--data", type=Path, default=os.environ.get("RELUATLAS_DATA") or _record.ROOT.parent / "shared" / "data"
    )
    parser.add_argument("--images", type=int, default=5)
    asked = parser.parse_args()
    with gzip.open(Path(asked.data) / "mnist" / "t10k-images-idx3-ubyte.gz") as file:
        X = np.frombuffer(file.read(), dtype=np.uint8, offset=16).reshape(-1, 784)[: asked.images] / 255.0
    net = ra.load(Path(asked.data) / "models" / "mnist-net_256x4.onnx")
    module = to_torch(net)
    torch.set_num_threads(1)
    labels = net(X).reshape(len(X), -1).argmax(axis=1)
    ra.integrated_gradients(net, X[0], output=int(labels[0]))
    begin = time.perf_counter()
    exact = [ra.integrated_gradients(net, x, output=int(c)) for x, c in zip(X, labels, strict=True)]
    print(f"exact: {(time.perf_counter() - begin) / len(X):.3f} s an image")
    for n in STEPS:
        worst = missing = own = took = 0.0
        for x, c, here in zip(X, labels, exact, strict=True):
            shape = (1, *net.input_shape)
            method = IntegratedGradients(lambda z: module(z).reshape(len(z), -1))
            given = torch.tensor(x.reshape(shape), dtype=torch.float64)
            begin = time.perf_counter()
            found = method.attribute(given, target=int(c), n_steps=n, method="riemann_middle").numpy().reshape(-1)
            took += time.perf_counter() - begin
            values = np.asarray(here.parts).reshape(-1)
            worst = max(worst, float(np.abs(found - values).max()))
            missing = max(missing, abs(float(found.sum() - values.sum())))
            own = max(own, float(np.abs(here.with_steps(n).reshape(-1) - found).max()))
        print(
            f"{n} steps: a pixel off by up to {worst:.1e}, the sum by up to {missing:.1e}; our own steps differ from "
            f"captum's by {own:.1e}; {took / len(X):.3f} s an image"
        )


if __name__ == "__main__":
    main()
