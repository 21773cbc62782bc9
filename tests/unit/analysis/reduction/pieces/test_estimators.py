from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.utils.estimator_checks import check_estimator
from threadpoolctl import threadpool_limits

from reluatlas.analysis.reduction.pieces.estimators import PiecewiseAffineClassifier, PiecewiseAffineRegressor
from reluatlas.analysis.reduction.pieces.model import GatedPieces, choose
from reluatlas.errors import ArgumentError

# what scikit-learn itself leaves out where pandas is missing or SCIPY_ARRAY_API is not set
_LEFT_OUT = {"check_array_api_input", "check_regressor_data_not_an_array", "check_classifier_data_not_an_array"}


def three_pieces(n: int, seed: int, noise: float = 0.0):
    """Points of the plane and values of three affine maps on three sectors that meet at (0.1, 0)."""
    random = np.random.default_rng(seed)
    X = random.uniform(-1, 1, (n, 2))
    angle = 2 * np.pi * np.arange(3) / 3
    gate = np.column_stack([np.cos(angle), np.sin(angle)])
    slopes = np.array([[[3.0, 0.0], [1.0, 1.0]], [[-2.0, 1.0], [0.0, -3.0]], [[0.0, 4.0], [-1.0, 0.0]]])
    true = GatedPieces(
        np.array([0.1, 0.0]), np.eye(2), gate, np.zeros(3), slopes, np.array([[1.0, 0], [-1, 2], [0, -2]])
    )
    return X, true(X) + noise * random.standard_normal((n, 2)), true


@pytest.mark.parametrize("estimator", [PiecewiseAffineRegressor(random_state=0), PiecewiseAffineClassifier()])
def test_scikit_learn_accepts_the_estimators(estimator):
    results = check_estimator(estimator, on_skip=None)  # raises where a check fails
    passed = {result["check_name"] for result in results if result["status"] == "passed"}
    others = {result["check_name"] for result in results} - passed
    assert len(passed) > 40 and others <= _LEFT_OUT


@pytest.mark.parametrize("alpha", [0.0, 1e-3, 1.0, 100.0])
@pytest.mark.parametrize("epochs", [0, 3])
def test_one_piece_is_ridge_regression(alpha, epochs):
    random = np.random.default_rng(3)
    X = random.standard_normal((80, 5)) @ random.standard_normal((5, 5)) + 7
    y = random.standard_normal((80, 2))
    ours = PiecewiseAffineRegressor(1, alpha=alpha, epochs=epochs).fit(X, y)
    size = np.sqrt(X.var(axis=0).mean())  # all five directions: the mean variance is that of the inputs
    theirs = Ridge(alpha * size**2).fit(X, y)
    maps = ours.pieces_.affine
    np.testing.assert_allclose(maps.A[0], theirs.coef_, atol=1e-10)
    np.testing.assert_allclose(maps.b[0], theirs.intercept_, atol=1e-9)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), atol=1e-10)


def test_each_piece_is_a_ridge_regression_on_the_points_that_fall_to_it():
    X, y, _ = three_pieces(400, 1, noise=0.3)
    model = PiecewiseAffineRegressor(4, alpha=0.0, epochs=5, random_state=0).fit(X, y)
    piece = model.piece_at(X)
    assert model.n_pieces_ == 4
    for j in range(4):
        rows = np.column_stack([X, np.ones(len(X))])[piece == j]
        best = np.linalg.lstsq(rows, y[piece == j], rcond=None)[0]
        np.testing.assert_allclose(model.predict(X[piece == j]), rows @ best, atol=1e-8)


def test_a_function_that_is_three_gated_pieces_is_recovered():
    X, y, true = three_pieces(3000, 5)
    fresh, values, _ = three_pieces(2000, 6)
    model = PiecewiseAffineRegressor(3, alpha=1e-6, epochs=100, learning_rate=0.03, weight_decay=0.0, random_state=0)
    model.fit(X, y)
    start = PiecewiseAffineRegressor(3, alpha=1e-6, epochs=0, random_state=0).fit(X, y)
    assert model.score(fresh, values) > 0.99 > 0.95 > start.score(fresh, values)
    # pieces correspond one to one, and agree but for a strip along the borders
    ours, theirs = model.piece_at(fresh), true.piece_at(fresh)
    table = np.array([[np.sum((ours == i) & (theirs == j)) for j in range(3)] for i in range(3)])
    match = table.argmax(axis=1)
    assert sorted(match) == [0, 1, 2] and table[np.arange(3), match].sum() > 0.99 * len(fresh)
    np.testing.assert_allclose(model.pieces_.affine.A, true.affine.A[match], atol=0.1)


def test_labels_that_two_pieces_separate_and_one_cannot():
    random = np.random.default_rng(0)
    X = random.uniform(-1, 1, (2000, 2))
    y = np.where(X[:, 0] * X[:, 1] > 0, "same", "different")
    one = PiecewiseAffineClassifier(1, random_state=0).fit(X, y)
    two = PiecewiseAffineClassifier(2, random_state=0).fit(X, y)
    assert one.score(X, y) < 0.7 and two.score(X, y) > 0.97
    assert two.classes_.tolist() == ["different", "same"]
    values = two.outputs(X)
    np.testing.assert_allclose(two.decision_function(X), values[:, 1] - values[:, 0])
    shares = two.predict_proba(X)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert ((shares[:, 1] > 0.5) == (two.predict(X) == "same")).all()


@pytest.mark.parametrize("kind", [PiecewiseAffineRegressor, PiecewiseAffineClassifier])
def test_equal_seeds_give_equal_models_for_any_number_of_threads(kind):
    X, y, _ = three_pieces(500, 2)
    target = y if kind is PiecewiseAffineRegressor else y[:, 0] > 0
    models = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            models.append(kind(6, epochs=4, random_state=3).fit(X, target))
    other = kind(6, epochs=4, random_state=4).fit(X, target)
    for name in GatedPieces.__dataclass_fields__:
        assert np.array_equal(getattr(models[0].pieces_, name), getattr(models[1].pieces_, name))
    assert not np.array_equal(models[0].predict(X), other.predict(X)) or kind is PiecewiseAffineClassifier
    assert not np.array_equal(models[0].pieces_.gate_slopes, other.pieces_.gate_slopes)


def test_pieces_that_no_point_falls_to_are_dropped():
    X = np.repeat([[0.0, 1.0], [2.0, 3.0], [4.0, -1.0]], 20, axis=0)
    y = np.repeat([1.0, -1.0, 5.0], 20)
    model = PiecewiseAffineRegressor(10, random_state=0).fit(X, y)
    assert model.n_pieces_ <= 3
    assert PiecewiseAffineRegressor(5, random_state=0).fit(np.ones((20, 3)), np.arange(20.0)).predict(
        np.zeros((1, 3))
    ) == pytest.approx(9.5)


@pytest.mark.parametrize("kind", [PiecewiseAffineRegressor, PiecewiseAffineClassifier])
@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"n_pieces": 0}, "n_pieces=0"),
        ({"n_pieces": True}, "n_pieces=True"),
        ({"n_pieces": 2.5}, "n_pieces=2.5"),
        ({"n_pieces": 31}, "n_pieces=31.*n_samples=30"),
        ({"n_components": 0}, "n_components=0"),
        ({"epochs": -1}, "epochs=-1"),
        ({"alpha": -1.0}, "alpha=-1"),
        ({"alpha": float("nan")}, "alpha=nan"),
        ({"learning_rate": float("inf")}, "learning_rate=inf"),
        ({"weight_decay": "much"}, "weight_decay='much'"),
    ],
)
def test_settings_that_make_no_sense_are_refused(kind, settings, words):
    X = np.random.default_rng(0).standard_normal((30, 3))
    with pytest.raises(ArgumentError, match=words):
        kind(**settings).fit(X, np.arange(30) % 3)


def test_the_gate_is_a_function_of_the_point_alone():
    X, y, _ = three_pieces(600, 4)
    model = PiecewiseAffineRegressor(5, epochs=5, random_state=0).fit(X, y)
    slopes, offsets = model.pieces_.gate
    assert np.array_equal(model.piece_at(X), choose(slopes, offsets, X))
    single = np.concatenate([model.predict(x[None]) for x in X[:50]])
    np.testing.assert_allclose(single, model.predict(X[:50]), atol=1e-12)


def test_nothing_imports_scikit_learn_before_the_estimators_are_asked_for():
    code = (
        "import sys, reluatlas, reluatlas.analysis.reduction.pieces.model, reluatlas.analysis.reduction.pieces.files\n"
        "import reluatlas.analysis.reduction.pieces.sample, reluatlas.analysis.reduction.pieces.stand_alone\n"
        "assert 'sklearn' not in sys.modules\n"
        "import reluatlas.analysis.reduction.pieces.estimators\n"
        "assert 'sklearn' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": ":".join(sys.path)})
