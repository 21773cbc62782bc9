"""What of a run is kept so that it can go on after any end? What is left to do, what was found, and sums.

A write takes the file from one state of the run to a later one: items that were finished go, those that they left come,
cells and sums are added. A log says who did how much in which time; nothing is decided by it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from os import PathLike
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from reluatlas.domain import Domain, Slice, Space
from reluatlas.network.archive import digest_of
from reluatlas.storage.checkpoint import Checkpoint, check_sum, packed, unpacked
from reluatlas.subdivision.items import Found, Item
from reluatlas.subdivision.program.layout import M_CERTAIN, Lowered
from reluatlas.subdivision.runner.contract import Portion
from reluatlas.subdivision.runner.tally import Tally


@dataclass(eq=False)
class Step:
    """What happened to a run since it was last written: ids that are done, items that came, answers with cells."""

    done: set[tuple[int, ...]] = field(default_factory=set)
    new: dict[tuple[int, ...], Item] = field(default_factory=dict)
    answers: list[Found] = field(default_factory=list)
    log: dict[str, list[float]] = field(default_factory=dict)

    def note(self, portion: Portion) -> None:
        """Add to what its worker did: items, cells, volume, seconds."""
        row = self.log.setdefault(portion.worker, [0, 0, 0.0, 0.0])
        for i, value in enumerate((len(portion.done), portion.n_cells, portion.volume, portion.seconds)):
            row[i] += value

    def take(self, item: Item, answer: Found, *, collect: bool) -> None:
        """Take what one item gave."""
        self.done.add(item.id)
        self.new.pop(item.id, None)
        self.new.update((rest.id, rest) for rest in answer.rest)
        if collect:
            self.answers.append(answer)


_LOG = (
    "CREATE TABLE IF NOT EXISTS log (n INTEGER PRIMARY KEY, at REAL NOT NULL, worker TEXT NOT NULL, "
    "items INTEGER NOT NULL, cells INTEGER NOT NULL, volume REAL NOT NULL, seconds REAL NOT NULL)"
)
"""Files of earlier versions have none, and get one."""


class RunFile(Checkpoint):
    """The file of one run, which no other process can open meanwhile.

    Raises
    ------
    ResultFileError
        When the file is none of ours or damaged, is in use, or is of another run: another network or domain, a count
        where cells are collected or the reverse, other certainty, another version.
    """

    KIND, FORMAT, WHAT = "reluatlas run", "1", "a run"
    TABLES = (
        "CREATE TABLE open (id BLOB PRIMARY KEY, arrays BLOB NOT NULL, sum INTEGER NOT NULL)",
        "CREATE TABLE found (id BLOB PRIMARY KEY, n_cells INTEGER NOT NULL, arrays BLOB NOT NULL, "
        "sum INTEGER NOT NULL)",
        "CREATE TABLE tally (one INTEGER PRIMARY KEY CHECK (one = 0), value TEXT NOT NULL, sum INTEGER NOT NULL)",
    )

    def __init__(self, path: str | PathLike[str], lowered: Lowered, *, collect: bool) -> None:
        self._does = "collects" if collect else "counts"
        super().__init__(path, _settings_of(lowered, does=self._does))

    def _open(self) -> None:
        super()._open()
        self._base.execute(_LOG)
        n = {
            name: self._base.execute(f"SELECT count(*) FROM {name}").fetchone()[0]
            for name in ("tally", "open", "found")
        }
        self.is_new = not n["tally"]
        if self.is_new and (n["open"] or n["found"]):
            raise ValueError("its sums are missing")

    def differences(self, kept: Mapping[str, Any]) -> dict[str, str]:
        """Return, for each setting, what is wrong with a file where it is another."""
        return {
            "network": "belongs to a run of another network",
            "domain": f"belongs to a run on another domain, {kept.get('where')}",
            "does": f"holds a run that {kept.get('does')} cells; one that {self._does} them was asked for",
            "certain": f"belongs to a run with `certain={kept.get('certain')}`",
        }

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
                yield Found(_number(id), n_cells, 0.0, new_cells(**unpacked(arrays)), [], nothing)

    def _found(self) -> Iterator[tuple[bytes, int, bytes]]:
        for id, n_cells, arrays, total in self._base.execute("SELECT * FROM found ORDER BY id"):
            check_sum(id + arrays, total)
            yield id, n_cells, arrays

    def write(self, step: Step, tally: Tally) -> None:
        """Write what happened since the last call: all of it, or nothing."""
        with self._writing():
            self._write(step, tally)

    def _write(self, step: Step, tally: Tally) -> None:
        self._base.executemany("DELETE FROM open WHERE id = ?", ((_key(id),) for id in step.done))
        rows = ((_key(item.id), packed(_arrays(item))) for item in step.new.values())
        self._base.executemany(
            "INSERT OR REPLACE INTO open VALUES (?, ?, ?)", ((id, arrays, crc32(id + arrays)) for id, arrays in rows)
        )
        cells = ((_key(a.id), a.n_cells, packed(a.cells._asdict())) for a in step.answers)
        self._base.executemany(
            "INSERT OR REPLACE INTO found VALUES (?, ?, ?, ?)", ((id, n, a, crc32(id + a)) for id, n, a in cells)
        )
        self._base.executemany(
            "INSERT INTO log (at, worker, items, cells, volume, seconds) VALUES (?, ?, ?, ?, ?, ?)",
            ((tally.seconds, worker, *row) for worker, row in step.log.items()),
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


def _settings_of(lowered: Lowered, *, does: str) -> dict[str, str]:
    domain = lowered.domain
    return {
        "network": digest_of(lowered.network),
        "domain": text_of(domain),
        "where": repr(domain),
        "does": does,
        "certain": str(bool(lowered.program.meta[M_CERTAIN])),
    }


def text_of(domain: Domain) -> str:
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
    check_sum(id + data, total)
    arrays = unpacked(data)
    for name, first in _arrays(root).items():
        if arrays[name].dtype != first.dtype or arrays[name].ndim != first.ndim:
            raise ValueError("an item is of another kind")
    level = int(arrays.pop("level")[0])
    return type(root)(id=_number(id), level=level, **arrays)
