"""A slow, obvious evaluation in fractions, node by node, of a network at one point."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from reluatlas.network.network import Affine, Breakpoints, Input, Max, Network
from tests.convert import matrix_rows

Form = tuple[Fraction, ...]
"""An affine function near a point: its value there, then its partial derivatives."""


def germ(network: Network, x, *, perturb: bool):
    """Return (pattern, output forms, whether x is on a face) at x; see `reluatlas.network.maps.affine_at`.

    Without `perturb`, pieces are those of exact evaluation at x; with it, signs are lexicographic.
    """
    start = [_input_form(x, i) for i in range(len(x))]
    done, pattern, on_face = [], [], False
    for node in network.nodes:
        if isinstance(node, Input):
            done.append(start)
        elif isinstance(node, Affine):
            done.append(_affine(node, done, len(x)))
        elif isinstance(node, Breakpoints):
            row = []
            for i, z in enumerate(done[node.input]):
                piece = 0
                for knot in node.knots[i][np.isfinite(node.knots[i])]:
                    gap = (z[0] - Fraction(float(knot)), *z[1:])
                    above = next((v for v in gap if v), Fraction(0)) > 0 if perturb else gap[0] > 0
                    on_face |= gap[0] == 0 and any(gap)
                    piece += above
                pattern.append(piece)
                slope, shift = (Fraction(float(c[i, piece])) for c in (node.slopes, node.intercepts))
                row.append((slope * z[0] + shift, *(slope * v for v in z[1:])))
            done.append(row)
        else:
            assert isinstance(node, Max)
            row = []
            for begin, end in zip(node.offsets, node.offsets[1:], strict=False):
                forms = [done[node.input][j] for j in node.candidates[begin:end]]
                keys = forms if perturb else [f[:1] for f in forms]
                winner = keys.index(max(keys))
                top = [f for f in forms if f[0] == forms[winner][0]]
                on_face |= len(set(top)) > 1
                pattern.append(winner)
                row.append(forms[winner])
            done.append(row)
    return pattern, done[network.output], on_face


def _input_form(x, i) -> Form:
    return (Fraction(float(x[i])), *(Fraction(int(i == j)) for j in range(len(x))))


def _affine(node: Affine, done, n: int) -> list[Form]:
    out = []
    tables = [matrix_rows(operator) for operator in node.operators]
    for i, bias in enumerate(node.bias):
        total = [Fraction(float(bias))] + [Fraction(0)] * n
        for source, table in zip(node.inputs, tables, strict=True):
            for j, weight in table[i]:
                total = [t + weight * v for t, v in zip(total, done[source][j], strict=True)]
        out.append(tuple(total))
    return out
