"""Which ATen operators compare, mask, choose or sort? Their rows of the operator table.

A comparison is kept as a function of one variable that may jump (`steps`); what is made of it becomes breakpoints
where it is continuous: that is how people write ReLU by hand.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from reluatlas.importers.lowering import steps
from reluatlas.importers.lowering.along_axis import ordered, running
from reluatlas.importers.lowering.steps import Steps, Value
from reluatlas.importers.lowering.tensors import Lowering, Tensor, rearrange
from reluatlas.importers.lowering.weights import reciprocal
from reluatlas.importers.lowering.windows import reduced
from reluatlas.importers.torch.call import Call, Operator, tensor

MaskOperator = Callable[[Lowering, Call], Value]


def _value(given: Any) -> Value:
    return given if isinstance(given, Tensor | Steps) else np.asarray(given)


def _compare(sign: str) -> MaskOperator:
    return lambda low, call: steps.compare(low, _value(call["self"]), _value(call["other"]), sign)


def _where(low: Lowering, call: Call) -> Value:
    return steps.choose(low, _value(call["condition"]), _value(call["self"]), _value(call["other"]))


def _index_put(low: Lowering, call: Call) -> Value:
    mask, value, x = call["indices"], call["values"], call["self"]
    if call.get("accumulate") or len(mask) != 1 or not isinstance(mask[0], Steps) or np.ndim(value) > 0:
        raise low.unsupported("it writes at places that depend on the data; expected one mask and one number.")
    return steps.choose(low, mask[0], _value(value), _value(x))


def _logical(kind: str) -> MaskOperator:
    def lower(low: Lowering, call: Call) -> Value:
        values = [call["self"]] if kind == "not" else [call["self"], call["other"]]
        return steps.logical(low, [_value(v) for v in values], kind)

    return lower


def _sign(low: Lowering, call: Call) -> Value:
    return steps.sign(low, _value(call["self"]))


def _heaviside(low: Lowering, call: Call) -> Value:
    at_zero = np.asarray(call["values"]) if not isinstance(call["values"], Tensor | Steps) else np.array(np.nan)
    if not (np.all(at_zero == 0) or np.all(at_zero == 1)):
        raise low.unsupported("its value at 0 is neither 0 nor 1; expected a comparison.")
    return steps.compare(low, _value(call["self"]), np.zeros(()), ">=" if np.all(at_zero == 1) else ">")


def _shrink(*, soft: bool) -> MaskOperator:
    def lower(low: Lowering, call: Call) -> Value:
        bound = float(call["lambd"])
        return steps.shrink(low, tensor(low, call["self"], "argument"), bound, bound if soft else 0.0)

    return lower


def _threshold(low: Lowering, call: Call) -> Value:
    x = tensor(low, call["self"], "argument")
    return steps.thresholded(low, x, float(call["threshold"]), float(call["value"]))


def _multiply(low: Lowering, call: Call) -> Value:
    return steps.multiply(low, _value(call["self"]), _value(call["other"]))


def _divide(low: Lowering, call: Call) -> Value:
    if call.get("rounding_mode") is not None or isinstance(call["other"], Tensor | Steps):
        raise low.unsupported("it divides by what depends on the network's input, or rounds.")
    inverse, rounded = reciprocal(call["other"], f"the divisor of {low.label}")
    low.note_rounding(rounded, "division by a constant: its reciprocal is rounded to float64")
    return steps.multiply(low, _value(call["self"]), inverse)


def _add(sign: float) -> MaskOperator:
    def lower(low: Lowering, call: Call) -> Value:
        values = [_value(call["self"]), _value(call["other"])]
        return steps.add(low, values, [1.0, sign * float(call.get("alpha", 1))])

    return lower


def _subtract_from(low: Lowering, call: Call) -> Value:
    return steps.add(low, [_value(call["other"]), _value(call["self"])], [1.0, -float(call.get("alpha", 1))])


def _negate(low: Lowering, call: Call) -> Value:
    return steps.multiply(low, _value(call["self"]), np.array(-1.0))


def _cast(low: Lowering, call: Call) -> Value:
    wanted = call.get("dtype")
    if wanted is None:
        return call["self"]
    kind = "f" if wanted.is_floating_point else "b" if str(wanted) == "torch.bool" else "i"
    return steps.cast(low, call["self"], kind)


# of tensors and of masks
MASK_OPERATORS: dict[str, MaskOperator] = {
    "bitwise_and": _logical("and"),
    "bitwise_not": _logical("not"),
    "bitwise_or": _logical("or"),
    "bitwise_xor": _logical("xor"),
    "ge": _compare(">="),
    "gt": _compare(">"),
    "hardshrink": _shrink(soft=False),
    "heaviside": _heaviside,
    "index_put": _index_put,
    "le": _compare("<="),
    "logical_and": _logical("and"),
    "logical_not": _logical("not"),
    "logical_or": _logical("or"),
    "logical_xor": _logical("xor"),
    "lt": _compare("<"),
    "sgn": _sign,
    "sign": _sign,
    "softshrink": _shrink(soft=True),
    "threshold": _threshold,
    "where": _where,
}

# arithmetic, where an argument is a mask
OF_MASKS: dict[str, MaskOperator] = {
    "_to_copy": _cast,
    "add": _add(1.0),
    "div": _divide,
    "mul": _multiply,
    "neg": _negate,
    "rsub": _subtract_from,
    "sub": _add(-1.0),
    "to": _cast,
}


def _sort(low: Lowering, call: Call) -> list[Tensor]:
    x = tensor(low, call["self"], "argument")
    return [ordered(low, x, int(call.get("dim", -1)), descending=bool(call.get("descending")))]


def _top(low: Lowering, call: Call) -> list[Tensor]:
    x, axis = tensor(low, call["self"], "argument"), int(call.get("dim", -1))
    made = ordered(low, x, axis, descending=bool(call.get("largest", True)))
    marks = np.moveaxis(made.marks(), axis, -1)[..., : int(call["k"])]
    return [rearrange(low, [made], np.moveaxis(marks, -1, axis))]


def _at_rank(low: Lowering, call: Call) -> list[Tensor]:
    """Lower `kthvalue`, and `median` along an axis, which is the lower of two."""
    x, axis = tensor(low, call["self"], "argument"), int(call.get("dim", -1))
    rank = int(call.get("k") or (x.shape[axis] + 1) // 2) - 1
    marks = ordered(low, x, axis)
    picked = np.take(marks.marks(), [rank] if call.get("keepdim") else rank, axis=axis)
    return [rearrange(low, [marks], picked)]


def _running_sum(low: Lowering, call: Call) -> Tensor:
    return running(low, tensor(low, call["self"], "argument"), int(call["dim"]))


def _running_extreme(sign: float) -> Operator:
    def lower(low: Lowering, call: Call) -> list[Tensor]:
        x = tensor(low, call["self"], "argument")
        if sign > 0:
            return [running(low, x, int(call["dim"]), kind="max")]
        top = running(low, rearrange(low, [x], x.marks(), -1.0), int(call["dim"]), kind="max")
        return [rearrange(low, [top], top.marks(), -1.0)]

    return lower


def _norm(low: Lowering, call: Call) -> Tensor:
    order = float(call.get("ord", 2))
    if order not in (1.0, np.inf):
        raise low.unsupported(f"the norm of order {order:g} is not piecewise linear; expected 1 or infinity.")
    axes = call.get("dim")
    chosen = None if axes is None or axes == [] else [int(a) for a in np.atleast_1d(axes)]
    x = tensor(low, call["self"], "argument")
    return reduced(low, x, chosen, keep=bool(call.get("keepdim")), kind="l1" if order == 1 else "linf")


AXIS_OPERATORS: dict[str, Operator] = {
    "cummax": _running_extreme(1.0),
    "cummin": _running_extreme(-1.0),
    "cumsum": _running_sum,
    "kthvalue": _at_rank,
    "linalg_vector_norm": _norm,
    "median.dim": _at_rank,
    "sort": _sort,
    "topk": _top,
}
