"""How are a module's weights read from a file without running what the file holds? By a dry run first.

A `.pt` file is a zip archive of raw storages and a pickle that says how tensors lie in them. torch
reads it with `weights_only=True`; before that, what it claims is compared with what is there, by
a dry run of the pickle in which every name stands for an object that does nothing.
"""

from __future__ import annotations

import copy
import io
import pickle
import warnings
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

from reluatlas.errors import ArgumentError, MissingDependencyError, ModelFileError
from reluatlas.importers.onnx_file import MAX_BYTES, bytes_of
from reluatlas.importers.weights import MAX_ENTRIES

_ITEM_BYTES = {
    "DoubleStorage": 8, "LongStorage": 8, "FloatStorage": 4, "IntStorage": 4, "HalfStorage": 2, "BFloat16Storage": 2,
    "ShortStorage": 2, "CharStorage": 1, "ByteStorage": 1, "BoolStorage": 1, "UntypedStorage": 1,
}  # fmt: skip
_WRAPPERS = ("state_dict", "model_state_dict")


def with_state(path: Path, module: Any) -> Any:
    """Return a copy of a torch module with the weights of a `.pt`, `.pth` or `.safetensors` file.

    Raises
    ------
    ModelFileError
        When the file is missing, broken, holds pickled code, claims data that it does not hold, or
        does not belong to the module.
    ArgumentError
        When no module is given.
    MissingDependencyError
        When torch or safetensors is not installed.
    """
    data = bytes_of(path)
    try:
        import torch  # noqa: F401
    except ImportError:
        raise MissingDependencyError(f"`{path}` needs torch. Install it: pip install 'reluatlas[torch]'.") from None
    state = _safetensors(path, data) if path.name.lower().endswith(".safetensors") else _torch_state(path, data)
    if module is None:
        raise ArgumentError(
            f"`{path}` holds weights without an architecture. Pass `module=`, the torch.nn.Module that they belong to."
        )
    twin = copy.deepcopy(module)
    try:
        twin.load_state_dict(state, strict=True)
    except (RuntimeError, TypeError, ValueError) as problem:
        lines = [line.strip() for line in str(problem).splitlines()[1:] if line.strip()] or [str(problem)]
        raise ModelFileError(
            f"`{path}` does not fit `{type(module).__name__}`: {lines[0][:300].rstrip('.')}. "
            "Pass the module that it was saved from."
        ) from None
    return twin


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


def _torch_state(path: Path, data: bytes) -> Mapping[str, Any]:
    import torch

    foreign = check_archive(path, data)
    if foreign:
        raise ModelFileError(
            f"`{path}` holds pickled code (`{foreign}`), which is never run. "
            "Save module.state_dict() instead, and pass `module=`."
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            state = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as problem:  # torch, pickle and zip errors share no class
        raise ModelFileError(
            f"`{path}` cannot be read as weights ({type(problem).__name__}). Save module.state_dict() with torch.save, "
            "and pass `module=`."
        ) from None
    if isinstance(state, Mapping):
        for key in _WRAPPERS:
            if isinstance(state.get(key), Mapping):
                state = state[key]
    if not isinstance(state, Mapping) or not all(isinstance(v, torch.Tensor) for v in state.values()):
        raise ModelFileError(
            f"`{path}` holds a {type(state).__name__} that is no state dict. Save module.state_dict()."
        )
    return state


def check_archive(path: Path, data: bytes) -> str:
    """Check what a `.pt` archive claims; return the first name in it that is not part of plain tensors, or "".

    Raises
    ------
    ModelFileError
        When it is no archive of torch, or a storage or a tensor is larger than what is there.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            records = {info.filename: info for info in archive.infolist()}
            packed = [i for i in records.values() if i.compress_type != zipfile.ZIP_STORED]
            claimed = sum(i.file_size for i in records.values())
            if packed or claimed > len(data):
                raise ModelFileError(
                    f"`{path}` unpacks to {claimed:,} bytes, more than its {len(data):,}; "
                    "expected a file of torch.save, which is not compressed."
                )
            index = next((name for name in records if name.endswith("/data.pkl")), None)
            if index is None:
                raise ModelFileError(f"`{path}` is not a file of torch.save: it has no data.pkl. Check the file.")
            script = archive.read(index)
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError, ValueError) as problem:
        if isinstance(problem, ModelFileError):
            raise
        raise ModelFileError(
            f"`{path}` is truncated or not a file of torch.save (torch before 1.6 wrote another format). "
            "Save module.state_dict() with torch.save again."
        ) from None
    scan = _DryRun(io.BytesIO(script), path, index.removesuffix("data.pkl"), records)
    try:
        scan.load()
    except ModelFileError:
        raise
    except Exception as problem:  # whatever a broken pickle makes of objects that do nothing
        if not scan.foreign:
            raise ModelFileError(
                f"`{path}` is damaged ({type(problem).__name__}). Save or download it again."
            ) from None
    return scan.foreign


class _Inert:
    """Stands for every object of a pickle, and does nothing."""

    def __new__(cls, *args: Any, **kwargs: Any) -> _Inert:
        return super().__new__(cls)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        pass

    def __setitem__(self, key: Any, value: Any) -> None:
        pass

    def append(self, item: Any) -> None:
        """Take an item of a list, and drop it."""

    def extend(self, items: Any) -> None:
        """Take items of a list, and drop them."""


# the unpickler in Python: the one in C lets a file reserve memory by naming a high memo index
class _DryRun(pickle._Unpickler):  # pyright: ignore[reportAttributeAccessIssue]
    """Unpickles without importing anything, and checks the sizes of storages and tensors."""

    def __init__(self, stream: Any, path: Path, prefix: str, records: Mapping[str, Any]) -> None:
        super().__init__(stream)
        self.path, self.prefix, self.records = path, prefix, records
        self.foreign = ""

    def find_class(self, module: str, name: str) -> Any:
        """Return something that does nothing in place of what the pickle asks for."""
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module == "torch._utils" and name in ("_rebuild_tensor_v2", "_rebuild_tensor"):
            return self._tensor
        if module == "torch._utils" and name == "_rebuild_parameter":
            return lambda data, *rest: data
        plain = module in ("torch", "torch.storage", "torch.serialization") and not name.startswith("nn")
        if not plain and not self.foreign:
            self.foreign = f"{module}.{name}"
        return type(name, (_Inert,), {})

    def persistent_load(self, pid: Any) -> int:
        """Return how many numbers a storage has, once they are found to be there."""
        kind, storage, key, _, count = pid
        item = _ITEM_BYTES.get(getattr(storage, "__name__", ""), 1)
        record = self.records.get(f"{self.prefix}data/{key}")
        there = 0 if record is None else record.file_size
        if kind != "storage" or not isinstance(count, int) or not 0 <= count * item <= min(there, MAX_BYTES):
            raise ModelFileError(
                f"`{self.path}` claims a storage of {count} numbers, but holds {there:,} bytes of it. "
                "Save or download it again."
            )
        return count

    def _tensor(self, count: Any, offset: Any, size: Any, stride: Any, *rest: Any) -> _Inert:
        numbers = prod(int(s) for s in size)
        last = int(offset) + sum((int(s) - 1) * int(t) for s, t in zip(size, stride, strict=True))
        if numbers > MAX_ENTRIES or (numbers and not 0 <= last < int(count)) or int(offset) < 0:
            raise ModelFileError(
                f"`{self.path}` claims a tensor of shape {tuple(size)}, but holds {count} numbers of it; the limit is "
                f"{MAX_ENTRIES:,}. Save or download it again."
            )
        return _Inert()
