"""scikit-learn's multi-layer perceptrons."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.neural_network import MLPClassifier, MLPRegressor

from reluatlas.errors import ArgumentError, NonFiniteError, UnsupportedLayerError
from reluatlas.importers.load import load

X = np.random.default_rng(0).normal(size=(60, 3))
TARGETS = {
    "two classes": X[:, 0] > 0,
    "three classes": np.digitize(X[:, 0], [-0.5, 0.5]),
    "several labels": (X[:, :2] > 0).astype(int),
}


def fitted(estimator, y, dtype=np.float64):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return estimator.fit(X.astype(dtype), y)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", TARGETS)
def test_classifier_gives_the_arguments_of_its_probabilities(name, dtype):
    model = fitted(MLPClassifier((8, 4), max_iter=5, random_state=0), TARGETS[name], dtype)
    net = load(model)
    z, p = net(X), model.predict_proba(X.astype(dtype))
    expected = {
        "two classes": lambda: np.hstack([1 - sigmoid(z), sigmoid(z)]),
        "three classes": lambda: np.exp(z) / np.exp(z).sum(axis=1, keepdims=True),
        "several labels": lambda: sigmoid(z),
    }[name]()
    np.testing.assert_allclose(expected, p, atol=1e-5 if dtype == np.float32 else 1e-12)
    assert [n.kind for n in net.notes] == ["dropped"] and net.n_neurons == 12


@pytest.mark.parametrize("activation", ["relu", "identity"])
@pytest.mark.parametrize("n_outputs", [1, 2])
def test_regressor_gives_its_predictions(activation, n_outputs):
    y = X[:, 0] if n_outputs == 1 else X[:, :2]
    model = fitted(MLPRegressor(hidden_layer_sizes=(8,), activation=activation, max_iter=5, random_state=0), y)
    net = load(model, mean=0.5, std=2.0)
    got = net(X).reshape(60, -1)
    np.testing.assert_allclose(got, model.predict((X - 0.5) / 2).reshape(60, -1), rtol=1e-12, atol=1e-12)
    assert net.n_neurons == (8 if activation == "relu" else 0) and net.notes == ()


def test_estimator_is_not_changed():
    model = fitted(MLPClassifier((4,), max_iter=3, random_state=0), TARGETS["two classes"])
    before = [w.copy() for w in model.coefs_]
    load(model)
    assert model.out_activation_ == "logistic"
    assert all(np.array_equal(a, b) for a, b in zip(before, model.coefs_, strict=True))


def test_what_is_no_fitted_relu_perceptron_is_refused():
    with pytest.raises(ArgumentError, match="not fitted"):
        load(MLPRegressor())
    with pytest.raises(ArgumentError, match="LinearRegression"):
        load(LinearRegression())
    with pytest.raises(UnsupportedLayerError, match="'tanh'"):
        load(fitted(MLPRegressor(activation="tanh", max_iter=2), X[:, 0]))
    broken = fitted(MLPRegressor(max_iter=2), X[:, 0])
    broken.coefs_[0][0, 0] = np.nan
    with pytest.raises(NonFiniteError, match="layer 0"):
        load(broken)
