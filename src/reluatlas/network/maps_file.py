"""How do affine maps go to disk? Row by row into one `.npy` array, under a temporary name until it is whole."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path
from threading import Lock, local

import numpy as np
from numpy.typing import DTypeLike, NDArray

from reluatlas.affine import AffineMaps
from reluatlas.errors import ArgumentError


class MapsFile:
    """A `.npy` file of shape (N, m, n_inputs + 1): of each output, the row of A and then b.

    Batches may be written in any order and by several threads. The file appears when it is whole; until then, and
    when something fails, a file that was there before stays as it is.

    Parameters
    ----------
    path : path
    shape : (N, m, n_inputs)
    dtype : dtype

    Raises
    ------
    ArgumentError
        When the path cannot be written, or the disk has too little space.
    """

    def __init__(self, path: str | os.PathLike[str], shape: tuple[int, int, int], dtype: DTypeLike) -> None:
        self.path = Path(path)
        n, m, size = shape
        self._shape = (n, m, size + 1)
        self._dtype = np.dtype(dtype)
        if self.path.suffix.lower() != ".npy":
            raise ArgumentError(f"`out={str(path)!r}` must end with .npy: maps are written as one array.")
        if self.path.is_dir():
            raise ArgumentError(f"`out={str(path)!r}` is a folder. Name a file in it.")
        if not self.path.parent.is_dir():
            raise ArgumentError(f"`out={str(path)!r}`: there is no folder `{self.path.parent}`. Make it first.")
        need = int(np.prod(self._shape, dtype=object)) * self._dtype.itemsize
        free = shutil.disk_usage(self.path.parent).free
        if need > free:
            raise ArgumentError(
                f"`out={str(path)!r}` needs {_size(need)} but the disk has {_size(free)} free. Pass fewer `outputs=`, "
                "`dtype=np.float32`, or a path on another disk."
            )
        self._lock = Lock()
        self._local = local()
        self._draft = self.path.with_name(f".{self.path.name}.{os.getpid()}.tmp")
        try:
            with self._draft.open("wb") as file:
                header = {"descr": self._dtype.str, "fortran_order": False, "shape": self._shape}
                np.lib.format.write_array_header_2_0(file, header)
                self._start = file.tell()
                file.truncate(self._start + need)
            self._file = self._draft.open("r+b")
        except OSError as problem:
            self._draft.unlink(missing_ok=True)
            raise ArgumentError(f"`out={str(path)!r}` cannot be written: {problem.strerror or problem}.") from None

    def write(self, first: int, A: NDArray, b: NDArray) -> None:
        """Write maps A (k, m, n_inputs) and b (k, m) from row `first` on."""
        block = getattr(self._local, "block", None)  # kept: fresh memory costs as much as filling it
        if block is None or block.shape[0] < A.shape[0]:
            block = self._local.block = np.empty((A.shape[0], *self._shape[1:]), dtype=self._dtype)
        block = block[: A.shape[0]]
        block[:, :, :-1], block[:, :, -1] = A, b
        at = self._start + first * self._shape[1] * self._shape[2] * self._dtype.itemsize
        try:
            with self._lock:
                self._file.seek(at)
                self._file.write(block.data)
        except OSError as problem:
            raise ArgumentError(
                f"`out={str(self.path)!r}` cannot be written: {problem.strerror or problem}. Nothing was kept."
            ) from None

    def finish(self) -> None:
        """Give the file its name."""
        try:
            self._file.close()
        except OSError as problem:
            raise ArgumentError(f"`out={str(self.path)!r}` cannot be written: {problem.strerror or problem}.") from None
        os.replace(self._draft, self.path)

    def drop(self) -> None:
        """Leave nothing behind."""
        with suppress(OSError):
            self._file.close()
        self._draft.unlink(missing_ok=True)


def open_maps(path: str | os.PathLike[str], input_shape: tuple[int, ...]) -> AffineMaps:
    """Return the maps in a file that `MapsFile` wrote, as parts of one memory map."""
    try:
        stored = np.lib.format.open_memmap(path, mode="r")
    except ValueError:  # a file without numbers cannot be mapped
        stored = np.load(path, allow_pickle=False)
    return AffineMaps(stored[:, :, :-1].reshape(*stored.shape[:2], *input_shape), stored[:, :, -1])


def _size(n_bytes: int) -> str:
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes >= 1e8 else f"{n_bytes / 1e6:.1f} MB"
