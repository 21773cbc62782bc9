"""Which figures `cells` draws: those asked for; unasked, no longer than finding the cells took."""

from __future__ import annotations

import json

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.report import drawings
from tests.cli.run import contents, dense_layers, write_onnx
from tests.unit.figures.fake import layers_of


@pytest.fixture
def plane(tmp_path):
    return write_onnx(tmp_path / "plane.onnx", dense_layers((2, 8, 8, 3)))


def drawn(folder):
    return {name.split("/")[1] for name in contents(folder) if name.startswith("figures/")}


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (["--figures", "class,layer"], ["cells-by-class", "cells-by-layer"]),
        (["--figures", "dual"], ["dual"]),
        (["--figures", " layers , layers"], ["layers"]),
        (["--figures", "all"], drawings.NAMES),
        (["--no-figures"], []),
        ([], drawings.NAMES),
    ],
)
def test_only_what_is_asked_for(command, plane, tmp_path, options, names):
    outcome = command("cells", plane, "--box", "-1,1", "--out", "result", *options)
    assert outcome.code == 0 and "Not drawn" not in outcome.err
    assert drawn(tmp_path / "result") == {f"{name}.{ending}" for name in names for ending in ("png", "svg")}
    page = (tmp_path / "result" / "report.html").read_text(encoding="utf-8")
    assert page.count("<figure") == len(names) and ("<h2>Figures" in page) == bool(names)


def test_many_cells_are_not_drawn_at_length_unasked(command, plane, tmp_path, monkeypatch):
    monkeypatch.setattr(drawings, "FREE_UP_TO", 5)
    monkeypatch.setattr(drawings, "_FIGURE_S", 1e9)  # any second figure would take too long
    outcome = command("cells", plane, "--box", "-1,1", "--out", "result", "--json")
    left = sorted(set(drawings.NAMES) - {"cells-by-class"})
    assert outcome.code == 0 and drawn(tmp_path / "result") == {"cells-by-class.png", "cells-by-class.svg"}
    assert sorted(outcome.numbers["not_drawn"]) == left
    assert json.loads((tmp_path / "result" / "cells.json").read_text())["not_drawn"] == outcome.numbers["not_drawn"]
    assert "Not drawn, as that would take longer" in outcome.err and "`--figures all` draws all" in outcome.err
    assert "<code>--figures all</code>" in (tmp_path / "result" / "report.html").read_text(encoding="utf-8")
    asked = command("cells", plane, "--box", "-1,1", "--out", "result", "--figures", "all", "--json")
    assert "not_drawn" not in asked.numbers and len(drawn(tmp_path / "result")) == 12


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--figures", "clas", "--out", "r"], "'clas' is no figure of this domain. Pass some of map, class, layer"),
        (["--figures", "boundary", "--out", "r"], "'boundary' is no figure of this domain"),
        (["--figures", "", "--out", "r"], "'' is no figure"),
        (["--figures", "class", "--no-figures", "--out", "r"], "opposite things"),
        (["--figures", "class"], "needs a folder"),
        (["--figures", "class", "--count-only", "--out", "r"], "draws nothing"),
    ],
)
def test_what_makes_no_sense_is_refused(command, plane, tmp_path, options, text):
    outcome = command("cells", plane, "--box", "-1,1", *options)
    assert outcome.code == 2 and text in outcome.err and len(outcome.err.strip().splitlines()) == 1
    assert not (tmp_path / "r").exists()


def test_domains_without_figures(command, tmp_path):
    model = write_onnx(tmp_path / "four.onnx", dense_layers((4, 5, 3)))
    outcome = command("cells", model, "--box", "-1,1", "--out", "r", "--figures", "class")
    assert outcome.code == 2 and "there are no figures of this domain" in outcome.err
    solid = write_onnx(tmp_path / "three.onnx", dense_layers((3, 5, 3)))
    assert command("cells", solid, "--box", "-1,1", "--out", "s", "--figures", "boundary").code == 0
    assert drawn(tmp_path / "s") == {"boundary.png", "boundary.svg"}


@pytest.mark.parametrize(("unasked", "expected"), [(0.0, 1), (np.inf, 6)])
def test_the_time_that_drawing_may_take(monkeypatch, unasked, expected):
    """Of many cells: one figure always, and others while they fit."""
    monkeypatch.setattr(drawings, "FREE_UP_TO", 10)
    cx = ra.enumerate_cells(ra.load(layers_of((2, 30, 30, 3))), ra.Box(-2, 2, dim=2))
    rest = []
    got = [d.name for d in drawings.draw(cx, unasked_s=unasked, not_drawn=rest.append)]
    assert len(got) == expected and sorted(got + rest) == sorted(drawings.NAMES)
