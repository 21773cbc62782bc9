"""`reluatlas trace`: what is printed, what is written, what is refused."""

from __future__ import annotations

import csv
import re

import numpy as np
import pytest

import reluatlas as ra
from tests.cli.run import save_points
from tests.cli.test_bad_input import refused


@pytest.fixture
def points(tmp_path):
    X = np.random.default_rng(0).normal(size=(3, 6)) * 3
    save_points(tmp_path, X)
    np.save(tmp_path / "X.npy", X)
    return X


def test_numbers_are_those_of_the_library(command, model, points):
    outcome = command("trace", model, "--through", "a.npy", "b.npy", "c.npy", "--json")
    assert (outcome.code, outcome.err) == (0, "")
    paths = ra.trace(ra.load(model), points)
    given = outcome.numbers
    assert given["n_pieces"] == paths.n_pieces_joined and given["is_complete"] and given["share_done"] == 1.0
    assert [leg["n_pieces"] for leg in given["legs"]] == paths.n_pieces.tolist()
    assert [leg["breakpoints"] for leg in given["legs"]] == [path.breakpoints.tolist() for path in paths]
    assert [leg["classes"] for leg in given["legs"]] == [path.classes.tolist() for path in paths]
    assert given["exactness"]["status"] == "exact" and [leg["to"] for leg in given["legs"]] == ["b", "c"]


def test_rows_of_one_file_and_a_table(command, model, points):
    outcome = command("trace", model, "--through", "X.npy:2,0")
    assert outcome.code == 0 and "X[2]" in outcome.out and "cells on the way" in outcome.out


def test_a_report(command, model, points, tmp_path):
    outcome = command("trace", model, "--through", "a.npy", "b.npy", "--out", "result", "--quiet")
    assert (outcome.code, outcome.err) == (0, "")
    folder = tmp_path / "result"
    names = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    assert names == {"report.html", "path.json", "pieces.csv", "figures/path-1.png", "figures/path-1.svg"}
    path = ra.trace(ra.load(model), ra.Segment(points[0], points[1]))
    rows = list(csv.DictReader((folder / "pieces.csv").read_text(encoding="utf-8").splitlines()))
    assert len(rows) == path.n_pieces and [float(r["end"]) for r in rows] == path.edges[1:].tolist()
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert f"{path.n_pieces:,}" in page and "ra.trace(net" in page and "http" not in page.replace("http-equiv", "")
    assert command("trace", model, "--through", "a.npy", "c.npy", "--out", "result").code == 0  # replaces it


def test_the_page_counts_cells_and_regions_where_legs_meet_once(command, model, points, tmp_path):
    assert command("trace", model, "--through", "a.npy", "b.npy", "c.npy", "--out", "result", "--quiet").code == 0
    page = (tmp_path / "result" / "report.html").read_text(encoding="utf-8")
    paths = ra.trace(ra.load(model), points)
    tiles = re.findall(r"<b>([\d,]+)</b>\s*<span>([^<]+)</span>", page)
    assert tiles[0] == (f"{paths.n_pieces_joined:,}", "pieces: cells on the way")
    assert tiles[1] == (f"{paths.n_linear_regions_joined:,}", "linear regions")


def test_a_limit_gives_exit_code_3(command, model, points):
    outcome = command("trace", model, "--through", "a.npy", "b.npy", "--max-seconds", "1e-9")
    assert outcome.code == 3 and "Incomplete" in outcome.err and "INCOMPLETE" in outcome.out


def test_bad_input(command, model, points, tmp_path):
    refused(command, "trace", model, says=["no path was given"])
    refused(command, "trace", model, "--through", "a.npy", says=["2 or more"])
    refused(command, "trace", model, "--through", "a.npy", "a.npy", says=["same point twice"])
    refused(command, "trace", model, "--through", "a.npy", "missing.npy", says=["there is no such file"])
    np.save(tmp_path / "short.npy", np.zeros(5))
    refused(command, "trace", model, "--through", "a.npy", "short.npy", says=["shape (5,)"])
