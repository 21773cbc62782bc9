"""Would the checks notice? Complexes with one thing wrong, which they must reject."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reluatlas.errors import ArgumentError
from reluatlas.testing.incidence import Incidence, incidence, is_plane, outline, owners

_VALUES = (
    "network", "domain", "n_cells", "n_outputs", "is_complete", "stopped_by", "exactness", "n_linear_regions",
    "n_affine_maps", "f_vector", "euler_characteristic",
)  # fmt: skip
_ARRAYS = ("patterns", "volumes", "linear_regions", "affine_map_ids")
_OF_VERTICES = ("points", "radii", "is_ray", "on")
_STEP = 1e-3


def broken_complexes(cx: Any) -> Iterator[tuple[str, SimpleNamespace]]:
    """Yield copies of a right complex, each wrong in one way, with the name of what is wrong.

    A check of complexes that takes one of them is too weak. Several are consistent in themselves: a corner moved in all
    its cells, volumes exchanged, neighbors exchanged with their twins, a cell left out with all that leads to it.

    Parameters
    ----------
    cx : PolyhedralComplex, or anything with its attributes
        Complete and right, in one to six dimensions. It stays as it was.

    Yields
    ------
    str, SimpleNamespace
        The copies have the attributes of a `PolyhedralComplex` that `assert_complex` reads, and none of its methods.
        In the plane up to 16, beyond it up to 16 others; ways that a complex has no place for are left out.

    Raises
    ------
    ArgumentError
        When no two neighbors have different maps: nothing could be told apart.

    Cost
    ----
    One copy of the complex at a time.

    Examples
    --------
    >>> import numpy as np
    >>> import reluatlas as ra
    >>> from reluatlas.testing import assert_complex, broken_complexes
    >>> net = ra.load([(np.eye(2), np.zeros(2)), (np.ones((1, 2)), np.zeros(1))])
    >>> cx = ra.enumerate_cells(net, ra.Box(-1, 1, dim=2))
    >>> name, bad = next(broken_complexes(cx))
    >>> name
    'moved vertex'
    >>> assert_complex(bad)
    Traceback (most recent call last):
    AssertionError: cell 0: its volume is not the area of its polygon
    """
    on, facets, cell_of = incidence(cx), cx.facets, owners(cx.facets.offsets)
    inner = np.flatnonzero(facets.neighbor >= 0)
    jumps = np.abs(cx.affine.A[cell_of[inner]] - cx.affine.A[facets.neighbor[inner]]).sum(axis=(1, 2))
    if not jumps.any():
        raise ArgumentError("`cx` has no two neighbors with different maps. Pass another complex.")
    best = int(inner[(jumps * _sizes(cx, on)[inner]).argmax()])
    if cx.volumes[cell_of[best]] < cx.volumes[facets.neighbor[best]]:
        # The larger cell is the one to change: nothing that happens in a sliver shows far from it.
        best = int(facets.twin[best])
    yield from _wrong_shapes(cx, on, best)
    yield from _wrong_facets(cx, best)
    yield from _wrong_answers(cx, best)


def _wrong_shapes(cx: Any, on: Incidence, best: int) -> Iterator[tuple[str, SimpleNamespace]]:
    """Yield complexes with a vertex or a volume that is wrong; `best` is a facet across which much changes."""
    vertex = next((int(v) for v in on.vertex[on.facet == best] if not on.is_ray[v]), None)
    cell = int(on.facet_cell[best])
    run = slice(int(cx.vertices.offsets[cell]), int(cx.vertices.offsets[cell + 1]))
    if vertex is not None:
        together = _same_corner(cx, vertex)
        if is_plane(cx):
            _, following = outline(cx)
            across = cx.vertices.points[following[best]] - cx.vertices.points[best]
            step = _STEP * np.array([-across[1], across[0]])
        else:
            away = cx.vertices.points[vertex] - cx.vertices.points[run].mean(axis=0)
            step = _STEP * (away if away.any() else np.ones(away.size))
        bad = _copy(cx)
        bad.vertices.points[vertex] += step
        yield "moved vertex", bad

        bad = _copy(cx)
        bad.vertices.points[together] += step
        if is_plane(cx):
            bad.volumes = _areas(bad)
        yield "corner moved in all its cells", bad

        bad = _copy(cx)
        if is_plane(cx):
            bad.vertices.points[run] = bad.vertices.points[run][::-1]
            yield "clockwise cell", bad
        else:
            bit = best - int(cx.facets.offsets[cell])
            bad.vertices.on[vertex, bit // 64] &= ~(np.uint64(1) << np.uint64(bit % 64))
            yield "vertex off its facet", bad

    small, large = int(cx.volumes.argmin()), int(cx.volumes.argmax())
    if cx.volumes[large] > cx.volumes[small] * (1 + 1e-3) and _shown(cx, small) and _shown(cx, large):
        bad = _copy(cx)
        bad.volumes[[small, large]] = cx.volumes[[large, small]]
        yield "exchanged volumes", bad


def _wrong_facets(cx: Any, best: int) -> Iterator[tuple[str, SimpleNamespace]]:
    """Yield complexes with facets that lead elsewhere."""
    facets, cell_of = cx.facets, owners(cx.facets.offsets)
    cell, other, twin = int(cell_of[best]), int(facets.neighbor[best]), int(facets.twin[best])
    inner = np.flatnonzero(facets.neighbor >= 0)

    bad = _copy(cx)
    bad.facets.neighbor[[best, twin]] = bad.facets.twin[[best, twin]] = bad.facets.level[[best, twin]] = -1
    yield "lost neighbors", bad

    bad = _copy(cx)
    bad.facets.neighbor[best] = cell
    yield "neighbor of itself", bad

    more = [j for j in inner.tolist() if cell_of[j] == cell and j != best]
    if more:
        bad = _copy(cx)
        _exchange(bad.facets, best, more[0])
        yield "swapped neighbors", bad

    bad = _copy(cx)
    bad.facets.unit[[best, twin]] += 1
    yield "wrong owner", bad

    if len(inner) > 2:
        yield "missing cell", _without(cx, other)


def _wrong_answers(cx: Any, best: int) -> Iterator[tuple[str, SimpleNamespace]]:
    """Yield complexes with patterns, maps, labels or counts that are wrong."""
    cell, other = int(owners(cx.facets.offsets)[best]), int(cx.facets.neighbor[best])

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

    bad = _copy(cx)
    bad.f_vector = tuple(int(n) + (d < 2) for d, n in enumerate(cx.f_vector))
    yield "wrong f-vector", bad


def _copy(cx: Any) -> SimpleNamespace:
    vertices = {name: getattr(cx.vertices, name, None) for name in (*_OF_VERTICES, "offsets")}
    facets = {name: getattr(cx.facets, name).copy() for name in ("neighbor", "level", "unit", "twin", "offsets")}
    labels = {} if is_plane(cx) else {"vertex_ids": cx.vertex_ids.copy()}
    return SimpleNamespace(
        **{name: getattr(cx, name) for name in _VALUES},
        **{name: getattr(cx, name).copy() for name in _ARRAYS},
        **labels,
        affine=SimpleNamespace(A=cx.affine.A.copy(), b=cx.affine.b.copy()),
        vertices=SimpleNamespace(**{name: None if a is None else a.copy() for name, a in vertices.items()}),
        facets=SimpleNamespace(**facets),
    )


def _sizes(cx: Any, on: Incidence) -> NDArray[np.float64]:
    """Return how far each facet extends; a facet with a ray by 1 more."""
    low = np.full((len(on.facet_cell), cx.domain.dim), np.inf)
    high, finite = -low, ~on.is_ray[on.vertex]
    np.minimum.at(low, on.facet[finite], cx.vertices.points[on.vertex[finite]])
    np.maximum.at(high, on.facet[finite], cx.vertices.points[on.vertex[finite]])
    extent = np.where(high >= low, high - np.minimum(low, high), 0.0).max(axis=1)
    rays = np.bincount(on.facet[~finite], minlength=extent.size) > 0
    return extent + rays + (1.0 if cx.domain.dim == 1 else 0.0)


def _shown(cx: Any, cell: int) -> bool:
    """Return whether the volume of a cell is one that shapes tell: of slivers their rounding hides it."""
    return is_plane(cx) or cx.volumes[cell] > 1e-9 * np.median(cx.volumes)


def _same_corner(cx: Any, corner: int) -> NDArray[np.int64]:
    """Return all corners that are one vertex with `corner`: in the plane its fan of cells, through twins."""
    if not is_plane(cx):
        return np.flatnonzero(cx.vertex_ids == cx.vertex_ids[corner])
    _, following = outline(cx)
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
    return np.array(sorted(seen))


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
    corners, sides = keep[owners(cx.vertices.offsets)], keep[owners(cx.facets.offsets)]
    for name in _ARRAYS:
        setattr(bad, name, getattr(cx, name)[keep])
    bad.affine.A, bad.affine.b = cx.affine.A[keep], cx.affine.b[keep]
    bad.n_cells = cx.n_cells - 1
    for runs, given in ((bad.vertices, cx.vertices), (bad.facets, cx.facets)):
        runs.offsets = np.concatenate([[0], np.cumsum(np.diff(given.offsets)[keep])])
    for name in _OF_VERTICES:
        array = getattr(cx.vertices, name, None)
        setattr(bad.vertices, name, None if array is None else array[corners])
    if not is_plane(cx):
        bad.vertex_ids = cx.vertex_ids[corners]
    neighbor, twin = cx.facets.neighbor[sides], cx.facets.twin[sides]
    gone = neighbor == lost
    new_cell, new_facet = np.cumsum(keep) - 1, np.cumsum(sides) - 1
    bad.facets.neighbor = np.where(gone, -1, np.where(neighbor >= 0, new_cell[neighbor], neighbor))
    bad.facets.twin = np.where(gone, -1, np.where(twin >= 0, new_facet[twin], twin))
    bad.facets.level = np.where(gone, -1, cx.facets.level[sides])
    bad.facets.unit = cx.facets.unit[sides]
    return bad
