"""The parts of a fit, each against a slow and obvious computation."""

from __future__ import annotations

import numpy as np
import pytest

from reluatlas.analysis.reduction.pieces.model import GatedPieces, choose, groups
from reluatlas.analysis.reduction.pieces.start import prototype_gate, refit, ridge
from reluatlas.analysis.reduction.pieces.train import _gradients, classes, like_outputs, squared, train
from reluatlas.errors import DimensionError, NonFiniteError


def some_pieces(seed: int, n: int = 6, d: int = 3, k: int = 5, m: int = 2) -> GatedPieces:
    random = np.random.default_rng(seed)
    shapes = [(n,), (n, d), (k, d), (k,), (k, m, d), (k, m)]
    return GatedPieces(*[random.standard_normal(shape) for shape in shapes])


def test_values_are_those_of_one_map_at_a_time():
    for seed in range(50):
        pieces = some_pieces(seed, k=1 + seed % 7)
        X = np.random.default_rng(seed + 1).standard_normal((40, 6))
        maps, (slopes, offsets) = pieces.affine, pieces.gate
        for x, value, piece in zip(X, pieces(X), pieces.piece_at(X), strict=True):
            scores = [slope @ x + offset for slope, offset in zip(slopes, offsets, strict=True)]
            assert piece == scores.index(max(scores))
            np.testing.assert_allclose(value, maps.A[piece] @ x + maps.b[piece], atol=1e-12)
    assert pieces.n_parameters == 6 + 6 * 3 + pieces.n_pieces * (3 + 1) * (2 + 1)
    np.testing.assert_array_equal(pieces(X.reshape(40, 1, 2, 3)), pieces(X))
    assert pieces(np.empty((0, 6))).shape == (0, 2) and pieces.piece_at(np.empty((0, 6))).shape == (0,)


def test_many_rows_are_worked_on_in_blocks():
    pieces = some_pieces(0)
    X = np.random.default_rng(1).standard_normal((20_000, 6))
    parts = [pieces(X[i : i + 3_000]) for i in range(0, len(X), 3_000)]
    np.testing.assert_allclose(pieces(X), np.concatenate(parts), atol=1e-12)
    assert pieces.piece_at(X).shape == (20_000,)


def test_at_a_tie_the_lowest_index_wins():
    assert choose(np.array([[1.0], [1.0], [-1.0]]), np.zeros(3), np.array([[1.0], [0.0], [-1.0]])).tolist() == [0, 0, 2]


def test_pieces_that_do_not_fit_together_are_refused():
    good = some_pieces(0)
    arrays = {name: getattr(good, name) for name in GatedPieces.__dataclass_fields__}
    for name, array in arrays.items():
        with pytest.raises(DimensionError):
            GatedPieces(**{**arrays, name: array[1:]})
        with pytest.raises(NonFiniteError, match=name):
            GatedPieces(**{**arrays, name: array * np.nan})
        with pytest.raises(ValueError, match="read-only"):
            getattr(good, name)[:] = 0
    for X in (np.zeros((3, 5)), np.zeros(6), np.zeros((2, 1, 5))):
        with pytest.raises(DimensionError, match="6 numbers a point"):
            good(X)


def test_groups_are_the_members_of_each_piece():
    random = np.random.default_rng(0)
    for k in (1, 2, 7, 300):
        piece = random.integers(k, size=100)
        found = dict(groups(piece, k))
        assert sorted(found) == sorted(set(piece.tolist()))
        assert all(np.array_equal(found[j], np.flatnonzero(piece == j)) for j in found)


def test_ridge_is_least_squares_of_the_augmented_rows():
    random = np.random.default_rng(0)
    for case in range(60):
        n, d, m = random.integers(1, 30), random.integers(1, 6), random.integers(1, 4)
        z, t = random.standard_normal((n, d)) + 5, random.standard_normal((n, m))
        prior = random.standard_normal((m, d)) if case % 2 else None
        alpha = [0.1, 1.0, 10.0][case % 3]
        goal = np.zeros((m, d)) if prior is None else prior
        rows = np.block([[z, np.ones((n, 1))], [np.sqrt(alpha) * np.eye(d), np.zeros((d, 1))]])
        wanted = np.concatenate([t, np.sqrt(alpha) * goal.T])
        best = np.linalg.lstsq(rows, wanted, rcond=None)[0]
        A, b = ridge(z, t, alpha, prior)
        np.testing.assert_allclose(A, best[:d].T, atol=1e-9)
        np.testing.assert_allclose(b, best[d], atol=1e-8)
        A, b = ridge(np.repeat(z, 2, axis=1), t, 0.0)  # rank-deficient: fits as well as any
        least = np.linalg.lstsq(np.column_stack([z, np.ones(n)]), t, rcond=None)[0]
        fitted = np.repeat(z, 2, axis=1) @ A.T + b
        np.testing.assert_allclose(fitted, np.column_stack([z, np.ones(n)]) @ least, atol=1e-6)


def test_a_piece_without_points_has_the_map_of_all_points():
    random = np.random.default_rng(0)
    z, t = random.standard_normal((50, 2)), random.standard_normal((50, 1))
    gate = (np.zeros((3, 2)), np.array([0.0, -1.0, -2.0]))
    slopes, offsets, n = refit(z, t, gate, 1.0)
    whole = ridge(z, t, 1.0)
    assert n.tolist() == [50, 0, 0]
    np.testing.assert_allclose(slopes[2], whole[0])
    np.testing.assert_allclose(offsets[2], whole[1])


@pytest.mark.parametrize("k", [2, 5, 40, 250])
def test_the_first_gate_picks_the_nearest_prototype(k):
    z = np.random.default_rng(0).standard_normal((600, 3))
    slopes, offsets = prototype_gate(z, k, np.random.RandomState(0))
    distances = ((z[:, None] - slopes[None]) ** 2).sum(axis=2)
    chosen = distances[np.arange(len(z)), choose(slopes, offsets, z)]
    assert len(offsets) == k
    np.testing.assert_allclose(chosen, distances.min(axis=1), atol=1e-12)  # a point may lie midway


@pytest.mark.parametrize("loss", [squared, classes, like_outputs(0.3, 2.0)])
def test_gradients_are_differences_of_the_expected_loss(loss):
    random = np.random.default_rng(0)
    n, d, k, m, temperature = 7, 3, 4, 3, 0.7
    rows = np.concatenate([random.standard_normal((n, d)), np.ones((n, 1))], axis=1)
    targets = random.dirichlet(np.ones(m), n)
    G, W = 0.4 * random.standard_normal((k, d + 1)), random.standard_normal((k, d + 1, m))

    def expected(G, W):
        total = 0.0
        for x, t in zip(rows, targets, strict=True):
            p = np.exp(G @ x / temperature) / np.exp(G @ x / temperature).sum()
            total += sum(p[j] * loss((x @ W[j])[None], t[None])[0][0] for j in range(k))
        return total / n

    by_G, by_W = _gradients(rows, targets, G, W, loss, temperature)
    for parameter, gradient in ((G, by_G), (W, by_W)):
        for at in np.ndindex(parameter.shape):
            kept, ends = parameter[at], []
            for step in (1e-5, -1e-5):
                parameter[at] = kept + step
                ends.append(expected(G, W))
            parameter[at] = kept
            assert gradient[at] == pytest.approx((ends[0] - ends[1]) / 2e-5, abs=2e-6)


def test_losses_are_their_formulas():
    random = np.random.default_rng(1)
    values, targets = random.standard_normal((9, 4)) * 30, random.standard_normal((9, 4))
    shares = np.exp(targets) / np.exp(targets).sum(axis=1, keepdims=True)
    entropy = [-sum(s * (v - np.logaddexp.reduce(row)) for s, v in zip(t, row, strict=True))
               for row, t in zip(values, shares, strict=True)]  # fmt: skip
    np.testing.assert_allclose(classes(values, shares)[0], entropy)
    distance = ((values - targets) ** 2).sum(axis=1) / 2
    np.testing.assert_allclose(squared(values, targets)[0], distance)
    np.testing.assert_allclose(like_outputs(0.5, 4.0)(values, targets)[0], entropy + 0.125 * distance)


def test_a_step_uses_points_and_copies_and_a_gate_of_any_scale():
    from reluatlas.analysis.reduction.pieces.train import Schedule

    random = np.random.default_rng(0)
    z = random.standard_normal((2, 60, 2))
    t = np.stack([np.zeros((60, 1)), np.ones((60, 1))])  # the copies say 1, the points 0: the mean shows the shares
    gate, maps = (np.zeros((1, 2)), np.zeros(1)), (np.zeros((1, 1, 2)), np.zeros((1, 1)))
    schedule = Schedule(epochs=200, batch=20, rate=0.02, weight_decay=0.0, own_share=0.25)
    _, (slopes, offsets) = train(z, t, gate, maps, squared, schedule, np.random.default_rng(1))
    assert offsets[0, 0] == pytest.approx(0.75, abs=0.05) and np.abs(slopes).max() < 0.1
    two = (np.array([[1.0, 0], [-1, 0]]), np.zeros(2)), (np.zeros((2, 1, 2)), np.zeros((2, 1)))
    few = Schedule(epochs=3, batch=20, rate=0.02, weight_decay=0.1)
    same = [
        train(z, t, (two[0][0] * size, two[0][1]), two[1], squared, few, np.random.default_rng(1)) for size in (1, 64)
    ]
    np.testing.assert_array_equal(same[0][1][0], same[1][1][0])
