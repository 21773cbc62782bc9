"""Which pattern lies behind a facet of a polyhedron of the tree? Exactly, for units that turn there together.

Behind a facet, in topological order, only rows that vanish on it can change their piece. On the far side such a row
is a multiple of the facet's row, so one coefficient gives its sign.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from reluatlas.geometry.halfspaces.row_sides import BELOW
from reluatlas.network.network import Breakpoints, Max, Network
from reluatlas.subdivision.constraints.exact_rows import Reference, WholeRows
from reluatlas.subdivision.constraints.tree import Constraint


def pattern_behind(
    network: Network, whole: WholeRows, pieces: NDArray[np.int32], facet: Constraint
) -> NDArray[np.int32]:
    """Return the pattern of the cell behind a facet that is not on the domain's boundary."""
    out = pieces.copy()
    line = whole(facet.reference, pieces)
    behind = 1 if facet.side == BELOW else -1
    along = next(c for c, v in enumerate(line) if v)
    slices = network.pattern_slices()

    def side(level: int, unit: int, first: int, second: int) -> int | None:
        """Return the sign of a row behind if it vanishes on the facet; 0 when zero everywhere, None otherwise."""
        row = whole(Reference(level, unit, first, second), out)
        if not any(row):
            return 0
        if not row[along] or not _parallel(row, line, along):
            return None
        return behind if (row[along] > 0) == (line[along] > 0) else -behind

    for level, cut in enumerate(network.cuts):
        if level < facet.reference.level:
            continue
        node, at = network.nodes[cut], slices[cut].start
        if isinstance(node, Breakpoints):
            for unit in range(node.knots.shape[0]):
                for knot in range(int(np.isfinite(node.knots[unit]).sum())):
                    sign = side(level, unit, knot, 0)
                    if sign is not None:
                        out[at + unit] = knot + (sign > 0)
                        break
        else:
            assert isinstance(node, Max)
            for window in range(node.n_windows):
                best = int(out[at + window])
                for other in range(int(node.offsets[window + 1] - node.offsets[window])):
                    sign = side(level, window, other, best) if other != best else None
                    if sign is not None and (sign > 0 or (sign == 0 and other < best)):
                        best = other
                out[at + window] = best
    return out


def turned(network: Network, pieces: NDArray[np.int32], facet: Constraint) -> tuple[NDArray[np.int32], Reference]:
    """Return the pattern in which the facet's own unit alone has turned, and the facet's name from there."""
    out, reference = pieces.copy(), facet.reference
    cut = network.cuts[reference.level]
    at = network.pattern_slices()[cut].start + reference.unit
    if isinstance(network.nodes[cut], Breakpoints):
        out[at] = reference.first + (facet.side == BELOW)
        return out, reference
    out[at] = reference.second
    return out, reference._replace(first=reference.second, second=reference.first)


def _parallel(row: Sequence[int], line: Sequence[int], along: int) -> bool:
    p, q = row[along], line[along]
    return all(a * q == b * p for a, b in zip(row, line, strict=True))
