"""How do arrays travel? One after another in one run of bytes, each named in a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

_ALIGNED = 8
_KINDS = {"u1": "u1", "u2": "<u2", "u4": "<u4", "i4": "<i4", "f4": "<f4", "f8": "<f8"}


def packed(arrays: Mapping[str, NDArray[Any]]) -> tuple[list[dict[str, Any]], bytes]:
    """Return the table of arrays (name, kind, place, length) and their bytes, little end first.

    Raises
    ------
    KeyError
        When an array is of a kind that pages do not read.
    """
    table: list[dict[str, Any]] = []
    parts: list[bytes] = []
    at = 0
    for name, array in arrays.items():
        kind = f"{array.dtype.kind}{array.dtype.itemsize}"
        data = np.ascontiguousarray(array, dtype=_KINDS[kind]).tobytes()
        table.append({"name": name, "kind": kind, "at": at, "length": int(array.size)})
        padding = -len(data) % _ALIGNED
        parts += [data, bytes(padding)]
        at += len(data) + padding
    return table, b"".join(parts)
