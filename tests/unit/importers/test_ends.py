"""Models with several inputs and outputs: one joint input with named parts, an output by its name."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import reluatlas as ra
from reluatlas.errors import ArgumentError, DimensionError, UnsupportedLayerError

RNG = np.random.default_rng(3)
W, V = RNG.normal(size=(2, 3)), RNG.normal(size=(4, 3))


def two_inputs(kind: int = TensorProto.DOUBLE, *, batch: bool = True) -> Any:
    """Return relu(x W) + flatten(y) V, with a label beside the scores and an input that only another output reads."""
    lead = [1] if batch else []
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    nodes = [
        helper.make_node("MatMul", ["x", "W"], ["h"]),
        helper.make_node("Relu", ["h"], ["r"]),
        helper.make_node("Reshape", ["y", "flat"], ["f"]),
        helper.make_node("MatMul", ["f", "V"], ["g"]),
        helper.make_node("Add", ["r", "g"], ["scores"]),
        helper.make_node("ArgMax", ["scores"], ["label"], axis=-1, keepdims=0),
        helper.make_node("Relu", ["z"], ["other"]),
    ]
    inputs = [("x", [*lead, 2]), ("y", [*lead, 2, 2]), ("z", [*lead, 5])]
    outputs = [("label", TensorProto.INT64, lead), ("scores", kind, [*lead, 3]), ("other", kind, [*lead, 5])]
    graph = helper.make_graph(
        nodes, "two",
        [helper.make_tensor_value_info(name, kind, shape) for name, shape in inputs],
        [helper.make_tensor_value_info(*entry) for entry in outputs],
        [
            numpy_helper.from_array(W.astype(dtype), "W"), numpy_helper.from_array(V.astype(dtype), "V"),
            numpy_helper.from_array(np.array([*lead, 4], dtype=np.int64), "flat"),
        ],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize("batch", [True, False])
def test_an_output_of_several_inputs_equals_onnxruntime(batch: bool) -> None:
    model = two_inputs(batch=batch)
    net = ra.load(model, output="scores")
    assert [(p.name, p.shape) for p in net.input_parts] == [("x", (2,)), ("y", (2, 2))]
    assert net.input_shape == (6,)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    x, y = RNG.normal(size=(7, 2)), RNG.normal(size=(7, 2, 2))
    for i in range(7):
        feeds = {"x": x[i], "y": y[i], "z": np.zeros(5)}
        want = session.run(["scores"], {k: v[None] if batch else v for k, v in feeds.items()})[0].reshape(-1)
        assert np.allclose(net({"x": x[i], "y": y[i]}), want, rtol=0, atol=1e-12)
    assert net({"x": x, "y": y}).shape == (7, 3)
    assert np.array_equal(net({"x": x, "y": y}), net(net.join({"x": x, "y": y})))


def test_an_output_that_needs_one_input_has_that_input_alone() -> None:
    net = ra.load(two_inputs(), output="other")
    assert net.input_parts == ()
    assert net.input_shape == (5,)
    assert np.array_equal(ra.load(two_inputs(), output=2)([-1, 2, 3, -4, 5.0]), [0, 2, 3, 0, 5])


def test_a_choice_of_several_outputs_is_asked_for_with_their_names() -> None:
    with pytest.raises(ArgumentError, match=r"3 outputs \(label, scores, other\).*output='label'"):
        ra.load(two_inputs())
    with pytest.raises(ArgumentError, match=r"no output of .*label, scores, other"):
        ra.load(two_inputs(), output="logits")
    with pytest.raises(UnsupportedLayerError, match="ArgMax"):
        ra.load(two_inputs(), output="label")


def test_units_are_given_by_name() -> None:
    mean, std = {"x": [1.0, 2.0], "y": 0.5}, {"x": 2.0, "y": np.full((2, 2), 4.0)}
    plain, net = ra.load(two_inputs(), output="scores"), ra.load(two_inputs(), output="scores", mean=mean, std=std)
    x, y = np.array([0.25, -1.0]), np.array([[0.5, 1.5], [2.0, -3.0]])
    want = plain({"x": (x - [1, 2]) / 2, "y": (y - 0.5) / 4})
    assert np.allclose(net({"x": x, "y": y}), want, rtol=0, atol=1e-13)
    with pytest.raises(ArgumentError, match="lacks the part `y`"):
        ra.load(two_inputs(), output="scores", mean={"x": 0.0})


def test_boxes_and_cells_of_a_joint_input() -> None:
    net = ra.load(two_inputs(), output="scores")
    box = net.box({"x": (-1, 1), "y": (np.zeros((2, 2)), [[1, 1], [2, 2]])})
    assert np.array_equal(box.high, [1, 1, 1, 1, 2, 2])
    # three lines through the origin in the plane of x, and nothing bends in y
    assert ra.count_cells(net, box).n_cells == 6
    cell = ra.cell_at(net, net.join({"x": [0.3, 0.2], "y": np.full(4, 0.5)}), box)
    assert np.array_equal(cell.pattern, (np.array([0.3, 0.2]) @ W > 0).astype(int))


def test_names_and_shapes_that_do_not_fit_are_named() -> None:
    net = ra.load(two_inputs(), output="scores")
    for given, error, text in (
        ({"x": [0, 0]}, ArgumentError, "lacks the part `y`"),
        ({"x": [0, 0], "y": np.zeros(4), "q": 1}, ArgumentError, "has no part `q`"),
        ({"x": [0, 0, 0], "y": np.zeros(4)}, DimensionError, r"`X\['x'\]` has shape \(3,\)"),
        ({"x": np.zeros((2, 2)), "y": np.zeros((3, 4))}, DimensionError, r"\[2, 3\] points"),
    ):
        with pytest.raises(error, match=text):
            net(given)
    with pytest.raises(ArgumentError, match="has one input"):
        ra.load([(np.eye(2), np.zeros(2))])({"x": [0, 0]})
    with pytest.raises(ArgumentError, match="one shape but"):
        ra.load(two_inputs(), output="scores", input_shape=(2,))
    with pytest.raises(ArgumentError, match="names `q`"):
        ra.load(two_inputs(), output="scores", input_shape={"q": (2,)})


def test_parts_classes_and_names_stay_in_files(tmp_path) -> None:
    net = ra.load(two_inputs(), output="scores", classes="min", class_names=["left", "right", "ahead"])
    plane = ra.Slice(np.zeros(6), np.eye(6)[:2], box=ra.Box(-1, 1, dim=2))
    cx = ra.enumerate_cells(net, plane)
    cx.save(tmp_path / "cells.npz")
    again = ra.load_complex(tmp_path / "cells.npz").network
    assert again.input_parts == net.input_parts
    assert (again.classes, again.class_names) == ("min", ("left", "right", "ahead"))


torch = pytest.importorskip("torch", reason="torch is not installed")


class _Two(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = torch.nn.Linear(5, 4), torch.nn.Linear(4, 2)

    def forward(self, state: Any, action: Any) -> dict[str, Any]:
        h = torch.relu(self.a(torch.cat([state, action.flatten(1)], 1)))
        return {"value": self.b(h), "hidden": (h, h.sum(1, keepdim=True))}


def test_a_torch_module_with_two_inputs_and_a_dictionary_of_outputs() -> None:
    torch.manual_seed(0)
    module = _Two().double()
    shapes = {"state": (3,), "action": (1, 2)}
    for name, pick in (("value", lambda m: m["value"]), ("hidden.1", lambda m: m["hidden"][1])):
        net = ra.load(module, input_shape=shapes, output=name)
        assert [(p.name, p.shape) for p in net.input_parts] == [("state", (3,)), ("action", (1, 2))]
        s, a = torch.randn(6, 3, dtype=torch.float64), torch.randn(6, 1, 2, dtype=torch.float64)
        want = pick(module(s, a)).detach().numpy()
        assert np.allclose(net({"state": s.numpy(), "action": a.numpy()}), want, rtol=0, atol=1e-12)
    with pytest.raises(ArgumentError, match=r"3 outputs \(value, hidden.0, hidden.1\)"):
        ra.load(module, input_shape=shapes)
    with pytest.raises(ArgumentError, match=r"takes 2 inputs \(state, action\)"):
        ra.load(module, input_shape=(3,))
    with pytest.raises(ArgumentError, match="lacks `action`"):
        ra.load(module, input_shape={"state": (3,)})


def test_an_onnx_model_is_not_changed() -> None:
    model = two_inputs()
    before = model.SerializeToString(deterministic=True)
    ra.load(model, output="scores")
    assert model.SerializeToString(deterministic=True) == before
