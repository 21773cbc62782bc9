"""One signature for every callback, and what a bar says."""

from __future__ import annotations

import numpy as np
import pytest

import reluatlas as ra
from reluatlas import progress
from reluatlas.errors import ArgumentError

NET = ra.load([(np.random.default_rng(0).normal(size=(6, 2)), None), (np.ones((2, 6)), None)])
BOX = ra.Box(-1, 1, dim=2)
X = np.random.default_rng(1).uniform(-1, 1, (8, 2))


def test_every_verb_tells_what_how_many_and_which_share(monkeypatch):
    verbs = {
        "cells": lambda told: ra.enumerate_cells(NET, BOX, progress=told),
        "cells ": lambda told: ra.count_cells(NET, BOX, progress=told),
        "cells  ": lambda told: ra.explore(NET, X[0], max_cells=5, progress=told),
        "pieces": lambda told: ra.trace(NET, X, progress=told),
        "points": lambda told: NET.affine_at(X, progress=told),
        "points ": lambda told: NET.patterns(X, progress=told),
    }
    for what, run in verbs.items():
        seen: list = []
        run(lambda *told, kept=seen: kept.append(told))
        for word, done, share in seen:
            assert word == what.strip() and isinstance(done, int) and 0.0 <= share <= 1.0, what
        if what.strip() == "points":
            assert seen[-1] == ("points", 8, 1.0)
        run(True)  # no terminal: nothing is shown, and nothing fails
        with pytest.raises(ArgumentError, match="neither True nor a callable"):
            run("yes")


def test_the_text_tells_a_rate_and_an_estimate():
    assert progress.text_of("cells", 1200, 0.25, 0.5) == "1,200 cells, 25 %"
    assert progress.text_of("cells", 1200, 0.25, 4.0) == "1,200 cells, 25 %, 300 cells/s, about 12 s left"
    assert progress.text_of("points", 3, 0.5, 600.0).endswith("0.005 points/s, about 10 min left")
    assert progress.text_of("cells", 9, 0.001, 10.0).endswith("cells/s")
    assert progress.total_of(5, 0.5) == 10 and progress.total_of(0, 0.0) == 0


def test_a_bar_takes_itself_away(monkeypatch, capsys):
    monkeypatch.setattr(progress, "_WAIT_S", 0.0)
    monkeypatch.setattr(progress.sys.stderr, "isatty", lambda: True, raising=False)
    ra.trace(NET, X, progress=True)
    bar = progress.Bar()
    bar.update("cells", 10, 0.5)
    bar.close()
    shown = capsys.readouterr()
    assert "10 cells, 50 %" in shown.err and shown.err.endswith("\r") and shown.out == ""
