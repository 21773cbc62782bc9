"""Equal here: the certificate holds where oracles find the cells and zero, and none of a thousand changed ones does."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.certify import check_equal, check_tree, save_tree
from reluatlas.certify.tree_pair import difference_of
from reluatlas.errors import ArgumentError, DimensionError, ResultFileError
from reluatlas.testing import FAMILIES, domain_for
from tests.unit.certify.test_tree import CHANGES, UNIT, plane_patterns, random_net


def layers_of(*sizes, seed=0):
    rng = np.random.default_rng(seed)
    return [(rng.normal(size=(m, n)), rng.normal(size=m) / 2) for n, m in pairwise(sizes)]


def written_otherwise(layers, seed=0):
    """Return the same function: units in another order, each multiplied by a power of two."""
    rng, out, before = np.random.default_rng(seed), [], (slice(None), 1.0)
    for i, (weight, bias) in enumerate(layers):
        order, scale = before
        weight = weight[:, order] / scale
        if i < len(layers) - 1:
            before = order, scale = rng.permutation(len(bias)), np.ldexp(1.0, rng.integers(-3, 4, len(bias)))
            weight, bias = weight[order] * scale[:, None], bias[order] * scale
        out.append((weight, bias))
    return out


def with_a_unit(layers, wall):
    """Return a network with one more unit in its first layer, relu(x - wall)."""
    (first, c), (second, d), *rest = layers
    unit = np.zeros((1, first.shape[1]))
    unit[0, 0] = 1.0
    more = np.ones((len(second), 1))
    return ra.load([
        (np.concatenate([first, unit]), np.append(c, -wall)), (np.concatenate([second, more], axis=1), d), *rest
    ])  # fmt: skip


@pytest.mark.parametrize(("sizes", "seed"), [((2, 5, 1), 0), ((2, 6, 4, 2), 1), ((2, 4, 4, 3), 2)])
def test_the_same_function_written_otherwise_is_proved_equal(sizes, seed, tmp_path):
    layers = layers_of(*sizes, seed=seed)
    f, g = ra.load(layers), ra.load(written_otherwise(layers, seed))
    answer = ra.compare(f, g, UNIT, certificate=tmp_path / "equal.cert")
    assert answer.is_equal is True and answer.lower == answer.upper == 0.0
    assert answer.certificate == tmp_path / "equal.cert"
    report = check_equal(f, g, tmp_path / "equal.cert")
    assert report.is_ok, report.problems
    assert report.claims == ["zero"] and report.n_settled > 0
    # all cells of g are those of f
    assert report.n_cells == answer.n_cells == len(plane_patterns(f, UNIT))


def test_on_boxes_of_three_dimensions_and_planes(tmp_path):
    layers = layers_of(3, 5, 4, 2, seed=3)
    f, g = ra.load(layers), ra.load(written_otherwise(layers))
    plane = ra.Slice.through(np.random.default_rng(0).normal(size=(3, 3)))
    for where in (ra.Box(-1, 1, dim=3), plane):
        assert ra.compare(f, g, where, certificate=tmp_path / "equal.cert").certificate is not None
        assert check_equal(f, g, tmp_path / "equal.cert").is_ok


def test_a_network_and_itself_and_decisions_that_cut(tmp_path):
    f = random_net(2, 6, 5, 3, seed=4)
    answer = ra.compare(f, f, UNIT, certificate=tmp_path / "equal.cert")
    assert answer.n_pieces > answer.n_cells  # classes cut the refinement, and not the proof
    report = check_equal(f, f, tmp_path / "equal.cert")
    assert report.is_ok and report.n_cells == answer.n_cells == len(plane_patterns(f, UNIT))
    without = ra.compare(f, f, UNIT, classes=False, means=False, certificate=tmp_path / "equal.cert")
    assert without.certificate is not None and check_equal(f, f, tmp_path / "equal.cert").is_ok


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_is_proved_equal_to_itself(family, tmp_path):
    net, domain = FAMILIES[family](1), domain_for(1)
    assert ra.compare(net, net, domain, means=False, certificate=tmp_path / "equal.cert").is_equal
    assert check_equal(net, net, tmp_path / "equal.cert").n_cells == len(plane_patterns(net, domain))
    assert check_tree(ra.difference(net, net), tmp_path / "equal.cert").is_ok


def test_networks_that_differ_only_where_the_domain_is_not(tmp_path):
    layers = layers_of(2, 5, 3, 1, seed=5)
    f, g = ra.load(layers), with_a_unit(layers, 2.0)
    answer = ra.compare(f, g, UNIT, certificate=tmp_path / "equal.cert")
    assert answer.is_equal and check_equal(f, g, tmp_path / "equal.cert").is_ok
    beyond = ra.compare(f, g, ra.Box(-3, 3, dim=2), certificate=tmp_path / "beyond.cert")
    assert beyond.is_equal is False and beyond.certificate is None and not (tmp_path / "beyond.cert").exists()
    # the proof for the one box, said to be of the other
    save_tree(tmp_path / "beyond.cert", ra.difference(f, g), ra.Box(-3, 3, dim=2),
              plane_patterns(ra.difference(f, g), ra.Box(-3, 3, dim=2)), claims=["zero"])  # fmt: skip
    assert "the outputs are not 0 on a cell." in check_equal(f, g, tmp_path / "beyond.cert").problems


def test_a_negative_zero_is_a_zero(tmp_path):
    layers = layers_of(2, 4, 3, 1, seed=6)
    layers[1][0][0, 0] = 0.0
    pruned = [(w.copy(), b) for w, b in layers]
    pruned[1][0][0, 0] = -0.0
    f, g = ra.load(layers), ra.load(pruned)
    assert ra.compare(f, g, UNIT, certificate=tmp_path / "equal.cert").is_equal
    assert check_equal(f, g, tmp_path / "equal.cert").is_ok


def test_the_difference_joined_again_is_that_of_the_search():
    for family in FAMILIES:
        f, g = FAMILIES[family](0), FAMILIES[family](1)
        if f.n_inputs == g.n_inputs and f.n_outputs == g.n_outputs:
            again, theirs = difference_of(f, g), ra.difference(f, g)
            assert len(again.nodes) == len(theirs.nodes) and again.output == theirs.output
            X = np.random.default_rng(0).normal(size=(20, f.n_inputs))
            np.testing.assert_array_equal(ra.Network(again.nodes, again.output, classes=None)(X), theirs(X))


# --- what is refused


def test_an_unfinished_comparison_has_no_certificate(tmp_path):
    f = random_net(2, 30, 30, 2)
    answer = ra.compare(f, f, UNIT, max_cells=10, jobs=1, method="cells", certificate=tmp_path / "equal.cert")
    assert not answer.is_complete and answer.certificate is None and list(tmp_path.iterdir()) == []


def test_certificates_of_other_things_are_refused(tmp_path):
    path = tmp_path / "equal.cert"
    f, g = ra.load(layers_of(2, 3, 1)), ra.load(written_otherwise(layers_of(2, 3, 1)))
    ra.compare(f, g, UNIT, certificate=path)
    with pytest.raises(ResultFileError, match="another network"):
        check_equal(g, f, path)
    with pytest.raises(DimensionError, match="units"):
        check_equal(f, f, path)
    with pytest.raises(DimensionError, match="1 outputs"):
        check_equal(f, random_net(2, 3, 2), path)
    ra.count_cells(ra.difference(f, g), UNIT, certificate=path)
    report = check_equal(f, g, path)
    assert not report and "does not claim that the outputs are 0" in report.problems[0]


def test_bad_input(tmp_path):
    f, path = random_net(2, 3, 1), tmp_path / "equal.cert"
    with pytest.raises(ArgumentError, match="all of a `Box`"):
        ra.compare(f, f, X=np.zeros((3, 2)), certificate=path)  # type: ignore[call-overload]
    with pytest.raises(ArgumentError, match="Leave one out"):
        ra.compare(f, f, UNIT, method="boxes", certificate=path)
    with pytest.raises(ResultFileError, match="cannot be written"):
        ra.compare(f, f, UNIT, certificate=tmp_path / "none" / "equal.cert")


def pairs():
    """Return networks that are equal on the square, and not beyond."""
    sizes = (2, 3, 2, 1), (2, 4, 2, 2), (2, 2, 3, 1)
    return [(ra.load(layers), with_a_unit(layers, 1.5)) for layers in [layers_of(*size) for size in sizes]]


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES)
def test_changed_certificates_are_rejected(change, tmp_path):
    rng, path, n_rejected = np.random.default_rng(0), tmp_path / "equal.cert", 0
    nets = [(f, g, ra.difference(f, g)) for f, g in pairs()]
    cells = [plane_patterns(d, UNIT) for _, _, d in nets]
    while n_rejected < 1000:
        for (f, g, d), patterns in zip(nets, cells, strict=True):
            CHANGES[change](rng, d, UNIT, patterns, path, claims=["zero"])
            report = check_equal(f, g, path)
            # a wall of g that is one of f, too, may stand in its place: that tree is true, and proves the same
            assert not report or (change == "moved" and report.n_cells == len(patterns))
            n_rejected += not report


@pytest.mark.slow
def test_no_certificate_proves_networks_equal_that_differ_by_one_rounding(tmp_path):
    rng, path = np.random.default_rng(0), tmp_path / "equal.cert"
    layers = layers_of(2, 3, 2, 1, seed=7)
    f = ra.load(layers)
    n_rejected = 0
    for _ in range(250):
        other = [(w.copy(), b.copy()) for w, b in layers]
        place = other[int(rng.integers(3))][int(rng.integers(2))]
        at = tuple(rng.integers(place.shape))
        place[at] = np.nextafter(place[at], np.inf)
        g = ra.load(other)
        d = ra.difference(f, g)
        patterns = plane_patterns(d, UNIT)
        save_tree(path, d, UNIT, patterns, claims=["zero"])
        report = check_equal(f, g, path)
        values = np.abs(np.array([f(x) - g(x) for x in rng.uniform(-1, 1, (50, 2))]))
        assert report.is_ok is False or not values.any()
        n_rejected += not report
    assert n_rejected > 150
