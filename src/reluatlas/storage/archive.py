"""How are results kept in one file? Arrays and a head of JSON values in an `.npz` archive, with a format and a version.

Without pickle, written under a temporary name and renamed. The head lists the arrays: type, shape, SHA-256. What is
read is held against the list before room is made for it, and refused in one sentence.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from reluatlas.errors import ReluAtlasError, ResultFileError
from reluatlas.storage.arrays import NpyHead, read_npy_head
from reluatlas.storage.atomic import whole_file

Shape = tuple[int | None, ...]

_BROKEN = (
    OSError, EOFError, zipfile.BadZipFile, zlib.error, LookupError, TypeError, ValueError, AttributeError,
    ArithmeticError, RecursionError, MemoryError, NotImplementedError, RuntimeError,
)  # fmt: skip
_HEAD, _LIST, _SUM = "head", "arrays", "sum"
_LEVEL = 1
"""Of deflate: patterns of a large network take most of the time that saving takes, and become hardly larger."""
_MOST_DEFLATED = 1032  # bytes that one byte of deflated data becomes at most
_AT_ONCE = 2**22


@dataclass(frozen=True)
class Archive:
    """A kind of file.

    Attributes
    ----------
    format : str
        Its name, in the head of every file.
    version : int
        Written, and the only one that is read.
    what : str
        What such a file is, in words: "a saved complex".
    again : str
        What to do about a file of another version: "Enumerate the cells again".
    """

    format: str
    version: int
    what: str
    again: str

    def write(self, path: str | os.PathLike[str], head: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Write a head and arrays; the file appears only when it is whole. Equal contents give equal files.

        Raises
        ------
        ResultFileError
            When it cannot be written there; nothing is left behind.
        """
        with self.writing(path, head) as file:
            for name, array in arrays.items():
                file.add(name, array)

    @contextmanager
    def writing(self, path: str | os.PathLike[str], head: Mapping[str, Any]) -> Iterator[Parts]:
        """Yield what takes one array after another, none of which is kept in memory; the head is written last.

        The file appears when the block ends, and only if it ends well.

        Raises
        ------
        ResultFileError
            When it cannot be written there; nothing is left behind.
        """
        target = Path(path)
        try:
            with (
                whole_file(target) as temporary,
                zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as file,
            ):
                parts = Parts(file)
                yield parts
                full = {"format": self.format, "version": self.version, _LIST: parts.listed, **head, **parts.head}
                full = json.loads(json.dumps(full))
                full[_SUM] = _sum_of_head(full)
                parts.write(_HEAD, json_array(full))
        except ReluAtlasError:  # such as a limit of time, which is an OSError, too
            raise
        except OSError as error:
            raise ResultFileError(
                f"`{target}` cannot be written: {error.strerror or error}. Choose another path."
            ) from None

    @contextmanager
    def opening(self, path: str | os.PathLike[str]) -> Iterator[tuple[dict[str, Any], Members]]:
        """Yield the head and the arrays; contents that do not agree in the block are a damaged file.

        Raises
        ------
        ResultFileError
            When the file is missing, truncated, of another version, or something else; for what the block raises over
            the contents; and when the block leaves an array unread: then nobody knows what it is for.
        """
        source = Path(path)
        try:
            with source.open("rb") as file:
                members = Members(zipfile.ZipFile(file), os.fstat(file.fileno()).st_size)
                try:
                    yield self._head(source, members), members
                    if members.unread:
                        raise ValueError(f"nothing asks for its array `{members.unread[0]}`")
                except ResultFileError:
                    raise
                except _BROKEN as error:
                    raise ResultFileError(f"`{source}` is damaged ({_said(error)}). Save it again.") from None
        except ResultFileError:
            raise
        except FileNotFoundError:
            raise ResultFileError(f"`{source}` does not exist. Pass the path of {self.what}.") from None
        except _BROKEN as error:
            raise ResultFileError(
                f"`{source}` is not {self.what}, or it is truncated or damaged ({_said(error)}). Save it again."
            ) from None

    def _head(self, source: Path, members: Members) -> dict[str, Any]:
        try:
            head = json_value(members.take(_HEAD, np.uint8, (None,)))
        except _BROKEN:
            head = None
        if not isinstance(head, dict) or head.get("format") != self.format:
            raise ResultFileError(f"`{source}` is not {self.what}: it holds other arrays. Pass the path of one.")
        if head.get("version") != self.version or isinstance(head["version"], bool):
            raise ResultFileError(
                f"`{source}` has format version {head.get('version')!r}; this reluatlas reads version {self.version}. "
                f"{self.again}, or use the version that wrote it."
            )
        if head.pop(_SUM, None) != _sum_of_head(head):
            raise ValueError("its head was changed")
        members.expect(head.pop(_LIST, None))
        return head


class Parts:
    """An archive that is being written, array by array; made by `Archive.writing`.

    Attributes
    ----------
    head : dict
        More values for the head, such as what is known only at the end.
    """

    def __init__(self, file: zipfile.ZipFile) -> None:
        self.head: dict[str, Any] = {}
        self.listed: dict[str, Any] = {}
        self._file = file

    def add(self, name: str, array: NDArray[Any]) -> None:
        """Write an array."""
        kept = np.asarray(array, order="C")
        self.listed[name] = [kept.dtype.str, list(kept.shape), _sum_of(kept)]
        self.write(name, kept)

    def write(self, name: str, array: NDArray[Any]) -> None:
        """Write an array that the head does not list: the head itself."""
        with self._file.open(f"{name}.npy", "w", force_zip64=True) as part:
            np.lib.format.write_array(part, array, allow_pickle=False)


class Members(Mapping[str, NDArray[Any]]):
    """The arrays of an archive, each read when it is asked for.

    Sizes are known before: what an array's own head, the archive's directory and the list in the head say must agree,
    and deflated data must be able to become so much.
    """

    def __init__(self, archive: zipfile.ZipFile, n_bytes: int) -> None:
        self._archive = archive
        self._entries: dict[str, tuple[zipfile.ZipInfo, NpyHead]] = {}
        self._sums: dict[str, str] = {}
        self._read: set[str] = set()
        stored = sum(entry.compress_size for entry in archive.infolist())
        if stored > n_bytes:
            raise ValueError("its parts overlap")
        for entry in archive.infolist():
            name = entry.filename.removesuffix(".npy")
            if name == entry.filename or name in self._entries:
                raise ValueError(f"it has a part `{entry.filename[:80]}` that is no array, or is there twice")
            if entry.flag_bits & 1 or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise ValueError(f"its array `{name}` is encrypted, or packed in an unknown way")
            most = entry.compress_size * (_MOST_DEFLATED if entry.compress_type else 1)
            with archive.open(entry) as part:
                found = read_npy_head(part)
            if not found.head_bytes + found.bytes == entry.file_size <= most:
                raise ValueError(f"its array `{name}` is not as large as it says")
            self._entries[name] = entry, found

    def expect(self, listed: Any) -> None:
        """Refuse the archive unless it has the arrays of a list {name: [type, shape, SHA-256]}, and no others."""
        if not isinstance(listed, dict) or {_HEAD, *listed} != set(self._entries):
            raise ValueError("its arrays are not those that its head lists")
        for name, said in listed.items():
            _, found = self._entries[name]
            if not isinstance(said, list) or said[:2] != [found.dtype.str, list(found.shape)] or len(said) != 3:
                raise ValueError(f"its array `{name}` is not of the type and shape that its head lists")
            self._sums[name] = said[2]

    def __getitem__(self, name: str) -> NDArray[Any]:
        if name not in self._entries:
            raise ValueError(f"its array `{name}` is missing")
        entry, found = self._entries[name]
        flat = np.empty(found.bytes, dtype=np.uint8)
        with self._archive.open(entry) as part:
            part.read(found.head_bytes)
            at = 0
            while block := part.read(_AT_ONCE):  # to the end, where the check sum of the archive is compared
                flat[at : at + len(block)] = np.frombuffer(block, dtype=np.uint8)
                at += len(block)
        if at != found.bytes:
            raise ValueError(f"its array `{name}` is truncated")
        array = np.ndarray(found.shape, found.dtype, flat.data, order="F" if found.is_fortran else "C")
        out = np.ascontiguousarray(array).reshape(found.shape)
        if name != _HEAD and self._sums.get(name) != _sum_of(out):
            raise ValueError(f"its array `{name}` was changed")
        self._read.add(name)
        return out

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._entries if name != _HEAD)

    def __len__(self) -> int:
        return len(self._entries) - 1

    def __contains__(self, name: object) -> bool:
        return name in self._entries and name != _HEAD

    def leave(self) -> None:
        """Have no array asked for any more: what was read already says enough."""
        self._read |= set(self._entries)

    @property
    def unread(self) -> list[str]:
        """The arrays that nobody has asked for."""
        return [name for name in self if name not in self._read]

    def take(self, name: str, dtype: DTypeLike | tuple[DTypeLike, ...], shape: Shape) -> NDArray[Any]:
        """Return an array that must have a type (or one of several) and a shape; None stands for any length.

        Raises
        ------
        ValueError
            When it is missing, or has another type or shape; before it is read.
        """
        kinds = dtype if isinstance(dtype, tuple) else (dtype,)
        if name not in self._entries:
            raise ValueError(f"its array `{name}` is missing")
        _, found = self._entries[name]
        if found.dtype not in [np.dtype(kind) for kind in kinds]:
            raise ValueError(f"its array `{name}` has the type {found.dtype}; expected {np.dtype(kinds[0])}")
        if len(shape) != len(found.shape) or any(n not in (None, m) for n, m in zip(shape, found.shape, strict=True)):
            wanted = ", ".join("any" if n is None else f"{n}" for n in shape)
            raise ValueError(f"its array `{name}` has the shape {found.shape}; expected ({wanted})")
        return self[name]

    def shape(self, name: str) -> tuple[int, ...]:
        """Return an array's shape without reading it."""
        if name not in self._entries:
            raise ValueError(f"its array `{name}` is missing")
        return self._entries[name][1].shape


def _sum_of(array: NDArray[Any]) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data).hexdigest()


def _sum_of_head(head: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(head, sort_keys=True).encode()).hexdigest()


def _said(error: BaseException) -> str:
    text = str(error).rstrip(".")
    plain = isinstance(error, ReluAtlasError) or type(error) is ValueError
    return (text if plain else f"{type(error).__name__}: {text}").partition("\n")[0][:300]


def json_array(value: Any) -> NDArray[np.uint8]:
    """Return JSON values as bytes in an array."""
    return np.frombuffer(json.dumps(value, sort_keys=True).encode(), dtype=np.uint8)


def json_value(array: NDArray[np.uint8]) -> Any:
    """Return the JSON values that `json_array` wrote."""
    return json.loads(bytes(array))
