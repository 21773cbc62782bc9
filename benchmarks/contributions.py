"""How long do contributions at a data set take, and do they add up? MNIST test images, dense and convolutional.

    python benchmarks/contributions.py [--data DATA] [--images 10000]

DATA (or RELUATLAS_DATA) holds `models/*.onnx` and `mnist/t10k-images-idx3-ubyte.gz`. Printed: seconds of one call, the
largest error bound, how far a sum is from the margin at most, and at how many images several cells meet.
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

MODELS = ("mnist-net_256x2", "mnist-net_256x4", "Convnet_maxpool")


def main() -> None:
    """Measure all models, and print a line for each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--data", type=Path, default=os.environ.get("RELUATLAS_DATA") or _record.ROOT.parent / "shared" / "data"
    )
    parser.add_argument("--images", type=int, default=10_000)
    asked = parser.parse_args()
    with gzip.open(Path(asked.data) / "mnist" / "t10k-images-idx3-ubyte.gz") as file:
        X = np.frombuffer(file.read(), dtype=np.uint8, offset=16).reshape(-1, 784)[: asked.images] / 255.0
    for name in MODELS:
        net = ra.load(Path(asked.data) / "models" / f"{name}.onnx")
        ra.contributions(net, X[:64])
        start = time.perf_counter()
        found = ra.contributions(net, X)
        took = time.perf_counter() - start
        off = np.abs(found.sums - found.values)
        assert np.all(off <= found.errors)
        print(
            f"{name}: {len(found):,} images in {took:.1f} s; errors up to {found.errors.max():.1e}, sums off by up to "
            f"{off.max():.1e}; several cells meet at {int(found.is_on_face.sum()):,}",
            flush=True,
        )


if __name__ == "__main__":
    main()
