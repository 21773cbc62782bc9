"""One cell of a complex, its polygon, iteration, and what nodes and edges of graphs carry."""

from __future__ import annotations

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.errors import ArgumentError, DimensionError, DomainError
from reluatlas.testing.zoo import FAMILIES, domain_for


@pytest.mark.parametrize("family", FAMILIES)
def test_iterating_gives_every_cell_with_its_own_numbers(family):
    net, domain = FAMILIES[family](1), domain_for(1)
    cx = ra.enumerate_cells(net, domain)
    assert len(cx) == cx.n_cells == len(list(cx)) and bool(cx)
    area = 0.0
    for i, cell in enumerate(cx):
        corners = cx.polygon(i)
        x, y = corners.T
        area += 0.5 * float(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))) * domain.unit_volume
        assert np.array_equal(cell.vertices, corners) and cell.index == i
        assert cx.cell_at(cell.center) == i or cell.volume < 1e-12  # a sliver: its center is rounded
        assert cell.label == cx.to_table()["class_at_center"][i]
        values = net(domain.embed(cell.center).reshape(net.input_shape)).ravel()
        assert np.allclose(cell.affine.A[0] @ cell.center + cell.affine.b[0], values)
        assert cell.volume == cx.volumes[i] and all(i in cx[j].neighbors for j in cell.neighbors)
    assert np.isclose(area, domain.volume)
    assert cx[-1].index == cx.n_cells - 1 and repr(cx[0]).startswith(f"CellView(0 of {cx.n_cells}, class ")


def test_graphs_carry_classes_volumes_layers_and_units():
    networkx = pytest.importorskip("networkx", reason="networkx is not installed")
    net = ra.load([(np.eye(2), np.zeros(2)), (np.array([[1.0, -2.0], [0.0, 0.0]]), np.array([0.25, 0.0]))])
    cx = ra.enumerate_cells(net, ra.Box(-1, 1, dim=2))
    graph = cx.dual_graph()
    assert repr(graph) == "DualGraph(4 cells, 4 pairs that share a facet)"
    G = graph.to_networkx()
    assert isinstance(G, networkx.Graph) and sum(v for _, v in G.nodes(data="volume")) == 4.0
    for i, label in G.nodes(data="class"):
        assert label == cx[i].label
    for i, j, turns in G.edges(data=True):
        (unit,) = np.flatnonzero(cx.patterns[i] != cx.patterns[j]).tolist()
        assert turns == {"layer": 0, "unit": unit, "name": f"neuron {unit + 1} of layer 1"}
    found = ra.explore(net, np.array([0.5, 0.5]), max_cells=10)
    F = found.dual_graph().to_networkx()
    assert found.is_complete and F.number_of_edges() == 4
    for i, j, turns in F.edges(data=True):
        (unit,) = np.flatnonzero(found.patterns[i] != found.patterns[j]).tolist()
        assert (turns["unit"], F.nodes[i]["class"]) == (unit, found.classes[i])


def test_units_go_by_their_names_and_other_dimensions_have_no_polygons():
    net = ra.load([(np.eye(3), np.zeros(3)), (np.ones((1, 3)), np.zeros(1))])
    cx = ra.enumerate_cells(net, ra.Box(-1, 1, dim=3))
    here = cx.bent_hyperplane("neuron 2 of layer 1")
    there = cx.bent_hyperplane(0, 1)
    assert np.array_equal(here.facets, there.facets) if hasattr(here, "facets") else repr(here) == repr(there)
    assert repr(cx.bent_hyperplane("layer 1", 1)) == repr(there)
    with pytest.raises(
        ArgumentError, match=r"names no unit; the layers are layer 1. Pass a unit's name, such as 'neuron"
    ):
        cx.bent_hyperplane("fc1[0]")
    with pytest.raises(ArgumentError, match="names no layer"):
        cx.bent_hyperplane("fc1", 0)
    with pytest.raises(DimensionError, match="no polygons"):
        cx.polygon(0)
    with pytest.raises(ArgumentError, match="is no cell"):
        cx[8]


def test_a_box_around_points():
    X = np.array([[0.0, 1.0], [2.0, 5.0], [1.0, 3.0]])
    box = ra.Box.around(X, margin=0.5)
    assert box.low.tolist() == [-1.0, -1.0] and box.high.tolist() == [3.0, 7.0]
    flat = ra.Box.around(np.array([[0.0, 1.0], [2.0, 1.0]]), margin=0.25)
    assert flat.low.tolist() == [-0.5, 0.5] and flat.high.tolist() == [2.5, 1.5]
    assert ra.Box.around(np.zeros((1, 2, 2)), margin=1).low.tolist() == [-1.0] * 4
    assert ra.Box.around([0.0, 4.0], margin=0).high.tolist() == [4.0]
    for bad, margin, says in (([], 0.1, "no points"), (X, -1, "at least 0"), ([[1.0, 2.0]], 0, "flat")):
        with pytest.raises(DomainError, match=says):
            ra.Box.around(bad, margin=margin)


def test_the_shape_of_an_input_may_come_second():
    torch = pytest.importorskip("torch", reason="torch is not installed")
    module = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.ReLU(), torch.nn.Linear(2, 2))
    assert ra.load(module, (3,)).input_shape == (3,)
