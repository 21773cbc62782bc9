"""Connected components equal SciPy's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from reluatlas.complexes.union_find import components


@pytest.mark.parametrize("seed", range(20))
def test_components_equal_scipys(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 200))
    first, second = rng.integers(0, n, (2, int(rng.integers(0, 2 * n))))
    mine = components(n, first, second)
    links = coo_array((np.ones(first.size), (first, second)), shape=(n, n))
    count, theirs = connected_components(links, directed=False)
    assert len(set(zip(mine.tolist(), theirs.tolist(), strict=True))) == count == np.unique(mine).size
    assert all(mine[i] <= i for i in range(n))
