"""Certificates of counts on the command line: written, checked, and refused."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.cli.run import dense_layers, write_onnx
from tests.edits import renewed


@pytest.fixture
def plane(tmp_path):
    return write_onnx(tmp_path / "plane.onnx", dense_layers((2, 8, 8, 1)))


@pytest.mark.parametrize("more", [["--count-only"], []])
def test_a_count_is_proved(command, plane, more):
    numbers = command("cells", plane, "--box", "-1,1", *more, "--certificate", "run.cert", "--json").numbers
    outcome = command("verify", "run.cert", plane, "--json", "--out", "folder")
    assert outcome.code == 0 and outcome.numbers["is_ok"] and outcome.numbers["problems"] == []
    assert outcome.numbers["n_cells"] == outcome.numbers["n_claimed"] == numbers["n_cells"] > 10
    assert outcome.numbers["n_nodes"] == 2 * numbers["n_cells"] - 1
    assert outcome.numbers["domain"] == {"kind": "box", "low": [-1.0, -1.0], "high": [1.0, 1.0]}
    with open("folder/verify.json", encoding="utf-8") as file:
        assert json.load(file) == outcome.numbers
    text = command("verify", "run.cert", plane)
    assert text.code == 0 and text.err == ""
    lines = dict(line.split("  ", 1) for line in text.out.splitlines())
    assert lines["certificate"].strip() == "run.cert: all leaves are cells, each once"
    assert lines["cells"].strip() == f"{numbers['n_cells']:,}"
    assert lines["domain"].strip() == "the box [-1, 1] × [-1, 1]"


def test_how_to_check_is_said(command, plane):
    err = command("cells", plane, "--box", "-1,1", "--count-only", "--certificate", "run.cert").err
    assert f"`reluatlas verify run.cert {plane}` checks it" in err


def test_a_false_certificate_is_exit_code_2(command, plane):
    n_cells = command("cells", plane, "--box", "-1,1", "--count-only", "--certificate", "r.cert", "--json").numbers[
        "n_cells"
    ]
    arrays = dict(np.load("r.cert"))
    with open("r.cert", "wb") as file:
        np.savez(file, **renewed(arrays | {"last": 1 - arrays["last"]}))
    outcome = command("verify", "r.cert", plane)
    assert outcome.code == 2
    assert "DOES NOT HOLD" in outcome.out and f"of {n_cells:,} claimed" in outcome.out
    assert "the stated pattern of a cell is not that of its leaf" in outcome.err
    assert command("verify", "r.cert", plane, "--json", "--quiet").numbers["is_ok"] is False


def test_what_cannot_be_proved_is_refused(command, plane, tmp_path):
    other = write_onnx(tmp_path / "other.onnx", dense_layers((2, 8, 8, 1), seed=1))
    assert command("cells", plane, "--box", "-1,1", "--count-only", "--certificate", "run.cert").code == 0
    for arguments, says in {
        ("verify", "run.cert", other): "is the certificate of another network",
        ("verify", "none.cert", plane): "does not exist",
        ("verify", plane, plane): "is not the certificate of a count",
        ("cells", plane, "--space", "--certificate", "no.cert"): "bounded domains",
        ("cells", plane, "--box", "-1,1", "--certificate", "no.cert", "--resume", "run.sqlite"): "Leave one out",
    }.items():
        outcome = command(*arguments)
        assert outcome.code == 2 and says in outcome.err and outcome.err.count("\n") == 1, outcome
    assert not (tmp_path / "no.cert").exists()


def test_equal_models_are_proved(command, plane, tmp_path):
    (first, c), (second, d), last = dense_layers((2, 8, 8, 1))
    order = np.random.default_rng(0).permutation(8)
    same = write_onnx(tmp_path / "same.onnx", [(2 * first[order], 2 * c[order]), (second[:, order] / 2, d), last])
    outcome = command("compare", plane, same, "--box", "-1,1", "--certificate", "equal.cert")
    assert outcome.code == 0 and "exactly zero" in outcome.out
    assert f"`reluatlas verify equal.cert {plane} {same}` checks it" in outcome.err
    checked = command("verify", "equal.cert", plane, same)
    assert checked.code == 0 and checked.err == "" and "equal on the whole domain" in checked.out
    numbers = command("verify", "equal.cert", plane, same, "--json").numbers
    assert numbers["is_ok"] and numbers["claims"] == ["zero"] and numbers["other_model"] == str(same)
    other = write_onnx(tmp_path / "other.onnx", [(first, c + np.float32(0.1)), (second, d), last])
    apart = command("compare", plane, other, "--box", "-1,1", "--certificate", "no.cert")
    assert apart.code == 0 and "no.cert was not written: the models differ" in apart.err
    assert not (tmp_path / "no.cert").exists()
    assert command("compare", plane, plane, "--box", "-1,1", "--certificate", "self.cert", "--json").numbers["is_equal"]
    assert command("cells", plane, "--box", "-1,1", "--count-only", "--certificate", "run.cert").code == 0
    for arguments, says in {
        ("verify", "equal.cert", same, plane): "is the certificate of another network",
        ("verify", "equal.cert", plane, other): "is the certificate of another network",
        ("verify", "run.cert", plane, same): "cells of 16 units",
        ("verify", "equal.cert", plane): "cells of 32 units",
        ("compare", plane, same, "--data", "X.npy", "--certificate", "no.cert"): "not for points",
        ("compare", plane, same, "--box", "-1,1", "--method", "boxes", "--certificate", "no.cert"): "Leave one out",
    }.items():
        refused = command(*arguments)
        assert refused.code == 2 and says in refused.err and refused.err.count("\n") == 1, refused


def test_a_stopped_count_has_no_certificate(command, tmp_path):
    deep = write_onnx(tmp_path / "deep.onnx", dense_layers((2, 40, 40, 40, 1)))
    outcome = command(
        "cells", deep, "--box", "-9,9", "--count-only", "--max-cells", "10", "--certificate", "run.cert", "-j", "1"
    )
    assert outcome.code == 3 and "run.cert was not written" in outcome.err
    assert not (tmp_path / "run.cert").exists()
