from __future__ import annotations

import json

import numpy as np
import pytest

import reluatlas as ra
from tests.cli.run import contents, dense_layers, write_onnx


@pytest.fixture
def model(tmp_path):
    return write_onnx(tmp_path / "net.onnx", dense_layers((5, 7, 4, 3)), final="Softmax")


def test_the_table_names_every_node_and_what_was_dropped(command, model):
    outcome = command("inspect", model)
    assert (outcome.code, outcome.err) == (0, "")
    lines = outcome.out.splitlines()
    assert any(line.split() == ["inputs", "5"] for line in lines)
    assert any(line.split() == ["neurons", "11"] for line in lines)
    assert any(line.split() == ["parameters", str(5 * 7 + 7 + 7 * 4 + 4 + 4 * 3 + 3)] for line in lines)
    assert any(line.split()[1:] == ["relu1", "relu", "3", "4", "4"] for line in lines)
    assert any(line.startswith("dropped") and "last" in line for line in lines)
    assert any(line.startswith("check") and "1e-12" in line for line in lines)
    assert all(len(line) == len(line.rstrip()) for line in lines)


def test_json_says_the_same(command, model):
    numbers = command("inspect", model, "--json", "--seed", "3", "--jobs", "1").numbers
    assert numbers["n_neurons"] == 11 and numbers["n_windows"] == 0 and numbers["seed"] == 3
    assert numbers["input_shape"] == [5] and numbers["output_shape"] == [3]
    assert [n["units"] for n in numbers["nodes"] if n["kind"] == "relu"] == [7, 4]
    assert [n["parameters"] for n in numbers["nodes"] if n["kind"] == "affine"] == [42, 32, 15]
    assert [(n["kind"], n["node"]) for n in numbers["notes"]] == [("dropped", "last")]
    assert numbers["check"]["passed"] is True


def test_out_holds_the_json_and_nothing_else(command, model, tmp_path):
    shown = command("inspect", model, "--json", "--out", "result")
    assert shown.code == 0 and "network.json" in shown.err
    assert set(contents(tmp_path / "result")) == {"network.json"}
    assert json.loads((tmp_path / "result" / "network.json").read_text()) == shown.numbers
    assert command("inspect", model, "--out", "result", "--quiet").err == ""


def test_a_model_without_biases_counts_its_weights_only(command, tmp_path):
    layers = [(w, np.zeros_like(b)) for w, b in dense_layers((2, 3, 1))]
    write_onnx(tmp_path / "net.onnx", layers)
    assert command("inspect", "net.onnx", "--json").numbers["n_parameters"] == 9
    assert "Nothing was rounded" in command("inspect", "net.onnx").out


def test_a_state_dict_with_its_module(command, tmp_path):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    (tmp_path / "net.py").write_text(
        "from torch import nn\n\ndef make():\n    return nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))\n"
    )
    nn = torch.nn
    torch.save(nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)).state_dict(), tmp_path / "w.pt")
    numbers = command("inspect", "w.pt", "--model-module", "net.py:make", "--input-shape", "3", "--json").numbers
    assert numbers["n_neurons"] == 4 and numbers["input_shape"] == [3]


def test_which_units_can_change_on_a_box(command, model):
    net = ra.load(str(model))
    found = ra.stability(net, ra.Box(0, 0.1, dim=5))
    assert 0 < found.n_open < 11
    numbers = command("inspect", model, "--box", "0,0.1", "--json").numbers
    assert numbers["domain"]["kind"] == "box" and numbers["domain"]["high"] == [0.1] * 5
    said = numbers["stability"]
    assert [said[name] for name in ("n_units", "n_open", "n_bent")] == [11, found.n_open, found.n_bent]
    n_open = [layer.n_open for layer in found.layers]
    assert [(layer["n_units"], layer["n_open"]) for layer in said["layers"]] == [(7, n_open[0]), (4, n_open[1])]
    assert said["outputs"]["low"] == found.low.tolist()
    lines = [line.split() for line in command("inspect", model, "--box", "0,0.1").out.splitlines()]
    assert ["all", "11", str(found.n_open), str(found.n_bent)] in lines


def test_which_units_can_change_on_a_plane(command, model, tmp_path):
    np.save(tmp_path / "three.npy", np.eye(3, 5))
    numbers = command("inspect", model, "--through", "three.npy", "--margin", "0", "--json").numbers
    domain = ra.Slice.through(np.eye(3, 5), margin=0.0)
    assert numbers["stability"]["n_open"] == ra.stability(ra.load(str(model)), domain).n_open
    assert "stability" not in command("inspect", model, "--json").numbers
    assert command("inspect", model, "--box", "1,0").code == 2
    assert command("inspect", model, "--box", "0,1", "--through", "three.npy").code == 2
