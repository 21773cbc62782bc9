"""Which cells does a network have on a box of one, two or three coordinates? Every polytope is kept, every row tried.

As `rational`, in any dimension: a tensor's rows share one denominator, and only signs of whole numbers decide. A whole
space is asked for as a box so large that no crossing lies near its sides; see `whole`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import lcm

from tests.oracles.plain import Affine, Breakpoints, Input, Max, Node, Number
from tests.oracles.polytopes import Polytope, Row, box, cut, volume

Form = tuple[Fraction, ...]


@dataclass(frozen=True)
class Domain:
    """The set `{origin + u @ basis : low <= u <= high}`; `whole` when the box stands for the whole space."""

    low: tuple[Number, ...]
    high: tuple[Number, ...]
    origin: tuple[Number, ...]
    basis: tuple[tuple[Number, ...], ...]
    whole: bool = False

    @property
    def k(self) -> int:
        """The number of coordinates."""
        return len(self.low)


@dataclass(frozen=True)
class Cell:
    """One activation pattern that holds in a set with an interior: `rows` of the output over one `scale`."""

    pattern: tuple[int, ...]
    polytope: Polytope
    rows: tuple[Row, ...]
    scale: int

    @cached_property
    def map(self) -> tuple[Form, ...]:
        """One (a_1, ..., a_k, c) per output, for a . u + c in the domain's coordinates."""
        return tuple(tuple(Fraction(v, self.scale) for v in row) for row in self.rows)

    @cached_property
    def volume(self) -> Fraction:
        """The volume in the domain's coordinates."""
        return volume(self.polytope)


@dataclass(frozen=True)
class _Part:
    pattern: tuple[int, ...]
    polytope: Polytope
    tensors: tuple[tuple[Row, ...], ...]


def on_box(low: Sequence[Number], high: Sequence[Number]) -> Domain:
    """Return a box of a network's inputs."""
    k = len(low)
    basis = tuple(tuple(int(i == j) for i in range(k)) for j in range(k))
    return Domain(tuple(low), tuple(high), (0,) * k, basis)


def whole(nodes: Sequence[Node], k: int, *, further: int = 0) -> Domain:
    """Return the whole space of a network's inputs: a box with sides beyond all crossings, by a bound on these.

    Every row has coefficients below 2^s in multiples of 2^-t, as far as numbers are dyadic; a crossing is a ratio of
    two minors of k rows. With `further` the sides are so many more powers of two away, which must change nothing.
    """
    numbers: list[Number] = []
    bits = 64
    for node in nodes:
        if isinstance(node, Affine):
            numbers = [c for _, rows in node.terms for row in rows for _, c in row] + list(node.bias)
        elif isinstance(node, Breakpoints):
            numbers = [n for row in (*node.knots, *node.slopes, *node.intercepts) for n in row]
        else:
            continue
        tops = [Fraction(n).as_integer_ratio() for n in numbers]
        bits += max(a.bit_length() for a, _ in tops) + max(b.bit_length() for _, b in tops) + len(tops).bit_length()
    bits = 2 * (k + 1) * bits + further
    here = on_box((-(2**bits),) * k, (2**bits,) * k)
    return Domain(here.low, here.high, here.origin, here.basis, whole=True)


def cells(nodes: Sequence[Node], output: int, domain: Domain) -> list[Cell]:
    """Return all cells, each once."""
    scales = [_denominator(*domain.origin, *(v for row in domain.basis for v in row))]
    columns = zip(*domain.basis, domain.origin, strict=True)
    start = tuple(tuple(int(c * scales[0]) for c in column) for column in columns)
    parts = [_Part((), box(domain.low, domain.high), (start,))]
    for node in nodes[1:]:
        if isinstance(node, Affine):
            parts, scale = _affine(node, parts, scales)
        elif isinstance(node, Breakpoints):
            parts, scale = _breakpoints(node, parts, scales[node.source])
        elif isinstance(node, Max):
            parts, scale = [p for part in parts for p in _max(node, part)], scales[node.source]
        else:
            assert not isinstance(node, Input), "the input comes first, and only there"
        scales.append(scale)
    return [Cell(p.pattern, p.polytope, p.tensors[output], scales[output]) for p in parts]


def _affine(node: Affine, parts: list[_Part], scales: list[int]) -> tuple[list[_Part], int]:
    numbers = [c for _, rows in node.terms for row in rows for _, c in row]
    shared = lcm(*(scales[source] for source, _ in node.terms))
    scale = _denominator(*numbers, *node.bias) * shared
    terms = [
        (source, [[(j, int(c * (scale // scales[source]))) for j, c in row] for row in rows])
        for source, rows in node.terms
    ]
    bias = [int(b * scale) for b in node.bias]
    out = []
    for part in parts:
        width = part.polytope.k + 1
        rows = []
        for i, constant in enumerate(bias):
            total = [0] * (width - 1) + [constant]
            for source, table in terms:
                for j, weight in table[i]:
                    for at, v in enumerate(part.tensors[source][j]):
                        total[at] += weight * v
            rows.append(tuple(total))
        out.append(_Part(part.pattern, part.polytope, (*part.tensors, tuple(rows))))
    return out, scale


def _breakpoints(node: Breakpoints, parts: list[_Part], scale: int) -> tuple[list[_Part], int]:
    factor = _denominator(*(n for row in (*node.slopes, *node.intercepts) for n in row))
    slopes = [[int(s * factor) for s in row] for row in node.slopes]
    shifts = [[int(c * factor * scale) for c in row] for row in node.intercepts]
    out = []
    for part in parts:
        rows = part.tensors[node.source]
        found: list[tuple[Polytope, tuple[int, ...]]] = [(part.polytope, ())]
        for row, knots in zip(rows, node.knots, strict=True):
            found = [(q, (*pieces, p)) for here, pieces in found for q, p in _by_piece(here, row, knots, scale)]
        for here, pieces in found:
            values = []
            for i, (row, p) in enumerate(zip(rows, pieces, strict=True)):
                values.append((*(slopes[i][p] * v for v in row[:-1]), slopes[i][p] * row[-1] + shifts[i][p]))
            out.append(_Part(part.pattern + pieces, here, (*part.tensors, tuple(values))))
    return out, factor * scale


def _by_piece(here: Polytope, row: Row, knots: Sequence[Number], scale: int) -> Iterator[tuple[Polytope, int]]:
    rest: Polytope | None = here
    for piece, knot in enumerate(knots):
        assert rest is not None
        top, bottom = Fraction(knot).as_integer_ratio()
        below, rest = cut(rest, (*(v * bottom for v in row[:-1]), row[-1] * bottom - top * scale))
        if below:
            yield below, piece
        if not rest:
            return
    assert rest is not None
    yield rest, len(knots)


def _max(node: Max, part: _Part) -> Iterator[_Part]:
    rows = part.tensors[node.source]
    found: list[tuple[Polytope, tuple[int, ...]]] = [(part.polytope, ())]
    for window in node.windows:
        # Candidates that are the same function here are one class, under the lowest place.
        classes: dict[Row, int] = {}
        for place, entry in enumerate(window):
            classes.setdefault(rows[entry], place)
        found = [(q, (*won, p)) for here, won in found for q, p in _by_winner(here, classes)]
    for here, won in found:
        values = tuple(rows[window[p]] for window, p in zip(node.windows, won, strict=True))
        yield _Part(part.pattern + won, here, (*part.tensors, values))


def _by_winner(here: Polytope, classes: dict[Row, int]) -> Iterator[tuple[Polytope, int]]:
    for row, place in classes.items():
        part: Polytope | None = here
        for other in classes:
            if part and other != row:
                _, part = cut(part, tuple(a - b for a, b in zip(row, other, strict=True)))
        if part:
            yield part, place


def _denominator(*numbers: Number) -> int:
    return lcm(*(Fraction(n).denominator for n in numbers))
