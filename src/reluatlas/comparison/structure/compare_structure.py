"""Do two networks cut a plane alike? `compare_structure`."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import get_args

import numpy as np

from reluatlas.answers.exactness import Exactness
from reluatlas.answers.limits import Limits
from reluatlas.comparison.notices import notices_of
from reluatlas.comparison.on_domain import require_bounded
from reluatlas.comparison.structure.answer import StructureComparison, StructureScores
from reluatlas.comparison.structure.hyperplanes import HyperplaneMatching, Layers, match_hyperplanes
from reluatlas.comparison.structure.overlaps import Overlaps, complete, overlaps
from reluatlas.comparison.structure.regions import RegionMatching, match_regions
from reluatlas.comparison.structure.reinitialize import reinitialized
from reluatlas.deadline import under
from reluatlas.domain import Box, Slice
from reluatlas.errors import ArgumentError, DomainError
from reluatlas.memory import in_a_sentence
from reluatlas.network.join import require_alike
from reluatlas.network.network import Network
from reluatlas.progress import Progress, tells


@in_a_sentence
@tells("pairs", "total")
def compare_structure(
    f: Network,
    g: Network,
    where: Box | Slice,
    *,
    layers: Layers = "any",
    chance: int | Sequence[Network] = 0,
    seed: int = 0,
    max_cells: int | None = None,
    max_seconds: float | None = None,
    jobs: int | None = None,
    progress: Progress = None,
) -> StructureComparison:
    """Return how alike two networks cut a plane: their linear regions and bent hyperplanes, matched one to one.

    Two scales measure how far things agree, both corrected for chance in one way: 1 - (how far they differ at one
    point) / (how far they would at two points that have nothing to do with each other), at least 0.

    *Maps* agree on an overlap by the mean of |f - g|^2 over it, against that of |f(x) - g(y)|^2 over all x and y of the
    domain. Over the whole domain this is Lin's concordance correlation, `scores.agreement`. *Linear regions* are
    matched so that the sum over matched pairs of (share of area of their overlap) times (agreement of the maps there)
    is largest; that is `similarity`. `scores.overlap` is the same without the maps: 1 less the classification error
    of the two partitions. The similarity is 1 if and only if f and g are the same function on the domain (where float64
    shows it), and invariant to the order of units and to scaling them by powers of two.

    A *bent hyperplane* is the wall of one unit (of one breakpoint of it) inside the domain. Two are compared by the
    area between them: where one unit is beyond its wall and the other one not, or else where both are or both are not.
    They agree by Cohen's kappa of these sides, at least 0. `scores.hyperplanes` is twice the agreement of the best
    matching, by the number of all. Walls that are equal, which is decided exactly, count once; those outside of the
    domain, and max windows, not at all.

    Parameters
    ----------
    f, g : Network
        With the same shapes of inputs and outputs, up to axes of length 1.
    where : Box or Slice
        Of two dimensions.
    layers : {"any", "same"}
        Whether bent hyperplanes of all layers may be matched, or only of the same layer, counted from the first layer
        of units.
    chance : int or sequence of Network
        What to hold the scores against. A number: so many times the weights of g are drawn anew and it is compared with
        f, and so many times those of f, for g. Networks, such as the starts of other trainings: each is compared with
        f.
    seed : int
        Of these weights, which are uniform within 1 / sqrt(inputs added up).
    max_cells, max_seconds, jobs, progress
        As for `enumerate_cells`; without all cells there is no answer.

    Returns
    -------
    StructureComparison
        `.scores`, `.chance`, the matchings `.regions` and `.hyperplanes`; `.words` tells it in sentences.

    Raises
    ------
    DimensionError
        When shapes of f and g differ (the message names both), or the domain has another.
    DomainError
        When `where` is unbounded or not two-dimensional.
    ArgumentError
        When an argument makes no sense, or `max_cells` is too few.
    TimeLimitError
        When time is over before all cells were found.

    Guarantees
    ----------
    Which cells overlap, which belong to one linear region, and which walls are equal is exact. Areas, integrals and the
    matchings' sums are float64. Deterministic.

    It does not see what is alike only after a turn or a mirroring, nor in another part of the plane; nor slopes, where
    values are near: of two fine meshes of one function most overlaps agree, and what is left is how they overlap. One
    region matches one other: where g cuts a region of f in two, only the larger part counts. A wall counts as one,
    however long it is.

    Cost
    ----
    The cells of f, of g, and of both together, for each pair; a sparse assignment over the overlaps of regions, a dense
    one over walls.

    References
    ----------
    [Meila2007] for the classification error of partitions, [Lin1989] for the concordance correlation, [Cohen1960] for
    kappa.

    Examples
    --------
    >>> import numpy as np
    >>> import reluatlas as ra
    >>> def line(c):  # relu(x - c) on the square
    ...     return ra.load([(np.array([[1.0, 0.0]]), np.array([-c])), (np.ones((1, 1)), np.zeros(1))])
    >>> found = ra.compare_structure(line(0.0), line(0.5), ra.Box(-1, 1, dim=2))
    >>> found.scores.overlap, found.hyperplanes.between.tolist()  # between both lines lies a quarter
    (0.75, [0.25])
    >>> ra.compare_structure(line(0.5), line(0.5), ra.Box(-1, 1, dim=2)).similarity
    1.0
    """
    limits = Limits(max_cells, max_seconds, jobs, progress)  # type: ignore[arg-type]
    require_alike(f, g)
    _require_plane(f, where)
    if layers not in get_args(Layers):
        raise ArgumentError(f'`layers={layers!r}` is unknown. Pass "any" or "same".')
    pairs, n_pairs = _chance(f, g, chance, seed)
    start = time.monotonic()
    with under(limits.deadline):
        limits.tell(0, 1 + n_pairs)
        own = {network: complete(network, where, limits) for network in (f, g)}
        found = overlaps(own[f], own[g], limits)
        scores, regions, hyperplanes = matched(found, layers)
        levels = []
        for pair in pairs:
            limits.tell(1 + len(levels), 1 + n_pairs)
            first, second = (own[n] if n in own else complete(n, where, limits) for n in pair)
            levels.append(matched(overlaps(first, second, limits), layers)[0])
    limits.tell(1 + n_pairs, 1 + n_pairs)
    exactness = found.f_complex.exactness
    return StructureComparison(
        f, g, where, scores, tuple(levels), regions, hyperplanes, found.n_cells,
        Exactness("float64", exactness.n_escalated, exactness.n_uncertain), time.monotonic() - start,
        notices_of(f, g, where),
    )  # fmt: skip


def matched(found: Overlaps, layers: Layers = "any") -> tuple[StructureScores, RegionMatching, HyperplaneMatching]:
    """Return the scores of two networks, and the matchings that they are of; see `compare_structure`."""
    regions, hyperplanes = match_regions(found), match_hyperplanes(found, layers)
    scores = StructureScores(regions.similarity, regions.overlap, hyperplanes.similarity, found.agreement)
    return scores, regions, hyperplanes


def _require_plane(f: Network, where: Box | Slice) -> None:
    require_bounded(f, where)
    if where.dim != 2:
        raise DomainError(
            f"`where` has {where.dim} dimensions; structure is compared in a plane. Pass a `Box` of two inputs, or a "
            "`Slice` such as `ra.Slice.through(X[:3])`."
        )


def _chance(
    f: Network, g: Network, chance: int | Sequence[Network], seed: int
) -> tuple[Iterator[tuple[Network, Network]], int]:
    """Return the pairs that stand for chance, made one after another, and their number."""
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise ArgumentError(f"`seed={seed!r}` must be a whole number of at least 0.")
    if isinstance(chance, bool) or not isinstance(chance, int | np.integer | Sequence):
        raise ArgumentError(f"`chance={chance!r}` is neither a number of draws nor a sequence of networks.")
    if isinstance(chance, Sequence):
        for other in chance:
            require_alike(f, other)
        return ((f, other) for other in chance), len(chance)
    if chance < 0:
        raise ArgumentError(f"`chance={chance}` is negative. Pass how many times weights are drawn anew, such as 5.")
    streams = [np.random.default_rng([int(seed), i]) for i in range(int(chance))]
    drawn = (pair for rng in streams for pair in ((f, reinitialized(g, rng)), (reinitialized(f, rng), g)))
    return drawn, 2 * int(chance)
