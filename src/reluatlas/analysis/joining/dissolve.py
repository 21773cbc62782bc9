"""Can a piece be handed out to those beside it? Then one piece less is enough for the same tolerance.

What joining in pairs cannot do: the regions of one piece go one by one to different pieces that they share a facet
with, each to the one whose error stays smallest, while every error stays within the tolerance.
"""

from __future__ import annotations

from collections.abc import Mapping

from reluatlas.analysis.joining.ground import Ground
from reluatlas.analysis.joining.pieces import Piece, joined, single
from reluatlas.deadline import look
from reluatlas.errors import TimeLimitError

Regions = tuple[int, ...]
Pieces = dict[int, Piece]


def dissolve_all(ground: Ground, pieces: Mapping[int, Piece], tolerance: float) -> tuple[Pieces, bool]:
    """Return pieces of which none can be handed out to those beside it, small ones first, and whether time sufficed."""
    now: Pieces = dict(pieces)
    alone: dict[int, Piece] = {}
    stuck: dict[Regions, frozenset[Regions]] = {}  # what lay beside a piece when it could not be handed out
    try:
        while True:
            order = sorted(now, key=lambda i: (len(now[i].regions), i))
            for i in order:
                fewer = _dissolved(ground, now, i, tolerance, alone, stuck)
                if fewer is not None:
                    now = fewer
                    break
            else:
                return now, True
    except TimeLimitError:
        return now, False


def _dissolved(
    ground: Ground, pieces: Pieces, gone: int, tolerance: float, alone: dict[int, Piece],
    stuck: dict[Regions, frozenset[Regions]],
) -> Pieces | None:  # fmt: skip
    """Return the pieces without one of them, its regions handed out; None where that is not possible."""
    owner = {r: i for i, piece in pieces.items() for r in piece.regions}
    regions = pieces[gone].regions
    beside = frozenset(pieces[owner[n]].regions for r in regions for n in ground.neighbors[r] if owner[n] != gone)
    if stuck.get(regions) == beside:
        return None
    stuck[regions] = beside
    left, changed = set(regions), dict(pieces)
    tried: dict[tuple[int, int], Piece | None] = {}

    def taken(region: int, to: int) -> Piece | None:
        look()
        if (region, to) not in tried:
            one = alone.setdefault(region, single(ground, region))
            tried[region, to] = joined(ground, (changed[to], one), tolerance)
        return tried[region, to]

    near = sorted({owner[n] for r in regions for n in ground.neighbors[r]} - {gone})
    # errors only grow: a region that no piece beside can take alone never goes. Those with most vertices are hardest
    for region in sorted(regions, key=lambda r: (-len(ground.corners[r]), r)):
        if all(taken(region, to) is None for to in near):
            return None
    while left:
        best: tuple[float, int, int, Piece] | None = None
        for region in sorted(left):
            for to in sorted({owner[n] for n in ground.neighbors[region]} - {gone}):
                made = taken(region, to)
                if made is not None and (best is None or made.error < best[0]):
                    best = made.error, region, to, made
        if best is None:
            return None
        _, region, to, changed[to] = best
        owner[region] = to
        left.discard(region)
        for pair in [pair for pair, made in tried.items() if pair[1] == to and made is not None]:
            del tried[pair]
    del changed[gone]
    return changed
