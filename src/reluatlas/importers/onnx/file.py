"""How is an ONNX file read safely? Every claim that it makes about sizes and places is checked first."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Iterator
from math import prod
from pathlib import Path
from typing import Any

from reluatlas.errors import ModelFileError, UnsupportedLayerError
from reluatlas.importers.lowering.weights import MAX_ENTRIES, MAX_NODES

MAX_BYTES = 2**30  # of a model file, uncompressed
_CHUNK = 2**20


def read_onnx(path: Path) -> Any:
    """Return the `ModelProto` in a `.onnx` or `.onnx.gz` file, external data loaded, all sizes checked.

    Raises
    ------
    ModelFileError
        When the file is missing, empty, truncated, too large, not an ONNX model, or claims
        tensors that it does not hold or data outside its folder.
    """
    model = parse(_uncompressed(path, bytes_of(path)), str(path))
    check_model(model, str(path), folder=path.resolve().parent)
    return model


def bytes_of(path: Path) -> bytes:
    """Return what a model file holds.

    Raises
    ------
    ModelFileError
        When it is missing, a folder, unreadable, empty or too large.
    """
    try:
        if not path.exists():
            raise ModelFileError(f"`{path}` does not exist. Check the path.")
        if not path.is_file():
            raise ModelFileError(f"`{path}` is not a file; expected a model file.")
        size = path.stat().st_size
        if size == 0:
            raise ModelFileError(f"`{path}` is empty; expected a model. Write or download it again.")
        if size > MAX_BYTES:
            raise ModelFileError(f"`{path}` has {size:,} bytes; the limit is {MAX_BYTES:,}.")
        return _not_a_stand_in(path, path.read_bytes())
    except (OSError, ValueError) as problem:  # ValueError: a zero byte in the name
        if isinstance(problem, ModelFileError):
            raise
        raise ModelFileError(f"`{path}` cannot be read: {problem}.") from None


def _not_a_stand_in(path: Path, data: bytes) -> bytes:
    if data.startswith(b"version https://git-lfs"):
        raise ModelFileError(f"`{path}` is a Git LFS pointer, not the model that it stands for. Run `git lfs pull`.")
    if data[:100].lstrip().lower().startswith((b"<!doctype html", b"<html")):
        raise ModelFileError(f"`{path}` is a web page, not a model. Download the file itself.")
    return data


def _uncompressed(path: Path, data: bytes) -> bytes:
    if not path.name.lower().endswith(".gz"):
        return data
    parts, total = [], 0
    try:
        with gzip.open(path) as stream:
            while block := stream.read(_CHUNK):
                total += len(block)
                if total > MAX_BYTES:
                    raise ModelFileError(
                        f"`{path}` unpacks to more than {MAX_BYTES:,} bytes, the limit. "
                        "Unpack it yourself if you trust it."
                    )
                parts.append(block)
    except (OSError, EOFError, zlib.error) as problem:
        raise ModelFileError(f"`{path}` is truncated or not a gzip file ({problem}). Download it again.") from None
    return b"".join(parts)


def parse(data: bytes, label: str) -> Any:
    """Return the `ModelProto` that bytes hold.

    Raises
    ------
    ModelFileError
        When they are no ONNX model.
    """
    import onnx

    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except Exception as problem:  # the class of a parse error depends on onnx's version
        raise ModelFileError(
            f"`{label}` is truncated or not an ONNX model ({type(problem).__name__}). Export or download it again."
        ) from None
    return model


def check_model(model: Any, label: str, *, folder: Path | None) -> None:
    """Check a `ModelProto` before anything is made of it, and load its external data from `folder`.

    Raises
    ------
    ModelFileError
        When it is no complete model, or a tensor claims other data than the file holds.
    UnsupportedLayerError
        When it uses parts of ONNX that are not supported.
    """
    if any(isinstance(text, bytes) for text in _texts(model)):
        raise ModelFileError(f"`{label}` holds a name that is not UTF-8, as ONNX asks for. Export it again.")
    graph = model.graph
    if not model.HasField("graph") or not graph.output or model.ir_version <= 0:
        raise ModelFileError(f"`{label}` is not an ONNX model: it has no graph with outputs. Check the file.")
    if len(graph.node) > MAX_NODES:
        raise ModelFileError(f"`{label}` has {len(graph.node):,} nodes; the limit is {MAX_NODES:,}.")
    if graph.sparse_initializer:
        raise UnsupportedLayerError(f"`{label}` has sparse initializers; expected dense ones. Convert them.")
    total = 0
    for name, tensor in stored_tensors(graph):
        total += check_tensor(tensor, name, label, folder)
        if total > MAX_BYTES:
            raise ModelFileError(f"`{label}` holds more than {MAX_BYTES:,} bytes of tensors, the limit.")


def _texts(message: Any) -> Iterator[Any]:
    """Yield all texts of a message, such as names; bytes where they are not UTF-8."""
    try:
        fields = message.ListFields()
    except UnicodeDecodeError:  # of another implementation of protobuf
        yield b""
        return
    for field, value in fields:
        if field.type in (field.TYPE_STRING, field.TYPE_MESSAGE):
            for item in value if isinstance(value, Iterable) and not isinstance(value, str | bytes) else (value,):
                if field.type == field.TYPE_STRING:
                    yield item
                else:
                    yield from _texts(item)


def stored_tensors(graph: Any) -> Iterator[tuple[str, Any]]:
    """Yield `name, TensorProto` for all initializers and tensor attributes of a graph."""
    for tensor in graph.initializer:
        yield tensor.name, tensor
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t.name or f"{node.op_type} {attribute.name}", attribute.t
            for tensor in attribute.tensors:
                yield f"{node.op_type} {attribute.name}", tensor


def check_tensor(tensor: Any, name: str, label: str, folder: Path | None) -> int:
    """Return the bytes of a tensor, once its dimensions agree with the data that is there."""
    from onnx import TensorProto
    from onnx.helper import tensor_dtype_to_np_dtype

    dims = [int(d) for d in tensor.dims]
    count = prod(dims)
    if any(d < 0 for d in dims):
        raise ModelFileError(f"`{name}` in `{label}` has shape {dims}; expected no negative dimension.")
    if count > MAX_ENTRIES:
        raise ModelFileError(f"`{name}` in `{label}` claims {count:,} numbers; the limit is {MAX_ENTRIES:,}.")
    if tensor.data_type == TensorProto.STRING:
        raise UnsupportedLayerError(f"`{name}` in `{label}` holds strings; expected numbers.")
    try:
        dtype = tensor_dtype_to_np_dtype(tensor.data_type)
    except (KeyError, ValueError, TypeError):
        raise ModelFileError(f"`{name}` in `{label}` has the unknown data type {tensor.data_type}.") from None
    if tensor.data_type not in _typed_fields():
        raise UnsupportedLayerError(
            f"`{name}` in `{label}` has data type {TensorProto.DataType.Name(tensor.data_type)}; expected floats, "
            "integers or booleans. Convert quantised models to floats."
        )
    expected = count * dtype.itemsize
    if tensor.data_location == TensorProto.EXTERNAL:
        _load_external(tensor, name, label, folder, expected)
    if tensor.HasField("raw_data"):
        if len(tensor.raw_data) != expected:
            raise ModelFileError(
                f"`{name}` in `{label}` claims {count:,} numbers ({expected:,} bytes) but holds "
                f"{len(tensor.raw_data):,} bytes. Export or download the model again."
            )
    elif (there := len(getattr(tensor, _typed_fields()[tensor.data_type]))) != count:
        raise ModelFileError(
            f"`{name}` in `{label}` claims {count:,} numbers but holds {there:,}. Export or download the model again."
        )
    return expected


def _typed_fields() -> dict[int, str]:
    from onnx import TensorProto as T

    return {
        T.FLOAT: "float_data", T.DOUBLE: "double_data", T.INT64: "int64_data", T.UINT64: "uint64_data",
        T.UINT32: "uint64_data", T.INT32: "int32_data", T.INT16: "int32_data", T.INT8: "int32_data",
        T.UINT16: "int32_data", T.UINT8: "int32_data", T.BOOL: "int32_data", T.FLOAT16: "int32_data",
        T.BFLOAT16: "int32_data",
    }  # fmt: skip


def _load_external(tensor: Any, name: str, label: str, folder: Path | None, expected: int) -> None:
    from onnx import TensorProto

    if folder is None:
        raise ModelFileError(
            f"`{name}` keeps its data in another file, which a model in memory cannot find. "
            "Pass the path of the .onnx file."
        )
    entries = {e.key: e.value for e in tensor.external_data}
    location = entries.get("location", "")
    place = _inside(folder, location, name, label)
    try:
        offset, length = int(entries.get("offset", 0)), int(entries.get("length", expected))
    except ValueError:
        raise ModelFileError(f"`{name}` in `{label}` has an external offset or length that is no number.") from None
    if offset < 0 or length != expected or offset + length > place.stat().st_size:
        raise ModelFileError(
            f"`{name}` in `{label}` claims {expected:,} bytes, and {length:,} from byte {offset:,} on in `{location}`, "
            f"which has {place.stat().st_size:,}. Export or download the model again."
        )
    with place.open("rb") as stream:
        stream.seek(offset)
        tensor.raw_data = stream.read(length)
    tensor.data_location = TensorProto.DEFAULT
    del tensor.external_data[:]


def _inside(folder: Path, location: str, name: str, label: str) -> Path:
    outside = ModelFileError(
        f"`{name}` in `{label}` wants the external file `{location}`; expected a file in the model's own folder. "
        "It is not opened."
    )
    if not location or "\0" in location or "\\" in location or ".." in Path(location).parts:
        raise outside
    if Path(location).is_absolute() or Path(location).drive:
        raise outside
    place = (folder / location).resolve()
    if not place.is_relative_to(folder):
        raise outside
    if not place.is_file():
        raise ModelFileError(f"`{label}` needs the file `{location}` beside it, which is missing. Put it there.")
    return place
