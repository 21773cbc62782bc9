"""How is a network written as an ONNX file? `save_onnx`."""

from __future__ import annotations

from os import PathLike, fspath
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from reluatlas._version import __version__
from reluatlas.domain import Box, Segment, Slice
from reluatlas.errors import ArgumentError, NonFiniteError
from reluatlas.exporters import plan as steps
from reluatlas.exporters.rounded import Written, written_bounds
from reluatlas.network.network import Network
from reluatlas.storage.atomic import write_whole

_OPSET, _IR = 17, 8
MOST_BYTES = 2**31 - 2**20
"""A file of protocol buffers is smaller than two gigabytes."""


def save_onnx(
    net: Network,
    path: str | PathLike[str],
    *,
    dtype: Literal["float64", "float32"] = "float64",
    domain: Box | Slice | Segment | None = None,
) -> Written:
    """Write a network as an ONNX file, and return what that changes on a domain.

    The input is a batch `(batch, *input_shape)` named "input", the output `(batch, *output_shape)` named "output". In
    float64 all numbers are written as they are. In float32 they are rounded, and images are convolved by `Conv`, of
    which onnxruntime has none in float64: there, entries are gathered and multiplied by the weights as a matrix.

    Parameters
    ----------
    net : Network
    path : str or PathLike
        Ends in .onnx. The file appears when it is whole.
    dtype : {"float64", "float32"}
    domain : Box, Slice or Segment, optional
        Where the bounds hold.

    Returns
    -------
    Written
        The path, and certain bounds on how far what was written is off; infinite without a domain where numbers were
        rounded.

    Raises
    ------
    ArgumentError
        When `dtype` is another, or the path does not end in .onnx.
    NonFiniteError
        When a number is beyond the range of float32.
    """
    target = Path(fspath(path))
    if dtype not in ("float64", "float32"):
        raise ArgumentError(f'`dtype={dtype!r}` is neither "float64" nor "float32".')
    if target.suffix != ".onnx":
        raise ArgumentError(f"`path` is `{target.name}`; expected a name that ends in .onnx.")
    bounds = written_bounds(net, domain, np.dtype(dtype), target)
    data = onnx_model(net, np.dtype(dtype)).SerializeToString()
    write_whole(target, data)
    return bounds


def onnx_model(net: Network, dtype: np.dtype) -> Any:
    """Return a network as an ONNX model, checked by ONNX's own checker."""
    import onnx
    from onnx import helper

    writer = _Writer(dtype)
    plan = steps.plan_of(net)
    names = ["flat"]
    writer.node("Flatten", ["input"], "flat", axis=1)
    sizes = [net.n_inputs]
    for i, step in enumerate(plan.steps):
        names.append(writer.step(step, names, sizes, f"t{i + 1}"))
        sizes.append(writer.size)
    batch = writer.constant("shape", np.array([-1, *net.output_shape], dtype=np.int64))
    writer.node("Reshape", [names[plan.output], batch], "output")
    kind = helper.np_dtype_to_tensor_dtype(dtype)
    graph = helper.make_graph(
        writer.nodes,
        "reluatlas",
        [helper.make_tensor_value_info("input", kind, ["batch", *net.input_shape])],
        [helper.make_tensor_value_info("output", kind, ["batch", *net.output_shape])],
        writer.initializers,
    )
    opset = helper.make_opsetid("", _OPSET)
    model = helper.make_model(
        graph, opset_imports=[opset], ir_version=_IR, producer_name="reluatlas", producer_version=__version__
    )
    if model.ByteSize() > MOST_BYTES:
        raise ArgumentError("`net` is too large for an ONNX file, which holds two gigabytes. Pass a smaller network.")
    onnx.checker.check_model(model, full_check=True)
    return model


class _Writer:
    """Collects nodes and constants; `size` is that of the tensor that was last made."""

    def __init__(self, dtype: np.dtype) -> None:
        self.dtype = dtype
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []
        self.size = 0
        self._known: dict[tuple[str, tuple[int, ...], bytes], str] = {}

    def node(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """Add a node."""
        from onnx import helper

        self.nodes.append(helper.make_node(operator, inputs, [output], name=f"{operator}_{output}", **attributes))
        return output

    def constant(self, name: str, values: NDArray) -> str:
        """Add an array; one that is there is used again."""
        from onnx import numpy_helper

        array = np.ascontiguousarray(values)
        if array.dtype.kind == "f":
            with np.errstate(over="ignore"):
                array = array.astype(self.dtype)
            if not np.isfinite(array).all():
                raise NonFiniteError("`net` holds a number beyond the range of float32. Write it in float64.")
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._known:
            self._known[key] = name
            self.initializers.append(numpy_helper.from_array(array, name))
        return self._known[key]

    def step(self, step: steps.Step, names: list[str], sizes: list[int], out: str) -> str:
        """Write one step, and return the name of its tensor."""
        if isinstance(step, steps.Sum):
            return self._sum(step, names, sizes, out)
        x = names[step.source]
        self.size = sizes[step.source]
        if isinstance(step, steps.Linear):
            self.size = step.weight.shape[0]
            return self.node("Gemm", [x, self.constant(f"{out}.weight", step.weight)], out, transB=1)
        if isinstance(step, steps.Take):
            self.size = step.index.size
            return self._scaled(
                self._taken(x, step.index, f"{out}.taken" if step.scale is not None else out), step, out
            )
        if isinstance(step, steps.Rows):
            return self._rows(step, x, out)
        if isinstance(step, steps.Convolve):
            self.size = step.operator.n_out
            return self._image(step, x, out) if self._knows(step) else self._patches(step, x, out)
        if isinstance(step, steps.Relu):
            return self.node("Relu", [x], out)
        if isinstance(step, steps.Leaky):
            return self._leaky(step, x, out)
        if isinstance(step, steps.Clip):
            ends = [
                self.constant(f"{out}.{name}", np.array(end, dtype=np.float64)) if np.isfinite(end) else ""
                for name, end in (("low", step.low), ("high", step.high))
            ]
            return self.node("Clip", [x, *ends], out)
        if isinstance(step, steps.Bent):
            return self._bent(step, x, out)
        self.size = step.index.shape[0]
        taken = self._taken(x, step.index, f"{out}.candidates")
        return self.node("ReduceMax", [taken], out, axes=[2], keepdims=0)

    def _sum(self, step: steps.Sum, names: list[str], sizes: list[int], out: str) -> str:
        self.size = sizes[step.sources[0]]
        total = names[step.sources[0]]
        rest: list[str] = [names[s] for s in step.sources[1:]]
        if step.bias is not None:
            rest.append(self.constant(f"{out}.bias", step.bias))
        for i, part in enumerate(rest):
            total = self.node("Add", [total, part], out if i == len(rest) - 1 else f"{out}.{i}")
        return total

    def _taken(self, x: str, index: NDArray, out: str) -> str:
        return self.node("Gather", [x, self.constant(f"{out}.index", index)], out, axis=1)

    def _scaled(self, x: str, step: steps.Take, out: str) -> str:
        if step.scale is None:
            return x
        return self.node("Mul", [x, self.constant(f"{out}.scale", step.scale)], out)

    def _rows(self, step: steps.Rows, x: str, out: str) -> str:
        self.size = step.index.shape[0]
        taken = self._taken(x, step.index, f"{out}.taken")
        parts = self.node("Mul", [taken, self.constant(f"{out}.values", step.values)], f"{out}.parts")
        if step.is_mean:
            return self.node("ReduceMean", [parts], out, axes=[2], keepdims=0)
        return self.node("ReduceSum", [parts, self.constant("axis", np.array([2]))], out, keepdims=0)

    def _knows(self, step: steps.Convolve) -> bool:
        return step.window is not None and self.dtype == np.float32

    def _image(self, step: steps.Convolve, x: str, out: str) -> str:
        window, operator = step.window, step.operator
        assert window is not None
        channels = operator.groups * operator.weight.shape[1]
        image = self._shaped(x, (channels, *window.before), f"{out}.image")
        weight = operator.weight.reshape(*operator.weight.shape[:2], *window.kernel)
        made = self.node(
            "Conv", [image, self.constant(f"{out}.weight", weight)], f"{out}.convolved", group=operator.groups,
            kernel_shape=list(window.kernel), strides=list(window.strides), pads=[*window.begin, *window.end],
            dilations=list(window.dilations),
        )  # fmt: skip
        return self._shaped(made, (operator.n_out,), out)

    def _patches(self, step: steps.Convolve, x: str, out: str) -> str:
        """Gather, for each position, what its taps read, and multiply by the weights as a matrix."""
        operator = step.operator
        groups, (n_out, width, taps) = operator.groups, operator.weight.shape
        places, n = operator.places, operator.n_positions
        image = self._shaped(x, (groups * width, n), f"{out}.image")
        if (places < 0).any():
            pads = self.constant("one behind", np.array([0, 0, 0, 0, 0, 1]))
            image = self.node("Pad", [image, pads], f"{out}.padded")
            places = np.where(places < 0, n, places)
        index = self.constant(f"{out}.places", places.T.reshape(-1))
        taken = self.node("Gather", [image, index], f"{out}.taken", axis=2)
        columns = self._shaped(taken, (groups, width * taps, places.shape[0]), f"{out}.columns")
        weight = self.constant(f"{out}.weight", operator.weight.reshape(groups, n_out // groups, width * taps))
        made = self.node("MatMul", [weight, columns], f"{out}.product")
        return self._shaped(made, (operator.n_out,), out)

    def _shaped(self, x: str, shape: tuple[int, ...], out: str) -> str:
        return self.node("Reshape", [x, self.constant(f"{out}.shape", np.array([-1, *shape], dtype=np.int64))], out)

    def _leaky(self, step: steps.Leaky, x: str, out: str) -> str:
        if step.above is None:
            return self.node("PRelu", [x, self.constant(f"{out}.slope", step.slope)], out)
        above = self.node("Relu", [x], f"{out}.positive")
        turned = self.node("Neg", [x], f"{out}.turned")
        below = self.node("Relu", [turned], f"{out}.negative")
        above = self.node("Mul", [above, self.constant(f"{out}.above", step.above)], f"{out}.over")
        below = self.node("Mul", [below, self.constant(f"{out}.slope", -step.slope)], f"{out}.under")
        return self.node("Add", [above, below], out)

    def _bent(self, step: steps.Bent, x: str, out: str) -> str:
        total = self.node("Mul", [x, self.constant(f"{out}.slope", step.slope)], f"{out}.line")
        total = self.node("Add", [total, self.constant(f"{out}.shift", step.shift)], f"{out}.first")
        for j in range(step.knots.shape[1]):
            beyond = self.node("Sub", [x, self.constant(f"{out}.knot{j}", step.knots[:, j])], f"{out}.beyond{j}")
            beyond = self.node("Relu", [beyond], f"{out}.past{j}")
            for name, factor in (("after", step.after[:, j]), ("before", -step.before[:, j])):
                if factor.any():
                    part = self.node(
                        "Mul", [beyond, self.constant(f"{out}.{name}{j}", factor)], f"{out}.{name}.part{j}"
                    )
                    total = self.node("Add", [total, part], f"{out}.{name}.sum{j}")
        return self.node("Identity", [total], out)
