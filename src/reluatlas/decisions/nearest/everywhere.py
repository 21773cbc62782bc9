"""Where in the whole space is a target nearest, if anywhere? All cells, one by one, in up to six dimensions.

For what no ball can settle: that there is no point of another class at all.
"""

from __future__ import annotations

from collections.abc import Sequence

from reluatlas.complexes.enumerate import enumerate_cells
from reluatlas.deadline import look
from reluatlas.decisions.nearest.exactly import Exactly, Found
from reluatlas.decisions.nearest.relax import Cut
from reluatlas.decisions.nearest.targets import Target
from reluatlas.domain import Space
from reluatlas.network.network import Network
from reluatlas.network.record import Breakpoints, Max


def nearest_of_all(network: Network, exact: Exactly, targets: Sequence[Target]) -> tuple[Found, int] | bool:
    """Return the nearest point of the space that reaches a target, with the target's position; False for none.

    True where the cells are not all known.
    """
    best: tuple[Found, int] | None = None
    slices = network.pattern_slices()
    cells = enumerate_cells(network, Space(network.n_inputs))
    look()
    if not cells.is_complete:
        return True
    for pattern in cells.patterns:
        look()
        choice = {t: pattern[s].astype("int64") for t, s in slices.items()}
        cuts = []
        for t, pieces in choice.items():
            node = network.nodes[t]
            assert isinstance(node, Breakpoints | Max)
            for unit, piece in enumerate(pieces.tolist()):
                if isinstance(node, Max):
                    if node.offsets[unit + 1] - node.offsets[unit] > 1:
                        cuts.append(Cut(t, unit, 0, 0.0, piece))
                    continue
                knots = node.knots[unit][node.knots[unit] < float("inf")].tolist()
                cuts += [Cut(t, unit, 1, knots[piece - 1])] if piece > 0 else []
                cuts += [Cut(t, unit, -1, knots[piece])] if piece < len(knots) else []
        for j, target in enumerate(targets):
            found = exact.nearest(cuts, choice, target)
            if isinstance(found, Found) and (best is None or found.size < best[0].size):
                best = found, j
    return False if best is None else best
