"""Joined cells: errors against exact ones, numbers of pieces against all partitions of a few cells."""

from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.errors import ArgumentError, DomainError
from reluatlas.testing import FAMILIES, domain_for
from tests.oracles.chebyshev import least_error
from tests.unit.analysis.joining.small import SHAPES, TINY, exact_cells, network, partitions, true_errors

SEEDS = range(2)


def complex_of(shape, seed, **options):
    net, box = network(shape, seed, **options), ra.Box(-1, 1, dim=shape[0])
    return net, box, ra.enumerate_cells(net, box)


def test_the_oracle_knows_closed_forms():
    def at(*pairs):
        return least_error([tuple(map(Fraction, p)) for p, _ in pairs], [Fraction(v) for _, v in pairs])

    assert at(((-1,), 1), ((0,), 0), ((1,), 1)) == Fraction(1, 2)  # |x| on [-1, 1]
    assert at(((0, 0), 0), ((1, 0), 0), ((0, 1), 0), ((1, 1), 1)) == Fraction(1, 4)  # x y at the corners
    assert at(((0,), 5), ((1,), 7)) == 0
    assert at(((0, 0), 0), ((1, 1), 1), ((2, 2), 0), ((0, 1), 9)) == Fraction(1, 2)  # three points in a line


@pytest.mark.parametrize("quarters", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_errors_are_those_of_exact_vertices(shape, quarters):
    for seed in SEEDS:
        net, box, cx = complex_of(shape, seed, quarters=quarters)
        corners, _ = exact_cells(net, box)
        assert set(corners) == {tuple(p) for p in cx.patterns.tolist()}
        n, size = cx.n_linear_regions, max(abs(v) for c in corners.values() for vs in c.values() for v in vs)
        answers = [ra.join_cells(cx, n_pieces=p) for p in {1, (n + 1) // 2, n}]
        answers += [ra.join_cells(cx, 0.1), ra.join_cells(cx, 0)]
        answers += [ra.join_cells(cx, n_pieces=min(2, cx.n_affine_maps), method="kmeans")]
        for answer in answers:
            for piece, exact in enumerate(true_errors(answer, corners)):
                assert Fraction(answer.attained[piece]) <= exact <= Fraction(answer.errors[piece]), (seed, answer)
                assert answer.errors[piece] - answer.attained[piece] <= 1e-12 * max(1, size)


@pytest.mark.parametrize("shape", TINY)
def test_pieces_are_as_good_as_can_be_and_as_few_as_all_partitions_allow(shape):
    n_checked, n_best = 0, 0
    for seed in range(3 if shape[0] < 3 else 1):
        net, box, cx = complex_of(shape, seed)
        if cx.n_cells > 6 or cx.n_cells != cx.n_linear_regions:
            continue
        ways = partitions(net, box)
        best, order = ways.fewest(), {p: i for i, p in enumerate(exact_cells(net, box)[0])}
        place = [order[tuple(p)] for p in cx.patterns.tolist()]
        for n in range(1, cx.n_cells + 1):
            answer = ra.join_cells(cx, n_pieces=n)
            assert answer.n_pieces == n and answer.is_connected
            assert answer.error >= best[n], "better than the best of all partitions"
            for piece in range(n):
                part = frozenset(place[c] for c in np.flatnonzero(answer.labels == piece).tolist())
                assert ways.is_connected(part)
                assert ways.error(part) <= answer.errors[piece] <= float(ways.error(part)) + 1e-8
            n_checked += 1
            n_best += answer.error <= float(best[n]) + 1e-8
        for tolerance in (0.02, 0.1, 0.3, 1.0):
            answer = ra.join_cells(cx, tolerance)
            fewest = min(n for n, error in best.items() if error <= tolerance)
            assert answer.error <= tolerance and fewest <= answer.n_pieces <= fewest + 1
            assert 1 <= answer.lower_bound(tolerance).n_pieces <= fewest
    assert n_checked >= 2 and n_best >= 0.8 * n_checked


def test_with_no_tolerance_pieces_are_the_linear_regions():
    for name in ("generic", "duplicate", "ternary", "pruned", "max_identical"):
        cx = ra.enumerate_cells(FAMILIES[name](2), domain_for(2))
        answer = ra.join_cells(cx, 0)
        assert np.array_equal(answer.labels, cx.linear_regions)
        assert answer.error <= 1e-11 * max(1.0, np.abs(cx.affine.b).max())


def test_no_random_point_exceeds_the_error_and_the_worst_vertex_attains_it():
    cx = ra.enumerate_cells(network((2, 6, 4, 2), 1), ra.Box(-1, 1, dim=2))
    answer = ra.join_cells(cx, 0.05 * ra.join_cells(cx, 0).output_range)
    X = np.random.default_rng(0).uniform(-1, 1, (20_000, 2))
    gap = np.abs(answer(X) - cx.network(X)).max(axis=1)
    assert (gap <= answer.errors[answer.pieces_of(X)] + 1e-12).all()
    piece = int(answer.attained.argmax())
    at = answer.worst_points[piece]
    there = answer.affine.A[piece] @ at + answer.affine.b[piece] - cx.network(at)
    assert abs(np.abs(there).max() - answer.error) <= 1e-11 and answer.error > 0
    assert np.argmax(np.abs(there)) == answer.worst_outputs[piece]


def test_on_a_slice_inputs_and_coordinates_are_taken():
    net = network((3, 5, 2), 0)
    plane = ra.Slice([0.1, 0.2, 0.3], [[1.0, 0.5, 0.0], [0.0, 0.25, 1.0]], box=ra.Box(-1, 1, dim=2))
    answer = ra.join_cells(ra.enumerate_cells(net, plane), n_pieces=3)
    U = np.random.default_rng(0).uniform(-0.99, 0.99, (50, 2))
    assert np.allclose(answer(U), answer(plane.embed(U)))
    assert np.abs(answer(U) - net(plane.embed(U))).max() <= answer.error
    assert answer.lower_bound().n_pieces <= 3


def test_the_curve_goes_from_linear_regions_to_one_piece():
    cx = ra.enumerate_cells(network((2, 5, 4, 1), 3), ra.Box(-1, 1, dim=2))
    answer = ra.join_cells(cx, n_pieces=4)
    curve = answer.curve()
    assert curve.n_pieces.tolist() == list(range(cx.n_linear_regions, 0, -1))
    assert (np.diff(curve.errors) >= 0).all() and answer.curve() is curve
    assert curve.errors[-4] == answer.error and curve.pieces_within(answer.error) <= 4
    assert ra.join_cells(cx, answer.error).n_pieces <= 4
    with pytest.raises(ArgumentError, match="below"):
        curve.pieces_within(-1.0)


def test_by_kmeans_clusters_need_not_hang_together():
    line = ra.load([([[1.0], [1.0]], [1.0, -1.0]), ([[-1.0, 1.0]], [0.0])])  # 0, then -x - 1, then -2: slopes 0, -1, 0
    zigzag = ra.load([([[1.0]] * 3, [1.0, 0.0, -1.0]), ([[1.0, -2.0, 2.0]], [0.0])])  # 0, x + 1, 1 - x, x - 1
    cx = ra.enumerate_cells(zigzag, ra.Box(-2, 2, dim=1))
    answer = ra.join_cells(cx, n_pieces=2, method="kmeans")
    assert answer.n_pieces == 2 and answer.n_connected >= 3 and not answer.is_connected
    assert answer.error >= ra.join_cells(cx, n_pieces=answer.n_connected).error
    whole = ra.join_cells(ra.enumerate_cells(line, ra.Box(-2, 2, dim=1)), n_pieces=1, method="kmeans")
    # slopes 0, -1, 0 on lengths 1, 2, 1: their mean is -1/2; constants 0, -1, -2 have the mean -1
    assert np.allclose([whole.affine.A.item(), whole.affine.b.item()], [-0.5, -1.0])


def test_a_limit_leaves_what_was_joined_by_then():
    cx = ra.enumerate_cells(network((2, 8, 8, 2), 1), ra.Box(-1, 1, dim=2))
    answer = ra.join_cells(cx, n_pieces=1, max_seconds=1e-6)
    assert answer.stopped_by == "max_seconds" and 1 < answer.n_pieces <= cx.n_linear_regions
    assert "stopped" in repr(answer)


def test_words_numbers_and_what_is_told():
    cx = ra.enumerate_cells(network((2, 4, 1), 0), ra.Box(-1, 1, dim=2))
    told = []
    answer = ra.join_cells(cx, n_pieces=2, progress=lambda what, done, share: told.append((what, done, share)))
    assert told[-1] == ("joins", cx.n_linear_regions - 2, 1.0)
    assert repr(answer).startswith(f"JoinedCells(2 pieces of {cx.n_linear_regions} linear regions, off the network by ")
    stored = json.loads(json.dumps(answer.to_dict()))
    assert stored["n_pieces"] == len(stored["pieces"]) == 2 and stored["error"] == answer.error
    assert sum(p["n_cells"] for p in stored["pieces"]) == cx.n_cells
    assert sum(p["volume"] for p in stored["pieces"]) == pytest.approx(4.0)
    assert "2 pieces" in answer._repr_html_() and len(answer) == 2
    again = ra.join_cells(cx, n_pieces=2)
    assert np.array_equal(again.labels, answer.labels) and np.array_equal(again.affine.A, answer.affine.A)


def test_a_complex_that_is_not_certain_makes_no_certain_answer():
    cx = ra.enumerate_cells(network((2, 4, 1), 0), ra.Box(-1, 1, dim=2), certain=False)
    answer = ra.join_cells(cx, n_pieces=2)
    assert answer.exactness.status == "float64" and "not certain" in repr(answer)


def test_a_constant_network_is_one_piece():
    cx = ra.enumerate_cells(ra.load([(np.zeros((3, 2)), np.zeros(3)), (np.zeros((1, 3)), [1.0])]), ra.Box(0, 1, dim=2))
    answer = ra.join_cells(cx, 0.5)
    assert answer.n_pieces == 1 and answer.error <= 1e-15 and answer.lower_bound().n_pieces == 1


def test_bad_input_says_what_to_do():
    net, box = network((2, 4, 1), 0), ra.Box(-1, 1, dim=2)
    cx = ra.enumerate_cells(net, box)
    for tolerance in (-0.1, float("nan"), float("inf"), True, "small"):
        with pytest.raises(ArgumentError, match="tolerance"):
            ra.join_cells(cx, tolerance)
    for options in ({}, {"tolerance": 0.1, "n_pieces": 3}):
        with pytest.raises(ArgumentError, match="given"):
            ra.join_cells(cx, **options)
    for n in (0, 2.5, True, cx.n_linear_regions + 1):
        with pytest.raises(ArgumentError, match="n_pieces"):
            ra.join_cells(cx, n_pieces=n)
    with pytest.raises(ArgumentError, match="rounding"):
        ra.join_cells(cx, 1e-305)
    with pytest.raises(ArgumentError, match="n_pieces="):
        ra.join_cells(cx, 0.1, method="kmeans")
    with pytest.raises(ArgumentError, match="unknown"):
        ra.join_cells(cx, 0.1, method="ward")
    with pytest.raises(ArgumentError, match="incomplete"):
        ra.join_cells(ra.enumerate_cells(net, box, max_cells=2), 0.1)
    with pytest.raises(ArgumentError, match="PolyhedralComplex"):
        ra.join_cells(net, 0.1)
    with pytest.raises(DomainError, match="Box"):
        ra.join_cells(ra.enumerate_cells(net, ra.Space(2)), 0.1)
