"""What are layers and units called? By the model's names where it has them, `fc1[13]`; else counted from 1.

A unit is named after the layer that computes what it cuts: a ReLU behind `fc1` has the units `fc1[0]`, `fc1[1]`, ...,
by the positions of `fc1`'s output, as one would index that array. Where a model has no names of its own, or only
numbers, it is "neuron 14 of layer 1", and layers are counted in the order of `Network.cuts`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from reluatlas.network.record import Affine, Breakpoints, Graph

_OURS = re.compile(r"(layer|relu|hidden|output) \d+")  # of lists of layers: what the importers call them
_LONGEST = 40
_INDEXED = re.compile(r"(?P<layer>.+)\[(?P<index>\d+(?:\s*,\s*\d+)*)\]")


@lru_cache(maxsize=32)
def layer_names(network: Graph) -> tuple[str, ...]:
    """Return what each layer of units is called: "fc1", or "layer 1"."""
    found = [_name(network, t) for t in network.cuts]
    counts = Counter(found)
    return tuple(
        name if name and counts[name] == 1 else f"layer {position}" for position, name in enumerate(found, start=1)
    )


def unit_name(network: Graph, layer: int, unit: int) -> str:
    """Return what a unit is called; `layer` is its position among `Network.cuts`, `unit` that in the layer, from 0."""
    node, name = network.nodes[network.cuts[layer]], layer_names(network)[layer]
    if name == f"layer {layer + 1}":
        return f"{'neuron' if isinstance(node, Breakpoints) else 'window'} {unit + 1} of {name}"
    return f"{name}[{', '.join(str(int(i)) for i in np.unravel_index(unit, node.shape or (1,)))}]"


def column_name(network: Graph, column: int) -> str:
    """Return what the unit of a column of activation patterns is called."""
    for layer, columns in enumerate(network.pattern_slices().values()):
        if column < columns.stop:
            return unit_name(network, layer, column - columns.start)
    return f"unit {column + 1}"


def unit_of(network: Graph, name: str) -> tuple[int, int] | None:
    """Return the layer and the position of the unit with a name, both from 0; None when there is none."""
    match = _INDEXED.fullmatch(name.strip())
    names = layer_names(network)
    if match is not None and match["layer"] in names:
        layer = names.index(match["layer"])
        index = tuple(int(i) for i in match["index"].split(","))
        shape = network.nodes[network.cuts[layer]].shape
        if len(index) == len(shape) and all(i < side for i, side in zip(index, shape, strict=True)):
            return layer, int(np.ravel_multi_index(index, shape))
        return None
    counted = re.fullmatch(r"(neuron|window) (\d+) of layer (\d+)", name.strip())
    if counted is None:
        return None
    layer, unit = int(counted[3]) - 1, int(counted[2]) - 1
    known = 0 <= layer < len(network.cuts) and 0 <= unit < int(np.prod(network.nodes[network.cuts[layer]].shape))
    return (layer, unit) if known else None


def listed(names: Sequence[str], most: int = 5) -> str:
    """Return the first of some names, and how many more there are."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _name(network: Graph, cut: int) -> str:
    """Return the model's name of a layer; "" where it has none that one could read."""
    node = network.nodes[cut]
    at = cut
    if isinstance(node, Breakpoints):
        source = node.input
        # back to what computes the units: past batch norms and scalings, to the layer that they belong to
        while isinstance(here := network.nodes[source], Affine) and here.shape == node.shape:
            at = source
            if len(here.inputs) != 1:
                break
            source = here.inputs[0]
    return _readable(network.nodes[at].name) or _readable(node.name)


def _readable(name: str) -> str:
    if name.startswith("/"):  # torch's ONNX: /features/features.0/Conv
        name = name.split("/")[-2] or name.rpartition("/")[2]
    plain = "".join(c for c in name if c.isprintable())
    is_number = plain.replace(".", "").replace("_", "").isdigit()
    return "" if not plain or is_number or _OURS.fullmatch(plain) or len(plain) > _LONGEST else plain
