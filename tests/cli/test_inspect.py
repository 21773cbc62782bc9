from __future__ import annotations

import json

import numpy as np
import pytest

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
