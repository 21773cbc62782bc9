"""Which numbers does a page need to compose a cell's map in input space? The network's weights, while they are few."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from reluatlas.network.operators import Dense, LinearOperator, as_sparse
from reluatlas.network.record import Affine, Breakpoints, Graph, Max

MOST_BYTES = 8 << 20
Arrays = dict[str, NDArray[Any]]


def weights_of(net: Graph, most_bytes: int = MOST_BYTES) -> tuple[list[dict[str, Any]], Arrays] | None:
    """Return the nodes of a network and their arrays; None where these take more than so many bytes.

    Each node names the nodes that it reads and the arrays that it is made of; numbers that float32 holds exactly are
    float32. Biases are left out: what is composed are the slopes.
    """
    if _bytes_at_least(net) > most_bytes:
        return None
    nodes: list[dict[str, Any]] = []
    arrays: Arrays = {}

    def put(name: str, values: NDArray[Any]) -> str:
        arrays[name] = values
        return name

    for t, node in enumerate(net.nodes):
        size = int(np.prod(node.shape))
        if isinstance(node, Affine):
            terms = [
                {"input": source, **_operator(operator, f"w{t}.{k}", put)}
                for k, (source, operator) in enumerate(zip(node.inputs, node.operators, strict=True))
            ]
            nodes.append({"kind": "affine", "size": size, "terms": terms})
        elif isinstance(node, Breakpoints):
            told: dict[str, Any] = {"kind": "breakpoints", "size": size, "input": node.input, "cut": t}
            if not node.is_relu:
                told |= {"slopes": put(f"w{t}.s", _short(node.slopes)), "n_pieces": node.slopes.shape[1]}
            nodes.append(told)
        elif isinstance(node, Max):
            candidates = put(f"w{t}.c", node.candidates.astype(np.uint32))
            offsets = put(f"w{t}.o", node.offsets.astype(np.uint32))
            nodes.append(
                {
                    "kind": "max",
                    "size": size,
                    "input": node.input,
                    "cut": t,
                    "candidates": candidates,
                    "offsets": offsets,
                }
            )
        else:
            nodes.append({"kind": "input", "size": size})
    if sum(a.nbytes for a in arrays.values()) > most_bytes:
        return None
    return nodes, arrays


def _bytes_at_least(net: Graph) -> int:
    """Return the bytes that weights take at least, before any is written out."""
    total = 0
    for node in net.nodes:
        for operator in node.operators if isinstance(node, Affine) else ():
            entries = operator.weight.size if isinstance(operator, Dense) else getattr(operator, "n_entries", 0)
            total += 4 * entries * (1 if isinstance(operator, Dense) else 2)
    return total


def _operator(operator: LinearOperator, name: str, put: Any) -> dict[str, Any]:
    if isinstance(operator, Dense):
        return {"dense": put(name, _short(operator.weight))}
    rows = as_sparse(operator)
    return {
        "starts": put(f"{name}.p", rows.indptr.astype(np.uint32)),
        "indices": put(f"{name}.i", rows.indices.astype(np.uint32)),
        "values": put(f"{name}.v", _short(rows.values / rows.denominator)),
    }


def _short(values: NDArray[Any]) -> NDArray[Any]:
    with np.errstate(over="ignore"):
        single = values.astype(np.float32)
    return single if np.array_equal(single, values) else values.astype(np.float64)
