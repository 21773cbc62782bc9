from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.errors import ArgumentError, DimensionError
from reluatlas.network.build import Builder
from reluatlas.network.patterns import decide
from reluatlas.network.patterns.certain import Walk
from reluatlas.network.patterns.filter_one_layer import Glance


def network(kind: str = "relu"):
    rng = np.random.default_rng(0)
    b = Builder((1, 5, 6))
    z = b.dense(0, rng.normal(size=(16, 30)), rng.normal(size=16))
    made = {"relu": b.relu, "abs": b.abs, "clip": lambda z: b.clip(z, -1.0, 2.0)}[kind](z)
    return b.finish(b.dense(made, rng.normal(size=(4, 16)), rng.normal(size=4)))


@pytest.fixture
def X():
    return np.random.default_rng(1).normal(size=(50, 1, 5, 6))


@pytest.mark.parametrize("kind", ["relu", "abs", "clip"])
def test_equal_to_the_maps_written_out(kind, X):
    net = network(kind)
    maps, factored = net.affine_at(X), net.factored_affine_at(X)
    assert len(factored) == 50 and factored.first.shape == (16, 31) and factored.last.shape == (4, 17)
    assert np.allclose(factored.A, maps.A, atol=1e-13) and np.allclose(factored.b, maps.b, atol=1e-13)
    assert np.allclose(factored(X), net(X), atol=1e-12)
    assert np.allclose(factored.products(X), net(X) - maps.b, atol=1e-12)
    some = factored.rows([3, 7])
    assert np.allclose(some.A, maps.A[[3, 7]], atol=1e-13) and np.allclose(some.b, maps.b[[3, 7]], atol=1e-13)
    assert factored.rows(5).A.shape == (1, 4, 1, 5, 6)


@pytest.mark.parametrize("kind", ["relu", "abs", "clip"])
def test_distances_are_those_of_the_vectors(kind, X):
    net = network(kind)
    maps, factored = net.affine_at(X, [2, 1]), net.factored_affine_at(X, [2, 1])
    vectors = np.concatenate([maps.A.reshape(50, 2, -1), maps.b[:, :, None]], axis=2)
    i, j = np.arange(25), np.arange(25, 50)
    for output in (0, 1):
        expected = np.linalg.norm(vectors[i, output] - vectors[j, output], axis=1)
        assert expected.min() > 0 and np.allclose(factored.distances(i, j, output), expected, rtol=1e-10)
    assert factored.distances(3, 3).tolist() == [0.0]


def test_what_is_refused(X):
    net = network()
    rng = np.random.default_rng(0)
    two = ra.load(
        [(rng.normal(size=(4, 3)), np.zeros(4)), (rng.normal(size=(4, 4)), np.zeros(4)), (np.ones((1, 4)), np.zeros(1))]
    )
    with pytest.raises(ArgumentError, match="one hidden layer"):
        two.factored_affine_at(np.zeros((2, 3)))
    with pytest.raises(ArgumentError, match="one hidden layer"):
        ra.load([(np.ones((1, 3)), np.zeros(1))]).factored_affine_at(np.zeros((2, 3)))
    factored = net.factored_affine_at(X)
    with pytest.raises(DimensionError, match="one point per map"):
        factored(X[:3])
    with pytest.raises(ArgumentError, match="output=4"):
        factored.distances(0, 1, 4)
    with pytest.raises(ArgumentError, match="output 4"):
        net.factored_affine_at(X, 4)


def test_a_glance_never_decides_wrongly(monkeypatch):
    # units within a few roundings of zero, at points of which float32 knows little
    rng = np.random.default_rng(0)
    weight, bias = rng.normal(size=(24, 200)), rng.normal(size=24)
    X = rng.normal(size=(600, 200)) * 10.0 ** rng.integers(-3, 4, (600, 1))
    unit = rng.integers(0, 24, 600)
    for step in (1e-3, 1e-6, 1e-9, 0.0):
        for k, (x, i) in enumerate(zip(X, unit, strict=True)):
            x[0] = -(weight[i, 1:] @ x[1:] + bias[i]) / weight[i, 0] + step * (-1) ** k
        net = ra.load([(weight, bias), (np.ones((1, 24)), np.zeros(1))])
        piece, doubt = Glance(net).run(X)
        exact = Walk(net, X).choice[net.cuts[0]]
        assert np.array_equal(piece[~doubt], exact[~doubt])
        assert doubt.all() or step > 0
        few = X.copy()
        few[np.arange(600) % 10 > 0] += 0.1  # one point in ten stays near: its unit is computed again in float64
        piece, doubt = Glance(net).run(few)
        assert np.array_equal(piece[~doubt], Walk(net, few).choice[net.cuts[0]][~doubt])
        assert doubt.sum() >= 60 if step == 0 else doubt.sum() < 30 if step == 1e-3 else True
        monkeypatch.setattr(decide, "_WORTH", 0)
        assert np.array_equal(net.patterns(X), exact)
    far = Glance(net).run(rng.normal(size=(50, 200)) * 1e5)[1]
    assert not far.all()
    with np.errstate(all="ignore"):
        assert Glance(net).run(np.full((3, 200), 1e38))[1].all()


@pytest.mark.parametrize(("large", "small"), [(1e9, 1e-22), (1e-18, 1e-9), (1e3, 1e-25), (1e9, 1e-24), (1e-30, 1e-30)])
def test_a_glance_is_right_where_float32_underflows(large, small):
    # squares of these points are flushed to zero in float32, and products may be
    rng = np.random.default_rng(0)
    weight, X = large * rng.normal(size=(24, 60)), small * rng.normal(size=(300, 60))
    unit = rng.integers(0, 24, 300)
    for step in (1e-3, 1e-6, 1e-8, 0.0):
        for k, (x, i) in enumerate(zip(X, unit, strict=True)):
            x[0] = -(weight[i, 1:] @ x[1:]) / weight[i, 0] * (1 + step * (-1) ** k)
        net = ra.load([(weight, np.zeros(24)), (np.ones((1, 24)), np.zeros(1))])
        exact = Walk(net, X).choice[net.cuts[0]]
        for squares in (None, np.vecdot(X, X), np.vecdot(X.astype(np.float32), X.astype(np.float32))):
            piece, doubt = Glance(net).run(X, squares)
            assert np.array_equal(piece[~doubt], exact[~doubt])


def test_a_glance_stays_inside_its_bound():
    # the error of each float32 value, measured against exact sums, over the bound that decides
    rng = np.random.default_rng(3)
    weight = rng.normal(size=(16, 500)) * 10.0 ** rng.integers(-2, 3, (16, 1))
    bias, X = rng.normal(size=16), rng.normal(size=(40, 500)) * 10.0 ** rng.integers(-3, 4, (40, 1))
    glance = Glance(ra.load([(weight, bias), (np.ones((1, 16)), np.zeros(1))]))
    x, w = X.astype(np.float32), weight.astype(np.float32)
    for z in (x @ w.T + bias.astype(np.float32), _one_by_one(x, w) + bias.astype(np.float32)):
        truth = [[fsum([*(Fraction(float(p)) * Fraction(float(q)) for p, q in zip(a, r, strict=True)), b])
                  for r, b in zip(weight, bias, strict=True)] for a in X]  # fmt: skip
        error = np.abs(z.astype(np.float64) - np.array(truth))
        assert np.all(error <= np.linalg.norm(X, axis=1)[:, None] * glance._of_norm + glance._of_bias)


def fsum(terms):
    return float(sum(Fraction(t) for t in terms))


def _one_by_one(x, w):
    out = np.zeros((x.shape[0], w.shape[0]), dtype=np.float32)
    for k in range(x.shape[1]):  # the order with the largest error
        out += x[:, k : k + 1] * w[:, k]
    return out


def test_a_glance_is_for_one_dense_layer_of_relus():
    assert Glance(network("relu")).is_usable and not Glance(network("abs")).is_usable
    wide = ra.load([(np.zeros((1, 2**17 + 1)), np.zeros(1)), (np.ones((1, 1)), np.zeros(1))])
    assert not Glance(wide).is_usable
    assert not Glance(ra.load([(np.full((2, 3), 1e11), np.zeros(2)), (np.ones((1, 2)), np.zeros(1))])).is_usable
