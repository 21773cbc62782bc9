"""What lies around a start of a search? Its neighbors, those of another class, the nearest, and how the map changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from reluatlas.network.decision import class_name
from reluatlas.network.maps.lost import map_of
from reluatlas.network.network import Affine, Breakpoints, Gather, Max, Network
from reluatlas.network.unit_names import column_name
from reluatlas.report import words
from reluatlas.report.facts import Facts

if TYPE_CHECKING:
    from reluatlas.cells.exploration import Exploration


def around_start(found: Exploration, x: NDArray[np.float64], cell: int, label: str) -> Facts:
    """Return what is known around one start; `nearest` is None where no neighbor is known."""
    graph = found.graph
    known = graph.indices[graph.indptr[cell] : graph.indptr[cell + 1]].tolist()
    other = [j for j in known if found.classes[j] != found.classes[cell]]
    nearest = _nearest(found, x, cell, other or known)
    return {
        "label": label,
        "cell": cell,
        "class": int(found.classes[cell]),
        "n_neighbors": len(known),
        "is_expanded": bool(found.is_expanded[cell]),
        "n_of_other_class": len(other),
        "nearest": nearest,
    }


def in_words(facts: Facts, net: Network) -> str:
    """Return it in a sentence."""
    all_ = "" if facts["is_expanded"] else " so far"
    text = f"{facts['label']}: {words.counted(facts['n_neighbors'], 'neighbor')} known{all_}"
    nearest = facts["nearest"]
    if nearest is None:
        return f"{text}."
    other = facts["n_of_other_class"]
    text += f", {other:,} of another class" if other else ", none of another class"
    of = f"of {class_name(net, nearest['class'])} " if other else ""
    return (
        f"{text}; the nearest {of}lies behind {nearest['unit']} at {nearest['distance']:.4g}, where the map changes by "
        f"{words.share(min(nearest['map_change'], 9.99))}."
    )


def _nearest(found: Exploration, x: NDArray[np.float64], cell: int, among: list[int]) -> Facts | None:
    if not among:
        return None
    at = [_distance(found, x, cell, j) for j in among]
    first = int(np.argmin(at))
    j = among[first]
    here, there = found.input_affine(cell), found.input_affine(j)
    size = float(np.linalg.norm(here.A))
    change = float(np.linalg.norm(there.A - here.A)) / size if size else float("inf")
    return {
        "cell": j,
        "class": int(found.classes[j]),
        "unit": column_name(found.network, _column(found, cell, j)),
        "distance": at[first],
        "map_change": change if np.isfinite(change) else 0.0,
    }


def _column(found: Exploration, i: int, j: int) -> int:
    return int(np.argmax(found.patterns[i] != found.patterns[j]))


def _distance(found: Exploration, x: NDArray[np.float64], i: int, j: int) -> float:
    """Return how far the facet between two cells is from a point of the first, in input units."""
    net, column = found.network, _column(found, i, j)
    node = next(t for t, s in net.pattern_slices().items() if column < s.stop)
    unit = column - net.pattern_slices()[node].start
    before, after = int(found.patterns[i][column]), int(found.patterns[j][column])
    cut = net.nodes[node]
    n = int(np.prod(net.nodes[cut.input].shape))  # type: ignore[union-attr]
    if isinstance(cut, Breakpoints):
        entries, level = [unit], float(cut.knots[unit, min(before, after)])
    else:
        assert isinstance(cut, Max)
        entries, level = [int(cut.candidates[cut.offsets[unit] + place]) for place in (before, after)], 0.0
    asked = Affine(
        (cut.input,), (Gather(np.array(entries), np.ones(len(entries)), n),), np.zeros(len(entries)), (len(entries),)
    )
    part = Network((*net.nodes[:node], asked), node)
    choice = {t: np.asarray(found.patterns[i][s], dtype=np.int64)[None] for t, s in part.pattern_slices().items()}
    A, b = map_of(part, choice)
    slope, value = A[0, 0], b[0, 0] - level
    if len(entries) == 2:
        slope, value = A[0, 0] - A[0, 1], b[0, 0] - b[0, 1]
    basis = getattr(found.domain, "basis", None)
    if basis is not None:  # within the slice
        slope = (slope @ basis.T) @ np.linalg.inv(basis @ basis.T) @ basis
    length = float(np.linalg.norm(slope))
    return abs(float(slope @ x.reshape(-1) + value)) / length if length else float("inf")
