"""How does a list of weights and biases become a network? Dense layers with ReLU between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reluatlas.errors import ArgumentError, DimensionError, ReluAtlasError
from reluatlas.importers.check import ModelRuns
from reluatlas.importers.finish import Imported, begin
from reluatlas.importers.lowering.tensors import Lowering, Tensor, matmul, piecewise
from reluatlas.importers.lowering.weights import FloatArray, as_float64

Layer = tuple[NDArray, NDArray]


def from_arrays(layers: Sequence[Any], *, mean: Any = None, std: Any = None) -> Imported:
    """Return the network `W_L relu(... relu(W_1 x + b_1) ...) + b_L`.

    Parameters
    ----------
    layers : sequence of (W, b)
        `W` of shape (out, in), `b` of shape (out,) or None for zeros.
    mean, std : array_like or None
        See `reluatlas.load`.

    Raises
    ------
    ArgumentError, DimensionError, NonFiniteError
        When `layers` is not such a list, the shapes do not follow on each other, or a weight is
        NaN or infinite.
    """
    layers = _listed(layers)
    pairs = checked_layers(layers)
    low, x, norm = begin((pairs[0][0].shape[1],), has_batch=False, mean=mean, std=std)
    for i, layer in enumerate(layers):
        low.name = f"layer {i}"
        for values, what in zip(layer, ("weights", "biases"), strict=True):
            rounded = values is not None and _read(values, what)[1]
            low.note_rounding(rounded, f"{_type_of(values)} {what} are rounded to float64")
    output = add_layers(low, x, pairs)

    precision = _precision([w for w, _ in layers])

    def run(dtype: np.dtype) -> Any:
        return lambda z: forward([(w.astype(dtype), b.astype(dtype)) for w, b in pairs], z.astype(dtype))

    runs = ModelRuns(run(np.dtype(np.float64)), run(precision), None, float(np.finfo(precision).eps), precision)
    return Imported(low, output, runs, norm, "arrays")


def add_layers(low: Lowering, x: Tensor, pairs: Sequence[Layer]) -> Tensor:
    """Add dense layers with ReLU between them, with checkpoints `layer i` and `relu i`."""
    for i, (weight, bias) in enumerate(pairs):
        low.name, low.operator = f"layer {i}", "dense"
        x = matmul(low, x, weight.T, constant="right", bias=bias)
        low.checkpoint(low.name, x)
        if i + 1 < len(pairs):
            low.name, low.operator = f"relu {i}", "relu"
            x = piecewise(low, x, [0.0], [0.0, 1.0], [0.0, 0.0])
            low.checkpoint(low.name, x)
    return x


def forward(pairs: Sequence[Layer], x: NDArray) -> Mapping[str, NDArray]:
    """Return every tensor of the dense network at points (N, n), in the precision of the arrays."""
    out: dict[str, NDArray] = {}
    for i, (weight, bias) in enumerate(pairs):
        x = x @ weight.T + bias
        out[f"layer {i}"] = x
        if i + 1 < len(pairs):
            x = np.maximum(x, 0)
            out[f"relu {i}"] = x
    return out


def checked_layers(layers: Sequence[Any]) -> list[tuple[FloatArray, FloatArray]]:
    """Return the layers as float64 arrays whose shapes follow on each other."""
    layers = _listed(layers)
    pairs: list[tuple[FloatArray, FloatArray]] = []
    for i, layer in enumerate(layers):
        if not isinstance(layer, tuple | list) or len(layer) != 2:
            raise ArgumentError(f"`model[{i}]` is {_kind(layer)}; expected a pair (W, b): model = [(W, b), ...].")
        weight = _array(layer[0], f"W of layer {i}")
        expected = weight.shape[:1]
        bias = np.zeros(expected) if layer[1] is None else _array(layer[1], f"b of layer {i}")
        if weight.ndim != 2 or not weight.size:
            raise DimensionError(f"`W` of layer {i} has shape {weight.shape}; expected (out, in).")
        if pairs and weight.shape[1] != pairs[-1][0].shape[0]:
            raise DimensionError(
                f"`W` of layer {i} has shape {weight.shape}; expected (out, {pairs[-1][0].shape[0]}), since layer "
                f"{i - 1} has {pairs[-1][0].shape[0]} outputs. Pass weights as (out, in): transpose them if they are "
                "(in, out)."
            )
        if bias.shape != expected:
            raise DimensionError(
                f"`b` of layer {i} has shape {bias.shape}; expected {expected}, as W has {len(weight)} rows."
            )
        pairs.append((weight, bias))
    return pairs


def _listed(layers: Sequence[Any]) -> list[Any]:
    if not len(layers):
        raise ArgumentError("`model` is an empty list; expected layers [(W, b), ...].")
    return list(layers)


def _array(values: Any, label: str) -> FloatArray:
    return _read(values, label)[0]


def _read(values: Any, label: str) -> tuple[FloatArray, bool]:
    try:
        return as_float64(values, label)
    except ReluAtlasError:
        raise
    except Exception as problem:  # foreign arrays raise what they like when they are asked for their numbers
        text = str(problem).partition("\n")[0].rstrip(".")
        raise ArgumentError(f"`{label}` is not an array of numbers: {text}.") from None


def _type_of(values: Any) -> str:
    return str(getattr(values, "dtype", "Python's")).removeprefix("torch.")


def _precision(weights: Sequence[Any]) -> np.dtype:
    """Return the type that the layers compute in, as far as NumPy has it: the widest of the weights'."""
    sizes = {"float16": np.float16, "bfloat16": np.float32, "float32": np.float32}
    kinds = [np.dtype(sizes.get(_type_of(w), np.float64)) for w in weights]
    return max(kinds, key=lambda k: k.itemsize)


def _kind(thing: Any) -> str:
    return f"an array of shape {thing.shape}" if isinstance(thing, np.ndarray) else f"a {type(thing).__name__}"
