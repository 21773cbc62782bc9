"""How far is the nearest other class of MNIST images, and how close do the bounds come in a minute? Measured here.

    python benchmarks/nearest.py [--data DATA] [--images 10] [--seconds 60] [--out benchmarks/records/nearest.json]

A 784-20-20-10 network, trained here with torch on the training images, and `mnist-net_256x2`, at the first test
images of different classes, in [0, 1]^784, norms inf and 2. Asserted: bounds in order, and that witnesses decide
otherwise. Printed: exact distances, else the gap, and seconds of wall and of processor time.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import _record
import numpy as np

import reluatlas as ra
from reluatlas.datasets.mnist import load_images


def main() -> None:
    """Measure both networks, and print a line for each image."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=None)
    parser.add_argument("--images", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--only", choices=("small", "256x2"), default=None)
    parser.add_argument("--out", type=Path, default=None)
    asked = parser.parse_args()
    images = load_images("mnist", data_dir=asked.data)
    X = images.X_test.reshape(len(images.X_test), -1) / 255.0
    chosen = [int(np.flatnonzero(images.y_test == c % 10)[c // 10]) for c in range(asked.images)]
    nets = {}
    if asked.only != "256x2":
        nets["784-20-20-10"] = trained(images)
    if asked.only != "small":
        folder = asked.data or _record.ROOT.parent / "shared" / "data"
        nets["mnist-net_256x2"] = ra.load(Path(folder) / "models" / "mnist-net_256x2.onnx")
    rows = []
    for name, net in nets.items():
        for norm in (float("inf"), 2):
            for i in chosen:
                rows.append(measured(name, net, X[i], i, norm, asked.seconds))
    for name in nets:
        for norm in ("inf", "2"):
            some = [r for r in rows if r["network"] == name and r["norm"] == norm]
            gaps = sorted(r["gap"] for r in some)
            print(f"{name}, norm {norm}: {sum(r['is_exact'] for r in some)} of {len(some)} exact; gaps {gaps}")
    if asked.out is not None:
        _record.write(asked.out, {"machine": _record.machine(), "seconds": asked.seconds, "rows": rows})


def trained(images) -> ra.Network:
    """Return the small network, trained with torch on one thread."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    X = torch.tensor(images.X_train.reshape(len(images.X_train), -1) / 255.0, dtype=torch.float32)
    y = torch.tensor(images.y_train)
    parts = [
        torch.nn.Linear(784, 20),
        torch.nn.ReLU(),
        torch.nn.Linear(20, 20),
        torch.nn.ReLU(),
        torch.nn.Linear(20, 10),
    ]
    model = torch.nn.Sequential(*parts)
    optimizer = torch.optim.Adam(model.parameters(), 2e-3)
    order = torch.Generator().manual_seed(0)
    for _ in range(5):
        for batch in torch.randperm(len(X), generator=order).split(128):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(X[batch]), y[batch]).backward()
            optimizer.step()
    test = torch.tensor(images.X_test.reshape(len(images.X_test), -1) / 255.0, dtype=torch.float32)
    accuracy = (model(test).argmax(dim=1).numpy() == images.y_test).mean()
    print(f"trained 784-20-20-10: accuracy {accuracy:.4f}", flush=True)
    layers = [part for part in model if isinstance(part, torch.nn.Linear)]
    return ra.load([(p.weight.detach().numpy().astype(float), p.bias.detach().numpy().astype(float)) for p in layers])


def measured(name: str, net: ra.Network, x: np.ndarray, i: int, norm: float, seconds: float) -> dict:
    """Return what is found of one image, as a row."""
    wall, work = time.perf_counter(), time.process_time()
    found = ra.nearest_class(net, x, norm=norm, domain=ra.Box(0, 1, dim=x.size), max_seconds=seconds)
    wall, work = time.perf_counter() - wall, time.process_time() - work
    assert found.lower_bound <= found.upper_bound
    assert found.witness is not None
    other = int(net(found.witness.reshape(1, -1))[0].argmax())
    assert other != found.label, (other, found)
    row = {
        "network": name, "norm": "inf" if norm == float("inf") else str(int(norm)), "image": i,
        "is_exact": bool(found.is_exact), "lower": found.lower_bound, "upper": found.upper_bound,
        "gap": round(found.gap, 3), "parts": found.n_parts, "wall": round(wall, 1), "processor": round(work, 1),
    }  # fmt: skip
    print(row, flush=True)
    return row


if __name__ == "__main__":
    main()
