"""What is a polytope of any dimension, cut again and again? Its vertices in whole numbers, and the facets of each.

A vertex (X_1, ..., X_k, W) with W > 0 and no common divisor stands for the point X / W, so equal points are equal
tuples. A row (a_1, ..., a_k, c) stands for a . x + c. Only signs of whole numbers decide.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations, pairwise
from math import factorial, gcd, lcm
from operator import mul

Vertex = tuple[int, ...]
Row = tuple[int, ...]
Point = tuple[Fraction, ...]


@dataclass(frozen=True)
class Polytope:
    """The convex hull of `vertices`, which has an interior.

    `on[i]` are the numbers of the facets that vertex i lies on; `rows` has the row of each facet, positive inside.
    Facets 0 to 2 k - 1 are the sides of the box that it was cut from.
    """

    vertices: tuple[Vertex, ...]
    on: tuple[frozenset[int], ...]
    rows: dict[int, Row]

    @property
    def k(self) -> int:
        """The dimension."""
        return len(self.vertices[0]) - 1

    def corners(self, facet: int) -> frozenset[Vertex]:
        """Return the vertices of a facet."""
        return frozenset(v for v, on in zip(self.vertices, self.on, strict=True) if facet in on)

    def edges(self) -> Iterator[tuple[int, int]]:
        """Yield the pairs of vertices that an edge joins: no third one lies on all facets that they share."""
        for i, j in combinations(range(len(self.on)), 2):
            if self.joined(i, j):
                yield i, j

    def joined(self, i: int, j: int) -> bool:
        """Return whether an edge joins two vertices."""
        shared = self.on[i] & self.on[j]
        if len(shared) < self.k - 1:
            return False
        return not any(shared <= on for m, on in enumerate(self.on) if m not in (i, j))

    def holds(self, point: Vertex) -> bool:
        """Return whether a point, as whole numbers, lies in it or on its rim."""
        return all(value(row, point) >= 0 for row in self.rows.values())


def box(low: Sequence[Fraction | int], high: Sequence[Fraction | int]) -> Polytope:
    """Return the polytope `low <= x <= high`: facet 2 j is the low side of coordinate j, 2 j + 1 the high one."""
    k = len(low)
    rows = {}
    for j in range(k):
        for side, (bound, sign) in enumerate(((low[j], 1), (high[j], -1))):
            top, bottom = Fraction(bound).as_integer_ratio()
            rows[2 * j + side] = (*(sign * bottom * int(i == j) for i in range(k)), -sign * top)
    vertices, on = [], []
    for corner in range(2**k):
        sides = [corner >> j & 1 for j in range(k)]
        vertices.append(as_vertex([(low, high)[s][j] for j, s in enumerate(sides)]))
        on.append(frozenset(2 * j + s for j, s in enumerate(sides)))
    return Polytope(tuple(vertices), tuple(on), rows)


def cut(polytope: Polytope, row: Row) -> tuple[Polytope | None, Polytope | None]:
    """Return the parts where the row is not positive and where it is not negative.

    A part without an interior is None; where the row is zero on the whole polytope, all of it is in the first part.
    """
    values = [value(row, v) for v in polytope.vertices]
    if max(values) <= 0:
        return polytope, None
    if min(values) >= 0:
        return None, polytope
    new = max(polytope.rows) + 1
    crossings = []
    for i, u in enumerate(values):
        for j, v in enumerate(values):
            if u < 0 < v and polytope.joined(i, j):
                p, q = polytope.vertices[i], polytope.vertices[j]
                point = reduced([v * a - u * b for a, b in zip(p, q, strict=True)])
                crossings.append((point, (polytope.on[i] & polytope.on[j]) | {new}))
    parts = []
    for sign in (-1, 1):
        signed = [sign * v for v in values]
        kept = {f for v, on in zip(signed, polytope.on, strict=True) if v > 0 for f in on} | {new}
        found = [
            (p, on | ({new} if v == 0 else set()))
            for p, on, v in zip(polytope.vertices, polytope.on, signed, strict=True)
            if v >= 0
        ]
        found += crossings
        rows = {f: r for f, r in polytope.rows.items() if f in kept}
        rows[new] = tuple(sign * a for a in row)
        parts.append(Polytope(tuple(p for p, _ in found), tuple(frozenset(on & kept) for _, on in found), rows))
    return parts[0], parts[1]


def volume(polytope: Polytope) -> Fraction:
    """Return the volume: simplices over a first vertex, over a first vertex of each facet without it, and so on."""
    points = [as_point(v) for v in polytope.vertices]
    total = Fraction(0)
    for simplex in _simplices(polytope.on, list(range(len(points))), polytope.k):
        apex = points[simplex[0]]
        total += abs(_determinant([[a - b for a, b in zip(points[i], apex, strict=True)] for i in simplex[1:]]))
    return total / factorial(polytope.k)


def measure_squared(corners: Sequence[Vertex]) -> list[Fraction]:
    """Return squares of numbers whose roots sum to the length of a segment, or the area of a convex polygon in space.

    A point has the measure 1.
    """
    points = [as_point(v) for v in sorted(corners)]
    arms = [[a - b for a, b in zip(p, points[0], strict=True)] for p in points[1:]]
    k = len(points[0])
    if k == 1:
        return [Fraction(1)]
    if k == 2:
        assert len(arms) == 1
        return [_dot(arms[0], arms[0])]
    assert k == 3
    normal = next(n for n in (_cross(arms[0], arm) for arm in arms[1:]) if any(n))
    # A fan over the first corner, ordered around it: all others lie on one side of a line through it.
    ordered = _around(arms, normal)
    parts = [_cross(a, b) for a, b in pairwise(ordered)]
    return [_dot(p, p) / 4 for p in parts]


def as_vertex(point: Sequence[Fraction | int]) -> Vertex:
    """Return a point in whole numbers."""
    w = lcm(*(Fraction(v).denominator for v in point))
    return reduced([*(int(Fraction(v) * w) for v in point), w])


def as_point(vertex: Vertex) -> Point:
    """Return a vertex as fractions."""
    return tuple(Fraction(v, vertex[-1]) for v in vertex[:-1])


def reduced(vertex: Sequence[int]) -> Vertex:
    """Return whole numbers divided by what they share."""
    g = gcd(*vertex)
    return tuple(v // g for v in vertex)


def value(row: Row, vertex: Vertex) -> int:
    """Return a number with the sign of the row at a vertex."""
    return sum(map(mul, row, vertex))


def _simplices(on: Sequence[frozenset[int]], chosen: list[int], dimension: int) -> Iterator[list[int]]:
    if dimension == 0:
        yield chosen[:1]
        return
    if dimension == 1:
        assert len(chosen) == 2
        yield chosen
        return
    apex = chosen[0]
    faces = set()
    for facet in set().union(*(on[i] for i in chosen)) - on[apex]:
        face = tuple(i for i in chosen if facet in on[i])
        if len(face) >= dimension:
            faces.add(face)
    # Facets of this face are the largest of these sets of vertices.
    for face in faces:
        if not any(set(face) < set(other) for other in faces):
            for simplex in _simplices(on, list(face), dimension - 1):
                yield [apex, *simplex]


def _around(arms: list[list[Fraction]], normal: list[Fraction]) -> list[list[Fraction]]:
    # Insertion by the side of an arm on which another lies; all span less than half a turn.
    out: list[list[Fraction]] = []
    for arm in arms:
        place = sum(_dot(_cross(other, arm), normal) > 0 for other in out)
        out.insert(place, arm)
    return out


def _dot(a: Sequence[Fraction], b: Sequence[Fraction]) -> Fraction:
    return sum((v * w for v, w in zip(a, b, strict=True)), start=Fraction(0))


def _cross(a: Sequence[Fraction], b: Sequence[Fraction]) -> list[Fraction]:
    return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]


def _determinant(rows: list[list[Fraction]]) -> Fraction:
    if len(rows) == 1:
        return rows[0][0]
    if len(rows) == 2:
        return rows[0][0] * rows[1][1] - rows[0][1] * rows[1][0]
    return sum(
        ((-1) ** j * v * _determinant([[*r[:j], *r[j + 1 :]] for r in rows[1:]]) for j, v in enumerate(rows[0]) if v),
        start=Fraction(0),
    )
