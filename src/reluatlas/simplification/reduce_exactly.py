"""Which smaller networks are the same function on a domain? Reductions, repeated until nothing changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from reluatlas.deadline import Deadline, look, under
from reluatlas.domain import Box, Segment, Slice
from reluatlas.errors import TimeLimitError
from reluatlas.network.network import Network
from reluatlas.network.operators import Convolution
from reluatlas.network.record import Affine, Breakpoints, Graph
from reluatlas.simplification.bounds import Known, closer_possibilities
from reluatlas.simplification.cells import by_cells
from reluatlas.simplification.draft import Draft, as_network, begin, unrolled
from reluatlas.simplification.fold import folded
from reluatlas.simplification.join import joined
from reluatlas.simplification.removals import Removal
from reluatlas.simplification.settle import settled
from reluatlas.simplification.size import Size, size_of
from reluatlas.simplification.unread import without_unread
from reluatlas.stable.walk import Possible, possibilities
from reluatlas.typing import FloatArray

Objective = Literal["units", "numbers"]
Step = Callable[[Draft, list[Removal]], Draft]
MOST_ENTRIES = 2**24
"""Entries of all convolutions together, for their rows to be written out."""
_FOR_CELLS = 0.3  # of the time that is left


@dataclass(frozen=True, eq=False)
class Candidate:
    """A network that is the same function on the domain, or nearly.

    Attributes
    ----------
    draft : Draft
    network : Network
    size : Size
    gone : tuple of Removal
    error : ndarray, shape (n_outputs,), or None
        By how much outputs may differ on the domain; None: they do not.
    """

    draft: Draft
    network: Network
    size: Size
    gone: tuple[Removal, ...]
    error: FloatArray | None = None


@dataclass(eq=False)
class Effort:
    """How much was tried: linear programs that were solved, and whether all were that should be."""

    deadline: Deadline
    n_programs: int = 0
    is_complete: bool = True

    def is_over(self) -> bool:
        """Return whether the time is over, and note that not all was tried then."""
        if self.deadline.is_over():
            self.is_complete = False
        return self.deadline.is_over()


def candidates(net: Network, domain: Box | Slice | Segment, effort: Effort) -> Iterator[Candidate]:
    """Yield networks that are the same function on the domain: the given one first, then smaller ones.

    With convolutions that stay such, they lose whole channels only, or single units by a bypass; with rows written out,
    everything goes that can.
    """
    first = begin(net, keeps_convolutions=True)
    yield Candidate(first, net, size_of(net), ())
    has_convolutions = any(isinstance(o, Convolution) for n in net.nodes if isinstance(n, Affine) for o in n.operators)
    known = closer_possibilities(net, domain, effort.deadline)
    by_cells(net, domain, effort.deadline.share(_FOR_CELLS), known)
    effort.n_programs, effort.is_complete = known.n_programs, known.is_complete
    yield _reduced(net, domain, first, known, effort, by_unit=True)
    if has_convolutions and not effort.is_over():
        yield _reduced(net, domain, first, known, effort, by_unit=False)
        if _entries(net) <= MOST_ENTRIES and not effort.is_over():
            yield _reduced(net, domain, unrolled(first), known, effort, by_unit=True)


def best(found: list[Candidate], objective: Objective) -> Candidate:
    """Return the smallest of networks; the first of equal ones."""
    if objective == "numbers":
        return min(found, key=lambda c: (c.size.numbers, c.size.units, c.size.multiply_adds))
    return min(found, key=lambda c: (c.size.units, c.size.multiply_adds, c.size.numbers))


def tidied(draft: Draft, gone: list[Removal], effort: Effort | None = None) -> Draft:
    """Return a draft after all reductions that need no bounds, repeated until nothing changes, or time is over."""
    before: tuple[int, ...] | None = None
    # proportional rows first: what is put into them may be exact for one and not for its multiple
    steps: tuple[Step, ...] = (joined, without_unread, folded, joined, without_unread)
    while True:
        for step in steps:
            here: list[Removal] = []
            try:
                with under(Deadline() if effort is None else effort.deadline):
                    look()
                    draft = step(draft, here)
            except TimeLimitError:
                if effort is None:
                    raise
                effort.is_complete = False
                return draft
            gone += here
        steps = steps[-4:]
        now = _shape(draft)
        if now == before:
            return draft
        before = now


def _shape(draft: Draft) -> tuple[int, ...]:
    entries = sum(
        np.prod(o.weight.shape) if isinstance(o, Convolution) else o.values.size  # type: ignore[union-attr]
        for node in draft.nodes
        if isinstance(node, Affine)
        for o in node.operators
    )
    return draft.n_units, len(draft.nodes), int(entries), sum(draft.sizes())


def _reduced(
    net: Network, domain: Box | Slice | Segment, draft: Draft, known: Known, effort: Effort, *, by_unit: bool
) -> Candidate:
    gone: list[Removal] = []
    possible, how = known.possible, known.how
    while True:
        draft = settled(draft, possible if by_unit else _whole_channels(draft, possible), how, gone)
        before = draft.n_units
        draft = tidied(draft, gone, effort)
        if not by_unit or draft.n_units in (0, before) or effort.is_over():
            break
        # what units went by their coefficients alone: bounds may tell more of the others now
        possible, how = _by_bounds(as_network(draft, net), domain), {}
    network = as_network(draft, net)
    return Candidate(draft, network, size_of(network), tuple(gone))


def _by_bounds(graph: Graph, domain: Box | Slice | Segment) -> dict[int, Possible]:
    return {found.node: found for found in possibilities(graph, domain) if isinstance(found, Possible)}


def _whole_channels(draft: Draft, possible: dict[int, Possible]) -> dict[int, Possible]:
    """Return what units can do, forgetting of images what is not true of all units of a channel."""
    out = {}
    for t, found in possible.items():
        node = draft.nodes[t]
        if isinstance(node, Breakpoints) and len(node.shape) > 1:
            n_pieces = node.slopes.shape[1]
            needed = found.needed.reshape(node.shape[0], -1, n_pieces)
            needed = np.broadcast_to(needed.any(axis=1, keepdims=True), needed.shape).reshape(-1)
            found = found._replace(needed=needed)
        out[t] = found
    return out


def _entries(net: Graph) -> int:
    return sum(
        o.n_entries if isinstance(o, Convolution) else 0
        for node in net.nodes
        if isinstance(node, Affine)
        for o in node.operators
    )
