"""How do two networks differ on a plane? Exactly, in fractions: every cell of both together, cut by what is asked.

The networks are put side by side, their cells enumerated as those of one, and each cell is cut along the zero sets of
the differences and by the largest outputs, polygon by polygon. Nothing here is shared with reluatlas.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from tests.oracles.plain import Affine, Breakpoints, Form, Max, Node, Point, Problem
from tests.oracles.rational import area, enumerate_cells

Polygon = tuple[Point, ...]


@dataclass(frozen=True)
class Compared:
    """What there is to know of two networks on a plane, all of it exact; shares and means are of the domain's area."""

    n_cells: int
    largest: tuple[Fraction, ...]
    mean: tuple[Fraction, ...]
    mean_square: tuple[Fraction, ...]
    is_equal: bool
    pairs: dict[tuple[int, int], Fraction]
    f_tied: Fraction
    g_tied: Fraction

    @property
    def disagreement(self) -> Fraction:
        """The share of the area on which the classes differ."""
        return sum((v for (a, b), v in self.pairs.items() if a != b), Fraction(0))


def side_by_side(f: Problem, g: Problem, m: int) -> Problem:
    """Return two networks with m outputs each, on the domain of the first, as one with 2 m outputs."""
    by = len(f.nodes) - 1
    nodes = [*f.nodes, *(_moved(node, by) for node in g.nodes[1:])]
    ends = f.output, g.output + by if g.output else 0
    some, none = tuple(((i, Fraction(1)),) for i in range(m)), ((),) * m
    nodes.append(Affine(((ends[0], some + none), (ends[1], none + some)), (Fraction(0),) * (2 * m)))
    return replace(f, nodes=tuple(nodes), output=len(nodes) - 1)


def _moved(node: Node, by: int) -> Node:
    def place(source: int) -> int:
        return source + by if source else 0

    if isinstance(node, Affine):
        return replace(node, terms=tuple((place(source), rows) for source, rows in node.terms))
    assert isinstance(node, Breakpoints | Max)
    return replace(node, source=place(node.source))


def compare(f: Problem, g: Problem, m: int) -> Compared:
    """Return how two networks with m outputs differ on the domain of the first; the largest output is the class."""
    cells = enumerate_cells(side_by_side(f, g, m))
    whole = sum((cell.area for cell in cells), Fraction(0))
    largest, mean, square = [Fraction(0)] * m, [Fraction(0)] * m, [Fraction(0)] * m
    pairs: dict[tuple[int, int], Fraction] = {}
    tied = [Fraction(0), Fraction(0)]
    for cell in cells:
        first, second = cell.map[:m], cell.map[m:]
        for o, (a, b) in enumerate(zip(first, second, strict=True)):
            d = (a[0] - b[0], a[1] - b[1], a[2] - b[2])
            largest[o] = max(largest[o], *(abs(value(d, p)) for p in cell.vertices))
            for part in (clipped(cell.vertices, d), clipped(cell.vertices, (-d[0], -d[1], -d[2]))):
                mean[o] += abs(integral(part, d))
            square[o] += integral_of_square(cell.vertices, d)
        for a, polygon in by_class(cell.vertices, first):
            tied[0] += area(polygon) if is_tied(a, first) else 0
            for b, part in by_class(polygon, second):
                pairs[a, b] = pairs.get((a, b), Fraction(0)) + area(part)
        for b, polygon in by_class(cell.vertices, second):
            tied[1] += area(polygon) if is_tied(b, second) else 0
    return Compared(
        n_cells=len(cells),
        largest=tuple(largest),
        mean=tuple(v / whole for v in mean),
        mean_square=tuple(v / whole for v in square),
        is_equal=all(cell.map[:m] == cell.map[m:] for cell in cells),
        pairs={pair: size / whole for pair, size in pairs.items()},
        f_tied=tied[0] / whole,
        g_tied=tied[1] / whole,
    )


def value(form: Form, p: Point) -> Fraction:
    """Return a x + b y + c."""
    return form[0] * p[0] + form[1] * p[1] + form[2]


def clipped(polygon: Polygon, form: Form) -> Polygon:
    """Return the part of a convex polygon where a form is not negative; it may be flat, or empty."""
    out: list[Point] = []
    for i, q in enumerate(polygon):
        p = polygon[i - 1]
        u, v = value(form, p), value(form, q)
        if (u < 0 < v) or (v < 0 < u):
            t = u / (u - v)
            out.append((p[0] + t * (q[0] - p[0]), p[1] + t * (q[1] - p[1])))
        if v >= 0:
            out.append(q)
    return tuple(out)


def by_class(polygon: Polygon, forms: tuple[Form, ...]) -> list[tuple[int, Polygon]]:
    """Return the parts with an interior on which each form is the largest, the lowest of equals; one form: signs."""
    if len(forms) == 1:
        (form,) = forms
        above = clipped(polygon, form) if any(form) else ()
        below = clipped(polygon, (-form[0], -form[1], -form[2]))
        found = [(1, above), (0, below)]
    else:
        found = []
        for c, mine in enumerate(forms):
            part = polygon if mine not in forms[:c] else ()
            for other in forms:
                part = clipped(part, (mine[0] - other[0], mine[1] - other[1], mine[2] - other[2]))
            found.append((c, part))
    return [(c, part) for c, part in found if len(part) > 2 and area(part) > 0]


def is_tied(c: int, forms: tuple[Form, ...]) -> bool:
    """Return whether another form is the same as form c; of one form, whether it is zero."""
    return not any(forms[0]) if len(forms) == 1 else forms.count(forms[c]) > 1


def integral(polygon: Polygon, form: Form) -> Fraction:
    """Return the integral of a form over a polygon."""
    total = Fraction(0)
    for triangle in _fan(polygon):
        total += area(triangle) * sum((value(form, p) for p in triangle), Fraction(0)) / 3
    return total


def integral_of_square(polygon: Polygon, form: Form) -> Fraction:
    """Return the integral of a form's square over a polygon: by the midpoints of triangles' sides, which is exact."""
    total = Fraction(0)
    for triangle in _fan(polygon):
        middles = [
            ((p[0] + q[0]) / 2, (p[1] + q[1]) / 2) for p, q in zip(triangle, triangle[1:] + triangle[:1], strict=True)
        ]
        total += area(triangle) * sum((value(form, p) ** 2 for p in middles), Fraction(0)) / 3
    return total


def _fan(polygon: Polygon) -> list[Polygon]:
    return [(polygon[0], polygon[i], polygon[i + 1]) for i in range(1, len(polygon) - 1)]
