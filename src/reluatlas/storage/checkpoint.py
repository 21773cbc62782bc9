"""How is work kept so that it can go on after any end? In an SQLite file, open in one process, checked as it is read.

Every write is one transaction that takes the file from one state of the work to a later one. Each row has a checksum;
nothing is pickled. Whatever is wrong with a file ends in one sentence. What a file holds is said
by subclasses: runs in `subdivision/runner/checkpoint.py`, searches in `cells/checkpoint.py`.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from os import PathLike
from typing import Any, ClassVar
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from reluatlas.errors import ResultFileError

_BUSY_S = 1.0
_BROKEN = (
    sqlite3.Error, ValueError, TypeError, KeyError, IndexError, AttributeError, ArithmeticError, MemoryError,
    RecursionError,
)  # fmt: skip
_CANNOT = {
    "SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_PERM", "SQLITE_AUTH", "SQLITE_IOERR", "SQLITE_FULL", "SQLITE_NOLFS"
}  # fmt: skip


class Checkpoint:
    """The file of one piece of work, which no other process can open meanwhile; subclasses say what it holds.

    It has a table `about` of names and values: the kind of file, its format version, and the settings that the work
    depends on, so that a file is never taken for that of other work.

    Parameters
    ----------
    path : path
        Made when it does not exist; a file that is refused is left as it was.
    settings : Mapping of str to str
        What the work depends on. All of it must be the same in the file.

    Raises
    ------
    ResultFileError
        When the file is none of this kind or damaged, is in use, is of other work or another version, or cannot be
        opened and written to.

    Guarantees
    ----------
    A write is done whole or not at all, whatever ends the process. Nothing that is wrong with a file ends in another
    exception.
    """

    KIND: ClassVar[str]
    """What stands in the file for its kind."""
    FORMAT: ClassVar[str]
    """The version of its format."""
    WHAT: ClassVar[str]
    """What such a file is of, in words: "a run"."""
    TABLES: ClassVar[tuple[str, ...]]
    """The statements that make its tables, all but `about`."""

    def __init__(self, path: str | PathLike[str], settings: Mapping[str, str]) -> None:
        self._name = f"`checkpoint={str(path)!r}`"
        self._about = {"kind": self.KIND, "format": self.FORMAT, **settings}
        with self._reading():
            self._base = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None)
        try:
            with self._reading():
                self._open()
        except BaseException:
            self._base.close()
            raise

    def differences(self, kept: Mapping[str, Any]) -> dict[str, str]:
        """Return, for each setting, what is wrong with a file where it is another: "belongs to ...".

        `kept` is what the file says of itself.
        """
        raise NotImplementedError

    def _open(self) -> None:
        self._base.execute("PRAGMA locking_mode=EXCLUSIVE")
        tables = {name for (name,) in self._base.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if tables:
            self._check(dict(self._base.execute("SELECT name, value FROM about")) if "about" in tables else {})
        self._base.execute("PRAGMA journal_mode=WAL")
        self._base.execute("PRAGMA synchronous=NORMAL")
        with self._transaction():
            if not tables:
                self._base.execute("CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL)")
                for table in self.TABLES:
                    self._base.execute(table)
                self._base.executemany("INSERT INTO about VALUES (?, ?)", self._about.items())

    def _check(self, kept: Mapping[str, Any]) -> None:
        """Refuse a file of other work."""
        if kept.get("kind") != self.KIND:
            raise ResultFileError(
                f"{self._name} is a file of another kind, not that of {self.WHAT}. Pass another path."
            )
        if kept.get("format") != self.FORMAT:
            raise ResultFileError(
                f"{self._name} has format version {kept.get('format')}; this reluatlas reads version {self.FORMAT}. "
                "Pass another path to begin anew, or use the version that wrote it."
            )
        for name, sentence in self.differences(kept).items():
            if kept.get(name) != self._about[name]:
                raise ResultFileError(f"{self._name} {sentence}. Pass another path, or delete the file to begin anew.")

    def close(self) -> None:
        """Close the file, for others to open."""
        self._base.close()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Write all that the block writes, or nothing."""
        try:
            with self._transaction():
                yield
        except sqlite3.Error as error:
            raise ResultFileError(
                f"{self._name} cannot be written: {error}. What was written before is whole; give it room, and start "
                "again."
            ) from None

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._base.execute("BEGIN EXCLUSIVE")
        try:
            yield
            self._base.execute("COMMIT")
        except BaseException:
            if self._base.in_transaction:
                self._base.execute("ROLLBACK")
            raise

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Say in a sentence what is wrong with what the block reads."""
        try:
            yield
        except ResultFileError:
            raise
        except _BROKEN as error:
            code = str(getattr(error, "sqlite_errorname", ""))
            kind = "_".join(code.split("_")[:2])
            if kind in ("SQLITE_BUSY", "SQLITE_LOCKED"):
                text = "is in use by another run. Wait until that ends, or pass another path."
            elif kind in _CANNOT:
                text = f"cannot be opened ({error}). Pass a path in a folder that is there and can be written to."
            else:
                why = str(error) or type(error).__name__
                text = f"is no file of {self.WHAT}, or is damaged ({why}). Pass another path to begin anew."
            raise ResultFileError(f"{self._name} {text}") from None


def packed(arrays: Mapping[str, NDArray]) -> bytes:
    """Return named arrays as bytes: a line of JSON, then their numbers."""
    head = [[name, a.dtype.str, a.shape] for name, a in arrays.items()]
    return b"".join([json.dumps(head).encode(), b"\n", *(np.ascontiguousarray(a).tobytes() for a in arrays.values())])


def unpacked(data: bytes) -> dict[str, NDArray]:
    """Return the arrays that `packed` was given."""
    head, _, rest = data.partition(b"\n")
    out, at = {}, 0
    for name, kind, shape in json.loads(head):
        dtype, count = np.dtype(kind), int(np.prod(shape, dtype=np.int64))
        out[name] = np.frombuffer(rest, dtype, count, at).reshape(shape).copy()
        at += count * dtype.itemsize
    return out


def check_sum(data: bytes, total: int, before: int = 0) -> None:
    """Refuse bytes that are not those that the checksum was made of; `before` is that of the row before, in a chain."""
    if crc32(data, before) != total:
        raise ValueError("a checksum is wrong")
