"""How many test images do the networks of the MNIST study get right? Trained by the study's code, from its cache.

    python benchmarks/mnist_accuracy.py --data-dir FOLDER --out benchmarks/records/mnist_accuracy.json

Networks that are in the cache (`--cache`) are not trained again. With `--only-cached` none is trained: a network that
is missing stands as "not run". With `--one-map` it also says how many are right when each class's map at an image is
replaced by the mean of its maps at the training images: the row k = 1 of the reduction, which needs no clustering and
so differs from the paper's by the network alone.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import numpy as np
from _record import machine, write
from numpy.typing import NDArray

from reluatlas.datasets.mnist import Images, cache_folder, load_images
from reluatlas.studies.mnist import published
from reluatlas.studies.mnist.networks import DEFAULT, recipe
from reluatlas.studies.mnist.tables import percent
from reluatlas.studies.mnist.train import Trained, trained_before
from reluatlas.studies.mnist.train_all import train_all

_BATCH = 2000


def right_with_one_map(trained: Trained, data: Images) -> int:
    """Return how many test images are right with the mean map of each class, over the training images."""
    net = trained.load()
    X, total, constant = data.inputs(data.X_train), 0.0, 0.0
    for start in range(0, len(X), _BATCH):
        maps = net.affine_at(X[start : start + _BATCH], ties="torch", dtype=np.float32)
        total = total + maps.A.reshape(len(maps.A), net.n_outputs, -1).sum(axis=0, dtype=np.float64)
        constant = constant + maps.b.sum(axis=0, dtype=np.float64)
    return n_right(np.concatenate([np.asarray(total), np.asarray(constant)[:, None]], axis=1) / len(X), data)


def n_right(centers: NDArray[Any], data: Images) -> int:
    """Return how many test images are right with one map (classes, inputs + 1) for all."""
    X = data.inputs(data.X_test).reshape(len(data.y_test), -1)
    return int(((X @ centers[:, :-1].T + centers[:, -1]).argmax(axis=1) == data.y_test).sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--networks", default=",".join(DEFAULT))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only-cached", action="store_true")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--one-map", action="store_true")
    asked = parser.parse_args()
    data = load_images("mnist", data_dir=asked.data_dir)
    folder = (asked.cache or cache_folder()) / "networks"
    recipes = [recipe(name, "mnist") for name in asked.networks.split(",")]
    if not asked.only_cached:
        wanted = [(r, s) for r in recipes for s in range(asked.seeds)]
        train_all(wanted, data, folder=folder, device="cpu", jobs=None, tell=lambda *told: None)
    rows = []
    for r in recipes:
        found = [trained_before(r, data, seed=s, folder=folder) for s in range(asked.seeds)]
        right = [None if t is None else t.info["n_test_right"] for t in found]
        if any(n is not None for n in right):
            paper = percent(published.ACCURACY.get(r.name))
            row: dict[str, Any] = {"network": r.title, "name": r.name, "n_right": right, "paper_percent": paper}
            if asked.one_map:
                row["n_right_with_one_map"] = [None if t is None else right_with_one_map(t, data) for t in found]
                row["paper_with_one_map"] = percent(published.fewer(r.name, 1))
            rows.append(row)
            write(asked.out, {**machine(), "n_test": len(data.y_test), "seeds": list(range(asked.seeds)), "rows": rows})


if __name__ == "__main__":
    main()
