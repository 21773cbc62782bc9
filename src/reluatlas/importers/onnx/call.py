"""What does a row of the ONNX operator table get? One node: attributes, inputs, and how to run it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from reluatlas.errors import DimensionError, ModelFileError
from reluatlas.importers.lowering import steps as st
from reluatlas.importers.lowering.steps import Steps, Value
from reluatlas.importers.lowering.tensors import Lowering, Tensor, rearrange
from reluatlas.importers.lowering.tensors import Value as Plain

Inputs = Sequence[Value | None]


@dataclass(frozen=True)
class Refused:
    """An output of a node that cannot be given to another: why not."""

    reason: str


@dataclass(frozen=True)
class Call:
    """One node to be lowered.

    Attributes
    ----------
    attributes : mapping
        The node's attributes, defaults of its opset filled in.
    run : callable
        Runs the node itself (ONNX's reference evaluator) on other inputs.
    opset : int
    n_outputs : int
        How many of the node's outputs have a name.
    """

    attributes: Mapping[str, Any]
    run: Callable[[Sequence[np.ndarray | None]], list[np.ndarray]]
    opset: int
    n_outputs: int = 1


Operator = Callable[[Lowering, Call, Inputs], Sequence[Value | Refused] | Value]


def tensor(low: Lowering, value: Value | None, what: str) -> Tensor:
    """Return an input that depends on the network's input; raise when it does not."""
    if isinstance(value, Steps):
        value = st.settle(low, value)
    if isinstance(value, Tensor):
        return value
    raise low.unsupported(f"its {what} must depend on the network's input, and nothing else may.")


def constant(low: Lowering, value: Value | None, what: str) -> np.ndarray:
    """Return an input that is a constant; raise when it is not."""
    if isinstance(value, Tensor | Steps):
        raise low.unsupported(f"its {what} depends on the network's input; expected a constant.")
    if value is None:
        raise DimensionError(f"{low.label} has no {what}.")
    return value


def required(low: Lowering, inputs: Inputs, count: int | None = None) -> list[Value]:
    """Return the inputs, of which none may lack; raise when there are not `count`."""
    values = [v for v in inputs if v is not None]
    if len(values) != len(inputs) or count not in (None, len(values)):
        wanted = "all its inputs" if count is None else f"{count} inputs"
        raise ModelFileError(f"{low.label} has {len(values)} inputs; expected {wanted}. Check the model.")
    return values


def plain(low: Lowering, inputs: Inputs, count: int | None = None) -> list[Plain]:
    """Return the inputs as tensors and constants, of which none may lack; see `required` and `steps.settle`."""
    return [st.settle(low, v) for v in required(low, inputs, count)]


def constants(low: Lowering, inputs: Inputs, what: str) -> list[np.ndarray | None]:
    """Return inputs that are constants or left out."""
    return [None if v is None else constant(low, v, what) for v in inputs]


def rearranged(low: Lowering, call: Call, inputs: Sequence[Plain | None]) -> list[Tensor]:
    """Return what an operator makes that only moves entries: run on their numbers, it tells which goes where."""
    start = 0
    tensors: list[Tensor] = []
    given: list[np.ndarray | None] = []
    for value in inputs:
        if isinstance(value, Tensor):
            given.append(value.marks() + start)
            tensors.append(value)
            start += value.size
        else:
            given.append(value)
    return [rearrange(low, tensors, np.asarray(marks, dtype=np.int64)) for marks in call.run(given)]
