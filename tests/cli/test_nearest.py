"""`reluatlas nearest`: what is printed, what is written, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import reluatlas as ra
import reluatlas.datasets.demo as demo_module
from reluatlas.datasets.demo import load_demo_digits
from tests.cli.run import write_onnx
from tests.cli.test_bad_input import refused


@pytest.fixture
def steep(tmp_path):
    """Return a network that decides by x0 against x1 + 1."""
    layers = [(np.eye(2), np.zeros(2)), (np.eye(2), np.array([0.0, 1.0]))]
    return write_onnx(tmp_path / "steep.onnx", layers)


@pytest.fixture
def digits(tmp_path):
    """Return the demo's network, in a file, and its first image."""
    demo = load_demo_digits()
    np.save(tmp_path / "digits.npy", demo.points)
    return str(Path(demo_module.__file__).with_name("demo_digits.onnx")), demo.points[0]


def test_numbers_are_those_of_the_library(command, digits):
    model, x = digits
    outcome = command("nearest", model, "--data", "digits.npy:0", "--norm", "inf", "--box", "0,1", "--json")
    assert (outcome.code, outcome.err) == (0, "")
    told, net = outcome.numbers, ra.load(model)
    found = ra.nearest_class(net, x, norm=float("inf"), domain=ra.Box(0, 1, dim=64))
    assert told["is_exact"] and told["lower_bound"] == told["upper_bound"] == found.upper_bound
    assert told["size"] == str(found.size) and told["crosses"] is found.crosses is True
    assert int(net(np.array(told["witness"])).argmax()) == found.against


def test_a_witness_decides_otherwise_in_onnxruntime(command, digits):
    import onnxruntime

    model, x = digits
    told = command("nearest", model, "--data", "digits.npy:0", "--norm", "inf", "--box", "0,1", "--json").numbers
    session = onnxruntime.InferenceSession(model)
    (name,) = [part.name for part in session.get_inputs()]
    classes = [
        int(session.run(None, {name: p[None].astype(np.float32)})[0].argmax()) for p in (x, np.array(told["witness"]))
    ]
    assert list(map(str, classes)) == [told["class"], told["against"]]


def test_stopped_in_time_both_numbers_are_told(command, model, points):
    outcome = command("nearest", model, "--data", "a.npy", "--max-seconds", "1", "--json")
    told = outcome.numbers
    assert outcome.code == (0 if told["is_exact"] else 3) and told["lower_bound"] <= told["upper_bound"]


def test_by_hand_and_a_folder(command, steep, tmp_path):
    outcome = command("nearest", steep, "--at", "1,1", "--domain", "-3,3", "--norm", "inf", "--out", "result")
    assert outcome.code == 0 and "0.5 away, exactly" in outcome.out
    kept = json.loads((tmp_path / "result" / "nearest.json").read_text(encoding="utf-8"))
    assert kept["size"] == "1/2" and kept["crosses"] is True
    arrays = np.load(tmp_path / "result" / "nearest.npz")
    assert arrays["x"].tolist() == [1.0, 1.0] and arrays["witness"].shape == (2,)
    assert "0.5" in (tmp_path / "result" / "report.html").read_text(encoding="utf-8")
    level = command("nearest", steep, "--at", "1,1", "--level", "0,3", "--norm", "1", "--json").numbers
    assert level["size"] == "2" and level["against"] is None


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--at", "1,1", "--norm", "3"), "`--norm 3` is not there"),
        (("--at", "1,1", "--against", "7"), "no class of the network"),
        (("--at", "1,1", "--against", "1"), "the class that the network decides on"),
        (("--at", "5,1", "--box", "-3,3"), "outside of the domain"),
        (("--at", "1,nan"), "NaN"),
        (("--at", "1,1", "--level", "x"), "an output and a value"),
        (("--at", "1,1", "--level", "2,0.5"), "outputs 0 to 1"),
        ((), "no point was given"),
    ],
)
def test_what_is_refused(command, steep, options, said):
    refused(command, "nearest", steep, *options, says=[said])
