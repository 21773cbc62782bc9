"""How does one operation of a model, of any framework, become nodes of a network? By these functions.

The operator tables of ONNX and torch call them: the tables read a framework's arguments, and
these functions decide which nodes to add. A tensor keeps the shape that it
has in the model, batch axis of length 1 and all; rearranging entries (reshape, transpose, slice,
concatenate, ...) is told by `marks`: an integer array that says which entry comes where, which
the tables get by running the framework's own operator on the numbers 0, 1, 2, ...
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import lcm, prod

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reluatlas.errors import DimensionError, UnsupportedLayerError
from reluatlas.importers.lowering.weights import (
    MADE_PER_STORED,
    MAX_ENTRIES,
    MAX_MADE,
    MAX_MATRIX_ENTRIES,
    as_float64,
    product,
    reciprocal,
)
from reluatlas.network.build import Builder
from reluatlas.network.network import Affine, Dense, Gather, Input, LinearOperator, Shape, Sparse
from reluatlas.network.operators import denominator

Marks = NDArray[np.int64]

MAX_NAME = 80  # characters of a node's name in messages
MAX_DENOMINATOR = 2**32  # of the ratios that a tensor holds
MAX_DIVISOR = 2**16  # odd part of a divisor that is kept


@dataclass(frozen=True)
class Tensor:
    """A tensor of the model that depends on the input.

    Attributes
    ----------
    node : int
        The network's node that holds its entries, flat.
    shape : tuple of int
        Its shape in the model.
    dropped : str
        The final softmax or sigmoid that was dropped in front of it, or "".
    """

    node: int
    shape: Shape
    dropped: str = ""

    @property
    def size(self) -> int:
        """Number of entries."""
        return prod(self.shape)

    def marks(self) -> Marks:
        """Return the numbers of its entries, in its shape."""
        return np.arange(self.size, dtype=np.int64).reshape(self.shape)


Value = Tensor | np.ndarray


@dataclass(frozen=True)
class Checkpoint:
    """A tensor of the model, what messages call its maker, and the node that must hold the same values."""

    name: str
    label: str
    node: int


@dataclass
class Lowering:
    """The network under construction, and the model's node being lowered.

    Attributes
    ----------
    builder : Builder
    has_batch : bool
        Whether the model's tensors have a batch axis (of length 1) that the network's do not.
    name, operator : str
        The model's node being lowered, for messages and for the names of nodes.
    checkpoints : list of Checkpoint
    stored : int
        How many numbers the model stores: a model of few may make only so many; see `spend`.
    """

    builder: Builder
    has_batch: bool = True
    name: str = ""
    operator: str = ""
    checkpoints: list[Checkpoint] = field(default_factory=list)
    stored: int = 2**32
    _spent: int = 0
    _denominators: list[int] = field(default_factory=list)

    @property
    def label(self) -> str:
        """How messages call the model's node."""
        name = self.name if len(self.name) <= MAX_NAME else f"{self.name[:MAX_NAME]}..."
        return f"{self.operator} node `{name}`"

    def unsupported(self, reason: str) -> UnsupportedLayerError:
        """Return the error that this node cannot be imported."""
        return UnsupportedLayerError(f"{self.label} is not supported: {reason}")

    def node_shape(self, shape: Sequence[int]) -> Shape:
        """Return a tensor's shape without the batch axis."""
        inner = shape[1:] if self.has_batch and shape and shape[0] == 1 else shape
        return tuple(int(s) for s in inner) or (1,)

    def coefficients(self, values: ArrayLike, what: str) -> NDArray[np.float64]:
        """Return constants in float64, once they are found to be finite; note it when they had to be rounded."""
        label = f"{what} of {self.label}"
        array, rounded = as_float64(values, label)
        self.note_rounding(rounded, f"{what} is rounded to float64")
        return array

    def note_rounding(self, rounded: bool, text: str) -> None:
        """Record a coefficient that had to be rounded."""
        if rounded:
            self.builder.note("rounded", self.name, text)

    def checkpoint(self, name: str, t: Tensor) -> None:
        """Record that the tensor is the model's tensor `name`."""
        self.checkpoints.append(Checkpoint(name, self.label, t.node))

    def affine(
        self,
        inputs: Sequence[Tensor],
        operators: Sequence[LinearOperator],
        bias: ArrayLike | None,
        shape: Sequence[int],
    ) -> Tensor:
        """Add an affine node."""
        self.keep_size(shape)
        flat = None if bias is None else np.broadcast_to(np.asarray(bias), shape).reshape(-1)
        node = self.builder.affine(
            [t.node for t in inputs], operators, flat, shape=self.node_shape(shape), name=self.name
        )
        return Tensor(node, tuple(shape))

    def room_for_denominators(self, t: Tensor) -> int:
        """Return by how large a number an operator on a tensor may divide, as a ratio that is kept."""
        return MAX_DENOMINATOR // self._denominator(t.node)

    def _denominator(self, node: int) -> int:
        # what the node's values are ratios over; nodes before it are known already, so this never goes deep
        for i in range(len(self._denominators), node + 1):
            here = self.builder.nodes[i]
            if isinstance(here, Affine):
                pairs = zip(here.inputs, here.operators, strict=True)
                self._denominators.append(lcm(*(self._denominators[s] * denominator(o) for s, o in pairs)))
            else:
                self._denominators.append(1 if isinstance(here, Input) else self._denominators[here.input])
        return self._denominators[node]

    def keep_size(self, shape: Sequence[int]) -> None:
        """Raise when a tensor of this shape would be larger than the limit."""
        if prod(int(s) for s in shape) > MAX_ENTRIES:
            raise DimensionError(
                f"{self.label} makes a tensor of shape {tuple(shape)}; the limit is {MAX_ENTRIES:,} entries."
            )

    def spend(self, count: int) -> None:
        """Take room for numbers that say where entries go, before they are made.

        Raises
        ------
        DimensionError
            When all nodes together need more than `MAX_MADE`, or `MADE_PER_STORED` for each stored number.
        """
        self.keep_room(count)
        self._spent += int(count)

    def keep_room(self, count: int) -> None:
        """Raise when there is no room for so many numbers; see `spend`."""
        needed, limit = self._spent + int(count), max(MAX_MADE, MADE_PER_STORED * self.stored)
        if needed > limit:
            raise DimensionError(
                f"{self.label} needs {int(count):,} numbers that say which entries it reads, with those before it "
                f"{needed:,}; the limit for this model is {limit:,}. Use a smaller input, kernel or padding."
            )


def rearrange(
    low: Lowering, tensors: Sequence[Tensor], marks: Marks, scale: float = 1.0, *, fill: float = 0.0
) -> Tensor:
    """Return the tensor whose entries `marks` picks from the entries of `tensors`, one after another.

    A negative mark gives `fill`. Nothing is added where only the shape changes.
    """
    low.keep_size(marks.shape)
    flat = marks.reshape(-1)
    dropped = next((t.dropped for t in tensors if t.dropped), "")
    if len(tensors) == 1 and scale == 1.0 and flat.size == tensors[0].size and np.all(flat == np.arange(flat.size)):
        return Tensor(tensors[0].node, marks.shape, tensors[0].dropped)
    taken: dict[int, Marks] = {}  # a tensor that is given several times is read once
    used, start = [], 0
    for t in tensors:
        inside = (flat >= start) & (flat < start + t.size)
        if inside.any():
            if t.node not in taken:
                low.spend(flat.size)
                used.append(t)
                taken[t.node] = np.full(flat.size, -1, dtype=np.int64)
            taken[t.node][inside] = flat[inside] - start
        start += t.size
    operators = [Gather(taken[t.node], np.full(flat.size, scale), t.size) for t in used]
    made = low.affine(used, operators, None if fill == 0 else np.where(marks < 0, fill, 0.0), marks.shape)
    return Tensor(made.node, made.shape, dropped)


def broadcast(low: Lowering, t: Tensor, shape: Sequence[int]) -> Tensor:
    """Return the tensor repeated to a shape, as NumPy broadcasts."""
    low.keep_size(shape)
    return rearrange(low, [t], np.broadcast_to(t.marks(), shape))


def combine(low: Lowering, tensors: Sequence[Tensor], scales: Sequence[float]) -> Tensor:
    """Return `sum_i scales[i] * tensors[i]`, broadcast as NumPy does."""
    shape = common_shape(low, [t.shape for t in tensors])
    low.spend(len(tensors) * prod(shape))
    operators = [
        Gather(np.array(np.broadcast_to(t.marks(), shape)).reshape(-1), np.full(prod(shape), float(s)), t.size)
        for t, s in zip(tensors, scales, strict=True)
    ]
    return low.affine(tensors, operators, None, shape)


def common_shape(low: Lowering, shapes: Sequence[Shape]) -> Shape:
    """Return the shape that several broadcast to."""
    try:
        shape = np.broadcast_shapes(*shapes)
    except ValueError:
        raise DimensionError(f"{low.label} joins shapes {', '.join(map(str, shapes))}, which do not fit.") from None
    low.keep_size(shape)
    return shape


def scale_shift(low: Lowering, t: Tensor, scale: ArrayLike = 1.0, shift: ArrayLike = 0.0) -> Tensor:
    """Return `scale * t + shift` for constants, broadcast as NumPy does."""
    factor, offset = low.coefficients(scale, "the constant"), low.coefficients(shift, "the constant")
    shape = common_shape(low, [t.shape, factor.shape, offset.shape])
    low.spend(prod(shape))
    index = np.array(np.broadcast_to(t.marks(), shape)).reshape(-1)
    gather = Gather(index, np.array(np.broadcast_to(factor, shape)).reshape(-1), t.size)
    return low.affine([t], [gather], offset, shape)


def divide(low: Lowering, t: Tensor, divisor: ArrayLike) -> Tensor:
    """Return `t / divisor`: exact for one whole number (times a power of two), else its reciprocal is rounded once."""
    inverse, rounded = reciprocal(divisor, f"the divisor of {low.label}")
    given = np.asarray(divisor, dtype=np.float64)
    if rounded and given.size == 1:
        top, bottom = Fraction(float(given.reshape(()))).as_integer_ratio()
        odd = abs(top) // (top & -top)
        if odd <= min(MAX_DIVISOR, low.room_for_denominators(t)):
            shape = common_shape(low, [t.shape, given.shape])
            factor = float(Fraction(odd * bottom, top))
            return weighted(low, t, t.marks().reshape(-1, 1), np.full((1, 1), factor), odd, shape=shape)
    low.note_rounding(rounded, "division by a constant: its reciprocal is rounded to float64")
    return scale_shift(low, t, inverse)


def contract(low: Lowering, t: Tensor, marks: Marks, weights: NDArray, bias: ArrayLike | None = None) -> Tensor:
    """Return `out[...] = sum_k weights[..., k] * t[marks[..., k]] + bias[...]`.

    `marks` and `weights` are broadcast to one shape; the marks of one output must differ.
    """
    shape = np.broadcast_shapes(marks.shape, weights.shape)
    low.keep_size(shape[:-1])
    take = np.broadcast_to(marks, shape).reshape(-1, shape[-1])
    factors = np.broadcast_to(weights, shape).reshape(-1, shape[-1])
    return weighted(low, t, take, factors, bias=bias, shape=shape[:-1])


def weighted(
    low: Lowering,
    t: Tensor,
    marks: Marks,
    weights: NDArray,
    divisor: int = 1,
    *,
    shape: Sequence[int],
    bias: ArrayLike | None = None,
) -> Tensor:
    """Return `out[i] = sum_k weights[i, k] * t[marks[i, k]] / divisor + bias[i]`, in a shape; negative marks give 0.

    `weights` are broadcast to the marks' shape. The divisor is kept as it is, unless too many of them follow on
    each other: then the weights are rounded, with a note. The marks of one output must differ.
    """
    _keep_matrix(low, marks.size, 1)
    factors = np.broadcast_to(np.asarray(weights, dtype=np.float64), marks.shape)
    used = (marks >= 0) & (factors != 0)
    indptr = np.concatenate([[0], np.cumsum(used.sum(axis=1))]).astype(np.int64)
    values = factors[used]
    if divisor > low.room_for_denominators(t):
        values = values / divisor
        low.note_rounding(True, f"weights over {divisor} are rounded to float64")
        divisor = 1
    operator: LinearOperator = Sparse(indptr, marks[used], values, t.size, divisor)
    if divisor == 1 and 2 * values.size >= marks.shape[0] * t.size:
        matrix = np.zeros((marks.shape[0], t.size))
        matrix[np.nonzero(used)[0], marks[used]] = values
        operator = Dense(matrix)
    return low.affine([t], [operator], bias, shape)


def matmul(low: Lowering, t: Tensor, matrix: ArrayLike, *, constant: str, bias: ArrayLike | None = None) -> Tensor:
    """Return `t @ matrix` (`constant="right"`) or `matrix @ t` ("left"), by NumPy's rules for stacks and vectors.

    `bias`, when given, is added and broadcast.
    """
    other = low.coefficients(matrix, "the matrix")
    offset = None if bias is None else low.coefficients(bias, "the bias")
    left, right = (t.shape, other.shape) if constant == "right" else (other.shape, t.shape)
    if not left or not right or left[-1] != right[-2 if len(right) > 1 else 0]:
        raise DimensionError(f"{low.label} multiplies shapes {left} and {right}, which do not fit.")
    stack = common_shape(low, [left[:-2], right[:-2]])
    final = stack + left[-2:-1] + (right[-1:] if len(right) > 1 else ())
    full = final if offset is None else common_shape(low, [final, offset.shape])
    depth = left[-1]
    if t.size == depth and other.size == depth * prod(final) and full == final:  # one vector: no unrolling
        rows = other.reshape(-1, depth) if constant == "left" else other.reshape(depth, -1).T
        if other.ndim <= 2:
            return low.affine([t], [Dense(np.ascontiguousarray(rows))], offset, final)
    _keep_matrix(low, prod(full), t.size)
    low.spend(prod(full) * depth)
    # entry (i, j) of a product sums over k row i of the left factor times column j of the right one
    ours: NDArray
    theirs: NDArray
    ours, theirs = (t.marks(), other) if constant == "right" else (other, t.marks())
    ours = ours[..., None, :] if ours.ndim > 1 else ours
    theirs = np.swapaxes(theirs, -1, -2)[..., None, :, :] if theirs.ndim > 1 else theirs
    if right[1:] == ():  # a vector on the right has no column axis
        ours = ours[..., 0, :] if ours.ndim > 1 else ours
    elif left[1:] == ():  # a vector on the left has no row axis
        theirs = theirs[..., 0, :, :]
    marks, weights = (ours, theirs) if constant == "right" else (theirs, ours)
    return contract(low, t, np.broadcast_to(marks, (*full, depth)), np.broadcast_to(weights, (*full, depth)), offset)


def _keep_matrix(low: Lowering, rows: int, columns: int) -> None:
    if rows * columns > MAX_MATRIX_ENTRIES:
        raise DimensionError(
            f"{low.label} needs a dense matrix of {rows:,} x {columns:,} numbers; the limit is {MAX_MATRIX_ENTRIES:,}."
        )


def piecewise(low: Lowering, t: Tensor, knots: ArrayLike, slopes: ArrayLike, intercepts: ArrayLike) -> Tensor:
    """Return a one-variable function of each entry; see `Builder.breakpoints`."""
    for values in (slopes, intercepts, knots):
        low.coefficients(values, "a constant")
    low.spend(t.size * max(1, np.shape(knots)[-1]))
    return Tensor(low.builder.breakpoints(t.node, knots, slopes, intercepts, name=low.name), t.shape)


def absolute(low: Lowering, t: Tensor) -> Tensor:
    """Return |z|."""
    return piecewise(low, t, [0.0], [-1.0, 1.0], [0.0, 0.0])


def leaky_relu(low: Lowering, t: Tensor, slope: ArrayLike) -> Tensor:
    """Return z for z > 0 and `slope * z` else; `slope` is broadcast to the tensor's shape."""
    low_slope = low.coefficients(slope, "the slope")
    if common_shape(low, [t.shape, low_slope.shape]) != t.shape:
        raise DimensionError(f"{low.label} has slopes of shape {low_slope.shape} for a tensor of shape {t.shape}.")
    flat = np.broadcast_to(low_slope, t.shape).reshape(-1)
    both = np.stack([flat, np.ones_like(flat)], axis=1)
    return piecewise(low, t, np.zeros((flat.size, 1)), both, np.zeros_like(both))


def clip(low: Lowering, t: Tensor, low_bound: float | None, high_bound: float | None) -> Tensor:
    """Return min(max(z, low), high); None and infinite bounds do not bound."""
    lower = -np.inf if low_bound is None else float(low_bound)
    upper = np.inf if high_bound is None else float(high_bound)
    if np.isnan(lower) or np.isnan(upper) or lower == np.inf or upper == -np.inf:
        raise low.unsupported(f"its bounds are {lower} and {upper}; expected numbers.")
    return Tensor(low.builder.clip(t.node, lower, upper, name=low.name), t.shape)


def known(low: Lowering, t: Tensor) -> Value:
    """Return a tensor, or its entries where they are seen not to depend on the input (`h * 0`, `zeros_like(h)`)."""
    node = low.builder.nodes[t.node]
    fixed = isinstance(node, Affine) and all(isinstance(o, Gather) and not o.scale.any() for o in node.operators)
    return node.bias.reshape(t.shape) if isinstance(node, Affine) and fixed else t


def extreme(low: Lowering, values: Sequence[Value], *, sign: int) -> Tensor:
    """Return the entrywise maximum (`sign=1`) or minimum (`sign=-1`) of tensors and constants."""
    values = [known(low, v) if isinstance(v, Tensor) else v for v in values]
    tensors = [v for v in values if isinstance(v, Tensor)]
    constants = [low.coefficients(v, "a constant") for v in values if not isinstance(v, Tensor)]
    shape = common_shape(low, [v.shape for v in values])
    n = prod(shape)
    if len(tensors) == 1:
        out = broadcast(low, tensors[0], shape)
    else:
        marks, start = [], 0
        for t in tensors:
            marks.append(np.broadcast_to(t.marks() + start, shape).reshape(-1))
            start += t.size
        candidates = rearrange(low, tensors, np.concatenate(marks), float(sign))
        windows = np.arange(n)[:, None] + n * np.arange(len(tensors))
        node = low.builder.max_windows(candidates.node, windows, shape=low.node_shape(shape), name=low.name)
        out = Tensor(node, shape)
        if sign < 0:
            out = scale_shift(low, out, -1.0)
    if constants:
        bound = constants[0]
        for other in constants[1:]:
            bound = np.maximum(bound, other) if sign > 0 else np.minimum(bound, other)
        knots = np.broadcast_to(bound, shape).reshape(-1, 1)
        flat, rest = np.zeros((n, 1)), np.ones((n, 1))
        order = (flat, rest) if sign > 0 else (rest, flat)
        shift = (knots, flat) if sign > 0 else (flat, knots)
        out = piecewise(low, out, knots, np.hstack(order), np.hstack(shift))
    return out


def scaled(low: Lowering, matrix: ArrayLike, factor: float) -> NDArray[np.float64]:
    """Return `factor * matrix`, and note the rounding if there is one."""
    scaled, rounded = product(low.coefficients(matrix, "the matrix"), factor)
    low.note_rounding(rounded, f"weights times {factor:g} are rounded to float64")
    return scaled


def drop_final(low: Lowering, t: Tensor) -> Tensor:
    """Return the tensor itself, with a note that a final softmax or sigmoid is left out."""
    low.builder.note("dropped", low.name, f"final {low.operator} left out: the network gives its arguments")
    return Tensor(t.node, t.shape, low.label)


def channels(low: Lowering, t: Tensor, scale: NDArray, shift: NDArray, *, rounded: bool) -> Tensor:
    """Return `scale[c] * t + shift[c]` for each channel c, which is axis 1."""
    if len(t.shape) < 2 or scale.shape != (t.shape[1],):
        raise DimensionError(f"{low.label} has {scale.size} channels for a tensor of shape {t.shape}.")
    low.note_rounding(rounded, "scale and shift of the batch norm are rounded to float64")
    column = (-1, *(1,) * (len(t.shape) - 2))
    return scale_shift(low, t, scale.reshape(column), shift.reshape(column))
