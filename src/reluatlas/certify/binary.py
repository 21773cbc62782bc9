"""What does a network look like when windows are gone? `without_max`: the same function of affine nodes and bends.

`max(a, b) = a + relu(b - a)`, with coefficients 1 and -1: nothing is rounded.
A part of the check of certificates: shares nothing with the search.
"""

from __future__ import annotations

from math import prod

import numpy as np

from reluatlas.network.operators import Gather
from reluatlas.network.record import Affine, Breakpoints, Graph, Max, Node


def without_max(net: Graph) -> Graph:
    """Return the network with every window as a chain of ReLUs: its candidates are taken in one by one."""
    if not any(isinstance(node, Max) for node in net.nodes):
        return net
    nodes: list[Node] = []
    place: list[int] = []
    for node in net.nodes:
        if isinstance(node, Affine):
            nodes.append(Affine(tuple(place[i] for i in node.inputs), node.operators, node.bias, node.shape, node.name))
        elif isinstance(node, Breakpoints):
            tables = node.knots, node.slopes, node.intercepts
            nodes.append(Breakpoints(place[node.input], *tables, node.shape, node.name))
        elif isinstance(node, Max):
            _add_chain(nodes, place[node.input], node, prod(net.nodes[node.input].shape))
        else:
            nodes.append(node)
        place.append(len(nodes) - 1)
    return Graph(tuple(nodes), place[net.output], source=net.source, classes=None)


def _add_chain(nodes: list[Node], source: int, node: Max, n_in: int) -> None:
    n, zero = node.n_windows, np.zeros(node.n_windows)
    one, size = np.ones(n), np.diff(node.offsets)
    same = np.arange(n)
    nodes.append(Affine((source,), (Gather(node.candidates[node.offsets[:-1]], one, n_in),), zero, node.shape))
    for step in range(1, int(size.max(initial=1))):
        so_far = len(nodes) - 1
        has = step < size
        next_one = np.where(has, node.candidates[np.minimum(node.offsets[:-1] + step, node.offsets[1:] - 1)], -1)
        minus = Gather(np.where(has, same, -1), -one, n)
        nodes.append(Affine((source, so_far), (Gather(next_one, one, n_in), minus), zero, node.shape))
        tables = np.zeros((n, 1)), np.tile([0.0, 1.0], (n, 1)), np.zeros((n, 2))
        nodes.append(Breakpoints(so_far + 1, *tables, node.shape))
        keep = Gather(same, one, n)
        nodes.append(Affine((so_far, so_far + 2), (keep, keep), zero, node.shape, node.name))
