"""How alike do two networks cut a plane? All pairs of cells clipped against each other, all assignments tried.

Everything is in fractions, from the cells of either network alone. Nothing here is shared with reluatlas.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

from tests.oracles.adjacency import linear_regions
from tests.oracles.plain import Breakpoints, Form, Max, Problem
from tests.oracles.rational import Cell, area, enumerate_cells
from tests.oracles.two_networks import Polygon, clipped, integral, integral_of_square

Table = list[list[Fraction]]
ZERO = Fraction(0)


@dataclass(frozen=True)
class Structure:
    """Scores from 0 to 1, and numbers of linear regions and of walls in the domain."""

    regions: Fraction
    overlap: Fraction
    hyperplanes: Fraction
    agreement: Fraction
    n_regions: tuple[int, int]
    n_walls: tuple[int, int]


def structure(f: Problem, g: Problem, m: int, *, same_layer: bool = False) -> Structure:
    """Return how alike two networks with m outputs cut the domain that they share."""
    first, second = enumerate_cells(f), enumerate_cells(g)
    whole = sum((cell.area for cell in first), ZERO)
    common = [[_common(a, b) for b in second] for a in first]
    share = [[area(p) / whole if len(p) > 2 else ZERO for p in row] for row in common]
    square = [
        [_apart(p, a, b, m) / whole if len(p) > 2 else ZERO for p, b in zip(row, second, strict=True)]
        for row, a in zip(common, first, strict=True)
    ]
    unrelated = sum((_unrelated(first, second, o, whole) for o in range(m)), ZERO)
    mine, theirs = linear_regions(first), linear_regions(second)
    shares, squares = _summed(share, mine, theirs), _summed(square, mine, theirs)
    weights = [
        [a * _corrected(s, a, unrelated) if a else ZERO for a, s in zip(row, other, strict=True)]
        for row, other in zip(shares, squares, strict=True)
    ]
    walls = _walls(f, first, same_layer), _walls(g, second, same_layer)
    kappas = [[_kappa(u, v, share) if lu == lv or not same_layer else ZERO for lv, v in walls[1]] for lu, u in walls[0]]
    n_walls = len(walls[0]), len(walls[1])
    return Structure(
        regions=best(weights),
        overlap=best(shares),
        hyperplanes=2 * best(kappas) / sum(n_walls) if sum(n_walls) else Fraction(1),
        agreement=_corrected(sum((sum(row, ZERO) for row in square), ZERO), Fraction(1), unrelated),
        n_regions=(max(mine) + 1, max(theirs) + 1),
        n_walls=n_walls,
    )


def best(table: Table) -> Fraction:
    """Return the largest sum over one-to-one matchings of rows and columns: all are tried."""
    if table and len(table[0]) > len(table):
        table = [list(column) for column in zip(*table, strict=True)]

    @cache
    def rest(row: int, used: int) -> Fraction:
        if row == len(table):
            return ZERO
        found = rest(row + 1, used)
        for column, weight in enumerate(table[row]):
            if weight and not used >> column & 1:
                found = max(found, weight + rest(row + 1, used | 1 << column))
        return found

    return rest(0, 0)


def _common(a: Cell, b: Cell) -> Polygon:
    polygon = a.vertices
    for p, q in zip(b.vertices, b.vertices[1:] + b.vertices[:1], strict=True):
        # left of the edge from p to q, as vertices go counter-clockwise
        form: Form = (p[1] - q[1], q[0] - p[0], (q[1] - p[1]) * p[0] - (q[0] - p[0]) * p[1])
        polygon = clipped(polygon, form)
    return polygon


def _apart(polygon: Polygon, a: Cell, b: Cell, m: int) -> Fraction:
    total = ZERO
    for o in range(m):
        f, g = a.map[o], b.map[o]
        total += integral_of_square(polygon, (f[0] - g[0], f[1] - g[1], f[2] - g[2]))
    return total


def _unrelated(first: Sequence[Cell], second: Sequence[Cell], o: int, whole: Fraction) -> Fraction:
    """Return E f^2 + E g^2 - 2 E f E g."""
    means = [sum((integral(c.vertices, c.map[o]) for c in cells), ZERO) / whole for cells in (first, second)]
    squares = [
        sum((integral_of_square(c.vertices, c.map[o]) for c in cells), ZERO) / whole for cells in (first, second)
    ]
    return sum(squares, ZERO) - 2 * means[0] * means[1]


def _corrected(square: Fraction, share: Fraction, unrelated: Fraction) -> Fraction:
    return max(ZERO, 1 - square / (share * unrelated)) if unrelated else Fraction(1)


def _summed(table: Table, rows: Sequence[int], columns: Sequence[int]) -> Table:
    out = [[ZERO] * (max(columns) + 1) for _ in range(max(rows) + 1)]
    for i, row in zip(rows, table, strict=True):
        for j, value in zip(columns, row, strict=True):
            out[i][j] += value
    return out


def _walls(problem: Problem, cells: Sequence[Cell], same_layer: bool) -> list[tuple[int, tuple[bool, ...]]]:
    """Return, for each wall in the domain, its layer and the side of each cell; equal walls once (or once a layer)."""
    out: list[tuple[int, tuple[bool, ...]]] = []
    column, layer = 0, -1
    for node in problem.nodes:
        if isinstance(node, Max):
            column += len(node.windows)
        if not isinstance(node, Breakpoints):
            continue
        layer += 1
        for knots in node.knots:
            for knot in range(len(knots)):
                side = tuple(cell.pattern[column] > knot for cell in cells)
                other = tuple(not s for s in side)
                known = any(s in (side, other) and (at == layer or not same_layer) for at, s in out)
                if len(set(side)) == 2 and not known:
                    out.append((layer, side))
            column += 1
    return out


def _kappa(u: Sequence[bool], v: Sequence[bool], share: Table) -> Fraction:
    """Return Cohen's kappa of two sides, or of one and the other's complement, whichever is larger."""
    a = b = differ = ZERO
    for i, row in enumerate(share):
        for j, size in enumerate(row):
            a += size * u[i]
            b += size * v[j]
            differ += size * (u[i] != v[j])
    chance = a * (1 - b) + b * (1 - a)
    return max(1 - differ / chance, 1 - (1 - differ) / (1 - chance))
