"""What is the hash of a pattern? The keys of its units' pieces, each a number of 64 bits, by exclusive or."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reluatlas.compiled.jit import kernel


@kernel
def piece_key(unit, piece):
    """Return the 64-bit key of a unit's piece (splitmix64); piece 0 has key 0."""
    if piece == 0:
        return np.uint64(0)
    z = np.uint64(unit) * np.uint64(1024) + np.uint64(piece)
    z = z * np.uint64(0x9E3779B97F4A7C15) + np.uint64(0x632BE59BD9B4E019)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@kernel
def pattern_key(pieces, n):
    """Return the hash of the first n pieces of a pattern."""
    total = np.uint64(0)
    for unit in range(n):
        total ^= piece_key(unit, pieces[unit])
    return total


@kernel
def _write_keys(column, keys):
    for j in range(column.size):
        keys[j] = piece_key(column[j], 1)


def keys_of_one(column: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Return the key of piece 1 of each unit, by its column."""
    keys = np.empty(column.size, dtype=np.uint64)
    _write_keys(column, keys)
    return keys
