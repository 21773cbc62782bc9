"""How far apart are two networks on a box, in the time there is? `find`: in pairs, where units correspond."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reluatlas.answers.limits import Limits, StoppedBy
from reluatlas.comparison.exact import ExactAt
from reluatlas.comparison.largest import Largest
from reluatlas.comparison.norms import Norm
from reluatlas.comparison.paired.bounds import Bounder
from reluatlas.comparison.paired.layers import alone, paired
from reluatlas.comparison.paired.search import CLOSE, Search
from reluatlas.comparison.refinement import Refinement
from reluatlas.domain import Box, Slice
from reluatlas.network.join import difference
from reluatlas.network.network import Network
from reluatlas.shown import Shown
from reluatlas.typing import FloatArray


@dataclass(frozen=True, eq=False)
class BoxSearch(Shown):
    """What a search over parts of a box gave.

    Attributes
    ----------
    is_paired : bool
        Whether units of f and g correspond, and were bounded in pairs; else the difference was bounded as one network.
    n_boxes : int
        Parts that were bounded.
    n_open : int
        Parts that are left: on all others the difference is not above `lower`.
    stopped_by : str
        "" when both ends met, or `eps` was decided; else "max_cells", "max_seconds" or "interrupt".
    """

    is_paired: bool
    n_boxes: int
    n_open: int
    stopped_by: StoppedBy


@dataclass(frozen=True, eq=False)
class Searched:
    """Both ends of the largest difference: over all outputs, with the point, and of each output."""

    top: Largest
    each_lower: FloatArray
    each_upper: FloatArray
    points: list[FloatArray | None]
    search: BoxSearch


def find(
    both: Refinement, domain: Box | Slice, norm: Norm, limits: Limits, *, eps: float | None = None,
    known: Largest | None = None, pairs: bool = True,
) -> Searched:  # fmt: skip
    """Return certain ends of the largest difference on a domain of any dimension.

    Parameters
    ----------
    eps : float, optional
        Stop as soon as the difference is certainly at most that, or certainly more.
    known : Largest, optional
        Where it is large, from elsewhere.
    pairs : bool
        Whether to bound in pairs where units correspond.
    """
    layers = paired(both.f, both.g) if pairs else None
    is_paired = layers is not None
    if layers is None:
        layers = alone(difference(both.f, both.g))
    search = Search(
        both, domain, norm, Bounder(layers, domain), ExactAt(both, domain), limits.n_jobs, eps, limits.max_cells,
        _told(limits),
    )  # fmt: skip
    if known is not None and known.vertex is not None and known.values is not None:
        search.witnesses.accept(known.values, known.vertex)
    stopped_by = search.run()
    found, tree = search.witnesses, search.tree
    point = None if found.vertex is None else np.array([float(c) for c in found.vertex])
    top = Largest(found.lower, search.upper, point, found.vertex, found.values)
    each_upper = np.minimum(np.maximum(tree.most(), found.each), search.upper)
    return Searched(
        top, found.each, each_upper, found.points, BoxSearch(is_paired, search.n_boxes, len(tree), stopped_by)
    )


def corresponds(f: Network, g: Network) -> bool:
    """Return whether the units of two networks correspond, so that they are bounded in pairs."""
    return paired(f, g) is not None


def closes(lower: float, upper: float) -> bool:
    """Return whether both ends are as near as a search brings them."""
    return upper <= lower * (1.0 + 4.0 * CLOSE)


def _told(limits: Limits):
    first: list[float] = []

    def tell(n_boxes: int, lower: float, upper: float) -> None:
        if not np.isfinite(upper) or upper <= 0.0:
            limits.tell(n_boxes, 0.0)
            return
        gap = np.log(max(upper / lower, 1.0)) if lower > 0.0 else np.inf
        if not first and np.isfinite(gap) and gap > 0.0:
            first.append(float(gap))
        limits.tell(n_boxes, 1.0 - min(1.0, gap / first[0]) if first else 0.0)

    return tell
