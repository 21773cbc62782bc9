"""Which of an ONNX graph's nodes does the output need, and in which order are they run? Those, sorted."""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import Any

from reluatlas.errors import ModelFileError


def needed_nodes(graph: Any, output: str, source: str) -> list[Any]:
    """Return the nodes that the output needs, each after those that it reads; else in the file's order.

    Raises
    ------
    ModelFileError
        When two nodes make one tensor, so that what it is depends on the order, or nodes read each other in a circle.
    """
    nodes = list(graph.node)
    maker: dict[str, int] = {}
    for i, node in enumerate(nodes):
        if not any(node.output):
            raise ModelFileError(f"{node.op_type} node `{node.name}` of `{source}` has no output. Check the model.")
        for name in node.output:
            if name and name in maker:
                raise ModelFileError(f"`{source}` makes the tensor `{name}` twice. Check the model.")
            maker[name] = i
    maker.pop("", None)
    reads = [{maker[name] for name in node.input if name in maker} for node in nodes]
    needed: set[int] = set()
    waiting = [maker[output]] if output in maker else []
    while waiting:
        i = waiting.pop()
        if i not in needed:
            needed.add(i)
            waiting.extend(reads[i] - needed)
    return [nodes[i] for i in _sorted(needed, reads, nodes, source)]


def _sorted(needed: set[int], reads: list[set[int]], nodes: list[Any], source: str) -> list[int]:
    # of the nodes whose inputs are there, the first in the file comes next
    readers: dict[int, list[int]] = {i: [] for i in needed}
    missing = {i: len(reads[i]) for i in needed}
    for i in needed:
        for j in reads[i]:
            readers[j].append(i)
    ready = [i for i in needed if not missing[i]]
    heapify(ready)
    order: list[int] = []
    while ready:
        i = heappop(ready)
        order.append(i)
        for j in readers[i]:
            missing[j] -= 1
            if not missing[j]:
                heappush(ready, j)
    if len(order) < len(needed):
        i = min(j for j in needed if missing[j])
        node = nodes[i]
        raise ModelFileError(
            f"{node.op_type} node `{node.name or node.output[0]}` of `{source}` reads, through others, what it makes "
            "itself: the graph has a cycle, or leads into one. Export the model again."
        )
    return order
