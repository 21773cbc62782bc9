from __future__ import annotations

import json
import os

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.report.drawings import NAMES
from tests.cli.run import contents, dense_layers, save_points, write_onnx

EVERYTHING = {"report.html", "atlas.html", "cells.npz", "cells.json"} | {
    f"figures/{name}.{ending}" for name in NAMES for ending in ("png", "svg")
}


@pytest.fixture
def plane(tmp_path):
    return write_onnx(tmp_path / "plane.onnx", dense_layers((2, 8, 8, 1)))


@pytest.fixture
def deep(tmp_path):
    model = write_onnx(tmp_path / "deep.onnx", dense_layers((5, 8, 6, 3), seed=1))
    return model, np.random.default_rng(1).normal(size=(3, 5))


def test_json_holds_the_numbers_of_the_library(command, plane):
    outcome = command("cells", plane, "--box", "-1,1", "--json", "--quiet")
    assert (outcome.code, outcome.err) == (0, "")
    cx = ra.enumerate_cells(ra.load(plane), ra.Box(-1, 1, dim=2))
    numbers = outcome.numbers
    assert cx.n_cells > 10
    for name in ("n_cells", "n_linear_regions", "n_affine_maps", "euler_characteristic", "is_complete", "stopped_by"):
        assert numbers[name] == getattr(cx, name), name
    assert tuple(numbers["f_vector"]) == tuple(cx.f_vector)
    assert numbers["exactness"]["status"] == "exact"
    assert numbers["exactness"]["n_escalated"] == cx.exactness.n_escalated
    assert numbers["volume"] == pytest.approx(4.0, abs=1e-9) and numbers["domain_volume"] == 4.0
    assert numbers["share_done"] == 1.0
    assert numbers["domain"] == {"kind": "box", "low": [-1.0, -1.0], "high": [1.0, 1.0]}
    assert numbers["network"]["n_neurons"] == 16


def test_text_says_the_same(command, plane):
    numbers = command("cells", plane, "--box", "-1,1", "--json").numbers
    text = command("cells", plane, "--box", "-1,1").out
    lines = {line.split("  ")[0]: line for line in text.splitlines()}
    assert lines["cells"].split() == ["cells", f"{numbers['n_cells']:,}"]
    assert lines["linear regions"].split()[-1] == f"{numbers['n_linear_regions']:,}"
    assert "exact" in lines["exactness"] and "V - E + F = 1" in lines["f-vector"]
    assert text.startswith("plane.onnx: 2 → 1, 16 neurons in 2 hidden layers.")


def test_the_ways_to_write_a_box(command, plane):
    forms = (["--box", "-1,1"], ["--box=-1,1"], ["--box", "-1,1,-1,1"], ["--box", "-1,1", "--box", "-1,1"])
    answers = [command("cells", plane, *form, "--json").numbers for form in forms]
    assert len({(a["n_cells"], str(a["domain"])) for a in answers}) == 1
    uneven = command("cells", plane, "--box", "-1,1,0,0.5", "--json").numbers
    assert uneven["domain"] == {"kind": "box", "low": [-1.0, 0.0], "high": [1.0, 0.5]}


def test_counting_finds_as_many_and_keeps_nothing(command, plane, tmp_path):
    whole = command("cells", plane, "--box", "-1,1", "--json").numbers
    outcome = command("cells", plane, "--box", "-1,1", "--count-only", "--json", "--out", "counted", "--jobs", "2")
    assert outcome.code == 0 and outcome.numbers["n_cells"] == whole["n_cells"]
    assert "f_vector" not in outcome.numbers
    assert set(contents(tmp_path / "counted")) == {"cells.json"}
    assert command("cells", plane, "--box", "-1,1", "--count-only").out.count(f"{whole['n_cells']:,}") == 1


def test_a_slice_through_three_files(command, deep, tmp_path):
    model, points = deep
    files = save_points(tmp_path, points)
    outcome = command("cells", model, "--margin", "0.5", "--json", "--through", *files)
    cx = ra.enumerate_cells(ra.load(model), ra.Slice.through(points, margin=0.5))
    assert outcome.code == 0 and outcome.numbers["n_cells"] == cx.n_cells
    assert outcome.numbers["domain"]["kind"] == "slice"
    assert np.allclose(outcome.numbers["domain"]["origin"], points[0])
    np.save(tmp_path / "rows.npy", points)
    again = command("cells", "--through", "rows.npy", model, "--margin", "0.5", "--json")
    assert again.numbers["domain"] == outcome.numbers["domain"]


def test_out_holds_everything_and_it_agrees(command, deep, tmp_path):
    model, points = deep
    outcome = command("cells", model, "--json", "--out", "a/result", "--through", *save_points(tmp_path, points))
    folder = tmp_path / "a" / "result"
    assert outcome.code == 0 and set(contents(folder)) == EVERYTHING
    assert json.loads((folder / "cells.json").read_text()) == outcome.numbers
    stored = ra.load_complex(folder / "cells.npz")
    assert stored.n_cells == outcome.numbers["n_cells"]
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert f"<b>{stored.n_cells:,}</b>" in page and "Incomplete" not in page
    assert "np.load(" in page and "margin=0.2" in page
    assert f"reluatlas cells {model} --json --out a/result --through" in page
    assert sorted(os.listdir(tmp_path / "a")) == ["result"]


def test_an_earlier_result_is_replaced_whole(command, plane, tmp_path):
    assert command("cells", plane, "--box", "-1,1", "--out", "result", "--quiet").code == 0
    (tmp_path / "empty").mkdir()
    assert command("cells", plane, "--box", "-1,1", "--out", "result", "--count-only", "--quiet").code == 0
    assert set(contents(tmp_path / "result")) == {"cells.json"} and os.listdir(tmp_path / "result") == ["cells.json"]
    assert command("cells", plane, "--box", "-1,1", "--out", "empty", "--quiet").code == 0
    assert set(contents(tmp_path / "empty")) == EVERYTHING


def test_a_stop_is_marked_and_has_its_own_code(command, plane, tmp_path):
    outcome = command("cells", plane, "--box", "-1,1", "--max-cells", "5", "--json", "--out", "result")
    assert outcome.code == 3 and outcome.numbers["n_cells"] == 5
    assert outcome.numbers["is_complete"] is False and outcome.numbers["stopped_by"] == "max_cells"
    assert 0 < outcome.numbers["share_done"] < 1
    assert "Incomplete: the limit of cells was reached" in outcome.err
    assert 'class="warn"' in (tmp_path / "result" / "report.html").read_text(encoding="utf-8")
    text = command("cells", plane, "--box", "-1,1", "--max-cells", "5", "--quiet")
    assert text.code == 3 and text.err == "" and "INCOMPLETE" in text.out


def test_a_stop_by_time(command, tmp_path):
    model = write_onnx(tmp_path / "big.onnx", dense_layers((2, 256, 256, 256, 1)))
    for more in ([], ["--count-only"]):
        outcome = command("cells", model, "--box", "-9,9", "--max-seconds", "0.05", "--json", *more)
        assert outcome.code == 3 and outcome.numbers["stopped_by"] == "max_seconds"


def test_an_interrupt_keeps_what_was_found(command, plane, monkeypatch):
    from reluatlas.cli import console

    def press(what, n_cells, share):
        raise KeyboardInterrupt

    class Pressed:
        def __enter__(self):
            return press

        def __exit__(self, *error):
            return None

    monkeypatch.setattr(console, "progress", lambda *, quiet: Pressed())
    outcome = command("cells", plane, "--box", "-1,1", "--json")
    assert outcome.code == 130 and outcome.numbers["stopped_by"] == "interrupt"
    assert outcome.numbers["is_complete"] is False and "it was interrupted" in outcome.err


def test_an_interrupt_outside_of_the_search(command, plane, monkeypatch):
    from reluatlas.cli import cells

    def press(*arguments, **keywords):
        raise KeyboardInterrupt

    monkeypatch.setattr(cells, "enumerate_", press)
    outcome = command("cells", plane, "--box", "-1,1", "--out", "result")
    assert (outcome.code, outcome.out) == (130, "") and not os.path.exists("result")


def test_jobs_change_nothing(command, plane):
    one, two = (command("cells", plane, "--box", "-1,1", "--json", "--jobs", n).numbers for n in (1, 2))
    del one["seconds"], two["seconds"]
    assert one == two


def test_a_run_goes_on_from_its_file(command, plane):
    whole = command("cells", plane, "--box", "-9,9", "--json").numbers
    asked = ("cells", plane, "--box", "-9,9", "--json", "--resume", "run.sqlite")
    part = command(*asked, "--max-cells", "70")
    assert part.code == 3 and part.numbers["n_cells"] == 70
    assert "Going on" not in part.err and "a larger limit of cells, or without one, goes on" in part.err
    again = command(*asked)
    assert again.code == 0 and again.err.startswith("Going on from run.sqlite: ")
    assert again.numbers | {"seconds": 0} == whole | {"seconds": 0}
    assert command(*asked, "--quiet").err == ""


def test_a_count_goes_on_after_a_limit_of_time(command, tmp_path):
    model = write_onnx(tmp_path / "big.onnx", dense_layers((2, 96, 96, 96, 1)))
    asked = ("cells", model, "--box", "-9,9", "--count-only", "--json", "--resume", "run.sqlite")
    part = command(*asked, "--max-seconds", "0.01")
    assert part.code == 3 and "It is kept in run.sqlite: the same command goes on." in part.err
    again = command(*asked)
    assert again.code == 0 and again.numbers["n_cells"] > part.numbers["n_cells"]
    assert again.numbers["n_cells"] == command(*asked[:-2]).numbers["n_cells"]


def test_the_file_of_another_run_is_refused_in_one_line(command, plane, tmp_path):
    command("cells", plane, "--box", "-1,1", "--resume", "run.sqlite")
    np.save(tmp_path / "numbers.npy", np.zeros(1000))
    other = write_onnx(tmp_path / "other.onnx", dense_layers((2, 8, 8, 1), seed=5))
    for says, arguments in (
        ("belongs to a run on another domain", (plane, "--box", "-1,2", "--resume", "run.sqlite")),
        ("belongs to a run of another network", (other, "--box", "-1,1", "--resume", "run.sqlite")),
        ("one that counts them was asked for", (plane, "--box", "-1,1", "--count-only", "--resume", "run.sqlite")),
        ("is no file of a run, or is damaged", (plane, "--box", "-1,1", "--resume", "numbers.npy")),
        ("cannot be opened", (plane, "--box", "-1,1", "--resume", "nowhere/run.sqlite")),
    ):
        outcome = command("cells", *arguments)
        assert (outcome.code, outcome.out) == (2, "") and outcome.err.count("\n") == 1
        assert says in outcome.err and outcome.err.startswith("reluatlas: `--resume '")
    assert np.load(tmp_path / "numbers.npy").size == 1000


def test_boxes_of_three_inputs_and_all_inputs(command, tmp_path):
    model = write_onnx(tmp_path / "solid.onnx", dense_layers((3, 7, 6, 3), seed=2))
    numbers = command("cells", model, "--box", "-1,1", "--json", "--out", "out", "--quiet").numbers
    cx = ra.enumerate_cells(ra.load(model), ra.Box(-1, 1, dim=3))
    assert numbers["method"] == "polytopes" and numbers["n_cells"] == numbers["n_bounded"] == cx.n_cells > 5
    assert tuple(numbers["f_vector"]) == cx.f_vector and numbers["euler_characteristic"] == 1
    assert numbers["volume"] == pytest.approx(8.0) and numbers["domain_volume"] == 8.0
    assert {"report.html", "cells.npz", "cells.json", "figures/boundary.png"} <= set(contents(tmp_path / "out"))
    assert ra.load_complex(tmp_path / "out" / "cells.npz").f_vector == cx.f_vector
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "cutting polytopes" in page and "polygons" in page

    space = ra.enumerate_cells(ra.load(model), ra.Space(3))
    numbers = command("cells", model, "--space", "--json", "--out", "all", "--quiet").numbers
    assert numbers["n_cells"] == space.n_cells > cx.n_cells and numbers["euler_characteristic"] == -1
    assert numbers["n_bounded"] == int(space.is_bounded.sum()) and numbers["domain_volume"] is None
    assert numbers["domain"] == {"kind": "space", "n_inputs": 3}
    assert "1 for the whole space" in (tmp_path / "all" / "report.html").read_text(encoding="utf-8")
    text = command("cells", model, "--space").out
    assert "alternating sum = -1" in text and "of bounded cells" in text and "cutting polytopes" in text
    assert command("cells", model, "--space", "--count-only", "--json").numbers["n_cells"] == space.n_cells


def test_more_than_six_inputs_need_a_limit(command, tmp_path):
    model = write_onnx(tmp_path / "wide.onnx", dense_layers((8, 5, 3, 2), seed=3))
    refused = command("cells", model, "--box", "-1,1")
    assert refused.code == 2 and "8 dimensions" in refused.err and "max_cells=" in refused.err
    numbers = command("cells", model, "--box", "-1,1", "--max-seconds", "60", "--json", "--out", "out").numbers
    assert numbers["method"] == "linear programs" and numbers["is_complete"] and numbers["volume"] is None
    assert (
        numbers["n_cells"]
        == command("cells", model, "--box", "-1,1", "--max-seconds", "60", "--json", "--count-only").numbers["n_cells"]
    )
    assert set(contents(tmp_path / "out")) == {"cells.json"}
    part = command("cells", model, "--space", "--max-cells", "3")
    assert part.code == 3 and "linear programs" in part.out and "INCOMPLETE" in part.out
    many = write_onnx(tmp_path / "many.onnx", dense_layers((30, 4, 2), seed=3))
    refused = command("cells", many, "--space", "--max-cells", "3")
    assert refused.code == 2 and "`explore`" in refused.err
    assert "`--box` and `--space`" in command("cells", model, "--box", "-1,1", "--space").err
