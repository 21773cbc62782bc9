"""Where are the affine maps at all images? In files that are written when they are first asked for, then mapped.

The maps are those of automatic differentiation in torch, as the paper takes them (`ties="torch"`), in float32. Of a
network with one hidden layer, those at the training images are not written: their factors are kept (`FactoredMaps`).
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from functools import partial
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from reluatlas.affine import AffineMaps
from reluatlas.datasets.mnist import Images
from reluatlas.errors import ArgumentError
from reluatlas.progress import Staged, total_of
from reluatlas.studies.mnist.large_maps import torch_outputs, write_torch_maps
from reluatlas.studies.mnist.train import Trained

if TYPE_CHECKING:
    from reluatlas.network.network import Network

FOLDER = "maps"
_CLASSES = 10
_AT_ONCE = 1000
_FACTORED = ("dense",)


class MapFiles:
    """The affine maps of some networks at the images of a data set.

    Parameters
    ----------
    folder : Path
        Of the run; files go into its subfolder `maps`.
    data : Images
    jobs : int or None
    device : str
    """

    def __init__(self, folder: Path, data: Images, *, jobs: int | None, device: str) -> None:
        self._folder, self._data = folder / FOLDER, data
        self._jobs, self._device = jobs, device
        self._networks: dict[Path, Network] = {}
        self._inputs: dict[str, Any] = {}

    def network(self, trained: Trained) -> Network:
        """Return the opened network."""
        if trained.path not in self._networks:
            self._networks[trained.path] = trained.load()
        return self._networks[trained.path]

    def inputs(self, part: str) -> Any:
        """Return the "train" or "test" images as inputs, float32 (N, 1, height, width)."""
        if part not in self._inputs:
            images = self._data.X_train if part == "train" else self._data.X_test
            self._inputs[part] = self._data.inputs(images)
        return self._inputs[part]

    def outputs(self, trained: Trained) -> Callable[[NDArray], NDArray]:
        """Return what computes a network's outputs (N, 10) at inputs, some at a time.

        Of a large one torch does, in float32 and on the device; of others the opened network, in float64.
        """
        if trained.recipe.is_large:
            return partial(torch_outputs, self._module(trained), device=self._device)
        network = self.network(trained)
        return lambda X: np.concatenate([network(X[at : at + _AT_ONCE]) for at in range(0, len(X), _AT_ONCE)])

    def path(self, trained: Trained, part: str) -> Path:
        """Return the file of a network's maps at the "train" or "test" images."""
        return self._folder / f"{trained.path.stem}-{part}.npy"

    def need(self, trained: Sequence[Trained]) -> int:
        """Return how many bytes the files of some networks take that are not there yet."""
        total = 0
        for t in trained:
            for part, images in (("train", self._data.X_train), ("test", self._data.X_test)):
                is_kept = part == "train" and t.recipe.kind in _FACTORED
                if not is_kept and not self.path(t, part).exists():
                    total += len(images) * _CLASSES * (prod(images.shape[1:]) + 1) * np.dtype(np.float32).itemsize
        return total

    def check_space(self, trained: Sequence[Trained]) -> int:
        """Return `need`, or refuse when the disk has less free.

        Raises
        ------
        ArgumentError
        """
        need = self.need(trained)
        self._folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self._folder).free
        if need > free:
            raise ArgumentError(
                f"the affine maps of {', '.join(t.recipe.title for t in trained)} need {need / 1e9:.1f} GB in "
                f"`{self._folder}`, but the disk has {free / 1e9:.1f} GB free. Name another folder for the run, or "
                "fewer networks."
            )
        return need

    def maps(self, trained: Trained, part: str, tell: Staged) -> Any:
        """Return a network's maps at the "train" or "test" images: `AffineMaps` in a file, or `FactoredMaps`.

        Of a large network they are torch's own (`write_torch_maps`); of others those of the opened network.
        """
        net, X = self.network(trained), self.inputs(part)
        if part == "train" and trained.recipe.kind in _FACTORED:
            return net.factored_affine_at(X)
        path = self.path(trained, part)
        if not path.exists():
            self.check_space([trained])
            what = f"{trained.recipe.title}, seed {trained.seed}: affine maps at the {part} images"
            if trained.recipe.is_large:
                write_torch_maps(
                    self._module(trained), X, _CLASSES, path, device=self._device,
                    progress=lambda done, of: tell(what, done, of),
                )  # fmt: skip
            else:
                net.affine_at(
                    X, ties="torch", dtype=np.float32, out=path, jobs=self._jobs,
                    device=None if self._device == "cpu" else self._device,
                    progress=lambda _, done, share: tell(what, done, total_of(done, share)),
                )  # fmt: skip
        stored = np.load(path, mmap_mode="r")
        return AffineMaps(stored[:, :, :-1].reshape(*stored.shape[:2], *net.input_shape), stored[:, :, -1])

    def _module(self, trained: Trained) -> Any:
        return trained.module().to(self._device)

    def drop(self, trained: Trained) -> None:
        """Delete the files of a network, and close it."""
        self._networks.pop(trained.path, None)
        for part in ("train", "test"):
            self.path(trained, part).unlink(missing_ok=True)
