"""`reluatlas reduce`: what is printed, what is written, what is refused."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest

import reluatlas as ra
from tests.cli.run import write_onnx
from tests.cli.test_bad_input import refused


@pytest.fixture
def small(tmp_path):
    """Return a network of two inputs, as a file."""
    rng = np.random.default_rng(0)
    layers = [(rng.normal(size=(m, n)), rng.normal(size=m) / 2) for n, m in pairwise((2, 5, 4, 2))]
    return write_onnx(tmp_path / "small.onnx", layers)


def test_numbers_are_those_of_the_library(command, small):
    outcome = command("reduce", small, "--box", "-1,1", "--share", "0.1", "--json")
    assert (outcome.code, outcome.err) == (0, "")
    told, net = outcome.numbers, ra.load(small)
    cx = ra.enumerate_cells(net, ra.Box(-1, 1, dim=2))
    found = ra.join_cells(cx, 0.1 * ra.join_cells(cx, 0).output_range)
    assert told["n_pieces"] == found.n_pieces < told["n_linear_regions"] == cx.n_linear_regions
    assert told["n_pieces_at_least"] == found.lower_bound().n_pieces <= found.n_pieces
    assert told["error"] == found.error <= told["tolerance"] and told["labels"] == found.labels.tolist()
    # what is told holds at points, by the maps that are told
    u = np.random.default_rng(1).uniform(-1, 1, (500, 2))
    pieces = np.array(told["labels"])[cx.cells_of(u)]
    A, b = (np.array([piece[name] for piece in told["pieces"]]) for name in "Ab")
    values = np.einsum("nmk,nk->nm", A[pieces], u) + b[pieces]
    assert np.abs(values - net(u)).max() <= told["error"]


def test_a_report(command, small, tmp_path):
    outcome = command("reduce", small, "--box", "-1,1", "--pieces", "3", "--out", tmp_path / "out")
    assert outcome.code == 0 and "3 pieces are enough" in outcome.out
    written = sorted(p.name for p in (tmp_path / "out").rglob("*") if p.is_file())
    assert written == ["curve.png", "curve.svg", "joined.png", "joined.svg", "pieces.json", "report.html"]
    page = (tmp_path / "out" / "report.html").read_text()
    assert "3 pieces are enough" in page and "Before and after" in page
    assert json.loads((tmp_path / "out" / "pieces.json").read_text())["n_pieces"] == 3


def test_zero_joins_what_is_the_same_map(command, small):
    told = command("reduce", small, "--box", "-1,1", "--tolerance", "0", "--json").numbers
    assert told["n_pieces"] == told["n_linear_regions"] and told["error"] < 1e-9
    assert "for certain" in command("reduce", small, "--box", "-1,1", "--tolerance", "0").out


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ([], "no domain was given"),
        (["--box", "-1,1", "--share", "2"], "expected a share of the outputs' range from 0 to 1"),
        (["--box", "-1,1", "--tolerance", "-1"], "expected a number of at least 0"),
        (["--box", "-1,1", "--pieces", "0"], "expected a whole number of at least 1"),
        (["--box", "-1,1", "--share", "0.1", "--pieces", "2"], "say the same thing twice"),
        (["--box", "-1,1", "--pieces", "9999"], "is more than the"),
        (["--box", "-1,1", "--max-cells", "2"], "the limit of cells was reached after 2 cells"),
    ],
)
def test_what_is_refused(command, small, more, says):
    refused(command, "reduce", small, *more, says=[says])
