"""`reluatlas why`: the answer first, the numbers of `explain`, and a page that needs no other file."""

from __future__ import annotations

import json

import numpy as np
import pytest

import reluatlas as ra
from tests.cli.run import dense_layers, write_onnx
from tests.cli.test_bad_input import refused


@pytest.fixture
def model(tmp_path):
    return write_onnx(tmp_path / "net.onnx", dense_layers((6, 9, 4)))


@pytest.fixture
def data(tmp_path):
    np.save(tmp_path / "X.npy", np.random.default_rng(0).normal(size=(3, 6)))
    return "X.npy"


def test_the_answer_comes_first_then_the_sum(command, model, data):
    outcome = command("why", model, "--data", f"{data}:1", "--baseline", "zeros")
    why = ra.explain(ra.load(model), np.load(data)[1])
    lines = outcome.out.splitlines()
    assert outcome.code == 0
    assert lines[0].startswith(f"X[1]: the network says {why.label}, not {why.against}: it is ahead by {why.value:.4g}")
    assert any(line.startswith("the sum") and f"{why.constant:.4g} whatever the input" in line for line in lines)
    assert any(line.startswith("it holds") and f"within {why.reach().radius:.4g}" in line for line in lines)
    assert any(line.startswith("on a way") for line in lines)
    place, part = why.top(1)[0]
    assert any(line.startswith(f"input {place[0]} ") and line.endswith(f"{part:+.4g}") for line in lines)


def test_numbers_files_and_page(command, model, data, tmp_path):
    outcome = command(
        "why", model, "--data", f"{data}:0", "--against", "3", "--image-shape", "2,3", "--json", "--out", "o"
    )
    net, x = ra.load(model), np.load(data)[0]
    assert outcome.code == 0
    told = json.loads(outcome.out)
    why = ra.explain(net, x, 3)
    assert (told["value"], told["constant"], told["error"]) == (why.value, why.constant, why.error)
    assert told["against"] == "3" and told["top"][0]["name"].startswith("row ")
    assert told["holds"]["radius"] == why.reach().radius
    assert json.loads((tmp_path / "o" / "why.json").read_text())["top"] == told["top"]
    with np.load(tmp_path / "o" / "why.npz") as arrays:
        assert np.array_equal(arrays["parts"], why.parts) and np.array_equal(arrays["x"], why.x)
    page = (tmp_path / "o" / "report.html").read_text()
    assert "it is ahead by" in page.split("In words")[0] and "<figure" in page
    assert command("why", model, "--data", f"{data}:2", "--out", "o").code == 0


def test_a_limit_leaves_what_is_right(command, tmp_path):
    model = write_onnx(tmp_path / "net.onnx", dense_layers((40, 80, 80, 4)))
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=40))
    outcome = command("why", model, "--data", "x.npy", "--max-seconds", "0.01", "--json", "--quiet")
    told = json.loads(outcome.out)
    assert outcome.code == 3 and told["stopped_by"] == "max_seconds" and not told["is_complete"]
    assert told["value"] == ra.explain(ra.load(model), np.load("x.npy")).value


def test_bad_input(command, model, data):
    refused(command, "why", model, says=["no point"])
    refused(command, "why", model, "--data", data, says=["3 points", "X.npy:0"])
    refused(command, "why", model, "--data", f"{data}:0", "--against", "9", says=["against=9", "0 to 3"])
    refused(command, "why", model, "--data", f"{data}:0", "--against", "cat", says=["against='cat'"])
    refused(command, "why", model, "--data", f"{data}:0", "--of", "4", says=["outputs 0 to 3"])
    refused(command, "why", model, "--data", f"{data}:0", "--image-shape", "5,5", says=["5×5", "6 inputs"])
    refused(command, "why", model, "--data", f"{data}:0", "--image-shape", "big", says=["--image-shape big"])
    refused(command, "why", model, "--data", f"{data}:0", "--baseline", data, says=["--baseline", "3 points"])
