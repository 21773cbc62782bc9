from __future__ import annotations

import json
import sys

import pytest


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["--problem", "cube"], "cube"),
        (["--net", "2-8-8"], "2 classes"),
        (["--net", "2-2"], "no shape"),
        (["--net", "two"], "`--net two` is no shape"),
        (["--net", "2--2"], "no shape"),
        (["--seeds", "0"], "at least 1"),
        (["--seed", "-1"], "at least 0"),
        (["--film", "avi"], "avi"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(command, tmp_path, arguments, what):
    outcome = command("study", "toy", *arguments)
    assert outcome.code == 2 and outcome.out == ""
    assert what in outcome.err and len(outcome.err.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_without_torch_it_says_what_to_install(command, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    outcome = command("study", "toy", "--problem", "xor", "--net", "2-2-2", "--quiet")
    assert outcome.code == 2 and "pip install 'reluatlas[torch]'" in outcome.err
    assert list(tmp_path.iterdir()) == []


def test_a_study_from_the_command_line(command, tmp_path):
    pytest.importorskip("torch", reason="torch is not installed: nothing can be trained")
    outcome = command("study", "toy", "--problem", "xor", "--net", "2-2-2", "--seeds", "1", "--film", "none")
    assert outcome.code == 0
    folder = tmp_path / "reluatlas-toy-xor"
    assert f"Open {folder / 'report.html'}" in outcome.out.splitlines()
    assert "2-2-2, seed 0: accuracy 1.000" in outcome.out and "opening every batch" in outcome.err
    numbers = json.loads((folder / "numbers.json").read_text())
    assert numbers["reached"] and len(numbers["runs"]) == 1


def test_a_target_out_of_reach_ends_with_3(command, tmp_path, monkeypatch):
    pytest.importorskip("torch", reason="torch is not installed: nothing can be trained")
    from reluatlas.studies.toy import study
    from reluatlas.studies.toy.train import Settings

    monkeypatch.setattr(study, "Settings", lambda **more: Settings(target=1.0, max_attempts=1, batch=25_000))
    asked = ["--problem", "moons", "--net", "2-4-2", "--seeds", "1", "--film", "none", "--out", "kept"]
    outcome = command("study", "toy", *asked, "--json", "--quiet")
    assert outcome.code == 3 and outcome.err == "" and not outcome.numbers["reached"]
    assert (tmp_path / "kept" / "trajectory-2-4-2-seed0.npz").exists()


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["--data", "cifar"], "cifar"),
        (["--networks", "dense,lenet"], "'lenet'"),
        (["--networks", "inception"], "Pass `--device cuda`; or small-inception"),
        (["--images", "5"], "--images"),
        (["--epochs", "0"], "--epochs"),
        (["--seeds", "0"], "at least 1"),
        (["--data", "mnist", "--data-dir", "nowhere"], "`nowhere` is no folder"),
    ],
)
def test_bad_input_of_the_mnist_study_is_one_line_and_writes_nothing(command, tmp_path, arguments, what):
    outcome = command("study", "mnist", *arguments)
    assert outcome.code == 2 and outcome.out == ""
    assert what in outcome.err and len(outcome.err.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_an_mnist_study_from_the_command_line_is_taken_up_again(command, tmp_path, monkeypatch):
    pytest.importorskip("torch", reason="torch is not installed: nothing can be trained")
    from reluatlas.studies.mnist import compare, networks

    monkeypatch.setattr(networks, "_DIGITS_EPOCHS", {"dense": 2, "conv": 2})
    monkeypatch.setattr(compare, "COUNTS", (1,))
    monkeypatch.setattr(compare, "PIECES", (2,))
    asked = ["study", "mnist", "--networks", "dense", "--cache", "cache", "--jobs", "1"]
    outcome = command(*asked)
    assert outcome.code == 0
    folder = tmp_path / "reluatlas-mnist-digits"
    assert f"Open {folder / 'report.html'}" in outcome.out.splitlines() and "maps in use" in outcome.err
    again = command(*asked, "--json", "--quiet")
    assert again.code == 0 and again.err == "" and again.numbers["study"]["networks"] == ["dense"]
    (folder / "mine.txt").write_text("x")
    (folder / "study.json").unlink()
    refused = command(*asked)
    assert refused.code == 2 and "no MNIST study wrote" in refused.err
