"""Which cells does a network have on a plane? Exact, slow and obvious: every polygon is kept, every row is tried.

Numbers are whole: a tensor's rows share one denominator, known before any cutting, and a vertex (X, Y, W) with W > 0
stands for the point (X / W, Y / W). Only signs of whole numbers decide. Nothing here is shared with reluatlas.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import gcd, lcm

from tests.oracles.plain import Affine, Breakpoints, Form, Input, Max, Number, Point, Problem

Row = tuple[int, int, int]
"""The affine function a x + b y + c, times the denominator of its tensor."""
Vertex = tuple[int, int, int]
Polygon = tuple[Vertex, ...]


@dataclass(frozen=True)
class Cell:
    """One activation pattern that holds in a set with an interior.

    `vertices` go counter-clockwise and none is redundant; `map` has one (a, b, c) per output for a x + b y + c;
    everything is in the coordinates of the domain.
    """

    pattern: tuple[int, ...]
    vertices: tuple[Point, ...]
    map: tuple[Form, ...]
    area: Fraction


@dataclass(frozen=True)
class Part:
    """A polygon on which the nodes so far are affine: the pattern so far and each node's rows."""

    pattern: tuple[int, ...]
    polygon: Polygon
    tensors: tuple[tuple[Row, ...], ...]


def enumerate_cells(problem: Problem) -> list[Cell]:
    """Return all cells of the problem, each once."""
    low, high = problem.low, problem.high
    corners = ((low[0], low[1]), (high[0], low[1]), (high[0], high[1]), (low[0], high[1]))
    scales = [_denominator(*problem.origin, *problem.basis[0], *problem.basis[1])]
    start = tuple(tuple(int(c * scales[0]) for c in row) for row in zip(*problem.basis, problem.origin, strict=True))
    parts = [Part((), tuple(_vertex(x, y) for x, y in corners), (start,))]  # type: ignore[arg-type]
    for node in problem.nodes[1:]:
        if isinstance(node, Affine):
            parts, scale = _affine(node, parts, scales)
        elif isinstance(node, Breakpoints):
            parts, scale = _breakpoints(node, parts, scales[node.source])
        elif isinstance(node, Max):
            parts, scale = [p for part in parts for p in _max(node, part)], scales[node.source]
        else:
            assert not isinstance(node, Input), "the input comes first, and only there"
        scales.append(scale)
    return [_finish(part, part.tensors[problem.output], scales[problem.output]) for part in parts]


def split(polygon: Polygon, row: Row) -> tuple[Polygon | None, Polygon | None]:
    """Return the parts where the row is not positive and where it is not negative.

    A part without an interior is None; where the row is zero on the whole polygon, all of it is in the first part.
    """
    values = [row[0] * x + row[1] * y + row[2] * w for x, y, w in polygon]
    if max(values) <= 0:
        return polygon, None
    if min(values) >= 0:
        return None, polygon
    below, above = [], []
    for i, (p, v) in enumerate(zip(polygon, values, strict=True)):
        if v <= 0:
            below.append(p)
        if v >= 0:
            above.append(p)
        q, u = polygon[i - len(polygon) + 1], values[i - len(polygon) + 1]
        if (v < 0 < u) or (u < 0 < v):
            crossing = _reduced(*(abs(u) * a + abs(v) * b for a, b in zip(p, q, strict=True)))
            below.append(crossing)
            above.append(crossing)
    return tuple(below), tuple(above)


def _affine(node: Affine, parts: list[Part], scales: list[int]) -> tuple[list[Part], int]:
    sources = [source for source, _ in node.terms]
    numbers = [c for _, rows in node.terms for row in rows for _, c in row]
    shared = lcm(*(scales[s] for s in sources))
    scale = _denominator(*numbers, *node.bias) * shared
    terms = [
        (source, [[(j, int(c * (scale // scales[source]))) for j, c in row] for row in rows])
        for source, rows in node.terms
    ]
    bias = [int(b * scale) for b in node.bias]
    out = []
    for part in parts:
        rows = []
        for i, constant in enumerate(bias):
            a, b, c = 0, 0, constant
            for source, table in terms:
                for j, weight in table[i]:
                    row = part.tensors[source][j]
                    a, b, c = a + weight * row[0], b + weight * row[1], c + weight * row[2]
            rows.append((a, b, c))
        out.append(Part(part.pattern, part.polygon, (*part.tensors, tuple(rows))))
    return out, scale


def _breakpoints(node: Breakpoints, parts: list[Part], scale: int) -> tuple[list[Part], int]:
    factor = _denominator(*(n for row in (*node.slopes, *node.intercepts) for n in row))
    slopes = [[int(s * factor) for s in row] for row in node.slopes]
    shifts = [[int(c * factor * scale) for c in row] for row in node.intercepts]
    out = []
    for part in parts:
        rows = part.tensors[node.source]
        found = [(part.polygon, ())]
        for row, knots in zip(rows, node.knots, strict=True):
            found = [(q, (*pieces, p)) for polygon, pieces in found for q, p in _by_piece(polygon, row, knots, scale)]
        for polygon, pieces in found:
            values = []
            for i, (row, p) in enumerate(zip(rows, pieces, strict=True)):
                s = slopes[i][p]
                values.append((s * row[0], s * row[1], s * row[2] + shifts[i][p]))
            out.append(Part(part.pattern + pieces, polygon, (*part.tensors, tuple(values))))
    return out, factor * scale


def _by_piece(polygon: Polygon, row: Row, knots: tuple[Number, ...], scale: int) -> Iterator[tuple[Polygon, int]]:
    rest: Polygon | None = polygon
    for piece, knot in enumerate(knots):
        top, bottom = Fraction(knot).as_integer_ratio()
        below, rest = split(rest, (row[0] * bottom, row[1] * bottom, row[2] * bottom - top * scale))
        if below:
            yield below, piece
        if not rest:
            return
    yield rest, len(knots)


def _max(node: Max, part: Part) -> Iterator[Part]:
    rows = part.tensors[node.source]
    found = [(part.polygon, ())]
    for window in node.windows:
        # Candidates that are the same function here are one class, under the lowest place.
        classes: dict[Row, int] = {}
        for place, entry in enumerate(window):
            classes.setdefault(rows[entry], place)
        found = [(q, (*won, p)) for polygon, won in found for q, p in _by_winner(polygon, classes)]
    for polygon, won in found:
        values = tuple(rows[window[p]] for window, p in zip(node.windows, won, strict=True))
        yield Part(part.pattern + won, polygon, (*part.tensors, values))


def _by_winner(polygon: Polygon, classes: dict[Row, int]) -> Iterator[tuple[Polygon, int]]:
    for row, place in classes.items():
        part: Polygon | None = polygon
        for other in classes:
            if part and other != row:
                _, part = split(part, (row[0] - other[0], row[1] - other[1], row[2] - other[2]))
        if part:
            yield part, place


def _finish(part: Part, rows: tuple[Row, ...], scale: int) -> Cell:
    points = tuple((Fraction(x, w), Fraction(y, w)) for x, y, w in part.polygon)
    maps = tuple((Fraction(a, scale), Fraction(b, scale), Fraction(c, scale)) for a, b, c in rows)
    return Cell(part.pattern, points, maps, area(points))


def area(points: tuple[Point, ...]) -> Fraction:
    """Return the signed area of a polygon, positive when counter-clockwise."""
    twice = Fraction(0)
    for i, (x, y) in enumerate(points):
        before = points[i - 1]
        twice += before[0] * y - x * before[1]
    return twice / 2


def _denominator(*numbers: Number) -> int:
    return lcm(*(Fraction(n).denominator for n in numbers))


def _vertex(x: Number, y: Number) -> Vertex:
    w = _denominator(x, y)
    return int(x * w), int(y * w), w


def _reduced(x: int, y: int, w: int) -> Vertex:
    g = gcd(x, y, w)
    return x // g, y // g, w // g
