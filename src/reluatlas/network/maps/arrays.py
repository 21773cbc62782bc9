"""Where do affine maps go? Into arrays, or into one `.npy` file, under a temporary name until it is whole."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path
from threading import Lock, local
from typing import Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

from reluatlas.errors import ArgumentError

MapsShape = tuple[int, int, int]
"""Number of maps, of outputs, of inputs."""


class Target(Protocol):
    """Takes maps in batches of points and outputs, in any order and from several threads.

    A thread asks for room, fills it, and then says that it is full.
    """

    def room(self, points: slice, outputs: slice) -> tuple[NDArray, NDArray]:
        """Return where A (points * outputs, n_inputs) and b (points, outputs) of a batch are to be written."""
        ...

    def write(self, points: slice, outputs: slice, on_face: NDArray[np.bool_] | None) -> None:
        """Take what was written into the room."""
        ...

    def finish(self) -> None:
        """Keep everything."""
        ...

    def drop(self) -> None:
        """Leave nothing behind; may be called from any thread, and more than once."""
        ...


class Room(local):
    """Arrays that a thread writes one batch after the other into: fresh memory costs as much as filling it."""

    def __init__(self) -> None:
        self._kept = np.empty(0, dtype=np.uint8)

    def take(self, n_numbers: int, dtype: np.dtype) -> NDArray:
        """Return room for some numbers."""
        if self._kept.dtype != dtype or self._kept.size < n_numbers:
            self._kept = np.empty(0, dtype=dtype)  # let go before more is taken
            self._kept = np.empty(n_numbers, dtype=dtype)
        return self._kept[:n_numbers]


class InMemory:
    """Maps in arrays `A` (N, m, n_inputs) and `b` (N, m)."""

    def __init__(self, shape: MapsShape, dtype: np.dtype) -> None:
        self.A = np.empty(shape, dtype=dtype)
        self.b = np.empty(shape[:2], dtype=dtype)
        self._room = Room()

    def room(self, points: slice, outputs: slice) -> tuple[NDArray, NDArray]:
        """Return where a batch is to be written: the arrays themselves where that is one piece of them."""
        n = self.A.shape[2]
        rows = (points.stop - points.start) * (outputs.stop - outputs.start)
        if outputs.stop - outputs.start == self.A.shape[1]:
            return self.A[points].reshape(rows, n), self.b[points]
        return self._room.take(rows * n, self.A.dtype).reshape(rows, n), self.b[points, outputs]

    def write(self, points: slice, outputs: slice, on_face: NDArray[np.bool_] | None) -> None:
        """Copy what was not written in its place."""
        if outputs.stop - outputs.start < self.A.shape[1]:
            part = self.A[points, outputs]
            part[...] = self._room.take(part.size, self.A.dtype).reshape(part.shape)

    def finish(self) -> None:
        """Keep everything."""

    def drop(self) -> None:
        """Leave nothing behind."""


class MapsFile:
    """A `.npy` file of shape (N, m, n_inputs + 1): of each output, the row of A and then b.

    The file appears when it is whole; until then, and when something fails, a file that was there before stays as it
    is.

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

    def __init__(self, path: str | os.PathLike[str], shape: MapsShape, dtype: DTypeLike) -> None:
        self.path = Path(path)
        n, m, size = shape
        self._shape = (n, m, size + 1)
        self._dtype = np.dtype(dtype)
        need = int(np.prod(self._shape, dtype=object)) * self._dtype.itemsize
        checked_path(self.path, need)
        self._lock = Lock()
        self._room = Room()
        self._draft = draft_of(self.path)
        try:
            with self._draft.open("wb") as file:
                header = {"descr": self._dtype.str, "fortran_order": False, "shape": self._shape}
                np.lib.format.write_array_header_2_0(file, header)
                self._start = file.tell()
                file.truncate(self._start + need)
            self._file = self._draft.open("r+b", buffering=0)
        except OSError as problem:
            self._draft.unlink(missing_ok=True)
            raise cannot_write(path, problem) from None

    def room(self, points: slice, outputs: slice) -> tuple[NDArray, NDArray]:
        """Return where a batch is to be written."""
        block = self._block(points, outputs)
        return block.reshape(block.shape[0] * block.shape[1], -1)[:, :-1], block[:, :, -1]

    def write(self, points: slice, outputs: slice, on_face: NDArray[np.bool_] | None) -> None:
        """Write the batch to its place in the file."""
        block = self._block(points, outputs)
        per_output = self._shape[2] * self._dtype.itemsize
        at = self._start + (points.start * self._shape[1] + outputs.start) * per_output
        try:
            if block.shape[1] == self._shape[1]:
                self._write(block, at)
            else:
                for k in range(block.shape[0]):
                    self._write(block[k], at + k * self._shape[1] * per_output)
        except OSError as problem:
            raise cannot_write(self.path, problem, "Nothing was kept.") from None

    def _block(self, points: slice, outputs: slice) -> NDArray:
        shape = (points.stop - points.start, outputs.stop - outputs.start, self._shape[2])
        return self._room.take(int(np.prod(shape)), self._dtype).reshape(shape)

    def _write(self, block: NDArray, at: int) -> None:
        left = block.reshape(-1).view(np.uint8).data
        while left:  # a call may write less than it was given
            if hasattr(os, "pwrite"):
                done = os.pwrite(self._file.fileno(), left, at)
            else:
                with self._lock:
                    self._file.seek(at)
                    done = self._file.write(left) or 0
            left, at = left[done:], at + done

    def finish(self) -> None:
        """Give the file its name."""
        try:
            self._file.close()
        except OSError as problem:
            raise cannot_write(self.path, problem) from None
        os.replace(self._draft, self.path)

    def drop(self) -> None:
        """Leave nothing behind."""
        with suppress(OSError):
            self._file.close()
        self._draft.unlink(missing_ok=True)


def draft_of(path: Path) -> Path:
    """Return the temporary name of a file."""
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")


def checked_path(path: Path, need: int) -> None:
    """Refuse a path that `need` bytes cannot be written to.

    Raises
    ------
    ArgumentError
        When it is a folder, in no folder, or the disk has too little space.
    """
    given = f"`out={str(path)!r}`"
    if path.is_dir():
        raise ArgumentError(f"{given} is a folder. Name a file in it.")
    if not path.parent.is_dir():
        raise ArgumentError(f"{given}: there is no folder `{path.parent}`. Make it first.")
    free = shutil.disk_usage(path.parent).free
    if need > free:
        raise ArgumentError(
            f"{given} needs {_size(need)} but the disk has {_size(free)} free. Pass fewer `outputs=`, "
            "`dtype=np.float32`, or a path on another disk."
        )


def cannot_write(path: str | os.PathLike[str], problem: OSError, more: str = "") -> ArgumentError:
    """Return the error that says why a file cannot be written."""
    return ArgumentError(f"`out={str(path)!r}` cannot be written: {problem.strerror or problem}. {more}".rstrip())


def _size(n_bytes: int) -> str:
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes >= 1e8 else f"{n_bytes / 1e6:.1f} MB"
