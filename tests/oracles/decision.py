"""Where do the top two outputs tie, or is a single output zero? Pieces of one dimension less, and full ones.

The outputs get one more node: a ReLU of a single output, a maximum of several. On each of its cells, the parts, one
output is on top. A part is full when an equal one is, too; a piece is a facet of a part that is not full, on which
another output reaches the top. All is read off the values of the outputs at the corners.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.oracles.meeting import SIDE, behind
from tests.oracles.plain import Max, Node, relu
from tests.oracles.polytopes import Polytope, Row, Vertex, value
from tests.oracles.solid import Cell, Domain, cells


@dataclass(frozen=True)
class Piece:
    """A facet on which outputs tie: its corners, the network's patterns beside it (one on a side of the domain).

    `outputs` are all that are on top of it; `is_rim` says that a full part is beside it.
    """

    corners: frozenset[Vertex]
    patterns: tuple[tuple[int, ...], ...]
    outputs: tuple[int, ...]
    is_rim: bool


@dataclass(frozen=True)
class Full:
    """A polytope on all of which `outputs` are on top, and the network's pattern there."""

    polytope: Polytope
    pattern: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True)
class Boundary:
    """The boundary as a set: pieces of dimension k - 1 outside of the full part, and of dimension k."""

    pieces: tuple[Piece, ...]
    full: tuple[Full, ...]


def decision_boundary(nodes: Sequence[Node], output: int, n_outputs: int, domain: Domain) -> Boundary:
    """Return the boundary of a network with `n_outputs` outputs."""
    last = relu(output, 1) if n_outputs == 1 else Max(output, (tuple(range(n_outputs)),))
    parts = cells([*nodes, last], output, domain)
    full = [is_tie(on_top(part.rows, part.polytope.vertices), n_outputs) for part in parts]
    pieces = []
    for i, across in enumerate(behind(parts, domain)):
        for facet, j in across.items():
            if full[i] or (j != SIDE and j < i and not full[j]) or (j == SIDE and domain.whole):
                continue  # no piece, or seen from the other side
            corners = parts[i].polytope.corners(facet)
            outputs = on_top(parts[i].rows, corners)
            if j != SIDE:
                assert outputs == on_top(parts[j].rows, corners), "the two sides of a facet disagree"
            if is_tie(outputs, n_outputs):
                beside = (parts[i],) if j == SIDE else (parts[i], parts[j])
                rim = j != SIDE and full[j]
                pieces.append(Piece(corners, tuple(p.pattern[:-1] for p in beside), outputs, rim))
    solid = [_full(part) for part, ties in zip(parts, full, strict=True) if ties]
    return Boundary(tuple(pieces), tuple(solid))


def on_top(rows: Sequence[Row], corners: frozenset[Vertex] | tuple[Vertex, ...]) -> tuple[int, ...]:
    """Return the outputs that are the largest at all corners; a single one, 0, where it is zero, else none."""
    values = [[value(row, v) for row in rows] for v in corners]
    if len(rows) == 1:
        return (0,) if not any(at[0] for at in values) else ()
    return tuple(o for o in range(len(rows)) if all(at[o] == max(at) for at in values))


def is_tie(outputs: tuple[int, ...], n_outputs: int) -> bool:
    """Return whether these outputs on top are a tie."""
    return len(outputs) >= min(2, n_outputs)


def _full(part: Cell) -> Full:
    return Full(part.polytope, part.pattern[:-1], on_top(part.rows, part.polytope.vertices))
