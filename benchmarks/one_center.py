"""Why do runs of the reduction with one center a class differ by points? The start, or what is averaged.

    python benchmarks/one_center.py --data-dir FOLDER --cache CACHE --out benchmarks/records/one_center.json

With k = 1 a class's center is the mean of its maps at the training images; our study takes exactly that. The paper ran
scikit-learn's `MiniBatchKMeans`, which stops after some batches: its center is the mean of those images alone. For each
network of the cache, this counts the test images that are right

- with the exact mean;
- with centers by `MiniBatchKMeans(1)`, its start and stop as they are, in batches of 100 (the default of scikit-learn
  when the paper was written, from which its `init_size` of 300 follows) and of 1,024 (today's), `--starts` times each.

With `--epochs-of NAME` that network is trained anew from seed 0, and after every epoch scored with the exact mean of
its maps at the first 10,000 training images.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import numpy as np
from _record import machine, write
from mnist_accuracy import n_right
from numpy.typing import NDArray

from reluatlas.datasets.mnist import Images, cache_folder, load_images
from reluatlas.studies.mnist import published
from reluatlas.studies.mnist.large_maps import write_torch_maps
from reluatlas.studies.mnist.networks import DEFAULT, recipe
from reluatlas.studies.mnist.train import Trained, train, trained_before

BATCHES = (100, 1024)
_AT_ONCE = 2000
_SOME = 10_000


def maps_of(trained: Trained, data: Images, target: Path) -> NDArray[np.float32]:
    """Return the affine maps at the training images, (classes, images, 785), in a file."""
    net, X = trained.load(), data.inputs(data.X_train)
    n = int(np.prod(X.shape[1:]))
    found = np.lib.format.open_memmap(target, mode="w+", dtype=np.float32, shape=(net.n_outputs, len(X), n + 1))
    for start in range(0, len(X), _AT_ONCE):
        maps = net.affine_at(X[start : start + _AT_ONCE], ties="torch", dtype=np.float32)
        here = slice(start, start + len(maps.A))
        found[:, here, :-1] = maps.A.reshape(len(maps.A), net.n_outputs, n).swapaxes(0, 1)
        found[:, here, -1] = maps.b.T
    return found


def by_batches(maps: NDArray[np.float32], batch: int, seed: int) -> tuple[NDArray[np.float64], list[int]]:
    """Return the centers by `MiniBatchKMeans`, and how many images each is the mean of (some more than once)."""
    from sklearn.cluster import MiniBatchKMeans

    centers, counts = [], []
    for c, rows in enumerate(maps):
        model = MiniBatchKMeans(
            1, batch_size=batch, init_size=300, n_init=3, random_state=1000 * seed + c, compute_labels=False
        ).fit(rows)
        centers.append(model.cluster_centers_[0])
        counts.append(int(model.n_steps_) * batch)
    return np.array(centers, dtype=np.float64), counts


def by_epochs(name: str, data: Images, folder: Path) -> list[dict[str, int]]:
    """Return how many test images a network gets right after each epoch, itself and with one map a class."""
    import torch
    from safetensors.torch import load_file

    made = recipe(name, "mnist")
    steps = -(-len(data.X_train) // made.batch)

    def keep(done: int, of: int) -> None:
        epoch, begun = done // steps, next(folder.glob("*.begun.safetensors"), None)
        if begun is not None and not (folder / f"{epoch}.state").exists() and done < of:
            shutil.copy(begun, folder / f"{epoch}.state")

    last = train(made, data, seed=0, folder=folder, progress=keep)
    X = data.inputs(data.X_train[:_SOME])
    X_test = torch.from_numpy(data.inputs(data.X_test))
    rows = []
    for epoch in range(1, made.epochs + 1):
        module = last.module()
        if epoch < made.epochs:
            state = load_file(folder / f"{epoch}.state")
            module.load_state_dict({k[7:]: v for k, v in state.items() if k.startswith("weight.")})
        write_torch_maps(module, X, 10, folder / "maps.npy", device="cpu")
        centers = np.load(folder / "maps.npy", mmap_mode="r").mean(axis=0, dtype=np.float64)
        with torch.no_grad():
            right = int((module(X_test).argmax(1).numpy() == data.y_test).sum())
        rows.append({"epoch": epoch, "n_right": right, "n_right_one_map": n_right(centers, data)})
        print(rows[-1], flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--networks", default=",".join(DEFAULT))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--starts", type=int, default=10)
    parser.add_argument("--epochs-of")
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    data = load_images("mnist", data_dir=asked.data_dir)
    if asked.epochs_of:
        with tempfile.TemporaryDirectory() as place:
            found = by_epochs(asked.epochs_of, data, Path(place))
        about = {**machine(), "network": asked.epochs_of, "n_images": _SOME, "n_test": len(data.y_test)}
        write(asked.out, about | {"rows": found})
        return
    folder = (asked.cache or cache_folder()) / "networks"
    about = {**machine(), "n_test": len(data.y_test), "starts": asked.starts, "batches": BATCHES}
    rows: list[dict[str, Any]] = []
    for name in asked.networks.split(","):
        for seed in range(asked.seeds):
            trained = trained_before(recipe(name, "mnist"), data, seed=seed, folder=folder)
            if trained is None:
                continue
            with tempfile.TemporaryDirectory() as place:
                maps = maps_of(trained, data, Path(place) / "maps.npy")
                row: dict[str, Any] = {
                    "network": trained.recipe.title, "seed": seed,
                    "n_right_exact": n_right(maps.mean(axis=1, dtype=np.float64), data),
                    "n_right_paper": published.fewer(name, 1),
                }  # fmt: skip
                for batch in BATCHES:
                    found = [by_batches(maps, batch, start) for start in range(asked.starts)]
                    row[f"n_right_{batch}"] = [n_right(centers, data) for centers, _ in found]
                    row[f"images_{batch}"] = [int(np.median(counts)) for _, counts in found]
            rows.append(row)
            print(row, flush=True)
            write(asked.out, about | {"rows": rows})


if __name__ == "__main__":
    main()
