"""What does the head of an `.npy` file say is in it? Read before anything is made room for."""

from __future__ import annotations

from math import prod
from typing import IO, NamedTuple

import numpy as np
from numpy.lib import format as npy

_LONGEST = 2**16


class NpyHead(NamedTuple):
    """Type, shape and order of an array, and the bytes that its head and its numbers take."""

    dtype: np.dtype
    shape: tuple[int, ...]
    is_fortran: bool
    head_bytes: int
    bytes: int


def read_npy_head(file: IO[bytes]) -> NpyHead:
    """Return what the head of an `.npy` file says, read from its start.

    Raises
    ------
    ValueError
        When it is no such head, or one of an array of Python objects or of records.
    """
    try:
        version = npy.read_magic(file)
        reader = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}.get(version)
        if reader is None:
            raise ValueError(f"format {version} of arrays")
        shape, is_fortran, dtype = reader(file, max_header_size=_LONGEST)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError, OverflowError) as error:
        raise ValueError(f"an array's head cannot be read: {type(error).__name__}") from None
    if dtype.kind not in "biufU" or dtype.fields is not None or dtype.subdtype is not None or not dtype.itemsize:
        raise ValueError(f"an array of type {dtype}")
    if any(isinstance(side, bool) or side < 0 for side in shape) or len(shape) > 8:
        raise ValueError(f"an array of shape {shape}")
    return NpyHead(dtype, shape, bool(is_fortran), file.tell(), dtype.itemsize * prod(shape))
