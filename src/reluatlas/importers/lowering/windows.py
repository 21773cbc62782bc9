"""Which entries of an image does each output read? Convolutions, pools and resizing, for any number of axes.

Along one axis, an array (out, taps) says at which position of the input each tap of each output is: -1 on the
padding. `spread` joins the axes to positions of the whole image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor, lcm, prod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reluatlas.errors import DimensionError
from reluatlas.importers.lowering.tensors import Lowering, Marks, Tensor, absolute, rearrange, weighted
from reluatlas.network.network import Convolution, Dense, Shape


@dataclass(frozen=True)
class Window:
    """How a kernel moves along one axis.

    Attributes
    ----------
    kernel, stride, dilation : int
    before, after : int
        Padding.
    """

    kernel: int
    stride: int = 1
    dilation: int = 1
    before: int = 0
    after: int = 0

    @property
    def reach(self) -> int:
        """Number of positions from the first to the last tap."""
        return (self.kernel - 1) * self.dilation + 1

    def length(self, size: int, *, ceil: bool = False) -> int:
        """Return the number of outputs on an axis; with `ceil`, a last window that starts on the axis may hang over."""
        room = size + self.before + self.after - self.reach
        if not ceil:
            return room // self.stride + 1
        out = -(-room // self.stride) + 1
        return out - 1 if (out - 1) * self.stride >= size + self.before else out

    def taps(self, size: int, out: int) -> Marks:
        """Return the position of each tap of each output: below 0 or from `size` on where it is on the padding."""
        start = np.arange(out, dtype=np.int64)[:, None] * self.stride - self.before
        return start + np.arange(self.kernel, dtype=np.int64) * self.dilation

    def turned_taps(self, size: int, out: int) -> Marks:
        """Return the same for the transposed convolution: -1 where a tap gives nothing."""
        start = np.arange(out, dtype=np.int64)[:, None] + self.before
        reached = start - np.arange(self.kernel, dtype=np.int64) * self.dilation
        return np.where(reached % self.stride == 0, reached // self.stride, -1)

    def same(self, size: int, *, upper: bool) -> Window:
        """Return the window padded so that there are ceil(size / stride) outputs."""
        out = -(-size // self.stride)
        total = max(0, (out - 1) * self.stride + self.reach - size)
        small, large = total // 2, total - total // 2
        before, after = (small, large) if upper else (large, small)
        return Window(self.kernel, self.stride, self.dilation, before, after)


def check_windows(low: Lowering, windows: Sequence[Window], sizes: Sequence[int]) -> None:
    """Raise when a window makes no sense on its axis."""
    if len(windows) != len(sizes):
        raise DimensionError(f"{low.label} has a kernel of {len(windows)} axes for an image of {len(sizes)}.")
    for w in windows:
        if min(w.kernel, w.stride, w.dilation) < 1 or min(w.before, w.after) < 0:
            raise DimensionError(f"{low.label} has kernel, stride or dilation below 1, or negative padding: {w}.")


def window_taps(
    low: Lowering, windows: Sequence[Window], sizes: Sequence[int], outs: Sequence[int], *, turned: bool = False
) -> list[Marks]:
    """Return the taps along each axis, once the outputs are some and there is room for the taps of all together."""
    if min(outs) < 1:
        raise DimensionError(f"{low.label} has an image of shape {tuple(sizes)}, too small for its kernel.")
    low.keep_size(outs)
    low.spend(
        prod(outs) * prod(w.kernel for w in windows) + sum(o * w.kernel for o, w in zip(outs, windows, strict=True))
    )
    each = zip(windows, sizes, outs, strict=True)
    return [w.turned_taps(n, o) if turned else w.taps(n, o) for w, n, o in each]


def spread(axes: Sequence[Marks], sizes: Sequence[int]) -> Marks:
    """Return positions of the image (out positions, taps), -1 on the padding, from the positions along each axis."""
    places = np.zeros((1, 1), dtype=np.int64)
    for taps, size in zip(axes, sizes, strict=True):
        inside = (taps >= 0) & (taps < size)
        both = (places >= 0)[:, None, :, None] & inside[None, :, None, :]
        joined = places[:, None, :, None] * size + taps[None, :, None, :]
        places = np.where(both, joined, -1).reshape(places.shape[0] * taps.shape[0], -1)
    return places


def image_shape(low: Lowering, t: Tensor, what: str = "input") -> tuple[int, int, Shape]:
    """Return the batch's length, the number of channels and the lengths of the other axes."""
    if len(t.shape) < 3:
        raise DimensionError(f"{low.label} has {what} of shape {t.shape}; expected (batch, channels, length, ...).")
    return t.shape[0], t.shape[1], t.shape[2:]


def convolve(
    low: Lowering,
    t: Tensor,
    weight: ArrayLike,
    bias: ArrayLike | None,
    windows: Sequence[Window],
    *,
    groups: int = 1,
    turned: bool = False,
    extra: Sequence[int] | None = None,
) -> Tensor:
    """Return the convolution (cross-correlation) of a batch of images, or the transposed one.

    Parameters
    ----------
    weight : array_like
        (out, in of one group, *kernel); transposed: (in, out of one group, *kernel).
    turned : bool
        Whether it is a transposed convolution.
    extra : sequence of int, optional
        Entries to append to each axis of a transposed convolution's output.
    """
    batch, channels, sizes = image_shape(low, t)
    taps = low.coefficients(weight, "the weights")
    check_windows(low, windows, sizes)
    if groups < 1 or taps.ndim != len(sizes) + 2 or taps.shape[2:] != tuple(w.kernel for w in windows):
        raise DimensionError(f"{low.label} has weights of shape {taps.shape} and {groups} groups for shape {t.shape}.")
    inner = channels // groups
    if turned:
        if taps.shape[0] != channels or channels % groups:
            raise DimensionError(f"{low.label} has weights of shape {taps.shape} for an input of shape {t.shape}.")
        grouped = taps.reshape(groups, inner, *taps.shape[1:])
        taps = np.swapaxes(grouped, 1, 2).reshape(groups * taps.shape[1], inner, *taps.shape[2:])
        outs = [
            (n - 1) * w.stride - w.before - w.after + w.reach + e
            for n, w, e in zip(sizes, windows, extra or [0] * len(sizes), strict=True)
        ]
    else:
        if taps.shape[1] * groups != channels or taps.shape[0] % groups:
            raise DimensionError(f"{low.label} has weights of shape {taps.shape} for an input of shape {t.shape}.")
        outs = [w.length(n) for w, n in zip(windows, sizes, strict=True)]
    low.keep_size((batch, taps.shape[0], *(max(o, 0) for o in outs)))
    axes = window_taps(low, windows, sizes, outs, turned=turned)
    offset = None
    if bias is not None:
        given = low.coefficients(bias, "the bias").reshape(-1)
        if given.size != taps.shape[0]:
            raise DimensionError(f"{low.label} has {given.size} biases for {taps.shape[0]} channels.")
        offset = given.reshape(-1, *(1,) * len(sizes))
    operator = Convolution(
        np.ascontiguousarray(taps.reshape(taps.shape[0], taps.shape[1], -1)), spread(axes, sizes), prod(sizes), groups
    )
    shape = (1, taps.shape[0], *outs)
    whole = operator.sparse if operator.places.shape[0] == 1 and groups == 1 else None
    if whole is not None and whole.values.size * 2 >= whole.n_in * whole.n_out:  # one position: a dense layer
        made = Dense(np.ascontiguousarray(whole.numerators.toarray()))
    else:
        made = operator
    if batch == 1:
        return low.affine([t], [made], offset, shape)
    images = [low.affine([rearrange(low, [t], t.marks()[i : i + 1])], [made], offset, shape) for i in range(batch)]
    marks = np.concatenate([u.marks() + i * u.size for i, u in enumerate(images)])
    return rearrange(low, images, marks)


def average_pool(
    low: Lowering,
    t: Tensor,
    windows: Sequence[Window],
    *,
    ceil: bool = False,
    count_padding: bool = False,
    divisor: int | None = None,
) -> Tensor:
    """Return the averages of windows; the padding is counted or not, or the sum is divided by a given number."""
    _, _, sizes = image_shape(low, t)
    check_windows(low, windows, sizes)
    outs = [w.length(n, ceil=ceil) for w, n in zip(windows, sizes, strict=True)]
    axes = window_taps(low, windows, sizes, outs)
    counts = np.ones(1, dtype=np.int64)
    for taps, w, n in zip(axes, windows, sizes, strict=True):
        first, end = (-w.before, n + w.after) if count_padding else (0, n)
        here = ((taps >= first) & (taps < end)).sum(axis=1)
        counts = (counts[:, None] * here).reshape(-1)
    return average(low, t, spread(axes, sizes), outs, counts if divisor is None else np.full_like(counts, divisor))


def adaptive_windows(size: int, out: int) -> list[range]:
    """Return the positions of each window when `out` windows share an axis as torch shares it."""
    return [range(i * size // out, -(-(i + 1) * size // out)) for i in range(out)]


def adaptive_places(low: Lowering, t: Tensor, outs: Sequence[int]) -> Marks:
    """Return the places of adaptive windows, padded with -1."""
    _, _, sizes = image_shape(low, t)
    low.keep_size([max(o, 0) for o in outs])
    low.spend(prod(-(-n // max(o, 1)) * o + o for n, o in zip(sizes, outs, strict=False)))
    if len(outs) != len(sizes) or min(outs) < 1:
        raise DimensionError(f"{low.label} makes images of shape {tuple(outs)} of those of shape {sizes}.")
    axes = []
    for n, o in zip(sizes, outs, strict=True):
        runs = adaptive_windows(n, o)
        width = max(len(r) for r in runs)
        axes.append(np.array([[*r] + [-1] * (width - len(r)) for r in runs], dtype=np.int64))
    return spread(axes, sizes)


def average(low: Lowering, t: Tensor, places: Marks, outs: Sequence[int], counts: NDArray) -> Tensor:
    """Return, for each channel, the sum over the places (out positions, taps) of an image divided by the counts."""
    if counts.min() < 1:
        raise low.unsupported("a window of it holds no entry of the image.")
    shared = lcm(*np.unique(counts).tolist())
    return _per_channel(low, t, places, np.asarray(shared // counts, dtype=np.float64)[:, None], outs, shared)


def largest(low: Lowering, t: Tensor, places: Marks, outs: Sequence[int]) -> Tensor:
    """Return, for each channel, the largest of each row of places (out positions, taps); -1 is left out."""
    batch, channels, sizes = image_shape(low, t)
    shape = (batch, channels, *outs)
    low.keep_size(shape)
    inside = places >= 0
    if not inside.any(axis=1).all():
        raise low.unsupported("a window of it holds no entry of the image.")
    low.spend(batch * channels * places.size)
    first = np.arange(batch * channels, dtype=np.int64)[:, None, None] * prod(sizes)
    marks = np.where(inside, places + first, -1).reshape(-1, places.shape[1])
    return windows_of(low, t, marks, shape)


def max_pool(low: Lowering, t: Tensor, windows: Sequence[Window], *, ceil: bool = False) -> Tensor:
    """Return the largest entries of windows."""
    _, _, sizes = image_shape(low, t)
    check_windows(low, windows, sizes)
    outs = [w.length(n, ceil=ceil) for w, n in zip(windows, sizes, strict=True)]
    axes = window_taps(low, windows, sizes, outs)
    return largest(low, t, spread(axes, sizes), outs)


def reduced(low: Lowering, t: Tensor, axes: Sequence[int] | None, *, keep: bool, kind: str) -> Tensor:
    """Return the "mean", "sum", "max" or "min" over some axes (None: all); "l1" or "linf": the sum or max of |z|."""
    if kind in ("l1", "linf"):
        t = absolute(low, t)
        kind = "sum" if kind == "l1" else "max"
    rank = len(t.shape)
    chosen = range(rank) if axes is None else [int(a) for a in axes]
    if any(not -rank <= a < rank for a in chosen):
        raise DimensionError(f"{low.label} reduces axes {list(chosen)} of a tensor of shape {t.shape}.")
    over = sorted({a % rank for a in chosen})
    rest = [a for a in range(rank) if a not in over]
    count = prod(t.shape[a] for a in over)
    marks = t.marks().transpose(*rest, *over).reshape(*(t.shape[a] for a in rest), count)
    shape = tuple(1 if a in over else n for a, n in enumerate(t.shape)) if keep else marks.shape[:-1]
    if count < 1:
        raise DimensionError(f"{low.label} reduces no entries of a tensor of shape {t.shape}.")
    flat = marks.reshape(-1, count)
    low.spend(t.size)
    if kind in ("max", "min"):
        if kind == "max":
            return windows_of(low, t, flat, shape)
        negative = rearrange(low, [t], t.marks(), -1.0)
        top = windows_of(low, negative, flat, shape)
        return rearrange(low, [top], top.marks(), -1.0)
    return weighted(low, t, flat, np.ones((1, 1)), count if kind == "mean" else 1, shape=shape)


def pad(
    low: Lowering, t: Tensor, before: Sequence[int], after: Sequence[int], *, value: float = 0.0, mode: str = "constant"
) -> Tensor:
    """Return the tensor padded along each axis, in one of NumPy's modes; a negative number of entries is cut off."""
    if len(before) != len(t.shape) or len(after) != len(t.shape):
        raise DimensionError(f"{low.label} has paddings {list(before)} and {list(after)} for shape {t.shape}.")
    marks = t.marks()
    marks = marks[tuple(slice(max(0, -a), n - max(0, -b)) for a, b, n in zip(before, after, t.shape, strict=True))]
    low.keep_size([n + max(0, a) + max(0, b) for n, a, b in zip(marks.shape, before, after, strict=True)])
    if not marks.size:
        raise DimensionError(f"{low.label} cuts all entries off a tensor of shape {t.shape}.")
    widths = [(max(0, a), max(0, b)) for a, b in zip(before, after, strict=True)]
    options: dict[str, Any] = {"mode": mode, **({"constant_values": -1} if mode == "constant" else {})}
    fill = float(low.coefficients(value, "the padding"))
    return rearrange(low, [t], np.pad(marks, widths, **options), fill=fill)


def resample(low: Lowering, t: Tensor, rows: Sequence[Sequence[Sequence[tuple[int, Fraction]]]]) -> Tensor:
    """Return the images whose entries are weighted sums: `rows[axis][out]` lists (position, weight) along an axis."""
    _, _, sizes = image_shape(low, t)
    outs = [len(axis) for axis in rows]
    places, weights, shared = [], np.ones((1, 1)), 1
    low.keep_room(t.shape[0] * t.shape[1] * prod(len(axis) * max(len(row) for row in axis) for axis in rows))
    for axis in rows:
        width = max(len(row) for row in axis)
        # powers of two stay with the weights, where they are exact
        odd = lcm(*(_odd_part(w.denominator) for row in axis for _, w in row))
        taps = np.full((len(axis), width), -1, dtype=np.int64)
        factors, rounded = np.zeros((len(axis), width)), odd > low.room_for_denominators(t) // shared
        for i, row in enumerate(axis):
            for k, (position, w) in enumerate(row):
                number = w if rounded else w * odd
                taps[i, k], factors[i, k] = position, float(number)
                rounded |= Fraction(factors[i, k]) != number
        low.note_rounding(rounded, "weights of the interpolation are rounded to float64")
        shared *= 1 if odd > low.room_for_denominators(t) // shared else odd
        places.append(taps)
        weights = weights[:, None, :, None] * factors[None, :, None, :]
        weights = weights.reshape(-1, weights.shape[2] * weights.shape[3])
    return _per_channel(low, t, spread(places, sizes), weights, outs, shared)


def linear_row(place: Fraction, size: int) -> list[tuple[int, Fraction]]:
    """Return the positions and weights that interpolate linearly at a place; outside, the value at the border."""
    place = min(max(place, Fraction(0)), Fraction(size - 1))
    first = min(floor(place), size - 1)
    share = place - first
    return [(first, 1 - share)] + ([(first + 1, share)] if share else [])


def _odd_part(number: int) -> int:
    return number // (number & -number)


def windows_of(low: Lowering, t: Tensor, marks: Marks, shape: Sequence[int]) -> Tensor:
    """Return, in a shape, the largest entry of each row of marks; negative marks are left out."""
    inside = marks >= 0
    if inside.all():
        windows: list[NDArray] | NDArray = marks
    else:
        windows = [row[use] for row, use in zip(marks, inside, strict=True)]
    node = low.builder.max_windows(t.node, windows, shape=low.node_shape(shape), name=low.name)
    return Tensor(node, tuple(shape))


def _per_channel(
    low: Lowering, t: Tensor, places: Marks, weights: NDArray, outs: Sequence[int], divisor: int
) -> Tensor:
    batch, channels, sizes = image_shape(low, t)
    shape = (batch, channels, *outs)
    low.keep_size(shape)
    low.spend(batch * channels * places.size)
    first = np.arange(batch * channels, dtype=np.int64)[:, None, None] * prod(sizes)
    marks = np.where(places >= 0, places + first, -1).reshape(-1, places.shape[1])
    every = np.broadcast_to(weights, (batch * channels, *places.shape)).reshape(-1, places.shape[1])
    return weighted(low, t, marks, every, divisor, shape=shape)
