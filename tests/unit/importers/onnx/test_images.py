"""Operators of the ONNX table that look at windows of images or at whole axes, against onnxruntime."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from onnx import helper

from reluatlas.errors import DimensionError, ModelFileError, UnsupportedLayerError
from reluatlas.importers.load import load
from reluatlas.network.network import Convolution, Dense, Max, Sparse
from tests.convert import matrix_rows
from tests.unit.importers.models import by_onnxruntime, one_node, onnx_model

RNG = np.random.default_rng(4)


def ints(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def floats(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float32)


def conv(shape: tuple[int, ...], weights: tuple[int, ...], *, bias: int = 0, op: str = "Conv", **keywords: Any):
    constants: dict[str, Any] = {"w": RNG.normal(size=weights)}
    if bias:
        constants["b"] = RNG.normal(size=bias)
    return one_node(op, constants, shape=shape, **keywords)


def pool(op: str, *kernel: int, shape: tuple[int, ...] = (1, 2, 7, 8), **keywords: Any):
    return one_node(op, kernel_shape=list(kernel), shape=shape, **keywords)


def resize(scales: Any = None, sizes: Any = None, *, shape: tuple[int, ...] = (1, 2, 4, 5), **keywords: Any):
    constants: dict[str, Any] = {}
    inputs = ["h", "", "", ""]
    if scales is not None:
        constants["k"], inputs[2] = floats(*scales), "k"
        inputs = inputs[:3]
    else:
        constants["s"], inputs[3] = ints(*sizes), "s"
    return one_node("Resize", constants, inputs=inputs, shape=shape, **keywords)


def after_conv(op: str, *kernel: int, **keywords: Any):
    """A pool behind ReLU, so that windows tie."""
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node(op, ["r"], ["y"], kernel_shape=list(kernel), **keywords),
    ]
    return onnx_model(nodes, {"w": RNG.normal(size=(3, 1, 2, 2))}, shape=(1, 1, 6, 6), opset=19)


CASES = {
    "GlobalLpPool": one_node("GlobalLpPool", p=1, shape=(1, 2, 3, 4)),
    "LpPool": pool("LpPool", 2, 3, p=1, strides=[1, 2], pads=[1, 0, 0, 1]),
    "ReduceL1": one_node("ReduceL1", axes=[1], shape=(1, 3, 4)),
    "ReduceL1 all": one_node("ReduceL1", {"a": ints(1, 2)}, keepdims=0, shape=(1, 3, 4), opset=18),
    "Conv": conv((1, 2, 6, 5), (3, 2, 3, 2), bias=3),
    "Conv strides": conv((1, 2, 7, 6), (3, 2, 3, 2), strides=[2, 3], pads=[1, 0, 2, 1]),
    "Conv dilated": conv((1, 2, 7, 6), (3, 2, 3, 2), dilations=[2, 3], pads=[0, 1, 1, 2], bias=3),
    "Conv groups": conv((1, 4, 5, 5), (6, 2, 2, 2), group=2, bias=6),
    "Conv depthwise": conv((1, 4, 5, 5), (4, 1, 3, 3), group=4, pads=[1, 1, 1, 1]),
    "Conv 1-d": conv((1, 3, 9), (2, 3, 4), strides=[2], pads=[1, 3], bias=2),
    "Conv 3-d": conv((1, 2, 4, 3, 5), (2, 2, 2, 2, 3), pads=[0, 1, 1, 1, 0, 0]),
    "Conv 1x1": conv((1, 3, 4, 4), (5, 3, 1, 1)),
    "Conv whole image": conv((1, 3, 4, 4), (5, 3, 4, 4), bias=5),
    "Conv stack": conv((3, 2, 4, 4), (2, 2, 2, 2), bias=2),
    "Conv same upper": conv((1, 2, 7, 6), (3, 2, 3, 2), auto_pad="SAME_UPPER", strides=[2, 2]),
    "Conv same lower": conv((1, 2, 7, 6), (3, 2, 4, 2), auto_pad="SAME_LOWER", strides=[2, 1]),
    "Conv valid": conv((1, 2, 7, 6), (3, 2, 3, 2), auto_pad="VALID"),
    "Conv opset 9": conv((1, 2, 6, 5), (3, 2, 3, 2), opset=9, kernel_shape=[3, 2]),
    "Conv opset 22": conv((1, 2, 6, 5), (3, 2, 3, 2), opset=22),
    "ConvTranspose": conv((1, 2, 4, 5), (2, 3, 3, 2), op="ConvTranspose", bias=3),
    "ConvTranspose strides": conv(
        (1, 2, 4, 5), (2, 3, 3, 2), op="ConvTranspose", strides=[2, 3], pads=[1, 0, 0, 1], output_padding=[1, 2]
    ),
    "ConvTranspose dilated": conv((1, 2, 4, 5), (2, 3, 3, 2), op="ConvTranspose", dilations=[2, 3], strides=[1, 2]),
    "ConvTranspose groups": conv((1, 4, 3, 3), (4, 3, 2, 2), op="ConvTranspose", group=2, bias=6),
    "ConvTranspose 1-d": conv((1, 2, 5), (2, 3, 3), op="ConvTranspose", strides=[2]),
    "ConvTranspose shape": conv((1, 2, 4, 4), (2, 3, 3, 3), op="ConvTranspose", strides=[2, 2], output_shape=[8, 8]),
    "ConvTranspose same upper": conv(
        (1, 2, 4, 4), (2, 3, 3, 3), op="ConvTranspose", strides=[2, 2], auto_pad="SAME_UPPER"
    ),
    "ConvTranspose same lower": conv(
        (1, 2, 4, 4), (2, 3, 3, 3), op="ConvTranspose", strides=[2, 2], auto_pad="SAME_LOWER"
    ),
    "AveragePool": pool("AveragePool", 3, 3),
    "AveragePool padded": pool("AveragePool", 3, 3, pads=[1, 1, 1, 1], strides=[2, 2]),
    "AveragePool counted": pool("AveragePool", 3, 3, pads=[1, 1, 1, 1], strides=[2, 2], count_include_pad=1),
    "AveragePool ceil": pool("AveragePool", 3, 2, strides=[2, 3], ceil_mode=1, opset=19),
    "AveragePool same": pool("AveragePool", 3, 2, strides=[2, 1], auto_pad="SAME_UPPER"),
    "AveragePool dilated": pool("AveragePool", 2, 2, dilations=[2, 1], opset=19),
    "AveragePool 1-d": pool("AveragePool", 3, shape=(1, 2, 8), strides=[2]),
    "AveragePool 3-d": pool("AveragePool", 2, 2, 2, shape=(1, 2, 3, 4, 3)),
    "AveragePool opset 9": pool("AveragePool", 2, 2, opset=9),
    "AveragePool of ReLU": after_conv("AveragePool", 3, 3, strides=[2, 2]),
    "MaxPool": pool("MaxPool", 2, 3),
    "MaxPool padded": pool("MaxPool", 3, 3, pads=[1, 1, 1, 1], strides=[2, 2]),
    "MaxPool dilated": pool("MaxPool", 2, 2, dilations=[2, 3]),
    "MaxPool ceil": pool("MaxPool", 3, 2, strides=[2, 3], ceil_mode=1),
    "MaxPool same": pool("MaxPool", 3, 2, strides=[2, 1], auto_pad="SAME_LOWER"),
    "MaxPool 1-d": pool("MaxPool", 3, shape=(1, 2, 8), strides=[2], pads=[1, 0]),
    "MaxPool 3-d": pool("MaxPool", 2, 2, 2, shape=(1, 2, 3, 4, 3)),
    "MaxPool opset 9": pool("MaxPool", 2, 2, opset=9),
    "MaxPool of ReLU": after_conv("MaxPool", 2, 2, strides=[2, 2]),
    "GlobalAveragePool": one_node("GlobalAveragePool", shape=(1, 2, 3, 5)),
    "GlobalMaxPool": one_node("GlobalMaxPool", shape=(1, 2, 3, 5)),
    "ReduceMean": one_node("ReduceMean", axes=[2, 3], keepdims=0, shape=(1, 2, 3, 5)),
    "ReduceMean opset 18": one_node("ReduceMean", {"a": ints(-1)}, shape=(1, 2, 3, 5), opset=18),
    "ReduceMean all": one_node("ReduceMean", keepdims=0, shape=(1, 2, 3), opset=18),
    "ReduceMean none": one_node("ReduceMean", noop_with_empty_axes=1, shape=(1, 2, 3), opset=18),
    "ReduceSum": one_node("ReduceSum", {"a": ints(1)}, shape=(1, 3, 4)),
    "ReduceSum opset 11": one_node("ReduceSum", axes=[1], shape=(1, 3, 4), opset=11),
    "ReduceMax": one_node("ReduceMax", axes=[1], shape=(1, 3, 4)),
    "ReduceMin": one_node("ReduceMin", axes=[1], keepdims=0, shape=(1, 3, 4)),
    "Mean": one_node("Mean", {"c": RNG.normal(size=4)}, inputs=["h", "x", "c"]),
    "Pad": one_node("Pad", {"p": ints(0, 0, 1, 2, 0, 1, 0, 3), "v": np.float32(0.3)}, shape=(1, 2, 3, 4)),
    "Pad zeros": one_node("Pad", {"p": ints(0, 1, 2, 0, 0, 3)}, shape=(1, 3, 4)),
    "Pad cut": one_node("Pad", {"p": ints(0, -1, 2, 0, 0, -1)}, shape=(1, 3, 4)),
    "Pad reflect": one_node("Pad", {"p": ints(0, 1, 2, 0, 2, 3)}, mode="reflect", shape=(1, 3, 4)),
    "Pad edge": one_node("Pad", {"p": ints(0, 1, 2, 0, 2, 3)}, mode="edge", shape=(1, 3, 4)),
    "Pad wrap": one_node("Pad", {"p": ints(0, 1, 2, 0, 2, 3)}, mode="wrap", shape=(1, 3, 4), opset=19),
    "Pad axes": one_node(
        "Pad", {"p": ints(1, 2), "a": ints(-1)}, inputs=["h", "p", "", "a"], shape=(1, 3, 4), opset=18
    ),
    "Pad old": one_node("Pad", pads=[0, 1, 0, 0, 0, 2], value=0.5, shape=(1, 3, 4), opset=10),
    "GatherElements": one_node("GatherElements", {"i": ints(3, 0, 0, 1).reshape(1, 4)}, axis=1),
    "GatherND": one_node("GatherND", {"i": ints(0, 2, 0, 1).reshape(2, 2)}),
    "Where": one_node("Where", {"c": np.array([True, False, True, False])}, inputs=["c", "h", "x"]),
    "Where constant": one_node(
        "Where", {"c": np.array([True, False, True, False]), "v": RNG.normal(size=4)}, inputs=["c", "v", "h"]
    ),
    "Upsample": one_node("Upsample", {"k": floats(1, 1, 2, 3)}, opset=9, shape=(1, 2, 3, 4)),
    "Upsample linear": one_node("Upsample", {"k": floats(1, 1, 2, 2)}, mode="linear", opset=9, shape=(1, 2, 3, 4)),
    "Resize opset 10": one_node("Resize", {"k": floats(1, 1, 2, 2)}, opset=10, shape=(1, 2, 3, 4)),
    "Resize nearest": resize((1, 1, 2, 3)),
    "Resize nearest floor": resize(
        (1, 1, 2, 1.5), nearest_mode="floor", coordinate_transformation_mode="asymmetric"
    ),
    "Resize nearest ceil": resize((1, 1, 2, 2), nearest_mode="ceil", coordinate_transformation_mode="half_pixel"),
    "Resize nearest corners": resize(sizes=(1, 2, 7, 9), coordinate_transformation_mode="align_corners"),
    "Resize prefer ceil": resize((1, 1, 0.5, 2), nearest_mode="round_prefer_ceil"),
    "Resize linear": resize((1, 1, 2, 2), mode="linear"),
    "Resize linear down": resize((1, 1, 0.5, 0.6), mode="linear"),
    "Resize linear corners": resize(sizes=(1, 2, 7, 9), mode="linear", coordinate_transformation_mode="align_corners"),
    "Resize linear asymmetric": resize((1, 1, 2, 2), mode="linear", coordinate_transformation_mode="asymmetric"),
    "Resize linear torch": resize(
        sizes=(1, 2, 6, 1), mode="linear", coordinate_transformation_mode="pytorch_half_pixel"
    ),
    "Resize linear thirds": resize(sizes=(1, 2, 6, 3), mode="linear"),
    "Resize symmetric": resize(
        (1, 1, 2, 2), mode="linear", coordinate_transformation_mode="half_pixel_symmetric", opset=19
    ),
    "Resize axes": one_node(
        "Resize", {"k": floats(2, 2)}, inputs=["h", "", "k"], axes=[2, 3], mode="linear", shape=(1, 2, 3, 4), opset=18
    ),
    "Resize 1-d": resize((1, 1, 3), mode="linear", shape=(1, 2, 5)),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_operator_computes_what_onnxruntime_does(case):
    model = CASES[case]
    shape = tuple(d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim)
    net = load(model)
    points = np.random.default_rng(3).normal(size=(20, *net.input_shape)).astype(np.float32)
    expected = by_onnxruntime(model, points, shape)
    got = net(points).reshape(20, -1)
    assert got.shape == expected.shape
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)
    assert not [n for n in net.notes if n.kind == "rounded"]
    assert net(points[:0]).shape == (0, *net.output_shape)


def test_convolutions_stay_convolutions_and_pools_are_ratios():
    net = load(CASES["Conv"])
    (operator,) = net.nodes[net.output].operators
    assert isinstance(operator, Convolution) and operator.weight.size == 3 * 2 * 6
    (operator,) = load(CASES["Conv whole image"]).nodes[-1].operators
    assert isinstance(operator, Dense)  # one position: no convolution at all
    net = load(CASES["AveragePool"])
    (operator,) = net.nodes[net.output].operators
    assert isinstance(operator, Sparse) and operator.denominator == 9 and set(operator.values) == {1.0}
    assert {c for row in matrix_rows(operator) for _, c in row} == {Fraction(1, 9)}
    net = load(CASES["AveragePool padded"])
    (operator,) = net.nodes[net.output].operators
    assert {c for row in matrix_rows(operator) for _, c in row} == {Fraction(1, 4), Fraction(1, 6), Fraction(1, 9)}


def test_interpolation_weights_are_ratios():
    net = load(CASES["Resize linear thirds"])
    (operator,) = net.nodes[net.output].operators
    rows = matrix_rows(operator)
    assert operator.denominator == 9 and all(sum(c for _, c in row) == 1 for row in rows)
    net = load(CASES["Resize linear down"])  # 0.6 in single precision is not 3 / 5, but a ratio, too
    (operator,) = net.nodes[net.output].operators
    assert operator.denominator == 5033165 and net.notes == ()
    net = load(resize((1, 1, 0.6, 0.7), mode="linear"))  # two of them are one too many
    assert [n.kind for n in net.notes] == ["rounded"]


def test_padding_of_max_pools_is_left_out():
    net = load(CASES["MaxPool padded"])
    node = net.nodes[net.output]
    assert isinstance(node, Max) and set(np.diff(node.offsets)) == {4, 6, 9}


def test_too_many_averages_are_rounded_with_a_note():
    nodes = [helper.make_node("AveragePool", [f"t{i}"], [f"t{i + 1}"], kernel_shape=[7, 7]) for i in range(7)]
    model = onnx_model(nodes, shape=(1, 1, 45, 45), output="t7")
    model.graph.node[0].input[0] = "x"
    net = load(model)
    denominators = [getattr(o, "denominator", 1) for n in net.nodes[1:] for o in n.operators]
    assert denominators == [49] * 5 + [1, 1] and [n.kind for n in net.notes] == ["rounded"] * 2


@pytest.mark.parametrize(
    ("model", "error", "words"),
    [
        (conv((1, 3, 4, 4), (2, 2, 2, 2)), DimensionError, "weights of shape"),
        (conv((1, 4, 4, 4), (3, 2, 2, 2), group=2), DimensionError, "weights of shape"),
        (conv((1, 2, 4, 4), (2, 2, 5, 2)), DimensionError, "too small"),
        (conv((1, 2, 4, 4), (2, 2, 2)), DimensionError, "weights of shape"),
        (conv((1, 2, 4, 4), (2, 2, 2, 2), strides=[0, 1]), DimensionError, "below 1"),
        (conv((1, 2, 4, 4), (2, 2, 2, 2), strides=[1]), DimensionError, "axes"),
        (conv((1, 2, 4, 4), (2, 2, 2, 2), auto_pad="ODD"), UnsupportedLayerError, "auto_pad is ODD"),
        (conv((1, 2, 4, 4), (2, 2, 2, 2), group=0), DimensionError, "0 groups"),
        (one_node("Conv", shape=(1, 2, 4, 4)), DimensionError, "no weights"),
        (one_node("MaxPool", shape=(1, 2, 4, 4)), ModelFileError, "kernel_shape"),
        (pool("MaxPool", 9, 9), DimensionError, "too small"),
        (pool("AveragePool", 2, 2, shape=(3, 4)), DimensionError, "expected"),
        (one_node("ReduceMean", axes=[7]), DimensionError, "axes"),
        (one_node("Pad", {"p": ints(0, 0, 1)}), DimensionError, "pads"),
        (one_node("Pad", {"p": ints(0, -2, 0, -3)}), DimensionError, "cuts all"),
        (one_node("Pad", {"p": ints(0, 0, 0, 2**40)}), DimensionError, "limit"),
        (resize((1, 1, 2, 2), mode="cubic"), UnsupportedLayerError, "mode is cubic"),
        (resize((1, 2, 2, 2)), UnsupportedLayerError, "channels"),
        (resize((1, 1, 2)), DimensionError, "scales or sizes"),
        (resize((1, 1, 2, 2), antialias=1, mode="linear", opset=18), UnsupportedLayerError, "antialiased"),
        (resize((1, 1, 2, 2), coordinate_transformation_mode="tf_crop_and_resize"), UnsupportedLayerError, "tf_crop"),
        (one_node("Where", inputs=["h", "h", "x"]), UnsupportedLayerError, "condition"),
        (one_node("InstanceNormalization", {"s": floats(1, 1), "b": floats(0, 0)}, shape=(1, 2, 4)),
         UnsupportedLayerError, "divides by"),
        (one_node("BatchNormalization", dict.fromkeys("sbmv", floats(1, 1, 1, 1)), outputs=["y", "rm", "rv"], opset=9),
         UnsupportedLayerError, "training mode"),
        (one_node("MaxPool", kernel_shape=[2, 2], outputs=["y", "i"], shape=(1, 1, 4, 4)), None, ""),
    ],
)  # fmt: skip
def test_bad_nodes_are_named_in_one_sentence(model, error, words):
    if error is None:  # a named output that nothing reads
        model.graph.node[-1].output[1] = ""
        assert load(model).n_windows == 9
        return
    with pytest.raises(error, match=words) as caught:
        load(model)
    assert "`tested`" in str(caught.value) and "\n" not in str(caught.value)
