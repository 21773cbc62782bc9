"""Which entries of which tensors does the output need? The others go: `without_unread`.

A convolution reads, and gives, whole channels; all other nodes single entries.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from reluatlas.network.operators import Convolution, LinearOperator, Sparse
from reluatlas.network.record import Affine, Breakpoints, Input, Max, Shape
from reluatlas.simplification.draft import Draft, Writer
from reluatlas.simplification.removals import Removal
from reluatlas.typing import IntArray

Mask = NDArray[np.bool_]


def without_unread(draft: Draft, gone: list[Removal]) -> Draft:
    """Return a draft without the entries, and the nodes, that its output does not need."""
    zero = _zeros(draft)
    live = _live(draft, zero)
    writer = Writer()
    kept: dict[int, IntArray] = {}
    for t, node in enumerate(draft.nodes):
        origin = draft.origins.get(t)
        mask = live[t]
        if origin is not None:
            gone.extend(Removal(int(u), "unread") for u in origin[~mask])
        if not mask.any() and t != draft.output and not isinstance(node, Input):
            continue
        kept[t] = entries = np.flatnonzero(mask)
        shape = _shape(node.shape, mask)
        if isinstance(node, Input):
            writer.keep(draft, t)
        elif isinstance(node, Affine):
            inputs, operators = [], []
            for source, operator in zip(node.inputs, node.operators, strict=True):
                if source in kept:
                    part = _part(operator, mask, live[source], zero[source])
                    if part is not None:
                        inputs.append(writer.home[source])
                        operators.append(part)
            writer.home[t] = writer.affine(inputs, operators, node.bias[entries], shape, node.name)
        elif isinstance(node, Breakpoints):
            assert origin is not None
            place = np.searchsorted(kept[node.input], entries)
            source = writer.take(writer.home[node.input], place, node.name)
            made = replace(
                node, input=source, knots=node.knots[entries], slopes=node.slopes[entries],
                intercepts=node.intercepts[entries], shape=shape,
            )  # fmt: skip
            writer.home[t] = writer.add(made, origin[entries])
        else:
            assert isinstance(node, Max) and origin is not None
            windows = np.repeat(mask, np.diff(node.offsets))
            offsets = np.concatenate([[0], np.cumsum(np.diff(node.offsets)[mask])]).astype(np.int64)
            candidates = np.searchsorted(kept[node.input], node.candidates[windows])
            made = Max(writer.home[node.input], offsets, candidates, shape, node.name)
            writer.home[t] = writer.add(made, origin[entries])
    return writer.finish(draft.output)


def _shape(shape: Shape, mask: Mask) -> Shape:
    """Return the shape of what a mask leaves of a tensor: fewer channels, where whole ones go; else a vector."""
    if mask.all():
        return shape
    if len(shape) > 1:
        channels = mask.reshape(shape[0], -1)
        if np.array_equal(channels.any(axis=1), channels.all(axis=1)):
            return (int(channels.any(axis=1).sum()), *shape[1:])
    return (int(mask.sum()),)


def _zeros(draft: Draft) -> list[Mask]:
    """Return, for each tensor, which entries are zero because nothing makes them."""
    out: list[Mask] = []
    for node in draft.nodes:
        here = np.zeros(prod(node.shape), dtype=bool)
        if isinstance(node, Affine):
            here = node.bias == 0
            for source, operator in zip(node.inputs, node.operators, strict=True):
                if isinstance(operator, Sparse):
                    row = np.repeat(np.arange(operator.n_out), np.diff(operator.indptr))
                    here[row[~out[source][operator.indices]]] = False
                else:
                    assert isinstance(operator, Convolution)
                    here &= ~_made(operator, ~out[source])
        out.append(here)
    return out


def _made(operator: Convolution, entries: Mask) -> Mask:
    """Return the entries in those channels that read any of the `entries` of a convolution's input."""
    groups, (out, width, _) = operator.groups, operator.weight.shape
    inside = np.logical_or.reduce(entries.reshape(groups, width, -1), axis=2)
    reads = operator.weight.any(axis=2).reshape(groups, out // groups, width)
    channels = (reads & inside[:, None]).any(axis=2).reshape(-1)
    return np.repeat(channels, operator.places.shape[0])


def _live(draft: Draft, zero: list[Mask]) -> list[Mask]:
    """Return the entries of each tensor that are needed; of what convolutions read or give, whole channels."""
    live = [np.zeros(prod(node.shape), dtype=bool) for node in draft.nodes]
    live[0][:] = True
    live[draft.output][:] = True
    wide = _whole_channels(draft)
    for t in range(len(draft.nodes) - 1, 0, -1):
        node, mask = draft.nodes[t], live[t]
        if not mask.any():
            continue
        for n_parts in wide[t]:
            parts: NDArray[np.bool_] = mask.reshape(n_parts, -1)
            parts[parts.any(axis=1)] = True
        if isinstance(node, Affine):
            for source, operator in zip(node.inputs, node.operators, strict=True):
                if isinstance(operator, Sparse):
                    rows = np.repeat(mask, np.diff(operator.indptr))
                    columns = operator.indices[rows]
                    live[source][columns[~zero[source][columns]]] = True
                else:
                    assert isinstance(operator, Convolution)
                    live[source] |= _read(operator, mask, ~zero[source])
        elif isinstance(node, Breakpoints):
            live[node.input] |= mask
        elif isinstance(node, Max):
            live[node.input][node.candidates[np.repeat(mask, np.diff(node.offsets))]] = True
    return live


def _whole_channels(draft: Draft) -> list[set[int]]:
    """Return, for each tensor, into how many parts those divide it who need whole ones: channels, or groups of them."""
    wide: list[set[int]] = [set() for _ in draft.nodes]
    for t, node in enumerate(draft.nodes):
        if isinstance(node, Affine):
            for source, operator in zip(node.inputs, node.operators, strict=True):
                if isinstance(operator, Convolution):
                    groups, (out, width, _) = operator.groups, operator.weight.shape
                    wide[t].add(groups if groups > 1 else out)
                    wide[source].add(groups if groups > 1 else width)
    return wide


def _read(operator: Convolution, rows: Mask, there: Mask) -> Mask:
    """Return the entries that rows of a convolution need: channels, in which something is there."""
    groups, (out, width, _) = operator.groups, operator.weight.shape
    given = np.logical_or.reduce(rows.reshape(groups, out // groups, -1), axis=2)
    reads = operator.weight.any(axis=2).reshape(groups, out // groups, width)
    channels = np.logical_or.reduce(reads & given[:, :, None], axis=1) & there.reshape(groups, width, -1).any(axis=2)
    if groups > 1:
        channels[channels.any(axis=1)] = True
    return np.repeat(channels.reshape(-1), operator.n_positions)


def _part(operator: LinearOperator, rows: Mask, columns: Mask, zero: Mask) -> LinearOperator | None:
    """Return an operator from the columns that are kept to the rows that are kept; None where it is zero."""
    if isinstance(operator, Sparse):
        row = np.repeat(np.arange(operator.n_out), np.diff(operator.indptr))
        held = rows[row] & columns[operator.indices] & ~zero[operator.indices]
        if not held.any():
            return None
        place = np.cumsum(columns) - 1
        order = np.cumsum(rows) - 1
        indptr = np.searchsorted(order[row[held]], np.arange(int(rows.sum()) + 1)).astype(np.int64)
        values = operator.values[held]
        return Sparse(indptr, place[operator.indices[held]], values, int(columns.sum()), operator.denominator)
    assert isinstance(operator, Convolution)
    groups, (out, width, taps) = operator.groups, operator.weight.shape
    inside = columns.reshape(groups * width, -1).any(axis=1)
    given = rows.reshape(out, -1).any(axis=1)
    if groups == 1:
        weight = operator.weight[given][:, inside]
        return (
            Convolution(np.ascontiguousarray(weight), operator.places, operator.n_positions) if weight.any() else None
        )
    kept = given.reshape(groups, -1).any(axis=1)
    if not np.array_equal(kept, inside.reshape(groups, -1).any(axis=1)):
        # groups whose input is gone give nothing, groups that give nothing are not read: rows tell it all
        return _part(operator.sparse, rows, columns, zero)
    weight = operator.weight.reshape(groups, out // groups, width, taps)[kept].reshape(-1, width, taps)
    return Convolution(np.ascontiguousarray(weight), operator.places, operator.n_positions, int(kept.sum()))
