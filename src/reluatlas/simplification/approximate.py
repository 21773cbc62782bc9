"""Which units can be affine with a change of the outputs that is proved to be small? `approximated`.

A unit that bends little on the domain is replaced by an affine function of what it reads, which it is off by at most
its radius there. What that does to an output is at most the radius times the sum, over all ways from the unit to the
output, of the absolute values of what is multiplied on the way.

Units are replaced from the last to the first in thought, so that the bounds of each are those of the network before
any change; the sums hold for what is behind it, replaced or not, as a secant is no steeper than the steepest piece.
"""

from __future__ import annotations

from math import prod

import numpy as np

from reluatlas.domain import Box, Segment, Slice
from reluatlas.network.network import Network
from reluatlas.network.operators import Convolution, Sparse, apply_operator, mapped
from reluatlas.network.record import Affine, Breakpoints, Input
from reluatlas.simplification.draft import Draft, Writer, as_network
from reluatlas.simplification.reduce_exactly import Candidate, tidied
from reluatlas.simplification.removals import Removal
from reluatlas.simplification.settle import Kept, split
from reluatlas.simplification.size import size_of
from reluatlas.stable import knots
from reluatlas.stable.enclosure import SLACK, TINY, Enclosure
from reluatlas.stable.walk import Possible, possibilities
from reluatlas.typing import FloatArray


def approximated(
    candidate: Candidate, net: Network, domain: Box | Slice | Segment, tolerance: float
) -> Candidate | None:
    """Return a network with fewer units whose outputs differ by at most `tolerance`; None where no unit can go."""
    draft, gone = candidate.draft, list(candidate.gone)
    network = as_network(draft, net)
    bends = {
        found.node: _bend(node, found)
        for found in possibilities(network, domain)
        if isinstance(found, Possible) and isinstance(node := draft.nodes[found.node], Breakpoints)
    }
    share = effects(draft, net.n_outputs)
    listed = [
        (t, i, by.radius[i] * share[t][:, i] * SLACK + TINY) for t, by in bends.items() for i in range(by.radius.size)
    ]
    listed.sort(key=lambda entry: float(entry[2].max()))
    total = np.zeros(net.n_outputs)
    chosen: dict[int, list[int]] = {}
    for t, i, effect in listed:
        more = np.nextafter(total + effect, np.inf)
        if not np.all(more <= tolerance):
            break
        total = more
        chosen.setdefault(t, []).append(i)
    if not chosen:
        return None
    writer = Writer()
    for t, node in enumerate(draft.nodes):
        if t not in chosen:
            writer.keep(draft, t)
            continue
        assert isinstance(node, Breakpoints)
        n = node.slopes.shape[0]
        by, units = bends[t], np.setdiff1d(np.arange(n), chosen[t])
        whole = Kept(units, np.zeros(n, dtype=np.int64), np.isfinite(node.knots).sum(axis=1))
        split(writer, draft, t, node, whole, by.slope, by.shift)
        gone.extend(Removal(int(u), "approximated") for u in draft.origins[t][chosen[t]])
    made = tidied(writer.finish(draft.output), gone)
    smaller = as_network(made, net)
    return Candidate(made, smaller, size_of(smaller), tuple(gone), total)


def _bend(node: Breakpoints, found: Possible) -> knots.Bend:
    """Return the line that each unit is nearest to, on the range of what it reads."""
    n = node.slopes.shape[0]
    needed = found.needed.reshape(n, -1)
    first, last = needed.argmax(axis=1), needed.shape[1] - 1 - needed[:, ::-1].argmax(axis=1)
    z = Enclosure(
        np.zeros((1, n)), 0, np.zeros(n), found.low, found.high, np.zeros(n, dtype=bool)
    )  # only its bounds are read
    with np.errstate(all="ignore"):
        return knots.bend(node, z, knots.Pieces(first, last, first, last))


def effects(draft: Draft, n_outputs: int) -> list[FloatArray]:
    """Return by how much each output can change where an entry of a tensor does by 1: (outputs, entries) by node."""
    out = [np.zeros((n_outputs, prod(node.shape))) for node in draft.nodes]
    out[draft.output][:] = np.eye(n_outputs)
    for t in range(len(draft.nodes) - 1, 0, -1):
        node, here = draft.nodes[t], out[t]
        if not here.any() or isinstance(node, Input):
            continue
        if isinstance(node, Affine):
            for source, operator in zip(node.inputs, node.operators, strict=True):
                assert isinstance(operator, Sparse | Convolution)
                size = mapped(operator, np.abs)
                assert isinstance(size, Sparse | Convolution)
                part = apply_operator(size.transposed, here)
                out[source] += part * SLACK + np.where(part > 0.0, TINY, 0.0)
        elif isinstance(node, Breakpoints):
            out[node.input] += here * np.abs(node.slopes).max(axis=1) * SLACK
        else:
            owner = np.repeat(np.arange(node.n_windows), np.diff(node.offsets))
            np.add.at(out[node.input].T, node.candidates, here[:, owner].T * SLACK)
    return out
