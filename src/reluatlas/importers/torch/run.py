"""How is a captured torch graph run, in any precision? Tensor by tensor, beside the module itself."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reluatlas.importers.torch.copies import copied
from reluatlas.network.network import FloatArray


def is_float(tensor: Any) -> bool:
    """Return whether a torch tensor holds floats."""
    return bool(tensor.dtype.is_floating_point)


def recast(value: Any, dtype: Any) -> Any:
    """Return an argument with every float tensor, and every float type, in `dtype`."""
    import torch

    if isinstance(value, torch.Tensor) and is_float(value):
        return value.to(dtype)
    if isinstance(value, torch.dtype) and value.is_floating_point:
        return dtype
    if isinstance(value, list | tuple):
        return type(value)(recast(v, dtype) for v in value)
    return value


def fixes_type(nodes: Sequence[Any]) -> bool:
    """Return whether a graph casts to, or makes, floats of a type narrower than float64."""
    import torch

    fixed = (node.kwargs.get("dtype") for node in nodes)
    return any(isinstance(d, torch.dtype) and d.is_floating_point and d != torch.float64 for d in fixed)


def casts(nodes: Sequence[Any]) -> set[Any]:
    """Return the float types that a graph casts wider floats to."""
    import torch

    found = set()
    for node in nodes:
        wanted = node.kwargs.get("dtype")
        given = getattr(node.args[0], "meta", {}).get("val") if node.args else None
        if isinstance(wanted, torch.dtype) and isinstance(given, torch.Tensor) and is_float(given):
            found |= {wanted} if wanted.is_floating_point and _spacing(wanted) > _spacing(given.dtype) else set()
    return found


def _spacing(dtype: Any) -> float:
    import torch

    return float(torch.finfo(dtype).eps)


@contextmanager
def neutral() -> Iterator[None]:
    """Run torch as it starts: without gradients, autocast, or another default device of the caller."""
    import torch

    with torch.inference_mode(False), torch.no_grad(), torch.autocast("cpu", enabled=False), torch.device("cpu"):
        yield


def zeros(shape: Sequence[int], dtype: Any = None) -> Any:
    """Return a tensor of zeros on the CPU, in float64 when no type is given."""
    import torch

    return torch.zeros(tuple(shape), dtype=dtype or torch.float64, device="cpu")


def all_tensors(captured: Any, z: FloatArray, dtype: Any) -> Mapping[str, NDArray]:
    """Return every float tensor of a captured graph at points (N, ...), run one by one in `dtype`.

    Casts inside of the graph go to `dtype` when that is float64, so that all of it is in float64.
    """
    import torch
    from torch.fx.node import map_arg

    double = dtype == torch.float64

    def cast(value: Any) -> Any:
        return recast(value, dtype) if double else value

    collected: dict[str, list[NDArray]] = {}
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for row in z:
            values = {name: cast(c) for name, c in captured.constants.items()}
            values[captured.input] = torch.from_numpy(row[None]).to(dtype)
            for node in captured.nodes:
                args = cast(map_arg(node.args, lambda n, v=values: v[n.name]))
                kwargs = map_arg(node.kwargs, lambda n, v=values: v[n.name])
                values[node.name] = cast(node.target(*args, **{k: cast(v) for k, v in kwargs.items()}))
            for name, value in values.items():
                if name not in captured.constants and isinstance(value, torch.Tensor) and is_float(value):
                    collected.setdefault(name, []).append(value.double().numpy())
    return {name: np.stack(rows) for name, rows in collected.items()}


def module_runner(module: Any, dtype: Any) -> Callable[[FloatArray], NDArray | None]:
    """Return a function from points to the outputs of a copy of the module in `dtype`, run one by one.

    It gives None when the module cannot run in another precision than its own, because it makes
    tensors of a fixed type.
    """
    import torch

    def run(z: FloatArray) -> NDArray | None:
        own = [p for p in (*module.parameters(), *module.buffers()) if is_float(p)]
        twin = copied(module, "module").to(dtype) if any(p.dtype != dtype for p in own) else module
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                rows = [twin(torch.from_numpy(row[None]).to(dtype)).double().numpy() for row in z]
            except RuntimeError:
                if twin is module and (own or dtype == torch.float32):
                    raise
                return None
        return np.stack(rows)

    return run
