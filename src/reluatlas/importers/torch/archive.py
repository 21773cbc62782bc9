"""Is what a file of torch.save claims there? A dry run of its pickle, before torch reads it.

Since torch 1.6 a file is a zip archive of raw storages and a pickle that says how tensors lie in them; before, it
was a row of pickles with the storages behind. Either is read with `weights_only=True`; before that, what it claims
is compared with what is there, by a dry run of the pickle in which every name stands for an object that does nothing.
"""

from __future__ import annotations

import io
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

from reluatlas.errors import ModelFileError
from reluatlas.importers.lowering.weights import MAX_ENTRIES
from reluatlas.importers.onnx.file import MAX_BYTES

_ITEM_BYTES = {
    "ComplexDoubleStorage": 16, "ComplexFloatStorage": 8, "DoubleStorage": 8, "LongStorage": 8, "FloatStorage": 4,
    "IntStorage": 4, "HalfStorage": 2, "BFloat16Storage": 2, "ShortStorage": 2, "CharStorage": 1, "ByteStorage": 1,
    "BoolStorage": 1, "UntypedStorage": 1,
}  # fmt: skip
_OLD_MAGIC = 0x1950A86A20F9469CFC6C  # what files of torch before 1.6 begin with, pickled


def check_torch_file(path: Path, data: bytes) -> str:
    """Check what a file claims; return the first name in it that is not part of plain tensors, or "".

    Raises
    ------
    ModelFileError
        When it is no file of torch.save, or a storage or a tensor is larger than what is there.
    """
    if data[:2] == b"PK":
        return _check_archive(path, data)
    return _check_old(path, data)


def _check_archive(path: Path, data: bytes) -> str:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            records = {info.filename: info for info in archive.infolist()}
            _refuse_other_kinds(path, records)
            if any(i.compress_type != zipfile.ZIP_STORED for i in records.values()):
                raise ModelFileError(
                    f"`{path}` is a compressed archive; expected a file of torch.save, which is not compressed. "
                    "Unpack it."
                )
            claimed = sum(i.file_size for i in records.values())
            if claimed > len(data):
                raise ModelFileError(
                    f"`{path}` unpacks to {claimed:,} bytes, more than its {len(data):,}. Save or download it again."
                )
            index = next((name for name in records if name.endswith("/data.pkl")), None)
            if index is None:
                raise ModelFileError(f"`{path}` is not a file of torch.save: it has no data.pkl. Check the file.")
            script = archive.read(index)
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError, ValueError) as problem:
        if isinstance(problem, ModelFileError):
            raise
        raise _no_torch_file(path) from None
    sizes = {name: info.file_size for name, info in records.items()}
    return _ran_dry(_DryRun(io.BytesIO(script), path, index.removesuffix("data.pkl") + "data/", sizes))


def _refuse_other_kinds(path: Path, records: Mapping[str, Any]) -> None:
    names = {name.partition("/")[2] for name in records}
    if "constants.pkl" in names and any(name.startswith("code/") for name in names):
        raise ModelFileError(
            f"`{path}` is a TorchScript file (torch.jit.save), which holds code. Save its weights with "
            "torch.save(torch.jit.load(path).state_dict(), 'weights.pt'), and pass the torch.nn.Module as `module=`."
        )
    if "archive_format" in names or "models/model.json" in names or "serialized_exported_program.json" in records:
        raise ModelFileError(
            f"`{path}` is a file of torch.export.save; expected a state dict. Pass the torch.nn.Module that it was "
            "exported from."
        )


def _check_old(path: Path, data: bytes) -> str:
    """Check a file of torch before 1.6: four pickles, a list of keys, then each storage behind its length."""
    stream = io.BytesIO(data)
    try:
        magic = _DryRun(stream, path, "", {}).load()
    except Exception:  # whatever a broken pickle does
        magic = None
    if not isinstance(magic, int) or magic != _OLD_MAGIC:
        raise _no_torch_file(path)
    for _ in ("protocol", "system"):
        _ran_dry(_DryRun(stream, path, "", {}))
    run = _DryRun(stream, path, "", None, limit=len(data))
    foreign = _ran_dry(run)
    if foreign:
        return foreign
    keys = _DryRun(stream, path, "", {})
    _ran_dry(keys)
    listed = keys.result if isinstance(keys.result, list) else []
    for key in listed:
        at = stream.tell()
        count = int.from_bytes(data[at : at + 8], "little", signed=True)
        wanted, item = run.storages.get(str(key), (-1, 1))
        if count != wanted or at + 8 + count * item > len(data):
            raise ModelFileError(
                f"`{path}` claims a storage of {wanted} numbers, but holds {count} of {len(data) - at:,} bytes. "
                "Save or download it again."
            )
        stream.seek(at + 8 + count * item)
    if set(map(str, listed)) != set(run.storages):
        raise ModelFileError(f"`{path}` does not hold all the storages that it names. Save or download it again.")
    return ""


def _no_torch_file(path: Path) -> ModelFileError:
    return ModelFileError(
        f"`{path}` is truncated or not a file of torch.save. Save module.state_dict() with torch.save again."
    )


def _ran_dry(scan: _DryRun) -> str:
    try:
        scan.result = scan.load()
    except ModelFileError:
        raise
    except Exception as problem:  # whatever a broken pickle makes of objects that do nothing
        if not scan.foreign:
            raise ModelFileError(
                f"`{scan.path}` is damaged ({type(problem).__name__}). Save or download it again."
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
    """Unpickles without importing anything, and checks the sizes of storages and tensors.

    Parameters
    ----------
    stream, path
    folder : str
        Where the archive keeps storages.
    sizes : mapping or None
        Bytes of the archive's records, by name. None: an old file, whose storages come later.
    limit : int
        Bytes that all storages of an old file may claim together.
    """

    def __init__(self, stream: Any, path: Path, folder: str, sizes: Mapping[str, int] | None, limit: int = 0) -> None:
        super().__init__(stream)
        self.path, self.folder, self.sizes, self.limit = path, folder, sizes, limit
        self.foreign = ""
        self.result: Any = None
        self.storages: dict[str, tuple[int, int]] = {}  # of an old file: numbers, and bytes of each
        self.claimed = 0  # bytes of all of them

    def find_class(self, module: str, name: str) -> Any:
        """Return something that does nothing in place of what the pickle asks for."""
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module == "torch._utils" and name in ("_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_tensor_v3"):
            return self._tensor
        if module == "torch._utils" and name == "_rebuild_parameter":
            return lambda data, *rest: data
        plain = module in ("torch", "torch.storage", "torch.serialization") and not name.startswith("nn")
        if not plain and not self.foreign:
            self.foreign = f"{module}.{name}"
        return type(name, (_Inert,), {})

    def persistent_load(self, pid: Any) -> int:
        """Return how many numbers a storage has, once they are found to be there."""
        if pid[0] == "module":  # an old file of a whole module, with its source
            self.foreign = self.foreign or getattr(pid[1], "__name__", "a module")
            return 0
        kind, storage, key, _, count = pid[:5]
        item = _ITEM_BYTES.get(getattr(storage, "__name__", ""), 1)
        if self.sizes is not None:
            there = self.sizes.get(f"{self.folder}{key}", 0)
        else:
            there = self.limit if str(key) in self.storages else self.limit - self.claimed
        if kind != "storage" or not isinstance(count, int) or not 0 <= count * item <= min(there, MAX_BYTES):
            raise ModelFileError(
                f"`{self.path}` claims a storage of {count} numbers, but holds {there:,} bytes of it. "
                "Save or download it again."
            )
        if self.sizes is None and str(key) not in self.storages:
            self.storages[str(key)] = (count, item)
            self.claimed += count * item
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
