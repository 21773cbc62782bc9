"""How many test images do the networks of the MNIST study get right? Trained by the study's code, from its cache.

    python benchmarks/mnist_accuracy.py --data-dir FOLDER --out benchmarks/records/mnist_accuracy.json

Networks that are in the cache (`--cache`) are not trained again. With `--only-cached` none is trained: a network that
is missing stands as "not run".
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from _record import machine, write

from reluatlas.datasets.mnist import cache_folder, load_images
from reluatlas.studies.mnist import published
from reluatlas.studies.mnist.networks import DEFAULT, recipe
from reluatlas.studies.mnist.tables import percent
from reluatlas.studies.mnist.train import trained_before
from reluatlas.studies.mnist.train_all import train_all


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--networks", default=",".join(DEFAULT))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only-cached", action="store_true")
    parser.add_argument("--out", type=Path, required=True)
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
            rows.append({"network": r.title, "name": r.name, "n_right": right, "paper_percent": paper})
    record = {**machine(), "n_test": len(data.y_test), "seeds": list(range(asked.seeds)), "rows": rows}
    write(asked.out, record)


if __name__ == "__main__":
    main()
