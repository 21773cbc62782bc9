"""scikit-learn's multi-layer perceptrons."""

from __future__ import annotations

import warnings
from fractions import Fraction

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.ensemble import BaggingRegressor
from sklearn.feature_selection import SelectKBest, f_regression
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    PolynomialFeatures,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)
from sklearn.svm import LinearSVC, LinearSVR

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


REGRESSORS = {
    "standard": lambda mlp: make_pipeline(StandardScaler(), mlp),
    "standard without mean": lambda mlp: make_pipeline(StandardScaler(with_mean=False), mlp),
    "standard without scale": lambda mlp: make_pipeline(StandardScaler(with_std=False), mlp),
    "standard of nothing": lambda mlp: make_pipeline(StandardScaler(with_mean=False, with_std=False), mlp),
    "min max": lambda mlp: make_pipeline(MinMaxScaler((-1, 1)), mlp),
    "min max clipped": lambda mlp: make_pipeline(MinMaxScaler(clip=True), mlp),
    "max abs": lambda mlp: make_pipeline(MaxAbsScaler(), mlp),
    "robust": lambda mlp: make_pipeline(RobustScaler(), mlp),
    "robust without": lambda mlp: make_pipeline(RobustScaler(with_centering=False, with_scaling=False), mlp),
    "pca": lambda mlp: make_pipeline(StandardScaler(), PCA(2), mlp),
    "whitened pca": lambda mlp: make_pipeline(PCA(2, whiten=True), mlp),
    "svd": lambda mlp: make_pipeline(TruncatedSVD(2), mlp),
    "columns": lambda mlp: make_pipeline(SelectKBest(f_regression, k=2), mlp),
    "steps in steps": lambda mlp: make_pipeline(
        make_pipeline(StandardScaler(), make_pipeline(PCA(2))), "passthrough", FunctionTransformer(), mlp
    ),
    "pipeline at the end": lambda mlp: make_pipeline(StandardScaler(), make_pipeline(MinMaxScaler(), mlp)),
    "grid": lambda mlp: GridSearchCV(make_pipeline(StandardScaler(), mlp), {"mlpregressor__alpha": [1e-4, 1e-2]}, cv=2),
    "random": lambda mlp: RandomizedSearchCV(mlp, {"alpha": [1e-4, 1e-2]}, n_iter=2, cv=2, random_state=0),
    "targets": lambda mlp: TransformedTargetRegressor(mlp),
    "targets standard": lambda mlp: TransformedTargetRegressor(mlp, transformer=StandardScaler()),
    "targets min max": lambda mlp: TransformedTargetRegressor(
        make_pipeline(StandardScaler(), mlp), transformer=MinMaxScaler()
    ),
    "targets robust": lambda mlp: TransformedTargetRegressor(mlp, transformer=RobustScaler()),
    "targets max abs": lambda mlp: TransformedTargetRegressor(mlp, transformer=MaxAbsScaler()),
    "targets twice": lambda mlp: TransformedTargetRegressor(
        mlp, transformer=make_pipeline(StandardScaler(), MinMaxScaler())
    ),
    "linear": lambda mlp: make_pipeline(StandardScaler(), LinearRegression()),
    "support vectors": lambda mlp: LinearSVR(max_iter=50),
}
WIDE = X * [1.0, 50.0, 0.1] + 3


def mlp_regressor():
    return MLPRegressor(hidden_layer_sizes=(6,), max_iter=5, random_state=0)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("case", REGRESSORS)
def test_wrapped_regressor_gives_its_predictions(case, dtype):
    model, data = REGRESSORS[case](mlp_regressor()), WIDE.astype(dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(data, (WIDE[:, 0] - 0.1 * WIDE[:, 1]).astype(dtype))
    expected, tolerance = model.predict(data), 1e-11 if dtype == np.float64 else 1e-4
    got = np.ravel(load(model)(data.astype(np.float64)))
    np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance * np.abs(expected).max())


def test_scalers_are_rounded_once_and_told():
    scaler = StandardScaler().fit(WIDE)
    model = fitted(make_pipeline(scaler, mlp_regressor()), X[:, 0])
    net = load(model)
    assert [(n.kind, n.node) for n in net.notes] == [("rounded", "step standardscaler")]
    mean, scale = model[0].mean_, model[0].scale_
    assert np.array_equal(net.nodes[1].operators[0].scale, [float(1 / Fraction(float(s))) for s in scale])
    exact = [-Fraction(float(m)) / Fraction(float(s)) for m, s in zip(mean, scale, strict=True)]
    assert net.nodes[1].bias.tolist() == [float(e) for e in exact]
    # what is stored as a factor is taken as it is
    assert load(fitted(make_pipeline(MinMaxScaler(), mlp_regressor()), X[:, 0])).notes == ()


@pytest.mark.parametrize(
    "make",
    [
        lambda: make_pipeline(StandardScaler(), MLPClassifier((6,), max_iter=5, random_state=0)),
        lambda: GridSearchCV(MLPClassifier((6,), max_iter=5, random_state=0), {"alpha": [1e-4]}, cv=2),
        lambda: make_pipeline(StandardScaler(), LogisticRegression()),
        lambda: LinearSVC(),
    ],
)
@pytest.mark.parametrize("name", ["two classes", "three classes"])
def test_wrapped_classifier_decides_as_it_does(make, name):
    model = fitted(make(), np.array(["a", "b", "c"])[TARGETS[name].astype(int)])
    net = load(model)
    z = net(X)
    chosen = z.argmax(axis=1) if z.shape[1] > 1 else (z[:, 0] > 0).astype(int)
    assert net.class_names == ("a", "b", "c")[: len(model.classes_)]
    assert np.array_equal(np.array(net.class_names)[chosen], model.predict(X))


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda m: make_pipeline(Normalizer(), m), UnsupportedLayerError, "`Normalizer`.*norm, which is not piecewise"),
        (lambda m: make_pipeline(FunctionTransformer(np.abs), m), UnsupportedLayerError, "Python function of yours"),
        (lambda m: make_pipeline(PolynomialFeatures(), m), UnsupportedLayerError, "multiplies columns"),
        (lambda m: make_pipeline(QuantileTransformer(n_quantiles=9), m), UnsupportedLayerError, "not known to be"),
        (lambda m: make_pipeline(ColumnTransformer([("a", StandardScaler(), [0])]), m), UnsupportedLayerError, "apart"),
        (lambda m: make_pipeline(StandardScaler(), "passthrough"), ArgumentError, "without an estimator at its end"),
        (lambda m: make_pipeline(StandardScaler(), PCA(2)), ArgumentError, "scikit-learn `PCA`; expected"),
        (lambda m: BaggingRegressor(m, 2), ArgumentError, "one of its `estimators_`"),
        (lambda m: TransformedTargetRegressor(m, func=np.exp, inverse_func=np.log), UnsupportedLayerError, "inverse"),
        (lambda m: GridSearchCV(m, {"alpha": [1e-4]}, cv=2, refit=False), ArgumentError, "with refit=True"),
        (lambda m: make_pipeline(StandardScaler(), MLPRegressor(activation="tanh", max_iter=2)), UnsupportedLayerError,
         "'tanh'"),
    ],
)  # fmt: skip
def test_what_wraps_something_else_is_refused(make, error, words):
    model = make(mlp_regressor())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, X[:, 0])
    with pytest.raises(error, match=words):
        load(model)


def test_calibrated_and_unfitted_ones_are_refused():
    model = fitted(CalibratedClassifierCV(MLPClassifier((3,), max_iter=3), cv=2), TARGETS["two classes"])
    with pytest.raises(ArgumentError, match="calibrates by a function that is not piecewise linear"):
        load(model)
    for one in (
        make_pipeline(StandardScaler(), mlp_regressor()),
        make_pipeline(StandardScaler(), fitted(mlp_regressor(), X[:, 0])),
        GridSearchCV(mlp_regressor(), {}),
        TransformedTargetRegressor(mlp_regressor()),
        LinearSVC(),
    ):
        with pytest.raises(ArgumentError, match="not fitted"):
            load(one)
