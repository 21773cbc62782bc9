"""How is a user's torch module taken over? As a private copy, out of its wrappers, that can be run here.

What cannot be copied, or holds no numbers to read, is refused before anything is run.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from reluatlas.errors import ArgumentError, UnsupportedLayerError

_QUANTIZED = ("torch.ao.nn.", "torch.ao.quantization.", "torch.nn.quantized", "torch.nn.intrinsic")
_PLAIN = ("QuantStub", "DeQuantStub", "QuantWrapper")  # of a float model that is to be quantized


def unwrapped(module: Any) -> Any:
    """Return the module inside of wrappers that compute nothing: `torch.compile`, data parallelism."""
    from torch.nn.parallel import DataParallel, DistributedDataParallel

    seen = set()
    while id(module) not in seen:
        seen.add(id(module))
        if _is_compiled(module):
            module = module._orig_mod
        elif isinstance(module, DataParallel | DistributedDataParallel):
            module = module.module
    return module


def _is_compiled(module: Any) -> bool:
    # the class lives in a part of torch that takes seconds to import, and is there only where it is used
    return type(module).__name__ == "OptimizedModule" and hasattr(module, "_orig_mod")


def copied(module: Any, source: str) -> Any:
    """Return a copy of a module that shares nothing with it, out of its wrappers.

    Tensors that were computed (a kept activation, the weight of a pruned layer) are copied without their history.

    Raises
    ------
    ArgumentError
        When it holds something that cannot be copied; names it.
    """
    module = unwrapped(module)
    try:
        twin = _deep_copy(module)
    except Exception as problem:
        culprit = _culprit(module)
        name = f"`{source}`" if not culprit else f"`{culprit}` of `{source}`"
        raise ArgumentError(
            f"{name} cannot be copied: {first_line(problem)}. Take it out of the module, or pass the layers that "
            "compute alone."
        ) from problem
    for parent in list(twin.modules()):
        for name, child in list(parent.named_children()):
            inner = unwrapped(child)
            if inner is not child:
                setattr(parent, name, inner)
    return twin


def _deep_copy(thing: Any) -> Any:
    import torch
    from torch.overrides import TorchFunctionMode

    class WithoutHistory(TorchFunctionMode):
        """Copies tensors that were computed, which torch refuses to copy, without their history."""

        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if func is torch.Tensor.__deepcopy__ and not args[0].is_leaf:
                memo = args[1]
                if id(args[0]) not in memo:
                    memo[id(args[0])] = args[0].detach().clone()
                return memo[id(args[0])]
            return func(*args, **(kwargs or {}))

    with WithoutHistory():
        return copy.deepcopy(thing)


def _culprit(module: Any) -> str:
    """Return the name of the first attribute that cannot be copied by itself, or ""."""
    for path, part in module.named_modules():
        for name, value in vars(part).items():
            if name in ("_modules", "_parameters", "_buffers"):
                continue
            try:
                _deep_copy(value)
            except Exception:
                return f"{path}.{name}" if path else name
    return ""


def require_readable(module: Any, source: str) -> None:
    """Raise when a module has weights that are not there, or are no plain numbers.

    Raises
    ------
    UnsupportedLayerError
        TorchScript, quantized layers, complex weights, weights of a foreign kind.
    ArgumentError
        Lazy layers that have not run yet; weights on the meta device.
    """
    import torch
    from torch.nn.parameter import is_lazy
    from torch.utils._python_dispatch import is_traceable_wrapper_subclass

    try:
        parts = list(module.named_modules())
    except AttributeError:
        raise ArgumentError(
            f"`{source}` was never initialized. Call `super().__init__()` at the beginning of its `__init__`."
        ) from None
    for path, part in parts:
        label = f"`{path}` of `{source}`" if path else f"`{source}`"
        if isinstance(part, torch.jit.ScriptModule):
            raise UnsupportedLayerError(
                f"{label} is a TorchScript module. Pass the torch.nn.Module that it was made from."
            )
        if type(part).__module__.startswith(_QUANTIZED) and type(part).__name__ not in _PLAIN:
            raise UnsupportedLayerError(
                f"{label} is quantized, or prepared for it (`{type(part).__name__}`): it rounds what it computes. Pass "
                "the float model that the quantized model was made from."
            )
    for name, tensor in _tensors(module):
        label = f"`{name}` of `{source}`"
        if is_lazy(tensor):
            raise ArgumentError(
                f"{label} belongs to a lazy layer, which has no weights before its first run. Run it once on data, or "
                "load its weights."
            )
        if tensor.is_meta:
            raise ArgumentError(f"{label} is on the meta device, which holds no numbers. Load its weights first.")
        if tensor.layout != torch.strided and isinstance(tensor, torch.nn.Parameter):  # which torch cannot copy
            raise UnsupportedLayerError(f"{label} is sparse; expected dense weights. Convert it with `to_dense`.")
        if tensor.is_quantized:
            raise UnsupportedLayerError(f"{label} is quantized. Pass the float model that it was made from.")
        if tensor.is_complex():
            raise UnsupportedLayerError(f"{label} holds complex numbers; expected real ones.")
        if is_traceable_wrapper_subclass(tensor):
            raise UnsupportedLayerError(
                f"{label} is a `{type(tensor).__name__}`; expected plain tensors. Pass the model with its plain float "
                "weights."
            )


def _tensors(module: Any) -> Iterator[tuple[str, Any]]:
    yield from module.named_parameters()
    yield from module.named_buffers()


def first_line(problem: BaseException) -> str:
    """Return an exception's class and the first line of its text, for a sentence."""
    text = next((line.strip() for line in str(problem).splitlines() if line.strip()), "")
    return f"{type(problem).__name__}: {text[:200]}".rstrip(".: ")
