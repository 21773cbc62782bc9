"""A second computation of the cells: try every pattern, and clip the box by all that the pattern demands.

Plain fractions, no subdivision, nothing shared with `rational` but the input data. For at most about eight units.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import product

from tests.oracles.plain import Affine, Breakpoints, Form, Input, Max, Point, Problem

Found = tuple[frozenset[Point], tuple[Form, ...], Fraction]


def all_patterns(problem: Problem) -> dict[tuple[int, ...], Found]:
    """Return, for each pattern that has an interior, its vertices, its map and its area."""
    choices: list[int] = []
    for node in problem.nodes:
        if isinstance(node, Breakpoints):
            choices += [len(k) + 1 for k in node.knots]
        elif isinstance(node, Max):
            choices += [len(w) for w in node.windows]
    out: dict[tuple[int, ...], Found] = {}
    for pattern in product(*(range(n) for n in choices)):
        demands, outputs = _demands(problem, pattern)
        if demands is None:
            continue
        polygon = _box(problem)
        for form in demands:
            polygon = _clip(polygon, form)
        points = _corners(polygon)
        size = _twice_area(points) / 2
        if size > 0:
            out[pattern] = (frozenset(points), outputs, size)
    return out


def _demands(problem: Problem, pattern: tuple[int, ...]) -> tuple[list[Form] | None, tuple[Form, ...]]:
    """Return the functions that must be >= 0 under a pattern (None: it breaks a rule of ties), and the output's map."""
    demands: list[Form] = []
    broken = False
    left = list(pattern)
    tensors: list[list[Form]] = []
    for node in problem.nodes:
        row: list[Form] = []
        if isinstance(node, Input):
            for i in range(node.size):
                row.append(_form(problem.basis[0][i], problem.basis[1][i], problem.origin[i]))
        elif isinstance(node, Affine):
            for i, bias in enumerate(node.bias):
                total = _form(0, 0, bias)
                for source, rows in node.terms:
                    for j, weight in rows[i]:
                        total = _plus(total, _times(tensors[source][j], weight))
                row.append(total)
        elif isinstance(node, Breakpoints):
            for i, z in enumerate(tensors[node.source]):
                piece, knots = left.pop(0), node.knots[i]
                gaps = [_plus(z, _form(0, 0, -k)) for k in knots]
                # Zero everywhere is not above: such a gap may only be demanded from below.
                broken |= any(not any(gap) for gap in gaps[:piece])
                demands += gaps[:piece] + [_times(gap, -1) for gap in gaps[piece:]]
                row.append(_plus(_times(z, node.slopes[i][piece]), _form(0, 0, node.intercepts[i][piece])))
        else:
            for window in node.windows:
                place = left.pop(0)
                best = tensors[node.source][window[place]]
                for other_place, entry in enumerate(window):
                    lead = _plus(best, _times(tensors[node.source][entry], -1))
                    broken |= not any(lead) and other_place < place
                    demands.append(lead)
                row.append(best)
        tensors.append(row)
    return (None if broken else demands), tuple(tensors[problem.output])


def _box(problem: Problem) -> list[Point]:
    (a, b), (c, d) = problem.low, problem.high
    return [(Fraction(x), Fraction(y)) for x, y in ((a, b), (c, b), (c, d), (a, d))]


def _clip(polygon: list[Point], form: Form) -> list[Point]:
    """Return the part of a convex polygon where the form is >= 0; it may be flat or empty."""
    out: list[Point] = []
    for i, q in enumerate(polygon):
        p = polygon[i - 1]
        u, v = _at(form, p), _at(form, q)
        if u * v < 0:
            t = u / (u - v)
            out.append((p[0] + t * (q[0] - p[0]), p[1] + t * (q[1] - p[1])))
        if v >= 0:
            out.append(q)
    return out


def _corners(polygon: list[Point]) -> list[Point]:
    distinct = [p for i, p in enumerate(polygon) if p != polygon[i - 1]]
    n = len(distinct)
    return [p for i, p in enumerate(distinct) if _twice_area([distinct[i - 1], p, distinct[(i + 1) % n]]) != 0]


def _twice_area(points: list[Point]) -> Fraction:
    return sum(
        (p[0] * q[1] - q[0] * p[1] for p, q in zip(points, points[1:] + points[:1], strict=True)), start=Fraction(0)
    )


def _form(a, b, c) -> Form:
    return Fraction(a), Fraction(b), Fraction(c)


def _plus(f: Form, g: Form) -> Form:
    return f[0] + g[0], f[1] + g[1], f[2] + g[2]


def _times(f: Form, factor) -> Form:
    return f[0] * factor, f[1] * factor, f[2] * factor


def _at(f: Form, p: Point) -> Fraction:
    return f[0] * p[0] + f[1] * p[1] + f[2]
