"""Every object that users meet has a repr of one line, and a small table in a notebook."""

from __future__ import annotations

import numpy as np

import reluatlas as ra
from reluatlas.shown import text_of


def _objects() -> list[object]:
    rng = np.random.default_rng(0)
    layers = [(rng.normal(size=(8, 2)), rng.normal(size=8)), (rng.normal(size=(3, 8)), np.zeros(3))]
    net, box = ra.load(layers), ra.Box(-1, 1, dim=2)
    cx, x = ra.enumerate_cells(net, box), np.array([0.1, 0.2])
    cell, path = ra.cell_at(net, x), ra.trace(net, ra.Segment([-1.0, 0.0], [1.0, 0.5]))
    X = rng.uniform(-1, 1, (40, 2))
    found = ra.explore(net, x, max_cells=6)
    trajectory = ra.Trajectory.from_layers([layers, layers], domain=box)
    return [
        net, box, ra.Slice.through(np.eye(4)[:3]), ra.Segment(np.zeros(300), np.ones(300)), ra.Space(3), cx, cx[0],
        cx.vertices, cx.facets, cx.exactness, cx.faces(1), cx.dual_graph(), cx.decision_boundary(),
        cx.bent_hyperplane(0, 1), ra.count_cells(net, box), cell, cell.answer, cell.facets, cell.halfspaces,
        cell.neighbors()[0], cell.nearest_other_class() or net, path, path.crossings, ra.trace(net, X),
        net.affine_at(X),
        found, found.dual_graph(), trajectory, trajectory.measure(), ra.reduce(net, X, 3, seed=0),
        ra.similarity(net, net, X, X),
    ]  # fmt: skip


def test_reprs_are_a_line_and_html_a_small_table():
    for thing in _objects():
        line = repr(thing)
        assert "\n" not in line and len(line) <= 300, type(thing)
        html = thing._repr_html_()  # type: ignore[attr-defined]
        assert html.count("<tr>") <= 30 and "array(" not in html and html.startswith("<"), type(thing)
        words = html.split("<svg")[0]
        assert sum(c.isdigit() for c in words) < 600, type(thing)


def test_values_in_short():
    assert text_of(np.zeros((3, 2))) == "float64 (3, 2)" and text_of(np.array([1, 2])) == "[1, 2]"
    assert text_of(np.array([1.5])) == "[1.5]" and text_of(0.1 + 0.2) == "0.3" and text_of("a") == "'a'"
    assert text_of(list(range(10))) == "list of 10" and text_of(None) == "None"
