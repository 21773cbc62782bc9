from __future__ import annotations

import json
from pathlib import Path

import pytest

from reluatlas.errors import ArgumentError, ResultFileError
from reluatlas.studies.mnist.folder import prepare_folder
from reluatlas.studies.mnist.steps import Step, is_done, read_json, run_steps, seconds_of


def step(folder: Path, done: list[str], name: str, settings: dict, *, fails: bool = False) -> Step:
    def work(tell) -> None:
        done.append(name)
        if fails:
            raise KeyboardInterrupt
        (folder / f"out/{name}.txt").write_text(name)

    return Step(name, settings, (f"out/{name}.txt",), work)


def test_a_step_is_done_once_and_again_when_its_settings_or_files_change(tmp_path):
    done: list[str] = []

    def run(**settings: int) -> None:
        run_steps(tmp_path, [step(tmp_path, done, n, {"n": n, **settings}) for n in "ab"], lambda *told: None)

    run(x=1)
    run(x=1)
    assert done == ["a", "b"] and set(seconds_of(tmp_path)) == {"a", "b"}
    (tmp_path / "out/b.txt").unlink()
    run(x=1)
    assert done == ["a", "b", "b"]
    run(x=2)
    assert done == ["a", "b", "b", "a", "b"]


def test_what_was_done_before_a_stop_is_kept_and_the_rest_is_done_later(tmp_path):
    done: list[str] = []
    first = step(tmp_path, done, "a", {})
    with pytest.raises(KeyboardInterrupt):
        run_steps(tmp_path, [first, step(tmp_path, done, "b", {}, fails=True)], lambda *told: None)
    second = step(tmp_path, done, "b", {})
    assert is_done(tmp_path, first) and not is_done(tmp_path, second)
    run_steps(tmp_path, [first, second], lambda *told: None)
    assert done == ["a", "b", "b"]


def test_a_step_stopped_while_done_again_does_not_count_as_done(tmp_path):
    done: list[str] = []
    run_steps(tmp_path, [step(tmp_path, done, "a", {"x": 1})], lambda *told: None)
    with pytest.raises(KeyboardInterrupt):
        run_steps(tmp_path, [step(tmp_path, done, "a", {"x": 2}, fails=True)], lambda *told: None)
    assert not is_done(tmp_path, step(tmp_path, done, "a", {"x": 1}))


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / "x.json").write_text("{")
    with pytest.raises(ResultFileError, match=r"x\.json.* is damaged"):
        read_json(tmp_path / "x.json")
    with pytest.raises(ResultFileError, match=r"y\.json.* is missing"):
        read_json(tmp_path / "y.json")


def test_a_folder_of_others_is_refused_and_left_as_it_is(tmp_path):
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(ArgumentError, match="no MNIST study wrote"):
        prepare_folder(tmp_path, {})
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]
    with pytest.raises(ArgumentError, match="cannot be used"):
        prepare_folder(tmp_path / "mine.txt", {})
    folder = prepare_folder(tmp_path / "new", {"data": "digits"})
    (folder / "more.txt").write_text("x")
    assert prepare_folder(folder, {"data": "mnist"}) == folder
    assert json.loads((folder / "study.json").read_text())["is_complete"] is False
