"""How far do comparisons of two real networks come, and in which time? ACAS Xu in float16, a pruned digits network.

    python benchmarks/compare.py --data-dir DATA [--seconds S] [--only NAME] [--out FILE.json]

DATA (or the environment variable RELUATLAS_DATA) holds `models/` and `mnist/`.

- `acas`: `ACASXU_run2a_1_1` against its weights rounded to float16, by boxes with units bounded in pairs: on the input
  boxes of properties 1 and 3 (S seconds each), on boxes of half-width 0.05 around ten random centers (half of S each),
  and on the whole input box (2.5 S; beside it, for as long, without pairing). Both ends, and whether they meet.
- `mnist`: `mnist-net_256x2` against 30 % of its smallest weights pruned, at the 10,000 test images, and on the plane
  through three of them.

What is told is asserted against sampling: no sample exceeds the upper end.
"""

from __future__ import annotations

import argparse
import gzip
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from _record import machine, write

import reluatlas as ra
from reluatlas.answers.limits import Limits
from reluatlas.comparison.paired.find import find
from reluatlas.comparison.refinement import refinement
from reluatlas.deadline import under
from reluatlas.network.network import Affine, Dense
from reluatlas.network.operators import mapped

# VNN-COMP's normalized inputs (rho, theta, psi, v_own, v_int)
PROPERTIES = {
    "property 1": [[0.6, 0.6798577687], [-0.5, 0.5], [-0.5, 0.5], [0.45, 0.5], [-0.5, -0.45]],
    "property 3": [
        [-0.3035311561, -0.2985528119], [-0.0095492966, 0.0095492966], [0.4933803236, 0.5], [0.3, 0.5], [0.3, 0.5],
    ],
}  # fmt: skip
INPUTS = [[-0.3284228772, 0.6798577687], [-0.5, 0.5], [-0.5, 0.5], [-0.5, 0.5], [-0.5, 0.5]]


def rounded(net: ra.Network) -> ra.Network:
    """Return a network with its numbers rounded to float16."""

    def half(values: np.ndarray) -> np.ndarray:
        return values.astype(np.float16).astype(np.float64)

    return _changed(net, half, half)


def pruned(net: ra.Network, share: float) -> ra.Network:
    """Return a network without the smallest weights of its dense layers."""
    dense = [o for n in net.nodes if isinstance(n, Affine) for o in n.operators if isinstance(o, Dense)]
    least = np.quantile(np.concatenate([np.abs(o.weight).ravel() for o in dense]), share)
    return _changed(net, lambda w: np.where(np.abs(w) < least, 0.0, w), None)


def _changed(net: ra.Network, weights: Any, biases: Any) -> ra.Network:
    def change(node: Any) -> Any:
        if not isinstance(node, Affine):
            return node
        operators = tuple(mapped(o, weights) if isinstance(o, Dense) else o for o in node.operators)
        return replace(node, operators=operators, bias=node.bias if biases is None else biases(node.bias))

    return replace(net, nodes=tuple(change(node) for node in net.nodes))


def on_box(f: ra.Network, g: ra.Network, box: ra.Box, seconds: float, *, pairs: bool = True) -> dict[str, Any]:
    """Return both ends on a box, checked against samples."""
    start, begin = time.monotonic(), time.process_time()
    both, limits = refinement(f, g, classes=False), Limits(None, seconds)
    with under(limits.deadline):
        found = find(both, box, "inf", limits, pairs=pairs)
    took, cpu = time.monotonic() - start, time.process_time() - begin
    lower, upper = found.top.lower, found.top.upper
    X = np.random.default_rng(0).uniform(box.low, box.high, (100_000, box.dim))
    sampled = float(np.abs(f(X) - g(X)).max())
    assert sampled <= upper * (1 + 1e-9)
    assert found.search.is_paired == pairs
    gap = (upper - lower) / lower
    print(f"{took:.1f} s ({cpu:.1f} s of processor time), {found.search}: {lower:.9g} to {upper:.9g}", flush=True)
    return {
        "seconds": took, "processor_seconds": cpu, "n_boxes": found.search.n_boxes, "n_open": found.search.n_open,
        "stopped_by": found.search.stopped_by, "lower": lower, "upper": upper, "gap": gap, "sampled": sampled,
        "load": os.getloadavg()[0],
    }  # fmt: skip


def acas(data: Path, seconds: float, keep: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Compare an ACAS Xu network with its float16 copy; what is known so far is kept after each box."""
    f = ra.load(data / "models" / "ACASXU_run2a_1_1_batch_2000.onnx", classes="min")
    g = rounded(f)
    out: dict[str, Any] = {}
    for name, sides in PROPERTIES.items():
        low, high = np.array(sides).T
        print(name, flush=True)
        out[name] = on_box(f, g, ra.Box(low, high), seconds)
        keep(out)
    rng = np.random.default_rng(0)
    out["around"] = []
    for _ in range(10):
        center = rng.uniform(-0.4, 0.4, 5)
        out["around"].append(on_box(f, g, ra.Box(center - 0.05, center + 0.05), seconds / 2))
        keep(out)
    print("the whole input box", flush=True)
    whole = ra.Box(*np.array(INPUTS).T)
    out["whole"] = on_box(f, g, whole, 2.5 * seconds)
    keep(out)
    out["whole, without pairing"] = on_box(f, g, whole, 2.5 * seconds, pairs=False)
    return out


def mnist(data: Path, seconds: float) -> dict[str, Any]:
    """Compare a network for digits with a pruned one."""
    f = ra.load(data / "models" / "mnist-net_256x2.onnx")
    g = pruned(f, 0.3)
    with gzip.open(data / "mnist" / "t10k-images-idx3-ubyte.gz") as file:
        X = np.frombuffer(file.read(), dtype=np.uint8, offset=16).reshape(10_000, -1) / 255.0
    ra.compare(f, g, X=X[:300], planes=[(0, 1, 2)])  # compiles
    start = time.monotonic()
    at = ra.compare(f, g, X=X)
    took = time.monotonic() - start
    assert at.n_points == 10_000
    assert np.array_equal(at.is_same, f(X).argmax(axis=1) == g(X).argmax(axis=1))
    print(f"{took:.1f} s. {at.summary()}", flush=True)
    start = time.monotonic()
    plane = ra.compare(f, g, ra.Slice.through(X[:3]), max_seconds=seconds)
    on = time.monotonic() - start
    print(f"{on:.1f} s, {plane.n_cells:,} cells. {plane.summary()}", flush=True)
    return {
        "points": {"seconds": took, "n_same": at.n_same, "largest": at.largest, "words": at.words},
        "plane": {
            "seconds": on, "n_cells": plane.n_cells, "is_complete": plane.is_complete, "lower": plane.lower,
            "upper": plane.upper, "disagreement": plane.disagreement, "words": plane.words,
        },
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, default=os.environ.get("RELUATLAS_DATA"), help="or RELUATLAS_DATA")
    parser.add_argument("--seconds", type=float, default=120.0, help="for each property")
    parser.add_argument("--only", choices=("acas", "mnist"), help="one part")
    parser.add_argument("--out", type=Path, help="write the record as JSON")
    arguments = parser.parse_args()
    if arguments.data_dir is None or not (Path(arguments.data_dir) / "models").is_dir():
        parser.error("no folder with `models/`; pass --data-dir or set RELUATLAS_DATA")
    data = Path(arguments.data_dir)
    record: dict[str, Any] = {**machine(), "seconds": arguments.seconds}
    if arguments.only != "acas":
        record["mnist"] = mnist(data, arguments.seconds)

    def keep(found: dict[str, Any]) -> None:
        if arguments.out:
            write(arguments.out, {**record, "acas": found})

    if arguments.only != "mnist":
        keep(acas(data, arguments.seconds, keep))
    elif arguments.out:
        write(arguments.out, record)


if __name__ == "__main__":
    main()
