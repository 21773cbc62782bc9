"""Certificates of counts: those of the oracles' cells hold, by the same number; changed ones do not."""

from __future__ import annotations

import json
from functools import cache
from itertools import pairwise

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.certify import check_tree, save_tree, tree, tree_write
from reluatlas.errors import ArgumentError, DimensionError, DomainError, ResultFileError
from reluatlas.network.build import Builder
from reluatlas.testing import FAMILIES, domain_for
from tests.convert import to_nodes, to_problem
from tests.edits import renewed
from tests.oracles import rational, solid

UNIT = ra.Box(-1, 1, dim=2)


def random_net(*sizes, seed=0, bias=0.5):
    rng = np.random.default_rng(seed)
    return ra.load([(rng.normal(size=(m, n)), rng.normal(size=m) * bias) for n, m in pairwise(sizes)])


def related(seed, *sizes, factors=(1.0, -1.0, 0.1, -3.0)):
    """Return a network whose units are multiples of few."""
    rng, layers = np.random.default_rng(seed), []
    for n, m in pairwise(sizes):
        weight, bias, of = rng.uniform(-1, 1, (m, n)), rng.uniform(-1, 1, m), rng.integers(0, max(1, m // 2), m)
        by = rng.choice(factors, m)
        layers.append((weight[of] * by[:, None], bias[of] * by))
    return ra.load(layers)


def ternary(seed, *sizes):
    rng = np.random.default_rng(seed)
    return ra.load(
        [(rng.integers(-1, 2, (m, n)) * 1.0, rng.integers(-1, 2, m) * 1.0) for n, m in pairwise(sizes)]
    )  # fmt: skip


def plane_patterns(net, domain):
    return np.array([c.pattern for c in rational.enumerate_cells(to_problem(net, domain))]).reshape(
        -1, net.n_neurons + net.n_windows
    )


def box_patterns(net, k):
    domain = solid.on_box([-1] * k, [1] * k)
    return np.array([c.pattern for c in solid.cells(to_nodes(net), net.output, domain)])


def holds(net, path, n_cells):
    report = check_tree(net, path)
    assert report.is_ok and bool(report), report.problems
    assert report.n_cells == report.n_claimed == n_cells
    return report


@pytest.mark.parametrize("family", FAMILIES)
def test_counts_of_planes_are_proved_and_are_the_oracles(family, tmp_path):
    n_settled = 0
    for seed in range(8):
        net, domain = FAMILIES[family](seed), domain_for(seed)
        patterns = plane_patterns(net, domain)
        count = ra.count_cells(net, domain, jobs=1 + seed % 2, certificate=tmp_path / "run.cert")
        assert count.is_complete and count.n_cells == len(patterns)
        report = holds(net, tmp_path / "run.cert", len(patterns))
        n_settled += report.n_settled
        assert repr(report.domain) == repr(domain)
        written = (tmp_path / "run.cert").read_bytes()
        save_tree(tmp_path / "run.cert", net, domain, np.random.default_rng(seed).permutation(patterns))
        assert holds(net, tmp_path / "run.cert", len(patterns)).n_nodes == report.n_nodes
        save_tree(tmp_path / "run.cert", net, domain, ra.enumerate_cells(net, domain, jobs=1).patterns)
        assert len(written) > 0 and holds(net, tmp_path / "run.cert", len(patterns))
    if family in ("duplicate", "opposite", "parallel", "max_identical", "sliver"):
        assert n_settled > 0


SOLIDS = {
    "generic": lambda *sizes: random_net(*sizes, seed=1),
    "biasless": lambda *sizes: random_net(*sizes, seed=2, bias=0.0),
    "ternary": lambda *sizes: ternary(3, *sizes),
    "related": lambda *sizes: related(4, *sizes),
}


@pytest.mark.parametrize("k", [1, 3, 4])
@pytest.mark.parametrize("family", SOLIDS)
def test_counts_of_boxes_are_proved_and_are_the_oracles(family, k, tmp_path):
    net = SOLIDS[family](k, 6, 5, 1)
    n_cells = len(box_patterns(net, k))
    count = ra.count_cells(net, ra.Box(-1, 1, dim=k), jobs=1, certificate=tmp_path / "run.cert")
    assert count.n_cells == n_cells
    assert count.volume_done == pytest.approx(2.0**k)
    holds(net, tmp_path / "run.cert", n_cells)


@pytest.mark.parametrize("k", [5, 6])
def test_the_oracles_cells_of_five_and_six_dimensions_hold(k, tmp_path):
    for net in (random_net(k, 5, 3, 1), ternary(0, k, 5, 3, 1)):
        patterns = box_patterns(net, k)
        save_tree(tmp_path / "run.cert", net, ra.Box(-1, 1, dim=k), patterns)
        holds(net, tmp_path / "run.cert", len(patterns))


def test_windows_of_slices_with_pooling_hold(tmp_path):
    rng = np.random.default_rng(0)
    b = Builder((9,))
    h = b.relu(b.dense(0, rng.normal(size=(12, 9)), np.zeros(12)))
    h = b.max_windows(h, np.arange(12).reshape(4, 3), shape=(4,))
    h = b.maximum([h, b.scale(h, -0.5), b.constant(np.full(4, 0.3))])
    net = b.finish(b.dense(h, rng.normal(size=(2, 4)), np.zeros(2)))
    for k in (2, 3):
        domain = ra.Slice(rng.normal(size=9) / 8, rng.normal(size=(k, 9)), box=ra.Box(-1, 1, dim=k))
        count = ra.count_cells(net, domain, jobs=1, certificate=tmp_path / "run.cert")
        holds(net, tmp_path / "run.cert", count.n_cells)
        if k == 2:
            assert count.n_cells == len(plane_patterns(net, domain))


def test_networks_beyond_the_reach_of_float64_are_settled_in_whole_numbers(tmp_path):
    rng = np.random.default_rng(0)
    for power in (-300, 300):
        W, v = rng.normal(size=(4, 2)), rng.normal(size=(3, 4))
        net = ra.load([(np.ldexp(W, power), np.ldexp(W[:, 0] / 3, power)), (v, np.zeros(3)), (np.ones((1, 3)), [0.0])])
        patterns = plane_patterns(net, UNIT)
        save_tree(tmp_path / "run.cert", net, UNIT, patterns)
        assert holds(net, tmp_path / "run.cert", len(patterns)).n_settled > 0


def test_a_network_without_units_is_one_cell(tmp_path):
    net = ra.load([(np.ones((1, 2)), np.zeros(1))])
    assert ra.count_cells(net, UNIT, certificate=tmp_path / "run.cert").n_cells == 1
    holds(net, tmp_path / "run.cert", 1)


def test_blocks_and_portions_change_nothing(tmp_path, monkeypatch):
    net = random_net(2, 12, 12, 1, seed=3)
    whole = ra.count_cells(net, UNIT, jobs=1, certificate=tmp_path / "run.cert")
    nodes = holds(net, tmp_path / "run.cert", whole.n_cells).n_nodes
    monkeypatch.setattr(tree_write, "_NODES", 50)
    monkeypatch.setattr(tree_write, "_NUMBERS", 0)
    monkeypatch.setattr(tree, "_BYTES", 0)  # 64 nodes at a time
    monkeypatch.setattr(tree_write.TreeWriter, "at_least", 50)
    monkeypatch.setattr(tree, "_NUMBERS", 1)
    told = []
    ra.count_cells(net, UNIT, jobs=2, certificate=tmp_path / "blocks.cert")
    with np.load(tmp_path / "blocks.cert") as file:
        assert json.loads(bytes(file["head"]))["n_blocks"] > 3
    report = check_tree(net, tmp_path / "blocks.cert", progress=lambda *args: told.append(args))
    assert report.is_ok and (report.n_cells, report.n_nodes) == (whole.n_cells, nodes)
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told) and told[-1][1:] == (whole.n_cells, 1.0)


def test_outputs_that_are_zero(tmp_path):
    rng = np.random.default_rng(0)
    W, c, v = rng.normal(size=(5, 2)), rng.normal(size=5), rng.normal(size=(1, 5))
    both = [(np.concatenate([W, W]), np.concatenate([c, c])), (np.concatenate([v, -v], axis=1), np.zeros(1))]
    zero, other = ra.load(both), ra.load([both[0], (both[1][0] * [1, 1, 1, 1, 1, 1, 1, 1, 1, 1 + 2**-52], np.zeros(1))])
    for net, is_zero in ((zero, True), (other, False)):
        patterns = plane_patterns(net, UNIT)
        save_tree(tmp_path / "run.cert", net, UNIT, patterns, claims=["zero"])
        report = check_tree(net, tmp_path / "run.cert")
        assert report.is_ok == is_zero and report.claims == ["zero"]
        assert is_zero or "the outputs are not 0 on a cell." in report.problems


# --- what is refused


def test_an_incomplete_count_writes_no_certificate(tmp_path):
    net = random_net(2, 40, 40, 40, 1)
    count = ra.count_cells(net, UNIT, jobs=1, max_cells=10, certificate=tmp_path / "run.cert")
    assert not count.is_complete and count.n_cells >= 10 and list(tmp_path.iterdir()) == []
    few = random_net(2, 3, 1)
    count = ra.count_cells(few, UNIT, jobs=1, max_cells=2, certificate=tmp_path / "run.cert")
    assert count.is_complete == ra.count_cells(few, UNIT, jobs=1, max_cells=2).is_complete


def test_counts_that_cannot_be_proved(tmp_path):
    net, path = random_net(2, 3, 1), tmp_path / "run.cert"
    with pytest.raises(DomainError, match="bounded domains"):
        ra.count_cells(net, ra.Space(2), certificate=path)
    with pytest.raises(DomainError, match="7 dimensions"):
        ra.count_cells(random_net(7, 3, 1), ra.Box(-1, 1, dim=7), max_cells=5, certificate=path)
    with pytest.raises(ArgumentError, match="Leave one out"):
        ra.count_cells(net, UNIT, certificate=path, checkpoint=tmp_path / "run.sqlite")
    with pytest.raises(ArgumentError, match="certain=False"):
        ra.count_cells(net, UNIT, certificate=path, certain=False)
    with pytest.raises(ResultFileError, match="cannot be written"):
        ra.count_cells(net, UNIT, certificate=tmp_path / "none" / "run.cert")
    with pytest.raises(DomainError, match="needs a domain with bounds"):
        save_tree(path, net, ra.Space(2), np.zeros((1, 3)))
    with pytest.raises(DimensionError, match="3 units"):
        save_tree(path, net, UNIT, np.zeros((1, 4)))
    with pytest.raises(ArgumentError, match="twice"):
        save_tree(path, net, UNIT, np.zeros((2, 3)))
    with tree_write.writing_tree(path, net, UNIT) as tree_, pytest.raises(ArgumentError, match="apart"):
        tree_.add(np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]]))
    assert not (tmp_path / "none").exists()


def test_certificates_of_other_networks_are_refused(tmp_path):
    save_tree(tmp_path / "run.cert", random_net(2, 3, 1), UNIT, plane_patterns(random_net(2, 3, 1), UNIT))
    with pytest.raises(ResultFileError, match="another network"):
        check_tree(random_net(2, 3, 1, seed=1), tmp_path / "run.cert")
    with pytest.raises(DimensionError, match="4 units"):
        check_tree(random_net(2, 4, 1), tmp_path / "run.cert")
    with pytest.raises(ResultFileError, match="does not exist"):
        check_tree(random_net(2, 4, 1), tmp_path / "other.cert")


@cache
def changed_networks():
    """Return networks whose every change is told: no two of their rows are one, with the patterns of their cells."""
    nets = [random_net(2, *widths, 1, seed=seed) for seed in range(4) for widths in ((3,), (2, 2))]
    b, rng = Builder((2,)), np.random.default_rng(5)
    largest = b.max_windows(b.dense(0, rng.normal(size=(6, 2)), rng.normal(size=6)), [[0, 1, 2], [3, 4, 5]], shape=(2,))
    nets.append(b.finish(b.dense(b.relu(b.dense(largest, rng.normal(size=(2, 2)), [0.1, -0.2])), np.ones((1, 2)), [0])))
    nets.append(FAMILIES["leaky_abs_clip"](1))
    domains = [UNIT] * 9 + [domain_for(1)]
    return [(net, domain, plane_patterns(net, domain)) for net, domain in zip(nets, domains, strict=True)]


def stated(patterns):
    """Return the arrays of a file of one block that state patterns of leaves, in their order."""
    row, unit = np.nonzero(patterns[1:] != patterns[:-1])
    return {
        "n_changed_0": np.array([0, *np.bincount(row, minlength=len(patterns) - 1)], dtype=np.int32),
        "changed_0": unit.astype(np.int32),
        "was_0": patterns[row, unit].astype(np.int32),
        "last": patterns[-1].astype(np.int32),
    }


def leave_out(rng, net, domain, patterns, path, **claims):
    n = int(rng.integers(1, min(3, len(patterns))))
    save_tree(path, net, domain, np.delete(patterns, rng.choice(len(patterns), n, replace=False), axis=0), **claims)


def double(rng, net, domain, patterns, path, **claims):
    """Invent a cell beside one that there is."""
    known = {tuple(p) for p in patterns.tolist()}
    while True:
        new = patterns[rng.integers(len(patterns))].copy()
        new[rng.integers(new.size)] ^= 1
        if tuple(new.tolist()) not in known:
            return save_tree(path, net, domain, np.concatenate([patterns, new[None]]), **claims)


def exchange(rng, net, domain, patterns, path, **claims):
    """State of some leaves the patterns of others."""
    save_tree(path, net, domain, patterns, **claims)
    arrays = dict(np.load(path))
    told = patterns[np.lexsort(patterns.T[::-1])]
    i, j = rng.choice(len(told), 2, replace=False)
    told[[i, j]] = told[[j, i]]
    with path.open("wb") as file:
        np.savez(file, **renewed(arrays | stated(told)))


def move(rng, net, domain, patterns, path, **claims):
    """Let a node cut by another unit, or its children change places."""
    save_tree(path, net, domain, patterns, **claims)
    arrays = dict(np.load(path))
    if rng.random() < 0.7:
        nodes = arrays["nodes_0"].copy()
        at = rng.choice(np.flatnonzero(nodes >= 0))
        nodes[at] = (nodes[at] + rng.integers(1, patterns.shape[1])) % patterns.shape[1]
        arrays["nodes_0"] = nodes
    else:
        pieces, arity = arrays["pieces_0"].copy(), arrays["arity_0"]
        node = int(rng.integers(arity.size))
        begin = int(arity[:node].sum())
        pieces[begin : begin + arity[node]] = pieces[begin : begin + arity[node]][::-1]
        arrays["pieces_0"] = pieces
    with path.open("wb") as file:
        np.savez(file, **renewed(arrays))


CHANGES = {"left out": leave_out, "doubled": double, "exchanged": exchange, "moved": move}


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES)
def test_changed_certificates_are_rejected(change, tmp_path):
    rng = np.random.default_rng(0)
    networks = changed_networks()
    assert all(len(patterns) > 2 for _, _, patterns in networks)
    n_rejected = 0
    while n_rejected < 1000:
        for net, domain, patterns in networks:
            CHANGES[change](rng, net, domain, patterns, tmp_path / "run.cert")
            report = check_tree(net, tmp_path / "run.cert")
            assert not report and report.problems, (change, n_rejected, net)
            n_rejected += 1


@pytest.mark.parametrize("family", FAMILIES)
def test_no_change_of_a_degenerate_network_proves_another_number(family, tmp_path):
    rng = np.random.default_rng(1)
    for seed in range(3):
        net, domain = FAMILIES[family](seed), domain_for(seed)
        patterns = plane_patterns(net, domain)
        if len(patterns) < 3:
            continue
        for change in CHANGES.values():
            change(rng, net, domain, patterns, tmp_path / "run.cert")
            report = check_tree(net, tmp_path / "run.cert")
            # a wall that is a multiple of another may stand in its place: that tree is true, too
            assert not report or (change is move and report.n_cells == len(patterns))


EDITS = {
    "nodes": lambda a: a | {"nodes_0": np.append(a["nodes_0"], np.int32(-1))},
    "leaf behind the end": lambda a: (
        a | {"nodes_0": np.insert(a["nodes_0"], 0, -1), "n_changed_0": np.insert(a["n_changed_0"], 0, 0)}
    ),
    "unit that there is not": lambda a: a | {"nodes_0": np.where(a["nodes_0"] < 0, -1, 99).astype(np.int32)},
    "piece that there is not": lambda a: a | {"pieces_0": a["pieces_0"] + np.int32(1)},
    "piece twice": lambda a: a | {"pieces_0": a["pieces_0"] * np.int32(0)},
    "only one piece": lambda a: a | {"arity_0": a["arity_0"] - np.int32(1)},
    "other pattern": lambda a: a | {"last": 1 - a["last"]},
    "pattern out of range": lambda a: a | {"last": a["last"] + np.int32(7)},
    "negative number of changes": lambda a: a | {"n_changed_0": -a["n_changed_0"]},
    "one array less": lambda a: {name: array for name, array in a.items() if name != "was_0"},
    "other type": lambda a: a | {"nodes_0": a["nodes_0"].astype(np.int64)},
}


@pytest.mark.parametrize("edit", EDITS)
def test_what_is_no_tree_gives_problems_and_no_exception(edit, tmp_path):
    net, path = random_net(2, 4, 3, 1), tmp_path / "run.cert"
    save_tree(path, net, UNIT, plane_patterns(net, UNIT))
    arrays = dict(np.load(path))
    with path.open("wb") as file:
        np.savez(file, **renewed(EDITS[edit](arrays)))
    report = check_tree(net, path)
    assert not report and len(report.problems) > 0 and "_" not in report.problems[0].replace("_0", "")


@pytest.mark.parametrize("name", ["n_cells", "n_nodes"])
def test_other_numbers_are_rejected(name, tmp_path):
    net, path = random_net(2, 4, 3, 1), tmp_path / "run.cert"
    save_tree(path, net, UNIT, plane_patterns(net, UNIT))
    arrays = dict(np.load(path))
    head = json.loads(bytes(arrays["head"]))
    head[name] += 1
    arrays["head"] = np.frombuffer(json.dumps(head).encode(), dtype=np.uint8)
    with path.open("wb") as file:
        np.savez(file, **renewed(arrays))
    assert not check_tree(net, path)


def test_a_smaller_domain_has_other_cells(tmp_path):
    net, path = random_net(2, 6, 5, 1), tmp_path / "run.cert"
    patterns = plane_patterns(net, UNIT)
    small = ra.Box(-0.3, 0.3, dim=2)
    assert len(plane_patterns(net, small)) < len(patterns)
    save_tree(path, net, small, patterns)
    report = check_tree(net, path)
    assert not report and "one piece on the whole cell" in report.problems[0] and report.n_cells < len(patterns)
