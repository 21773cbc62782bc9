"""Distances of facets, dual graphs and walks as figures: what is drawn is what the answers say."""

from __future__ import annotations

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_rgb

import reluatlas as ra
from reluatlas.errors import ArgumentError
from reluatlas.figures import colors, plot
from reluatlas.figures.graph_layout import rings, tiling
from reluatlas.network.decision import class_name
from tests.unit.figures.fake import layers_of

matplotlib.use("Agg")


@pytest.fixture(scope="module")
def net():
    return ra.load(layers_of((4, 7, 6, 3)))


@pytest.fixture
def ax():
    from matplotlib.figure import Figure

    return Figure(figsize=(6, 5), layout="compressed").add_subplot()


@pytest.mark.parametrize("domain", [None, ra.Box(-1, 1, dim=4)])
def test_a_tick_for_each_facet_in_the_lane_of_its_layer(net, domain, ax):
    points = np.random.default_rng(0).uniform(-0.9, 0.9, (3, 4))
    cells = {f"x{i}": ra.cell_at(net, x, domain) for i, x in enumerate(points)}
    plot.facet_distances(cells, ax=ax)
    hues = colors.series(2)
    drawn = {}
    for lines in ax.collections:
        for segment in lines.get_segments():
            row = int(np.round(segment[:, 1].mean()))
            key = row, tuple(np.round(to_rgb(lines.get_color()[0]), 6))
            drawn.setdefault(key, []).append(segment[0, 0])
    for i, cell in enumerate(cells.values()):
        layers = [-1 if d else o[0].layer for o, d in zip(cell.facets.owners, cell.facets.is_domain, strict=True)]
        for layer in (-1, 0, 1):
            color = to_rgb("#8A8A8A") if layer < 0 else hues[layer]
            found = drawn.get((2 - i, tuple(np.round(color, 6))), [])
            assert np.allclose(sorted(found), np.sort(cell.facets.distances[np.array(layers) == layer]))
    diamonds = [line.get_xdata()[0] for line in ax.lines if line.get_marker() == "D"]
    others = [cell.nearest_other_class() for cell in cells.values()]
    assert np.allclose(sorted(diamonds), sorted(o.distance for o in others if o is not None))
    assert [t.get_text() for t in ax.get_yticklabels()] == ["x2", "x1", "x0"] and ax.get_xscale() == "log"


def test_a_facet_through_the_point_is_a_triangle(ax):
    octants = ra.load([(np.eye(3), np.zeros(3)), (np.ones((1, 3)), np.zeros(1))])
    plot.facet_distances(next(ra.cells_at(octants, [0.0, 0.0, 1.0])), ax=ax)
    assert sum(line.get_marker() == "<" for line in ax.lines) == 1
    with pytest.raises(ArgumentError, match="`cells` is empty"):
        plot.facet_distances({}, ax=ax)


def test_every_cell_and_every_facet_of_a_graph(net, ax):
    X = np.random.default_rng(1).normal(size=(2, 4))
    found = ra.explore(net, X, max_cells=60)
    plot.dual_graph(found, labels=["p", "q"], ax=ax)
    at, parent = rings(found)
    scattered = np.concatenate([c.get_offsets() for c in ax.collections if c.get_gid() == "cells"])
    assert sorted(map(tuple, scattered.tolist())) == sorted(map(tuple, at.tolist()))
    segments = [s for c in ax.collections if c.get_gid() == "facets" for s in c.get_segments()]
    ends = {frozenset(map(tuple, s.tolist())) for s in segments}
    assert len(segments) == len(found.edges)
    assert ends == {frozenset(map(tuple, at[[i, j]].tolist())) for i, j in found.edges}
    names = [class_name(found.network, int(found.classes[cell])) for cell in found.starts]
    assert {t.get_text() for t in ax.texts} == {f"p: {names[0]}", f"q: {names[1]}"} and "60 cells" in ax.get_title()
    # one place for each cell; a ring for each depth; parents one step nearer
    assert len(np.unique(np.round(at, 9), axis=0)) == found.n_cells
    reached = np.flatnonzero(parent >= 0)
    assert np.array_equal(found.depth[parent[reached]], found.depth[reached] - 1)
    assert set(np.flatnonzero(parent < 0)) == set(found.starts)
    with pytest.raises(ArgumentError, match="`labels` has 1 names"):
        plot.dual_graph(found, labels=["p"], ax=ax)
    with pytest.raises(ArgumentError, match="expected an `Exploration`"):
        plot.dual_graph(net, ax=ax)


def test_parts_that_are_not_connected_lie_apart(net):
    X = np.random.default_rng(2).normal(size=(3, 4)) * 20
    found = ra.explore(net, X, max_cells=3)
    assert len(np.unique(found.starts)) == 3 and tiling(found) == (2, 2)
    at, _ = rings(found)
    assert np.abs(at[:, None] - at[None]).sum(axis=2)[~np.eye(3, dtype=bool)].min() >= 2.0


def test_a_walk_shows_hamming_distances(net, ax):
    a, b = np.random.default_rng(3).normal(size=(2, 4)) * 3
    found = ra.explore(net, a, target=b, max_cells=100)
    plot.walk(found, ax=ax)
    first, last = ax.lines
    assert first.get_ydata().tolist() == [found.hamming(0, i) for i in range(found.n_cells)]
    assert last.get_ydata().tolist() == [found.hamming(-1, i) for i in range(found.n_cells)]
    with pytest.raises(ArgumentError, match="no line of cells"):
        plot.walk(ra.explore(net, a, max_cells=20), ax=ax)


def test_classes_are_those_at_the_points_of_cells(net):
    found = ra.explore(net, np.ones(4), max_cells=30)
    assert found.classes.tolist() == net(found.points).argmax(axis=1).tolist()
    one = ra.load(layers_of((4, 7, 1)))
    found = ra.explore(one, np.ones(4), max_cells=30)
    assert found.classes.tolist() == (one(found.points)[:, 0] > 0).astype(int).tolist()
    plane = ra.Slice(np.ones(4) / 3, np.eye(2, 4), box=ra.Box(-1, 1, dim=2))
    found = ra.explore(net, [[0.1, 0.2]], max_cells=9, domain=plane)
    assert found.classes.tolist() == net(plane.embed(found.points)).argmax(axis=1).tolist()
