"""How small does a network become on a domain, in what time, and is it the same function there: `ra.simplify`.

    python benchmarks/simplify.py [--data DATA] [--points N] [--state NET.safetensors] [--out FILE.json]

For each case, tolerance and objective: sizes before and after, seconds, linear programs; then both networks at N
uniform points and corners of the domain in float64, and at ten of them in whole numbers: with tolerance 0 they must be
equal. DATA (or RELUATLAS_DATA) holds `models/resnet_2b.onnx` and the other networks; images for it are noise, or the
color photographs of scikit-learn, made 32 x 32. NET is the Dense network that `reluatlas study mnist` trains and keeps.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator
from pathlib import Path

import _record
import numpy as np

import reluatlas as ra

RESIDUAL_HALF = 1 / 255
WANTED = ((0.0, "units"), (0.0, "numbers"), (0.1, "units"))
"""Tolerances and objectives."""


def photographs() -> dict[str, np.ndarray]:
    """Return images of 3 x 32 x 32 between 0 and 1: noise, and means over squares of two photographs."""
    from sklearn.datasets import load_sample_images

    images = {"noise": np.random.default_rng(0).random(3072)}
    for name, image in zip(("temple", "flower"), load_sample_images().images, strict=True):
        part = image[:416, :416].reshape(32, 13, 32, 13, 3).mean(axis=(1, 3)) / 255
        images[name] = part.transpose(2, 0, 1).reshape(-1)
    return images


def cases(data: Path, state: Path | None) -> Iterator[tuple[str, ra.Network, ra.Box]]:
    """Yield the networks and domains that are measured."""
    residual = ra.load(data / "models" / "resnet_2b.onnx")
    for name, image in photographs().items():
        box = ra.Box(image - RESIDUAL_HALF, image + RESIDUAL_HALF)
        yield f"resnet_2b, {name} +- 1/255", residual, box
    acas = ra.load(data / "models" / "ACASXU_run2a_1_1_batch_2000.onnx", classes="min")
    center = np.zeros(5)
    yield "ACAS Xu 1_1, +- 0.05", acas, ra.Box(center - 0.05, center + 0.05)
    dense = ra.load(data / "models" / "mnist-net_256x2.onnx")
    yield "mnist-net_256x2, [0, 1]^784", dense, ra.Box(0, 1, dim=784)
    if state is not None:
        yield "the paper's Dense, [0, 1]^784", paper(state), ra.Box(0, 1, dim=784)


def paper(state: Path) -> ra.Network:
    """Return the paper's Dense network, as `reluatlas study mnist` keeps it."""
    from reluatlas.studies.mnist.networks import build

    return ra.load(state, module=build("dense", 28).eval(), input_shape=(1, 28, 28))


def difference(net: ra.Network, other: ra.Network, box: ra.Box, n_points: int) -> tuple[float, float]:
    """Return the largest difference of outputs at random points, and the largest output."""
    rng = np.random.default_rng(1)
    gap = largest = 0.0
    for start in range(0, n_points, 1000):
        share = rng.random((min(1000, n_points - start), box.dim))
        share[::2] = np.round(share[::2])
        X = box.low + share * (box.high - box.low)
        mine, theirs = net(X), other(X)
        gap, largest = max(gap, float(np.abs(mine - theirs).max())), max(largest, float(np.abs(mine).max()))
    return gap, largest


def measured(name: str, net: ra.Network, box: ra.Box, n_points: int) -> list[dict]:
    """Return the rows of one case."""
    rows = []
    stable = ra.stability(net, box)
    for tolerance, objective in WANTED:
        start = time.perf_counter()
        found = ra.simplify(net, box, tolerance, objective=objective)  # type: ignore[arg-type]
        seconds = time.perf_counter() - start
        gap, largest = difference(net, found.network, box, n_points)
        assert gap <= found.error_bound + 1e-12 * largest, f"{name}: {gap}"
        if tolerance == 0.0:
            X = np.random.default_rng(2).uniform(box.low, box.high, (10, box.dim))
            assert found.certificate.check(X).n_equal == 10, name
        rows.append(
            {
                "case": name, "tolerance": tolerance, "objective": objective, "before": found.before._asdict(),
                "after": found.after._asdict(), "bent_by_bounds": stable.n_bent, "reasons": found.reasons,
                "n_programs": found.n_programs, "is_complete": found.is_complete, "seconds": round(seconds, 2),
                "error_bound": found.error_bound, "points": n_points, "difference": gap,
                "largest_output": largest,
            }
        )  # fmt: skip
        print(
            f"{name}, {tolerance:g}, {objective}: {tuple(found.before)} -> {tuple(found.after)}, {seconds:.1f} s, "
            f"{found.n_programs} programs, off by {gap:.2g} (bound {found.error_bound:.3g}) of {largest:.3g}",
            flush=True,
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("RELUATLAS_DATA", "../shared/data")))
    parser.add_argument("--points", type=int, default=10_000)
    parser.add_argument("--state", type=Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    rows = []
    for name, net, box in cases(given.data, given.state):
        if given.only in name:
            rows += measured(name, net, box, given.points)
    if given.out is not None:
        _record.write(given.out, {"machine": _record.machine(), "rows": rows})


if __name__ == "__main__":
    main()
