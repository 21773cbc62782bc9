"""Where do two networks differ most, as far as points tell? Lower ends: found in float64, told in fractions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from reluatlas.arithmetic.rationals import to_floats
from reluatlas.comparison.exact import ExactAt, Values
from reluatlas.comparison.largest import down_to_float
from reluatlas.comparison.norms import Norm, bounds_of, norm_of
from reluatlas.comparison.refinement import Refinement
from reluatlas.domain import Box, Slice
from reluatlas.network.values.float64 import outputs
from reluatlas.typing import FloatArray

_FIRST, _KEPT, _STEPS, _WAYS = 2_048, 16, 60, 16
_MOST_NUMBERS = 2**21
_BETTER = 1.0 + 1e-12
"""By how much a float64 value must be above the best exact one to be worked out exactly."""


class Witnesses:
    """The best points so far: over all outputs, and of each.

    Attributes
    ----------
    lower : float
        What |f - g| certainly reaches, in the norm.
    each : ndarray, shape (m,)
        What each output's reaches.
    points : list of ndarray or None
        Where it does, in the domain's coordinates, rounded.
    vertex : tuple of Fraction or None
        Where `lower` is reached.
    values : Values or None
        Both networks there, exactly.
    """

    def __init__(self, both: Refinement, domain: Box | Slice, norm: Norm, exact: ExactAt) -> None:
        self._both, self._domain, self._exact = both, domain, exact
        self._norm: Norm = norm
        self._rng = np.random.default_rng(0)
        self.lower, self.each = 0.0, np.zeros(both.m)
        self.points: list[FloatArray | None] = [None] * both.m
        self.vertex: tuple[Fraction, ...] | None = None
        self.values: Values | None = None

    def begin(self) -> None:
        """Look at random points of the whole domain, and climb from the best ones."""
        k = self._domain.dim
        n = int(np.clip(_MOST_NUMBERS // max(1, self._both.f.n_inputs), 64, _FIRST))
        low, high = self._domain.box.low, self._domain.box.high
        U = low + self._rng.uniform(size=(n, k)) * (high - low)
        sizes = self.take(U)
        best = np.argsort(-sizes, kind="stable")[:_KEPT]
        self.climb(U[best])

    def climb(self, starts: FloatArray) -> None:
        """Try steps from points (n, k), longer where that led up, else shorter."""
        low, high = self._domain.box.low, self._domain.box.high
        k, here = low.size, np.clip(starts, low, high)
        rows = np.arange(len(here))
        values, step = self._sizes(here), np.full(len(here), 0.25)
        for _ in range(_STEPS):
            ways = self._ways(len(here), k) * step[:, None, None]
            tried = np.clip(here[:, None] + (high - low) * ways, low, high)
            sizes = self._sizes(tried.reshape(-1, k)).reshape(len(here), -1)
            best = sizes.argmax(axis=1)
            better = sizes[rows, best] > values
            here = np.where(better[:, None], tried[rows, best], here)
            values = np.where(better, sizes[rows, best], values)
            step = np.where(better, 1.5 * step, step / 3.0)
        self.take(here)

    def _ways(self, n: int, k: int) -> FloatArray:
        """Return steps (n, ways, k): up and down along coordinates, all or some, and others at random."""
        axes = np.concatenate([np.eye(k), -np.eye(k)])
        if 2 * k > _WAYS:
            axes = axes[self._rng.permutation(2 * k)[:_WAYS]]
        others = self._rng.normal(size=(n, _WAYS, k))
        others /= np.abs(others).max(axis=2, keepdims=True)
        return np.concatenate([np.broadcast_to(axes, (n, *axes.shape)), others], axis=1)

    def take(self, U: FloatArray) -> FloatArray:
        """Look at points (n, k) of the domain; return the norm of the difference at each, in float64."""
        apart = self._apart(U)
        sizes = norm_of(apart, self._norm)
        best = int(sizes.argmax())
        if sizes[best] > self.lower * _BETTER:
            self.settle(U[best])
        for o in np.flatnonzero(apart.max(axis=0) > self.each * (1.0 + 1e-3)).tolist():
            self.settle(U[int(apart[:, o].argmax())])
        return sizes

    def settle(self, u: FloatArray) -> None:
        """Work out exactly what the difference is at coordinates (k,)."""
        exactly = tuple(map(Fraction, u.tolist()))
        self.accept(self._exact.at_coordinates(exactly), exactly)

    def accept(self, values: Values, vertex: tuple[Fraction, ...]) -> None:
        """Take exact values at a point of the domain, given by its coordinates."""
        sizes = values.difference
        value = down_to_float(bounds_of(sizes, self._norm)[0])
        for o, size in enumerate(sizes):
            down = down_to_float(abs(size))
            if down > self.each[o] or self.points[o] is None:
                self.each[o], self.points[o] = down, to_floats(vertex)
        if self.values is None or value > self.lower:
            self.lower, self.vertex, self.values = value, vertex, values

    def _sizes(self, U: FloatArray) -> FloatArray:
        return norm_of(self._apart(U), self._norm)

    def _apart(self, U: FloatArray) -> FloatArray:
        X = np.asarray(self._domain.embed(U))
        with np.errstate(all="ignore"):
            found = np.abs(outputs(self._both.f, X) - outputs(self._both.g, X))
        return np.where(np.isfinite(found), found, 0.0)
