"""Properties on the command line: verdicts, certificates, and bad input in one sentence."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.cli.run import write_onnx

NAMES = "(declare-const X_0 Real)\n(declare-const Y_0 Real)\n(assert (>= X_0 -1))\n(assert (<= X_0 0.5))\n"
LAYERS = [
    (np.array([[1.0], [-1.0]], dtype=np.float32), np.zeros(2, dtype=np.float32)),
    (np.array([[1.0, 1.0]], dtype=np.float32), np.zeros(1, dtype=np.float32)),
]


@pytest.fixture
def model(tmp_path):
    return write_onnx(tmp_path / "abs.onnx", LAYERS)


def written(tmp_path, text):
    path = tmp_path / "p.vnnlib"
    path.write_text(NAMES + text)
    return path


def test_what_holds_is_proved_and_checked_again(command, model, tmp_path):
    prop = written(tmp_path, "(assert (>= Y_0 1.001))")
    outcome = command("check", model, prop, "--certificate", "p.cert", "--json", "--out", "folder")
    assert outcome.code == 0 and outcome.numbers["verdict"] == "holds" and outcome.numbers["n_leaves"] >= 1
    with open("folder/check.json", encoding="utf-8") as file:
        assert json.load(file) == outcome.numbers
    again = command("check", model, prop, "--verify", "p.cert")
    assert again.code == 0 and "the property holds" in again.out
    assert command("check", model, prop, "--verify", "p.cert", "--json").numbers["is_ok"] is True
    other = command("check", model, written(tmp_path, "(assert (>= Y_0 1))"), "--verify", "p.cert")
    assert other.code == 2 and "another property" in other.err and "DOES NOT PROVE IT" in other.out


def test_what_is_violated_is_shown_with_the_models_own_output(command, model, tmp_path):
    outcome = command("check", model, written(tmp_path, "(assert (>= Y_0 1))"), "--json")
    assert outcome.code == 0
    numbers = outcome.numbers
    assert numbers["verdict"] == "violated" and numbers["witness"]["exact_x"] == ["-1"]
    assert numbers["witness"]["model_y"] == [1.0] and numbers["witness"]["model_violates"] is True
    text = command("check", model, written(tmp_path, "(assert (>= Y_0 1))"))
    assert "verdict      violated" in text.out and "violates it, too" in text.out


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("(assert (> Y_0 1))", "p.vnnlib`, line 5, column 9: `(> Y_0 1)` is strict"),
        ("(assert (>= Y_1 1))", "line 5, column 13: `Y_1` is neither a number nor a declared variable"),
        ("(declare-const X_1 Real)(assert (>= X_1 0))(assert (<= X_1 0))", "has 2 inputs (X_0 to X_1) but the network"),
        ("(assert (>= X_0 1))", "no input is allowed"),
    ],
)
def test_bad_properties_are_one_sentence(command, model, tmp_path, text, says):
    outcome = command("check", model, written(tmp_path, text))
    assert outcome.code == 2 and outcome.out == "" and outcome.err.count("\n") == 1 and says in outcome.err


def test_bad_files_and_options_are_one_sentence(command, model, tmp_path):
    prop = written(tmp_path, "(assert (>= Y_0 2))")
    for arguments, says in {
        (model, "none.vnnlib"): "`none.vnnlib` cannot be read",
        (model, prop, "--verify", "none.cert"): "`none.cert` does not exist",
        (model, prop, "--verify", prop): "is not the certificate of a property",
        (model, prop, "--verify", "a", "--certificate", "b"): "pass one of them",
        (model, prop, "--certificate", "no/where.cert"): "cannot be written there",
        (model, prop, "--max-seconds", "0"): "expected a number of seconds above 0",
        (model,): "Missing argument",
    }.items():
        outcome = command("check", *arguments)
        assert outcome.code == 2 and outcome.err.count("\n") == 1 and says in outcome.err, outcome.err
