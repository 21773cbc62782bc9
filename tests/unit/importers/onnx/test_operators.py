"""Every operator of the ONNX table, against onnxruntime."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import helper

from reluatlas.errors import DimensionError, ModelFileError, NonFiniteError, UnsupportedLayerError
from reluatlas.importers.load import load
from reluatlas.importers.onnx.operators.table import FINAL, OPERATORS
from reluatlas.network.network import Affine, Breakpoints, Max
from tests.unit.importers.models import by_onnxruntime, dense_model, one_node, onnx_model
from tests.unit.importers.onnx.test_images import CASES as IMAGES

RNG = np.random.default_rng(0)
C4 = RNG.normal(size=4)
I64 = np.int64


def ints(*values: int) -> np.ndarray:
    return np.array(values, dtype=I64)


SHAPED = {"shape": (1, 3, 4)}


def masked(operator: str, *comparisons: tuple[str, float]) -> onnx.ModelProto:
    """Return x -> x times a mask that is continuous, though the mask is not: made of comparisons with numbers.

    For comparisons with 0 the mask itself; else x (mask) + (1 - mask) clip(x), which is clip(x) off the mask.
    """
    nodes = [helper.make_node(kind, ["x", f"k{i}"], [f"c{i}"]) for i, (kind, _) in enumerate(comparisons)]
    constants = {f"k{i}": np.float32(k) for i, (_, k) in enumerate(comparisons)}
    nodes.append(helper.make_node(operator, [f"c{i}" for i in range(len(comparisons))], ["mask"]))
    if any(k for _, k in comparisons):  # clip, by its pieces
        constants |= {"low": np.float32(-0.5), "high": np.float32(0.5)}
        nodes += [
            helper.make_node("Clip", ["x", "low", "high"], ["c"]),
            helper.make_node("Where", ["mask", "x", "c"], ["y"]),
        ]
    else:
        nodes += [helper.make_node("Cast", ["mask"], ["m"], to=1), helper.make_node("Mul", ["x", "m"], ["y"])]
    return onnx_model(nodes, constants)


CASES = {
    "Abs": one_node("Abs"),
    "Add": one_node("Add", {"c": C4}),
    "Add scalar": one_node("Add", {"c": np.float32(0.5)}),
    "Add wider": one_node("Add", {"c": RNG.normal(size=(1, 3, 4))}),
    "Add tensor": one_node("Add", inputs=["h", "x"]),
    "Add to itself": one_node("Add", inputs=["h", "h"]),
    "BatchNormalization": one_node(
        "BatchNormalization", {"s": C4, "b": C4, "m": C4, "v": np.abs(C4) + 0.1}, epsilon=1e-3
    ),
    "Cast": one_node("Cast", to=onnx.TensorProto.FLOAT),
    "CastLike": one_node("CastLike", inputs=["h", "x"]),
    "Clip": one_node("Clip", {"a": np.float32(-0.5), "b": np.float32(0.7)}),
    "Clip low": one_node("Clip", {"a": np.float32(-0.5)}),
    "Clip high": one_node("Clip", {"b": np.float32(0.5)}, inputs=["h", "", "b"]),
    "Clip none": one_node("Clip"),
    "Clip old": one_node("Clip", min=-0.3, max=0.8, opset=10),
    "Clip infinite": one_node("Clip", {"a": np.float32(0), "b": np.float32(np.inf)}),
    "And": masked("And", ("Greater", -0.5), ("Less", 0.5)),
    "CenterCropPad": one_node("CenterCropPad", {"s": ints(3, 4)}, axes=[1, 2], shape=(1, 4, 3), opset=18),
    "Compress": one_node("Compress", {"c": np.array([True, False, True])}, axis=1),
    "Concat": one_node("Concat", {"c": RNG.normal(size=(1, 2))}, inputs=["h", "x", "c"], axis=-1),
    "CumSum": one_node("CumSum", {"a": np.int64(1)}, shape=(1, 5, 4)),
    "CumSum turned": one_node("CumSum", {"a": np.int64(-1)}, exclusive=1, reverse=1, shape=(1, 3, 4)),
    "DepthToSpace": one_node("DepthToSpace", shape=(1, 8, 2, 2), blocksize=2),
    "Div": one_node("Div", {"c": C4}),
    "Div number": one_node("Div", {"c": np.float32(3)}),
    "Dropout": one_node("Dropout"),
    "Einsum": one_node("Einsum", {"B": RNG.normal(size=(4, 3))}, equation="bi,io->bo"),
    "Einsum implicit": one_node("Einsum", {"B": RNG.normal(size=(4, 3))}, equation="bi, io"),
    "Einsum left": one_node(
        "Einsum", {"B": RNG.normal(size=(3, 2, 4))}, inputs=["B", "h"], equation="hoi,bti->bhto", shape=(1, 5, 4)
    ),
    "Einsum of three": one_node(
        "Einsum", {"B": RNG.normal(size=(4, 3)), "C": RNG.normal(size=(3, 2))}, equation="bi,io,oc->bc"
    ),
    "Einsum trace": one_node("Einsum", {"B": RNG.normal(size=(4, 5, 3))}, equation="bti,ito->b", shape=(1, 5, 4)),
    "Einsum sums a constant": one_node("Einsum", {"B": RNG.normal(size=(4, 3))}, equation="bi,io->bi"),
    "Einsum transpose": one_node("Einsum", equation="bti->bit", **SHAPED),
    "Equal": masked("Not", ("Equal", 0.0)),
    "Expand": one_node("Expand", {"s": ints(2, 3, 4)}),
    "Flatten": one_node("Flatten", axis=1, **SHAPED),
    "Gather": one_node("Gather", {"i": ints(2, 0, -1)}, axis=1),
    "Gather scalar": one_node("Gather", {"i": np.array(2, dtype=I64)}, axis=1),
    "Gemm": one_node("Gemm", {"B": RNG.normal(size=(4, 3))}),
    "Gemm all": one_node(
        "Gemm", {"B": RNG.normal(size=(3, 4)), "c": RNG.normal(size=(1, 3))}, alpha=0.3, beta=1.7, transB=1
    ),
    "Gemm number": one_node("Gemm", {"B": RNG.normal(size=(4, 3)), "c": np.float32(2)}, beta=0.5),
    "Gemm left": one_node("Gemm", {"A": RNG.normal(size=(1, 5))}, inputs=["A", "h"], transA=1),
    "Gemm turned": one_node(
        "Gemm", {"A": RNG.normal(size=(4, 5)), "c": C4[:1]}, inputs=["A", "h", "c"], transA=1, transB=1
    ),
    "Gemm turned input": one_node("Gemm", {"B": RNG.normal(size=(1, 2))}, transA=1),
    "Gemm tensor bias": one_node("Gemm", {"B": RNG.normal(size=(4, 4))}, inputs=["h", "B", "x"], beta=0.25),
    "Greater": masked("Identity", ("Greater", 0.0)),
    "GreaterOrEqual": masked("Identity", ("GreaterOrEqual", 0.0)),
    "HardSigmoid": one_node("HardSigmoid"),
    "HardSigmoid set": one_node("HardSigmoid", alpha=0.4, beta=0.1),
    "Identity": one_node("Identity"),
    "LeakyRelu": one_node("LeakyRelu"),
    "LeakyRelu set": one_node("LeakyRelu", alpha=0.3),
    "Less": masked("Identity", ("Less", 0.0)),
    "LessOrEqual": masked("Identity", ("LessOrEqual", 0.0)),
    "MatMul": one_node("MatMul", {"B": RNG.normal(size=(4, 2))}),
    "MatMul rows": one_node("MatMul", {"B": RNG.normal(size=(4, 2))}, **SHAPED),
    "MatMul stack": one_node("MatMul", {"B": RNG.normal(size=(2, 4, 2))}, **SHAPED),
    "MatMul left": one_node("MatMul", {"A": RNG.normal(size=(5, 3))}, inputs=["A", "h"], **SHAPED),
    "MatMul left stack": one_node("MatMul", {"A": RNG.normal(size=(2, 5, 3))}, inputs=["A", "h"], **SHAPED),
    "MatMul vector": one_node("MatMul", {"B": RNG.normal(size=4)}, **SHAPED),
    "MatMul vector left": one_node("MatMul", {"A": RNG.normal(size=3)}, inputs=["A", "h"], **SHAPED),
    "MatMul on a vector": one_node("MatMul", {"B": RNG.normal(size=(4, 2))}, shape=(4,)),
    "MatMul on a vector, stack": one_node("MatMul", {"B": RNG.normal(size=(3, 4, 2))}, shape=(4,)),
    "MatMul vectors": one_node("MatMul", {"B": RNG.normal(size=4)}, shape=(4,)),
    "MatMul by a vector": one_node("MatMul", {"A": RNG.normal(size=(3, 4))}, inputs=["A", "h"], shape=(4,)),
    "MatMul outer": one_node("MatMul", {"B": RNG.normal(size=(1, 4, 2))}, shape=(1, 1, 1, 4)),
    "Max": one_node("Max", inputs=["h", "x"]),
    "Max three": one_node("Max", {"c": C4}, inputs=["h", "x", "c"]),
    "Max constants": one_node("Max", {"c": C4, "d": np.float32(0.1)}),
    "Max one": one_node("Max", inputs=["h"]),
    "Max wider": one_node("Max", {"c": RNG.normal(size=(3, 4))}),
    "Min": one_node("Min", inputs=["h", "x"]),
    "Min constants": one_node("Min", {"c": C4, "d": np.float32(0.1)}),
    "Mul": one_node("Mul", {"c": C4}),
    "Mul left": one_node("Mul", {"c": C4}, inputs=["c", "h"]),
    "Neg": one_node("Neg"),
    "Not": masked("Not", ("Greater", 0.0)),
    "Or": masked("Or", ("Greater", 0.0), ("Less", 0.0)),
    "PRelu": one_node("PRelu", {"s": C4}),
    "PRelu channels": one_node("PRelu", {"s": RNG.normal(size=(3, 1))}, **SHAPED),
    "Relu": one_node("Relu"),
    "Reshape": one_node("Reshape", {"s": ints(2, -1)}),
    "ReverseSequence": one_node("ReverseSequence", {"n": ints(3)}, batch_axis=0, time_axis=1, **SHAPED),
    "Scatter": one_node("Scatter", {"i": ints(2, 0).reshape(1, 2), "u": C4[:2].reshape(1, 2)}, axis=1, opset=10),
    "ScatterElements": one_node("ScatterElements", {"i": ints(2, 0).reshape(1, 2), "u": C4[:2].reshape(1, 2)}, axis=1),
    "ScatterND": one_node("ScatterND", {"d": np.zeros((1, 6)), "i": ints(0, 1, 0, 4, 0, 5, 0, 2).reshape(1, 4, 2)},
                          inputs=["d", "i", "h"]),
    "Shrink": one_node("Shrink", lambd=0.5, bias=0.5),
    "Sign": onnx_model([helper.make_node("Sign", ["x"], ["s"]), helper.make_node("Mul", ["s", "x"], ["y"])]),
    "Slice": one_node("Slice", {"a": ints(3), "b": ints(0), "k": ints(1), "d": ints(-1)}),
    "SpaceToDepth": one_node("SpaceToDepth", shape=(1, 2, 4, 4), blocksize=2),
    "Split": one_node("Split", {"s": ints(1, 3)}, axis=1, outputs=["z", "y"]),
    "Split old": one_node("Split", axis=1, split=[1, 3], outputs=["z", "y"], opset=11),
    "Squeeze": one_node("Squeeze", {"d": ints(0)}),
    "Squeeze old": one_node("Squeeze", axes=[0], opset=11),
    "Sub": one_node("Sub", {"c": C4}),
    "Sub left": one_node("Sub", {"c": C4}, inputs=["c", "h"]),
    "Sub tensor": one_node("Sub", inputs=["h", "x"]),
    "Sum": one_node("Sum", {"c": C4}, inputs=["h", "x", "c", "h"]),
    "ThresholdedRelu": one_node("ThresholdedRelu", alpha=0.0),
    "Tile": one_node("Tile", {"r": ints(2, 3)}),
    "TopK": one_node("TopK", {"k": ints(3)}, axis=1, outputs=["y", "places"], shape=(1, 7, 4)),
    "TopK smallest": one_node("TopK", {"k": ints(4)}, largest=0, outputs=["y", "places"]),
    "TopK one": one_node("TopK", {"k": ints(1)}, outputs=["y", "places"]),
    "TopK old": one_node("TopK", k=2, outputs=["y", "places"], opset=9),
    "Transpose": one_node("Transpose", perm=[2, 0, 1], **SHAPED),
    "Trilu": one_node("Trilu", {"k": np.int64(1)}, shape=(1, 4, 4)),
    "Trilu lower": one_node("Trilu", upper=0, shape=(1, 4, 4)),
    "Unsqueeze": one_node("Unsqueeze", {"d": ints(0, 3)}),
    "Xor": masked("Xor", ("Greater", 0.0), ("Less", 0.0)),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_operator_computes_what_onnxruntime_does(case):
    model = CASES[case]
    shape = tuple(d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim)
    net = load(model)
    points = np.random.default_rng(3).normal(size=(40, *net.input_shape)).astype(np.float32)
    expected = by_onnxruntime(model, points, shape)
    got = net(points).reshape(40, -1)
    assert got.shape == expected.shape
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("operator", sorted(OPERATORS))
def test_every_operator_has_a_case(operator):
    assert operator in FINAL or any(case.split()[0] == operator for case in (*CASES, *IMAGES))


@pytest.mark.parametrize("operator", FINAL)
def test_final_activation_is_dropped_with_a_note(operator):
    nodes = [
        helper.make_node("MatMul", ["x", "W"], ["h"]),
        helper.make_node(operator, ["h"], ["s"], name="last"),
        helper.make_node("Reshape", ["s", "shape"], ["y"]),
    ]
    weight = RNG.normal(size=(4, 2)).astype(np.float32)
    net = load(onnx_model(nodes, {"W": weight, "shape": ints(1, 2, 1)}))
    assert [(n.kind, n.node) for n in net.notes] == [("dropped", "last")]
    x = np.arange(4.0)
    np.testing.assert_allclose(net(x)[:, 0], x @ weight.astype(float))


def test_entries_behind_a_final_activation_may_be_moved_and_chosen():
    nodes = [
        helper.make_node("Transpose", ["x"], ["t"], perm=[0, 2, 3, 1]),
        helper.make_node("Softmax", ["t"], ["s"], axis=3, name="soft"),
        helper.make_node("Transpose", ["s"], ["u"], perm=[0, 3, 1, 2]),
        helper.make_node("Slice", ["u", "from", "to", "axis"], ["y"]),
    ]
    constants = {"from": ints(0), "to": ints(1), "axis": ints(1)}
    net = load(onnx_model(nodes, constants, shape=(1, 2, 3, 3), opset=11))
    X = RNG.normal(size=(5, 2, 3, 3))
    assert np.array_equal(net(X), X[:, :1]) and [n.kind for n in net.notes] == ["dropped"]


def test_two_final_activations_may_be_joined():
    nodes = [
        helper.make_node("Split", ["x", "parts"], ["a", "b"], axis=1),
        helper.make_node("Tanh", ["a"], ["ta"]),
        helper.make_node("Sigmoid", ["b"], ["sb"]),
        helper.make_node("Concat", ["sb", "ta"], ["y"], axis=1),
    ]
    net = load(onnx_model(nodes, {"parts": ints(1, 3)}))
    assert np.array_equal(net(np.arange(4.0)), [1, 2, 3, 0])
    nodes[3] = helper.make_node("Concat", ["sb", "a"], ["y"], axis=1)
    with pytest.raises(UnsupportedLayerError, match="followed by Concat"):
        load(onnx_model(nodes, {"parts": ints(1, 3)}))


ZEROS = [helper.make_node("Shape", ["h"], ["s"]), helper.make_node("ConstantOfShape", ["s"], ["zeros"])]
POSITIVE = helper.make_node("Greater", ["h", "zero"], ["m"])
HANDWRITTEN = {
    "Max with zeros": [*ZEROS, helper.make_node("Max", ["h", "zeros"], ["y"])],
    "Max with h times 0": [helper.make_node("Mul", ["h", "zero"], ["z"]), helper.make_node("Max", ["z", "h"], ["y"])],
    "Where": [POSITIVE, helper.make_node("Where", ["m", "h", "zero"], ["y"])],
    "Where with zeros": [*ZEROS, POSITIVE, helper.make_node("Where", ["m", "h", "zeros"], ["y"])],
    "mask": [POSITIVE, helper.make_node("Cast", ["m"], ["f"], to=1), helper.make_node("Mul", ["f", "h"], ["y"])],
    "mask of integers": [
        POSITIVE,
        helper.make_node("Cast", ["m"], ["i"], to=7),
        helper.make_node("Cast", ["i"], ["f"], to=1),
        helper.make_node("Mul", ["f", "h"], ["y"]),
    ],
    "not less": [
        helper.make_node("Less", ["h", "zero"], ["l"]),
        helper.make_node("Not", ["l"], ["m"]),
        helper.make_node("Where", ["m", "h", "zero"], ["y"]),
    ],
}


@pytest.mark.parametrize("form", HANDWRITTEN)
def test_relu_by_hand_is_relu(form):
    nodes = [helper.make_node("MatMul", ["x", "W"], ["h"]), *HANDWRITTEN[form]]
    weight = RNG.normal(size=(4, 5)).astype(np.float32)
    net = load(onnx_model(nodes, {"W": weight, "zero": np.float32(0)}))
    (unit,) = (net.nodes[i] for i in net.cuts)
    assert isinstance(unit, Breakpoints) and unit.is_relu
    X = RNG.normal(size=(30, 4))
    np.testing.assert_allclose(net(X), np.maximum(X @ weight.astype(float), 0), atol=1e-14)


def test_choices_that_jump_are_refused():
    one = {"zero": np.float32(0), "one": np.float32(1)}
    compared = helper.make_node("Greater", ["x", "zero"], ["m"], name="compared")
    for node, words in (
        (
            helper.make_node("Where", ["m", "x", "one"], ["y"], name="chosen"),
            r"Where node `chosen`.*jumps at 0, from 1 to 0",
        ),
        (helper.make_node("Cast", ["m"], ["y"], to=1), r"Greater node `compared`.*jumps at 0, from 0 to 1"),
        (helper.make_node("ThresholdedRelu", ["x"], ["y"], alpha=0.5), r"jumps at 0\.5, from 0 to 0\.5"),
        (helper.make_node("Shrink", ["x"], ["y"], lambd=0.5), r"jumps at -0\.5"),
        (helper.make_node("Sign", ["x"], ["y"]), "jumps at 0, from -1 to 1"),
    ):
        with pytest.raises(UnsupportedLayerError, match=words):
            load(onnx_model([compared, node], one))


def test_activation_in_the_middle_is_refused_with_both_nodes():
    nodes = [
        helper.make_node("Softmax", ["x"], ["s"], name="soft"),
        helper.make_node("Relu", ["s"], ["y"], name="after"),
    ]
    with pytest.raises(UnsupportedLayerError, match=r"Softmax node `soft` is followed by Relu node `after`"):
        load(onnx_model(nodes))


@pytest.mark.parametrize(
    ("operator", "words"),
    [
        ("Gelu", "not piecewise linear"),
        ("Elu", "not piecewise linear"),
        ("HardSwish", "quadratic"),
        ("LSTM", "gates"),
        ("ArgMax", "scores"),
        ("Floor", "whole numbers"),
        ("ReduceL2", "squares"),
        ("QuantizeLinear", "Export the float model"),
        ("RandomUniformLike", "random"),
        ("GridSample", r"docs/operators\.md"),
    ],
)
def test_unsupported_operator_is_named_with_its_node_and_cause(operator, words):
    with pytest.raises(UnsupportedLayerError, match=rf"{operator} node `tested` is not supported: .*{words}") as caught:
        load(one_node(operator, opset=20))
    assert len(str(caught.value)) < 300


def test_operator_of_another_domain_is_refused():
    with pytest.raises(UnsupportedLayerError, match=r"operator set `com\.microsoft`"):
        load(one_node("Relu", domain="com.microsoft"))


@pytest.mark.parametrize(("operator", "inputs"), [("Mul", ["h", "x"]), ("MatMul", ["h", "h"]), ("Div", ["h", "x"])])
def test_product_of_two_tensors_is_refused(operator, inputs):
    with pytest.raises(UnsupportedLayerError, match=f"{operator} node `tested`"):
        load(one_node(operator, inputs=inputs, shape=(4, 4)))


def test_cast_to_integers_is_refused():
    with pytest.raises(UnsupportedLayerError, match="not continuous"):
        load(one_node("Cast", to=onnx.TensorProto.INT64))


def test_training_mode_is_refused():
    with pytest.raises(UnsupportedLayerError, match="training mode"):
        load(one_node("Dropout", {"r": np.float32(0.5), "t": np.array(True)}))


def test_shape_arithmetic_is_folded():
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Constant", [], ["zero"], value_ints=[0]),
        helper.make_node("Gather", ["shape", "zero"], ["batch"], axis=0),
        helper.make_node("Constant", [], ["rest"], value=onnx.numpy_helper.from_array(ints(-1))),
        helper.make_node("Concat", ["batch", "rest"], ["target"], axis=0),
        helper.make_node("Reshape", ["x", "target"], ["flat"]),
        helper.make_node("Constant", [], ["half"], value_float=0.1),
        helper.make_node("Mul", ["flat", "half"], ["y"]),
    ]
    net = load(onnx_model(nodes, shape=("N", 3, 4)))
    assert net.input_shape == (3, 4) and net.output_shape == (12,)
    assert net(np.ones(12))[0] == np.float64(np.float32(0.1))


def test_constants_larger_than_the_limit_are_not_made():
    nodes = [
        helper.make_node("ConstantOfShape", ["huge"], ["c"]),
        helper.make_node("Add", ["x", "c"], ["y"]),
    ]
    with pytest.raises((DimensionError, ModelFileError), match="limit"):
        load(onnx_model(nodes, {"huge": ints(2**20, 2**20)}))
    with pytest.raises((DimensionError, ModelFileError), match="limit"):
        load(one_node("Expand", {"s": ints(2**20, 2**20, 4)}))
    with pytest.raises((DimensionError, ModelFileError), match="limit"):
        load(one_node("Tile", {"s": ints(2**20, 2**20)}))


def test_bias_is_joined_and_nothing_else():
    nodes = [
        helper.make_node("MatMul", ["x", "W"], ["h"], name="matmul"),
        helper.make_node("Add", ["h", "b"], ["a"], name="bias"),
        helper.make_node("Relu", ["a"], ["r"], name="relu"),
        helper.make_node("Max", ["r", "x"], ["m"], name="max"),
        helper.make_node("Sub", ["m", "zero"], ["s"], name="nothing"),
        helper.make_node("Identity", ["s"], ["y"]),
    ]
    net = load(onnx_model(nodes, {"W": RNG.normal(size=(4, 4)), "b": C4, "zero": np.zeros(4)}))
    assert [type(n) for n in net.nodes[1:3]] == [Affine, Breakpoints]
    assert net.nodes[1].name == "matmul" and net.nodes[1].bias.all()
    assert sum(isinstance(n, Max) for n in net.nodes) == 1 and isinstance(net.nodes[net.output], Max | Affine)
    assert ("folded", "bias") in [(n.kind, n.node) for n in net.notes]


def test_bias_is_not_joined_where_the_product_has_another_reader():
    nodes = [
        helper.make_node("MatMul", ["x", "W"], ["h"]),
        helper.make_node("Add", ["h", "zero"], ["h2"]),
        helper.make_node("Add", ["h2", "b"], ["a"]),
        helper.make_node("Sub", ["a", "h"], ["y"]),
    ]
    net = load(onnx_model(nodes, {"W": RNG.normal(size=(4, 4)), "b": C4, "zero": np.zeros(4)}))
    np.testing.assert_allclose(net(np.ones(4)), C4.astype(np.float32), atol=1e-15)


def test_roundings_are_noted_and_exact_divisions_are_not():
    assert [n.kind for n in load(one_node("Div", {"c": np.float32(0.3)})).notes] == ["rounded"]
    third = load(one_node("Div", {"c": np.float32(-6)}))
    (operator,) = third.nodes[third.output].operators
    assert third.notes == () and operator.denominator == 3 and set(operator.values) == {-0.5}
    assert load(one_node("Div", {"c": np.float32(4)})).notes == ()
    assert "rounded" in [n.kind for n in load(CASES["BatchNormalization"]).notes]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_named(bad):
    model = dense_model()
    weight = onnx.numpy_helper.to_array(model.graph.initializer[0]).copy()
    weight[1, 2] = bad
    model.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(weight, "W"))
    with pytest.raises(NonFiniteError, match=r"Gemm node `gemm`.*1 NaN or infinite"):
        load(model)
