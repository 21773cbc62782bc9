"""Small networks of every architecture, as ONNX models: convolutions, pools, norms, branches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper


class Graph:
    """Adds ONNX nodes one after another; every method returns the name of what it made."""

    def __init__(self, seed: int, *, whole: bool) -> None:
        self.rng = np.random.default_rng(seed)
        self.whole = whole
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def weights(self, *shape: int) -> str:
        """Add random weights: whole numbers from -2 to 2, or float32."""
        values = self.rng.integers(-2, 3, shape) if self.whole else self.rng.normal(size=shape)
        return self.constant(values.astype(np.float32))

    def constant(self, values: Any) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        name = f"t{len(self.nodes)}"
        self.nodes.append(
            helper.make_node(operator, inputs, [name], name=f"{operator} {len(self.nodes)}", **attributes)
        )
        return name

    def conv(self, x: str, n_in: int, n_out: int, kernel: int, *, groups: int = 1, **attributes: Any) -> str:
        weight, bias = self.weights(n_out, n_in // groups, kernel, kernel), self.weights(n_out)
        return self.add("Conv", x, weight, bias, group=groups, **attributes)

    def head(self, x: str, n: int, outputs: int = 2) -> str:
        flat = self.add("Flatten", x)
        return self.add("Gemm", flat, self.weights(outputs, n), self.weights(outputs), transB=1)

    def model(self, output: str, shape: tuple[int, ...]) -> onnx.ModelProto:
        graph = helper.make_graph(
            self.nodes, "model", [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, (1, *shape))],
            [helper.make_empty_tensor_value_info(output)], self.constants,
        )  # fmt: skip
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def conv(g: Graph) -> str:
    x = g.add("Relu", g.conv("x", 2, 3, 2, pads=[1, 0, 0, 1]))
    return g.head(g.add("Relu", g.conv(x, 3, 2, 2, strides=[2, 2])), 2)


def grouped_and_dilated(g: Graph) -> str:
    x = g.add("Relu", g.conv("x", 2, 4, 2, groups=2, pads=[1, 1, 0, 0]))
    return g.head(g.add("Relu", g.conv(x, 4, 2, 2, groups=2, dilations=[2, 1])), 4)


def average_pool(g: Graph) -> str:
    x = g.add("Relu", g.conv("x", 2, 2, 2, pads=[1, 1, 0, 0]))
    x = g.add("AveragePool", x, kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 2])
    return g.head(g.add("Relu", g.conv(x, 2, 2, 1)), 8)


def two_average_pools(g: Graph) -> str:
    x = g.add("Relu", g.conv("x", 2, 2, 1))
    left = g.add("AveragePool", x, kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 2], count_include_pad=1)
    right = g.conv(x, 2, 2, 2, strides=[1, 1])
    return g.head(g.add("Relu", g.add("Add", left, g.add("Relu", right))), 8)


def max_pool(g: Graph) -> str:
    x = g.add("Relu", g.conv("x", 2, 2, 2, pads=[1, 1, 0, 0]))
    return g.head(g.add("MaxPool", x, kernel_shape=[2, 2], pads=[1, 1, 1, 1], strides=[2, 2]), 8)


def batch_norm(g: Graph) -> str:
    x = g.conv("x", 2, 3, 2, pads=[1, 1, 0, 0])
    stats = [g.constant(v) for v in np.float32([[1.5, -0.5, 1], [0.1, 0, -1], [0.2, 0.1, 0], [0.5, 1, 2]])]
    x = g.add("LeakyRelu", g.add("BatchNormalization", x, *stats), alpha=0.1)
    x = g.add("GlobalAveragePool", x)
    return g.head(g.add("Relu", g.conv(x, 3, 3, 1)), 3)


def bilinear_resize(g: Graph) -> str:
    x = g.add("Relu", g.conv("x", 2, 2, 2))
    x = g.add("Resize", x, "", "", g.constant(np.array([1, 2, 3, 3])), mode="linear")
    return g.head(g.add("Relu", g.conv(x, 2, 1, 2)), 4)


def inception(g: Graph) -> str:
    one = g.add("Relu", g.conv("x", 2, 1, 1))
    three = g.add("Relu", g.conv("x", 2, 1, 3, pads=[1, 1, 1, 1]))
    pooled = g.conv(g.add("AveragePool", "x", kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[1, 1]), 2, 1, 1)
    x = g.add("Concat", one, three, pooled, axis=1)
    return g.head(g.add("Relu", g.conv(x, 3, 2, 3)), 2)


def residual(g: Graph) -> str:
    x = g.add("Relu", g.conv("x", 2, 2, 1))
    y = g.add("Relu", g.conv(x, 2, 2, 3, pads=[1, 1, 1, 1]))
    y = g.add("Add", g.conv(y, 2, 2, 3, pads=[1, 1, 1, 1]), x)
    return g.head(g.add("MaxPool", g.add("Relu", y), kernel_shape=[3, 3]), 2)


def transposed(g: Graph) -> str:
    x = g.add("Relu", g.conv("x", 2, 2, 2))
    x = g.add("ConvTranspose", x, g.weights(2, 1, 2, 2), g.weights(1), strides=[2, 2], pads=[1, 1, 1, 1])
    return g.head(g.add("Clip", x, g.constant(np.float32(-1)), g.constant(np.float32(1))), 4)


def maxout(g: Graph) -> str:
    x = g.add("Reshape", g.conv("x", 2, 6, 2), g.constant(np.array([1, 3, 2, 4])))
    x = g.add("ReduceMax", x, axes=[1], keepdims=0)
    return g.add("Min", g.head(x, 8), g.head(g.add("ReduceMean", "x", axes=[2]), 6))


ARCHITECTURES: dict[str, Callable[[Graph], str]] = {
    f.__name__: f
    for f in (
        conv, grouped_and_dilated, average_pool, two_average_pools, max_pool, batch_norm, bilinear_resize, inception,
        residual, transposed, maxout,
    )
}  # fmt: skip

SHAPE = (2, 3, 3)


def architecture(name: str, seed: int = 0, *, whole: bool = False) -> onnx.ModelProto:
    """Return a small model that takes images of 2 channels and 3 x 3; `whole`: of small whole weights, which tie."""
    g = Graph(seed, whole=whole)
    return g.model(ARCHITECTURES[name](g), SHAPE)
