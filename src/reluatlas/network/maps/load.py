"""How are affine maps read back? From the files that `affine_at` writes."""

from __future__ import annotations

import os
from math import prod
from pathlib import Path

import numpy as np

from reluatlas.affine import AffineMaps
from reluatlas.errors import ArgumentError, DimensionError, ResultFileError
from reluatlas.network.maps.parquet import TableMaps
from reluatlas.storage.arrays import read_npy_head


def load_maps(path: str | os.PathLike[str], *, input_shape: tuple[int, ...] | None = None) -> AffineMaps:
    """Return the affine maps that `affine_at(X, out=path)` wrote.

    Parameters
    ----------
    path : path ending with .npy or .parquet
    input_shape : tuple of int, optional
        Shape of one input. A `.parquet` file says it; of an `.npy` file, A is (N, m, n_inputs) without it.

    Returns
    -------
    AffineMaps
        Of an `.npy` file parts of one memory map, without `is_on_face`. Of a `.parquet` file `A` and `b` are read into
        memory, whole, when they are first asked for; `is_on_face` is that of the file, where it has it.

    Raises
    ------
    ResultFileError
        When the file is missing, damaged, of another version, or holds no maps.
    DimensionError
        When `input_shape` is not of as many numbers as the file's rows.
    ArgumentError
        When the path ends otherwise.
    MissingDependencyError
        When a `.parquet` file is read and pyarrow is not installed.

    Guarantees
    ----------
    The numbers are those that were written, to the bit.
    """
    source = Path(path)
    ending = source.suffix.lower()
    if ending not in (".npy", ".parquet"):
        raise ArgumentError(f"`{source}` must end with .npy or .parquet: these are the files that `affine_at` writes.")
    maps = TableMaps(source) if ending == ".parquet" else None
    size = prod(maps.shape[2:]) if maps is not None else 0
    stored = np.empty(0)
    if maps is None:
        stored = _mapped(source)
        size = stored.shape[2] - 1
    shape = input_shape if input_shape is not None else (size,) if maps is None else maps.shape[2:]
    if prod(shape) != size:
        raise DimensionError(f"`input_shape={shape}` has {prod(shape)} numbers; the maps in `{source}` take {size}.")
    if maps is None:
        return AffineMaps(stored[:, :, :-1].reshape(*stored.shape[:2], *shape), stored[:, :, -1])
    if tuple(shape) == maps.shape[2:]:
        return maps
    return AffineMaps(maps.A.reshape(*maps.shape[:2], *shape), maps.b, lambda: maps.is_on_face)  # type: ignore[arg-type]


def _mapped(source: Path) -> np.ndarray:
    try:
        with source.open("rb") as file:
            head = read_npy_head(file)
            n_bytes = os.fstat(file.fileno()).st_size
        if head.head_bytes + head.bytes != n_bytes:
            raise ValueError(f"its array takes {head.head_bytes + head.bytes:,} bytes and the file has {n_bytes:,}")
        if len(head.shape) != 3 or head.shape[2] < 1 or head.dtype.kind != "f":
            raise ResultFileError(
                f"`{source}` holds {head.dtype} {head.shape}, not affine maps: expected floats (N, m, n_inputs + 1)."
            )
        # a file without numbers cannot be mapped
        return np.lib.format.open_memmap(source, mode="r") if head.bytes else np.empty(head.shape, head.dtype)
    except ResultFileError:
        raise
    except FileNotFoundError:
        raise ResultFileError(f"`{source}` does not exist. Pass a file that `affine_at` wrote.") from None
    except (OSError, ValueError, EOFError) as problem:
        raise ResultFileError(f"`{source}` is not an .npy file, or is damaged ({problem}).") from None
