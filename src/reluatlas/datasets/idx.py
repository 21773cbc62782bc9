"""What does an idx file hold? The format of the MNIST files: a header, the sizes of an array, then its bytes."""

from __future__ import annotations

import gzip
import zlib
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reluatlas.errors import DataFileError

MAX_BYTES = 2**31
_UNSIGNED_BYTES = 0x08


def unpacked(path: Path) -> bytes:
    """Return the bytes of a file, unpacked when it is compressed by gzip.

    Raises
    ------
    DataFileError
        When the file is missing, damaged, or unpacks to more than 2 GiB.
    """
    try:
        with path.open("rb") as file:
            is_packed = file.read(2) == b"\x1f\x8b"
        with gzip.open(path, "rb") if is_packed else path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise DataFileError(f"`{path}` does not exist. Name a folder that holds it.") from None
    except (OSError, EOFError, zlib.error) as problem:
        raise DataFileError(
            f"`{path}` cannot be read ({type(problem).__name__}: {problem}). Copy or download it again."
        ) from None
    if len(data) > MAX_BYTES:
        raise DataFileError(f"`{path}` unpacks to more than {MAX_BYTES:,} bytes. Check the file.")
    return data


def read_idx(data: bytes, name: str) -> NDArray[np.uint8]:
    """Return the array of an idx file of unsigned bytes.

    Parameters
    ----------
    data : bytes
        The unpacked content: two zero bytes, the type (8), the number of axes, the sizes as big-endian 32-bit
        integers, and the numbers in C order.
    name : str
        What errors call it.

    Raises
    ------
    DataFileError
        When the content is of another type, or of another length than its header says.
    """
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] != _UNSIGNED_BYTES or not 1 <= data[3] <= 4:
        raise DataFileError(f"`{name}` is no idx file of unsigned bytes: it starts with {data[:4].hex() or 'nothing'}.")
    start = 4 + 4 * data[3]
    shape = tuple(int.from_bytes(data[at : at + 4], "big") for at in range(4, start, 4))
    if len(data) != start + prod(shape):
        raise DataFileError(
            f"`{name}` has {len(data):,} bytes unpacked; its header says {start + prod(shape):,} "
            f"({' x '.join(map(str, shape))}). Copy or download it again."
        )
    return np.frombuffer(data, dtype=np.uint8, offset=start).reshape(shape)
