"""How are k gated affine pieces fitted and used? As scikit-learn estimators, from data or from a network's outputs.

Importing this module imports scikit-learn.
"""

from __future__ import annotations

import os
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, MultiOutputMixin, RegressorMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, check_random_state, validate_data
from threadpoolctl import threadpool_limits

from reluatlas.analysis.reduction.pieces.files import load_estimator, save_estimator
from reluatlas.analysis.reduction.pieces.model import GatedPieces
from reluatlas.analysis.reduction.pieces.sample import OutputSample
from reluatlas.analysis.reduction.pieces.settings import check_settings
from reluatlas.analysis.reduction.pieces.start import pieces_of, prototype_gate, refit
from reluatlas.analysis.reduction.pieces.train import Loss, Schedule, classes, like_outputs, softmax, squared, train
from reluatlas.errors import ArgumentError, DimensionError

FloatArray = NDArray[np.float64]
_LABEL_HEIGHT = 4.0  # by how much the right class leads in the ridge regression from which labels are learned

_validated: Any = validate_data  # its annotations name the defaults only


class _Pieces(BaseEstimator):
    """What both estimators share."""

    pieces_: GatedPieces
    is_flat_: bool
    n_features_in_: int
    n_pieces: int
    n_components: int
    alpha: float
    epochs: int
    learning_rate: float
    weight_decay: float
    random_state: Any

    @property
    def n_pieces_(self) -> int:
        """Number of pieces of the fitted model: those that some training point falls to."""
        return self.pieces_.n_pieces

    def piece_at(self, X: ArrayLike) -> NDArray[np.intp]:
        """Return the index of the affine piece at each row of X (N, n)."""
        return self.pieces_.piece_at(self._rows(X))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted model to one `.npz` file, without pickle; `load` reads it, no network is needed.

        A `random_state` that is not a whole number is kept as None. `ResultFileError` where it cannot be written.
        """
        check_is_fitted(self)
        save_estimator(self, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Return the fitted model in a file that `save` wrote; `ResultFileError` where there is none."""
        return load_estimator(cls, path)

    def _rows(self, X: ArrayLike) -> NDArray:
        check_is_fitted(self)
        return _validated(self, X, reset=False, dtype=[np.float64, np.float32])

    def _fit(self, sample: OutputSample, loss: Loss, start: NDArray, *, ridge_last: bool) -> GatedPieces:
        """Return pieces fitted to a sample; where the maps start, `start` replaces its outputs."""
        random = check_random_state(self.random_state)
        n, d = sample.z.shape[1:]
        every = sample.z.reshape(-1, d)
        gate = prototype_gate(sample.z[0], self.n_pieces, random)
        if self.epochs and not (ridge_last and len(gate[1]) == 1):
            slopes, offsets, _ = refit(sample.z[0], start[0], gate, self.alpha)
            schedule = Schedule(self.epochs, max(16, min(500, n // 20)), self.learning_rate, self.weight_decay)
            generator = np.random.default_rng(random.randint(2**31 - 1))
            gate, (slopes, offsets) = train(
                sample.z, sample.outputs, gate, (slopes, offsets), loss, schedule, generator
            )
            count = np.bincount(pieces_of(every, gate), minlength=len(gate[1]))
        if not self.epochs or ridge_last:
            slopes, offsets, count = refit(every, start.reshape(len(every), -1), gate, self.alpha)
        used = count > 0
        return GatedPieces(sample.mean, sample.basis, gate[0][used], gate[1][used], slopes[used], offsets[used])


class PiecewiseAffineRegressor(MultiOutputMixin, RegressorMixin, _Pieces):
    """Fits a function by k affine maps, each where a linear gate picks it, by least squares.

    The fitted model, `pieces_`, stands alone: piecewise affine on convex polyhedra, in general **not continuous** where
    two of them meet. A fit starts at k-means prototypes, trains gate and maps together while the gate hardens, and ends
    with an exact ridge regression of each map on the points (changed copies too) that fall to it. One piece is ridge
    regression.

    Parameters
    ----------
    n_pieces : int
        k. Pieces that no training point falls to are dropped: `n_pieces_` may be smaller.
    n_components : int
        At most so many principal directions of the inputs are read, scaled by the root of the mean variance along them.
    alpha : float
        Ridge penalty, in these coordinates, on the distance of each linear part from that of one map for all points
        (of that one, from zero), with targets divided by their standard deviation.
    epochs : int
        Passes of the joint training. 0: none; the gate picks the nearest k-means prototype.
    learning_rate : float
    weight_decay : float
        How strongly the joint training draws all parameters to zero.
    random_state : int, RandomState or None
        With an int, equal input gives an equal model, for any number of threads.

    Attributes
    ----------
    pieces_ : GatedPieces
    n_pieces_, n_features_in_ : int
    """

    def __init__(
        self,
        n_pieces: int = 10,
        *,
        n_components: int = 100,
        alpha: float = 1.0,
        epochs: int = 80,
        learning_rate: float = 0.006,
        weight_decay: float = 0.1,
        random_state: Any = None,
    ) -> None:
        self.n_pieces = n_pieces
        self.n_components = n_components
        self.alpha = alpha
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> Self:
        """Fit to targets y (N,) or (N, m) at rows X (N, n)."""
        X, y = _validated(self, X, y, dtype=[np.float64, np.float32], multi_output=True, y_numeric=True)
        check_settings(self, len(X))
        self.is_flat_ = y.ndim == 1
        with threadpool_limits(limits=1):  # the same sums on every machine
            self._fit_scaled(OutputSample.of(X, y.reshape(len(X), -1), self.n_components))
        return self

    def fit_outputs(self, sample: OutputSample) -> Self:
        """Fit to a network's outputs, as `sample_outputs` returns them."""
        check_settings(self, sample.z.shape[1])
        self.n_features_in_, self.is_flat_ = sample.mean.size, False
        with threadpool_limits(limits=1):
            self._fit_scaled(sample.leading(self.n_components))
        return self

    def predict(self, X: ArrayLike) -> FloatArray:
        """Return the values at rows X (N, n): (N,) where y was flat, else (N, m)."""
        rows = self._rows(X)
        values = self.pieces_(rows)
        return values[:, 0] if self.is_flat_ else values

    def _fit_scaled(self, sample: OutputSample) -> None:
        level = sample.outputs.mean(axis=(0, 1), dtype=np.float64)
        size = float(sample.outputs.std(dtype=np.float64)) or 1.0
        targets = ((sample.outputs - level) / size).astype(sample.outputs.dtype)
        fitted = self._fit(
            OutputSample(sample.mean, sample.basis, sample.z, targets), squared, targets, ridge_last=True
        )
        self.pieces_ = GatedPieces(
            fitted.mean,
            fitted.basis,
            fitted.gate_slopes,
            fitted.gate_offsets,
            fitted.slopes * size,
            fitted.offsets * size + level,
        )


class PiecewiseAffineClassifier(ClassifierMixin, _Pieces):
    """Classifies by k affine maps, one output a class, each map where a linear gate picks it.

    The fitted model, `pieces_`, stands alone: piecewise affine on convex polyhedra, in general **not continuous** where
    two of them meet. A fit starts at k-means prototypes with a ridge regression on the points nearest to each, and
    trains gate and maps together while the gate hardens. From labels (`fit`) it minimizes the cross-entropy; from a
    network (`fit_outputs`) that of the softmax of its outputs with the network's, plus a share of the squared distance.

    Parameters
    ----------
    n_pieces : int
        k. Pieces that no training point falls to are dropped: `n_pieces_` may be smaller.
    n_components : int
        At most so many principal directions of the inputs are read, scaled by the root of the mean variance along them.
    alpha : float
        Ridge penalty, in these coordinates, on the distance of each linear part from that of one map for all points, at
        the start.
    epochs : int
        Passes of the joint training. 0: none; the gate picks the nearest k-means prototype.
    learning_rate : float
    weight_decay : float
        How strongly the joint training draws all parameters to zero.
    squared_share : float
        Weight of half the squared distance to a network's outputs, divided by their variance.
    random_state : int, RandomState or None
        With an int, equal input gives an equal model, for any number of threads.

    Attributes
    ----------
    classes_ : ndarray, shape (m,)
        The labels; 0, 1, ... for the outputs of a network.
    pieces_ : GatedPieces
    n_pieces_, n_features_in_ : int
    """

    classes_: NDArray[Any]

    def __init__(
        self,
        n_pieces: int = 10,
        *,
        n_components: int = 100,
        alpha: float = 1.0,
        epochs: int = 80,
        learning_rate: float = 0.006,
        weight_decay: float = 0.1,
        squared_share: float = 0.03,
        random_state: Any = None,
    ) -> None:
        self.n_pieces = n_pieces
        self.n_components = n_components
        self.alpha = alpha
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.squared_share = squared_share
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> Self:
        """Fit to labels y (N,) at rows X (N, n)."""
        X, y = _validated(self, X, y, dtype=[np.float64, np.float32])
        check_classification_targets(y)
        check_settings(self, len(X))
        self.classes_, index = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ArgumentError("`y` holds one class. Classifier can't train when only one class is present.")
        shares = np.eye(len(self.classes_))[index]
        self.is_flat_ = False
        with threadpool_limits(limits=1):
            sample = OutputSample.of(X, shares, self.n_components)
            start = _LABEL_HEIGHT * (sample.outputs - 1.0 / len(self.classes_))
            self.pieces_ = self._fit(sample, classes, start, ridge_last=False)
        return self

    def fit_outputs(self, sample: OutputSample) -> Self:
        """Fit to a network's outputs, one a class, as `sample_outputs` returns them."""
        check_settings(self, sample.z.shape[1])
        m = sample.outputs.shape[2]
        if m < 2:
            raise DimensionError(
                "the network has one output; a classifier needs one output a class. Use `PiecewiseAffineRegressor`."
            )
        self.n_features_in_, self.is_flat_, self.classes_ = sample.mean.size, False, np.arange(m)
        loss = like_outputs(self.squared_share, float(sample.outputs.var(dtype=np.float64)) or 1.0)
        with threadpool_limits(limits=1):
            self.pieces_ = self._fit(sample.leading(self.n_components), loss, sample.outputs, ridge_last=False)
        return self

    def outputs(self, X: ArrayLike) -> FloatArray:
        """Return the values of the affine pieces at rows X (N, n): (N, m), one column a class."""
        rows = self._rows(X)
        return self.pieces_(rows)

    def decision_function(self, X: ArrayLike) -> FloatArray:
        """Return the outputs; with two classes their difference, (N,), as scikit-learn wants it."""
        values = self.outputs(X)
        return values[:, 1] - values[:, 0] if values.shape[1] == 2 else values

    def predict_proba(self, X: ArrayLike) -> FloatArray:
        """Return the softmax of the outputs, (N, m)."""
        return softmax(self.outputs(X))

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return the class of the largest output at each row; the first where outputs tie."""
        values = self.outputs(X)
        return self.classes_[values.argmax(axis=1)]
