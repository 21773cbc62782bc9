"""From a network and a domain of reluatlas to the oracle's plain data: the same numbers, as fractions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from reluatlas.domain import Box, Slice
from reluatlas.network import network as graph
from tests.oracles import plain


def to_problem(network: graph.Network, domain: Box | Slice) -> plain.Problem:
    """Return the exact problem that the float64 coefficients of a network and a 2-D domain define."""
    origin, basis = domain.frame()
    low, high = domain.box.low, domain.box.high
    assert basis.shape == (2, network.n_inputs)
    return plain.Problem(
        nodes=to_nodes(network),
        output=network.output,
        low=(Fraction(float(low[0])), Fraction(float(low[1]))),
        high=(Fraction(float(high[0])), Fraction(float(high[1]))),
        origin=fractions(origin),
        basis=(fractions(basis[0]), fractions(basis[1])),
    )


def to_nodes(network: graph.Network) -> tuple[plain.Node, ...]:
    """Return the nodes of a network as plain data."""
    return tuple(_node(node, network.n_inputs) for node in network.nodes)


def _node(node: graph.Node, n_inputs: int) -> plain.Node:
    if isinstance(node, graph.Input):
        return plain.Input(n_inputs)
    if isinstance(node, graph.Affine):
        terms = zip(node.inputs, (matrix_rows(operator) for operator in node.operators), strict=True)
        return plain.Affine(tuple(terms), fractions(node.bias))
    if isinstance(node, graph.Breakpoints):
        n_knots = np.isfinite(node.knots).sum(axis=1)
        return plain.Breakpoints(
            node.input,
            knots=tuple(fractions(k[:n]) for k, n in zip(node.knots, n_knots, strict=True)),
            slopes=tuple(fractions(s[: n + 1]) for s, n in zip(node.slopes, n_knots, strict=True)),
            intercepts=tuple(fractions(c[: n + 1]) for c, n in zip(node.intercepts, n_knots, strict=True)),
        )
    windows = (node.candidates[a:b].tolist() for a, b in zip(node.offsets, node.offsets[1:], strict=False))
    return plain.Max(node.input, tuple(tuple(w) for w in windows))


def matrix_rows(operator: graph.LinearOperator) -> tuple[plain.SparseRow, ...]:
    """Return the exact nonzero coefficients of each output of a linear operator."""
    if isinstance(operator, graph.Sparse):
        return tuple(
            tuple(
                (int(j), Fraction(float(c)) / operator.denominator)
                for j, c in zip(operator.indices[a:b], operator.values[a:b], strict=True)
                if c
            )
            for a, b in zip(operator.indptr, operator.indptr[1:], strict=False)
        )
    if isinstance(operator, graph.Convolution):
        out, channels, taps = operator.weight.shape
        rows = []
        for o in range(out):
            first = (o * operator.groups // out) * channels
            for place in operator.places.tolist():
                rows.append(
                    tuple(
                        ((first + c) * operator.n_positions + place[k], Fraction(float(operator.weight[o, c, k])))
                        for c in range(channels)
                        for k in range(taps)
                        if place[k] >= 0 and operator.weight[o, c, k]
                    )
                )
        return tuple(rows)
    if isinstance(operator, graph.Dense):
        return tuple(tuple((int(j), Fraction(float(row[j]))) for j in np.flatnonzero(row)) for row in operator.weight)
    entries = zip(operator.index.tolist(), operator.scale.tolist(), strict=True)
    return tuple(((j, Fraction(c)),) if j >= 0 and c else () for j, c in entries)


def fractions(values: np.ndarray) -> tuple[Fraction, ...]:
    """Return float64 numbers as what they are."""
    return tuple(Fraction(float(v)) for v in values)
