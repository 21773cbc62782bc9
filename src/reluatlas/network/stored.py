"""How is a network kept in a file? As plain arrays and one JSON text that says how they fit together."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reluatlas.archives import json_array
from reluatlas.errors import ResultFileError
from reluatlas.network import graph
from reluatlas.network.graph import Network, Note

_NODES = {kind.__name__: kind for kind in (graph.Input, graph.Affine, graph.Breakpoints, graph.Max)}
_OPERATORS = {kind.__name__: kind for kind in (graph.Dense, graph.Gather, graph.Sparse, graph.Convolution)}
_PREFIX = "network/"


def pack_network(network: Network) -> dict[str, NDArray]:
    """Return arrays that hold a network: no object, no code, every number as it is."""
    arrays: dict[str, NDArray] = {}

    def packed(thing: Any, at: str) -> dict[str, Any]:
        out: dict[str, Any] = {"kind": type(thing).__name__}
        for entry in fields(thing):
            value = getattr(thing, entry.name)
            if isinstance(value, np.ndarray):
                arrays[_PREFIX + f"{at}/{entry.name}"] = value
            elif entry.name == "operators":
                out["operators"] = [packed(operator, f"{at}/{i}") for i, operator in enumerate(value)]
            else:
                out[entry.name] = list(value) if isinstance(value, tuple) else value
        return out

    layout = {
        "nodes": [packed(node, str(i)) for i, node in enumerate(network.nodes)],
        "output": network.output,
        "notes": [[n.kind, n.node, n.text] for n in network.notes],
        "source": network.source,
    }
    arrays[_PREFIX + "layout"] = json_array(layout)
    return arrays


def unpack_network(arrays: Mapping[str, NDArray]) -> Network:
    """Return the network that `pack_network` packed.

    Raises
    ------
    ResultFileError
        When the arrays do not hold one.
    """

    def unpacked(entry: dict[str, Any], at: str, kinds: Mapping[str, type]) -> Any:
        kind = kinds[entry["kind"]]
        values: dict[str, Any] = {}
        for named in fields(kind):
            if named.name == "operators":
                values["operators"] = tuple(
                    unpacked(operator, f"{at}/{i}", _OPERATORS) for i, operator in enumerate(entry["operators"])
                )
            elif named.name in entry:
                value = entry[named.name]
                values[named.name] = tuple(value) if isinstance(value, list) else value
            else:
                values[named.name] = np.array(arrays[_PREFIX + f"{at}/{named.name}"])
        return kind(**values)

    try:
        layout = json.loads(bytes(arrays[_PREFIX + "layout"]).decode())
        nodes = tuple(unpacked(entry, str(i), _NODES) for i, entry in enumerate(layout["nodes"]))
        notes = tuple(Note(*note) for note in layout["notes"])
        return Network(nodes, int(layout["output"]), notes, str(layout["source"]))
    except (KeyError, TypeError, ValueError, UnicodeDecodeError) as error:
        raise ResultFileError(
            f"the file's network is damaged ({type(error).__name__}: {error}). Save the complex again."
        ) from None


def digest_of(network: Network) -> str:
    """Return the SHA-256 of what a network computes with: graph, shapes, coefficients; without names and notes."""
    arrays = pack_network(network)
    layout = json.loads(bytes(arrays.pop(_PREFIX + "layout")))
    for node in layout["nodes"]:
        node.pop("name", None)
    total = hashlib.sha256(json.dumps([layout["nodes"], layout["output"]], sort_keys=True).encode())
    for name in sorted(arrays):
        a = arrays[name]
        total.update(json.dumps([name, a.dtype.str, a.shape]).encode())
        total.update(np.ascontiguousarray(a).tobytes())
    return total.hexdigest()
