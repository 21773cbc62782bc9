"""Where are the vertices of a small polytope, and how large is it? Double description in whole numbers, exact.

For polytopes of up to about six dimensions and a few dozen facets.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import factorial, gcd
from operator import mul

from reluatlas.arithmetic.rationals import WholeRow
from reluatlas.deadline import look

Ray = tuple[int, ...]
"""Homogeneous coordinates (t, t z_1, ..., t z_k) of a vertex z, with t > 0; of a direction where t = 0."""


def rays_of(rows: Sequence[WholeRow], k: int) -> list[tuple[Ray, int]] | None:
    """Return the vertices and extreme directions of `{z : rows}`, each with the set of rows (bits) that it lies on.

    None when the polyhedron holds a line: then it has no vertex. Bit `len(rows)` stands for infinity (t = 0).
    """
    lines = [(row.b, *(-v for v in row.a)) for row in rows] + [(1, *([0] * k))]
    first, inverse = _basis(lines, k + 1)
    if inverse is None:
        return None
    start = {i: 1 << i for i in first}
    everything = sum(start.values())
    rays = [(_reduced(ray), everything & ~start[i]) for i, ray in zip(first, inverse, strict=True)]
    for i, line in enumerate(lines):
        if i not in start:
            rays = _cut(rays, line, 1 << i, k + 1)
    return rays


def volume_of(rays: Sequence[tuple[Ray, int]], k: int) -> Fraction:
    """Return the exact volume of a polytope from its vertices and the rows that each lies on."""
    from flint import fmpz_mat

    total = Fraction(0)
    for simplex in _simplices([mark for _, mark in rays], list(range(len(rays))), k):
        look()
        corners = [rays[i][0] for i in simplex]
        size = abs(int(fmpz_mat([list(c) for c in corners]).det()))
        below = 1
        for corner in corners:
            below *= corner[0]
        total += Fraction(size, below)
    return total / factorial(k)


def _simplices(marks: list[int], chosen: list[int], dimension: int):
    """Yield the simplices of a triangulation: an apex over those of the facets that do not hold it."""
    apex = chosen[0]
    if dimension == 0:
        yield [apex]
        return
    for face in _facets(marks, chosen):
        if apex not in face:
            for simplex in _simplices(marks, sorted(face), dimension - 1):
                yield [apex, *simplex]


def _facets(marks: list[int], chosen: list[int]) -> list[frozenset[int]]:
    """Return the facets of a face: the largest sets of its vertices that share one more row."""
    both = 0
    for v in chosen:
        both |= marks[v]
    sets = set()
    while both:
        bit = both & -both
        both ^= bit
        face = frozenset(v for v in chosen if marks[v] & bit)
        if len(face) < len(chosen):
            sets.add(face)
    return [face for face in sets if not any(face < other for other in sets)]


def _cut(rays: list[tuple[Ray, int]], line: tuple[int, ...], bit: int, size: int) -> list[tuple[Ray, int]]:
    values = [sum(map(mul, line, ray)) for ray, _ in rays]
    out = [(ray, mark | bit if v == 0 else mark) for (ray, mark), v in zip(rays, values, strict=True) if v >= 0]
    above = [i for i, v in enumerate(values) if v > 0]
    below = [i for i, v in enumerate(values) if v < 0]
    for i in above:
        look()
        for j in below:
            shared = rays[i][1] & rays[j][1]
            if shared.bit_count() < size - 2:
                continue
            if any(m & shared == shared for n, (_, m) in enumerate(rays) if n not in (i, j)):
                continue
            p, q = values[i], -values[j]
            ray = tuple(q * a + p * b for a, b in zip(rays[i][0], rays[j][0], strict=True))
            out.append((_reduced(ray), shared | bit))
    return out


def _reduced(ray: Sequence[int]) -> Ray:
    divisor = gcd(*ray)
    return tuple(v // divisor for v in ray)


def _basis(lines: list[tuple[int, ...]], size: int) -> tuple[list[int], list[list[int]] | None]:
    """Return `size` independent lines, and for each a vector positive on it and zero on the others."""
    from flint import fmpq_mat, fmpz_mat

    if len(lines) < size:
        return [], None
    table, _, rank = fmpz_mat([list(row) for row in lines]).transpose().rref()
    if rank < size:
        return [], None
    entries, n = table.entries(), len(lines)
    chosen = [next(c for c in range(n) if entries[r * n + c] != 0) for r in range(size)]
    inverse = fmpq_mat(fmpz_mat([list(lines[i]) for i in chosen])).inv()
    out = []
    for c in range(size):
        column = [Fraction(int(inverse[r, c].p), int(inverse[r, c].q)) for r in range(size)]
        shared = 1
        for v in column:
            shared = shared * v.denominator // gcd(shared, v.denominator)
        out.append([int(v * shared) for v in column])
    return chosen, out
