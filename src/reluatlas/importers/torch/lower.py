"""What does one node of a captured torch graph become? Nodes of the network, a mask, or a constant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from reluatlas.errors import ModelFileError, ReluAtlasError, UnsupportedLayerError
from reluatlas.importers.lowering import tensors as lo
from reluatlas.importers.lowering.steps import Steps, moved, settle
from reluatlas.importers.lowering.tensors import Lowering, Tensor
from reluatlas.importers.torch.call import Call
from reluatlas.importers.torch.copies import first_line
from reluatlas.importers.torch.fold import fold, holds_floats, is_random
from reluatlas.importers.torch.operators.masks import MASK_OPERATORS, OF_MASKS
from reluatlas.importers.torch.operators.table import (
    JOINING,
    OF_SHAPES,
    OPERATORS,
    PASSING,
    REARRANGING,
    REASONS,
    SWITCHED,
    UNCHANGED,
)
from reluatlas.importers.torch.run import is_float, zeros


def lower_node(low: Lowering, node: Any, values: Mapping[str, Any], rounded: set[str]) -> Any:
    """Return what one node of the captured graph makes: a tensor, several, or a constant.

    `rounded` gathers the names of the constants that were computed and may be rounded.
    """
    from torch.fx.node import map_arg

    packet, full = operator_names(node)
    low.name, low.operator = node.name, packet
    if node.op != "call_function":
        raise low.unsupported("it is a branch or a loop on the data; expected the same operations for every input.")
    args = map_arg(node.args, lambda n: values[n.name])
    kwargs = map_arg(node.kwargs, lambda n: values[n.name])
    tensors = _found((*args, *kwargs.values()), Tensor | Steps)
    if packet == "getitem":
        if args[1] >= len(args[0]) or args[0][args[1]] is None:
            raise low.unsupported("it takes the indices or the statistics that an operator also makes.")
        return args[0][args[1]]
    if is_random(node.target) and packet not in SWITCHED:
        raise low.unsupported("it draws random numbers; expected the same function at every call.")
    if packet in OF_SHAPES and isinstance(args[0], Tensor | Steps) and len(tensors) == 1:
        tensors, args = [], (zeros(args[0].shape), *args[1:])
    if not tensors:
        made, inexact = fold(node.target, packet, args, kwargs)
        if inexact or (holds_floats(made) and any(source.name in rounded for source in node.all_input_nodes)):
            rounded.add(node.name)
        return made
    for source in node.all_input_nodes:
        if source.name in rounded and holds_floats(values[source.name]):
            low.builder.note("rounded", source.name, "computed from stored numbers in float64")
            rounded.discard(source.name)
    for t in tensors:
        if isinstance(t, Tensor) and t.dropped and packet not in PASSING:
            raise UnsupportedLayerError(
                f"{t.dropped} is followed by {low.label}: it is not piecewise linear, and can be left out only at "
                "the very end of a model."
            )
    try:
        made = _lowered(low, node.target, packet, full, args, kwargs)
    except ReluAtlasError:
        raise
    except Exception as problem:
        raise ModelFileError(f"{low.label} cannot be read: {first_line(problem)}.") from problem
    if isinstance(made, Tensor) and not made.dropped:
        low.checkpoint(node.name, made)
    return made


def _lowered(low: Lowering, target: Any, packet: str, full: str, args: Any, kwargs: Any) -> Any:

    call = Call(_by_name(target, args, kwargs))
    arrays = Call({k: _array(v) for k, v in call.arguments.items()})
    masks = _found((*args, *kwargs.values()), Steps)
    places = (
        packet in ("where", "index_put") and not masks and not isinstance(args[0 if packet == "where" else 1], Tensor)
    )
    if packet in MASK_OPERATORS and not places:
        return MASK_OPERATORS[packet](low, arrays)
    if masks and packet in OF_MASKS:
        return OF_MASKS[packet](low, arrays)
    if masks and packet in REARRANGING and len(masks) == len(_found((*args, *kwargs.values()), Tensor | Steps)) == 1:
        return _moved(masks[0], target, args, kwargs)
    if masks:
        settled = [_settled(low, v) for v in (list(args), kwargs)]
        return _lowered(low, target, packet, full, *settled)
    if packet in UNCHANGED:
        if call.get("train"):
            raise low.unsupported(
                "it is dropout that is always on, which is random. Use torch.nn.Dropout, or F.dropout with "
                "training=self.training."
            )
        wanted = call.get("dtype")
        if wanted is not None and not wanted.is_floating_point:
            raise low.unsupported("it casts a tensor to a type that is not a float, which is not continuous.")
        first = args[0]
        return [first] if packet == "native_dropout" else first
    if packet in REARRANGING or full in REARRANGING:
        return _rearranged(low, target, packet, args, kwargs)
    operator = OPERATORS.get(full) or OPERATORS.get(packet)
    if operator is None:
        raise low.unsupported(REASONS.get(packet, "it is not in the table of operators (docs/operators.md)."))
    return operator(low, arrays)


def _settled(low: Lowering, value: Any) -> Any:
    """Return arguments with every mask as a tensor; raise where one jumps."""
    if isinstance(value, Steps):
        return settle(low, value)
    if isinstance(value, list | tuple):
        return type(value)(_settled(low, v) for v in value)
    if isinstance(value, dict):
        return {k: _settled(low, v) for k, v in value.items()}
    return value


def _moved(mask: Steps, target: Any, args: Any, kwargs: Any) -> Any:
    """Return a mask with its entries moved, as torch moves their numbers."""
    import torch

    def marked(value: Any) -> Any:
        return torch.from_numpy(mask.marks()) if isinstance(value, Steps) else value

    marks = target(*map(marked, args), **{k: marked(v) for k, v in kwargs.items()})
    if isinstance(marks, torch.Tensor):
        return moved(mask, marks.numpy())
    return [moved(mask, m.numpy()) for m in marks]


def _rearranged(low: Lowering, target: Any, packet: str, args: Any, kwargs: Any) -> Any:
    import torch

    tensors: list[Tensor] = []
    joins = packet in JOINING  # whole numbers are entries like any other there, not places

    def marked(value: Any) -> Any:
        entries = isinstance(value, torch.Tensor) and (is_float(value) or (joins and value.dtype != torch.bool))
        if isinstance(value, Tensor) or entries:
            t = value if isinstance(value, Tensor) else _constant(low, value)
            start = sum(other.size for other in tensors)
            tensors.append(t)
            return torch.from_numpy(np.asarray(t.marks() + start))
        if isinstance(value, list | tuple):
            return type(value)(marked(v) for v in value)
        return value

    marks = target(*marked(tuple(args)), **{k: marked(v) for k, v in kwargs.items()})
    if isinstance(marks, torch.Tensor):
        return lo.rearrange(low, tensors, np.array(marks.numpy()))
    return [lo.rearrange(low, tensors, np.array(m.numpy())) for m in marks]


def _array(value: Any) -> Any:
    import torch

    if not isinstance(value, torch.Tensor):
        return value
    return (value if value.layout == torch.strided else value.to_dense()).numpy()


def _constant(low: Lowering, value: Any) -> Tensor:
    return low.affine([], [], low.coefficients(_array(value), "a constant"), tuple(value.shape))


def operator_names(node: Any) -> tuple[str, str]:
    """Return the operator's packet and overload, such as `add` and `add.Tensor`."""
    name = str(node.target)
    if name.startswith("aten."):
        name = name[len("aten.") :]
        return name.partition(".")[0], name
    name = getattr(node.target, "__name__", name)
    return name, name


def _by_name(target: Any, args: Any, kwargs: Any) -> dict[str, Any]:
    schema = getattr(target, "_schema", None)
    if schema is None:
        return dict(kwargs)
    out = {}
    for i, argument in enumerate(schema.arguments):
        default = argument.default_value if argument.has_default_value() else None
        out[argument.name] = args[i] if i < len(args) else kwargs.get(argument.name, default)
    return out


def _found(values: Any, kind: Any) -> list[Any]:
    """Return the arguments of some kind, those in lists, too."""
    found: list[Any] = []
    for value in values:
        if isinstance(value, kind):
            found.append(value)
        elif isinstance(value, list | tuple):
            found.extend(_found(value, kind))
    return found
