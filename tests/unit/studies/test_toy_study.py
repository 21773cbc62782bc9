from __future__ import annotations

import json
import re
import shutil

import pytest

import reluatlas as ra
from reluatlas.errors import ArgumentError, DimensionError
from reluatlas.studies.toy.folder import prepare_folder
from reluatlas.studies.toy.study import MINIMAL, run_toy_study
from reluatlas.studies.toy.train import Settings
from tests.browser import Browser, find_browser

pytest.importorskip("torch", reason="torch is not installed: nothing can be trained")

SMALL = {"net": (2, 4, 4, 2), "seeds": 2, "n_train": 1500, "settings": Settings(target=0.6, max_attempts=8)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("studies") / "moons"


@pytest.fixture(scope="module")
def study(folder):
    return run_toy_study("moons", out=folder, jobs=1, **SMALL)


def test_the_study_writes_everything_and_the_numbers_are_those_of_the_study(study, folder):
    assert study.reached and study.names == ["2-4-2", "2-4-4-2"] and len(study.runs) == 4
    names = {p.name for p in folder.iterdir()}
    figures = {"exact-and-sampled", "grouped-maps", "fewer-maps", "distances", "cuts"}
    figures |= {f"{kind}-{shape}" for kind in ("last", "over-time") for shape in study.names}
    assert names == {"report.html", "numbers.json"} | {f"{f}.{e}" for f in figures for e in ("svg", "png")} | {
        f"film-{shape}.html" for shape in study.names
    } | {f"trajectory-{shape}-seed{s}.npz" for shape in study.names for s in (0, 1)}
    numbers = json.loads((folder / "numbers.json").read_text())
    assert numbers == json.loads(json.dumps(study.to_json())) and numbers["is_complete"]
    for run, told in zip(study.runs, numbers["runs"], strict=True):
        kept = ra.Trajectory.load(folder / f"trajectory-{told['shape']}-seed{told['training']['seed']}.npz")
        assert told["measures"]["n_cells"][-1] == kept.complex(-1).n_cells == run.measures.n_cells[-1]
        assert len(told["measures"]["n_cells"]) == 16 and all(told["measures"]["is_exact"])
    for sampling in numbers["sampling"]:
        pairs = zip(sampling["sampled_rounded_maps"], sampling["exact_linear_regions"], strict=True)
        assert all(rounded <= exact for rounded, exact in pairs)


def test_the_fewest_cells_are_those_of_a_good_batch(study):
    for shape in study.names:
        fewest = study.fewest(shape)
        assert fewest is not None
        good = [int(c) for run in study.of_shape(shape) for c in run.measures.n_cells[run.measures.accuracy >= 0.6]]
        assert fewest["n_cells"] == min(good)
        run = study.of_shape(shape)[fewest["seed"]]
        assert run.measures.n_cells[run.measures.steps == fewest["step"]] == [fewest["n_cells"]]
        k = study.maps_enough(shape)
        assert k is not None and study.curves[shape][k - 1] >= 0.6 > max(study.curves[shape][: k - 1], default=0)


def test_the_summary_says_the_main_numbers(study):
    text = study.summary()
    for shape in study.names:
        assert f"the fewest cells at accuracy 0.6 are {study.fewest(shape)['n_cells']}" in text
    assert "never above the exact count" in text and "within 2-4-4-2" in text and "not reached" not in text


def test_the_same_numbers_on_two_jobs(study):
    again = run_toy_study("moons", jobs=2, **SMALL)
    assert again.to_json() == study.to_json()


def test_an_earlier_study_is_replaced(study, folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "study")
    assert prepare_folder(copy, "circle", "none") == copy
    assert [p.name for p in copy.iterdir()] == ["numbers.json"]
    started = json.loads((copy / "numbers.json").read_text())
    assert started["problem"] == "circle" and not started["is_complete"]


def test_the_report_stands_alone(study, folder):
    page = (folder / "report.html").read_text(encoding="utf-8")
    addresses = [a for a in re.findall(r'(?:src|href)="([^"]*)"', page) if a != "data:,"]  # no icon is asked for
    assert all(a.startswith("data:image/svg+xml;base64,") or (folder / a).exists() for a in addresses)
    assert len(addresses) == 9 + 2
    program = find_browser()
    if program is None:
        pytest.skip("no chromium: the report cannot be opened")
    with Browser(program, height=5000) as browser:
        browser.open(folder / "report.html")
        shown = browser.run(
            "[...document.images].map(i => [i.complete, i.naturalWidth, i.getBoundingClientRect().right])"
        )
        assert all(complete and width > 300 and right <= 1300 for complete, width, right in shown) and len(shown) == 9
        assert browser.run("document.documentElement.scrollWidth") <= 1300
        assert browser.complaints() == []
        assert [r for r in browser.requests() if not r.startswith(("file:", "data:"))] == []
        browser.run("document.querySelector('a').click()")
        browser.wait_for("!!document.getElementById('slider') && document.readyState === 'complete'")
        assert browser.run("document.title") == "moons: a 2-4-2 network while it learns"


def test_a_target_that_is_never_reached_is_told_and_what_was_found_is_kept(tmp_path):
    hard = Settings(target=1.0, max_attempts=2)
    study = run_toy_study("moons", net=(2, 4, 2), seeds=1, n_train=400, film="none", out=tmp_path / "s", settings=hard)
    assert not study.reached and len(study.runs) == 1
    assert "not reached" in study.summary() and "stayed below the accuracy 1 in 2 attempts" in study.summary()
    assert "no network reached the accuracy 1" in study.summary()
    assert "stayed below" in (tmp_path / "s" / "report.html").read_text()
    assert not json.loads((tmp_path / "s" / "numbers.json").read_text())["reached"]
    assert ra.Trajectory.load(tmp_path / "s" / "trajectory-2-4-2-seed0.npz").info["n_attempts"] == 2
    assert not (tmp_path / "s" / "distances.svg").exists()  # one network is not compared


def test_an_interrupted_study_leaves_whole_files_and_says_that_it_is_not_complete(tmp_path):
    def stop(what: str, done: int, share: float) -> None:
        if "seed 0: opening" in what:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_toy_study("circle", out=tmp_path / "s", progress=stop, **SMALL)
    assert json.loads((tmp_path / "s" / "numbers.json").read_text())["is_complete"] is False
    assert {p.name for p in (tmp_path / "s").iterdir()} == {"numbers.json", "trajectory-2-3-2-seed0.npz"}
    assert len(ra.Trajectory.load(tmp_path / "s" / "trajectory-2-3-2-seed0.npz")) == 16


@pytest.mark.parametrize(
    ("problem", "more", "error", "what"),
    [
        ("cube", {}, ArgumentError, "problem='cube'"),
        ("circle", {"net": (2, 2)}, ArgumentError, "no shape"),
        ("circle", {"net": (3, 2, 2)}, DimensionError, "points have 2 inputs"),
        ("circle", {"seeds": 0}, ArgumentError, "seeds=0"),
        ("circle", {"seed": -1}, ArgumentError, "seed=-1"),
        ("circle", {"film": "avi"}, ArgumentError, "film='avi'"),
        ("circle", {"n_train": 0}, ArgumentError, "n_train=0"),
        ("circle", {"jobs": 0}, ArgumentError, "jobs=0"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_written(tmp_path, problem, more, error, what):
    with pytest.raises(error, match=what):
        run_toy_study(problem, out=tmp_path / "s", **{"n_train": 400, **more})
    assert not (tmp_path / "s").exists()


def test_a_folder_of_something_else_is_refused_and_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ArgumentError, match="no toy study wrote"):
        run_toy_study("circle", out=tmp_path)
    with pytest.raises(ArgumentError, match="cannot be used"):
        run_toy_study("circle", out=tmp_path / "notes.txt")
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]


def test_every_problem_has_a_minimal_network():
    for shape in MINIMAL.values():
        assert shape[0] == shape[-1] == 2 and len(shape) > 2
