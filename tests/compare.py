"""Is a complex right? Against the oracle for small networks, and by laws that need no oracle for large ones.

A complex is anything with the attributes of `PolyhedralComplex`. The checks raise `AssertionError` and share
nothing with the engine.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reluatlas.network.network import Affine, Breakpoints, Dense, Gather, Input, Network
from reluatlas.network.operators import as_sparse
from reluatlas.network.values.float64 import values
from tests.broken import broken_complexes
from tests.convert import to_problem
from tests.oracles.adjacency import f_vector, linear_regions, n_affine_maps, neighbors
from tests.oracles.rational import Cell, enumerate_cells

__all__ = ["assert_laws", "assert_matches_oracle", "broken_complexes", "map_tolerance", "outline"]

_ROUNDING = 1e-14
_CHUNK = 2**13


def assert_matches_oracle(cx: Any, *, slack: float = 1e-9) -> None:
    """Assert that a complete complex has the oracle's cells, maps, polygons, adjacency and counts.

    Vertices may be off by their radius plus `slack` (relative to the largest coordinate, at least 1).
    """
    cells = enumerate_cells(to_problem(cx.network, cx.domain))
    assert cx.is_complete and cx.stopped_by == "", f"stopped by {cx.stopped_by!r}"
    assert cx.exactness.status == "exact" and cx.exactness.n_uncertain == 0, f"not exact: {cx.exactness}"
    found = [tuple(row) for row in cx.patterns.tolist()]
    at = {cell.pattern: k for k, cell in enumerate(cells)}
    assert len(found) == cx.n_cells, f"{cx.n_cells} cells have {len(found)} patterns"
    assert len(set(found)) == len(found), "a pattern occurs twice"
    lost, invented = sorted(at.keys() - set(found)), sorted(set(found) - at.keys())
    assert not lost, f"lost {len(lost)} cells {lost[:3]}, and invented {len(invented)} {invented[:3]}"
    assert not invented, f"invented {len(invented)} cells {invented[:3]}"
    order = [at[p] for p in found]

    exact = np.array([[[float(v) for v in form] for form in cells[k].map] for k in order])
    error = np.abs(np.concatenate([cx.affine.A, cx.affine.b[:, :, None]], axis=2) - exact)
    wrong = np.flatnonzero((error > map_tolerance(cx)).any(axis=(1, 2)))
    assert wrong.size == 0, f"cells {wrong[:5]} have wrong maps, off by up to {error.max()}"
    areas = np.array([float(cells[k].area) for k in order]) * cx.domain.unit_volume
    wrong = np.flatnonzero(~(np.abs(cx.volumes - areas) <= 1e-9 * cx.domain.volume))
    assert wrong.size == 0, f"cells {wrong[:5]} have volumes {cx.volumes[wrong[:5]]}, expected {areas[wrong[:5]]}"

    pairs = neighbors(cells)
    behind: list[list[int]] = [[-1] * len(cell.vertices) for cell in cells]
    for (i, j), (k, n) in pairs:
        behind[i][j], behind[k][n] = k, i
    expected = {frozenset((cells[i].pattern, cells[k].pattern)) for (i, _), (k, _) in pairs}
    owners = outline(cx)[0]
    inner = np.flatnonzero(cx.facets.neighbor >= 0)
    given = {frozenset((found[a], found[b])) for a, b in zip(owners[inner], cx.facets.neighbor[inner], strict=True)}
    assert given == expected, f"{len(expected - given)} pairs of neighbors lost, {len(given - expected)} invented"
    slack *= max(1.0, float(np.abs(cx.vertices.points).max()))
    for i, k in enumerate(order):
        run = slice(int(cx.vertices.offsets[i]), int(cx.vertices.offsets[i + 1]))
        across = [-1 if n == -1 else order[n] if n >= 0 else n for n in cx.facets.neighbor[run].tolist()]
        reach = cx.vertices.radii[run] + slack
        assert _same_polygon(cx.vertices.points[run], reach, across, cells[k], behind[k]), (
            f"cell {i} is {cx.vertices.points[run].tolist()} with neighbors {across}; expected "
            f"{[(float(x), float(y)) for x, y in cells[k].vertices]} with {behind[k]}"
        )
    _check_facets(cx)

    labels, maps = linear_regions(cells, pairs), [cells[k].map for k in order]
    counts = (cx.n_linear_regions, cx.n_affine_maps)
    expected_counts = (len(set(labels)), n_affine_maps(cells))
    assert counts == expected_counts, f"(regions, maps) are {counts}, expected {expected_counts}"
    _assert_same_partition(cx.linear_regions.tolist(), [labels[k] for k in order], "linear regions")
    _assert_same_partition(cx.affine_map_ids.tolist(), maps, "affine maps")
    assert tuple(cx.f_vector) == f_vector(cells), f"f-vector {cx.f_vector}, expected {f_vector(cells)}"
    assert cx.euler_characteristic == 1


def assert_laws(cx: Any) -> None:
    """Assert everything that must hold of any complex and can be checked without the oracle.

    Volumes sum to the domain's; polygons are convex, counter-clockwise and as large as said; facets have their twins;
    V - E + F = 1; maps equal the network at every vertex; patterns are distinct, are those of evaluation inside, and
    differ across a facet first in the unit that owns it; regions are connected and have one map.
    """
    _check_polygons(cx)
    _check_facets(cx)
    if cx.is_complete:
        _check_euler(cx)
    _check_maps(cx)
    _check_patterns(cx)
    _check_regions(cx)


def outline(cx: Any) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return, for each corner in `cx.vertices.points`, its cell and the next corner of that cell."""
    offsets = np.asarray(cx.vertices.offsets)
    owners = np.repeat(np.arange(cx.n_cells), np.diff(offsets))
    following = np.arange(1, len(owners) + 1)
    following[offsets[1:] - 1] = offsets[:-1]
    return owners, following


def map_tolerance(cx: Any) -> NDArray[np.float64]:
    """Return (m, 3) bounds for the rounding of any cell's map: 1e-12 of what adds up when nothing cancels."""
    return 1e-12 * _magnitudes(cx.network, cx.domain)[cx.network.output]


def _magnitudes(network: Network, domain: Any) -> list[NDArray[np.float64]]:
    # The network on absolute values: each node's largest coefficients (size, 3) for u, v and 1.
    origin, basis = domain.frame()
    out: list[NDArray[np.float64]] = []
    for node in network.nodes:
        if isinstance(node, Input):
            out.append(np.abs(np.stack([*basis, origin], axis=1)))
        elif isinstance(node, Affine):
            total = np.zeros((node.bias.size, 3))
            total[:, 2] = np.abs(node.bias)
            for source, operator in zip(node.inputs, node.operators, strict=True):
                if isinstance(operator, Dense):
                    total += np.abs(operator.weight) @ out[source]
                elif isinstance(operator, Gather):
                    factor = np.where(operator.index < 0, 0.0, np.abs(operator.scale))
                    total += factor[:, None] * out[source][np.maximum(operator.index, 0)]
                else:
                    matrix = as_sparse(operator)
                    total += abs(matrix.numerators) @ out[source] / matrix.denominator
            out.append(total)
        elif isinstance(node, Breakpoints):
            total = np.abs(node.slopes).max(axis=1)[:, None] * out[node.input]
            total[:, 2] += np.abs(node.intercepts).max(axis=1)
            out.append(total)
        else:
            out.append(np.maximum.reduceat(out[node.input][node.candidates], node.offsets[:-1], axis=0))
    return out


def _same_polygon(points: NDArray, reach: NDArray, across: list[int], cell: Cell, behind: list[int]) -> bool:
    exact = np.array([[float(x), float(y)] for x, y in cell.vertices])
    if points.shape != exact.shape:
        return False
    for turn in range(len(exact)):
        near = np.hypot(*(points - np.roll(exact, -turn, axis=0)).T) <= reach
        if near.all() and across == behind[turn:] + behind[:turn]:
            return True
    return False


def _assert_same_partition(given: Sequence[Hashable], expected: Sequence[Hashable], what: str) -> None:
    n_pairs = len(set(zip(given, expected, strict=True)))
    assert n_pairs == len(set(given)) == len(set(expected)), f"{what} join other cells than expected"


def _check_polygons(cx: Any) -> None:
    offsets, points, radii = cx.vertices.offsets, cx.vertices.points, cx.vertices.radii
    assert offsets.shape == (cx.n_cells + 1,) and offsets[0] == 0 and offsets[-1] == len(points) == len(radii)
    assert np.diff(offsets).min() >= 3, "a cell with fewer than three vertices"
    assert np.isfinite(points).all() and np.isfinite(radii).all() and radii.min() >= 0
    owners, following = outline(cx)
    box = cx.domain.box
    scale = float(np.abs([box.low, box.high]).max())
    reach = radii + _ROUNDING * scale
    outside = (points < box.low - reach[:, None]) | (points > box.high + reach[:, None])
    assert not outside.any(), f"vertices {np.flatnonzero(outside.any(axis=1))[:5]} are outside the domain"

    edge = points[following] - points
    length = np.hypot(edge[:, 0], edge[:, 1])
    turn = edge[:, 0] * edge[following, 1] - edge[:, 1] * edge[following, 0]
    error = 2 * np.maximum(np.maximum(reach, reach[following]), reach[following[following]])
    assert (turn >= -error * (length + length[following] + error)).all(), "a corner turns right"

    arm = points - points[offsets[:-1]][owners]
    twice = np.add.reduceat(arm[:, 0] * arm[following, 1] - arm[:, 1] * arm[following, 0], offsets[:-1])
    area = twice / 2 * cx.domain.unit_volume
    loose = np.maximum.reduceat(reach, offsets[:-1])
    around = np.add.reduceat(length, offsets[:-1])
    bound = 1e-9 * cx.volumes + (loose * (around + loose)) * cx.domain.unit_volume
    wrong = np.flatnonzero(~(np.abs(area - cx.volumes) <= bound))
    assert wrong.size == 0, f"cells {wrong[:5]} have volumes {cx.volumes[wrong[:5]]}, their polygons {area[wrong[:5]]}"
    assert cx.volumes.min() >= 0, "a negative volume"
    total, whole = float(cx.volumes.sum()), cx.domain.volume
    assert total <= whole * (1 + 1e-9), f"volumes sum to {total}, more than {whole}"
    assert not cx.is_complete or total >= whole * (1 - 1e-9), f"volumes sum to {total}, expected {whole}"


def _check_facets(cx: Any) -> None:
    facets, points, radii = cx.facets, cx.vertices.points, cx.vertices.radii
    owners, following = outline(cx)
    box = cx.domain.box
    reach = radii + _ROUNDING * float(np.abs([box.low, box.high]).max())
    columns = (facets.neighbor, facets.level, facets.unit, facets.twin)
    assert all(a.shape == (len(points),) for a in columns), "not one facet for each vertex"
    assert np.array_equal(facets.offsets, cx.vertices.offsets), "facets and vertices have other runs"
    lowest = -1 if cx.is_complete else -2
    assert facets.neighbor.min() >= lowest and facets.neighbor.max() < cx.n_cells, "neighbors that are no cells"
    inner, side = np.flatnonzero(facets.neighbor >= 0), np.flatnonzero(facets.neighbor == -1)
    assert (facets.twin[facets.neighbor < 0] == -1).all(), "a facet without a neighbor has a twin"
    assert (facets.level[side] == -1).all() and (facets.level[facets.neighbor != -1] >= 0).all(), "wrong levels"
    on_side = [
        (np.abs(points[p, k] - wall[k]) <= reach[p]) & (np.abs(points[q, k] - wall[k]) <= reach[q])
        for p, q in [(side, following[side])]
        for wall in (box.low, box.high)
        for k in (0, 1)
    ]
    assert np.any(on_side, axis=0).all(), "a facet without a neighbor is not on the domain's boundary"

    twin = facets.twin[inner]
    assert ((twin >= 0) & (twin < len(points))).all(), "an inner facet has no twin"
    assert np.array_equal(owners[twin], facets.neighbor[inner]), "a twin is not in the neighbor's run"
    assert np.array_equal(facets.neighbor[twin], owners[inner]), "a neighbor's neighbor is another cell"
    assert np.array_equal(facets.twin[twin], inner), "a twin's twin is another facet"
    for p, q in ((inner, following[twin]), (following[inner], twin)):
        apart = np.hypot(*(points[p] - points[q]).T)
        assert (apart <= reach[p] + reach[q]).all(), f"ends of twins are up to {apart.max(initial=0)} apart"
    couples = owners[inner] * cx.n_cells + facets.neighbor[inner]
    assert np.unique(couples).size == couples.size, "two cells share two facets"

    slices = list(cx.network.pattern_slices().values())
    level = np.repeat(np.arange(len(slices)), [s.stop - s.start for s in slices])
    unit = np.concatenate([np.arange(s.stop - s.start) for s in slices]) if slices else level
    for part in _chunks(inner):
        differ = cx.patterns[owners[part]] != cx.patterns[facets.neighbor[part]]
        assert differ.any(axis=1).all(), "neighbors have one pattern"
        first = differ.argmax(axis=1)
        same = (facets.level[part] == level[first]) & (facets.unit[part] == unit[first])
        assert same.all(), f"facets {part[~same][:5]} are not owned by the first unit that differs"


def _check_euler(cx: Any) -> None:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    _, following = outline(cx)
    inner = np.flatnonzero(cx.facets.neighbor >= 0)
    n = len(following)
    links = coo_array((np.ones(inner.size), (inner, following[cx.facets.twin[inner]])), shape=(n, n))
    n_vertices = int(connected_components(links, directed=False, return_labels=False))
    shape = (n_vertices, inner.size // 2 + n - inner.size, cx.n_cells)
    assert shape[0] - shape[1] + shape[2] == 1, f"corners and facets give V, E, F = {shape}"
    assert tuple(cx.f_vector) == shape and cx.euler_characteristic == 1, f"f-vector {cx.f_vector}, expected {shape}"


def _check_maps(cx: Any) -> None:
    owners, _ = outline(cx)
    u, radii = cx.vertices.points, cx.vertices.radii
    A, b = cx.affine.A, cx.affine.b
    assert A.shape == (cx.n_cells, cx.n_outputs, 2) and b.shape == (cx.n_cells, cx.n_outputs)
    f = cx.network(cx.domain.embed(u)).reshape(len(u), cx.n_outputs)
    given = np.einsum("vmk,vk->vm", A[owners], u) + b[owners]
    size = np.einsum("vmk,vk->vm", np.abs(A)[owners], np.abs(u)) + np.abs(b)[owners] + np.abs(f).max()
    # Past its cell by the radius, the network may have the slope of any other cell.
    slope = np.abs(A).sum(axis=2).max(axis=0)
    error = np.abs(given - f)
    bad = ~(error <= 1e-10 * size + 2 * radii[:, None] * slope)
    where = np.unique(owners[bad.any(axis=1)])[:5]
    assert not bad.any(), f"map and network differ by up to {error[bad].max()} at vertices of cells {where}"


def _check_patterns(cx: Any) -> None:
    assert cx.patterns.shape == (cx.n_cells, cx.network.n_neurons + cx.network.n_windows)
    assert len({row.tobytes() for row in np.ascontiguousarray(cx.patterns)}) == cx.n_cells, "a pattern occurs twice"
    offsets = cx.vertices.offsets
    mean = np.add.reduceat(cx.vertices.points, offsets[:-1], axis=0) / np.diff(offsets)[:, None]
    sharp = np.flatnonzero(np.maximum.reduceat(cx.vertices.radii, offsets[:-1]) < 1e-9)
    for part in _chunks(sharp):
        z = values(cx.network, cx.domain.embed(mean[part]))
        for cut, columns in cx.network.pattern_slices().items():
            node, given = cx.network.nodes[cut], cx.patterns[part, columns].astype(np.int64)
            row = z[node.input]
            near = 1e-9 * max(1.0, float(np.abs(row).max(initial=0)))
            if isinstance(node, Breakpoints):
                right = (row[:, :, None] > node.knots).sum(axis=2) == given
                right |= (np.abs(row[:, :, None] - node.knots) <= near).any(axis=2)
            else:
                assert (given < np.diff(node.offsets)).all(), "a winner that is not in its window"
                won = np.take_along_axis(row, node.candidates[node.offsets[:-1] + given], axis=1)
                right = won >= z[cut] - near
            assert right.all(), f"cells {part[~right.all(axis=1)][:5]} have other patterns inside, node {cut}"


def _check_regions(cx: Any) -> None:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    regions, ids = cx.linear_regions, cx.affine_map_ids
    assert np.array_equal(np.unique(regions), np.arange(cx.n_linear_regions)), "labels of regions are not 0, 1, ..."
    assert np.array_equal(np.unique(ids), np.arange(cx.n_affine_maps)), "labels of maps are not 0, 1, ..."
    maps = np.concatenate([cx.affine.A, cx.affine.b[:, :, None]], axis=2)
    for labels in (regions, ids):
        _, first, label = np.unique(labels, return_index=True, return_inverse=True)
        apart = np.abs(maps - maps[first[label]])
        assert (apart <= 2 * map_tolerance(cx)).all(), f"cells of one label have maps that differ by {apart.max()}"
    assert len(set(zip(regions.tolist(), ids.tolist(), strict=True))) == cx.n_linear_regions, "a region with two maps"
    owners, _ = outline(cx)
    inner = np.flatnonzero(cx.facets.neighbor >= 0)
    i, j = owners[inner], cx.facets.neighbor[inner]
    same, as_map = regions[i] == regions[j], ids[i] == ids[j]
    assert np.array_equal(same, as_map), "neighbors with one map are in two regions"
    joined = coo_array((np.ones(int(same.sum())), (i[same], j[same])), shape=(cx.n_cells, cx.n_cells))
    pieces = int(connected_components(joined, directed=False, return_labels=False))
    assert pieces == cx.n_linear_regions or not cx.is_complete, f"{cx.n_linear_regions} regions have {pieces} pieces"


def _chunks(index: NDArray) -> Iterable[NDArray]:
    return (index[i : i + _CHUNK] for i in range(0, len(index), _CHUNK))
