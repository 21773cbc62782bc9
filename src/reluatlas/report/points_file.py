"""How are the cells of points kept? As arrays in one `.npz` file without pickle."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reluatlas.report.cell_record import CellFacts, PointFacts
from reluatlas.storage.archive import json_array
from reluatlas.storage.atomic import whole_file

FORMAT, VERSION = "reluatlas points", 1


def write_points(path: Path, points: Sequence[PointFacts], *, n_inputs: int, n_outputs: int) -> None:
    """Write points and their cells; facets of a cell by their distance from its point."""
    cells = [cell for point in points for cell in point.cells]
    facets = [np.array([o[0].column for o in cell.owners], dtype=np.int64) for cell in cells]
    flips = [columns for cell in cells for columns in cell.flips]
    head = {"format": FORMAT, "version": VERSION, "labels": [point.label for point in points]}
    nowhere = np.full(n_inputs, np.nan)
    arrays: dict[str, NDArray] = {
        "head": json_array(head),
        "x": np.array([point.x for point in points]).reshape(-1, n_inputs),
        "outputs": np.array([point.outputs for point in points]).reshape(-1, n_outputs),
        "point": np.repeat(np.arange(len(points)), [len(point.cells) for point in points]),
        "patterns": np.array([cell.pattern for cell in cells]),
        "A": np.array([cell.A for cell in cells]).reshape(-1, n_outputs, n_inputs),
        "b": np.array([cell.b for cell in cells]).reshape(-1, n_outputs),
        "n_undecided": np.array([cell.n_undecided for cell in cells], dtype=np.int64),
        "is_bounded": np.array([bool(cell.is_bounded) for cell in cells], dtype=bool),
        "inradius": np.array([cell.inradius for cell in cells], dtype=np.float64),
        "center": np.array([nowhere if c.center is None else c.center for c in cells]).reshape(-1, n_inputs),
        "other_lower": np.array([0.0 if c.other is None else c.other.lower_bound for c in cells], dtype=np.float64),
        "other_distance": np.array([np.inf if c.other is None else c.other.upper_bound for c in cells], np.float64),
        "other_class": np.array([_class(c) for c in cells], dtype=np.int64),
        "other_point": np.array([_witness(c, nowhere) for c in cells]).reshape(-1, n_inputs),
        "facet_offsets": _offsets(map(len, facets)),
        "facet_distance": _joined([cell.distances for cell in cells], np.float64),
        "facet_column": _joined(facets, np.int64),
        "flip_offsets": _offsets(map(len, flips)),
        "flip_column": _joined(flips, np.int64),
    }
    with whole_file(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]


def _class(cell: CellFacts) -> int:
    return -1 if cell.other is None or cell.other.against is None else cell.other.against


def _witness(cell: CellFacts, nowhere: NDArray[np.float64]) -> NDArray[np.float64]:
    found = None if cell.other is None else cell.other.witness
    return nowhere if found is None else found.reshape(-1)


def _offsets(sizes: Iterable[int]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(list(sizes), dtype=np.int64)]).astype(np.int64)


def _joined(parts: Sequence[NDArray], dtype: type) -> NDArray:
    return np.concatenate(parts).astype(dtype) if parts else np.zeros(0, dtype=dtype)
