"""Which numbers are reported? What a complex, a count and a network say about themselves, as plain values.

Everything here can be written as JSON: no arrays, no NaN, no NumPy scalars.
"""

from __future__ import annotations

import platform
from importlib import metadata
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from reluatlas._version import __version__
from reluatlas.domain import Domain, Slice, Space
from reluatlas.errors import TimeLimitError
from reluatlas.network.interpret import sources
from reluatlas.network.network import Affine, Breakpoints, Dense, Input, Max, Network, Node
from reluatlas.network.operators import coefficients

if TYPE_CHECKING:
    from reluatlas.answers.exactness import Exactness
    from reluatlas.complexes.complex import PolyhedralComplex
    from reluatlas.complexes.count import CellCount

Facts = dict[str, Any]


def of_complex(cx: PolyhedralComplex) -> Facts:
    """Return the numbers of a complex; those of an incomplete one are of what was found."""
    if cx.method == "linear programs":
        return _of_facets(cx)
    found = float(np.sum(cx.volumes[cx.is_bounded]))
    unbounded = isinstance(cx.domain, Space)
    counted, left_out = _counted(cx, {**_COUNTED, "f-vector": "f_vector"})
    faces = counted.pop("f_vector")
    return {
        "method": cx.method,
        "is_complete": bool(cx.is_complete),
        "stopped_by": str(cx.stopped_by),
        "n_cells": int(cx.n_cells),
        **counted,
        "f_vector": None if faces is None else [int(n) for n in faces],
        "euler_characteristic": None if faces is None else int(cx.euler_characteristic),
        "n_bounded": int(np.sum(cx.is_bounded)),
        "volume": found,
        "domain_volume": None if unbounded else float(cx.domain.volume),
        "share_done": _share(cx.is_complete, found, cx.domain),
        "exactness": of_exactness(cx.exactness),
        "seconds": float(cx.seconds),
        **left_out,
    }


_COUNTED = {"linear regions": "n_linear_regions", "affine maps": "n_affine_maps"}


def _counted(cx: PolyhedralComplex, wanted: dict[str, str]) -> tuple[dict[str, Any], Facts]:
    """Return some numbers of a complex, None where the time was over before, and what was left out."""
    found: dict[str, Any] = {}
    for attribute in reversed(wanted.values()):
        try:
            value = getattr(cx, attribute)
        except TimeLimitError:
            value = None
        found[attribute] = int(value) if isinstance(value, int | np.integer) else value
    missing = [name for name, attribute in wanted.items() if found[attribute] is None]
    return {a: found[a] for a in wanted.values()}, {"left_out": missing} if missing else {}


def _of_facets(cx: PolyhedralComplex) -> Facts:
    """Return the numbers of a complex without vertices: no volumes, no f-vector."""
    counted, left_out = _counted(cx, _COUNTED)
    return {
        "method": cx.method,
        "is_complete": bool(cx.is_complete),
        "stopped_by": str(cx.stopped_by),
        "n_cells": int(cx.n_cells),
        **counted,
        "n_bounded": int(np.sum(cx.is_bounded)),
        "volume": None,
        "domain_volume": None,
        "share_done": 1.0 if cx.is_complete else None,
        "exactness": of_exactness(cx.exactness),
        "seconds": float(cx.seconds),
        **left_out,
    }


def of_count(count: CellCount, domain: Domain) -> Facts:
    """Return the numbers of a count; on a space there is no volume."""
    unbounded = isinstance(domain, Space)
    return {
        "method": count.method,
        "is_complete": bool(count.is_complete),
        "stopped_by": str(count.stopped_by),
        "n_cells": int(count.n_cells),
        "volume": None if unbounded or count.method == "linear programs" else float(count.volume_done),
        "domain_volume": None if unbounded else float(domain.volume),
        "share_done": _share(count.is_complete, float(count.volume_done), domain)
        if count.method != "linear programs"
        else (1.0 if count.is_complete else None),
        "exactness": of_exactness(count.exactness),
        "seconds": float(count.seconds),
    }


def _share(is_complete: bool, found: float, domain: Domain) -> float | None:
    """Return the share of the domain that the cells found fill; None where no share can be told."""
    if is_complete:
        return 1.0
    return None if isinstance(domain, Space) else min(1.0, found / float(domain.volume))


def of_exactness(exactness: Exactness) -> Facts:
    """Return what an answer says about how its decisions were made."""
    return {
        "status": str(exactness.status),
        "n_escalated": int(exactness.n_escalated),
        "n_uncertain": int(exactness.n_uncertain),
        "n_visits": int(exactness.n_visits),
        "n_doubtful_visits": int(exactness.n_doubtful_visits),
        "share_escalated": float(exactness.share_escalated),
    }


def of_domain(domain: Domain) -> Facts:
    """Return the domain: a box, a slice with its origin and basis, or the whole space."""
    if isinstance(domain, Space):
        return {"kind": "space", "n_inputs": domain.n_inputs}
    sides = {"low": domain.box.low.tolist(), "high": domain.box.high.tolist()}
    if isinstance(domain, Slice):
        return {"kind": "slice", **sides, "origin": domain.origin.tolist(), "basis": domain.basis.tolist()}
    return {"kind": "box", **sides}


def of_command(command: str, model: str, seed: int) -> Facts:
    """Return what every answer of a command begins with."""
    return {"reluatlas": __version__, "command": command, "model": model, "seed": seed}


def of_network(network: Network) -> Facts:
    """Return sizes, nodes and the notes of import."""
    return {
        "source": network.source,
        "input_shape": list(network.input_shape),
        "input_parts": [{"name": part.name, "shape": list(part.shape)} for part in network.input_parts],
        "output_shape": list(network.output_shape),
        "classes": network.classes,
        "class_names": list(network.class_names),
        "n_neurons": int(network.n_neurons),
        "n_windows": int(network.n_windows),
        "n_parameters": sum(parameters(node) for node in network.nodes),
        "nodes": [_node(network, i) for i in range(len(network.nodes))],
        "notes": [{"kind": n.kind, "node": n.node, "text": n.text} for n in network.notes],
    }


def kind_of(node: Node) -> str:
    """Return what a node is, in a word or two."""
    if isinstance(node, Input):
        return "input"
    if isinstance(node, Affine):
        return "affine"
    if isinstance(node, Max):
        return "max"
    n_knots = node.knots.shape[1]
    return "relu" if node.is_relu else f"{n_knots + 1} linear pieces" if n_knots else "linear"


def parameters(node: Node) -> int:
    """Return how many coefficients a node has, not counting the 0 and ±1 of copies, sums and paddings."""
    if not isinstance(node, Affine):
        return 0
    weights = sum(
        op.weight.size if isinstance(op, Dense) else int(np.count_nonzero(~np.isin(coefficients(op), (0.0, 1.0, -1.0))))
        for op in node.operators
    )
    return weights + (node.bias.size if node.bias.any() else 0)


def _node(network: Network, index: int) -> Facts:
    node = network.nodes[index]
    return {
        "index": index,
        "name": node.name,
        "kind": kind_of(node),
        "reads": [int(i) for i in sources(node)],
        "shape": list(node.shape),
        "units": prod(node.shape) if isinstance(node, Breakpoints | Max) else 0,
        "parameters": parameters(node),
    }


def versions() -> dict[str, str]:
    """Return the versions that a result depends on."""
    found = {"reluatlas": __version__, "python": platform.python_version()}
    for package in ("numpy", "numba", "python-flint", "onnx", "matplotlib"):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
