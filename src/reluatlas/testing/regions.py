"""Do labels of regions and of maps say what they should? One map for a label, and regions that are connected."""

from __future__ import annotations

from typing import Any

import numpy as np

from reluatlas.testing.incidence import owners
from reluatlas.testing.patterns import map_tolerance
from reluatlas.testing.require import require, require_whole


def check_regions(cx: Any) -> None:
    """Assert that linear regions are connected through facets and that equal labels have equal maps."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    regions, ids, cells = np.asarray(cx.linear_regions), np.asarray(cx.affine_map_ids), np.arange(cx.n_cells)
    for labels, count, what in ((regions, cx.n_linear_regions, "regions"), (ids, cx.n_affine_maps, "maps")):
        in_use = labels.shape == cells.shape and np.array_equal(np.unique(labels), np.arange(count))
        require_whole(in_use, f"labels of {what} are not 0, 1, ..., {count - 1}, one for each cell")
    maps, error = np.concatenate([cx.affine.A, cx.affine.b[:, :, None]], axis=2), map_tolerance(cx)
    for labels, what in ((regions, "linear region"), (ids, "label of maps")):
        _, first, label = np.unique(labels, return_index=True, return_inverse=True)
        lead = first[label.reshape(-1)]
        apart = np.abs(maps - maps[lead])
        fine = ~(apart > 2 * (error + error[lead]))
        require(fine, cells[:, None, None], f"its map is not that of its {what}; they differ by {apart.max():.3g}")
    owner = owners(cx.facets.offsets)
    inner = np.flatnonzero(cx.facets.neighbor >= 0)
    i, j = owner[inner], cx.facets.neighbor[inner]
    same = regions[i] == regions[j]
    require(same == (ids[i] == ids[j]), i, "a neighbor with its map is in another region, or one of its region is not")
    joined = coo_array((np.ones(int(same.sum())), (i[same], j[same])), shape=(cx.n_cells, cx.n_cells))
    pieces = int(connected_components(joined, directed=False, return_labels=False))
    whole = pieces == cx.n_linear_regions or not cx.is_complete
    require_whole(whole, f"{cx.n_linear_regions} regions are in {pieces} pieces")
