"""What would the network be before it learned anything? The same graph, with weights drawn anew."""

from __future__ import annotations

from dataclasses import replace
from math import sqrt

import numpy as np

from reluatlas.errors import ArgumentError
from reluatlas.network.network import Network
from reluatlas.network.operators import Convolution, Dense, LinearOperator
from reluatlas.network.record import Affine


def reinitialized(network: Network, rng: np.random.Generator) -> Network:
    """Return a network of the same kind with random weights.

    Weights of dense and convolution layers and the biases beside them are uniform within 1 / sqrt(n), where n inputs
    are added up: torch's default. All else, such as a normalization of inputs or a pooling, stays.

    Raises
    ------
    ArgumentError
        When there is no such layer.
    """
    nodes, n_drawn = list(network.nodes), 0
    for t, node in enumerate(nodes):
        if not isinstance(node, Affine) or not any(isinstance(o, Dense | Convolution) for o in node.operators):
            continue
        n_drawn += 1
        operators = tuple(_drawn(operator, rng) for operator in node.operators)
        drawn = next(o for o in operators if isinstance(o, Dense | Convolution))
        channels = drawn.weight.shape[0]
        bias = _uniform(rng, (channels,), _fan_in(drawn))
        nodes[t] = replace(node, operators=operators, bias=np.repeat(bias, node.bias.size // channels))
    if not n_drawn:
        raise ArgumentError(
            f"`chance`: {network.source} has no dense or convolution layer whose weights could be drawn anew. Pass "
            "networks as `chance=[...]`."
        )
    return replace(network, nodes=tuple(nodes))


def _drawn(operator: LinearOperator, rng: np.random.Generator) -> LinearOperator:
    if isinstance(operator, Dense):
        return Dense(_uniform(rng, operator.weight.shape, _fan_in(operator)))
    if isinstance(operator, Convolution):
        weight = _uniform(rng, operator.weight.shape, _fan_in(operator))
        return Convolution(weight, operator.places, operator.n_positions, operator.groups)
    return operator


def _fan_in(operator: Dense | Convolution) -> int:
    return int(np.prod(operator.weight.shape[1:]))


def _uniform(rng: np.random.Generator, shape: tuple[int, ...], fan_in: int) -> np.ndarray:
    return rng.uniform(-1.0, 1.0, shape) / sqrt(max(1, fan_in))
