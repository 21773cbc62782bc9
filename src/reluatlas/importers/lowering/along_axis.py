"""Which operators go along an axis in order: sorting, the largest few, running sums and maxima? Their nodes."""

from __future__ import annotations

import numpy as np

from reluatlas.errors import DimensionError
from reluatlas.importers.lowering.tensors import Lowering, Marks, Tensor, rearrange, weighted
from reluatlas.importers.lowering.windows import windows_of
from reluatlas.network.network import Gather

MAX_SORTED = 64  # entries of an axis that is sorted: longer ones make more max units than anybody can use


def ordered(low: Lowering, t: Tensor, axis: int, *, descending: bool = False) -> Tensor:
    """Return the tensor sorted along an axis, by a network of comparators: the larger and the smaller of two.

    The network is Batcher's odd-even merge sort (Batcher, 1968); two entries take one max and one min.
    """
    at = _axis(low, t, axis)
    length = t.shape[at]
    if length > MAX_SORTED:
        raise low.unsupported(f"it sorts an axis of {length} entries; the limit is {MAX_SORTED}.")
    lanes = np.moveaxis(t.marks(), at, -1).reshape(-1, length)
    now = rearrange(low, [t], lanes)
    for layer in comparators(length):
        now = _compared(low, now, np.array(layer), length)
    marks = now.marks()[:, ::-1] if descending else now.marks()
    moved = [n for i, n in enumerate(t.shape) if i != at]
    return rearrange(low, [now], np.moveaxis(marks.reshape(*moved, length), -1, at))


def comparators(length: int) -> list[list[tuple[int, int]]]:
    """Return layers of pairs of places (i, j), i < j; putting the smaller of each pair at i sorts any numbers."""
    layers, p = [], 1
    while p < length:
        k = p
        while k >= 1:
            layers.append(
                [
                    (i + j, i + j + k)
                    for j in range(k % p, length - k, 2 * k)
                    for i in range(min(k, length - j - k))
                    if (i + j) // (2 * p) == (i + j + k) // (2 * p)
                ]
            )
            k //= 2
        p *= 2
    return [layer for layer in layers if layer]


def _compared(low: Lowering, t: Tensor, pairs: Marks, length: int) -> Tensor:
    # one max node for all pairs of a layer: max(a, b) and -max(-a, -b)
    lanes, n = t.shape[0], len(pairs)
    low.spend(8 * lanes * n)
    first = np.arange(lanes, dtype=np.int64)[:, None] * length
    a, b = ((first + pairs[:, side]).reshape(-1) for side in (0, 1))
    signs = np.repeat([1.0, 1.0, -1.0, -1.0], a.size)
    candidates = low.affine([t], [Gather(np.concatenate([a, b, a, b]), signs, t.size)], None, signs.shape)
    marks = candidates.marks().reshape(2, 2, -1).transpose(0, 2, 1).reshape(-1, 2)
    larger = windows_of(low, candidates, marks, (2 * a.size,))
    source, sign = np.full(t.size, -1), np.ones(t.size)
    source[b], source[a], sign[a] = np.arange(a.size), a.size + np.arange(a.size), -1.0
    kept = np.where(source < 0, np.arange(t.size), -1)
    operators = [Gather(kept, np.ones(t.size), t.size), Gather(source, sign, larger.size)]
    both = [t, larger] if (kept >= 0).any() else [larger]
    return low.affine(both, operators[-len(both) :], None, t.shape)


def running(
    low: Lowering, t: Tensor, axis: int, *, kind: str = "sum", exclusive: bool = False, reverse: bool = False
) -> Tensor:
    """Return, along an axis, the "sum" or "max" of all entries up to each one, or from each on (`reverse`).

    `exclusive` leaves the entry itself out of the sums.
    """
    at = _axis(low, t, axis)
    length = t.shape[at]
    low.keep_size((*t.shape, length))
    low.spend(t.size * length)
    taps = np.tril(np.ones((length, length), dtype=bool), -1 if exclusive else 0)
    taps = taps[::-1, ::-1] if reverse else taps
    marks = np.moveaxis(t.marks(), at, -1)[..., None, :]
    marks = np.moveaxis(np.where(taps, marks, -1), -2, at).reshape(-1, length)
    if kind == "sum":
        return weighted(low, t, marks, np.ones((1, 1)), shape=t.shape)
    return windows_of(low, t, marks, t.shape)


def _axis(low: Lowering, t: Tensor, axis: int) -> int:
    rank = len(t.shape)
    if not -rank <= axis < rank:
        raise DimensionError(f"{low.label} has axis {axis} for a tensor of shape {t.shape}.")
    return axis % rank
