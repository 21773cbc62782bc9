"""Which comparisons, masks and choices of a model are functions of one variable? Those are breakpoints, if continuous.

`where(h > 0, h, 0)`, `h * (h > 0)`, `h * sign(h)`: a comparison of a tensor's entries with constants is kept as
`Steps`, a function of each entry that may jump. Products and choices of such functions of the same entries are again
such functions; as soon as one is continuous it becomes a node. One that still jumps where another operator reads it
is refused: `settle` says where it jumps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import reduce
from math import prod

import numpy as np

from reluatlas.errors import UnsupportedLayerError
from reluatlas.importers.lowering import curves as cv
from reluatlas.importers.lowering.curves import Curve
from reluatlas.importers.lowering.tensors import (
    Lowering,
    Marks,
    Tensor,
    combine,
    common_shape,
    extreme,
    known,
    piecewise,
    rearrange,
)
from reluatlas.importers.lowering.tensors import Value as Plain
from reluatlas.network.network import Affine, Breakpoints, Gather, Shape

MAX_CURVES = 2**14  # of one tensor; more are no mask that anybody writes


@dataclass(frozen=True, eq=False)
class Steps:
    """A tensor whose entries are piecewise-linear functions, which may jump, of the entries of a node.

    Attributes
    ----------
    node : int
    index : ndarray of int64, in the tensor's shape
        The node's entry that each entry depends on; -1 where it is constant.
    which : ndarray of int64, in the tensor's shape
        The number of each entry's curve.
    curves : tuple of Curve
    label : str
        The model's node that made it, for messages.
    pair : (Tensor, Tensor) or None
        For a comparison of two tensors without a common origin: the two, the first on where it is larger.
    """

    node: int
    index: Marks
    which: Marks
    curves: tuple[Curve, ...]
    label: str
    pair: tuple[Tensor, Tensor] | None = None

    @property
    def shape(self) -> Shape:
        """Its shape in the model."""
        return self.index.shape

    @property
    def size(self) -> int:
        """Number of entries."""
        return self.index.size

    def marks(self) -> Marks:
        """Return the numbers of its entries, in its shape."""
        return np.arange(self.size, dtype=np.int64).reshape(self.shape)


Value = Plain | Steps


def compare(low: Lowering, a: Value, b: Value, sign: str) -> Value:
    """Return whether `a > b` (`sign` is ">", ">=", "<", "<=" or "=="), as ones and zeros."""
    curve = {">": (0, 0, 1), ">=": (0, 1, 1), "<": (1, 0, 0), "<=": (1, 1, 0), "==": (0, 1, 0)}[sign]
    if isinstance(a, Tensor) and isinstance(b, Tensor) and _aligned(low, [a, b]) is None:
        difference = combine(low, [a, b], [1.0, -1.0])
        made = _on(low, [difference], lambda z: cv.composed(cv.step(*curve), z))
        if not isinstance(made, Steps) or a.shape != b.shape or curve[0] == curve[2]:
            return made
        return replace(made, pair=(a, b) if curve[2] else (b, a))
    if any(not isinstance(v, Tensor | Steps) and not np.all(np.isfinite(v)) for v in (a, b)):
        raise low.unsupported("it compares with a number that is NaN or infinite; expected finite numbers.")
    negated = cv.linear(-1)
    return _on(low, [a, b], lambda p, q: _stepped(p, cv.composed(negated, q), curve))


def _stepped(p: Curve, minus_q: Curve, values: tuple[int, int, int]) -> Curve:
    return cv.composed(cv.step(*values), cv.joined([p, minus_q], cv.total))


def choose(low: Lowering, condition: Value, a: Value, b: Value) -> Value:
    """Return `where(condition, a, b)`: breakpoints where it is continuous, the larger of two tensors where it is that.

    Raises
    ------
    UnsupportedLayerError
        When the two values are no functions of what the condition compares.
    """
    if isinstance(condition, Steps) and condition.pair and isinstance(a, Tensor) and isinstance(b, Tensor):
        nodes, larger = (a.node, b.node), tuple(t.node for t in condition.pair)
        if a.shape == b.shape == condition.shape and nodes in (larger, larger[::-1]):
            return extreme(low, [a, b], sign=1 if nodes == larger else -1)
    return _on(low, [condition, a, b], lambda c, p, q: cv.joined([c, p, q], cv.selected))


def multiply(low: Lowering, a: Value, b: Value) -> Value:
    """Return the product of two values, at least one of which is `Steps`."""
    return _on(low, [a, b], lambda p, q: cv.joined([p, q], cv.product))


def add(low: Lowering, values: Sequence[Value], scales: Sequence[float] | None = None) -> Value:
    """Return the sum of values, each times its scale, at least one of which is `Steps`."""
    factors = [Fraction(s) for s in ([1.0] * len(values) if scales is None else scales)]

    def rule(*lines: cv.Line) -> cv.Line:
        return cv.total(*((f * s, f * c) for f, (s, c) in zip(factors, lines, strict=True)))

    return _on(low, values, lambda *all_: cv.joined(all_, rule))


def logical(low: Lowering, values: Sequence[Value], kind: str) -> Value:
    """Return the "and", "or", "xor" or (of one value) "not" of conditions, as ones and zeros; not 0 is true."""
    rules: dict[str, Callable[[bool, bool], bool]] = {
        "and": lambda p, q: p and q,
        "or": lambda p, q: p or q,
        "xor": lambda p, q: p != q,
    }
    nonzero = cv.step(1, 0, 1)

    def made(*given: Curve) -> Curve:
        conditions = [cv.composed(nonzero, c) for c in given]
        if kind == "not":
            return cv.composed(cv.linear(-1, 1), conditions[0])
        rule = rules[kind]
        return reduce(
            lambda p, q: cv.joined([p, q], lambda x, y: (cv.ZERO, Fraction(rule(bool(x[1]), bool(y[1]))))), conditions
        )

    return _on(low, values, made)


def sign(low: Lowering, t: Value) -> Value:
    """Return the sign of a tensor's entries."""
    return _on(low, [t], lambda z: cv.composed(cv.step(-1, 0, 1), z))


def shrink(low: Lowering, t: Tensor, bound: float, bias: float) -> Value:
    """Return z + bias for z < -bound, z - bias for z > bound and 0 between: continuous where both are equal."""
    k, b = Fraction(bound), Fraction(bias)
    if k > 0:
        zero = (cv.ZERO, cv.ZERO)
        curve = Curve((-k, k), ((Fraction(1), b), zero, zero, zero, (Fraction(1), -b)))
    else:  # below 0 both conditions hold between the bounds, and the first decides
        point = cv.ZERO if k == 0 else -k - b
        curve = Curve((-k,), ((Fraction(1), b), (cv.ZERO, point), (Fraction(1), -b)))
    return _on(low, [t], lambda z: cv.composed(curve, z))


def thresholded(low: Lowering, t: Tensor, bound: float, value: float = 0.0) -> Value:
    """Return z for z > bound and `value` else: continuous where the two are equal."""
    k, v = Fraction(bound), (cv.ZERO, Fraction(value))
    curve = Curve((k,), (v, v, (Fraction(1), cv.ZERO)))
    return _on(low, [t], lambda z: cv.composed(curve, z))


def cast(low: Lowering, value: Steps, kind: str) -> Value:
    """Return a mask in another type: "f" (floats), "i" (integers: it must hold no others) or "b" (whether not 0)."""
    if kind == "b":
        return logical(low, [logical(low, [value], "not")], "not")
    whole = all(c.is_step and all(v.denominator == 1 for _, v in c.lines) for c in value.curves)
    if kind != "f" and not whole:
        raise low.unsupported("it rounds what depends on the input to whole numbers, which is not continuous.")
    return value


def moved(value: Steps, marks: Marks) -> Steps:
    """Return the entries that `marks` picks."""
    return replace(value, index=value.index.reshape(-1)[marks], which=value.which.reshape(-1)[marks], pair=None)


def settle(low: Lowering, value: Value) -> Plain:
    """Return a value as a tensor or constant.

    Raises
    ------
    UnsupportedLayerError
        When it jumps.
    """
    if not isinstance(value, Steps):
        return value
    for curve in value.curves:
        jump = curve.jump()
        if jump is not None:
            at, left, right = (float(v) for v in jump)
            raise UnsupportedLayerError(
                f"{value.label} is not supported: its value jumps at {at:.6g}, from {left:.6g} to {right:.6g}. Only "
                "continuous functions have a polyhedral complex: use ReLU, clip or another continuous activation."
            )
    made = _as_node(low, value)
    if made is None:
        raise UnsupportedLayerError(
            f"{value.label} is not supported: rounded to float64, the pieces of its function no longer meet."
        )
    return made


def _on(low: Lowering, values: Sequence[Value], rule: Callable[..., Curve]) -> Steps | Tensor:
    # the function that `rule` makes of the values' curves, entry by entry
    found = _aligned(low, values)
    if found is None:
        raise low.unsupported(
            "it joins a comparison with tensors that are no functions, entry by entry, of what is compared, and jumps "
            "where that changes its sign. Only continuous functions have a polyhedral complex."
        )
    index, lifted = found
    home, shape = lifted[0].node, index.shape
    kinds = [np.broadcast_to(part.which, shape).reshape(-1) for part in lifted]
    picks, which = np.unique(np.stack(kinds), axis=1, return_inverse=True)
    _keep_few(low, picks.shape[1])
    try:
        made = tuple(rule(*(p.curves[i] for p, i in zip(lifted, pick, strict=True))) for pick in picks.T.tolist())
    except cv.NotLinearError:
        raise low.unsupported("it multiplies what depends on the input by itself.") from None
    out = Steps(home, index, which.reshape(shape).astype(np.int64), made, low.label)
    settled = None if any(c.jump() for c in made) else _as_node(low, out)
    return out if settled is None else settled


def _aligned(low: Lowering, values: Sequence[Value]) -> tuple[Marks, list[Steps]] | None:
    # the values as functions of the same entries of one node, the last that allows it, and which entries; or None
    shape = common_shape(low, [np.shape(v) if not isinstance(v, Tensor | Steps) else v.shape for v in values])
    given = [known(low, v) if isinstance(v, Tensor) else v if isinstance(v, Steps) else np.asarray(v) for v in values]
    home = _origin(low, [v for v in given if not isinstance(v, np.ndarray)])
    if home is None:
        return None
    lifted = [_lifted(low, v, home) for v in given]
    index = np.full(shape, -1, dtype=np.int64)
    for part in lifted:
        other = np.broadcast_to(part.index, shape)
        if np.any((index >= 0) & (other >= 0) & (index != other)):
            return None
        index = np.where(other >= 0, other, index)
    return index, lifted


def _keep_few(low: Lowering, count: int) -> None:
    if count > MAX_CURVES:
        raise low.unsupported(f"it has {count:,} different functions of one variable; the limit is {MAX_CURVES:,}.")


def _origin(low: Lowering, values: Sequence[Tensor | Steps]) -> int | None:
    # the last node of which all the values are functions, entry by entry
    chains = [_chain(low, v.node) for v in values] or [[0]]
    return next((n for n in chains[0] if all(n in c for c in chains[1:])), None)


def _chain(low: Lowering, node: int) -> list[int]:
    nodes, out = low.builder.nodes, [node]
    while True:
        here = nodes[out[-1]]
        if isinstance(here, Breakpoints):
            out.append(here.input)
        elif isinstance(here, Affine) and len(here.inputs) == 1 and isinstance(here.operators[0], Gather):
            out.append(here.inputs[0])
        else:
            return out


def _lifted(low: Lowering, value: Value, home: int) -> Steps:
    if isinstance(value, np.ndarray):
        numbers, which = np.unique(low.coefficients(value, "a constant"), return_inverse=True)
        made = tuple(cv.linear(0, Fraction(float(v))) for v in numbers)
        return Steps(home, np.full(value.shape, -1), which.reshape(value.shape), made, low.label)
    if isinstance(value, Tensor):
        value = Steps(value.node, value.marks(), np.zeros(value.shape, np.int64), (cv.linear(),), low.label)
    while value.node != home:
        value = _climbed(low, value)
    return value


def _climbed(low: Lowering, value: Steps) -> Steps:
    # the same as functions of the entries of the node before
    node = low.builder.nodes[value.node]
    at, fixed = np.maximum(value.index, 0), value.index < 0
    if isinstance(node, Affine):
        gather = node.operators[0]
        assert isinstance(gather, Gather)
        source, index, q = node.inputs[0], np.where(fixed, -1, gather.index[at]), 0
        table = np.stack([np.where(gather.index < 0, 0.0, gather.scale), node.bias], axis=1)
    else:
        assert isinstance(node, Breakpoints)
        source, index, q = node.input, value.index, node.knots.shape[1]
        table = np.hstack([node.knots, node.slopes, node.intercepts])
    _, first, kind = np.unique(table, axis=0, return_index=True, return_inverse=True)
    code = value.which * first.size + kind.reshape(-1)[at]
    pairs, which = np.unique(code, return_inverse=True)
    _keep_few(low, pairs.size)
    inner = [_curve_of(row[:q], row[q : 2 * q + 1], row[2 * q + 1 :]) for row in table[first].tolist()]
    made = tuple(cv.composed(value.curves[p // first.size], inner[p % first.size]) for p in pairs.tolist())
    return Steps(source, index, which.reshape(index.shape), made, value.label)


def _curve_of(knots: Sequence[float], slopes: Sequence[float], shifts: Sequence[float]) -> Curve:
    real = tuple(Fraction(k) for k in knots if np.isfinite(k))
    pieces = [(Fraction(s), Fraction(c)) for s, c in zip(slopes, shifts, strict=True)]
    lines = [pieces[0]]
    for k, left, right in zip(real, pieces, pieces[1:], strict=False):
        lines += [(cv.ZERO, left[0] * k + left[1]), right]
    return Curve(real, tuple(lines))


def _as_node(low: Lowering, value: Steps) -> Tensor | None:
    # the node of a continuous function; None where rounding its coefficients would make it jump
    q = max(len(c.knots) for c in value.curves)
    knots = np.full((len(value.curves), q), np.inf)
    slopes, shifts = np.zeros((len(value.curves), q + 1)), np.zeros((len(value.curves), q + 1))
    rounded = False
    for i, curve in enumerate(value.curves):
        pieces = curve.lines[::2]
        try:
            knots[i, : len(curve.knots)] = [float(k) for k in curve.knots]
            slopes[i, : len(pieces)] = [float(s) for s, _ in pieces]
            shifts[i, : len(pieces)] = [float(c) for _, c in pieces]
        except OverflowError:
            return None
        near = _curve_of(knots[i].tolist(), slopes[i].tolist()[: len(pieces)], shifts[i].tolist()[: len(pieces)])
        if near != curve:
            rounded = True
            if len(near.knots) != len(set(near.knots)) or near.jump() is not None:
                return None
    low.note_rounding(rounded, "coefficients of a function of one variable are rounded to float64")
    index = np.maximum(value.index, 0)
    base = Tensor(value.node, (prod(low.builder.shape(value.node)),))
    t = rearrange(low, [base], index)
    if value.index.size and np.all(value.index < 0):
        constant = np.array([float(c.lines[0][1]) for c in value.curves])[value.which]
        return low.affine([], [], constant, value.shape)
    which = value.which.reshape(-1)
    if q == 0:
        gather = Gather(index.reshape(-1), slopes[which, 0], base.size)
        return low.affine([base], [gather], shifts[which, 0].reshape(value.shape), value.shape)
    if len(value.curves) == 1:
        return piecewise(low, t, knots[0], slopes[0], shifts[0])
    return piecewise(low, t, knots[which], slopes[which], shifts[which])
