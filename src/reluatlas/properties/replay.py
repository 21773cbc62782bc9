"""What does the model itself give at a witness? `replay`: an ONNX file, run in its own precision."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from os import PathLike
from pathlib import Path

import numpy as np

from reluatlas.errors import ArgumentError
from reluatlas.typing import FloatArray


def replay(model: str | PathLike[str], x: Sequence[Fraction]) -> FloatArray | None:
    """Return the output of an ONNX model at an input that is rounded to its precision; None where nothing can run it.

    onnxruntime runs it where that is installed, else ONNX's reference evaluator.

    Raises
    ------
    ModelFileError, ArgumentError
        When the file is no ONNX model, or takes other inputs.
    """
    from reluatlas.importers.onnx.file import read_onnx
    from reluatlas.importers.onnx.run import Feeds, native_run

    path = Path(model)
    if not path.name.lower().endswith((".onnx", ".onnx.gz")):
        raise ArgumentError(f"`model={str(model)!r}` is no ONNX file; expected a path that ends in .onnx or .onnx.gz.")
    proto = read_onnx(path)
    stored = {tensor.name for tensor in proto.graph.initializer}
    entries = [entry for entry in proto.graph.input if entry.name not in stored]
    shapes = {
        entry.name: tuple(d.dim_value if d.dim_value > 0 else 1 for d in entry.type.tensor_type.shape.dim)
        for entry in entries
    }
    size = sum(int(np.prod(shape)) for shape in shapes.values())
    if size != len(x):
        raise ArgumentError(
            f"`model={str(model)!r}` takes {size} numbers but the network has {len(x)} inputs. Pass the model that the "
            "network was loaded from."
        )
    point = np.array([float(v) for v in x])
    outputs = native_run(proto, path.name, Feeds.of(entries, shapes))(point[None])
    return np.asarray(outputs[proto.graph.output[0].name], dtype=np.float64).reshape(-1)
