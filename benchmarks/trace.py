"""Time of tracing paths between images against a forward pass, and 10,000 random segments against an exact oracle.

    python benchmarks/trace.py [DATA] [--segments N] [--quick] [--out FILE.json]

DATA (or the environment variable RELUATLAS_DATA) holds `models/*.onnx` and `mnist/t10k-images-idx3-ubyte.gz`. One
process, one thread.

1. `mnist-net_256x4`, one pair of MNIST test images and 32 pairs at once: `trace`; NumPy's float64 forward pass (ReLU in
   place, the best batch size) and ours at as many points as there are breakpoints. They are timed in turn; the figures
   are medians of the processor time, which others on the machine disturb least, and their ratios.
2. Convolutional networks between two images: MNIST test images 0 and 1, or noise and noise for CIFAR networks.
3. Random segments through small networks of all degenerate families of `tests/zoo.py`, and random problems of
   `tests/oracles`: every piece, change and class is compared with rational arithmetic. None may be missing or extra.
"""

from __future__ import annotations

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import argparse
import gzip
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import reluatlas as ra
from benchmarks._record import machine, write
from reluatlas.network.network import Affine
from tests.compare_paths import assert_path_matches_oracle
from tests.zoo import FAMILIES

BATCHES = (256, 1024, 4096)
CONVOLUTIONAL = ("Convnet_maxpool", "resnet_2b", "cifar_base_kw")


def images(data: Path) -> np.ndarray:
    """Return the MNIST test images (10000, 784), from 0 to 1."""
    raw = gzip.decompress((data / "mnist" / "t10k-images-idx3-ubyte.gz").read_bytes())
    return np.frombuffer(raw, np.uint8, offset=16).reshape(-1, 784) / 255.0


def forward(layers: list[tuple[np.ndarray, np.ndarray]], X: np.ndarray, batch: int) -> None:
    """Run dense layers in batches, ReLU in place."""
    for start in range(0, len(X), batch):
        h = X[start : start + batch]
        for position, (weight, bias) in enumerate(layers):
            h = h @ weight.T
            h += bias
            if position < len(layers) - 1:
                np.maximum(h, 0.0, out=h)


def in_turn(tasks: dict[str, Callable[[], object]], repeats: int) -> dict[str, dict[str, float]]:
    """Return the median processor and wall time of each task, all run in turn."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in tasks}
    for _ in range(repeats):
        for name, task in tasks.items():
            cpu, wall = time.process_time(), time.perf_counter()
            task()
            times[name].append((time.process_time() - cpu, time.perf_counter() - wall))
    return {
        name: {"cpu_s": statistics.median(t[0] for t in ts), "wall_s": statistics.median(t[1] for t in ts)}
        for name, ts in times.items()
    }


def between_digits(data: Path, n_pairs: int, repeats: int) -> dict[str, object]:
    """Time `n_pairs` segments between consecutive test images."""
    net, X = ra.load(data / "models" / "mnist-net_256x4.onnx"), images(data)
    segments = [ra.Segment(X[2 * i], X[2 * i + 1]) for i in range(n_pairs)]
    start = time.perf_counter()
    paths = ra.trace(net, segments, jobs=1)
    first_s = time.perf_counter() - start
    points = np.concatenate([path.points for path in paths])
    for path in paths:
        t = path.edges[:, None]
        f = net((1 - t) * path.segment.a + t * path.segment.b)
        assert np.abs(path.values() - f).max() < 1e-12 and path.exactness.status == "exact"
    layers = [(node.operators[0].weight, node.bias) for node in net.nodes if isinstance(node, Affine)]  # type: ignore[union-attr]
    tasks: dict[str, Callable[[], object]] = {
        "trace": lambda: ra.trace(net, segments, jobs=1),
        **{f"NumPy {b}": (lambda b=b: forward(layers, points, b)) for b in BATCHES},
        **{f"net {b}": (lambda b=b: [net(points[i : i + b]) for i in range(0, len(points), b)]) for b in BATCHES},
    }
    times = in_turn(tasks, repeats)
    best = {who: min(t["cpu_s"] for name, t in times.items() if name.startswith(who)) for who in ("NumPy", "net")}
    return {
        "network": "mnist-net_256x4",
        "n_segments": n_pairs,
        "n_breakpoints": len(points),
        "n_escalated": paths[0].exactness.n_escalated,
        "first_call_s": first_s,
        "times": times,
        "ratio_to_numpy": times["trace"]["cpu_s"] / best["NumPy"],
        "ratio_to_net": times["trace"]["cpu_s"] / best["net"],
    }


def between_images(data: Path, name: str) -> dict[str, object]:
    """Trace one segment through a convolutional network."""
    net = ra.load(data / "models" / f"{name}.onnx")
    if net.n_inputs == 784:
        a, b = images(data)[:2]
    else:
        a, b = np.random.default_rng(0).uniform(0, 1, (2, net.n_inputs)).astype(np.float32).astype(float)
    cpu, wall = time.process_time(), time.perf_counter()
    path = ra.trace(net, ra.Segment(a, b))
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    points = path.points
    start = time.process_time()
    for i in range(0, len(points), 64):
        net(points[i : i + 64])
    floor = time.process_time() - start
    return {
        "network": name,
        "n_breakpoints": path.breakpoints.size,
        "n_changes": path.n_changes,
        "hamming": path.hamming,
        "classes": path.classes.tolist(),
        "n_escalated": path.exactness.n_escalated,
        "cpu_s": cpu,
        "wall_s": wall,
        "net_cpu_s": floor,
    }


def against_oracle(n_segments: int) -> dict[str, object]:
    """Compare random segments with the oracle; raises where one differs."""
    pieces = escalated = done = seed = 0
    while done < n_segments:
        for family in FAMILIES:
            net, rng = FAMILIES[family](seed), np.random.default_rng([seed, 11])
            n = net.n_inputs
            segments = [ra.Segment(*rng.uniform(-1, 1, (2, n))) for _ in range(3)]
            b = rng.uniform(-1, 1, n)
            segments += [ra.Segment(-b, b), ra.Segment(np.zeros(n), b)]
            a = rng.integers(-2, 3, n) / 2
            segments.append(ra.Segment(a, a + rng.integers(1, 3, n) / 2))
            paths = ra.trace(net, segments[: n_segments - done], jobs=1)
            for path in paths:
                assert_path_matches_oracle(path)
            pieces += int(paths.n_pieces.sum())
            escalated += paths[0].exactness.n_escalated
            done += len(paths)
            if done >= n_segments:
                break
        seed += 1
    return {"n_segments": done, "n_pieces": pieces, "n_missing": 0, "n_extra": 0, "n_escalated": escalated}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?", default=os.environ.get("RELUATLAS_DATA"))
    parser.add_argument("--segments", type=int, default=10_000, help="random segments for the oracle")
    parser.add_argument("--quick", action="store_true", help="three repeats instead of fifteen")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    arguments = parser.parse_args()
    record: dict[str, object] = {"machine": machine(), "digits": [], "convolutional": []}
    if arguments.data is not None:
        for n_pairs in (1, 32):
            row = between_digits(Path(arguments.data), n_pairs, 3 if arguments.quick else 15)
            record["digits"].append(row)  # type: ignore[union-attr]
            print(
                f"mnist-net_256x4, {n_pairs} segments, {row['n_breakpoints']:,} breakpoints: "
                f"{1e3 * row['times']['trace']['cpu_s']:.1f} ms, "  # type: ignore[index]
                f"{row['ratio_to_numpy']:.2f} of NumPy's forward pass, {row['ratio_to_net']:.2f} of ours",
                flush=True,
            )
        for name in CONVOLUTIONAL:
            row = between_images(Path(arguments.data), name)
            record["convolutional"].append(row)  # type: ignore[union-attr]
            print(
                f"{name}: {row['n_breakpoints']:,} breakpoints in {row['cpu_s']:.1f} s of processor time "
                f"({row['n_escalated']:,} signs settled exactly); forward pass {row['net_cpu_s']:.1f} s",
                flush=True,
            )
    if arguments.segments:
        record["oracle"] = against_oracle(arguments.segments)
        print(record["oracle"])
    if arguments.out:
        write(arguments.out, record)


if __name__ == "__main__":
    main()
