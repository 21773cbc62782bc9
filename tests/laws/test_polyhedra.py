"""Cells without vertices equal the oracle's on boxes and on the whole space, for every degenerate family."""

from __future__ import annotations

from fractions import Fraction
from math import comb

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.domain import Space
from reluatlas.subdivision.constraints.tree import Tree
from tests.convert import to_nodes
from tests.data import data_folder
from tests.oracles import anywhere
from tests.zoo import FAMILIES

SEEDS = (0, 1, 3, 4, 5, 7, 8, 11)
MOST_UNITS = {"leaky_abs_clip": 4, "max_identical": 12}


def _box_rows(k):
    rows = []
    for axis in range(k):
        for sign in (1, -1):
            rows.append([Fraction(sign * int(i == axis)) for i in range(k)] + [Fraction(1)])
    return rows


def _patterns(cells):
    return {tuple(c.pieces.tolist()) for c in cells}


@pytest.mark.parametrize("family", FAMILIES)
def test_families_match_the_oracle(family):
    n_escalated = 0
    for seed in SEEDS:
        net = FAMILIES[family](seed)
        k, units = net.n_inputs, net.n_neurons + net.n_windows
        if units > MOST_UNITS.get(family, 8) or k * units > 24:
            continue
        for domain, rows in ((ra.Box(-1, 1, dim=k), _box_rows(k)), (Space(k), [])):
            tree = Tree(net, domain)
            cells = list(tree.cells())
            expected = anywhere.cells(to_nodes(net), k, rows)
            assert len(cells) == len(_patterns(cells)) == sum(Tree(net, domain).count())
            assert _patterns(cells) == set(expected), (seed, domain)
            for cell in cells:
                demands = expected[tuple(cell.pieces.tolist())]
                assert tree.is_bounded(cell) == anywhere.is_bounded(demands, k)
                assert len(tree.facets(cell)) == anywhere.n_facets(demands, k)
            n_escalated += tree.n_escalated
    if family in ("duplicate", "opposite", "parallel", "three_lines_meet", "sliver"):
        assert n_escalated > 0


@pytest.mark.parametrize(("k", "n"), [(1, 5), (2, 7), (3, 7), (4, 7), (5, 7), (7, 8), (8, 9)])
def test_hyperplanes_in_general_position_give_the_closed_form(k, n):
    rng = np.random.default_rng([k, n])
    weight = rng.integers(-1000, 1001, (n, k)).astype(float)
    net = ra.load([(weight, rng.integers(-1000, 1001, n).astype(float)), (np.ones((1, n)), np.zeros(1))])
    tree = Tree(net, Space(k))
    cells = list(tree.cells())
    assert len(cells) == sum(comb(n, i) for i in range(k + 1))
    assert sum(tree.is_bounded(c) for c in cells) == comb(n - 1, k)
    n_facets = n * sum(comb(n - 1, i) for i in range(k))
    assert sum(len(tree.facets(c)) for c in cells) == 2 * n_facets

    central = ra.load([(weight, np.zeros(n)), (np.ones((1, n)), np.zeros(1))])
    tree = Tree(central, Space(k))
    cells = list(tree.cells())
    assert len(cells) == 2 * sum(comb(n - 1, i) for i in range(k))
    assert not any(tree.is_bounded(c) for c in cells)


@pytest.mark.parametrize(("name", "k", "in_box", "in_all"), [("H", 3, 1041, 5946), ("J", 4, 692, 8561)])
def test_stored_networks_have_the_cells_that_others_counted(name, k, in_box, in_all):
    folder = data_folder()
    if folder is None:
        pytest.skip("no data folder (RELUATLAS_DATA)")
    with np.load(folder / "nets" / f"{name}.npz") as file:
        net = ra.load([(file[f"W{i}"], file[f"b{i}"]) for i in range(len(file.files) // 2)])
    assert sum(Tree(net, ra.Box(-1, 1, dim=k)).count()) == in_box
    assert sum(Tree(net, Space(k)).count()) == in_all
    if name == "J":
        assert sum(Tree(net, ra.Box(-1e4, 1e4, dim=k)).count()) == 8558
