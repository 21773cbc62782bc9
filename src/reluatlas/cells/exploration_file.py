"""How is a search kept so that it can go on after any end? In SQLite, one transaction for each cell expanded."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Sequence
from fractions import Fraction
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reluatlas.cells.chart import Chart
from reluatlas.cells.run_file import text_of
from reluatlas.errors import ResultFileError
from reluatlas.network.stored import digest_of

FORMAT = "3"
_TABLES = """
CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS cells (
    id INTEGER PRIMARY KEY, pattern BLOB NOT NULL, inside TEXT NOT NULL, point BLOB NOT NULL, depth INTEGER NOT NULL,
    expanded INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS edges (i INTEGER NOT NULL, j INTEGER NOT NULL, PRIMARY KEY (i, j)) WITHOUT ROWID;
"""


class Stored:
    """The file of one search.

    Raises
    ------
    ResultFileError
        When the file is none of ours, or of a search in another network, from other points, or to another target.
    """

    def __init__(
        self, path: str | PathLike[str], chart: Chart, starts: Sequence[NDArray], target: NDArray | None
    ) -> None:
        about = {"format": FORMAT, "search": _digest(chart, starts, target)}
        try:
            self._base = sqlite3.connect(path)
            names = {name for (name,) in self._base.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            if names and names != {"about", "cells", "edges"}:
                self._base.close()
                raise ResultFileError(f"`checkpoint={path}` is no file of a search: it has other tables. Pass another.")
            self._base.execute("PRAGMA journal_mode=WAL")
            self._base.execute("PRAGMA synchronous=NORMAL")
            self._base.executescript(_TABLES)
            kept = dict(self._base.execute("SELECT name, value FROM about"))
        except sqlite3.Error as error:
            raise ResultFileError(f"`checkpoint={path}` is no file of a search: {error}. Pass another.") from None
        if kept and {name: kept.get(name) for name in about} != about:
            self._base.close()
            raise ResultFileError(
                f"`checkpoint={path}` belongs to a search in another network or domain, from other points, or "
                "by another version. Pass another file, or delete it."
            )
        with self._base:
            self._base.executemany("INSERT OR IGNORE INTO about VALUES (?, ?)", about.items())

    def cells(self) -> Iterator[tuple[NDArray, Any, NDArray[np.float64], int, bool]]:
        """Yield (pattern, point inside exactly, point, depth, whether expanded) in order."""
        query = "SELECT pattern, inside, point, depth, expanded FROM cells ORDER BY id"
        for pattern, inside, point, depth, expanded in self._base.execute(query):
            kind, _, raw = pattern.partition(b":")
            yield (
                np.frombuffer(raw, dtype=np.dtype(kind.decode())).copy(), _read(inside),
                np.frombuffer(point, dtype="<f8").copy(), depth, bool(expanded),
            )  # fmt: skip

    def edges(self) -> list[tuple[int, int]]:
        """Return all pairs."""
        return [(int(i), int(j)) for i, j in self._base.execute("SELECT i, j FROM edges ORDER BY i, j")]

    def add(
        self, rows: Sequence[tuple[int, NDArray, Any, NDArray, int]], edges: Sequence[tuple[int, int]], done: int | None
    ) -> None:
        """Add cells and edges, and mark one cell as expanded: all of it, or nothing."""
        with self._base:
            self._base.executemany(
                "INSERT INTO cells VALUES (?, ?, ?, ?, ?, 0)",
                [
                    (i, p.dtype.str.encode() + b":" + p.tobytes(), _written(z), x.astype("<f8").tobytes(), d)
                    for i, p, z, x, d in rows
                ],
            )
            self._base.executemany("INSERT OR IGNORE INTO edges VALUES (?, ?)", edges)
            if done is not None:
                self._base.execute("UPDATE cells SET expanded = 1 WHERE id = ?", (done,))

    def close(self) -> None:
        """Close the file."""
        self._base.close()


def _written(z: Any) -> str:
    if isinstance(z, np.ndarray):
        return json.dumps([float(v).hex() for v in z])
    # in base 16: Python does not read long numbers in base 10
    return json.dumps([[f"{v.numerator:x}", f"{v.denominator:x}"] for v in z])


def _read(text: str) -> Any:
    values = json.loads(text)
    if values and isinstance(values[0], list):
        return [Fraction(int(p, 16), int(q, 16)) for p, q in values]
    return np.array([float.fromhex(v) for v in values])


def _digest(chart: Chart, starts: Sequence[NDArray], target: NDArray | None) -> str:
    total = hashlib.sha256("\n".join([text_of(chart.domain), digest_of(chart.network)]).encode())
    for point in [*starts, *([] if target is None else [target])]:
        total.update(np.ascontiguousarray(point).tobytes())
    total.update(b"along" if target is not None else b"around")
    return total.hexdigest()
