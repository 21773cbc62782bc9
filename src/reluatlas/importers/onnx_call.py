"""What does a row of the ONNX operator table get? One node: attributes, inputs, and how to run it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from reluatlas.errors import DimensionError
from reluatlas.importers.lowering import Lowering, Tensor, Value

Inputs = Sequence[Value | None]


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


Operator = Callable[[Lowering, Call, Inputs], list[Tensor] | Tensor]


def tensor(low: Lowering, value: Value | None, what: str) -> Tensor:
    """Return an input that depends on the network's input; raise when it does not."""
    if isinstance(value, Tensor):
        return value
    raise low.unsupported(f"its {what} must depend on the network's input, and nothing else may.")


def constant(low: Lowering, value: Value | None, what: str) -> np.ndarray:
    """Return an input that is a constant; raise when it is not."""
    if isinstance(value, Tensor):
        raise low.unsupported(f"its {what} depends on the network's input; expected a constant.")
    if value is None:
        raise DimensionError(f"{low.label} has no {what}.")
    return value
