"""`reluatlas compare`: what is printed, what is written, what is refused."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.compiled.jit import COMPILING
from reluatlas.errors import TimeLimitError
from tests.cli.run import dense_layers, write_onnx
from tests.cli.test_bad_input import refused


@pytest.fixture
def other(tmp_path):
    layers = [(w + np.float32(0.03), b) for w, b in dense_layers((6, 12, 9, 4))]
    return write_onnx(tmp_path / "other.onnx", layers)


def test_numbers_on_a_plane_are_those_of_the_library(command, model, other, points):
    outcome = command("compare", model, other, "--through", "a.npy", "b.npy", "c.npy", "--json")
    assert outcome.code == 0 and outcome.err in ("", COMPILING + "\n")
    found = ra.compare(ra.load(model), ra.load(other), ra.Slice.through(points))
    given = outcome.numbers
    assert given["upper"] == found.upper and given["is_complete"] and not given["is_equal"]
    assert given["n_cells"] == found.n_cells and given["disagreement"] == pytest.approx(found.disagreement)
    assert given["f"]["n_neurons"] == 21 and given["words"] == found.words


def test_a_model_and_itself(command, model, points):
    outcome = command("compare", model, model, "--through", "a.npy", "b.npy", "c.npy")
    assert outcome.code == 0 and "exactly zero" in outcome.out


def test_at_points(command, model, other, points):
    outcome = command("compare", model, other, "--data", "X.npy")
    assert outcome.code == 0 and "Same class at" in outcome.out and "of 3 points" in outcome.out
    assert "So few points say little" in outcome.out


def test_a_report(command, model, other, points, tmp_path):
    outcome = command("compare", model, other, "--through", "a.npy", "b.npy", "c.npy", "--out", "result", "--quiet")
    assert outcome.code == 0 and outcome.err in ("", COMPILING + "\n")
    folder = tmp_path / "result"
    names = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    assert names == {"report.html", "comparison.json", "figures/comparison.png", "figures/comparison.svg"}
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "Both networks, and their difference" in page and "ra.compare(f, g" in page
    assert "http" not in page.replace("http-equiv", "").replace("http://www.w3.org", "")
    assert command("compare", model, other, "--data", "X.npy", "--out", "result").code == 0  # replaces it
    assert {p.name for p in folder.rglob("*") if p.is_file()} == {"report.html", "comparison.json"}


def test_a_figure_that_time_does_not_suffice_for_is_left_out(command, model, other, points, tmp_path, monkeypatch):
    from reluatlas.figures import plot

    def late(*_, **__):
        raise TimeLimitError("the time was over")

    monkeypatch.setattr(plot, "comparison", late)
    folder = tmp_path / "out"
    outcome = command("compare", model, other, "--through", "a.npy", "b.npy", "c.npy", "--out", str(folder))
    assert outcome.code == 3 and "before the figure: left out" in outcome.err
    assert {p.name for p in folder.rglob("*") if p.is_file()} == {"report.html", "comparison.json"}
    assert "before the figure: left out" in (folder / "report.html").read_text(encoding="utf-8")


def test_a_limit_gives_exit_code_3_and_both_ends(command, model, other, points):
    outcome = command("compare", model, other, "--box", "-9,9", "--max-cells", "5", "--json")
    assert outcome.code == 3
    assert outcome.numbers["lower"] < outcome.numbers["upper"]


def test_the_witness_is_replayed(command, model, other, points):
    outcome = command("compare", model, other, "--through", "a.npy", "b.npy", "c.npy", "--replay")
    assert outcome.code == 0 and "onnxruntime gives f = " in outcome.out and "it shows the difference" in outcome.out
    numbers = command("compare", model, other, "--through", "a.npy", "b.npy", "c.npy", "--replay", "--json").numbers
    assert numbers["replays"][0]["runtime"] == "onnxruntime" and numbers["replays"][0]["shows_it"]
    assert np.abs(numbers["replays"][0]["difference"]).max() == pytest.approx(numbers["upper"], rel=1e-4)
    refused(command, "compare", model, other, "--data", "X.npy", "--replay", says=["not for points"])


def test_means_in_fractions(command, model, other, points):
    numbers = command("compare", model, other, "--through", "a.npy", "b.npy", "c.npy", "--exact", "--json").numbers
    for text, near in zip(numbers["exact_means"]["mean_difference"], numbers["mean_difference"], strict=True):
        over, under = text.split("/")
        assert float(Fraction(int(over, 16), int(under, 16))) == pytest.approx(near, rel=1e-9)
    refused(command, "compare", model, other, "--data", "X.npy", "--exact", says=["not for points"])


def test_bad_input(command, model, other, points):
    refused(command, "compare", model, other, says=["nothing was given to compare at"])
    refused(command, "compare", model, other, "--data", "X.npy", "--box", "-1,1", says=["`--data` and `--box`"])
    refused(command, "compare", model, other, "--box", "-1,1", "--norm", "3", says=["--norm 3"])
    refused(command, "compare", model, "none.onnx", "--box", "-1,1", says=["none.onnx"])


def test_what_to_do_is_told_in_options(command, model, other, points, tmp_path):
    from onnx import helper, load, save

    proto = load(other)
    (given,) = proto.graph.input
    flat = [d.dim_value for d in given.type.tensor_type.shape.dim]
    name, inner = given.name, f"{given.name}_inner"
    for node in proto.graph.node:
        node.input[:] = [inner if source == name else source for source in node.input]
    proto.graph.initializer.append(helper.make_tensor("kept", 7, [len(flat)], [flat[0] or 1, *flat[1:]]))
    proto.graph.node.insert(0, helper.make_node("Reshape", [name, "kept"], [inner]))
    proto.graph.input[0].CopyFrom(helper.make_tensor_value_info(name, 1, [flat[0] or 1, 2, flat[-1] // 2]))
    square = tmp_path / "square.onnx"
    save(proto, square)
    plane = ("--through", "a.npy", "b.npy", "c.npy")
    refused(command, "compare", model, str(square), *plane, says=["They are 6 numbers each", "pass `--reshape`"])
    plain, shaped = command("compare", model, other, *plane, "--json"), command(
        "compare", model, str(square), *plane, "--reshape", "--json")  # fmt: skip
    assert shaped.code == 0 and shaped.numbers["upper"] == plain.numbers["upper"] > 0
