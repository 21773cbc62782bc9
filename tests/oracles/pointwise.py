"""What does a network do at a point, and which map has it along a pattern? Plain fractions, node after node."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from tests.oracles.plain import Affine, Breakpoints, Input, Node, Number

Form = tuple[Fraction, ...]
"""An affine function: k coefficients and the constant."""


def pattern_at(nodes: Sequence[Node], x: Sequence[Number]) -> tuple[int, ...]:
    """Return the number of knots below each unit's value, and the first largest candidate of each window."""
    values: list[list[Fraction]] = []
    pattern: list[int] = []
    for node in nodes:
        row: list[Fraction] = []
        if isinstance(node, Input):
            row = [Fraction(v) for v in x]
        elif isinstance(node, Affine):
            for i, bias in enumerate(node.bias):
                total = Fraction(bias)
                for source, rows in node.terms:
                    total += sum((w * values[source][j] for j, w in rows[i]), Fraction(0))
                row.append(total)
        elif isinstance(node, Breakpoints):
            for i, z in enumerate(values[node.source]):
                piece = sum(k < z for k in node.knots[i])
                pattern.append(piece)
                row.append(node.slopes[i][piece] * z + node.intercepts[i][piece])
        else:
            for window in node.windows:
                seen = [values[node.source][entry] for entry in window]
                pattern.append(seen.index(max(seen)))
                row.append(max(seen))
        values.append(row)
    return tuple(pattern)


def map_along(nodes: Sequence[Node], output: int, k: int, pattern: Sequence[int]) -> tuple[Form, ...]:
    """Return the affine function of each output along a pattern."""
    left = list(pattern)
    tensors: list[list[Form]] = []
    for node in nodes:
        row: list[Form] = []
        if isinstance(node, Input):
            row = [tuple(Fraction(int(i == j)) for j in range(k + 1)) for i in range(k)]
        elif isinstance(node, Affine):
            for i, bias in enumerate(node.bias):
                total = (Fraction(0),) * k + (Fraction(bias),)
                for source, rows in node.terms:
                    for j, w in rows[i]:
                        total = tuple(a + w * b for a, b in zip(total, tensors[source][j], strict=True))
                row.append(total)
        elif isinstance(node, Breakpoints):
            for i, z in enumerate(tensors[node.source]):
                piece = left.pop(0)
                bent = tuple(node.slopes[i][piece] * v for v in z)
                row.append((*bent[:-1], bent[-1] + node.intercepts[i][piece]))
        else:
            row = [tensors[node.source][window[left.pop(0)]] for window in node.windows]
        tensors.append(row)
    return tuple(tensors[output])
