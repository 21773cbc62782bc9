"""Which networks are nearly the same function on a domain, by a bound that is proved? `approximations`.

A unit that bends little on the domain is replaced by an affine function of what it reads, or by 0, which it is off by
at most its radius there; affine nodes are put into those that read them with coefficients rounded, which moves a row by
at most its rounding times how large the entries are that it reads. What that does to an output is at most so much times
the sum, over all ways to the output, of the absolute values of what is multiplied on the way.

Units and rows are replaced from the last to the first in thought, so that the bounds of each are those of the network
before any change; the sums hold for what is behind it, replaced or not, as a secant is no steeper than the steepest
piece.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import prod

import numpy as np

from reluatlas.deadline import look
from reluatlas.domain import Box, Segment, Slice
from reluatlas.exporters.rounded import magnitudes
from reluatlas.network.network import Network
from reluatlas.network.operators import Convolution, Sparse, apply_operator, mapped
from reluatlas.network.record import Affine, Breakpoints, Input
from reluatlas.simplification.draft import Draft, Writer, as_network
from reluatlas.simplification.fold import roughly_folded
from reluatlas.simplification.reduce_exactly import Candidate, Objective, tidied
from reluatlas.simplification.removals import Removal
from reluatlas.simplification.settle import Kept, split
from reluatlas.simplification.size import size_of
from reluatlas.simplification.unread import without_unread
from reluatlas.stable import knots
from reluatlas.stable.enclosure import SLACK, TINY, Enclosure
from reluatlas.stable.walk import Possible, possibilities
from reluatlas.typing import FloatArray

_FOR_UNITS = 0.999
"""The share of the tolerance that units may take; rounding needs next to nothing."""


def approximations(
    candidate: Candidate, net: Network, domain: Box | Slice | Segment, tolerance: float, objective: Objective
) -> Iterator[Candidate]:
    """Yield networks whose outputs differ from a candidate's by at most `tolerance` on the domain."""
    gone = list(candidate.gone)
    done = _without_units(candidate.draft, net, domain, tolerance * _FOR_UNITS, gone, is_flat=objective == "numbers")
    draft, error = (candidate.draft, np.zeros(net.n_outputs)) if done is None else done
    if done is not None:
        yield _made(draft, net, gone, error)
    rounded = _rounded(draft, net, domain)
    if rounded is not None:
        draft, more = rounded
        total = np.nextafter(error + more, np.inf)
        if np.all(total <= tolerance):
            gone = list(gone)
            yield _made(without_unread(draft, gone), net, gone, total)


def _made(draft: Draft, net: Network, gone: list[Removal], error: FloatArray) -> Candidate:
    network = as_network(draft, net)
    return Candidate(draft, network, size_of(network), tuple(gone), error)


def _rounded(draft: Draft, net: Network, domain: Box | Slice | Segment) -> tuple[Draft, FloatArray] | None:
    """Return a draft with affine nodes put into others, rounded, and by how much outputs are off."""
    with np.errstate(all="ignore"):
        sizes = magnitudes(as_network(draft, net), domain)
        made, errors = roughly_folded(draft, sizes)
        if not errors:
            return None
        share = effects(made, net.n_outputs)
        total = np.zeros(net.n_outputs)
        for t, error in errors.items():
            total = np.nextafter(total + share[t] @ error * SLACK, np.inf)
    return (made, total) if np.isfinite(total).all() else None


def _without_units(
    draft: Draft,
    net: Network,
    domain: Box | Slice | Segment,
    tolerance: float,
    gone: list[Removal],
    *,
    is_flat: bool,
) -> tuple[Draft, FloatArray] | None:
    """Return a draft in which the units that matter least are affine, or 0, and by how much outputs are off."""
    bends = {
        found.node: _bend(node, found, is_flat=is_flat)
        for found in possibilities(as_network(draft, net), domain)
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
    return tidied(writer.finish(draft.output), gone), total


def _bend(node: Breakpoints, found: Possible, *, is_flat: bool) -> knots.Bend:
    """Return the line that each unit is near, on the range of what it reads: the nearest, or 0."""
    n = node.slopes.shape[0]
    needed = found.needed.reshape(n, -1)
    first, last = needed.argmax(axis=1), needed.shape[1] - 1 - needed[:, ::-1].argmax(axis=1)
    # only its bounds are read
    z = Enclosure(np.zeros((1, n)), 0, np.zeros(n), found.low, found.high, np.zeros(n, dtype=bool), 0)
    with np.errstate(all="ignore"):
        by = knots.bend(node, z, knots.Pieces(first, last, first, last))
    if is_flat:
        radius = np.maximum(np.abs(by.low), np.abs(by.high))
        return by._replace(slope=np.zeros(n), shift=np.zeros(n), radius=radius)
    return by


def effects(draft: Draft, n_outputs: int) -> list[FloatArray]:
    """Return by how much each output can change where an entry of a tensor does by 1: (outputs, entries) by node."""
    out = [np.zeros((n_outputs, prod(node.shape))) for node in draft.nodes]
    out[draft.output][:] = np.eye(n_outputs)
    for t in range(len(draft.nodes) - 1, 0, -1):
        look()
        node, here = draft.nodes[t], out[t]
        if not here.any() or isinstance(node, Input):
            continue
        if isinstance(node, Affine):
            for source, operator in zip(node.inputs, node.operators, strict=True):
                part = apply_operator(_transposed_sizes(operator), here)
                out[source] += part * SLACK + np.where(part > 0.0, TINY, 0.0)
        elif isinstance(node, Breakpoints):
            out[node.input] += here * np.abs(node.slopes).max(axis=1) * SLACK
        else:
            owner = np.repeat(np.arange(node.n_windows), np.diff(node.offsets))
            np.add.at(out[node.input].T, node.candidates, here[:, owner].T * SLACK)
    return out


def _transposed_sizes(operator: object) -> Sparse | Convolution:
    """Return the transposed operator with the absolute values of its coefficients."""
    assert isinstance(operator, Sparse | Convolution)
    if isinstance(operator, Sparse):
        return replace(operator, values=np.abs(operator.values)).transposed
    size = mapped(operator, np.abs)
    assert isinstance(size, Convolution)
    return size.transposed
