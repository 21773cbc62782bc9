"""Complexes with one thing wrong, for tests that the checks notice it."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

_VALUES = (
    "network", "domain", "n_cells", "n_outputs", "is_complete", "stopped_by", "exactness", "n_linear_regions",
    "n_affine_maps", "f_vector", "euler_characteristic",
)  # fmt: skip
_ARRAYS = ("patterns", "volumes", "linear_regions", "affine_map_ids")


def broken_complexes(cx: Any) -> Iterator[tuple[str, SimpleNamespace]]:
    """Yield (name, complex): copies of a right, complete complex, each wrong in one way.

    The complex needs two neighbors with different maps (`ValueError` without); ways that need more are left out where
    it does not have them. Several are consistent in themselves: a corner moved in all its cells, volumes exchanged,
    neighbors exchanged with their twins.
    """
    facets = cx.facets
    owners = np.repeat(np.arange(cx.n_cells), np.diff(cx.vertices.offsets))
    following = np.arange(1, len(owners) + 1)
    following[cx.vertices.offsets[1:] - 1] = cx.vertices.offsets[:-1]
    inner = np.flatnonzero(facets.neighbor >= 0)
    jumps = np.abs(cx.affine.A[owners[inner]] - cx.affine.A[facets.neighbor[inner]]).sum(axis=(1, 2))
    edge = cx.vertices.points[following[inner]] - cx.vertices.points[inner]
    if not jumps.any():
        raise ValueError("`cx` has no two neighbors with different maps. Pass another complex.")
    best = int(inner[(jumps * np.hypot(edge[:, 0], edge[:, 1])).argmax()])
    if cx.volumes[owners[best]] < cx.volumes[facets.neighbor[best]]:
        # The larger cell is the one to change: nothing that happens in a sliver shows far from it.
        best = int(facets.twin[best])
    cell, other, twin = int(owners[best]), int(facets.neighbor[best]), int(facets.twin[best])
    across = cx.vertices.points[following[best]] - cx.vertices.points[best]
    step = 1e-3 * np.array([-across[1], across[0]])

    bad = _copy(cx)
    bad.vertices.points[best] += step
    yield "moved vertex", bad

    bad = _copy(cx)
    bad.vertices.points[_same_corner(cx, best, following)] += step
    bad.volumes = _areas(bad)
    yield "corner moved in all its cells", bad

    bad = _copy(cx)
    run = slice(int(cx.vertices.offsets[cell]), int(cx.vertices.offsets[cell + 1]))
    bad.vertices.points[run] = bad.vertices.points[run][::-1]
    yield "clockwise cell", bad

    bad = _copy(cx)
    bad.facets.neighbor[[best, twin]] = bad.facets.twin[[best, twin]] = bad.facets.level[[best, twin]] = -1
    yield "lost neighbors", bad

    bad = _copy(cx)
    bad.facets.neighbor[best] = cell
    yield "neighbor of itself", bad

    more = [j for j in inner.tolist() if owners[j] == cell and j != best]
    if more:
        bad = _copy(cx)
        _exchange(bad.facets, best, more[0])
        yield "swapped neighbors", bad

    bad = _copy(cx)
    bad.facets.unit[[best, twin]] += 1
    yield "wrong owner", bad

    if len(inner) > 2:
        yield "missing cell", _without(cx, other)

    bad = _copy(cx)
    bad.patterns[cell] = cx.patterns[other]
    yield "pattern twice", bad

    bad = _copy(cx)
    # The unit that owns the facet: now its two sides no longer differ there.
    column = int(np.flatnonzero(cx.patterns[cell] != cx.patterns[other])[0])
    bad.patterns[cell, column] = cx.patterns[other, column]
    yield "changed pattern", bad

    bad = _copy(cx)
    bad.affine.A[cell], bad.affine.b[cell] = cx.affine.A[other], cx.affine.b[other]
    yield "map of the neighbor", bad

    bad = _copy(cx)
    bad.affine.b[cell] += 1e-6 * (1 + np.abs(cx.affine.A).sum(axis=2).max() + np.abs(cx.affine.b).max())
    yield "shifted map", bad

    low, high = sorted((int(cx.linear_regions[cell]), int(cx.linear_regions[other])))
    bad = _copy(cx)
    bad.linear_regions[bad.linear_regions == high] = low
    bad.linear_regions[bad.linear_regions > high] -= 1
    bad.n_linear_regions -= 1
    yield "merged regions", bad

    bad = _copy(cx)
    bad.affine_map_ids[bad.affine_map_ids == cx.affine_map_ids[other]] = cx.affine_map_ids[cell]
    bad.n_affine_maps -= 1
    yield "merged maps", bad

    small, large = int(cx.volumes.argmin()), int(cx.volumes.argmax())
    if cx.volumes[large] > cx.volumes[small] * (1 + 1e-3):
        bad = _copy(cx)
        bad.volumes[[small, large]] = cx.volumes[[large, small]]
        yield "exchanged volumes", bad

    bad = _copy(cx)
    bad.f_vector = (cx.f_vector[0] + 1, cx.f_vector[1] + 1, cx.f_vector[2])
    yield "wrong f-vector", bad


def _copy(cx: Any) -> SimpleNamespace:
    vertices = SimpleNamespace(
        points=cx.vertices.points.copy(), offsets=cx.vertices.offsets.copy(), radii=cx.vertices.radii.copy()
    )
    facets = {name: getattr(cx.facets, name).copy() for name in ("neighbor", "level", "unit", "twin", "offsets")}
    return SimpleNamespace(
        **{name: getattr(cx, name) for name in _VALUES},
        **{name: getattr(cx, name).copy() for name in _ARRAYS},
        affine=SimpleNamespace(A=cx.affine.A.copy(), b=cx.affine.b.copy()),
        vertices=vertices,
        facets=SimpleNamespace(**facets),
    )


def _same_corner(cx: Any, corner: int, following: NDArray) -> list[int]:
    """Return all corners that are one vertex with `corner`: its fan of cells, through twins."""
    before = np.empty_like(following)
    before[following] = np.arange(len(following))
    seen, stack = set(), [corner]
    while stack:
        j = stack.pop()
        if j in seen:
            continue
        seen.add(j)
        if cx.facets.twin[j] >= 0:
            stack.append(int(following[cx.facets.twin[j]]))
        if cx.facets.twin[before[j]] >= 0:
            stack.append(int(cx.facets.twin[before[j]]))
    return sorted(seen)


def _areas(cx: Any) -> NDArray[np.float64]:
    runs = [cx.vertices.points[a:b] for a, b in zip(cx.vertices.offsets, cx.vertices.offsets[1:], strict=False)]
    twice = [np.sum(p[:, 0] * np.roll(p[:, 1], -1) - p[:, 1] * np.roll(p[:, 0], -1)) for p in runs]
    return np.array(twice) / 2 * cx.domain.unit_volume


def _exchange(facets: Any, j: int, k: int) -> None:
    for name in ("neighbor", "twin", "level", "unit"):
        column = getattr(facets, name)
        column[[j, k]] = column[[k, j]]
    facets.twin[facets.twin[j]], facets.twin[facets.twin[k]] = j, k


def _without(cx: Any, lost: int) -> SimpleNamespace:
    bad = _copy(cx)
    keep = np.arange(cx.n_cells) != lost
    sizes = np.diff(cx.vertices.offsets)
    corners = np.repeat(keep, sizes)
    for name in _ARRAYS:
        setattr(bad, name, getattr(cx, name)[keep])
    bad.affine.A, bad.affine.b = cx.affine.A[keep], cx.affine.b[keep]
    bad.n_cells = cx.n_cells - 1
    bad.vertices.offsets = bad.facets.offsets = np.concatenate([[0], np.cumsum(sizes[keep])])
    bad.vertices.points, bad.vertices.radii = cx.vertices.points[corners], cx.vertices.radii[corners]
    neighbor, twin = cx.facets.neighbor[corners], cx.facets.twin[corners]
    gone = neighbor == lost
    new_cell, new_corner = np.cumsum(keep) - 1, np.cumsum(corners) - 1
    bad.facets.neighbor = np.where(gone, -1, np.where(neighbor >= 0, new_cell[neighbor], neighbor))
    bad.facets.twin = np.where(gone, -1, np.where(twin >= 0, new_corner[twin], twin))
    bad.facets.level = np.where(gone, -1, cx.facets.level[corners])
    bad.facets.unit = cx.facets.unit[corners]
    return bad
