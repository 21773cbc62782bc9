"""What are the means of a difference, and the shares of volume, in fractions? Summed cell by cell, without rounding.

A cell is divided into simplices by pulling its vertices, from incidences alone; vertices and maps are those of whole
numbers. On a simplex of volume V where f - g has the values d_0, ..., d_k at the vertices, the mean of its square is
((d_0 + ... + d_k)^2 + d_0^2 + ... + d_k^2) / ((k + 1) (k + 2)), and that of its positive part k! times the divided
difference over d_0, ..., d_k of t -> max(t, 0)^(k + 1) / (k + 1)! (Hermite and Genocchi).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import factorial, prod
from operator import mul
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reluatlas.comparison.exact import ExactAt
from reluatlas.comparison.refinement import Refinement
from reluatlas.comparison.shape import Shape
from reluatlas.complexes.linear_regions import ExactMaps
from reluatlas.deadline import look
from reluatlas.domain import Box, Slice
from reluatlas.errors import InternalError
from reluatlas.network.values.exact import IntegerArithmetic
from reluatlas.typing import IntArray

Face = frozenset[int]
Number = Any
"""A `Fraction`, or flint's, which is faster."""


@dataclass(frozen=True, eq=False)
class ExactMeans:
    """Means of a difference and shares of volume, in fractions.

    Attributes
    ----------
    mean_difference, mean_square : tuple of Fraction
        Of |f - g| and its square, for each output; empty where means were not asked for.
    disagreement : Fraction or None
        The share of the volume on which the classes differ; None without classes.
    pairs : dict
        That share by (class of f, class of g).
    f_tied, g_tied : Fraction or None
        Shares on which other outputs tie with the class.
    """

    mean_difference: tuple[Fraction, ...]
    mean_square: tuple[Fraction, ...]
    disagreement: Fraction | None
    pairs: dict[tuple[int, int], Fraction]
    f_tied: Fraction | None
    g_tied: Fraction | None

    def __repr__(self) -> str:
        means = ", ".join(f"{float(v):.6g}" for v in self.mean_difference)
        share = "" if self.disagreement is None else f", disagreement={float(self.disagreement):.6g}"
        return f"ExactMeans(mean_difference=({means}){share}, in fractions)"

    def to_dict(self) -> dict[str, Any]:
        """Return the fractions as text in base 16, such as "-a/3", for JSON."""
        return {
            "mean_difference": [_text(v) for v in self.mean_difference],
            "mean_square": [_text(v) for v in self.mean_square],
            "disagreement": None if self.disagreement is None else _text(self.disagreement),
            "pairs": [{"f_class": a, "g_class": b, "share": _text(v)} for (a, b), v in sorted(self.pairs.items())],
            "f_tied": None if self.f_tied is None else _text(self.f_tied),
            "g_tied": None if self.g_tied is None else _text(self.g_tied),
        }


class ExactSums:
    """Adds up what cells of a refinement have.

    Parameters
    ----------
    both : Refinement
    domain : Box or Slice
    means : bool
        Whether integrals are asked for, and not shares alone.
    """

    def __init__(self, both: Refinement, domain: Box | Slice, *, means: bool) -> None:
        self._both, self._domain, self._means = both, domain, means
        self._at, self._arithmetic = ExactAt(both, domain), IntegerArithmetic()
        self._sums: dict[Any, list[Number]] = {"volume": []}

    def add(self, cells: Shape, f_class: IntArray, g_class: IntArray, tied: dict[str, NDArray[np.bool_]]) -> None:
        """Take the next cells."""
        maps = ExactMaps(self._both.network, self._domain, cells.pattern, self._arithmetic)
        found: dict[Any, list[Number]] = {}
        for i in range(len(cells.pattern)):
            look()
            kinds: list[Any] = [name for name, is_tied in tied.items() if is_tied[i]]
            if f_class[i] != g_class[i]:
                kinds.append((int(f_class[i]), int(g_class[i])))
            form = maps.of(i)[2 * self._both.m :] if self._means else ()
            for volume, values in self._simplices(cells, i, form):
                for kind in ("volume", *kinds):
                    found.setdefault(kind, []).append(volume)
                for o, d in enumerate(values):
                    found.setdefault(("absolute", o), []).append(volume * mean_size(d))
                    found.setdefault(("square", o), []).append(volume * mean_square(d))
        for kind, several in found.items():
            self._sums.setdefault(kind, []).append(_sum(several))

    def _simplices(
        self, cells: Shape, i: int, form: Sequence[Sequence[Fraction]]
    ) -> Iterator[tuple[Number, list[list[Number]]]]:
        """Yield the simplices of a cell: the volume of each, and the values of affine forms at its vertices."""
        begin, end, k = int(cells.offsets[i]), int(cells.offsets[i + 1]), self._domain.dim
        points = [_quick(self._at.vertex(cells.lines[v], cells.pattern[i])) for v in range(begin, end)]
        values = [[sum(map(mul, row, p), row[-1]) for p in points] for row in map(_quick, form)]
        if cells.mask.size:
            mask = cells.mask[begin:end]
            bits = np.unpackbits(mask.view(np.uint8), axis=1, bitorder="little")
            facets = [frozenset(np.flatnonzero(column).tolist()) for column in bits.T]
            parts = simplices(frozenset(range(len(points))), facets, k)
        else:  # a polygon, its vertices in order
            parts = iter([(0, v, v + 1) for v in range(1, len(points) - 1)])
        for part in parts:
            first, *others = (points[v] for v in part)
            volume = _determinant([[a - b for a, b in zip(p, first, strict=True)] for p in others]) / factorial(k)
            yield volume, [[row[v] for v in part] for row in values]

    def finish(self) -> ExactMeans:
        """Return the means and shares, once all cells were taken.

        Raises
        ------
        InternalError
            When the cells do not fill the domain.
        """
        sums = {kind: _sum(several) for kind, several in self._sums.items()}
        total = {kind: Fraction(int(v.p), int(v.q)) for kind, v in sums.items()}
        box, m, none = self._domain.box, self._both.m, Fraction(0)
        whole = prod((Fraction(b) - Fraction(a) for a, b in zip(box.low.tolist(), box.high.tolist(), strict=True)))
        if total.pop("volume") != whole:
            raise InternalError("the cells of a comparison do not fill the domain. Please report it with the networks.")
        share = {kind: v / whole for kind, v in total.items()}
        pairs = {kind: v for kind, v in share.items() if isinstance(kind, tuple) and isinstance(kind[0], int)}
        has_classes = self._both.columns is not None
        each = range(m if self._means else 0)
        return ExactMeans(
            mean_difference=tuple(share[("absolute", o)] for o in each),
            mean_square=tuple(share[("square", o)] for o in each),
            disagreement=sum(pairs.values(), none) if has_classes else None,
            pairs=pairs,
            f_tied=share.get("f", none) if has_classes else None,
            g_tied=share.get("g", none) if has_classes else None,
        )


def simplices(face: Face, facets: Sequence[Face], dim: int) -> Iterator[tuple[int, ...]]:
    """Yield a division of a face into simplices, by vertices; `facets` are those of the polytope, and may repeat.

    The face is the union of the pyramids from its first vertex over its own facets that do not hold it. These are the
    largest of its intersections with facets of the polytope.
    """
    if len(face) == dim + 1:
        yield tuple(sorted(face))
        return
    apex = min(face)
    met = {part for facet in facets if len(part := face & facet) >= dim and part != face}
    for part in met:
        if apex not in part and not any(part < other for other in met):
            yield from ((apex, *rest) for rest in simplices(part, facets, dim - 1))


def mean_square(values: Sequence[Number]) -> Number:
    """Return the mean over a simplex of the square of an affine function, from its values at the vertices."""
    n = len(values)
    return (sum(values) ** 2 + sum(v * v for v in values)) / (n * (n + 1))


def mean_size(values: Sequence[Number]) -> Number:
    """Return the mean over a simplex of |d| for an affine function d, from its values at the vertices."""
    mean = sum(values) / len(values)
    if min(values) >= 0 or max(values) <= 0:
        return abs(mean)
    return 2 * _mean_of_positive_part(sorted(values)) - mean


def _mean_of_positive_part(values: Sequence[Number]) -> Number:
    """Return the mean of max(d, 0) over a simplex; values ascend, so that equal ones stand together."""
    k = len(values) - 1

    def derivative(t: Number, n: int) -> Number:
        return (t if t > 0 else 0 * t) ** (k + 1 - n) / factorial(k + 1 - n)

    table = [derivative(t, 0) for t in values]
    for n in range(1, k + 1):
        table = [
            derivative(a, n) / factorial(n) if a == b else (table[i + 1] - table[i]) / (b - a)
            for i, (a, b) in enumerate(zip(values, values[n:], strict=False))
        ]
    return factorial(k) * table[0]


def _quick(values: Sequence[Fraction]) -> list[Number]:
    """Return fractions as flint's."""
    from flint import fmpq

    return [fmpq(v.numerator, v.denominator) for v in values]


def _determinant(rows: list[list[Number]]) -> Number:
    """Return the size of a determinant."""
    from flint import fmpq_mat

    return abs(fmpq_mat(rows).det())


def _sum(values: list[Number]) -> Number:
    """Return a sum, in pairs: large denominators come late."""
    from flint import fmpq

    values = values or [fmpq(0)]
    while len(values) > 1:
        values = [a + b for a, b in zip(values[::2], [*values[1::2], fmpq(0)], strict=False)]
    return values[0]


def _text(value: Fraction) -> str:
    return f"{value.numerator:x}/{value.denominator:x}"
