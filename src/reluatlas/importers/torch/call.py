"""What does a row of the ATen operator table get? One call: its arguments by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from reluatlas.importers.lowering.tensors import Lowering, Tensor


@dataclass(frozen=True)
class Call:
    """One call of an operator: its arguments by name, defaults filled in, torch tensors as arrays."""

    arguments: Mapping[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.arguments[name]

    def get(self, name: str, default: Any = None) -> Any:
        """Return an argument, or the default when the operator has none of that name."""
        return self.arguments.get(name, default)


Operator = Callable[[Lowering, Call], Tensor | list[Tensor]]


def tensor(low: Lowering, value: Any, what: str) -> Tensor:
    """Return an argument that depends on the network's input; raise when it does not."""
    if isinstance(value, Tensor):
        return value
    raise low.unsupported(f"its {what} must depend on the network's input, and nothing else may.")


def constant(low: Lowering, value: Any, what: str) -> np.ndarray:
    """Return an argument that is a constant, in float64; raise when it is not."""
    if isinstance(value, Tensor):
        raise low.unsupported(f"its {what} depends on the network's input; expected a constant.")
    return low.coefficients(value, what)
