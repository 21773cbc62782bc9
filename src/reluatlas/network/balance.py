"""How is a network written so that its numbers are near 1? Units times powers of two, which change no pattern.

Where all that reads a unit is divided by what it is multiplied by, the function stays, and so do the signs of all
rows; nothing is rounded. Networks whose rows are of moderate size, and those that cannot be brought there without
rounding, are left as they are.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from math import prod

import numpy as np
from numpy.typing import NDArray

from reluatlas.network.network import Network
from reluatlas.network.operators import (
    Convolution,
    Dense,
    FloatArray,
    Gather,
    LinearOperator,
    Sparse,
    apply_operator,
    mapped,
)
from reluatlas.network.record import Affine, Breakpoints, Graph, Input, Max, Node

_LEAST, _MOST = 2.0**-150, 2.0**400
"""Rows between these, for inputs up to 1, are left alone: those of float32 weights nearly always are."""

Exponents = NDArray[np.int64]


class _Rounded(Exception):
    """A number cannot be multiplied by a power of two without rounding."""


@lru_cache(maxsize=16)
def balanced(network: Network) -> Network:
    """Return a network with the same patterns, cells and outputs whose rows are near 1; itself where they are."""
    with np.errstate(all="ignore"):
        if _is_moderate(network):
            return network
        try:
            return _rewritten(network)
        except _Rounded:
            return network


def _sizes(node: Node, sizes: list[FloatArray]) -> FloatArray:
    """Return bounds on the entries of a node's tensor from those of the tensors before it."""
    if isinstance(node, Input):
        return np.ones(prod(node.shape))
    if isinstance(node, Affine):
        total = np.abs(node.bias)
        for source, operator in zip(node.inputs, node.operators, strict=True):
            total = total + apply_operator(mapped(operator, np.abs), sizes[source][None])[0]
        return total
    if isinstance(node, Breakpoints):
        slope = np.abs(node.slopes).max(axis=1, initial=0.0)
        return sizes[node.input] * slope + np.abs(node.intercepts).max(axis=1, initial=0.0)
    return np.maximum.reduceat(sizes[node.input][node.candidates], node.offsets[:-1])


def _is_moderate(network: Graph) -> bool:
    sizes: list[FloatArray] = []
    for node in network.nodes:
        here = _sizes(node, sizes)
        if np.any((here != 0) & ~((here > _LEAST) & (here < _MOST))):
            return False
        sizes.append(here)
    return True


def _rewritten(network: Network) -> Network:
    exponents: list[Exponents] = []
    sizes: list[FloatArray] = []
    nodes: list[Node] = []
    kept, together, knots = _kept(network), _together(network), _knot_exponents(network)
    for t, node in enumerate(network.nodes):
        if isinstance(node, Affine):
            # sizes are of tensors that are scaled already, so that only this node's own numbers matter
            size = np.maximum(_exponents_of(node, sizes, exponents), knots[t])
            if t in kept:
                own = np.zeros(size.size, dtype=np.int64)
            elif t in together:
                own = np.full(size.size, -int(size.max(initial=-_FAR)) if np.any(size > -_FAR) else 0)
            else:
                own = np.where(size > -_FAR, -size, 0)
            operators = tuple(
                _scaled_operator(o, own, exponents[s]) for s, o in zip(node.inputs, node.operators, strict=True)
            )
            made: Node = replace(node, operators=operators, bias=_shifted(node.bias, own))
        elif isinstance(node, Breakpoints):
            own = exponents[node.input]
            made = replace(
                node, knots=_shifted(node.knots, own[:, None]), intercepts=_shifted(node.intercepts, own[:, None])
            )
        elif isinstance(node, Max):
            own = exponents[node.input][node.candidates[node.offsets[:-1]]]
            made = node
        else:
            own, made = np.zeros(prod(node.shape), dtype=np.int64), node
        exponents.append(own)
        nodes.append(made)
        sizes.append(_sizes(made, sizes))
    return replace(network, nodes=tuple(nodes))


_FAR = 1 << 20


def _knot_exponents(network: Network) -> list[Exponents]:
    """Return, for each tensor, the binary exponents of the largest knot that its entries are compared with."""
    out = [np.full(prod(node.shape), -_FAR, dtype=np.int64) for node in network.nodes]
    for node in network.nodes:
        if isinstance(node, Breakpoints):
            largest = np.abs(np.where(np.isfinite(node.knots), node.knots, 0.0)).max(axis=1, initial=0.0)
            here = np.where(largest > 0, np.frexp(largest)[1], -_FAR)
            out[node.input] = np.maximum(out[node.input], here)
    return out


def _exponents_of(node: Affine, sizes: list[FloatArray], exponents: list[Exponents]) -> Exponents:
    """Return the binary exponents of an affine node's rows on scaled tensors; -`_FAR` for rows that are zero."""
    top = np.where(node.bias != 0, np.frexp(node.bias)[1], -_FAR).astype(np.int64)
    for source, operator in zip(node.inputs, node.operators, strict=True):
        before = np.where(sizes[source] > 0, np.frexp(sizes[source])[1] - exponents[source], -_FAR)
        if isinstance(operator, Convolution):
            # its tensor has one exponent in all: that of the largest entry will do
            most = float(np.abs(operator.weight).max(initial=0.0)) * prod(operator.weight.shape[1:])
            if most > 0:
                top = np.maximum(top, np.frexp(most)[1] + before.max(initial=-_FAR))
            continue
        row, column, value = _entries(operator)
        each = np.where(value != 0, np.frexp(value)[1] + before[column], -_FAR)
        np.maximum.at(top, row, np.where(each < -_FAR // 2, -_FAR, each))
    return top


def _entries(operator: Dense | Gather | Sparse) -> tuple[NDArray[np.int64], NDArray[np.int64], FloatArray]:
    """Return (row, column, value) of the coefficients of an operator."""
    if isinstance(operator, Dense):
        row, column = np.nonzero(operator.weight)
        return row, column, operator.weight[row, column]
    if isinstance(operator, Gather):
        row = np.flatnonzero(operator.index >= 0)
        return row, operator.index[row], operator.scale[row]
    return np.repeat(np.arange(operator.n_out), np.diff(operator.indptr)), operator.indices, operator.values


def _scaled_operator(operator: LinearOperator, rows: Exponents, columns: Exponents) -> LinearOperator:
    """Return an operator whose row i is multiplied by 2^rows[i], and column j divided by 2^columns[j]."""
    if isinstance(operator, Dense):
        return Dense(_shifted(operator.weight, rows[:, None] - columns[None]))
    if isinstance(operator, Gather):
        read = np.where(operator.index >= 0, columns[operator.index] if columns.size else 0, 0)
        return replace(operator, scale=_shifted(operator.scale, np.where(operator.index >= 0, rows - read, 0)))
    if isinstance(operator, Convolution):
        # one weight for many places: all of a tensor are multiplied by one power of two
        return replace(operator, weight=_shifted(operator.weight, rows[0] - columns[0]))
    row = np.repeat(np.arange(operator.n_out), np.diff(operator.indptr))
    return replace(operator, values=_shifted(operator.values, rows[row] - columns[operator.indices]))


def _shifted(values: FloatArray, exponents: Exponents | np.int64) -> FloatArray:
    """Return `values * 2**exponents`, exactly."""
    by = np.broadcast_to(exponents, values.shape)
    out = np.ldexp(values, by)
    if not np.array_equal(np.ldexp(out, -by), values):
        raise _Rounded
    return out


def _kept(network: Graph) -> set[int]:
    """Return the affine nodes whose tensors are what the network gives, so that they are not scaled."""
    return _behind(network, (network.output,))


def _together(network: Graph) -> set[int]:
    """Return the affine nodes whose entries are compared, or share weights: one power of two is for all of them."""
    found: set[int] = set()
    for t, node in enumerate(network.nodes):
        if isinstance(node, Affine) and any(isinstance(o, Convolution) for o in node.operators):
            found.add(t)
            found.update(_behind(network, node.inputs))
        elif isinstance(node, Max):
            found.update(_behind(network, (node.input,)))
    return found


def _behind(network: Graph, nodes: tuple[int, ...]) -> set[int]:
    """Return the affine nodes that tensors come from through breakpoints and windows alone."""
    out, found = list(nodes), set()
    while out:
        t = out.pop()
        node = network.nodes[t]
        if isinstance(node, Affine):
            found.add(t)
        elif isinstance(node, Breakpoints | Max):
            out.append(node.input)
    return found
