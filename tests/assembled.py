"""A complex put together from the oracle's cells, with the attributes of `PolyhedralComplex` that the checks read."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from reluatlas.domain import Box, Slice
from reluatlas.network.network import Network
from tests.convert import to_problem
from tests.oracles.adjacency import f_vector, linear_regions, n_affine_maps, neighbors
from tests.oracles.rational import enumerate_cells


def complex_from_oracle(network: Network, domain: Box | Slice) -> SimpleNamespace:
    """Return the oracle's answer, rounded to float64, in the form of a complex."""
    cells = enumerate_cells(to_problem(network, domain))
    pairs = neighbors(cells)
    offsets = np.cumsum([0] + [len(c.vertices) for c in cells])
    points = np.array([[float(x), float(y)] for c in cells for x, y in c.vertices])
    patterns = np.array([c.pattern for c in cells], dtype=np.uint8).reshape(len(cells), -1)
    columns = {name: np.full(len(points), -1) for name in ("neighbor", "level", "unit", "twin")}
    facets = SimpleNamespace(offsets=offsets, **columns)
    for (i, j), (k, n) in pairs:
        here, there = offsets[i] + j, offsets[k] + n
        level, unit = owner(network, int(np.flatnonzero(patterns[i] != patterns[k])[0]))
        for a, b, cell in ((here, there, k), (there, here, i)):
            facets.neighbor[a], facets.twin[a], facets.level[a], facets.unit[a] = cell, b, level, unit
    maps = np.array([[[float(v) for v in form] for form in c.map] for c in cells])
    labels = linear_regions(cells, pairs)
    order = {m: n for n, m in enumerate(dict.fromkeys(c.map for c in cells))}
    shape = f_vector(cells)
    return SimpleNamespace(
        network=network,
        domain=domain,
        n_cells=len(cells),
        n_outputs=network.n_outputs,
        is_complete=True,
        stopped_by="",
        exactness=SimpleNamespace(status="exact", n_escalated=0, n_uncertain=0, n_decisions=0),
        patterns=patterns,
        affine=SimpleNamespace(A=maps[:, :, :2], b=maps[:, :, 2]),
        volumes=np.array([float(c.area) for c in cells]) * domain.unit_volume,
        vertices=SimpleNamespace(points=points, offsets=offsets, radii=np.spacing(np.abs(points).max(axis=1))),
        facets=facets,
        linear_regions=np.array(labels),
        affine_map_ids=np.array([order[c.map] for c in cells]),
        n_linear_regions=max(labels) + 1,
        n_affine_maps=n_affine_maps(cells),
        f_vector=shape,
        euler_characteristic=shape[0] - shape[1] + shape[2],
    )


def owner(network: Network, column: int) -> tuple[int, int]:
    """Return (position among the cut nodes, unit) of a column of a pattern."""
    for level, columns in enumerate(network.pattern_slices().values()):
        if columns.start <= column < columns.stop:
            return level, column - columns.start
    raise AssertionError(f"no cut node has column {column}")
