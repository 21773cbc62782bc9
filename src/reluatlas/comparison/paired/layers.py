"""Do the units of two networks correspond, one by one? `paired`: both as one list of nodes, or None.

They do when both are the same graph of layers of the same sizes, with the same functions of one variable and the same
windows: only weights and biases differ, as after rounding, pruning or another run of training.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from reluatlas.comparison.paired.forms import Applied
from reluatlas.network.operators import Convolution, Dense, Gather, LinearOperator, Sparse
from reluatlas.network.record import Affine, Breakpoints, Graph, Input, Max
from reluatlas.stable.enclosure import ROUNDOFF
from reluatlas.typing import FloatArray


@dataclass(frozen=True, eq=False)
class AffinePair:
    """An affine node of both networks: `F z_f + a` and `G z_g + c`, and so `F (z_f - z_g) + (F - G) z_g + (a - c)`.

    Attributes
    ----------
    inputs : tuple of int
    second : tuple of Applied
        G, by input.
    first : tuple of Applied
        F, by input: what differences are multiplied by. Empty for one network alone.
    apart : tuple of tuple of Applied
        What adds up to F - G, by input. Numbers are rounded once, which `Forms` count in.
    bias, bias_apart, bias_error : ndarray
        c, then a - c and how far that may be off.
    """

    inputs: tuple[int, ...]
    second: tuple[Applied, ...]
    first: tuple[Applied, ...]
    apart: tuple[tuple[Applied, ...], ...]
    bias: FloatArray
    bias_apart: FloatArray
    bias_error: FloatArray


PairNode = Input | AffinePair | Breakpoints | Max


@dataclass(frozen=True, eq=False)
class Layers:
    """Two networks whose nodes correspond, or one alone: what is walked through, node by node."""

    nodes: tuple[PairNode, ...]
    output: int
    is_pair: bool
    widest: int


def alone(network: Graph) -> Layers:
    """Return one network as what is walked through."""
    nodes = tuple(_alone(node) if isinstance(node, Affine) else node for node in network.nodes)
    return Layers(nodes, network.output, is_pair=False, widest=_widest(network))


def paired(f: Graph, g: Graph) -> Layers | None:
    """Return two networks as what is walked through together; None where their units do not correspond."""
    if len(f.nodes) != len(g.nodes) or f.output != g.output:
        return None
    nodes: list[PairNode] = []
    for mine, theirs in zip(f.nodes, g.nodes, strict=True):
        node = _pair(mine, theirs)
        if node is None:
            return None
        nodes.append(node)
    return Layers(tuple(nodes), g.output, is_pair=True, widest=_widest(g))


def _widest(network: Graph) -> int:
    return max(int(np.prod(node.shape)) for node in network.nodes)


def _alone(node: Affine) -> AffinePair:
    zero = np.zeros(node.bias.size)
    return AffinePair(node.inputs, tuple(map(Applied.of, node.operators)), (), (), node.bias, zero, zero)


def _pair(mine: object, theirs: object) -> PairNode | None:
    if isinstance(mine, Input) and isinstance(theirs, Input):
        return theirs
    if isinstance(mine, Affine) and isinstance(theirs, Affine):
        if mine.inputs != theirs.inputs or mine.bias.size != theirs.bias.size:
            return None
        apart = [_apart(f, g) for f, g in zip(mine.operators, theirs.operators, strict=True)]
        with np.errstate(over="ignore"):
            bias = mine.bias - theirs.bias
        second, first = map(Applied.of, theirs.operators), map(Applied.of, mine.operators)
        error = ROUNDOFF * np.abs(bias)
        return AffinePair(theirs.inputs, tuple(second), tuple(first), tuple(apart), theirs.bias, bias, error)
    if isinstance(mine, Breakpoints) and isinstance(theirs, Breakpoints):
        tables = (mine.knots, mine.slopes, mine.intercepts), (theirs.knots, theirs.slopes, theirs.intercepts)
        return theirs if mine.input == theirs.input and all(map(np.array_equal, *tables)) else None
    if isinstance(mine, Max) and isinstance(theirs, Max):
        tables = (mine.offsets, mine.candidates), (theirs.offsets, theirs.candidates)
        return theirs if mine.input == theirs.input and all(map(np.array_equal, *tables)) else None
    return None


def _apart(f: LinearOperator, g: LinearOperator) -> tuple[Applied, ...]:
    """Return what adds up to F - G: one operator where both have their numbers at the same places, else F and -G."""
    with np.errstate(over="ignore"):
        if isinstance(f, Dense) and isinstance(g, Dense):
            return (Applied.of(Dense(f.weight - g.weight)),)
        if isinstance(f, Gather) and isinstance(g, Gather) and np.array_equal(f.index, g.index):
            return (Applied.of(replace(g, scale=f.scale - g.scale)),)
        if isinstance(f, Convolution) and isinstance(g, Convolution) and _is_one_grid(f, g):
            return (Applied.of(Convolution(f.weight - g.weight, g.places, g.n_positions, g.groups)),)
        if isinstance(f, Sparse) and isinstance(g, Sparse) and _is_one_matrix(f, g):
            return (Applied.of(Sparse(g.indptr, g.indices, f.values - g.values, g.n_in, g.denominator)),)
    return Applied.of(f), Applied.of(_negative(g))


def _is_one_grid(f: Convolution, g: Convolution) -> bool:
    alike = (f.weight.shape, f.n_positions, f.groups) == (g.weight.shape, g.n_positions, g.groups)
    return alike and np.array_equal(f.places, g.places)


def _is_one_matrix(f: Sparse, g: Sparse) -> bool:
    alike = f.denominator == g.denominator and np.array_equal(f.indptr, g.indptr)
    return alike and np.array_equal(f.indices, g.indices)


def _negative(operator: LinearOperator) -> LinearOperator:
    if isinstance(operator, Dense):
        return Dense(-operator.weight)
    if isinstance(operator, Gather):
        return replace(operator, scale=-operator.scale)
    if isinstance(operator, Sparse):
        return Sparse(operator.indptr, operator.indices, -operator.values, operator.n_in, operator.denominator)
    return Convolution(-operator.weight, operator.places, operator.n_positions, operator.groups)
