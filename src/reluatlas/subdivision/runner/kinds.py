"""As what is the tree worked through? As polygons in the plane, as polytopes in other dimensions and unbounded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from reluatlas.domain import Domain, Space
from reluatlas.errors import DomainError
from reluatlas.subdivision.items import Item
from reluatlas.subdivision.program.layout import M_K, Lowered

MAX_DIMENSION = 6


class Kind(NamedTuple):
    """What makes a worker, the root of the tree, and cells of named arrays."""

    worker: Callable[..., Any]
    root: Callable[[Lowered], Item]
    cells: Callable[..., Any]


def kind_of(lowered: Lowered) -> Kind:
    """Return how the tree is worked through: as polygons in the plane, as polytopes in other dimensions."""
    k = int(lowered.program.meta[M_K])
    if k > MAX_DIMENSION:
        raise DomainError(
            f"`domain` has {k} dimensions; cells are counted in up to {MAX_DIMENSION}. Pass a `Slice` of fewer "
            "dimensions, or look at one cell after another with `cell_at` and `explore`."
        )
    if is_plane(lowered.domain):
        from reluatlas.subdivision.polygons import tree
        from reluatlas.subdivision.polygons import worker as plane

        return Kind(plane.Worker, plane.root, tree.Cells)
    from reluatlas.subdivision.polytopes import buffers, worker

    return Kind(worker.Worker, worker.root, buffers.Cells)


def is_plane(domain: Domain) -> bool:
    """Return whether cells are polygons: on a bounded domain of two dimensions."""
    return domain.dim == 2 and not isinstance(domain, Space)
