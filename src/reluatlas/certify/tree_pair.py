"""Which network is the difference of two? Joined over their shared input again, apart from what the search joins.

A node of the second network that applies the same numbers to the same tensors as an earlier one is that node.
A part of the check of trees: shares nothing with the search.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from reluatlas.certify.tree_form import digest
from reluatlas.errors import DimensionError
from reluatlas.network.operators import Gather
from reluatlas.network.record import Affine, Graph, Input, Node


def difference_of(f: Graph, g: Graph) -> Graph:
    """Return the network x -> f(x) - g(x).

    Raises
    ------
    DimensionError
        When they have other numbers of inputs or outputs.
    """
    if (f.n_inputs, f.n_outputs) != (g.n_inputs, g.n_outputs):
        raise DimensionError(
            f"`f` has {f.n_inputs} inputs and {f.n_outputs} outputs but `g` {g.n_inputs} and {g.n_outputs}. Pass "
            "the two networks that were compared."
        )
    nodes = list(f.nodes)
    known: dict[str, int] = {}
    for t, node in enumerate(nodes):
        known.setdefault(_numbers(node), t)
    place = [0]  # the input is shared
    for node in g.nodes[1:]:
        moved = _moved(node, place)
        t = known.setdefault(_numbers(moved), len(nodes))
        if t == len(nodes):
            nodes.append(moved)
        place.append(t)
    m, ends = f.n_outputs, (f.output, place[g.output])
    each, ones = np.arange(m), np.ones(m)
    plus_and_minus = (Gather(each, ones, m), Gather(each, -ones, m))
    is_nothing = ends[0] == ends[1]  # one tensor minus itself
    last = Affine(() if is_nothing else ends, () if is_nothing else plus_and_minus, np.zeros(m), f.output_shape)
    return Graph((*nodes, last), len(nodes), classes=None)


def _numbers(node: Node) -> str:
    return digest((node,), "name", "parts", "shape")


def _moved(node: Node, place: list[int]) -> Node:
    """Return a node that reads the tensors of the joined network."""
    if isinstance(node, Affine):
        return replace(node, inputs=tuple(place[s] for s in node.inputs))
    assert not isinstance(node, Input)
    return replace(node, input=place[node.input])
