"""`reluatlas simplify`: what is written, what is printed, what is refused."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

import reluatlas as ra
from reluatlas.simplification import bounds
from tests.cli.run import dense_layers, write_onnx
from tests.cli.test_bad_input import refused


@pytest.fixture
def model(tmp_path):
    return write_onnx(tmp_path / "net.onnx", dense_layers((6, 12, 9, 4)))


def test_words_first_then_sizes_and_layers(command, model, tmp_path):
    outcome = command("simplify", model, "--box", "0,0.125", "--out", "smaller.onnx")
    found = ra.simplify(ra.load(model), ra.Box(0, 0.125, dim=6))
    assert (outcome.code, outcome.err) == (0, "")
    lines = outcome.out.splitlines()
    assert lines[2] == (
        f"On the domain {found.after.units} of 21 units are needed: the smaller network is the same function there, "
        "proven."
    )
    assert ["units", "21", str(found.after.units)] in [line.split() for line in lines]
    assert any(line.startswith("written") and "its weights are the network's" in line for line in lines)
    onnx.checker.check_model(str(tmp_path / "smaller.onnx"))
    smaller = ra.load(tmp_path / "smaller.onnx")
    assert smaller.n_neurons == found.after.units < 21
    X = np.random.default_rng(0).uniform(0, 0.125, (500, 6))
    np.testing.assert_allclose(smaller(X), ra.load(model)(X), atol=1e-12, rtol=0)


def test_json_with_a_tolerance_in_single_precision(command, model, tmp_path):
    outcome = command(
        "simplify", model, "--box", "0,1", "--tolerance", "0.05", "--objective", "numbers", "--dtype", "float32",
        "--out", "smaller.onnx", "--json", "--seed", "1", "--jobs", "1",
    )  # fmt: skip
    assert (outcome.code, outcome.err) == (0, "")
    numbers = outcome.numbers
    found = ra.simplify(ra.load(model), ra.Box(0, 1, dim=6), 0.05, objective="numbers")
    assert numbers["after"] == found.after._asdict() and numbers["before"] == found.before._asdict()
    assert 0 < numbers["error_bound"] == found.error_bound <= 0.05
    assert numbers["reasons"] == found.reasons and numbers["dtype"] == "float32"
    assert 0 <= numbers["weights_bound"] < numbers["runtime_bound"] < 0.01
    assert [layer["before"] for layer in numbers["layers"]] == [12, 9]
    weights = onnx.load(str(tmp_path / "smaller.onnx")).graph.initializer
    assert onnx.TensorProto.FLOAT in {w.data_type for w in weights}


def test_a_plane_and_nothing_written(command, model, points, tmp_path):
    before = set(tmp_path.iterdir())
    outcome = command("simplify", model, "--through", "a.npy", "b.npy", "c.npy", "--json")
    assert outcome.code == 0 and outcome.numbers["domain"]["kind"] == "slice" and outcome.numbers["out"] is None
    assert set(tmp_path.iterdir()) == before


def test_a_budget_that_ends(command, model, monkeypatch):
    real = bounds.closer_possibilities

    def late(*arguments):
        known = real(*arguments)
        known.is_complete = False
        return known

    from reluatlas.simplification import reduce_exactly

    monkeypatch.setattr(reduce_exactly, "closer_possibilities", late)
    outcome = command("simplify", model, "--box", "0,1", "--max-seconds", "5")
    assert outcome.code == 3 and "--max-seconds" in outcome.err and "units" in outcome.out
    assert command("simplify", model, "--box", "0,1", "--quiet").err == ""


def test_what_is_refused(command, model, tmp_path):
    box = ("--box", "0,1")
    refused(command, "simplify", model, out=None, says=["no domain", "--box"])
    refused(command, "simplify", model, *box, "--tolerance", "-1", out=None, says=["--tolerance", "at least 0", "-1"])
    refused(command, "simplify", model, *box, "--tolerance", "nan", out=None, says=["--tolerance", "nan"])
    refused(command, "simplify", model, *box, "--tolerance", "inf", out=None, says=["--tolerance", "inf"])
    refused(
        command,
        "simplify",
        model,
        *box,
        "--objective",
        "bytes",
        out=None,
        says=["--objective bytes", "units or numbers"],
    )
    refused(command, "simplify", model, *box, "--dtype", "float16", out=None, says=["--dtype float16"])
    refused(command, "simplify", model, *box, "--out", "net.txt", out=None, says=["net.txt", ".onnx"])
    refused(command, "simplify", model, *box, "--out", "net.onnx", out=None, says=["the model itself"])
    refused(command, "simplify", model, *box, "--out", "no/net.onnx", out=None, says=["no folder"])
    (tmp_path / "folder.onnx").mkdir()
    refused(command, "simplify", model, *box, "--out", "folder.onnx", out=None, says=["is a folder"])
    refused(command, "simplify", model, "--box", "0,1,0,1", out=None, says=["6"])
