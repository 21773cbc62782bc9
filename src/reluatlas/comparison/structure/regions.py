"""Which linear region of one network is which of the other? An optimal one-to-one matching, by their overlaps."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import fsum

import numpy as np

from reluatlas.comparison.structure.overlaps import Overlaps, agreement_of
from reluatlas.shown import Shown
from reluatlas.typing import FloatArray, IntArray


@dataclass(frozen=True, eq=False, repr=False)
class RegionMatching(Shown):
    """Linear regions of two networks, matched one to one. Made by `reluatlas.compare_structure`.

    Attributes
    ----------
    similarity : float
        The most that matched regions can have in common: the sum of their overlaps' shares of area, each times how far
        the maps agree there. From 0 to 1.
    overlap : float
        The same without the maps: the largest share of area in matched regions' overlaps.
    f, g : ndarray of int, shape (p,)
        The pairs of the matching for `similarity`: labels in `f_complex.linear_regions` and that of g. Regions that
        share nothing, or in which maps agree not at all, are matched with none.
    share, agreement : ndarray, shape (p,)
        Of each pair: the share of area that they overlap in, and how far their maps agree there.
    n_f, n_g : int
        Numbers of linear regions.
    """

    similarity: float
    overlap: float
    f: IntArray
    g: IntArray
    share: FloatArray
    agreement: FloatArray
    n_f: int
    n_g: int


def match_regions(found: Overlaps) -> RegionMatching:
    """Return the matching of linear regions; see `reluatlas.compare_structure`."""
    n_f, n_g = found.f_complex.n_linear_regions, found.g_complex.n_linear_regions
    pair, member = np.unique(found.f_region * n_g + found.g_region, return_inverse=True)
    order = np.argsort(member, kind="stable")
    starts = np.searchsorted(member[order], np.arange(pair.size + 1))
    runs = [order[a:b] for a, b in pairwise(starts.tolist())]
    share = np.array([fsum(found.share[run]) for run in runs])
    square = np.array([fsum(found.square[run]) for run in runs])
    agreement = np.array(
        [agreement_of(s, a, found.unrelated) if a > 0 else 0.0 for s, a in zip(square, share, strict=True)]
    )
    f, g = pair // n_g, pair % n_g
    whole = fsum(share)
    chosen = best_matching(f, g, share * agreement, n_f, n_g)
    alone = best_matching(f, g, share, n_f, n_g)
    return RegionMatching(
        similarity=_ratio((share * agreement)[chosen], whole),
        overlap=_ratio(share[alone], whole),
        f=f[chosen],
        g=g[chosen],
        share=share[chosen],
        agreement=agreement[chosen],
        n_f=n_f,
        n_g=n_g,
    )


def best_matching(f: IntArray, g: IntArray, weight: FloatArray, n_f: int, n_g: int) -> IntArray:
    """Return which edges (f, g) of a bipartite graph make the one-to-one matching with the largest sum of weights.

    Weights are at least 0; edges of weight 0 are in none. The graph is sparse: regions overlap few others.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import min_weight_full_bipartite_matching

    kept = np.flatnonzero(weight > 0)
    if not kept.size:
        return kept
    # a column of its own for each row lets it stay alone; all weights plus one, so that none of them is 0
    rows = np.concatenate([f[kept], np.arange(n_f)])
    columns = np.concatenate([g[kept], n_g + np.arange(n_f)])
    values = 1.0 + np.concatenate([weight[kept] / weight.max(), np.zeros(n_f)])
    graph = csr_array((values, (rows, columns)), shape=(n_f, n_g + n_f))
    matched = dict(
        zip(*(side.tolist() for side in min_weight_full_bipartite_matching(graph, maximize=True)), strict=True)
    )
    return kept[[matched[i] == j for i, j in zip(f[kept].tolist(), g[kept].tolist(), strict=True)]]


def _ratio(parts: FloatArray, whole: float) -> float:
    return min(1.0, fsum(parts) / whole)
