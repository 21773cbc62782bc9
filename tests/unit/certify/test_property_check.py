"""The check of a property's certificate accepts proofs, and nothing that was changed into another claim."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.certify.binary import without_max
from reluatlas.certify.property_bounds import Bounder
from reluatlas.certify.property_check import check_property_certificate
from reluatlas.certify.property_exact import exact_output
from reluatlas.certify.property_form import TWICE, PropertyCertificate, PropertyTree, load_property_certificate
from reluatlas.certify.statement import Case, Inequality, Property
from reluatlas.certify.tree_form import network_digest
from reluatlas.errors import DimensionError, ResultFileError
from reluatlas.testing import FAMILIES
from tests.convert import to_nodes
from tests.oracles import properties as oracle

ABS = [([[1.0], [-1.0]], [0.0, 0.0]), ([[1.0, 1.0]], [0.0])]


def at_most(bound, *, low=-1, high=1, sign=-1) -> Property:
    """Return the property that the one output of one input is below a bound; above it, with sign 1."""
    row = Inequality({}, {0: Fraction(sign)}, sign * Fraction(bound))
    return Property(1, 1, (Case((Fraction(low),), (Fraction(high),), (row,)),))


def tree_of(nodes, claims=None) -> PropertyTree:
    """Return a tree of rows (node, entry, value, low, high)."""
    node, entry, value, low, high = (np.array(column) for column in zip(*nodes, strict=True))
    whole = (v.astype(np.int32) for v in (node, entry, low, high))
    node, entry, low, high = whole
    return PropertyTree(node, entry, value.astype(np.float64), low, high, claims or {})


LEAF = (-1, 0, 0.0, -1, -1)


def certificate(net, prop, tree) -> PropertyCertificate:
    """Return a certificate of one tree."""
    return PropertyCertificate(network_digest(net), prop.digest(), (tree,))


@pytest.fixture
def proved():
    net, prop = ra.load(ABS), at_most(Fraction("1.0000000000000000000001"))
    proof = ra.check_property(net, prop).certificate
    assert proof is not None and proof.n_leaves > 1
    return net, prop, proof


def test_a_proof_is_accepted_also_from_its_file(proved, tmp_path):
    net, prop, proof = proved
    proof.save(tmp_path / "p.cert")
    again = load_property_certificate(tmp_path / "p.cert")
    report = check_property_certificate(net, prop, again)
    assert report and report.n_proved == report.n_leaves == proof.n_leaves and report.n_exact >= 1
    assert [t.claims for t in again.trees] == [t.claims for t in proof.trees]
    (tmp_path / "q.cert").write_bytes((tmp_path / "p.cert").read_bytes()[:-40])
    with pytest.raises(ResultFileError):
        load_property_certificate(tmp_path / "q.cert")


def test_it_is_about_this_network_and_this_property(proved):
    net, prop, proof = proved
    other = ra.load([([[1.0], [-1.0]], [0.0, 0.0]), ([[1.0, 1.5]], [0.0])])
    assert "another network" in check_property_certificate(other, prop, proof).problems[0]
    assert "another property" in check_property_certificate(net, at_most(1), proof).problems[0]
    with pytest.raises(DimensionError):
        check_property_certificate(ra.load([(np.ones((1, 2)), np.zeros(1))]), prop, proof)


@pytest.mark.parametrize("bound", ["1", "0.9999999999999999999"])
def test_no_tree_proves_what_is_violated(bound):
    net, prop = ra.load(ABS), at_most(Fraction(bound))
    halves = [(2, 0, 0.0, 1, 2), (2, 1, 0.0, 3, 4), (2, 1, 0.0, 5, 6), LEAF, LEAF, LEAF, LEAF]
    for weight in (Fraction(0), Fraction(1), Fraction(-1), Fraction(10**60)):
        for cut in (-1, -2):
            for case in (0, -1, TWICE):
                claims = {(leaf, case): ((0, Fraction(1)), (cut, weight))[(case < 0) :] for leaf in (3, 4, 5, 6)}
                report = check_property_certificate(net, prop, certificate(net, prop, tree_of(halves, claims)))
                assert not report and report.unproved, (weight, cut, case)
    edge = [(0, 0, 1e9, 1, 2), LEAF, LEAF]
    assert not check_property_certificate(net, prop, certificate(net, prop, tree_of(edge)))


def test_trees_that_are_none_have_problems_and_raise_nothing(proved):
    net, prop, proof = proved
    (tree,) = proof.trees
    inner = int(np.flatnonzero(tree.node != -1)[0])
    leaf = int(np.flatnonzero(tree.node == -1)[0])

    def changed(name, at, value):
        array = getattr(tree, name).copy()
        array[at] = value
        return replace(tree, **{name: array})

    broken = [
        changed("node", inner, 1), changed("node", inner, 99), changed("entry", inner, 7), changed("entry", inner, -1),
        changed("value", inner, np.nan), changed("low", inner, inner), changed("low", inner, 10**6),
        changed("high", inner, int(tree.low[inner])), replace(tree, value=tree.value[:-1]),
        replace(tree, claims={(inner, 0): ()}), replace(tree, claims={(leaf, 5): ()}), tree_of([LEAF]),
    ]  # fmt: skip
    for each in broken:
        report = check_property_certificate(net, prop, certificate(net, prop, each))
        assert not report and report.problems
    assert not check_property_certificate(net, prop, replace(proof, trees=()))
    wrong = certificate(net, at_most(1), replace(tree, claims=dict.fromkeys(tree.claims, ((-99, Fraction(1)),))))
    assert not check_property_certificate(net, at_most(1), wrong)


def test_values_moved_prove_nothing_wrong(proved):
    net, _, proof = proved
    (tree,) = proof.trees
    prop = at_most(1)  # which is violated at both ends
    for value in (-1.0, -1e-300, 0.0, 0.5, 1.0, 3.0):
        moved = replace(tree, value=np.full_like(tree.value, value))
        assert not check_property_certificate(net, prop, certificate(net, prop, moved))


@pytest.mark.parametrize("family", ["leaky_abs_clip", "max_identical", "residual", "sliver"])
def test_bounds_hold_at_points_and_windows_are_chains(family):
    for seed in range(4):
        net = FAMILIES[family](seed)
        plain, nodes = without_max(net), to_nodes(net)
        rng = np.random.default_rng(seed)
        low = rng.uniform(-1, 0.9, net.n_inputs)
        high = low + 0.2
        given = {
            t: (np.full((1, n), -np.inf), np.full((1, n), np.inf))
            for t, n in ((t, int(np.prod(plain.nodes[t].shape))) for t in plain.cuts)
        }
        bounder = Bounder(plain)
        boxes = bounder.look_at(low[None], high[None], given)
        rows = np.concatenate([np.eye(net.n_outputs), -np.eye(net.n_outputs)])
        zero = np.zeros(len(rows))
        least = bounder.least({plain.output: rows}, zero, zero, boxes)[0]
        for x in rng.uniform(low, high, (20, net.n_inputs)):
            point = [Fraction(float(v)) for v in x]
            y = oracle.value(nodes, net.output, point)
            assert exact_output(plain, point) == exact_output(net, point) == y
            assert all(v >= Fraction(float(b)) for v, b in zip([*y, *(-v for v in y)], least, strict=True))
            values = oracle_inputs(plain, point)
            for t, (least_z, most_z) in boxes.ranges.items():
                for z, a, b in zip(values[t], least_z[0], most_z[0], strict=True):
                    assert Fraction(float(a)) <= z <= Fraction(float(b))


def oracle_inputs(net, point):
    """Return what the units of each cut node read at a point, by the oracle."""
    nodes = to_nodes(net)
    return {t: oracle.value(nodes, net.nodes[t].input, point) for t in net.cuts}
