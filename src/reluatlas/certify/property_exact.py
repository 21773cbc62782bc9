"""What does a network give at a point, and what is one row never below on a box? In ratios: nothing is rounded.

A part of the check of certificates: shares nothing with the search.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from math import lcm
from typing import Any

from reluatlas.certify.property_bounds import Boxes
from reluatlas.certify.whole import matrix_of
from reluatlas.deadline import look
from reluatlas.network.operators import Dense, as_sparse, denominator
from reluatlas.network.record import Affine, Breakpoints, Graph, Max

Row = list[Fraction]


def exact_output(net: Graph, x: Sequence[Fraction]) -> Row:
    """Return the output at an input, all in ratios."""
    values: list[Row] = [list(x)]
    for node in net.nodes[1:]:
        look()
        if isinstance(node, Affine):
            total = [Fraction(float(b)) for b in node.bias]
            for source, operator in zip(node.inputs, node.operators, strict=True):
                total = [a + b for a, b in zip(total, _applied(operator, values[source]), strict=True)]
            values.append(total)
        elif isinstance(node, Breakpoints):
            values.append([_bent(node, i, z) for i, z in enumerate(values[node.input])])
        else:
            assert isinstance(node, Max)
            source = values[node.input]
            ends, candidates = node.offsets.tolist(), node.candidates.tolist()
            values.append([max(source[j] for j in candidates[start:end]) for start, end in pairwise(ends)])
    return values[net.output]


def exact_least(
    net: Graph,
    starts: Mapping[int, Row],
    constant: Fraction,
    boxes: Boxes,
    low: Sequence[Fraction],
    high: Sequence[Fraction],
) -> Fraction:
    """Return what a row is never below on a box between `low` and `high`, the first of `boxes`.

    `starts` has, by node, the weights of its tensor's entries. Lines around units are those of `boxes`; where a unit
    has one piece, that is all there is to it, so that a row of such units alone is bounded by what it is at a corner.
    """
    row, total = exact_row(net, starts, constant, boxes)
    ends = zip(row, low, high, strict=True)
    return total + sum((a * (lo if a > 0 else hi) for a, lo, hi in ends if a), Fraction(0))


def exact_row(net: Graph, starts: Mapping[int, Row], constant: Fraction, boxes: Boxes) -> tuple[Row, Fraction]:
    """Return the linear function of the inputs that a row is never below: its coefficients and its constant."""
    held = {t: list(row) for t, row in starts.items()}
    total = constant
    for t in range(max(held), 0, -1):
        row = held.pop(t, None)
        if row is None:
            continue
        look()
        node = net.nodes[t]
        if isinstance(node, Affine):
            total += sum((a * Fraction(float(b)) for a, b in zip(row, node.bias, strict=True) if a), Fraction(0))
            parts = [(s, _turned(o, row)) for s, o in zip(node.inputs, node.operators, strict=True)]
        else:
            assert isinstance(node, Breakpoints)
            lines = boxes.lines[t]
            part = [Fraction(0)] * len(row)
            for i, a in enumerate(row):
                if a:
                    slope, shift = (lines.low_slope, lines.low_shift) if a > 0 else (lines.high_slope, lines.high_shift)
                    total += a * Fraction(float(shift[0, i]))
                    part[i] = a * Fraction(float(slope[0, i]))
            parts = [(node.input, part)]
        for s, part in parts:
            held[s] = [a + b for a, b in zip(held[s], part, strict=True)] if s in held else part
    return held[0] if 0 in held else [Fraction(0)] * boxes.low.shape[1], total


def _bent(node: Breakpoints, i: int, z: Fraction) -> Fraction:
    piece = sum(1 for knot in node.knots[i].tolist() if knot < z)
    return Fraction(float(node.slopes[i, piece])) * z + Fraction(float(node.intercepts[i, piece]))


def _whole(row: Sequence[Fraction]) -> tuple[list[int], int]:
    shared = lcm(*(v.denominator for v in row))
    return [v.numerator * (shared // v.denominator) for v in row], shared


def _applied(operator: Any, x: Row) -> Row:
    if isinstance(operator, Dense):
        from flint import fmpz_mat

        matrix, scale = matrix_of(operator)
        numbers, shared = _whole(x)
        product = matrix * fmpz_mat(len(numbers), 1, numbers)
        return [Fraction(int(v), scale * shared) for v in product.entries()]
    sparse, out = as_sparse(operator), []
    ends, indices, factors = sparse.indptr.tolist(), sparse.indices.tolist(), sparse.values.tolist()
    for start, end in pairwise(ends):
        look()
        out.append(sum((Fraction(factors[g]) * x[indices[g]] for g in range(start, end)), Fraction(0)))
    return [v / denominator(sparse) for v in out]


def _turned(operator: Any, row: Row) -> Row:
    """Return the row times the operator's matrix."""
    if isinstance(operator, Dense):
        from flint import fmpz_mat

        matrix, scale = matrix_of(operator)
        numbers, shared = _whole(row)
        product = fmpz_mat(1, len(numbers), numbers) * matrix
        return [Fraction(int(v), scale * shared) for v in product.entries()]
    sparse = as_sparse(operator)
    out = [Fraction(0)] * sparse.n_in
    for i, a in enumerate(row):
        if a:
            for g in range(int(sparse.indptr[i]), int(sparse.indptr[i + 1])):
                out[int(sparse.indices[g])] += a * Fraction(float(sparse.values[g]))
    return [v / denominator(sparse) for v in out]
