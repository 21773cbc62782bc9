"""How are results kept in one file? Arrays and a head of JSON values in an `.npz` archive, with a format and a version.

Without pickle, written under a temporary name and renamed; what is read is checked, and refused in one sentence.
"""

from __future__ import annotations

import io
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
from numpy.typing import NDArray

from reluatlas.errors import ReluAtlasError, ResultFileError
from reluatlas.writing import whole_file

_BROKEN = (
    OSError, EOFError, zipfile.BadZipFile, zlib.error, KeyError, IndexError, TypeError, ValueError, AttributeError,
)  # fmt: skip


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
        target = Path(path)
        full = {"format": self.format, "version": self.version, **head}
        try:
            with whole_file(target) as temporary, temporary.open("wb") as file:
                np.savez_compressed(file, allow_pickle=False, head=json_array(full), **arrays)  # type: ignore[arg-type]
        except OSError as error:
            raise ResultFileError(
                f"`{target}` cannot be written: {error.strerror or error}. Choose another path."
            ) from None

    def read(self, path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return the head and the arrays of a file.

        Raises
        ------
        ResultFileError
            When the file is missing, truncated, of another version, or something else.
        """
        source = Path(path)
        try:
            with np.load(io.BytesIO(source.read_bytes()), allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files}
        except FileNotFoundError:
            raise ResultFileError(f"`{source}` does not exist. Pass the path of {self.what}.") from None
        except _BROKEN as error:
            raise ResultFileError(
                f"`{source}` is not {self.what}, or it is truncated or damaged ({error}). Save it again."
            ) from None
        try:
            head = json_value(arrays.pop("head"))
        except _BROKEN:
            head = None
        if not isinstance(head, dict) or head.get("format") != self.format:
            raise ResultFileError(f"`{source}` is not {self.what}: it holds other arrays. Pass the path of one.")
        if head.get("version") != self.version:
            raise ResultFileError(
                f"`{source}` has format version {head.get('version')!r}; this reluatlas reads version {self.version}. "
                f"{self.again}, or use the version that wrote it."
            )
        return head, arrays

    @contextmanager
    def opening(self, path: str | os.PathLike[str]) -> Iterator[tuple[dict[str, Any], dict[str, NDArray[Any]]]]:
        """Yield the head and the arrays; contents that do not agree in the block are a damaged file.

        Raises
        ------
        ResultFileError
            As `read`, and for what the block raises over the contents.
        """
        found = self.read(path)
        try:
            yield found
        except ResultFileError:
            raise
        except _BROKEN as error:
            why = str(error).rstrip(".") if isinstance(error, ReluAtlasError) else f"{type(error).__name__}: {error}"
            raise ResultFileError(f"`{path}` is damaged ({why}). Save it again.") from None


def json_array(value: Any) -> NDArray[np.uint8]:
    """Return JSON values as bytes in an array."""
    return np.frombuffer(json.dumps(value, sort_keys=True).encode(), dtype=np.uint8)


def json_value(array: NDArray[np.uint8]) -> Any:
    """Return the JSON values that `json_array` wrote."""
    return json.loads(bytes(array))
