"""Do shapes and counts fit? Polygons are convex, volumes those of the shapes, and faces as many as Euler says."""

from __future__ import annotations

from typing import Any

import numpy as np

from reluatlas.domain import Space
from reluatlas.testing.incidence import Incidence, incidence, is_plane, outline
from reluatlas.testing.require import require, require_whole

_MOST_HULLS = 1000


def check_shapes(cx: Any) -> None:
    """Assert what must hold of the vertices and volumes of cells."""
    vertices, n = cx.vertices, cx.n_cells
    require_whole(
        vertices.offsets.shape == (n + 1,)
        and vertices.offsets[0] == 0
        and vertices.offsets[-1] == len(vertices.points) == len(vertices.radii)
        and vertices.points.shape[1] == cx.domain.dim,
        "arrays of vertices have other lengths than their runs",
    )
    on = incidence(cx)
    require(np.isfinite(vertices.points), on.vertex_cell[:, None], "a vertex that is not finite")
    require(vertices.radii >= 0, on.vertex_cell, "a radius that is negative, or not a number")
    if is_plane(cx):
        _check_polygons(cx, on)
    else:
        _check_polytopes(cx, on)
    require(cx.volumes >= 0, np.arange(n), "a volume that is negative, or not a number")
    if not isinstance(cx.domain, Space):
        total, whole = float(cx.volumes.sum()), cx.domain.volume
        require_whole(total <= whole * (1 + 1e-9), f"volumes sum to {total}, more than the domain's {whole}")
        fills = not cx.is_complete or total >= whole * (1 - 1e-9)
        require_whole(fills, f"volumes sum to {total}, expected the domain's {whole}")


def check_faces(cx: Any) -> None:
    """Assert that the numbers of faces of a complete complex are those of its facets and vertices, and Euler's sum."""
    k = cx.domain.dim
    inner, n = int(np.sum(cx.facets.neighbor >= 0)), len(cx.facets.neighbor)
    shape = tuple(int(number) for number in cx.f_vector)
    require_whole(len(shape) == k + 1 and shape[k] == cx.n_cells, f"f-vector {shape} for {cx.n_cells} cells")
    if k > 1:
        require_whole(shape[k - 1] == n - inner // 2, f"f-vector {shape}; expected {n - inner // 2} facets")
    n_vertices = _n_corners(cx) if is_plane(cx) else _n_labels(cx)
    require_whole(shape[0] == n_vertices, f"f-vector {shape}; expected {n_vertices} vertices")
    expected = (-1) ** k if isinstance(cx.domain, Space) else 1
    found = sum((-1) ** d * number for d, number in enumerate(shape))
    require_whole(
        found == cx.euler_characteristic == expected, f"f-vector {shape} has the sum {found}, expected {expected}"
    )


def _n_labels(cx: Any) -> int:
    is_ray = getattr(cx.vertices, "is_ray", None)
    ids = np.asarray(cx.vertex_ids)
    return np.unique(ids if is_ray is None else ids[~is_ray]).size


def _n_corners(cx: Any) -> int:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    _, following = outline(cx)
    inner, n = np.flatnonzero(cx.facets.neighbor >= 0), len(following)
    links = coo_array((np.ones(inner.size), (inner, following[cx.facets.twin[inner]])), shape=(n, n))
    return int(connected_components(links, directed=False, return_labels=False))


def _check_polygons(cx: Any, on: Incidence) -> None:
    offsets, points = cx.vertices.offsets, cx.vertices.points
    require(np.diff(offsets) >= 3, np.arange(cx.n_cells), "a polygon with fewer than three vertices")
    owner, following = outline(cx)
    reach = on.reach
    edge = points[following] - points
    length = np.hypot(edge[:, 0], edge[:, 1])
    turn = edge[:, 0] * edge[following, 1] - edge[:, 1] * edge[following, 0]
    error = 2 * np.maximum(np.maximum(reach, reach[following]), reach[following[following]])
    require(~(turn < -error * (length + length[following] + error)), owner, "a corner turns right")

    arm = points - points[offsets[:-1]][owner]
    twice = np.add.reduceat(arm[:, 0] * arm[following, 1] - arm[:, 1] * arm[following, 0], offsets[:-1])
    area = twice / 2 * cx.domain.unit_volume
    loose, around = np.maximum.reduceat(reach, offsets[:-1]), np.add.reduceat(length, offsets[:-1])
    bound = 1e-9 * cx.volumes + (loose * (around + loose)) * cx.domain.unit_volume
    cells = np.arange(cx.n_cells)
    require(~(np.abs(area - cx.volumes) > bound), cells, "its volume is not the area of its polygon")


def _check_polytopes(cx: Any, on: Incidence) -> None:
    """Assert that volumes are infinite where cells are not bounded, and else those of the hulls of vertices."""
    from scipy.spatial import ConvexHull, QhullError

    offsets, k, unit = cx.vertices.offsets, cx.domain.dim, cx.domain.unit_volume
    has_ray = np.zeros(cx.n_cells, dtype=bool)
    has_ray[on.vertex_cell[on.is_ray]] = True
    require(np.isinf(cx.volumes) | ~has_ray, np.arange(cx.n_cells), "a cell with a ray has a finite volume")
    bounded = np.flatnonzero(~has_ray & np.isfinite(cx.volumes))
    by_volume = bounded[np.argsort(cx.volumes[bounded])]
    step = max(1, -(-by_volume.size // _MOST_HULLS))
    for cell in {*by_volume[::step].tolist(), *by_volume[-1:].tolist()}:
        run = slice(int(offsets[cell]), int(offsets[cell + 1]))
        points, reach = cx.vertices.points[run], float(on.reach[run].max())
        if k == 1:
            expected, bound = float(np.ptp(points)), 2 * reach
        else:
            try:
                hull = ConvexHull(points)
            except QhullError:
                continue  # thinner than its rounding: the sum of volumes still counts it
            expected, bound = float(hull.volume), 1e-8 * hull.volume + 4 * k * reach * hull.area
        apart = abs(float(cx.volumes[cell]) - expected * unit)
        require(
            not apart > 1e-9 * cx.volumes[cell] + bound * unit, cell, "its volume is not that of its vertices' hull"
        )
