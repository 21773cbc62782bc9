"""Which rows of {z : A z <= b} are facets, where are its vertices, how large is it? Brute force in fractions.

For 1 to 4 dimensions and about a dozen rows: every set of k rows is tried. Nothing here is shared with reluatlas.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import combinations

Row = tuple[tuple[Fraction, ...], Fraction]
"""The halfspace a . z <= b, as (a, b)."""


def solve(rows: Sequence[Row]) -> tuple[Fraction, ...] | None:
    """Return the one point where k rows hold with equality; None when there is none, or more."""
    k = len(rows)
    table = [[*a, b] for a, b in rows]
    for c in range(k):
        pivot = next((i for i in range(c, k) if table[i][c]), None)
        if pivot is None:
            return None
        table[c], table[pivot] = table[pivot], table[c]
        table[c] = [v / table[c][c] for v in table[c]]
        for i in range(k):
            if i != c and table[i][c]:
                table[i] = [v - table[i][c] * w for v, w in zip(table[i], table[c], strict=True)]
    return tuple(line[k] for line in table)


def rank(vectors: Sequence[Sequence[Fraction]]) -> int:
    """Return the dimension of the span."""
    table, out = [list(v) for v in vectors], 0
    for c in range(len(table[0]) if table else 0):
        pivot = next((i for i in range(out, len(table)) if table[i][c]), None)
        if pivot is None:
            continue
        table[out], table[pivot] = table[pivot], table[out]
        for i in range(out + 1, len(table)):
            factor = table[i][c] / table[out][c]
            table[i] = [v - factor * w for v, w in zip(table[i], table[out], strict=True)]
        out += 1
    return out


def dot(a: Sequence[Fraction], z: Sequence[Fraction]) -> Fraction:
    """Return the scalar product."""
    return sum((v * w for v, w in zip(a, z, strict=True)), start=Fraction(0))


def vertices(rows: Sequence[Row]) -> set[tuple[Fraction, ...]]:
    """Return all vertices."""
    k = len(rows[0][0])
    out = set()
    for chosen in combinations(rows, k):
        point = solve(chosen)
        if point is not None and all(dot(a, point) <= b for a, b in rows):
            out.add(point)
    return out


def facet_rows(rows: Sequence[Row], inside: Sequence[Fraction], reach: int = 10**60) -> list[int]:
    """Return the rows that are facets of a polyhedron, from a point strictly inside.

    An unbounded one is cut off by a cube around the point, so large that no vertex of it is outside.
    """
    k = len(inside)
    size = reach
    cube = []
    for j in range(k):
        for sign in (1, -1):
            a = tuple(Fraction(sign * (i == j)) for i in range(k))
            cube.append((a, dot(a, inside) + size))
    corners = vertices([*rows, *cube])
    out = []
    for i, (a, b) in enumerate(rows):
        on = [z for z in corners if dot(a, z) == b]
        if on and rank([[v - w for v, w in zip(z, on[0], strict=True)] for z in on]) == k - 1:
            out.append(i)
    return out


def volume(rows: Sequence[Row]) -> Fraction:
    """Return the volume of a polytope that has an interior: pyramids from a vertex over facets, and again."""
    points = sorted(vertices(rows))
    k = len(rows[0][0])
    marks = [frozenset(i for i, (a, b) in enumerate(rows) if dot(a, z) == b) for z in points]
    total = Fraction(0)
    for simplex in _pyramids(points, marks, list(range(len(points))), k):
        total += abs(_determinant([[v - w for v, w in zip(z, simplex[0], strict=True)] for z in simplex[1:]]))
    for i in range(2, k + 1):
        total /= i
    return total


def _pyramids(points, marks, chosen, dimension):
    if dimension == 0:
        yield [points[chosen[0]]]
        return
    apex = chosen[0]
    faces = set()
    for i in set().union(*(marks[v] for v in chosen)):
        face = tuple(v for v in chosen if i in marks[v])
        if apex in face or len(face) < dimension or face in faces:
            continue
        base = points[face[0]]
        if rank([[v - w for v, w in zip(points[q], base, strict=True)] for q in face]) == dimension - 1:
            faces.add(face)
            for simplex in _pyramids(points, marks, list(face), dimension - 1):
                yield [points[apex], *simplex]


def _determinant(rows: list[list[Fraction]]) -> Fraction:
    table, out = [list(row) for row in rows], Fraction(1)
    for c in range(len(table)):
        pivot = next((i for i in range(c, len(table)) if table[i][c]), None)
        if pivot is None:
            return Fraction(0)
        if pivot != c:
            table[c], table[pivot], out = table[pivot], table[c], -out
        out *= table[c][c]
        for i in range(c + 1, len(table)):
            factor = table[i][c] / table[c][c]
            table[i] = [v - factor * w for v, w in zip(table[i], table[c], strict=True)]
    return out
