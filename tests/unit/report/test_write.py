"""What is written about a complex, also about one without cells."""

from __future__ import annotations

import json
from dataclasses import fields, replace

import numpy as np

import reluatlas as ra
from reluatlas.report import facts
from reluatlas.report.common import About
from reluatlas.report.write import write_numbers, write_report


def emptied(cx):
    """Return a complex that was stopped before its first cell."""
    none = np.zeros(1, dtype=np.int64)
    parts = {}
    for name in ("vertices", "facets"):
        part = getattr(cx, name)
        named = [f.name for f in fields(part) if f.name != "offsets" and getattr(part, f.name) is not None]
        columns = {name: getattr(part, name)[:0] for name in named}
        parts[name] = replace(part, **columns, offsets=none)
    return replace(cx, stopped_by="max_seconds", patterns=cx.patterns[:0], affine=cx.affine[:0], **parts)


def test_a_complex_without_cells_has_a_page_without_figures(whole, tmp_path):
    cx = emptied(whole)
    numbers = facts.of_complex(cx)
    assert numbers["n_cells"] == numbers["n_linear_regions"] == numbers["n_affine_maps"] == 0
    assert numbers["share_done"] == 0.0 and numbers["f_vector"] == [0, 0, 0]
    page = write_report(cx, tmp_path / "out", numbers, About("none"))
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["cells.json", "cells.npz", "report.html"]
    text = page.read_text(encoding="utf-8")
    assert "Incomplete: the limit of time was reached when 0 % of the area was done" in text and "<figure" not in text
    assert ra.load_complex(tmp_path / "out" / "cells.npz").n_cells == 0


def test_numbers_alone(tmp_path):
    path = write_numbers(tmp_path / "out", "cells.json", {"reluatlas": "0", "n_cells": 3})
    assert json.loads(path.read_text()) == {"reluatlas": "0", "n_cells": 3}
