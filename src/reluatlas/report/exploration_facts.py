"""Which numbers are reported of a search from data points? Cells, depths, classes, and what lies between points."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from reluatlas.network.decision import class_name
from reluatlas.report import words
from reluatlas.report.facts import Facts

if TYPE_CHECKING:
    from reluatlas.cells.explore import Exploration
    from reluatlas.network.network import Network

MOST_POINTS = 12  # of which every pair is looked at


def of_exploration(found: Exploration, labels: Sequence[str], *, target: str | None) -> Facts:
    """Return the numbers of an exploration."""
    depths = np.bincount(found.depth, minlength=1)
    expanded = np.bincount(found.depth, weights=found.is_expanded, minlength=1).astype(np.int64)
    classes, counts = np.unique(found.classes, return_counts=True)
    degree = np.diff(found.graph.indptr)[found.is_expanded]
    return {
        "is_complete": found.is_complete,
        "stopped_by": found.stopped_by,
        "target": target,
        "n_points": int(found.starts.size),
        "n_starts": int(np.unique(found.starts).size),
        "n_cells": found.n_cells,
        "n_expanded": int(found.is_expanded.sum()),
        "n_edges": len(found.edges),
        "by_depth": [
            {"depth": d, "n_cells": int(n), "n_expanded": int(e)}
            for d, (n, e) in enumerate(zip(depths, expanded, strict=True))
        ],
        "by_class": [{"class": int(c), "n_cells": int(n)} for c, n in zip(classes, counts, strict=True)],
        "neighbors": None
        if degree.size == 0
        else {"least": int(degree.min()), "mean": float(degree.mean()), "most": int(degree.max())},
        "starts": [
            {"label": label, "cell": int(cell), "class": int(found.classes[cell])}
            for label, cell in zip(labels, found.starts.tolist(), strict=True)
        ],
    }


def between(
    found: Exploration,
    points: Sequence[NDArray[np.float64]],
    labels: Sequence[str],
) -> list[Facts]:
    """Return for pairs of points how many cells lie on the line between, and how much their patterns differ.

    `n_pieces` counts the cells that the straight segment meets, exactly, both ends with it; it and `hamming` are None
    when the time was over. `n_steps` is the number of facets on a shortest way through the cells that were visited,
    None when there is none: the true shortest way may be shorter. `hamming` counts the units that differ.
    """
    from reluatlas.domain import Segment
    from reluatlas.paths.trace import trace

    pairs = [(i, j) for i, j in combinations(range(min(len(points), MOST_POINTS)), 2)]
    pairs = [(i, j) for i, j in pairs if not np.array_equal(points[i], points[j])]
    if not pairs:
        return []
    paths = trace(found.network, [Segment(points[i], points[j]) for i, j in pairs])
    cells = _cells_of(found, points)
    out = []
    for (i, j), path, length in zip(pairs, paths, paths.lengths.tolist(), strict=True):
        a, b = cells[i], cells[j]
        way = None if a is None or b is None else found.path(a, b)
        out.append(
            {
                "from": labels[i],
                "to": labels[j],
                "length": float(length),
                "hamming": int(path.hamming) if path.is_complete else None,
                "n_pieces": int(path.n_pieces) if path.is_complete else None,
                "n_steps": None if way is None else len(way) - 1,
            }
        )
    return out


def _cells_of(found: Exploration, points: Sequence[NDArray[np.float64]]) -> list[int | None]:
    """Return the cell of each start, and of a target when it was reached."""
    cells: list[int | None] = found.starts.tolist()
    if len(points) > len(cells):
        cells.append(found.n_cells - 1 if found.is_complete else None)
    return cells


def stopped(numbers: Facts) -> str:
    """Return why a search is incomplete, and what that means."""
    reason = words.STOPS[numbers["stopped_by"]]
    if numbers["target"] is not None:
        return f"Incomplete: {reason} before {numbers['target']} was reached."
    cells = words.counted(numbers["n_cells"], "cell")
    return f"Incomplete: {reason}; {numbers['n_expanded']:,} of {cells} have all their neighbors among them."


def expanded_in_words(numbers: Facts) -> str:
    """Return how many cells have all neighbors among those found, and how many these are."""
    if numbers["target"] is not None:
        return "along a line: only the next cell is looked for"
    known, n = numbers["neighbors"], numbers["n_expanded"]
    if known is None:
        return "none with all neighbors among them"
    spread = f"{known['least']:,}" if known["least"] == known["most"] else f"{known['least']:,} to {known['most']:,}"
    return f"{n:,} with all neighbors among them: {spread} each"


def depths_in_words(numbers: Facts, most: int = 8) -> str:
    """Return how many cells lie how many facets away."""
    rows = numbers["by_depth"]
    if numbers["target"] is not None:
        return f"0 to {len(rows) - 1:,} facets from the start"
    more = f", and {words.counted(len(rows) - most, 'depth')} more" if len(rows) > most else ""
    return ", ".join(f"{row['n_cells']:,} at {row['depth']}" for row in rows[:most]) + more


def classes_in_words(numbers: Facts, net: Network, most: int = 12) -> str:
    """Return how many cells there are of each class."""
    rows = sorted(numbers["by_class"], key=lambda row: (-row["n_cells"], row["class"]))
    more = f", and {len(rows) - most:,} more" if len(rows) > most else ""
    return ", ".join(f"{row['n_cells']:,} of {class_name(net, row['class'])}" for row in rows[:most]) + more
