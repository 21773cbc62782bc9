"""How does a torch module become a network? `torch.export` sees its graph; a walk lowers it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reluatlas.errors import (
    ArgumentError,
    ImportMismatchError,
    ReluAtlasError,
    UnsupportedLayerError,
)
from reluatlas.importers.check import NATIVE_TOLERANCE, ModelRuns
from reluatlas.importers.ends import Shapes
from reluatlas.importers.finish import Imported, begin
from reluatlas.importers.lowering.steps import Steps, settle
from reluatlas.importers.lowering.tensors import Tensor
from reluatlas.importers.torch.copies import copied, require_readable, unwrapped
from reluatlas.importers.torch.diagnosis import why_it_does_not_run, why_it_has_no_graph
from reluatlas.importers.torch.ends import require_one_tensor, with_one_end
from reluatlas.importers.torch.lower import lower_node
from reluatlas.importers.torch.operators.table import KEPT
from reluatlas.importers.torch.run import all_tensors, casts, fixes_type, is_float, module_runner, neutral, zeros
from reluatlas.network.network import FloatArray, Shape


@dataclass(frozen=True)
class Captured:
    """A module's graph: its nodes in order, the constants they read, the names of input and output."""

    nodes: Sequence[Any]
    constants: Mapping[str, Any]
    input: str
    output: str


def from_module(
    module: Any,
    *,
    input_shape: Shapes | None = None,
    output: str | int | None = None,
    mean: Any = None,
    std: Any = None,
    source: str = "",
    remarks: Sequence[str] = (),
) -> Imported:
    """Return the network of a torch module in evaluation mode; see `reluatlas.load`.

    The module is copied; training flags, types, devices and gradients of the original stay as they are.
    `remarks` say what was left out before, for `Network.notes`.
    """
    with neutral():
        module = unwrapped(module)
        source = source or type(module).__name__
        require_readable(module, source)
        module, given_shape, parts = with_one_end(module, input_shape, output, source)
        twin = copied(module, source).eval().cpu().requires_grad_(False)
        shape = given_shape or _guessed_shape(twin, source)
        twin, dtype = _runnable(twin, shape, source)
        captured = capture(twin, zeros((1, *shape), dtype), source)

        low, x, norm = begin(shape, has_batch=True, mean=mean, std=std, name=captured.input, parts=parts)
        for remark in remarks:
            low.builder.note("dropped", source, remark)
        values: dict[str, Any] = {captured.input: x}
        values.update({name: c.double() if is_float(c) else c for name, c in captured.constants.items()})
        low.name, low.operator = captured.input, "input"
        low.checkpoint(captured.input, x)
        rounded: set[str] = set()
        for node, twin_of in _with_twins(captured.nodes):
            values[node.name] = values[twin_of] if twin_of else lower_node(low, node, values, rounded)
        made = values[captured.output]
        made = settle(low, made) if isinstance(made, Steps) else made
    if not isinstance(made, Tensor):
        raise UnsupportedLayerError(f"the output of `{source}` does not depend on its input.")
    floats = {p.dtype for p in (*twin.parameters(), *twin.buffers()) if is_float(p)}
    coarse = casts(captured.nodes)
    for cast in coarse - floats:
        low.builder.note(
            "dropped", source, f"its casts to {_said(cast)} are left out: coefficients are as they are stored"
        )
    return Imported(low, made, _runs(twin, captured, dtype, floats | coarse, made, source), norm, source)


def _said(dtype: Any) -> str:
    return str(dtype).removeprefix("torch.")


def _runnable(twin: Any, shape: Shape, source: str) -> tuple[Any, Any]:
    """Return a module that takes one input of a shape, and the float type that it takes it in.

    That is the module, or where this machine cannot compute in its type, a wider copy, which holds the same numbers.

    Raises
    ------
    DimensionError, ArgumentError, UnsupportedLayerError
        When it takes none.
    """
    import torch

    kinds = list(dict.fromkeys(p.dtype for p in (*twin.parameters(), *twin.buffers()) if is_float(p)))
    first: Exception | None = None
    for dtype in kinds or [torch.float32]:
        problem = _tried(twin, shape, dtype)
        if problem is None:
            return twin, dtype
        first = first or problem
    assert first is not None
    if "not implemented for" in str(first) and not {torch.float32, torch.float64} & set(kinds):
        wide = copied(twin, source).float()
        if _tried(wide, shape, torch.float32) is None:
            return wide, torch.float32
    raise why_it_does_not_run(twin, shape, first, source) from first


def _tried(twin: Any, shape: Shape, dtype: Any) -> Exception | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            twin(zeros((1, *shape), dtype))
        except ReluAtlasError:  # an output that is not there
            raise
        except Exception as problem:  # the user's own code: whatever it raises
            return problem
    return None


def capture(twin: Any, example: Any, source: str) -> Captured:
    """Return the graph that a module computes on an example, which it takes.

    Raises
    ------
    UnsupportedLayerError
        When `torch.export` cannot capture it, or it has other than one input and one output.
    """
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = twin(example)
        require_one_tensor(made, source)
        try:
            program = torch.export.export(twin, (example,))
            table = torch.export.default_decompositions()
            for overload in list(table):
                if str(overload).partition(".")[2].partition(".")[0] in KEPT:
                    table.pop(overload)
            program = program.run_decompositions(table)
        except Exception as problem:
            raise why_it_has_no_graph(problem, source) from problem
    return _captured(program, source)


def _captured(program: Any, source: str) -> Captured:
    signature = program.graph_signature
    inputs, constants, kept_in = [], {}, {}
    for spec in signature.input_specs:
        kind, target = spec.kind.name, spec.target
        if kind == "USER_INPUT":
            inputs.append(spec.arg.name)
        elif kind in ("PARAMETER", "BUFFER", "CONSTANT_TENSOR"):
            stored = program.state_dict if target in program.state_dict else program.constants
            constants[spec.arg.name] = stored[target].detach()
            kept_in[target] = spec.arg.name
        else:
            raise UnsupportedLayerError(f"`{source}` takes a {kind.lower().replace('_', ' ')}; expected tensors only.")
    outputs = [s.arg.name for s in signature.output_specs if s.kind.name == "USER_OUTPUT"]
    if len(inputs) != 1 or len(outputs) != 1:
        raise UnsupportedLayerError(
            f"`{source}` has {len(inputs)} inputs and {len(outputs)} outputs; expected one each."
        )
    needed = _ancestors(program.graph, outputs[0])
    changed = [s.target for s in signature.output_specs if s.kind.name == "BUFFER_MUTATION"]
    for target in changed:
        if kept_in[target] in needed:
            raise UnsupportedLayerError(
                f"`{source}` computes with its `{target}`, which every call changes; expected the same function at "
                "every call. Take out what changes it in evaluation mode."
            )
    nodes = [
        n
        for n in program.graph.nodes
        # assertions about types hold at the module's own precision only, and compute nothing
        if n.op not in ("placeholder", "output") and n.name in needed
    ]
    return Captured(nodes, constants, inputs[0], outputs[0])


def _ancestors(graph: Any, output: str) -> set[str]:
    """Return the names of the nodes that the output needs, and its own: what a module only keeps is left out."""
    needed = {output}
    for node in reversed(graph.nodes):
        if node.name in needed:
            needed.update(source.name for source in node.all_input_nodes)
    return needed


def _with_twins(nodes: Sequence[Any]) -> Iterator[tuple[Any, str]]:
    """Yield each node, and the name of an earlier one that does the same to the same, or ""."""
    from torch.fx.node import map_arg

    first: dict[str, str] = {}
    names: dict[str, str] = {}
    for node in nodes:
        inputs = map_arg((node.args, node.kwargs), lambda n: f"%{names.get(n.name, n.name)}")
        names[node.name] = first.setdefault(f"{node.target} {inputs}", node.name)
        yield node, "" if names[node.name] == node.name else names[node.name]


def _guessed_shape(twin: Any, source: str) -> Shape:
    import torch

    # a dense first layer fixes the shape; anything else leaves lengths free
    for part in twin.modules():
        if isinstance(part, torch.nn.Linear):
            return (part.weight.shape[1],)  # not its in_features: a lazy layer may not know them yet
        if next(part.parameters(recurse=False), None) is not None:
            break
    raise ArgumentError(
        f"`{source}` does not say what shape its inputs have. Pass `input_shape=`, without the batch axis."
    )


def _runs(twin: Any, captured: Captured, dtype: Any, floats: set[Any], output: Tensor, source: str) -> ModelRuns:
    """Return how to run a module; `floats` are the types that it computes in."""
    import torch

    coarsest = max((torch.finfo(d).eps for d in floats), default=torch.finfo(dtype).eps)

    def tensors(kind: Any, tolerance: float) -> Callable[[FloatArray], Mapping[str, NDArray]]:
        run_module = module_runner(twin, kind)

        @neutral()
        def run(z: FloatArray) -> Mapping[str, NDArray]:
            out = all_tensors(captured, z, kind)
            own = None if kind == torch.float64 and fixes_type(captured.nodes) else run_module(z)
            if own is None:
                return out
            graph = out[captured.output].reshape(own.shape)
            usable = np.isfinite(own)
            scale = np.abs(own[usable]).max(initial=0.0)
            if np.any(
                np.abs(own - graph)[usable] > 100 * max(tolerance, coarsest if kind != torch.float64 else 0) * scale
            ):
                raise ImportMismatchError(
                    f"the graph that torch.export captured of `{source}` is not what it computes. Its forward must "
                    "compute the same at every call, from its input and weights alone."
                )
            return out if output.dropped else {**out, captured.output: own}

        return run

    # bfloat16 is no NumPy type: its points are float32 numbers that it holds exactly
    point_type = (
        np.dtype(np.float16) if coarsest > 1e-4 else np.dtype(np.float64 if dtype == torch.float64 else np.float32)
    )
    return ModelRuns(tensors(torch.float64, 1e-12), tensors(dtype, NATIVE_TOLERANCE), None, float(coarsest), point_type)
