"""What do the items of a run make together? One complex: cells in order, with maps, vertices, facets and neighbors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from os import PathLike
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from reluatlas.affine import AffineMaps
from reluatlas.answers.exactness import Exactness
from reluatlas.answers.limits import Limits, StoppedBy
from reluatlas.arithmetic.constants import ROUNDED_VERTEX
from reluatlas.complexes.facets import UNEXPLORED, Facets, Places, match_facets
from reluatlas.complexes.linear_regions import restore_maps
from reluatlas.complexes.record import ComplexRecord, Vertices
from reluatlas.complexes.vertices import corners_of
from reluatlas.deadline import Deadline, grace, under
from reluatlas.domain import Domain, Space
from reluatlas.errors import DomainError, TimeLimitError
from reluatlas.memory import in_a_sentence
from reluatlas.network.network import Network
from reluatlas.subdivision.polygons import tree
from reluatlas.subdivision.polytopes import buffers
from reluatlas.subdivision.program.layout import Lowered
from reluatlas.subdivision.program.lower import lower
from reluatlas.subdivision.runner.contract import Workers
from reluatlas.subdivision.runner.kinds import is_plane
from reluatlas.subdivision.runner.run import Run, exactness_of, run

C = TypeVar("C", bound=ComplexRecord)
Joined = tuple[tree.Cells | buffers.Cells, Vertices, NDArray[np.int64], Callable[[], Places]]
_FOR_CELLS = 0.75  # of the time; the rest is for their neighbors
_AFTER_INTERRUPT_S = 0.5


@in_a_sentence
def subdivide(
    net: Network,
    domain: Domain,
    limits: Limits,
    kind: type[C],
    *,
    certain: bool = True,
    checkpoint: str | PathLike[str] | None = None,
    workers: Workers | None = None,
) -> C:
    """Return the cells of a domain of up to six dimensions; see `enumerate_cells`.

    Parameters
    ----------
    kind : type
        What to make of them: a record, or what has one's fields and more methods.
    workers : Workers, optional
        Who cuts; threads when None.
    """
    with under(limits.deadline) as deadline:
        try:
            lowered = lower(net, domain, certain=certain)
            with under(deadline.share(_FOR_CELLS)):
                outcome = run(lowered, limits, collect=True, checkpoint=checkpoint, workers=workers)
        except TimeLimitError:
            return _nothing(net, domain, kind)
        return _joined(lowered, outcome, limits, kind, certain=certain)


def _joined(lowered: Lowered, outcome: Run, limits: Limits, kind: type[C], *, certain: bool) -> C:
    """Return what a run found as one complex, with neighbors."""
    net, domain = lowered.network, lowered.domain
    most = limits.max_cells if outcome.stopped_by == "max_cells" else None
    cells, vertices, facet_offsets, places = (_plane if is_plane(domain) else _solid)(lowered, outcome, most)
    stop = np.zeros(1, dtype=np.int64)
    with under(Deadline(_AFTER_INTERRUPT_S) if outcome.stopped_by == "interrupt" else Deadline()):
        facets = match_facets(
            lowered, cells.pattern, cells.hash, facet_offsets, cells.line, places,
            is_complete=outcome.stopped_by == "" and certain, stop=stop,
        )  # fmt: skip
    stopped_by: StoppedBy = outcome.stopped_by
    if not stopped_by and stop[0] and np.any(facets.neighbor == UNEXPLORED):
        stopped_by = "interrupt" if stop[0] == 2 else "max_seconds"
    cx = kind(
        network=net,
        domain=domain,
        stopped_by=stopped_by,
        exactness=exactness_of(outcome, certain=certain),
        patterns=cells.pattern,
        affine=AffineMaps(cells.affine[:, :, :-1], cells.affine[:, :, -1]),
        vertices=vertices,
        facets=facets,
        seconds=outcome.seconds,
    )
    with grace(_AFTER_INTERRUPT_S):
        restore_maps(cx)
    return cx


def _nothing(net: Network, domain: Domain, kind: type[C]) -> C:
    """Return what is known when the time was over before the first cell."""
    k, m = domain.dim, net.n_outputs
    none = np.zeros(0, dtype=np.int64)
    is_polygons = is_plane(domain)
    return kind(
        network=net,
        domain=domain,
        stopped_by="max_seconds",
        exactness=Exactness("exact"),
        patterns=np.zeros((0, sum(prod(net.nodes[c].shape) for c in net.cuts)), dtype=np.uint8),
        affine=AffineMaps(np.zeros((0, m, k)), np.zeros((0, m))),
        vertices=Vertices(
            np.zeros((0, k)), np.zeros(1, dtype=np.int64), np.zeros(0), np.zeros(0, dtype=bool),
            None if is_polygons else np.zeros((0, 1), dtype=np.uint64),
            None if is_polygons else np.zeros((0, k), dtype=np.int64),
        ),
        facets=Facets(none, none, none.astype(np.int32), none, np.zeros(1, dtype=np.int64), none),
    )  # fmt: skip


def _plane(lowered: Lowered, outcome: Run, most: int | None) -> Joined:
    """Return the cells of all items in order, as one, with their vertices, and where facets begin and lie."""
    parts = [found.cells for found in outcome.found if found.cells is not None]
    if not parts:
        parts = [tree.new_cells(lowered.program, 0, 0, lowered.n_outputs, lowered.piece_dtype)]
    cells = tree.Cells._make(_joint(columns) for columns in zip(*parts, strict=True))
    if most is not None:
        n_corners = int(cells.n_vertices[:most].sum())
        cells = tree.Cells._make([*(a[:most] for a in cells[:4]), *(a[:n_corners] for a in cells[4:])])
    offsets = _offsets(cells.n_vertices)
    points = np.stack([cells.x, cells.y], axis=1)
    vertices = Vertices(points, offsets, cells.radius, np.zeros(len(points), dtype=bool))

    def places() -> Places:
        return Places(*corners_of(vertices, offsets), np.column_stack([points, np.ones(len(points))]), cells.radius)

    return cells, vertices, offsets, places


def _solid(lowered: Lowered, outcome: Run, most: int | None) -> Joined:
    """Do what `_plane` does for polytopes; on a space, without the sides at infinity."""
    parts = [found.cells for found in outcome.found if found.cells is not None]
    if not parts:
        parts = [buffers.new_cells(lowered.program, 0, 0, lowered.n_outputs, 1, lowered.piece_dtype, 0)]
    words = max(part.mask.shape[1] for part in parts)
    parts = [
        p if p.mask.shape[1] == words else p._replace(mask=np.pad(p.mask, ((0, 0), (0, words - p.mask.shape[1]))))
        for p in parts
    ]
    cells = buffers.Cells._make(_joint(columns) for columns in zip(*parts, strict=True))
    if most is not None:
        ends = [most] * 5 + [int(cells.n_vertices[:most].sum())] * 4 + [int(cells.n_facets[:most].sum())]
        cells = buffers.Cells._make(a[:n] for a, n in zip(cells, ends, strict=True))
    if isinstance(lowered.domain, Space):
        cells = _without_sides(cells)
    k = lowered.domain.dim
    offsets = _offsets(cells.n_facets)
    points, radii, is_ray = cells.x[:, :k].copy(), cells.radius.copy(), cells.x[:, k] == 0.0
    if not np.isfinite(points).all():
        raise DomainError(
            "a vertex of the cells lies beyond the numbers of float64 (1.8e308). `count_cells` counts them; to "
            "enumerate them pass a `Box`, or multiply the weights of the first layer by a power of two."
        )
    # the engine trusts no bound so far out; exact vertices are rounded there like any others
    far = ~np.isfinite(radii)
    radii[far] = ROUNDED_VERTEX * np.abs(points[far]).max(axis=1, initial=0.0)
    vertices = Vertices(points, _offsets(cells.n_vertices), radii, is_ray, cells.mask, cells.rows)

    def places() -> Places:
        return Places(*corners_of(vertices, offsets), cells.x, cells.radius)

    return cells, vertices, offsets, places


def _without_sides(cells: buffers.Cells) -> buffers.Cells:
    """Return cells of a space without the facets at infinity; the others are numbered anew."""
    kept = cells.line >= 0
    before = np.concatenate([[0], np.cumsum(kept)])
    starts = _offsets(cells.n_facets)
    own = np.repeat(np.arange(cells.hash.size), cells.n_vertices)
    mask = np.zeros_like(cells.mask)
    for b in range(int(cells.n_facets.max(initial=0))):
        facet = np.minimum(starts[own] + b, max(kept.size - 1, 0))
        held = (cells.mask[:, b // 64] >> np.uint64(b % 64)) & np.uint64(1)
        which = np.flatnonzero((held == 1) & kept[facet])
        bit = before[facet[which]] - before[starts[own[which]]]
        mask[which, bit // 64] |= np.uint64(1) << (bit % 64).astype(np.uint64)
    n_facets = before[starts[1:]] - before[starts[:-1]]
    return cells._replace(mask=mask, line=cells.line[kept], n_facets=n_facets)


def _joint(columns: Sequence[NDArray]) -> NDArray:
    return columns[0] if len(columns) == 1 else np.concatenate(columns)


def _offsets(sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
