"""Compares ways to compute convolutions of a batch: im2col and BLAS, a sparse product, torch's kernels.

    python benchmarks/convolutions.py [--quick] [--out FILE.json]

One thread, float64, warm; the best of several repetitions, in milliseconds per batch. The results are compared before
anything is timed. What was chosen, and why, is in benchmarks/README.md.
"""

from __future__ import annotations

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import argparse
import json
import platform
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from reluatlas.importers.lowering.windows import Window, spread
from reluatlas.network.operators import Convolution, apply_operator

# channels in and out, side of the image, kernel, stride, padding, batch
CASES = (
    (1, 32, 28, 3, 1, 1, 256), (3, 16, 32, 4, 2, 1, 256), (16, 32, 16, 4, 2, 1, 256), (8, 16, 16, 3, 1, 1, 256),
    (128, 128, 7, 3, 1, 1, 64), (32, 32, 28, 1, 1, 0, 256), (64, 64, 28, 3, 1, 1, 64),
)  # fmt: skip


def best(function: Callable[[], object], repeats: int) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def measure(case: tuple[int, ...], repeats: int) -> dict[str, object]:
    n_in, n_out, side, kernel, stride, padding, batch = case
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(n_out, n_in, kernel, kernel))
    window = Window(kernel, stride, 1, padding, padding)
    taps = window.taps(side, window.length(side))
    operator = Convolution(weight.reshape(n_out, n_in, -1), spread([taps, taps], [side, side]), side * side)
    x = rng.normal(size=(batch, operator.n_in))
    ways: dict[str, Callable[[], np.ndarray]] = {
        "im2col": lambda: apply_operator(operator, x),
        "sparse": lambda: apply_operator(operator.sparse, x),
    }
    try:
        import torch
    except ImportError:
        pass
    else:
        torch.set_num_threads(1)
        images, kernels = torch.from_numpy(x.reshape(batch, n_in, side, side)), torch.from_numpy(weight)
        ways["torch"] = lambda: torch.conv2d(images, kernels, None, stride, padding).reshape(batch, -1).numpy()
    expected = ways["im2col"]()
    for name, way in ways.items():
        np.testing.assert_allclose(way(), expected, rtol=1e-10, atol=1e-10, err_msg=name)
    return {
        "case": dict(zip(("in", "out", "side", "kernel", "stride", "padding", "batch"), case, strict=True)),
        "nonzeros": int(operator.sparse.values.size),
        "milliseconds": {name: round(1e3 * best(way, repeats), 2) for name, way in ways.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the small cases, twice each")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    rows = [measure(case, 2 if arguments.quick else 5) for case in (CASES[:4] if arguments.quick else CASES)]
    for row in rows:
        print(row["case"], row["nonzeros"], row["milliseconds"])
    if arguments.out:
        machine = {"machine": platform.machine(), "python": platform.python_version(), "numpy": np.__version__}
        draft = arguments.out.with_suffix(".tmp")
        draft.write_text(json.dumps({**machine, "rows": rows}, indent=1))
        os.replace(draft, arguments.out)


if __name__ == "__main__":
    main()
