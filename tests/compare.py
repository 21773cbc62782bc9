"""Is a complex that of the oracle? Its cells, maps, polygons, adjacency and counts, for small networks in the plane."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reluatlas.testing.facets import check_facets
from reluatlas.testing.incidence import outline
from reluatlas.testing.patterns import map_tolerance
from tests.convert import to_problem
from tests.oracles.adjacency import f_vector, linear_regions, n_affine_maps, neighbors
from tests.oracles.rational import Cell, enumerate_cells


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
    check_facets(cx)

    labels, maps = linear_regions(cells, pairs), [cells[k].map for k in order]
    counts = (cx.n_linear_regions, cx.n_affine_maps)
    expected_counts = (len(set(labels)), n_affine_maps(cells))
    assert counts == expected_counts, f"(regions, maps) are {counts}, expected {expected_counts}"
    _assert_same_partition(cx.linear_regions.tolist(), [labels[k] for k in order], "linear regions")
    _assert_same_partition(cx.affine_map_ids.tolist(), maps, "affine maps")
    assert tuple(cx.f_vector) == f_vector(cells), f"f-vector {cx.f_vector}, expected {f_vector(cells)}"
    assert cx.euler_characteristic == 1


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
