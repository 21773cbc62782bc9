"""Which nodes can be left out or joined without changing a single coefficient? `fuse`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from reluatlas.importers.lowering.tensors import Checkpoint
from reluatlas.network.build import Builder
from reluatlas.network.interpret import sources
from reluatlas.network.network import Affine, Breakpoints, Gather, Input, Max, Node


def fuse(builder: Builder, output: int, checkpoints: list[Checkpoint]) -> tuple[int, list[Checkpoint]]:
    """Join and drop nodes of `builder` in place; return the output's index and the checkpoints, renumbered.

    `x + 0` is dropped; `x + b` is joined to the affine node that makes `x`, when that has no bias
    and no other reader; nodes that the output does not need are dropped. All of it is exact: no
    two coefficients are added or multiplied. Tensors that exist no longer lose their checkpoint.
    """
    nodes = builder.nodes
    kept: list[Node] = []
    home: dict[int, int] = {}  # index among `nodes` -> index among `kept`
    gone: set[int] = set()  # indices among `nodes` whose tensor exists no longer
    readers = _count_readers(nodes, output)
    reads: list[int] = []  # readers of each kept node
    for i, node in enumerate(nodes):
        if i > 0 and not readers[i]:
            gone.add(i)
            continue
        if isinstance(node, Affine) and _is_identity(node):
            source = node.inputs[0]
            at = home[source]
            before = kept[at]
            if not node.bias.any() and i != output:
                reads[at] += readers[i] - 1
                home[i] = at
                continue
            # only a zero in front of the bias keeps `before + bias` free of rounding
            if isinstance(before, Affine) and not before.bias.any() and reads[at] == 1:
                name = before.name or node.name
                if node.bias.any():
                    builder.note("folded", node.name, f"its constant is the bias of `{name}`")
                    gone.update(j for j in home if home[j] == at)
                kept[at] = replace(before, bias=node.bias, shape=node.shape, name=name)
                reads[at] = readers[i]
                home[i] = at
                continue
        kept.append(_renumbered(node, home))
        reads.append(readers[i])
        home[i] = len(kept) - 1
    builder.nodes = kept
    moved = [replace(c, node=home[c.node]) for c in checkpoints if c.node not in gone]
    return home[output], moved


def _count_readers(nodes: list[Node], output: int) -> list[int]:
    readers = [0] * len(nodes)
    readers[output] = 2  # the caller reads it, too: never joined to a later node
    for i in range(len(nodes) - 1, 0, -1):
        if readers[i]:
            for source in sources(nodes[i]):
                readers[source] += 1
    return readers


def _is_identity(node: Affine) -> bool:
    if len(node.inputs) != 1 or not isinstance(node.operators[0], Gather):
        return False
    gather = node.operators[0]
    return (
        gather.n_in == gather.n_out
        and bool(np.all(gather.scale == 1.0))
        and bool(np.all(gather.index == np.arange(gather.n_in)))
    )


def _renumbered(node: Node, home: dict[int, int]) -> Node:
    if isinstance(node, Affine):
        return replace(node, inputs=tuple(home[i] for i in node.inputs))
    if isinstance(node, Breakpoints | Max):
        return replace(node, input=home[node.input])
    assert isinstance(node, Input)
    return node
