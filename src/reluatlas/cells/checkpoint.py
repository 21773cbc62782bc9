"""What of a search is kept so that it can go on after any end? A log: what each step found, a row and a transaction.

The checksum of a row goes on from that of the row before, so that no row can be lost, changed or exchanged but the
last ones; without those the file is that of an earlier moment.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from os import PathLike
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from reluatlas.cells.chart import Chart
from reluatlas.network.archive import digest_of
from reluatlas.storage.archive import json_array, json_value
from reluatlas.storage.checkpoint import Checkpoint, check_sum, packed, unpacked
from reluatlas.subdivision.runner.checkpoint import text_of

Pair = tuple[int, int]


class Met(NamedTuple):
    """A cell that a search met: its pattern, a point strictly inside in the chart, a point in it, facets crossed."""

    pattern: NDArray[np.integer]
    inside: Any
    point: NDArray[np.float64]
    depth: int


@dataclass(eq=False)
class Kept:
    """What a file holds: cells in the order in which they were met, pairs of neighbors, the cells expanded."""

    cells: list[Met] = field(default_factory=list)
    edges: list[Pair] = field(default_factory=list)
    expanded: set[int] = field(default_factory=set)


class SearchFile(Checkpoint):
    """The file of one search, which no other process can open meanwhile.

    Raises
    ------
    ResultFileError
        When the file is none of ours or damaged, is in use, or is of another search: in another network or domain,
        from other points, to another target, by another version.
    """

    KIND, FORMAT, WHAT = "reluatlas search", "4", "a search"
    TABLES = ("CREATE TABLE steps (id INTEGER PRIMARY KEY, arrays BLOB NOT NULL, sum INTEGER NOT NULL)",)

    def __init__(
        self, path: str | PathLike[str], chart: Chart, starts: Sequence[NDArray], target: NDArray | None
    ) -> None:
        self._chart = chart
        self._n_steps = self._last_sum = 0
        settings = {
            "network": digest_of(chart.network),
            "domain": text_of(chart.domain),
            "where": repr(chart.domain),
            "points": _digest(starts),
            "target": "" if target is None else _digest([target]),
        }
        super().__init__(path, settings)

    def _check(self, kept: Mapping[str, Any]) -> None:
        # before version 4 there was no kind, and one digest named `search`
        super()._check({"kind": self.KIND, **kept} if "search" in kept else kept)

    def differences(self, kept: Mapping[str, Any]) -> dict[str, str]:
        """Return, for each setting, what is wrong with a file where it is another."""
        return {
            "network": "belongs to a search in another network",
            "domain": f"belongs to a search on another domain, {kept.get('where')}",
            "points": "belongs to a search from other points",
            "target": "belongs to a search " + ("around its points" if not kept.get("target") else "to another target"),
        }

    def read(self, like: NDArray[np.integer]) -> Kept:
        """Return all that was found; patterns must be `like` one of the network's."""
        out = Kept()
        with self._reading():
            for arrays in self._steps():
                cells = list(_cells(arrays))
                if not all(self._fits(cell, like) for cell in cells):
                    raise ValueError("a cell does not fit the network")
                out.cells += cells
                edges, done = arrays["edges"].tolist(), arrays["done"].tolist()
                if not all(0 <= i < len(out.cells) for i in [*done, *(i for pair in edges for i in pair)]):
                    raise ValueError("a cell is spoken of that is not there")
                out.edges += [(i, j) for i, j in edges]
                out.expanded |= set(done)
        return out

    def _steps(self) -> Iterator[dict[str, NDArray]]:
        for id, data, total in self._base.execute("SELECT id, arrays, sum FROM steps ORDER BY id"):
            if id != self._n_steps:
                raise ValueError("a step is missing")
            check_sum(data, total, self._last_sum)
            yield unpacked(data)
            self._n_steps, self._last_sum = id + 1, total

    def _fits(self, cell: Met, like: NDArray[np.integer]) -> bool:
        n_inside = self._chart.inner.n_inputs
        return (
            cell.pattern.dtype == like.dtype
            and cell.pattern.shape == like.shape
            and cell.point.shape == (self._chart.k,)
            and bool(np.isfinite(cell.point).all())
            and len(cell.inside) == n_inside
            and (isinstance(cell.inside, list) or bool(np.isfinite(cell.inside).all()))
            and cell.depth >= 0
        )

    def add(self, cells: Sequence[Met], edges: Sequence[Pair], done: int | None) -> None:
        """Add cells and pairs, and mark one cell as expanded: all of it, or nothing. After `read`."""
        arrays = {
            "patterns": np.array([c.pattern for c in cells]),
            "inside": json_array([_written(c.inside) for c in cells]),
            "points": np.array([c.point for c in cells], dtype=np.float64),
            "depth": np.array([c.depth for c in cells], dtype=np.int64),
            "edges": np.array(edges, dtype=np.int64).reshape(-1, 2),
            "done": np.array([] if done is None else [done], dtype=np.int64),
        }
        data = packed(arrays)
        total = crc32(data, self._last_sum)
        with self._writing():
            self._base.execute("INSERT INTO steps VALUES (?, ?, ?)", (self._n_steps, data, total))
        self._n_steps, self._last_sum = self._n_steps + 1, total


def _cells(arrays: Mapping[str, NDArray]) -> Iterator[Met]:
    inside = [_read(values) for values in json_value(arrays["inside"])]
    for pattern, z, point, depth in zip(
        arrays["patterns"], inside, arrays["points"], arrays["depth"].tolist(), strict=True
    ):
        yield Met(pattern, z, point, depth)


def _written(z: Any) -> list[Any]:
    if isinstance(z, np.ndarray):
        return [float(v).hex() for v in z]
    # in base 16: Python does not read long numbers in base 10
    return [[f"{v.numerator:x}", f"{v.denominator:x}"] for v in z]


def _read(values: list[Any]) -> Any:
    if values and isinstance(values[0], list):
        return [Fraction(int(p, 16), int(q, 16)) for p, q in values]
    return np.array([float.fromhex(v) for v in values])


def _digest(points: Sequence[NDArray]) -> str:
    total = hashlib.sha256()
    for point in points:
        total.update(np.ascontiguousarray(point, dtype="<f8").tobytes())
    return total.hexdigest()
