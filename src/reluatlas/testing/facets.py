"""Do facets agree from both sides? With a twin, an owner and an end each, or on the domain's boundary."""

from __future__ import annotations

from typing import Any

import numpy as np

from reluatlas.domain import Space
from reluatlas.testing.incidence import Incidence, has_vertices, incidence, is_plane, outline, owners
from reluatlas.testing.require import require, require_whole

_CHUNK = 2**13


def check_facets(cx: Any) -> None:
    """Assert that facets have their twins, neighbors and owners, and lie where they should."""
    facets = cx.facets
    cell = owners(facets.offsets)
    n = len(cell)
    columns = (facets.neighbor, facets.level, facets.unit, facets.twin)
    require_whole(
        facets.offsets.shape == (cx.n_cells + 1,) and all(a.shape == (n,) for a in columns),
        "arrays of facets have other lengths than their runs",
    )
    lowest = -1 if cx.is_complete else -2
    require((facets.neighbor >= lowest) & (facets.neighbor < cx.n_cells), cell, "a neighbor is no cell")
    _check_twins(cx, cell)
    _check_owners(cx, cell)
    if has_vertices(cx):
        on = incidence(cx)
        _check_sides(cx, on)
        if is_plane(cx):
            _check_ends(cx, on)
        else:
            _check_corners(cx, on)


def _check_twins(cx: Any, cell: np.ndarray) -> None:
    facets = cx.facets
    require((facets.neighbor >= 0) | (facets.twin == -1), cell, "a facet without a neighbor has a twin")
    inner = np.flatnonzero(facets.neighbor >= 0)
    twin, here = facets.twin[inner], cell[inner]
    require((twin >= 0) & (twin < len(cell)), here, "an inner facet has no twin")
    require(cell[twin] == facets.neighbor[inner], here, "a twin is not a facet of the neighbor")
    require(facets.neighbor[twin] == here, here, "a neighbor's neighbor is another cell")
    require(facets.twin[twin] == inner, here, "a twin's twin is another facet")
    couples = here * cx.n_cells + facets.neighbor[inner]
    _, back, times = np.unique(couples, return_inverse=True, return_counts=True)
    require(times[back.reshape(-1)] == 1, here, "it shares two facets with one cell")


def _check_owners(cx: Any, cell: np.ndarray) -> None:
    facets, neighbor = cx.facets, cx.facets.neighbor
    require(
        np.where(neighbor == -1, facets.level == -1, facets.level >= 0), cell,
        "the level of a facet is not that of a unit, or of a side where nothing lies behind",
    )  # fmt: skip
    require_whole(not (isinstance(cx.domain, Space) and (neighbor == -1).any()), "a facet bounds the whole space")
    slices = list(cx.network.pattern_slices().values())
    require(facets.level < len(slices), cell, "a facet is of a layer that there is not")
    sizes = [s.stop - s.start for s in slices]
    level = np.repeat(np.arange(len(slices)), sizes)
    unit = np.concatenate([np.arange(size) for size in sizes]) if slices else level
    inner = np.flatnonzero(neighbor >= 0)
    for part in (inner[i : i + _CHUNK] for i in range(0, len(inner), _CHUNK)):
        differ = cx.patterns[cell[part]] != cx.patterns[neighbor[part]]
        require(differ.any(axis=1), cell[part], "a neighbor has its pattern")
        first = differ.argmax(axis=1)
        same = (facets.level[part] == level[first]) & (facets.unit[part] == unit[first])
        require(same, cell[part], "a facet is not owned by the first unit that differs behind it")


def _check_sides(cx: Any, on: Incidence) -> None:
    """Assert that vertices are in the domain, and facets without a neighbor on one of its sides."""
    if isinstance(cx.domain, Space):
        return
    box, points, reach = cx.domain.box, cx.vertices.points, on.reach[:, None]
    inside = (points >= box.low - reach) & (points <= box.high + reach)
    require(inside, on.vertex_cell[:, None], "a vertex is outside the domain")
    near = np.concatenate([np.abs(points - wall) <= reach for wall in (box.low, box.high)], axis=1)
    whole = np.ones((len(on.facet_cell), near.shape[1]), dtype=bool)
    np.logical_and.at(whole, on.facet, near[on.vertex])
    require(
        (cx.facets.neighbor != -1) | whole.any(axis=1), on.facet_cell,
        "a facet without a neighbor is not on the domain's boundary",
    )  # fmt: skip


def _check_ends(cx: Any, on: Incidence) -> None:
    """Assert that the two sides of an edge have the same ends."""
    _, following = outline(cx)
    points, inner = cx.vertices.points, np.flatnonzero(cx.facets.neighbor >= 0)
    twin = cx.facets.twin[inner]
    for p, q in ((inner, following[twin]), (following[inner], twin)):
        apart = np.hypot(*(points[p] - points[q]).T)
        require(
            ~(apart > on.reach[p] + on.reach[q]), on.facet_cell[inner],
            f"the ends of a facet and of its twin are up to {apart.max(initial=0):.3g} apart",
        )  # fmt: skip


def _check_corners(cx: Any, on: Incidence) -> None:
    """Assert that the two sides of a facet have the same vertices, and that there are enough of them."""
    k, ids, n = cx.domain.dim, np.asarray(cx.vertex_ids), len(on.facet_cell)
    finite = np.flatnonzero(~on.is_ray)
    order = finite[np.argsort(ids[finite], kind="stable")]
    same = ids[order[1:]] == ids[order[:-1]]
    p, q = order[1:][same], order[:-1][same]
    apart = np.abs(cx.vertices.points[p] - cx.vertices.points[q]).max(axis=1, initial=0.0)
    require(~(apart > on.reach[p] + on.reach[q]), on.vertex_cell[p], "a vertex has the label of another point")

    # the set of labels of each facet, and that of its twin, as sorted runs
    twin = cx.facets.twin[on.facet]
    mine, theirs = np.stack([on.facet, ids[on.vertex]]), np.stack([twin, ids[on.vertex]])
    mine, theirs = mine[:, twin >= 0], theirs[:, twin >= 0]
    one, other = (np.lexsort(pairs[::-1]) for pairs in (mine, theirs))
    cell = on.facet_cell[mine[0][one]]
    require((mine[:, one] == theirs[:, other]).all(axis=0), cell, "a facet and its twin have other vertices")

    bounded = np.ones(cx.n_cells, dtype=bool)
    bounded[on.vertex_cell[on.is_ray]] = False
    cells = np.arange(cx.n_cells)
    require(~bounded | (np.diff(cx.facets.offsets) > k), cells, f"a polytope with {k} facets or fewer")
    per_facet, per_vertex = np.bincount(on.facet, minlength=n), np.bincount(on.vertex, minlength=len(ids))
    require(~bounded[on.facet_cell] | (per_facet >= k), on.facet_cell, f"a facet with fewer than {k} vertices")
    require(~bounded[on.vertex_cell] | (per_vertex >= k), on.vertex_cell, f"a vertex on fewer than {k} facets")
