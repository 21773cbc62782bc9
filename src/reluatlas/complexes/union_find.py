"""Which things hang together? Connected components, without the half second that importing a library for it takes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reluatlas.compiled.jit import inner, kernel


@inner
def _root(parent, i):
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@kernel
def join(parent, first, second):
    """Join pairs of things in a forest of parents; the root of a tree is its lowest member."""
    for k in range(first.size):
        a, b = _root(parent, first[k]), _root(parent, second[k])
        if a < b:
            parent[b] = a
        elif b < a:
            parent[a] = b
    for i in range(parent.size):
        parent[i] = _root(parent, i)


def components(n: int, first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the lowest member of each thing's component, for n things joined in pairs."""
    parent = np.arange(n)
    join(parent, np.ascontiguousarray(first, dtype=np.int64), np.ascontiguousarray(second, dtype=np.int64))
    return parent
