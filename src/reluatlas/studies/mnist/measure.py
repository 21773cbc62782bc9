"""What are the affine maps of one network at the images? How long they take, how many there are, and pictures."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from reluatlas.affine import AffineMaps
from reluatlas.analysis.maps.distinct_maps import distinct_maps, near_maps, pattern_digests
from reluatlas.datasets.mnist import Images
from reluatlas.progress import Staged
from reluatlas.storage.atomic import whole_file
from reluatlas.studies.mnist.map_files import MapFiles
from reluatlas.studies.mnist.steps import write_json
from reluatlas.studies.mnist.train import Trained

_EXACT = ("n_patterns", "n_maps", "n_sharing", "largest_group", "n_compared", "n_train_patterns")
TOLERANCE = 1e-3
"""Euclidean distance within which the paper counts maps as one."""


def network_facts(trained: Trained) -> dict[str, Any]:
    """Return what is known of a trained network, for JSON."""
    info = trained.info
    return {
        "name": trained.recipe.name, "title": trained.recipe.title, "seed": trained.seed,
        "n_test": info["n_test"], "n_test_right": info["n_test_right"], "n_parameters": info["n_parameters"],
        "recipe": info["recipe"], "device": info["device"], "torch": info["torch"], "losses": info["losses"],
        "training_seconds": info.get("seconds"),
    }  # fmt: skip


def take_maps(trained: Trained, data: Images, maps: MapFiles, target: Path, tell: Staged) -> None:
    """Take the affine maps at all images, and write how long that took, opening the network not counted."""
    maps.drop(trained)  # what an earlier run left would take no time
    maps.network(trained)
    parts = {}
    for part in ("train", "test"):
        n = len(maps.inputs(part))
        start = time.monotonic()
        found = maps.maps(trained, part, tell)
        seconds = time.monotonic() - start
        size = maps.path(trained, part).stat().st_size if isinstance(found, AffineMaps) else 0
        parts[part] = {"n_images": n, "seconds": seconds, "bytes": size, "is_factored": not size}
    write_json(
        target,
        {
            "name": trained.recipe.name, "title": trained.recipe.title, "seed": trained.seed, "n_classes": 10, **parts,
        },
    )  # fmt: skip


def count_maps(trained: Trained, maps: MapFiles, target: Path, tell: Staged) -> None:
    """Write how many different maps the test images fall on, and how many patterns the training images.

    Of a large network, whose patterns are not known, only how many maps there are within the paper's tolerance.
    """
    network, X = maps.network(trained), maps.inputs("test")
    at_test = maps.maps(trained, "test", tell)
    what = f"{trained.recipe.title}, seed {trained.seed}: maps in use"
    X_train = maps.inputs("train")
    if trained.recipe.is_large:
        n_near = int(near_maps(at_test, TOLERANCE, progress=lambda d, n: tell(what, d, n)).max()) + 1
        counts = dict.fromkeys(_EXACT) | {"n_near": n_near, "tolerance": TOLERANCE, "is_exact": False}
    else:
        found = distinct_maps(network, X, at_test, tolerance=TOLERANCE, progress=lambda d, n: tell(what, d, n))
        what = f"{trained.recipe.title}, seed {trained.seed}: patterns at the train images"
        digests = pattern_digests(network, X_train, progress=lambda d, n: tell(what, d, n))
        counts = {name: getattr(found, name) for name in (*_EXACT[:-1], "n_near", "tolerance", "is_exact")}
        counts["n_train_patterns"] = len(set(digests))
    write_json(
        target,
        {
            "name": trained.recipe.name, "title": trained.recipe.title, "seed": trained.seed, "n_test": len(X),
            "n_neurons": network.n_neurons, "n_windows": network.n_windows,
            "n_train": len(X_train), **counts,
        },
    )  # fmt: skip


def keep_images(trained: Trained, data: Images, maps: MapFiles, target: Path, tell: Staged) -> None:
    """Write the maps at the first test image of each class."""
    index = np.array([int(np.flatnonzero(data.y_test == c)[0]) for c in range(10)])
    if trained.recipe.is_large:
        stored = maps.maps(trained, "test", tell)
        found = AffineMaps(stored.A[index], stored.b[index])
    else:
        found = maps.network(trained).affine_at(maps.inputs("test")[index], ties="torch")
    with whole_file(target) as temporary:
        np.savez(
            temporary, index=index, images=data.X_test[index], A=found.A.astype(np.float32),
            b=found.b.astype(np.float32), pixel_max=data.pixel_max,
        )  # fmt: skip
