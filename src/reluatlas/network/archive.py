"""How is a network kept in a file? As plain arrays and one JSON text that says how they fit together."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reluatlas.errors import ResultFileError
from reluatlas.network import operators, record
from reluatlas.network.archive_checks import (
    check_nodes,
    checked_array,
    checked_names,
    checked_note,
    checked_parts,
    checked_value,
)
from reluatlas.network.network import Network
from reluatlas.network.parts import parts_of
from reluatlas.network.record import Graph, Note
from reluatlas.storage.archive import json_array

_NODES = {kind.__name__: kind for kind in (record.Input, record.Affine, record.Breakpoints, record.Max)}
_OPERATORS = {
    kind.__name__: kind for kind in (operators.Dense, operators.Gather, operators.Sparse, operators.Convolution)
}
_PREFIX = "network/"
_LAYOUT = {"nodes", "output", "notes", "source", "classes", "class_names"}


def pack_network(network: Graph) -> dict[str, NDArray]:
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
            elif entry.name == "parts":
                if value:
                    out["parts"] = [[part.name, list(part.shape)] for part in value]
            else:
                out[entry.name] = list(value) if isinstance(value, tuple) else value
        return out

    layout = {
        "nodes": [packed(node, str(i)) for i, node in enumerate(network.nodes)],
        "output": network.output,
        "notes": [[n.kind, n.node, n.text] for n in network.notes],
        "source": network.source,
    }
    if network.classes != "max":
        layout["classes"] = network.classes
    if network.class_names:
        layout["class_names"] = list(network.class_names)
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
        names = {named.name for named in fields(kind)}
        if not set(entry) <= {"kind", *names}:
            raise ValueError(f"a {kind.__name__} has no `{min(set(entry) - names - {'kind'})[:60]}`")
        values: dict[str, Any] = {}
        for name in names:
            if name == "operators":
                values["operators"] = tuple(
                    unpacked(operator, f"{at}/{i}", _OPERATORS) for i, operator in enumerate(entry["operators"])
                )
            elif name == "parts":
                values["parts"] = parts_of(checked_parts(entry.get("parts", []), entry["shape"]))
            elif name in entry:
                values[name] = checked_value(name, entry[name])
            else:
                values[name] = checked_array(name, np.array(arrays[_PREFIX + f"{at}/{name}"]))
        return kind(**values)

    try:
        layout = json.loads(bytes(arrays[_PREFIX + "layout"]).decode())
        if not {"nodes", "output", "notes", "source"} <= set(layout) <= _LAYOUT:
            raise ValueError("its layout has other entries")
        nodes = tuple(unpacked(entry, str(i), _NODES) for i, entry in enumerate(layout["nodes"]))
        notes = tuple(Note(*checked_note(note)) for note in layout["notes"])
        names = checked_names(layout.get("class_names", []))
        network = Network(
            nodes, checked_value("output", layout["output"]), notes, str(layout["source"]),
            layout.get("classes", "max"), names,
        )  # fmt: skip
        check_nodes(network)
        return network
    except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError, RecursionError, MemoryError) as error:
        kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
        raise ResultFileError(
            f"the file's network is damaged ({kind}{str(error).rstrip('.')}). Save it again."
        ) from None


def digest_of(network: Graph) -> str:
    """Return the SHA-256 of what a network computes with: graph, shapes, coefficients; without names and notes."""
    arrays = pack_network(network)
    layout = json.loads(bytes(arrays.pop(_PREFIX + "layout")))
    for node in layout["nodes"]:
        node.pop("name", None)
        node.pop("parts", None)
    total = hashlib.sha256(json.dumps([layout["nodes"], layout["output"]], sort_keys=True).encode())
    for name in sorted(arrays):
        a = arrays[name]
        total.update(json.dumps([name, a.dtype.str, a.shape]).encode())
        total.update(np.ascontiguousarray(a).tobytes())
    return total.hexdigest()
