"""Do networks that learned the same task cut the plane alike? Linear regions and walls, over seeds and shapes.

Each number is from 0 to 1 (`reluatlas.compare_structure`). Chance is the same number of a trained network and the start
of another one's training: a network of that shape that has learned nothing.

A problem that looks the same after a turn is solved as well by a turned network, so numbers are also taken up to the
symmetries of the problem: the largest over them, chance included.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from reluatlas.analysis.trajectories.measure import in_threads
from reluatlas.analysis.trajectories.trajectory import Trajectory
from reluatlas.answers.limits import Limits
from reluatlas.comparison.structure.answer import StructureScores
from reluatlas.comparison.structure.compare_structure import matched
from reluatlas.comparison.structure.overlaps import overlaps
from reluatlas.complexes.complex import PolyhedralComplex
from reluatlas.complexes.enumerate import enumerate_cells
from reluatlas.importers.load import load
from reluatlas.studies.toy.alike import Symmetry

_AS_IT_IS: Symmetry = (np.eye(2), 1)
_TURNS = 8
MEASURES = {
    "regions": "linear regions",
    "overlap": "their areas alone",
    "hyperplanes": "bent hyperplanes",
    "agreement": "the functions",
}
"""Fields of `StructureScores`, and what they are of."""


@dataclass(frozen=True)
class Cuts:
    """How alike networks cut the plane, for one kind of pair of networks, beside chance.

    Attributes
    ----------
    found : list of StructureScores
        One per pair.
    chance : list of StructureScores
        Two per pair: each trained network beside the other one's start.
    """

    found: list[StructureScores] = field(default_factory=list)
    chance: list[StructureScores] = field(default_factory=list)

    def values(self, measure: str) -> tuple[list[float], list[float]]:
        """Return one measure of all pairs, and of all that stand for chance."""
        return [getattr(s, measure) for s in self.found], [getattr(s, measure) for s in self.chance]


AllCuts = dict[str, Cuts]
"""By kind: "within" a shape (different seeds), or "across" two shapes."""


def compare_cuts(
    runs: Sequence[Trajectory], *, symmetries: Sequence[Symmetry] | None = None, jobs: int | None = None
) -> AllCuts:
    """Return how alike the last networks of some trajectories cut the plane, and the levels of chance.

    With symmetries, each number is the largest over them; of more than eight, over eight at equal steps.
    """
    turns = symmetries or [_AS_IT_IS]
    turns = turns[:: -(-len(turns) // _TURNS)]
    own = [turned(run, -1, *_AS_IT_IS) for run in runs]
    last = [[turned(run, -1, *turn) for turn in turns] for run in runs]
    start = [[turned(run, 0, *turn) for turn in turns] for run in runs]
    pairs = list(combinations(range(len(runs)), 2))
    asked = [pair for i, j in pairs for pair in ((own[i], last[j]), (own[i], start[j]), (own[j], start[i]))]

    def of(number: int) -> StructureScores:
        first, seconds = asked[number]
        return _best([matched(overlaps(first, second, Limits(jobs=1)))[0] for second in seconds])

    scores = in_threads(of, list(range(len(asked))), jobs=jobs)
    found: AllCuts = {f"within {run.name}": Cuts() for run in runs}
    for n, (i, j) in enumerate(pairs):
        one, other = runs[i], runs[j]
        kind = f"within {one.name}" if one.sizes == other.sizes else f"across {one.name}, {other.name}"
        cuts = found.setdefault(kind, Cuts())
        cuts.found.append(scores[3 * n])
        cuts.chance.extend(scores[3 * n + 1 : 3 * n + 3])
    return {kind: cuts for kind, cuts in found.items() if cuts.found}


def turned(run: Trajectory, t: int, Q: np.ndarray, sign: int) -> PolyhedralComplex:
    """Return the complex of `f(Q^-1 x)`, its classes swapped where the sign is -1, for an orthogonal `Q`.

    The turned weights are rounded to float64; those of a network that is not turned are not.
    """
    (weight, bias), *rest = run.layers(t)
    last_weight, last_bias = rest[-1]
    if sign < 0:  # two outputs change places, a single one its sign
        rest[-1] = (last_weight[::-1], last_bias[::-1]) if len(last_bias) == 2 else (-last_weight, -last_bias)
    is_turned = not np.array_equal(Q, np.eye(2))
    first = np.asarray(weight, dtype=np.float64) @ Q.T if is_turned else weight
    return enumerate_cells(load([(first, bias), *rest]), run.domain, jobs=1)


def _best(scores: Sequence[StructureScores]) -> StructureScores:
    return StructureScores(**{name: max(getattr(s, name) for s in scores) for name in MEASURES})
