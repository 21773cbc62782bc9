"""What does an ONNX model itself compute? ONNX's reference evaluator says, and onnxruntime where it is installed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reluatlas.errors import ModelFileError
from reluatlas.importers.onnx.reference import evaluator
from reluatlas.network.network import FloatArray, Shape

Run = Callable[[FloatArray], Mapping[str, NDArray]]

# errors of onnxruntime that say what it cannot do, not that the model is wrong
_CANNOT = ("NotImplemented", "EPFail", "EngineError", "ModelRequiresCompilation")
_LACKS = ("opset", "No Op registered", "is not a registered", "IR version", "is under development")


@dataclass(frozen=True)
class Feeds:
    """What a model's inputs get of one point, whose entries are those of all inputs, one after another.

    Attributes
    ----------
    shapes : mapping
        The shape that each input gets, by its name, in the order of the entries.
    dtypes : mapping
        Their types.
    """

    shapes: Mapping[str, Shape]
    dtypes: Mapping[str, np.dtype]

    @classmethod
    def of(cls, entries: Sequence[Any], shapes: Mapping[str, Shape]) -> Feeds:
        """Return the inputs that a model declares, with the shapes that they get."""
        from onnx.helper import tensor_dtype_to_np_dtype

        return cls(shapes, {e.name: tensor_dtype_to_np_dtype(e.type.tensor_type.elem_type) for e in entries})

    def in_type(self, dtype: np.dtype) -> Feeds:
        """Return the same inputs, all in one type."""
        return Feeds(self.shapes, dict.fromkeys(self.shapes, dtype))

    def __str__(self) -> str:
        return ", ".join(sorted({str(dtype) for dtype in self.dtypes.values()}))

    def __call__(self, point: FloatArray) -> dict[str, NDArray]:
        """Return what each input gets of a point."""
        flat, start, out = point.reshape(-1), 0, {}
        for name, shape in self.shapes.items():
            size = prod(shape)
            out[name] = flat[start : start + size].reshape(shape).astype(self.dtypes[name])
            start += size
        return out

    def arrays(self, z: FloatArray) -> dict[str, NDArray]:
        """Return what each input gets of points (N, ...), stacked."""
        rows = [self(point) for point in z]
        return {name: np.stack([row[name] for row in rows]) for name in self.shapes}


def reference_run(model: Any, feeds: Feeds) -> Run:
    """Return a function from points (N, ...) to all tensors, by ONNX's reference evaluator, point by point."""

    def run(z: FloatArray) -> Mapping[str, NDArray]:
        collected: dict[str, list[NDArray]] = {}
        try:
            run_model = evaluator(model).run
            with np.errstate(all="ignore"):
                for row in z:
                    tensors: Any = run_model(None, feeds(row), intermediate=True)
                    for name, value in tensors.items():
                        if name and isinstance(value, np.ndarray | np.generic):
                            collected.setdefault(name, []).append(np.asarray(value))
            return {name: np.stack(rows) for name, rows in collected.items()}
        except Exception as problem:
            raise ModelFileError(
                f"ONNX's reference evaluator cannot run the model itself in {feeds}, so that nothing can be checked: "
                f"{type(problem).__name__}: {str(problem)[:200].partition(chr(10))[0]}."
            ) from problem

    return run


def native_run(model: Any, source: str, feeds: Feeds) -> Run:
    """Return a function from points to the output at the model's own precision.

    onnxruntime runs it where that is installed and knows all of the model's types and operators, else ONNX's
    reference evaluator.

    Raises
    ------
    ModelFileError
        When it is called and onnxruntime finds the model wrong.
    """
    output = model.graph.output[0].name
    fallback = reference_run(model, feeds)

    def run(z: FloatArray) -> Mapping[str, NDArray]:
        try:
            made = _by_onnxruntime(model, [output], z, feeds)
        except Exception as problem:  # onnxruntime's errors share no class
            if _finds_wrong(problem):
                text = " ".join(str(problem).split())[:300]
                raise ModelFileError(f"onnxruntime does not take `{source}`: {text}. Export it again.") from None
            made = None
        return fallback(z) if made is None else made

    return run


def runtime_run(model: Any, names: Sequence[str], feeds: Feeds) -> Callable[[FloatArray], Mapping[str, NDArray] | None]:
    """Return a function from points to tensors at the model's own precision by onnxruntime, or to None without it."""

    def run(z: FloatArray) -> Mapping[str, NDArray] | None:
        try:
            return _by_onnxruntime(model, list(dict.fromkeys(names)), z, feeds)
        except Exception:  # a type, opset or operator that onnxruntime lacks: no opinion
            return None

    return run


def _by_onnxruntime(model: Any, names: Sequence[str], z: FloatArray, feeds: Feeds) -> Mapping[str, NDArray] | None:
    try:
        import onnxruntime
    except ImportError:
        return None
    import onnx

    # two messages one after the other are one, lists joined: further outputs without a copy of the weights
    further = onnx.ModelProto()
    for name in set(names) - {o.name for o in model.graph.output}:
        further.graph.output.add().name = name
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    data = model.SerializeToString() + further.SerializeToString()
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    rows = [session.run(names, feeds(row)) for row in z]
    return {name: np.stack([np.asarray(row[i]) for row in rows]) for i, name in enumerate(names)}


def _finds_wrong(problem: BaseException) -> bool:
    kind = type(problem)
    known = kind.__module__.startswith("onnxruntime") and kind.__name__ not in _CANNOT
    return known and not any(word in str(problem) for word in _LACKS)
