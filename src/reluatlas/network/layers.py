"""Is a network a chain of dense layers, and which? What `load` takes as a list of arrays."""

from __future__ import annotations

from reluatlas.errors import UnsupportedLayerError
from reluatlas.network.operators import Dense
from reluatlas.network.record import Affine, Breakpoints, Graph, Node
from reluatlas.typing import FloatArray


def dense_layers(net: Graph) -> list[tuple[FloatArray, FloatArray]]:
    """Return the weights and biases of a network of dense layers with ReLU between; see `Network.dense_layers`."""
    layers: list[tuple[FloatArray, FloatArray]] = []
    for t, node in enumerate(net.nodes[1 : net.output + 1], start=1):
        wants_relu = t % 2 == 0  # layers and ReLU take turns
        if wants_relu and isinstance(node, Breakpoints) and node.is_relu and node.input == t - 1:
            continue
        if wants_relu or not isinstance(node, Affine) or node.inputs != (t - 1,):
            raise _refused(net, t, node)
        operator = node.operators[0]
        if not isinstance(operator, Dense):
            raise _refused(net, t, node)
        layers.append((operator.weight.copy(), node.bias.copy()))
    if net.output % 2 == 0:
        raise _refused(net, net.output, net.nodes[net.output])
    return layers


def _refused(net: Graph, t: int, node: Node) -> UnsupportedLayerError:
    name = getattr(node, "name", "") or type(node).__name__
    return UnsupportedLayerError(
        f"`net` is no chain of dense layers with ReLU between: node {t} of {len(net.nodes)} is `{name}`. Walk over "
        "`net.nodes` instead."
    )
