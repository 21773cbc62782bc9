"""Where do the largest outputs tie, or a single output vanish? All pieces of that set, in fractions.

In the plane each of the oracle's polygons is clipped by every output in turn; in k dimensions the vertices of each part
are the points where k of its rows meet. Slow; shares nothing with reluatlas.

A piece of dimension k - 1 is a facet of a part on which outputs tie that do not tie on all of the part; a
full-dimensional one is a part on all of which they do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import combinations

from tests.oracles import anywhere
from tests.oracles.plain import Affine, Breakpoints, Input, Max, Node
from tests.oracles.rational import Cell

Point = tuple[Fraction, ...]
Form = tuple[Fraction, ...]
"""An affine function: k coefficients and the constant."""


@dataclass
class Boundary:
    """The set by its pieces, each by its vertices.

    Attributes
    ----------
    thin : dict
        For each piece of dimension k - 1: the outputs on top of it, and the patterns of the cells that it is a facet of
        a part of, where that part has but one output on top.
    full : dict
        For each full-dimensional piece: the pattern of its cell, and the outputs on top.
    rims : set
        Pieces of `thin` that are facets of a piece of `full`.
    """

    thin: dict[frozenset[Point], tuple[frozenset[int], set[tuple[int, ...]]]] = field(default_factory=dict)
    full: dict[frozenset[Point], tuple[tuple[int, ...], frozenset[int]]] = field(default_factory=dict)
    rims: set[frozenset[Point]] = field(default_factory=set)

    def full_area(self) -> Fraction:
        """Return the area of the full-dimensional pieces, in the plane."""
        return sum((_twice_area(around(piece)) for piece in self.full), start=Fraction(0)) / 2


Facet = tuple[frozenset[Point], frozenset[int]]
"""A facet of a part, and the outputs on top of all of it."""


def _collect(parts: Iterable[tuple[tuple[int, ...], frozenset[Point], frozenset[int], list[Facet]]]) -> Boundary:
    """Return the boundary from parts: (pattern of the cell, vertices, outputs on top of all of it, facets)."""
    out = Boundary()
    of_full: set[frozenset[Point]] = set()
    for pattern, points, top, facets in parts:
        if len(top) > 1:
            out.full[points] = pattern, top - {-1}
            of_full |= {facet for facet, _ in facets}
            continue
        for facet, tied in facets:
            if len(tied) > 1:
                known = out.thin.setdefault(facet, (tied - {-1}, set()))
                assert known[0] == tied - {-1}, "the two sides of a facet have other outputs on top of it"
                known[1].add(pattern)
    out.rims = of_full & out.thin.keys()
    return out


def of_polygons(cells: Sequence[Cell]) -> Boundary:
    """Return the boundary of the cells of a network in the plane."""

    def parts() -> Iterator[tuple[tuple[int, ...], frozenset[Point], frozenset[int], list[Facet]]]:
        for cell in cells:
            rows = _outputs(cell.map)
            for row in dict.fromkeys(rows.values()):
                polygon = list(cell.vertices)
                for other in rows.values():
                    polygon = _clipped(polygon, _minus(row, other))
                if len(polygon) < 3 or _twice_area(polygon) == 0:
                    continue
                facets = []
                for j, p in enumerate(polygon):
                    q = polygon[j - 1]
                    tied = frozenset(
                        c for c, r in rows.items() if _at(r, p) == _at(row, p) and _at(r, q) == _at(row, q)
                    )
                    facets.append((frozenset((p, q)), tied))
                top = frozenset(c for c, r in rows.items() if r == row)
                yield cell.pattern, frozenset(polygon), top, facets

    return _collect(parts())


def of_polytopes(nodes: Sequence[Node], output: int, k: int, domain: Sequence[Sequence[Fraction]]) -> Boundary:
    """Return the boundary of a small network on a polytope `{x : a . x <= b}`."""

    def parts() -> Iterator[tuple[tuple[int, ...], frozenset[Point], frozenset[int], list[Facet]]]:
        for pattern, demands in anywhere.cells(nodes, k, domain).items():
            rows = _outputs(forms(nodes, k, pattern)[output])
            for row in dict.fromkeys(rows.values()):
                leads = [_minus(row, other) for other in rows.values()]
                if any(not any(lead[:k]) and lead[k] < 0 for lead in leads):
                    continue
                bounds = list(dict.fromkeys(_primitive(f) for f in [*demands, *leads] if any(f[:k])))
                points = _vertices(bounds, k)
                if _dimension(points) < k:
                    continue
                facets = []
                for bound in bounds:
                    on = [p for p in points if _at(bound, p) == 0]
                    if len(on) >= k and _dimension(on) == k - 1:
                        tied = frozenset(c for c, r in rows.items() if all(_at(r, p) == _at(row, p) for p in on))
                        facets.append((frozenset(on), tied))
                yield pattern, frozenset(points), frozenset(c for c, r in rows.items() if r == row), facets

    return _collect(parts())


def _outputs(rows: Sequence[Form]) -> dict[int, Form]:
    """Return the functions that compete, by output; a single one competes with zero, which is number -1."""
    out = {c: tuple(row) for c, row in enumerate(rows)}
    if len(out) == 1:
        out[-1] = (Fraction(0),) * len(out[0])
    return out


def forms(nodes: Sequence[Node], k: int, pattern: Sequence[int]) -> list[list[Form]]:
    """Return all tensors along a pattern as affine functions of the inputs."""
    left = list(pattern)
    tensors: list[list[Form]] = []
    for node in nodes:
        if isinstance(node, Input):
            tensors.append([tuple(Fraction(int(j == i)) for j in range(k + 1)) for i in range(k)])
        elif isinstance(node, Affine):
            row = []
            for i, bias in enumerate(node.bias):
                total = (Fraction(0),) * k + (Fraction(bias),)
                for source, rows in node.terms:
                    for j, weight in rows[i]:
                        total = tuple(a + weight * b for a, b in zip(total, tensors[source][j], strict=True))
                row.append(total)
            tensors.append(row)
        elif isinstance(node, Breakpoints):
            row = []
            for i, z in enumerate(tensors[node.source]):
                piece = left.pop(0)
                value = [node.slopes[i][piece] * v for v in z]
                row.append((*value[:-1], value[-1] + node.intercepts[i][piece]))
            tensors.append(row)
        else:
            assert isinstance(node, Max)
            tensors.append([tensors[node.source][window[left.pop(0)]] for window in node.windows])
    return tensors


def _clipped(polygon: list[Point], form: Form) -> list[Point]:
    """Return the part of a convex polygon where a function is >= 0, without repeated or idle corners."""
    out: list[Point] = []
    for i, q in enumerate(polygon):
        p = polygon[i - 1]
        u, v = _at(form, p), _at(form, q)
        if u * v < 0:
            t = u / (u - v)
            out.append(tuple(a + t * (b - a) for a, b in zip(p, q, strict=True)))
        if v >= 0:
            out.append(q)
    return [p for i, p in enumerate(out) if p != out[i - 1]]


def _vertices(bounds: list[Form], k: int) -> list[Point]:
    """Return the points of `{x : f(x) >= 0 for all f}` where k independent bounds are zero."""
    found: set[Point] = set()
    for chosen in combinations(bounds, k):
        point = _meeting(chosen, k)
        if point is not None and all(_at(f, point) >= 0 for f in bounds):
            found.add(point)
    return sorted(found)


def _meeting(rows: Sequence[Form], k: int) -> Point | None:
    table = [[*row[:k], -row[k]] for row in rows]
    for c in range(k):
        pivot = next((r for r in range(c, k) if table[r][c]), None)
        if pivot is None:
            return None
        table[c], table[pivot] = table[pivot], table[c]
        table[c] = [v / table[c][c] for v in table[c]]
        for r in range(k):
            if r != c and table[r][c]:
                table[r] = [a - table[r][c] * b for a, b in zip(table[r], table[c], strict=True)]
    return tuple(row[k] for row in table)


def _dimension(points: Sequence[Point]) -> int:
    """Return the dimension of the affine hull of points; -1 without any."""
    if not points:
        return -1
    rows = [[a - b for a, b in zip(p, points[0], strict=True)] for p in points[1:]]
    rank = 0
    for c in range(len(points[0])):
        pivot = next((r for r in range(rank, len(rows)) if rows[r][c]), None)
        if pivot is None:
            continue
        rows[rank], rows[pivot] = rows[pivot], rows[rank]
        for r in range(rank + 1, len(rows)):
            if rows[r][c]:
                factor = rows[r][c] / rows[rank][c]
                rows[r] = [a - factor * b for a, b in zip(rows[r], rows[rank], strict=True)]
        rank += 1
    return rank


def _primitive(form: Form) -> Form:
    """Return a multiple by a positive number that is the same for all of them."""
    first = next(abs(v) for v in form if v)
    return tuple(v / first for v in form)


def around(points: Iterable[Point]) -> tuple[Point, ...]:
    """Return the corners of a convex polygon counter-clockwise (Andrew's chains)."""
    ranked = sorted(points)

    def chain(order: Sequence[Point]) -> list[Point]:
        out: list[Point] = []
        for p in order:
            while len(out) > 1 and _turn(out[-2], out[-1], p) <= 0:
                out.pop()
            out.append(p)
        return out[:-1]

    return (*chain(ranked), *chain(ranked[::-1]))


def _twice_area(points: Sequence[Point]) -> Fraction:
    pairs = ((points[i - 1], p) for i, p in enumerate(points))
    return sum((p[0] * q[1] - q[0] * p[1] for p, q in pairs), start=Fraction(0))


def _turn(a: Point, b: Point, c: Point) -> Fraction:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _minus(f: Form, g: Form) -> Form:
    return tuple(a - b for a, b in zip(f, g, strict=True))


def _at(form: Form, point: Point) -> Fraction:
    return sum((a * x for a, x in zip(form, point, strict=False)), start=form[-1])
