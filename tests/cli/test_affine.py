"""`reluatlas affine`: what is written, what is printed, what is refused."""

from __future__ import annotations

import numpy as np
import pytest

import reluatlas as ra
from tests.cli.run import dense_layers, write_onnx
from tests.cli.test_bad_input import refused


@pytest.fixture
def model(tmp_path):
    return write_onnx(tmp_path / "net.onnx", dense_layers((6, 8, 4)))


@pytest.fixture
def data(tmp_path):
    X = np.random.default_rng(0).normal(size=(30, 6))
    X[0] = 0.0
    np.save(tmp_path / "X.npy", X)
    return X


def test_one_array(command, model, data, tmp_path):
    outcome = command("affine", model, "--data", "X.npy", "--outputs", "3,0", "--out", "maps.npy")
    assert (outcome.code, outcome.err) == (0, "")
    stored, maps = np.load(tmp_path / "maps.npy"), ra.load(model).affine_at(data, [3, 0])
    assert stored.shape == (30, 2, 7) and np.array_equal(stored[:, :, :-1], maps.A)
    assert np.array_equal(stored[:, :, -1], maps.b)
    assert "30 points, 2 outputs" in outcome.out and "float64 (30, 2, 7): the row of A" in outcome.out


def test_json_and_single_precision(command, model, data, tmp_path):
    outcome = command(
        "affine", model, "--data", "X.npy", "--dtype", "float32", "--ties", "torch", "--out", "maps.npy", "--json",
        "--memory", "1", "--jobs", "1",
    )  # fmt: skip
    assert (outcome.code, outcome.err) == (0, "")
    numbers = outcome.numbers
    assert numbers["n_maps"] == 30 and numbers["outputs"] == [0, 1, 2, 3] and numbers["dtype"] == "float32"
    assert numbers["ties"] == "torch" and numbers["n_on_face"] is None
    assert numbers["bytes"] == (tmp_path / "maps.npy").stat().st_size
    stored = np.load(tmp_path / "maps.npy")
    assert stored.dtype == np.float32
    maps = ra.load(model).affine_at(data, ties="torch")
    assert np.allclose(stored[:, :, :-1], maps.A, rtol=0, atol=1e-6)


def test_named_arrays(command, model, data, tmp_path):
    (tmp_path / "maps.npz").write_bytes(b"old")
    outcome = command("affine", model, "--data", "X.npy", "--out", "maps.npz", "--json", "--quiet")
    assert (outcome.code, outcome.err) == (0, "")
    maps = ra.load(model).affine_at(data)
    with np.load(tmp_path / "maps.npz") as stored:
        assert set(stored) == {"A", "b", "is_on_face"}
        assert np.array_equal(stored["A"], maps.A) and np.array_equal(stored["b"], maps.b)
        assert np.array_equal(stored["is_on_face"], maps.is_on_face)
    assert outcome.numbers["content"] == "A float64 (30, 4, 6), b float64 (30, 4), is_on_face bool (30,)"
    command("affine", model, "--data", "X.npy", "--ties", "torch", "--out", "maps.npz")
    with np.load(tmp_path / "maps.npz") as stored:
        assert set(stored) == {"A", "b"}


def test_what_is_refused(command, model, data, tmp_path):
    def wrong(*arguments, says, points="X.npy", out="maps.npy"):
        refused(command, "affine", model, "--data", points, *arguments, says=says, out=out)

    np.save(tmp_path / "wide.npy", np.zeros((3, 7)))
    np.save(tmp_path / "nan.npy", np.full((3, 6), np.nan))
    np.save(tmp_path / "text.npy", np.array(["a", "b"]))
    (tmp_path / "short.npy").write_bytes((tmp_path / "X.npy").read_bytes()[:200])
    wrong(says=["`--data none.npy`", "no such file"], points="none.npy")
    wrong(says=["short.npy", "truncated"], points="short.npy")
    wrong(says=["`wide.npy` has shape (3, 7)", "(6,)"], points="wide.npy")
    wrong(says=["nan.npy", "NaN"], points="nan.npy")
    wrong(says=["text.npy", "real numbers"], points="text.npy")
    wrong("--outputs", "0,9", says=["`--outputs` names output 9", "has 4"])
    wrong("--outputs", "a", says=["`--outputs a`", "such as 0,3"])
    wrong("--dtype", "int8", says=["`--dtype int8`", "float32"])
    wrong("--ties", "first", says=["`--ties first`", "perturb or torch"])
    wrong("--memory", "0", says=["--memory", "at least 1"])
    wrong(says=["maps.txt", ".npz"], out="maps.txt")
    wrong(says=["there is no folder `no`"], out="no/maps.npy")
    assert command("affine", model, "--data", "X.npy", "--out", "X.npy").code == 2
    assert np.array_equal(np.load(tmp_path / "X.npy"), data)
    assert command("affine", model, "--data", "X.npy").code == 2


def test_a_table(command, model, data, tmp_path):
    outcome = command("affine", model, "--data", "X.npy", "--outputs", "3,0", "--out", "maps.parquet")
    assert (outcome.code, outcome.err) == (0, "")
    assert "60 rows with point, output, A (a list of 6 float64), b, is_on_face" in outcome.out
    stored, maps = ra.load_maps(tmp_path / "maps.parquet"), ra.load(model).affine_at(data, [3, 0])
    assert np.array_equal(stored.A, maps.A) and np.array_equal(stored.b, maps.b)
    assert np.array_equal(stored.is_on_face, maps.is_on_face)


def test_a_table_without_pyarrow(command, model, data, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    refused(command, "affine", model, "--data", "X.npy", says=["`--out 'maps.parquet'`", "pyarrow"], out="maps.parquet")
