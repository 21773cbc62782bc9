"""How do exact polytopes meet? What lies behind each facet, in which faces, and which cells hold a point.

Found from vertices alone, never from patterns: cells of a complex share a facet exactly when its vertices are the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from fractions import Fraction

from tests.oracles.polytopes import Vertex, as_vertex
from tests.oracles.solid import Cell, Domain

SIDE = -1
"""What lies behind a facet on the domain's boundary."""


def behind(cells: Sequence[Cell], domain: Domain) -> list[dict[int, int]]:
    """Return, for each cell, the cell behind each of its facets (by the facet's number), or `SIDE`.

    It is asserted that every facet belongs to two cells, or to one and lies on a side of the domain.
    """
    owners: dict[frozenset[Vertex], list[tuple[int, int]]] = defaultdict(list)
    for i, cell in enumerate(cells):
        for facet in cell.polytope.rows:
            owners[cell.polytope.corners(facet)].append((i, facet))
    out: list[dict[int, int]] = [{} for _ in cells]
    for met in owners.values():
        (i, f), *rest = met
        if not rest:
            assert f < 2 * domain.k, f"nothing is behind facet {f} of cell {i}"
            out[i][f] = SIDE
            continue
        assert len(rest) == 1, f"{len(met)} cells share a facet"
        j, g = rest[0]
        assert min(f, g) >= 2 * domain.k, "two cells lie on one side of a domain's facet"
        out[i][f], out[j][g] = j, i
    return out


def linear_regions(cells: Sequence[Cell], across: Sequence[dict[int, int]]) -> list[int]:
    """Return a label for each cell: the components, through facets, of cells with equal maps (0, 1, ...)."""
    label = [-1] * len(cells)
    count = 0
    for first in range(len(cells)):
        if label[first] >= 0:
            continue
        stack = [first]
        while stack:
            i = stack.pop()
            if label[i] < 0:
                label[i] = count
                stack += [j for j in across[i].values() if j != SIDE and cells[j].rows == cells[i].rows]
        count += 1
    return label


def n_affine_maps(cells: Sequence[Cell]) -> int:
    """Return the number of different maps, adjacent or not."""
    return len({cell.rows for cell in cells})


def f_vector(cells: Sequence[Cell], domain: Domain) -> tuple[int, ...]:
    """Return the numbers of different faces of dimension 0, ..., k; of a whole space, of those not at infinity."""
    k = domain.k
    points: set[Vertex] = set()
    edges: set[frozenset[Vertex]] = set()
    polygons: set[frozenset[Vertex]] = set()
    sides = frozenset(range(2 * k)) if domain.whole else frozenset()
    for cell in cells:
        here = cell.polytope
        points |= {v for v, on in zip(here.vertices, here.on, strict=True) if not on & sides}
        if k > 1:
            for i, j in here.edges():
                if not here.on[i] & here.on[j] & sides:
                    edges.add(frozenset((here.vertices[i], here.vertices[j])))
        if k > 2:
            polygons |= {here.corners(f) for f in here.rows if f not in sides}
    return (len(points), *([len(edges)] if k > 1 else []), *([len(polygons)] if k > 2 else []), len(cells))


def is_bounded(cell: Cell, domain: Domain) -> bool:
    """Return whether a cell of a whole space is bounded."""
    return not domain.whole or all(f >= 2 * domain.k for f in cell.polytope.rows)


def holding(cells: Sequence[Cell], point: Sequence[Fraction | int]) -> list[int]:
    """Return the cells that hold a point of the domain, given in its coordinates."""
    vertex = as_vertex(point)
    return [i for i, cell in enumerate(cells) if cell.polytope.holds(vertex)]
