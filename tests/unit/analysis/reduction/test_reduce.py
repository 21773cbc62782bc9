from __future__ import annotations

from itertools import pairwise, permutations

import numpy as np
import pytest
from numpy.testing import assert_allclose

import reluatlas as ra
from reluatlas.analysis.maps.basis import map_bases
from reluatlas.analysis.maps.rows import MapRows
from reluatlas.analysis.reduction.clustering import nearest
from reluatlas.analysis.reduction.seeding import spread_points
from reluatlas.errors import ArgumentError, DimensionError, NonFiniteError


def mlp(sizes, seed):
    rng = np.random.default_rng(seed)
    return ra.load([(rng.normal(size=(m, n)) / np.sqrt(n), rng.normal(size=m)) for n, m in pairwise(sizes)])


def vectors(maps):
    return np.concatenate([maps.A.reshape(*maps.A.shape[:2], -1), maps.b[:, :, None]], axis=2).astype(float)


@pytest.fixture
def points():
    rng = np.random.default_rng(0)
    return rng.normal(size=(600, 6)), rng.normal(size=(150, 6))


@pytest.mark.parametrize("init", ["k-means++", "random"])
@pytest.mark.parametrize("sizes", [(6, 9, 3), (6, 8, 8, 3), (6, 10, 5, 1)])
def test_predictions_are_those_of_the_nearest_centers(sizes, init, points):
    net, (X, Z) = mlp(sizes, 1), points
    model = ra.reduce(net, X, 12, init=init, tolerance=0.05, jobs=1)
    maps = vectors(net.affine_at(Z, ties="torch"))
    ones = np.hstack([Z, np.ones((len(Z), 1))])
    scores, pieces = np.zeros((len(Z), sizes[-1])), np.zeros((len(Z), sizes[-1]), dtype=int)
    for c in range(sizes[-1]):
        centers = model.centers(c)
        assert centers.shape == (12, 7)
        pieces[:, c] = ((maps[:, c, None] - centers) ** 2).sum(axis=2).argmin(axis=1)
        scores[:, c] = (centers[pieces[:, c]] * ones).sum(axis=1)
    assert model.k == 12 and model.n_pieces == 12 * sizes[-1]
    assert np.array_equal(model.pieces(Z), pieces)
    assert_allclose(model.decision_function(Z), scores, atol=1e-5)
    expected = scores.argmax(axis=1) if sizes[-1] > 1 else (scores[:, 0] > 0).astype(int)
    assert np.array_equal(model.predict(Z), expected)
    assert np.array_equal(model.predict(Z, maps=net.affine_at(Z, ties="torch")), expected)
    assert all(basis.lost <= 0.05 for basis in model.bases)
    own = net(Z).argmax(axis=1) if sizes[-1] > 1 else (net(Z)[:, 0] > 0).astype(int)
    assert np.mean(expected == own) > 0.8


def test_factored_maps_and_maps_written_out_give_one_answer(points):
    from reluatlas.network.build import Builder

    X, Z = points
    rng = np.random.default_rng(0)
    for kind in ("relu", "abs", "clip"):
        b = Builder((6,))
        z = b.dense(0, rng.normal(size=(9, 6)), rng.normal(size=9))
        here = {"relu": b.relu, "abs": b.abs, "clip": lambda z: b.clip(z, -0.5, 1.0)}[kind](z)  # noqa: B023
        net = b.finish(b.dense(here, rng.normal(size=(3, 9)), rng.normal(size=3)))
        small = ra.reduce(net, X, 8, maps=net.factored_affine_at(X), jobs=1)
        whole = ra.reduce(net, X, 8, maps=net.affine_at(X), tolerance=0.0, jobs=1)
        for c in range(3):
            assert small.bases[c].lost == whole.bases[c].lost == 0.0
            assert small.bases[c].axes.shape == whole.bases[c].axes.shape
            one, two = MapRows(net.factored_affine_at(Z)), MapRows(net.affine_at(Z))
            i, j = (basis.coordinates(rows, slice(None), c) for basis, rows in
                    ((small.bases[c], one), (whole.bases[c], two)))  # fmt: skip
            gaps = [np.linalg.norm(k[:75] - k[75:], axis=1) for k in (i, j)]
            written = vectors(net.affine_at(Z))[:, c]
            assert_allclose(gaps[0], np.linalg.norm(written[:75] - written[75:], axis=1), rtol=1e-8, atol=1e-12)
            assert_allclose(gaps[1], gaps[0], rtol=1e-8, atol=1e-12)
            assert_allclose(small.centers(c), whole.centers(c), atol=1e-3)
        assert np.mean(small.predict(Z) == whole.predict(Z)) > 0.98


def test_many_k_processes_and_files_change_nothing(points, tmp_path, monkeypatch):
    monkeypatch.setattr("reluatlas.analysis.reduction.clustering._WORTH_A_PROCESS", 0)
    net, (X, Z) = mlp((6, 8, 8, 3), 1), points
    seen = []
    both = ra.reduce(net, X, [5, 1, 40], seed=3, jobs=2, progress=lambda *a: seen.append(a))
    assert [model.k for model in both] == [5, 1, 40] and ("centers", 9, 9) in seen
    maps = net.affine_at(X, ties="torch", dtype=np.float32, out=tmp_path / "maps.npy")
    for model, k in zip(both, (5, 1, 40), strict=True):
        alone = ra.reduce(net, X, k, seed=3, jobs=1, maps=maps)
        assert all(np.array_equal(a, b) for a, b in zip(alone.coordinates, model.coordinates, strict=True))
        assert np.array_equal(alone.decision_function(Z), model.decision_function(Z))
    assert "k=5" in repr(both[0])


def test_one_center_is_the_mean_and_enough_centers_are_the_network(points):
    net, (X, Z) = mlp((6, 9, 3), 1), points
    one = ra.reduce(net, X, 1)
    for c in range(3):
        assert_allclose(one.centers(c)[0], vectors(net.affine_at(X))[:, c].mean(axis=0), atol=1e-6)
    two_units = mlp((6, 2, 3), 4)  # four maps at most
    model = ra.reduce(two_units, X, 4, jobs=1)
    assert_allclose(model.decision_function(Z), two_units(Z), atol=1e-4)


def test_flat_and_constant_networks():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 4))
    for net in (ra.load([(rng.normal(size=(3, 4)), rng.normal(size=3))]), ra.load([(np.zeros((2, 4)), np.zeros(2))])):
        for k in (1, 5, 30):
            model = ra.reduce(net, X, k, jobs=1)
            assert_allclose(model.decision_function(X), net(X), atol=1e-6)
            assert not model.pieces(X).any() and model.bases[0].axes.shape[0] == 0 and model.bases[0].lost == 0
    net = mlp((4, 6, 3), 1)
    for k in (29, 30):
        model = ra.reduce(net, X, k, jobs=1)
        assert np.mean(model.predict(X) == net(X).argmax(axis=1)) > 0.8
    single = ra.reduce(net, X[:1], 1)
    assert_allclose(single.decision_function(X[:1]), net(X[:1]), atol=1e-6)
    assert single.predict(X[:0]).shape == (0,) and single.pieces(X[:0]).shape == (0, 3)


def test_axes_lose_what_they_say(points):
    net, (X, _) = mlp((6, 20, 20, 2), 1), points
    rows, V = MapRows(net.affine_at(X)), vectors(net.affine_at(X))
    for tolerance in (0.0, 0.01, 0.2, 0.7):
        for c, basis in enumerate(map_bases(rows, tolerance)):
            assert_allclose(basis.axes @ basis.axes.T, np.eye(len(basis.axes)), atol=1e-12)
            around = V[:, c] - V[:, c].mean(axis=0)
            made = basis.vectors(basis.coordinates(rows, slice(None), c)) - V[:, c].mean(axis=0)
            assert_allclose(((around - made) ** 2).sum() / (around**2).sum(), basis.lost, atol=1e-10)
            values = np.linalg.svd(around, compute_uv=False) ** 2
            fewer = values[max(len(basis.axes) - 1, 0) :].sum() / values.sum()
            assert basis.lost <= tolerance and (fewer > tolerance or len(basis.axes) == 0)


def test_starts_follow_the_law_of_one_draw_at_a_time():
    Y = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 3.0], [2.0, 2.0], [-1.0, 0.5]])
    D = ((Y[:, None] - Y) ** 2).sum(axis=2)
    law = {}
    for i, j, k in permutations(range(5), 3):
        near = np.minimum(D[i], D[j])
        law[i, j, k] = 0.2 * D[i, j] / D[i].sum() * near[k] / near.sum()
    assert sum(law.values()) == pytest.approx(1)
    for batch in (None, 1, 4, 9):
        rng = np.random.default_rng(0)
        n = 2500
        drawn = [tuple(int(i) for i in spread_points(Y, 3, rng, batch=batch)) for _ in range(n)]
        counts = np.array([drawn.count(key) for key in law])
        expected = n * np.array(list(law.values()))
        assert ((counts - expected) ** 2 / expected).sum() < 98.3  # 59 degrees of freedom: 0.1 %


def test_starts_are_different_even_of_equal_points():
    rng = np.random.default_rng(0)
    for points in (np.zeros((20, 3)), np.repeat(rng.normal(size=(4, 3)), 5, axis=0), np.zeros((20, 0))):
        for k in (1, 4, 7, 20):
            for batch in (None, 16):
                assert len(set(spread_points(points, k, rng, batch=batch).tolist())) == k
    four = np.repeat(rng.normal(size=(4, 3)), 5, axis=0)
    assert len(np.unique(four[spread_points(four, 4, rng, batch=16)], axis=0)) == 4


def test_nearest_is_the_first_of_the_nearest():
    rng = np.random.default_rng(0)
    P, C = rng.integers(-2, 3, (500, 3)).astype(float), rng.integers(-2, 3, (40, 3)).astype(float)
    squares = ((P[:, None] - C) ** 2).sum(axis=2)
    index, distance = nearest(P, C)
    assert np.array_equal(index, squares.argmin(axis=1)) and np.array_equal(distance, squares.min(axis=1))


def test_permuted_hidden_units_change_nothing(points):
    X, Z = points
    rng = np.random.default_rng(5)
    W, a, V, d = rng.normal(size=(9, 6)), rng.normal(size=9), rng.normal(size=(3, 9)), rng.normal(size=3)
    order, scale = rng.permutation(9), 2.0 ** rng.integers(-3, 4, 9)
    f = ra.load([(W, a), (V, d)])
    h = ra.load([((W * scale[:, None])[order], (a * scale)[order]), ((V / scale)[:, order], d)])
    one, two = (ra.reduce(net, X, 6, jobs=1) for net in (f, h))
    assert_allclose(one.decision_function(Z), two.decision_function(Z), atol=1e-3)


def test_what_is_refused(points):
    net, (X, Z) = mlp((6, 9, 3), 1), points
    with pytest.raises(ArgumentError, match=r"`k=601` is more than the 600 maps"):
        ra.reduce(net, X, [1, 601])
    for k in (0, -1, True, 2.5, "3", [], [0]):
        with pytest.raises(ArgumentError, match="k"):
            ra.reduce(net, X, k)
    with pytest.raises(ArgumentError, match="method"):
        ra.reduce(net, X, 3, "pca")
    with pytest.raises(ArgumentError, match="init"):
        ra.reduce(net, X, 3, init="best")
    with pytest.raises(ArgumentError, match="tolerance"):
        ra.reduce(net, X, 3, tolerance=1.0)
    with pytest.raises(ArgumentError, match="jobs"):
        ra.reduce(net, X, 3, jobs=0)
    with pytest.raises(ArgumentError, match="maps"):
        ra.reduce(net, X, 3, maps=np.zeros((600, 3, 7)))
    with pytest.raises(DimensionError, match="all outputs"):
        ra.reduce(net, X, 3, maps=net.affine_at(X, [0, 1]))
    with pytest.raises(DimensionError, match="one per map"):
        ra.reduce(net, X, 3, maps=net.affine_at(Z))
    model = ra.reduce(net, X, 3)
    with pytest.raises(DimensionError):
        model.predict(X[:, :5])
    with pytest.raises(NonFiniteError):
        model.predict(np.full((2, 6), np.nan))
    with pytest.raises(DimensionError):
        model.predict(X, maps=net.affine_at(Z))
