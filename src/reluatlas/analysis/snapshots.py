"""What is kept of a network while it is trained? Dense layers as arrays; of any other network, the network itself."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reluatlas.errors import ArgumentError, DimensionError
from reluatlas.network.network import Affine, Breakpoints, Dense, Network
from reluatlas.shown import Shown

Layers = list[tuple[NDArray[Any], NDArray[Any]]]
_PASSED = ("Flatten", "Identity", "Dropout")


@dataclass(frozen=True, eq=False, repr=False)
class Snapshot(Shown):
    """A network at one time, apart from the module that goes on learning.

    Attributes
    ----------
    layers : list of (W, b), or None
        Of dense layers with ReLU between them.
    network : Network or None
        Of every other network.
    """

    layers: Layers | None = None
    network: Network | None = None

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of inputs, of units of each layer, of outputs."""
        if self.layers is not None:
            return (self.layers[0][0].shape[1], *(weight.shape[0] for weight, _ in self.layers))
        assert self.network is not None
        widths = (int(np.prod(self.network.nodes[t].shape)) for t in self.network.cuts)
        return (self.network.n_inputs, *widths, self.network.n_outputs)

    def __repr__(self) -> str:
        return f"Snapshot({'-'.join(map(str, self.sizes))})"


def snapshot_of(thing: Any, input_shape: Sequence[int] | None = None, name: str = "module") -> Snapshot:
    """Return a snapshot of a torch module, a state dict, a list of layers, or a network.

    The layers of a plain `torch.nn.Sequential`, of a state dict and of a list are copied, in their precision: dense,
    with ReLU between them. Other modules are opened as `load` does, which checks them.

    Raises
    ------
    ArgumentError, DimensionError
        When it is none of these, or its layers do not follow on each other.
    """
    if isinstance(thing, Snapshot):
        return thing
    if isinstance(thing, Network):
        return _of_network(thing)
    if isinstance(thing, Mapping):
        return Snapshot(_checked(_of_state(thing, name)))
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(thing, torch.nn.Module):
        layers = _of_sequential(thing, torch)
        if layers is not None:
            return Snapshot(_checked(layers))
        from reluatlas.importers.load import load

        return _of_network(load(thing, input_shape or _first_width(thing, torch)))
    if isinstance(thing, list | tuple):
        return Snapshot(_checked([tuple(pair) for pair in thing]))
    raise ArgumentError(
        f"`{name}` is of type `{type(thing).__name__}`; expected a torch module, a state dict, or layers [(W, b), ...]."
    )


def _of_network(network: Network) -> Snapshot:
    layers: Layers = []
    is_dense = True
    for position, node in enumerate(network.nodes[1:], start=1):
        if isinstance(node, Affine):
            operator = node.operators[0]
            is_dense = position % 2 == 1 and node.inputs == (position - 1,) and isinstance(operator, Dense)
            if is_dense:
                layers.append((operator.weight, node.bias))  # type: ignore[union-attr]
        else:
            is_dense = (
                isinstance(node, Breakpoints) and node.is_relu and position % 2 == 0 and node.input == position - 1
            )
        if not is_dense:
            return Snapshot(network=network)
    if len(layers) < 2 or network.output != len(network.nodes) - 1 or not isinstance(network.nodes[-1], Affine):
        return Snapshot(network=network)
    return Snapshot(layers)


def _of_sequential(module: Any, torch: Any) -> Layers | None:
    """Return the layers of a `Sequential` of dense layers with ReLU between them; None where it is another module."""
    if type(module) is not torch.nn.Sequential:
        return None
    kept = [part for part in module if type(part).__name__ not in _PASSED]
    kinds = [type(part) for part in kept]
    wanted = [torch.nn.Linear if i % 2 == 0 else torch.nn.ReLU for i in range(len(kept))]
    if len(kept) < 3 or len(kept) % 2 == 0 or kinds != wanted:
        return None
    if any(type(part) is not getattr(torch.nn, type(part).__name__, None) for part in module):
        return None
    return [(_copied(part.weight), None if part.bias is None else _copied(part.bias)) for part in kept[::2]]  # type: ignore[misc]


def _of_state(state: Mapping[str, Any], name: str) -> Layers:
    layers: list[Any] = []
    for key, value in state.items():
        array, last = _copied(value), str(key).rpartition(".")[2]
        if last == "weight" and array.ndim == 2:
            layers.append((array, None))
        elif last == "bias" and array.ndim == 1 and layers and layers[-1][1] is None:
            layers[-1] = (layers[-1][0], array)
        else:
            raise ArgumentError(
                f"`{name}` has the entry {str(key)!r} of shape {array.shape}; a state dict alone says what a network "
                "is only for dense layers with ReLU between them. Pass the module itself."
            )
    return layers


def _copied(tensor: Any) -> NDArray[Any]:
    """Return the numbers of a tensor or array, in float32 or float64."""
    if hasattr(tensor, "detach"):
        tensor = tensor.detach().cpu()
        tensor = tensor if str(tensor.dtype) in ("torch.float32", "torch.float64") else tensor.float()
        tensor = tensor.numpy()
    array = np.array(tensor)
    return array if array.dtype in (np.float32, np.float64) else array.astype(np.float64)


def _checked(pairs: Sequence[Any]) -> Layers:
    """Return layers whose shapes follow on each other, in their precision."""
    from reluatlas.importers.arrays import checked_layers

    checked_layers(pairs)
    if len(pairs) < 2:
        raise DimensionError("a network with one layer has no neurons. Pass at least two layers.")
    out = []
    for weight, bias in pairs:
        W = _copied(weight)
        out.append((W, np.zeros(W.shape[0], dtype=W.dtype) if bias is None else _copied(bias)))
    return out


def _first_width(module: Any, torch: Any) -> tuple[int, ...] | None:
    """Return the shape of an input where the first layer with weights is dense."""
    for part in module.modules():
        if isinstance(part, torch.nn.Linear):
            return (part.in_features,)
        if next(part.parameters(recurse=False), None) is not None:
            return None
    return None
