"""Which ONNX operators go along axes in order, or sum products over them? Their rows of the operator table."""

from __future__ import annotations

from math import prod

import numpy as np

from reluatlas.errors import DimensionError
from reluatlas.importers.lowering import along_axis
from reluatlas.importers.lowering import tensors as lo
from reluatlas.importers.lowering import windows as images
from reluatlas.importers.lowering.tensors import Lowering, Tensor
from reluatlas.importers.onnx.call import (
    Call,
    Inputs,
    Operator,
    Refused,
    constant,
    constants,
    plain,
    rearranged,
    required,
    tensor,
)
from reluatlas.importers.onnx.operators.images import pooled
from reluatlas.importers.onnx.operators.masks import constant_tensor


def _cumulative(low: Lowering, call: Call, inputs: Inputs) -> Tensor:
    at = call.attributes
    axis = int(constant(low, required(low, inputs, 2)[1], "axis").reshape(()))
    return along_axis.running(
        low, tensor(low, inputs[0], "data"), axis, exclusive=bool(at["exclusive"]), reverse=bool(at["reverse"])
    )


def _top(low: Lowering, call: Call, inputs: Inputs) -> list[Tensor | Refused]:
    x, at = tensor(low, inputs[0], "data"), call.attributes
    places = Refused("the places of the largest entries jump where another becomes the largest")
    k = int(at["k"]) if "k" in at else int(constant(low, required(low, inputs, 2)[1], "k").reshape(()))
    axis = int(at["axis"])
    if not -len(x.shape) <= axis < len(x.shape) or not 1 <= k <= x.shape[axis]:
        raise DimensionError(f"{low.label} takes {k} entries along axis {axis} of a tensor of shape {x.shape}.")
    descending = bool(at.get("largest", 1))
    if k == 1:
        return [images.reduced(low, x, [axis], keep=True, kind="max" if descending else "min"), places]
    whole = along_axis.ordered(low, x, axis, descending=descending)
    return [lo.rearrange(low, [whole], np.take(whole.marks(), range(k), axis=axis)), places]


def _zeroed(low: Lowering, call: Call, inputs: Inputs) -> list[Tensor]:
    # entries are moved or replaced by 0: the operator run on their numbers + 1 leaves 0 where nothing goes
    x = tensor(low, inputs[0], "data")
    rest = constants(low, inputs[1:], "shape or index")
    return [lo.rearrange(low, [x], np.asarray(m) - 1) for m in call.run([x.marks() + 1, *rest])]


def _scattered(low: Lowering, call: Call, inputs: Inputs) -> list[Tensor]:
    data, where, updates = plain(low, inputs, 3)
    index = constant(low, where, "indices")
    if call.attributes.get("reduction", b"none") != b"none":
        raise low.unsupported("it joins what it scatters by a reduction; expected the reduction `none`.")
    filled = [v if isinstance(v, Tensor) else constant_tensor(low, v) for v in (data, updates)]
    return rearranged(low, call, [filled[0], index, filled[1]])


def _einsum(low: Lowering, call: Call, inputs: Inputs) -> Tensor:
    values = plain(low, inputs)
    places = [i for i, v in enumerate(values) if isinstance(v, Tensor)]
    if len(places) > 1:
        raise low.unsupported("it multiplies what depends on the input by itself; expected one such factor.")
    equation = call.attributes["equation"].decode().replace(" ", "")
    left, arrow, out = equation.partition("->")
    terms = left.split(",")
    if len(terms) != len(values) or "." in equation or any(not t.isalpha() for t in terms if t):
        raise low.unsupported(f"its equation is {equation[:80]}; expected letters alone, one term a factor.")
    if not arrow:
        out = "".join(sorted(c for c in set(left) - {","} if left.count(c) == 1))
    sizes: dict[str, int] = {}
    for term, value in zip(terms, values, strict=True):
        if len(term) != len(value.shape):
            raise DimensionError(f"{low.label} has the term {term} for a factor of shape {value.shape}.")
        for letter, n in zip(term, value.shape, strict=True):
            if sizes.setdefault(letter, int(n)) != n:
                raise DimensionError(f"{low.label} has two lengths, {sizes[letter]} and {n}, for `{letter}`.")
    t, term = values[places[0]], terms[places[0]]
    assert isinstance(t, Tensor)
    others = [(terms[i], low.coefficients(v, "a factor")) for i, v in enumerate(values) if not isinstance(v, Tensor)]
    kept = [c for c in sizes if c in out or c in term]
    if len(set(term)) != len(term) or len(set(out)) != len(out) or not set(out) <= set(sizes):
        raise low.unsupported(f"its equation is {equation[:80]}; expected letters that differ within a term.")
    low.spend(prod(sizes[c] for c in kept))
    weights = np.ones([sizes[c] for c in kept if any(c in other for other, _ in others)])
    reduced = [c for c in kept if any(c in other for other, _ in others)]
    if others:
        if len(others) > 1 or set(others[0][0]) != set(reduced):
            low.builder.note("folded", low.name, "products and sums of the constant factors are computed in float64")
        weights = np.einsum(f"{','.join(o for o, _ in others)}->{''.join(reduced)}", *(a for _, a in others))
    summed = [c for c in term if c not in out]
    order = [*out, *summed]
    marks = _spread(t.marks(), term, order)
    factors = _spread(np.asarray(weights), reduced, order)
    shape = tuple(sizes[c] for c in order)
    depth = prod(sizes[c] for c in summed)
    flat = [np.broadcast_to(a, shape).reshape(*shape[: len(out)], depth) for a in (marks, factors)]
    return lo.contract(low, t, *flat)


def _spread(array: np.ndarray, letters: str | list[str], order: list[str]) -> np.ndarray:
    # axes in a given order, of length 1 where the array has none of that letter
    there = [c for c in order if c in letters]
    turned = np.transpose(array, [list(letters).index(c) for c in there])
    return turned.reshape([turned.shape[there.index(c)] if c in there else 1 for c in order])


def _lp_pool(low: Lowering, call: Call, inputs: Inputs) -> Tensor:
    _only_sums(low, call)
    x, windows = pooled(low, call, inputs)
    absolute = lo.absolute(low, x)
    return images.average_pool(low, absolute, windows, ceil=bool(call.attributes.get("ceil_mode")), divisor=1)


def _global_lp_pool(low: Lowering, call: Call, inputs: Inputs) -> Tensor:
    _only_sums(low, call)
    x = tensor(low, inputs[0], "data")
    return images.reduced(low, x, range(2, len(x.shape)), keep=True, kind="l1")


def _only_sums(low: Lowering, call: Call) -> None:
    p = int(call.attributes["p"])
    if p != 1:
        raise low.unsupported(f"its p is {p}: the norm is piecewise linear for p = 1 only.")


AXIS_OPERATORS: dict[str, Operator] = {
    "CenterCropPad": _zeroed,
    "CumSum": _cumulative,
    "Einsum": _einsum,
    "GlobalLpPool": _global_lp_pool,
    "LpPool": _lp_pool,
    "Scatter": _scattered,
    "ScatterElements": _scattered,
    "ScatterND": _scattered,
    "TopK": _top,
    "Trilu": _zeroed,
}
