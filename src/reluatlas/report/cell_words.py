"""What does one say of a cell? Names of units and facets, patterns in short, distances in words."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from reluatlas.network.decision import class_label, scores
from reluatlas.network.network import Breakpoints, Network
from reluatlas.network.unit_names import column_name, listed
from reluatlas.report import nearest_facts, words
from reluatlas.report.cell_record import CellFacts, PointFacts
from reluatlas.report.facts import Facts

if TYPE_CHECKING:
    from reluatlas.affine import AffineMaps
    from reluatlas.cells.answer_at import Answer
    from reluatlas.cells.record import Owner

_OUTPUTS = 6
_MAP_UP_TO = 12  # numbers of a map that is written out
_DIGITS_UP_TO = 48  # units whose pieces are written one by one


def name(net: Network, owners: tuple[Owner, ...], most: int = 3) -> str:
    """Return what turns on a facet, in words: "fc1[4]", or "neuron 5 of layer 1"."""
    return listed(_names(net, owners), most)


def _names(net: Network, owners: tuple[Owner, ...]) -> list[str]:
    return list(dict.fromkeys(_name(net, owner) for owner in owners))


def _name(net: Network, owner: Owner) -> str:
    if owner.kind == "domain":
        return f"input {owner.unit} at its {'high' if owner.which else 'low'} bound"
    return column_name(net, owner.column)


def answer_of(net: Network, label: str, outputs: NDArray[np.float64] | None, answer: Answer | None) -> str:
    """Return what a network says at a point, in a line; of a point that there was no time for, that."""
    from reluatlas.cells.answer_at import decided, tied

    if outputs is None:
        return f"{label}: not looked at, the time was over"
    if answer is None:
        return f"{label}: {decided(net, outputs)}; the time was over before its map"
    return f"{label}: {decided(net, outputs)}, {_map_of(answer.affine)}{tied(answer.ties)}"


def _map_of(affine: AffineMaps) -> str:
    A, b = affine.A[0].reshape(affine.b.shape[1], -1), affine.b[0]
    if A.size > _MAP_UP_TO:
        return f"map A {A.shape[0]} × {A.shape[1]}"
    rows = ", ".join(f"[{', '.join(f'{v:.6g}' for v in row)}]" for row in A)
    return f"map A = [{rows}], b = [{', '.join(f'{v:.6g}' for v in b)}]"


def short_pattern(net: Network, pattern: NDArray[np.integer]) -> str:
    """Return a pattern in short: the pieces of few units, layer by layer; of many, how many are on, and a digest.

    "On" is any piece but the lowest; a layer of max windows is named by their number. Equal patterns, equal texts;
    different patterns have the same digest once in 2^32 times.
    """
    layers = [(net.nodes[t], pattern[s]) for t, s in net.pattern_slices().items()]
    if pattern.size <= _DIGITS_UP_TO and int(pattern.max(initial=0)) < 10:
        return " ".join("".join(map(str, pieces.tolist())) for _, pieces in layers)
    counts = [
        f"{int(np.sum(pieces > 0))}/{pieces.size}" if isinstance(node, Breakpoints) else f"max of {pieces.size}"
        for node, pieces in layers
    ]
    digest = hashlib.sha256(np.ascontiguousarray(pattern, dtype=np.uint32).tobytes()).hexdigest()[:8]
    return " ".join([*counts, f"#{digest}"])


def stopped(numbers: Facts) -> str:
    """Return why not all cells of all points are told."""
    if numbers["stopped_by"] == "max_cells":
        return (
            "Incomplete: at a point on a face, more cells meet than the limit of cells allows. The first ones are "
            "told, which are connected."
        )
    n, n_done = numbers["n_asked"], numbers["n_done"]
    n_part = sum(bool(point["cells"]) for point in numbers["points"]) - n_done
    reason = f"Incomplete: {words.STOPS[numbers['stopped_by']]}; "
    if n == 1:
        return f"{reason}{'a part' if n_part else 'nothing'} is told of the point's cells and facets."
    part = f", in part of {n_part:,}" if n_part else ""
    return f"{reason}cells and facets are told in full of {n_done:,} of {n:,} points{part}."


def class_of(point: PointFacts) -> str:
    """Return the class, by which output, and which output is next."""
    net = point.network
    if net.classes is None:
        shown = ", ".join(f"{v:.6g}" for v in point.outputs[:_OUTPUTS]) + (
            ", ..." if point.outputs.size > _OUTPUTS else ""
        )
        return f"none: the outputs, {shown}, are numbers, not classes"
    label = class_label(net, point.class_)
    if point.outputs.size == 1:
        return f"{label}: the output is {point.outputs[0]:.6g}"
    order = np.argsort(-scores(net, point.outputs), kind="stable")
    first, second = (float(point.outputs[i]) for i in order[:2])
    return f"{label}: output {order[0]} is {first:.6g}, and next is output {order[1]} with {second:.6g}"


def facets_of(cell: CellFacts) -> str:
    """Return how many facets there are, of how many rows, and what lies behind."""
    on_domain = int(cell.is_domain.sum())
    rest = f", {on_domain:,} on the domain's boundary" if on_domain else ""
    if cell.n_undecided:
        return f"{len(cell.owners):,} so far, of {words.counted(cell.n_rows, 'row')}; {cell.n_undecided:,} undecided"
    behind = words.counted(cell.n_neighbors, "neighbor")
    return f"{len(cell.owners):,} of {words.counted(cell.n_rows, 'row')}{rest}; {behind}"


def distance_of(cell: CellFacts) -> str:
    """Return how far the nearest facet is that is not on the domain's boundary."""
    if cell.nearest is None:
        return "none"
    return f"{'at least ' if cell.is_lower_bound else ''}{cell.distances[cell.nearest]:.4g}"


def nearest_of(cell: CellFacts, net: Network) -> str:
    """Return how far the nearest facet is, and what turns there."""
    if cell.nearest is None:
        return "none: the cell is the whole domain"
    turns = _names(net, cell.owners[cell.nearest])
    return f"{distance_of(cell)}: {listed(turns, 3)} {'turn' if len(turns) > 1 else 'turns'} there"


def other_of(cell: CellFacts) -> str:
    """Return how far the nearest input of another class is, in any cell."""
    if cell.other is None:
        return "not looked for"
    return nearest_facts.short(cell.other) + (", exactly" if cell.other.is_exact and cell.other.point else "")


def size_of(cell: CellFacts) -> str:
    """Return whether the cell is bounded, and how large a ball fits."""
    if cell.is_bounded is None:
        return "not known: rows are undecided"
    bounded = "bounded" if cell.is_bounded else "unbounded"
    ball = f"inradius {cell.inradius:.4g}" if np.isfinite(cell.inradius) else "balls of any size fit"
    return f"{bounded}, {ball}"


def short_size_of(cell: CellFacts) -> str:
    """Return whether the cell is bounded, and the inradius, for a table; "" when not known."""
    if cell.is_bounded is None:
        return ""
    return f"{'yes' if cell.is_bounded else 'no'}, {f'{cell.inradius:.4g}' if np.isfinite(cell.inradius) else 'any'}"


def exactness_of(exactness: Facts) -> str:
    """Return how facets and neighbors were decided."""
    if exactness["n_uncertain"]:
        return (
            f"{exactness['status']}: {words.counted(exactness['n_uncertain'], 'row')} undecided when the time was over"
        )
    settled = exactness["n_escalated"]
    how = f"{words.counted(settled, 'decision')} settled beyond float64" if settled else "float64 bounds were enough"
    return f"{exactness['status']}: every facet is proved, {how}"
