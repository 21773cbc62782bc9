"""How are a module's weights read from a file? None is rounded, and nothing that the file holds is run."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from functools import reduce
from pathlib import Path
from typing import Any

from reluatlas.errors import ArgumentError, MissingDependencyError, ModelFileError
from reluatlas.importers.lowering.weights import as_float64
from reluatlas.importers.onnx.file import bytes_of
from reluatlas.importers.torch.archive import check_torch_file
from reluatlas.importers.torch.copies import copied
from reluatlas.importers.torch.state import choose


def with_state(path: Path, module: Any) -> tuple[Any, list[str]]:
    """Return a copy of a torch module with the weights of a file, and remarks on where in it they were.

    Where the weights are wider than the module's, the whole copy is made as wide, so that none is rounded.

    Raises
    ------
    ModelFileError
        When the file is missing, broken, holds pickled code, claims data that it does not hold, or
        does not belong to the module.
    ArgumentError
        When no module is given, or it cannot be copied.
    MissingDependencyError
        When torch or safetensors is not installed.
    """
    data = bytes_of(path)
    try:
        import torch  # noqa: F401
    except ImportError:
        raise MissingDependencyError(f"`{path}` needs torch. Install it: pip install 'reluatlas[torch]'.") from None
    content = _safetensors(path, data) if path.name.lower().endswith(".safetensors") else _torch_content(path, data)
    if module is None:
        raise ArgumentError(
            f"`{path}` holds weights without an architecture. Pass `module=`, the torch.nn.Module that they belong to."
        )
    twin = copied(module, type(module).__name__)
    weights, remarks = choose(path, content, twin)
    _make_room(path, twin, weights)
    try:
        twin.load_state_dict(weights, strict=True)
    except Exception as problem:  # modules may load as they like
        lines = [line.strip() for line in str(problem).splitlines()[1:] if line.strip()] or [str(problem)]
        raise ModelFileError(
            f"`{path}` does not fit `{type(module).__name__}`: {lines[0][:300].rstrip('.')}. "
            "Pass the module that it was saved from."
        ) from None
    return twin, remarks


def _make_room(path: Path, twin: Any, weights: Mapping[str, Any]) -> None:
    """Give a module types, and a place, that hold weights without rounding them.

    Raises
    ------
    ModelFileError
        When there are none: complex or quantized numbers, floats for whole numbers, whole numbers beyond 2^53.
    """
    import torch
    from torch.nn.parameter import is_lazy

    own = twin.state_dict()
    wanted = set()
    for name, tensor in weights.items():
        if tensor.is_quantized or tensor.is_complex():
            kind = "complex" if tensor.is_complex() else "quantized"
            raise ModelFileError(f"`{path}` holds {kind} numbers as `{name}`; expected real floats.")
        target = own.get(name)
        if not isinstance(target, torch.Tensor) or target.is_complex() or tensor.dtype == target.dtype:
            continue
        if not target.is_floating_point():
            if not torch.equal(tensor.to(target.dtype).double(), tensor.double()):
                raise ModelFileError(
                    f"`{path}` holds {tensor.dtype} numbers as `{name}`, which is {target.dtype} in the module. "
                    "Pass the module that it was saved from."
                )
        elif tensor.is_floating_point():
            wanted.add(tensor.dtype if tensor.element_size() > 1 else torch.float32)
        else:
            if as_float64(tensor, name)[1]:
                raise ModelFileError(f"`{path}` holds whole numbers beyond 2^53 as `{name}`; expected floats.")
            wanted.add(torch.float64)
    if wanted:
        floats = {t.dtype for t in (*twin.parameters(), *twin.buffers()) if t.is_floating_point()}
        twin.to(reduce(torch.promote_types, wanted | floats))
    absent = [name for name, t in (*twin.named_parameters(), *twin.named_buffers()) if t.is_meta and not is_lazy(t)]
    if absent:
        unsaved = [name for name in absent if name not in weights]
        if unsaved:
            raise ArgumentError(
                f"`{unsaved[0]}` of `module` is on the meta device, and `{path}` does not hold it. Make the module on "
                "the CPU."
            )
        twin.to_empty(device="cpu")


def _safetensors(path: Path, data: bytes) -> Mapping[str, Any]:
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load
    except ImportError:
        raise MissingDependencyError(
            f"`{path}` needs safetensors. Install it: pip install 'reluatlas[torch]'."
        ) from None
    try:
        return load(data)
    except (SafetensorError, ValueError, TypeError, KeyError, RuntimeError) as problem:
        raise ModelFileError(
            f"`{path}` is truncated or not a safetensors file ({str(problem)[:100].partition(chr(10))[0]}). "
            "Download it again."
        ) from None


def _torch_content(path: Path, data: bytes) -> Any:
    import torch

    foreign = check_torch_file(path, data)
    if foreign:
        raise ModelFileError(
            f"`{path}` holds pickled code (`{foreign}`), which is never run. Save the weights alone: if you trust the "
            "file, torch.save(torch.load(path, weights_only=False).state_dict(), 'weights.pt') for a whole module, and "
            "pass `module=`."
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as problem:  # torch, pickle and zip errors share no class
        raise ModelFileError(
            f"`{path}` cannot be read as weights ({type(problem).__name__}). Save module.state_dict() with torch.save, "
            "and pass `module=`."
        ) from None
