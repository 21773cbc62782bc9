"""How do exact cells meet? Found from their polygons alone, never from patterns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from fractions import Fraction

from tests.oracles.plain import Point
from tests.oracles.rational import Cell

Edge = tuple[int, int]
"""(cell, number of the edge in it): edge j runs from vertex j to vertex j + 1."""


def neighbors(cells: Sequence[Cell]) -> list[tuple[Edge, Edge]]:
    """Return the pairs of edges that two cells share over a positive length, the lower cell first.

    Edges on one line are compared as intervals. It is asserted that an overlap is the whole of both edges, that the two
    cells lie on different sides, and that no edge is met twice.
    """
    lines: dict[tuple[Fraction, ...], list[tuple[Edge, Fraction, Fraction]]] = defaultdict(list)
    for i, cell in enumerate(cells):
        for j, start in enumerate(cell.vertices):
            end = cell.vertices[(j + 1) % len(cell.vertices)]
            line, axis = _line(start, end)
            lines[line].append(((i, j), start[axis], end[axis]))
    pairs, met = [], set()
    for edges in lines.values():
        for n, (edge, a, b) in enumerate(edges):
            for other, c, d in edges[:n]:
                if max(min(a, b), min(c, d)) >= min(max(a, b), max(c, d)):
                    continue
                assert (a, b) == (d, c), f"edges {edge} and {other} overlap without being one edge seen from two sides"
                assert edge not in met and other not in met, f"edge {edge} or {other} has two neighbors"
                met |= {edge, other}
                pairs.append((min(edge, other), max(edge, other)))
    return sorted(pairs)


def linear_regions(cells: Sequence[Cell], pairs: Sequence[tuple[Edge, Edge]] | None = None) -> list[int]:
    """Return a label for each cell: the components, through facets, of cells with equal maps (0, 1, ...)."""
    joined: dict[int, list[int]] = defaultdict(list)
    for (i, _), (j, _) in neighbors(cells) if pairs is None else pairs:
        if cells[i].map == cells[j].map:
            joined[i].append(j)
            joined[j].append(i)
    label: dict[int, int] = {}
    count = 0
    for first in range(len(cells)):
        if first in label:
            continue
        stack = [first]
        while stack:
            i = stack.pop()
            if i not in label:
                label[i] = count
                stack += joined[i]
        count += 1
    return [label[i] for i in range(len(cells))]


def n_affine_maps(cells: Sequence[Cell]) -> int:
    """Return the number of different maps, adjacent or not."""
    return len({cell.map for cell in cells})


def f_vector(cells: Sequence[Cell]) -> tuple[int, int, int]:
    """Return the numbers of different vertices, edges and cells."""
    points = {p for cell in cells for p in cell.vertices}
    edges = {frozenset((cell.vertices[j - 1], p)) for cell in cells for j, p in enumerate(cell.vertices)}
    return len(points), len(edges), len(cells)


def _line(p: Point, q: Point) -> tuple[tuple[Fraction, ...], int]:
    # The line as slope and intercept (or as x = const), and the axis along which points on it can be ordered.
    dx, dy = q[0] - p[0], q[1] - p[1]
    if dx == 0:
        return (p[0],), 1
    slope = dy / dx
    return (slope, p[1] - slope * p[0]), 0
