"""How is a run kept so that it can go on after any end? In SQLite: what is left to do, what was found, and sums.

Every write is one transaction that takes the file from one state of the run to a later one: items that were finished
go, those that they left come, cells and sums are added. Each row has a checksum; nothing is pickled.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from os import PathLike
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from reluatlas.cells.items import Found, Item
from reluatlas.cells.program import M_CERTAIN, Lowered
from reluatlas.cells.tally import Tally
from reluatlas.domain import Box, Slice, Space
from reluatlas.errors import ResultFileError
from reluatlas.network.stored import digest_of

KIND, FORMAT = "reluatlas run", "1"
_TABLES = (
    "CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    "CREATE TABLE open (id BLOB PRIMARY KEY, arrays BLOB NOT NULL, sum INTEGER NOT NULL)",
    "CREATE TABLE found (id BLOB PRIMARY KEY, n_cells INTEGER NOT NULL, arrays BLOB NOT NULL, sum INTEGER NOT NULL)",
    "CREATE TABLE tally (one INTEGER PRIMARY KEY CHECK (one = 0), value TEXT NOT NULL, sum INTEGER NOT NULL)",
)
_BUSY_S = 1.0
_DAMAGED = (sqlite3.Error, ValueError, TypeError, KeyError, IndexError, OverflowError)


@dataclass(eq=False)
class Step:
    """What happened to a run since it was last written: ids that are done, items that came, answers with cells."""

    done: set[tuple[int, ...]] = field(default_factory=set)
    new: dict[tuple[int, ...], Item] = field(default_factory=dict)
    answers: list[Found] = field(default_factory=list)

    def take(self, item: Item, answer: Found, *, collect: bool) -> None:
        """Take what one item gave."""
        self.done.add(item.id)
        self.new.pop(item.id, None)
        self.new.update((rest.id, rest) for rest in answer.rest)
        if collect:
            self.answers.append(answer)


class RunFile:
    """The file of one run, which no other process can open meanwhile.

    Raises
    ------
    ResultFileError
        When the file is none of ours or damaged, is in use, or is of another run: another network or domain, a count
        where cells are collected or the reverse, other certainty, another version.
    """

    def __init__(self, path: str | PathLike[str], lowered: Lowered, *, collect: bool) -> None:
        self._name = f"`checkpoint={str(path)!r}`"
        self._about = _about_of(lowered, collect=collect)
        with self._reading():
            self._base = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None)
        try:
            with self._reading():
                self.is_new = self._open()
        except BaseException:
            self._base.close()
            raise

    def _open(self) -> bool:
        self._base.execute("PRAGMA locking_mode=EXCLUSIVE")
        tables = {name for (name,) in self._base.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if tables:
            kept = dict(self._base.execute("SELECT name, value FROM about")) if "about" in tables else {}
            self._check(kept)
        self._base.execute("PRAGMA journal_mode=WAL")
        self._base.execute("PRAGMA synchronous=NORMAL")
        with self._transaction():
            if not tables:
                for table in _TABLES:
                    self._base.execute(table)
                self._base.executemany("INSERT INTO about VALUES (?, ?)", self._about.items())
        return not self._base.execute("SELECT count(*) FROM tally").fetchone()[0]

    def _check(self, kept: Mapping[str, Any]) -> None:
        """Refuse a file of another run."""
        if kept.get("kind") != KIND:
            raise ResultFileError(f"{self._name} is a file of another kind. Pass another path.")
        if kept.get("format") != FORMAT:
            raise ResultFileError(
                f"{self._name} has format version {kept.get('format')}; this reluatlas reads version {FORMAT}. Pass "
                "another path to begin anew, or use the version that wrote it."
            )
        sentences = {
            "network": "belongs to a run of another network",
            "domain": f"belongs to a run on another domain, {kept.get('where')}",
            "does": f"holds a run that {kept.get('does')} cells; one that {self._about['does']} them was asked for",
            "certain": f"belongs to a run with `certain={kept.get('certain')}`",
        }
        for name, sentence in sentences.items():
            if kept.get(name) != self._about[name]:
                raise ResultFileError(f"{self._name} {sentence}. Pass another path, or delete the file to begin anew.")

    def read(self, root: Item, check: Callable[[Item], bool]) -> tuple[list[Item], Tally]:
        """Return the open items, of the kind of the root, and the sums of a file that is not new.

        `check` says whether an item fits the network.
        """
        with self._reading():
            value, total = self._base.execute("SELECT value, sum FROM tally").fetchone()
            kept = json.loads(value)
            items = [_item(root, id, arrays, total) for id, arrays, total in self._base.execute("SELECT * FROM open")]
            n_found = sum(1 for _ in self._found())
            if crc32(value.encode()) != total or len(items) != kept["open"] or n_found != kept["found"]:
                raise ValueError("its rows do not agree with its sums")
            if not all(check(item) for item in items):
                raise ValueError("an item does not fit the network")
            return items, Tally(
                n_cells=int(kept["cells"]),
                volume=float.fromhex(kept["volume"]),
                counters=np.array(kept["counters"], dtype=np.int64),
                seconds=float(kept["seconds"]),
                n_ready=int(kept["ready"]),
                early=[(tuple(id), int(n)) for id, n in kept["early"]],
            )

    def found(self, new_cells: Callable[..., Any]) -> Iterator[Found]:
        """Yield all answers with cells, in order; `new_cells` makes cells of named arrays."""
        nothing = np.zeros(0, dtype=np.int64)
        with self._reading():
            for id, n_cells, arrays in self._found():
                yield Found(_number(id), n_cells, 0.0, new_cells(**_unpacked(arrays)), [], nothing)

    def _found(self) -> Iterator[tuple[bytes, int, bytes]]:
        for id, n_cells, arrays, total in self._base.execute("SELECT * FROM found ORDER BY id"):
            _check_sum(id + arrays, total)
            yield id, n_cells, arrays

    def write(self, step: Step, tally: Tally) -> None:
        """Write what happened since the last call: all of it, or nothing."""
        try:
            with self._transaction():
                self._write(step, tally)
        except sqlite3.Error as error:
            raise ResultFileError(
                f"{self._name} cannot be written: {error}. What was written before is whole; give it room, and start "
                "again."
            ) from None

    def _write(self, step: Step, tally: Tally) -> None:
        self._base.executemany("DELETE FROM open WHERE id = ?", ((_key(id),) for id in step.done))
        rows = ((_key(item.id), _packed(_arrays(item))) for item in step.new.values())
        self._base.executemany(
            "INSERT OR REPLACE INTO open VALUES (?, ?, ?)", ((id, arrays, crc32(id + arrays)) for id, arrays in rows)
        )
        cells = ((_key(a.id), a.n_cells, _packed(a.cells._asdict())) for a in step.answers)
        self._base.executemany(
            "INSERT OR REPLACE INTO found VALUES (?, ?, ?, ?)", ((id, n, a, crc32(id + a)) for id, n, a in cells)
        )
        kept = {
            "cells": tally.n_cells,
            "volume": tally.volume.hex(),
            "counters": tally.counters.tolist(),
            "seconds": tally.seconds,
            "ready": tally.n_ready,
            "early": tally.early,
            "open": self._base.execute("SELECT count(*) FROM open").fetchone()[0],
            "found": self._base.execute("SELECT count(*) FROM found").fetchone()[0],
        }
        text = json.dumps(kept)
        self._base.execute("INSERT OR REPLACE INTO tally VALUES (0, ?, ?)", (text, crc32(text.encode())))

    def close(self) -> None:
        """Close the file, for others to open."""
        self._base.close()

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
        try:
            yield
        except ResultFileError:
            raise
        except _DAMAGED as error:
            if not isinstance(error, sqlite3.OperationalError):
                text = f"is no file of a run, or is damaged ({error}). Pass another path to begin anew."
            elif "locked" in str(error):
                text = "is in use by another run. Wait until that ends, or pass another path."
            else:
                text = f"cannot be opened ({error}). Pass a path in a folder that is there and can be written to."
            raise ResultFileError(f"{self._name} {text}") from None


def _about_of(lowered: Lowered, *, collect: bool) -> dict[str, str]:
    domain = lowered.domain
    return {
        "kind": KIND,
        "format": FORMAT,
        "network": digest_of(lowered.network),
        "domain": text_of(domain),
        "where": repr(domain),
        "does": "collects" if collect else "counts",
        "certain": str(bool(lowered.program.meta[M_CERTAIN])),
    }


def text_of(domain: Box | Slice | Space) -> str:
    """Return a domain as text, without rounding: equal for equal domains only."""
    if isinstance(domain, Space):
        return f"Space({domain.dim})"
    arrays = [domain.box.low, domain.box.high, *(domain.frame() if isinstance(domain, Slice) else ())]
    return json.dumps([type(domain).__name__, *([v.hex() for v in a.ravel().tolist()] for a in arrays)])


def _key(id: tuple[int, ...]) -> bytes:
    """Return an id as bytes in the same order."""
    return np.array(id, dtype=">u4").tobytes()


def _number(key: bytes) -> tuple[int, ...]:
    return tuple(np.frombuffer(key, dtype=">u4").tolist())


def _arrays(item: Item) -> dict[str, NDArray]:
    return {"level": np.array([item.level])} | {
        f.name: getattr(item, f.name) for f in fields(item) if f.name not in ("id", "level")
    }


def _item(root: Item, id: bytes, data: bytes, total: int) -> Item:
    _check_sum(id + data, total)
    arrays = _unpacked(data)
    for name, first in _arrays(root).items():
        if arrays[name].dtype != first.dtype or arrays[name].ndim != first.ndim:
            raise ValueError("an item is of another kind")
    level = int(arrays.pop("level")[0])
    return type(root)(id=_number(id), level=level, **arrays)


def _packed(arrays: Mapping[str, NDArray]) -> bytes:
    """Return named arrays as bytes: a line of JSON, then their numbers."""
    head = [[name, a.dtype.str, a.shape] for name, a in arrays.items()]
    return b"".join([json.dumps(head).encode(), b"\n", *(np.ascontiguousarray(a).tobytes() for a in arrays.values())])


def _unpacked(data: bytes) -> dict[str, NDArray]:
    head, _, rest = data.partition(b"\n")
    out, at = {}, 0
    for name, kind, shape in json.loads(head):
        dtype, count = np.dtype(kind), int(np.prod(shape, dtype=np.int64))
        out[name] = np.frombuffer(rest, dtype, count, at).reshape(shape).copy()
        at += count * dtype.itemsize
    return out


def _check_sum(data: bytes, total: int) -> None:
    if crc32(data) != total:
        raise ValueError("a checksum is wrong")
