from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.metrics import r2_score

import reluatlas as ra
from reluatlas.analysis.maps.regression import choose_penalty, least_squares, spectrum
from reluatlas.analysis.maps.rows import MapRows
from reluatlas.analysis.similarity.baselines import linear_cka, random_partners
from reluatlas.errors import ArgumentError, DimensionError, NonFiniteError


def mlp(sizes, seed):
    rng = np.random.default_rng(seed)
    return ra.load([(rng.normal(size=(m, n)) / np.sqrt(n), rng.normal(size=m)) for n, m in pairwise(sizes)])


def vectors(maps):
    return np.concatenate([maps.A.reshape(*maps.A.shape[:2], -1), maps.b[:, :, None]], axis=2).astype(float)


def oracle(f, g, X_fit, X_test, y, bias, penalties=None, rank=None, order=None):
    """The definition, with `lstsq` on the maps written out."""
    width = X_fit.shape[1] + (bias == "mapped")
    F, G, Ft, Gt = (vectors(k.affine_at(X, ties="torch"))[:, :, :width] for X in (X_fit, X_test) for k in (f, g))
    points = np.hstack([X_test, np.ones((len(X_test), 1))])[:, :width]
    scores, r2, total, whole, ranks = [], [], [], [], []
    for c in range(F.shape[1]):
        right = G[:, c] if order is None else G[order, c]
        if penalties is None:
            T, _, found, _ = np.linalg.lstsq(F[:, c], right, rcond=1e-7)
            ranks.append(found)
        else:
            weight = penalties[c] * np.linalg.norm(F[:, c], 2) ** 2
            if weight == 0:
                T = np.linalg.lstsq(F[:, c], right, rcond=1e-7)[0]
            else:
                T = np.linalg.solve(F[:, c].T @ F[:, c] + weight * np.eye(width), F[:, c].T @ right)
        if rank is not None:
            V = np.linalg.svd(F[:, c] @ T)[2][:rank].T
            T = T @ V @ V.T
        made = Ft[:, c] @ T
        scores.append((made * points).sum(axis=1))
        r2.append(r2_score(Gt[:, c], made))
        whole.append(1 - ((made - Gt[:, c]) ** 2).sum() / (Gt[:, c] ** 2).sum())
        total.append(1 - ((made - Gt[:, c]) ** 2).sum() / ((Gt[:, c] - Gt[:, c].mean(axis=0)) ** 2).sum())
    scores = np.array(scores).T
    chosen = scores.argmax(axis=1) if scores.shape[1] > 1 else (scores[:, 0] > 0).astype(int)
    return chosen, float((chosen == y).mean()), np.array(r2), np.array(total), ranks, np.array(whole)


@pytest.mark.parametrize("bias", ["mapped", "not mapped"])
@pytest.mark.parametrize("shapes", [((6, 9, 3), (6, 7, 3)), ((6, 8, 8, 3), (6, 12, 3)), ((5, 8, 6, 4), (5, 6, 6, 4))])
def test_equal_to_least_squares_on_the_maps(shapes, bias):
    f, g = mlp(shapes[0], 1), mlp(shapes[1], 2)
    rng = np.random.default_rng(0)
    X_fit, X_test = rng.normal(size=(700, shapes[0][0])), rng.normal(size=(333, shapes[0][0]))
    y = np.argmax(g(X_test), axis=1)
    sources = [(k.affine_at(X_fit, ties="torch"), k.affine_at(X_test, ties="torch")) for k in (f, g)]
    seen = []
    got = ra.similarity(
        *sources, X_fit, X_test, y_test=y, bias=bias, ranks=[2, 3, 99], jobs=2, progress=lambda *a: seen.append(a)
    )
    chosen, accuracy, r2, total, ranks, whole = oracle(f, g, X_fit, X_test, y, bias)
    assert np.array_equal(got.least_squares.predictions, chosen)
    assert got.accuracy == accuracy and got.n_correct == round(accuracy * 333)
    assert_allclose(got.r2, r2, rtol=1e-8)
    assert_allclose(got.least_squares.r2_total, total, rtol=1e-8)
    assert_allclose(got.least_squares.r2_uncentered, whole, rtol=1e-8)
    assert got.ranks.tolist() == ranks
    assert got.agreement == accuracy and got.g_accuracy == 1.0  # the labels are those of g
    assert got.f_accuracy == got.predictions_agree == np.mean(f(X_test).argmax(axis=1) == y)
    ridge = oracle(f, g, X_fit, X_test, y, bias, penalties=got.penalties)
    assert np.array_equal(got.ridge.predictions, ridge[0])
    assert_allclose(got.ridge.r2, ridge[2], rtol=1e-6)
    for i, rank in enumerate((2, 3)):
        cut = oracle(f, g, X_fit, X_test, y, bias, rank=rank)
        assert got.by_rank.accuracy[i] == cut[1]
        assert_allclose(got.by_rank.r2_total[i], cut[3], rtol=1e-6)
    assert got.by_rank.accuracy[2] == accuracy and got.by_rank.agreement[2] == got.agreement
    assert_allclose(got.by_rank.r2_total[2], total, rtol=1e-8)
    chance = oracle(f, g, X_fit, X_test, y, bias, order=random_partners(700, None, 1))
    assert np.array_equal(got.chance["any"].predictions, chance[0])
    assert ("inner products", 700, 700) in seen and ("test points", 333, 333) in seen


def test_networks_files_and_factors_give_one_answer(tmp_path):
    f, g = mlp((6, 9, 3), 1), mlp((6, 7, 5, 3), 2)
    rng = np.random.default_rng(0)
    X_fit, X_test = rng.normal(size=(500, 6)), rng.normal(size=(200, 6))
    stored = [
        (k.affine_at(X_fit, dtype=np.float32, out=tmp_path / f"{i}.npy"),
         k.affine_at(X_test, dtype=np.float32, out=tmp_path / f"{i}t.npy"))
        for i, k in enumerate((f, g))
    ]  # fmt: skip
    assert isinstance(stored[0][0].A.base, np.memmap | np.ndarray)
    answers = [ra.similarity(*pair, X_fit, X_test) for pair in ((f, g), stored, (stored[0], g), (f, stored[1]))]
    assert MapRows(f.factored_affine_at(X_fit)).shares_features
    for other in answers[1:]:
        assert np.array_equal(other.ranks, answers[0].ranks)
        assert_allclose(other.r2, answers[0].r2, atol=1e-4)
        assert_allclose(other.cka, answers[0].cka, rtol=1e-4)
        assert abs(other.agreement - answers[0].agreement) <= 0.01
    assert np.isnan(answers[0].accuracy) and answers[0].n_correct == -1
    assert "agreement" in repr(answers[0]) and "accuracy" not in repr(answers[0])


def test_factored_vectors_are_the_maps():
    rng = np.random.default_rng(0)
    for kind in ("relu", "clip", "abs"):
        from reluatlas.network.build import Builder

        b = Builder((2, 3))
        z = b.dense(0, rng.normal(size=(7, 6)), rng.normal(size=7))
        here = {"relu": b.relu, "abs": b.abs, "clip": lambda z: b.clip(z, -0.5, 1.0)}[kind](z)  # noqa: B023
        net = b.finish(b.dense(here, rng.normal(size=(4, 7)), rng.normal(size=4)))
        X = rng.normal(size=(40, 2, 3))
        rows, plain = MapRows(net.factored_affine_at(X)), MapRows(net.affine_at(X))
        for c in range(4):
            assert_allclose(rows.vectors(slice(3, 30), c), plain.vectors(slice(3, 30), c), atol=1e-12)


def test_a_table_is_its_pairs_and_the_networks_themselves():
    nets = {"a": mlp((6, 9, 3), 1), "b": mlp((6, 7, 5, 3), 2), "c": mlp((6, 7, 3), 3)}
    rng = np.random.default_rng(0)
    X_fit, X_test, y = rng.normal(size=(300, 6)), rng.normal(size=(200, 6)), rng.integers(0, 3, 200)
    labels = rng.integers(0, 3, 300)
    table = ra.similarity_table(nets, X_fit, X_test, y_fit=labels, y_test=y, chance=["any"])
    assert table.names == ("a", "b", "c") and len(table.pairs) == 12
    for bias in ("mapped", "not mapped"):
        accuracy = table.accuracy(bias)
        for i, f in enumerate("abc"):
            assert accuracy[i, i] == np.mean(nets[f](X_test).argmax(axis=1) == y)
            for j, g in enumerate("abc"):
                if f == g:
                    continue
                alone = ra.similarity(nets[f], nets[g], X_fit, X_test, y_test=y, bias=bias)
                assert accuracy[i, j] == alone.accuracy == table.pairs[f, g, bias].accuracy
                assert_allclose(table.pairs[f, g, bias].r2, alone.r2, rtol=1e-9)
                assert_allclose(table.pairs[f, g, bias].ridge.r2, alone.ridge.r2, rtol=1e-9)
                assert_allclose(table.pairs[f, g, bias].cka, table.pairs[g, f, bias].cka)


@pytest.mark.parametrize("bias", ["mapped", "not mapped"])
def test_a_network_is_itself(bias):
    f = mlp((6, 9, 8, 3), 1)
    rng = np.random.default_rng(0)
    X_fit, X_test = rng.normal(size=(400, 6)), rng.normal(size=(200, 6))
    y = f(X_test).argmax(axis=1)
    got = ra.similarity(f, f, X_fit, X_test, y_test=y, bias=bias)
    assert_allclose(got.r2, 1, atol=1e-5)
    assert_allclose(got.cka, 1, rtol=1e-9)
    assert got.predictions_agree == 1
    if bias == "mapped":
        assert got.accuracy == got.ridge.accuracy == got.agreement == 1


def test_permuted_and_rescaled_hidden_units_change_nothing():
    rng = np.random.default_rng(5)
    W, a, V, d = rng.normal(size=(9, 6)), rng.normal(size=9), rng.normal(size=(3, 9)), rng.normal(size=3)
    order, scale = rng.permutation(9), 2.0 ** rng.integers(-3, 4, 9)
    f = ra.load([(W, a), (V, d)])
    h = ra.load([((W * scale[:, None])[order], (a * scale)[order]), ((V / scale)[:, order], d)])
    g = mlp((6, 7, 5, 3), 2)
    X_fit, X_test = rng.normal(size=(400, 6)), rng.normal(size=(200, 6))
    one, two = ra.similarity(f, g, X_fit, X_test), ra.similarity(h, g, X_fit, X_test)
    assert np.array_equal(one.least_squares.predictions, two.least_squares.predictions)
    assert_allclose(one.r2, two.r2, rtol=1e-8)
    assert_allclose(one.cka, two.cka, rtol=1e-8)
    shuffled = rng.permutation(400)
    three = ra.similarity(f, g, X_fit[shuffled], X_test, ridge=False, chance=[])
    assert np.array_equal(one.least_squares.predictions, three.least_squares.predictions)
    assert_allclose(one.r2, three.r2, rtol=1e-8)


def test_constant_maps_and_few_points():
    rng = np.random.default_rng(0)
    linear = ra.load([(rng.normal(size=(3, 4)), rng.normal(size=3))])
    zero = ra.load([(np.zeros((3, 4)), np.zeros(3))])
    net = mlp((4, 6, 3), 1)
    X, Z = rng.normal(size=(50, 4)), rng.normal(size=(20, 4))
    same = ra.similarity(linear, linear, X, Z)
    assert same.agreement == 1 and same.ranks.tolist() == [1, 1, 1] and np.isnan(same.cka).all()
    assert_allclose(same.r2, 1)
    mean = ra.similarity(linear, net, X, Z)  # all that one map can become is the mean of g's
    assert_allclose(mean.r2, 0, atol=0.5)
    assert mean.ranks.tolist() == [1, 1, 1] and np.isnan(mean.cka).all()
    nothing = ra.similarity(zero, net, X, Z)
    assert nothing.ranks.tolist() == [0, 0, 0] and not nothing.least_squares.predictions.any()
    assert (nothing.r2 < 0.1).all()
    onto_nothing = ra.similarity(net, zero, X, Z)
    assert_allclose(onto_nothing.r2, 1)
    for few in (1, 2, 3):
        got = ra.similarity(net, linear, X[:few], Z[:1])
        assert (got.ranks <= few).all()


def test_one_output_is_decided_by_its_sign():
    f, g = mlp((4, 6, 1), 1), mlp((4, 6, 5, 1), 2)
    rng = np.random.default_rng(0)
    X, Z = rng.normal(size=(200, 4)), rng.normal(size=(90, 4))
    y = (g(Z)[:, 0] > 0).astype(int)
    got = ra.similarity(f, g, X, Z, y_test=y)
    chosen, accuracy, *_ = oracle(f, g, X, Z, y, "mapped")
    assert got.accuracy == accuracy and np.array_equal(got.least_squares.predictions, chosen) and got.g_accuracy == 1


def test_spectra_and_penalties():
    rng = np.random.default_rng(0)
    F = rng.normal(size=(300, 4)) @ rng.normal(size=(4, 20))
    for unit in (2.0**-52, 2.0**-23):
        stored = F.astype(np.float32).astype(float) if unit > 1e-10 else F
        assert spectrum(stored.T @ stored, unit).rank == 4
    assert spectrum(np.zeros((3, 3)), 1e-16).rank == 0
    # what a penalty errs on held-back points, computed from the points
    true, noise = rng.normal(size=(20, 3)), 3.0
    F, H = rng.normal(size=(30, 20)), rng.normal(size=(40, 20))
    G, K = F @ true + noise * rng.normal(size=(30, 3)), H @ true + noise * rng.normal(size=(40, 3))
    known, tries = spectrum(F.T @ F, 1e-16), (0.0, 1e-4, 1e-2, 0.1, 0.3)
    errors = [
        ((H @ np.linalg.solve(F.T @ F + p * known.values[0] * np.eye(20), F.T @ G) - K) ** 2).sum() for p in tries
    ]
    assert choose_penalty(known, F.T @ G, H.T @ H, H.T @ K, tries) == tries[int(np.argmin(errors))] > 0
    assert_allclose(least_squares(known, F.T @ G), np.linalg.lstsq(F, G, rcond=None)[0], rtol=1e-8)


def test_partners_and_alignment():
    labels = np.array([0] * 10 + [1] * 5 + [2])
    for seed in range(20):
        partner = random_partners(16, None, seed)
        assert sorted(partner) == list(range(16)) and (partner != np.arange(16)).all()
        within = random_partners(16, labels, seed)
        assert np.array_equal(labels[within], labels) and (within[:15] != np.arange(15)).all() and within[15] == 15
    rng = np.random.default_rng(0)
    F, turn = rng.normal(size=(50, 4)), np.linalg.qr(rng.normal(size=(4, 4)))[0]
    F -= F.mean(axis=0)
    G = 3 * F @ turn
    assert_allclose(linear_cka(F.T @ F, G.T @ G, F.T @ G), 1)
    H = rng.normal(size=(50, 4))
    H -= H.mean(axis=0)
    K, L = F @ F.T, H @ H.T
    assert_allclose(linear_cka(F.T @ F, H.T @ H, F.T @ H), (K * L).sum() / np.sqrt((K * K).sum() * (L * L).sum()))


def test_what_is_refused():
    f, g, other = mlp((4, 6, 3), 1), mlp((4, 5, 3), 2), mlp((4, 5, 2), 2)
    rng = np.random.default_rng(0)
    X, Z = rng.normal(size=(20, 4)), rng.normal(size=(10, 4))
    with pytest.raises(DimensionError, match="Compare networks of one task"):
        ra.similarity(f, other, X, Z)
    with pytest.raises(DimensionError, match="19 maps"):
        ra.similarity(f, (g.affine_at(X[:19]), g.affine_at(Z)), X, Z)
    with pytest.raises(DimensionError, match="X_test"):
        maps = (f.affine_at(X), f.affine_at(Z))
        ra.similarity(maps, maps, X, Z[:5])
    with pytest.raises(ArgumentError, match="neither a network nor a pair"):
        ra.similarity(f, g.affine_at(X), X, Z)
    with pytest.raises(ArgumentError, match="bias"):
        ra.similarity(f, g, X, Z, bias="none")
    with pytest.raises(ArgumentError, match="y_fit"):
        ra.similarity(f, g, X, Z, chance=["label"])
    with pytest.raises(ArgumentError, match="held_back"):
        ra.similarity(f, g, X, Z, held_back=1.0)
    with pytest.raises(ArgumentError, match="ranks"):
        ra.similarity(f, g, X, Z, ranks=[0])
    with pytest.raises(ArgumentError, match="memory"):
        ra.similarity(f, g, X, Z, memory=100)
    with pytest.raises(DimensionError, match="y_test"):
        ra.similarity(f, g, X, Z, y_test=np.zeros(3, dtype=int))
    with pytest.raises(ArgumentError, match="y_test"):
        ra.similarity(f, g, X, Z, y_test=np.zeros(10))
    with pytest.raises(ArgumentError, match="two or more"):
        ra.similarity_table({"f": f}, X, Z)
    bad = f.affine_at(Z)
    bad.A[3, 1, 2] = np.nan
    with pytest.raises(NonFiniteError):
        ra.similarity((f.affine_at(X), bad), g, X, Z)
