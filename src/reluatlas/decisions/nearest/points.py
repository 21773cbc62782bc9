"""Which points decide otherwise, and are near? Upper bounds: found in float64, told exactly.

From a point the margin's map is followed to the nearest step at which it would be zero, over and over
[MoosaviDezfooliEtAl2016]; where that led across, the way back to x is halved for the first crossing.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from reluatlas.deadline import look
from reluatlas.decisions.nearest.ball import Around
from reluatlas.decisions.nearest.exactly import Exactly, Found, length_up
from reluatlas.decisions.nearest.targets import Target
from reluatlas.decisions.rows import margin_maps
from reluatlas.network.network import Network
from reluatlas.network.record import Breakpoints, Max
from reluatlas.network.values.float64 import outputs, pieces, values
from reluatlas.typing import FloatArray

_STEPS, _STARTS, _CUTS, _AT_MOST = 20, 6, 24, 12
_SURELY = 2.0**-40


class Points:
    """The nearest point so far at which a target is reached.

    Attributes
    ----------
    length : float
        Its distance, rounded up; inf while there is none.
    best : Found or None
    target : int
        The position of the target that it reaches; -1 while there is none.
    """

    def __init__(
        self, network: Network, around: Around, exact: Exactly, targets: Sequence[Target], basis: FloatArray | None,
        norm: float,
    ) -> None:  # fmt: skip
        self._network, self._around, self._exact, self._targets = network, around, exact, targets
        self._basis, self._norm = basis, norm
        self._factors = np.stack([t.row(network.n_outputs) for t in targets])
        self._shifts = np.array([t.shift for t in targets])
        self._rng = np.random.default_rng(0)
        self.length, self.best, self.target = float("inf"), None, -1

    def accept(self, found: Found, target: int) -> bool:
        """Take a point that reaches a target exactly, if it is nearer; return whether it is."""
        if self.best is not None and found.size >= self.best.size:
            return False
        self.best, self.target = found, target
        self.length = length_up(found.size, self._norm)
        return True

    def sizes(self, D: FloatArray) -> FloatArray:
        """Return the lengths of steps (N, k), in float64."""
        steps = D if self._basis is None else D @ self._basis
        return np.linalg.norm(steps, ord=self._norm, axis=1)

    def margins(self, Y: FloatArray) -> FloatArray:
        """Return by how much points (N, k) reach each target, in float64."""
        with np.errstate(all="ignore"):
            return outputs(self._network, Y) @ self._factors.T + self._shifts

    def begin(self) -> None:
        """Look from x along the maps of all targets, and from points around it."""
        n = len(self._targets)
        first = np.broadcast_to(self._around.x, (n, self._around.x.size))
        self.follow(first, np.arange(n))
        if not np.isfinite(self.length):
            self._anywhere()
        self.again(_STARTS)

    def again(self, n_starts: int) -> None:
        """Look from points at random around x, as far away as the best one."""
        if not np.isfinite(self.length):
            self._anywhere()
            return
        k, n = self._around.x.size, len(self._targets)
        steps = (
            self._rng.normal(size=(n_starts, k))
            if self._norm != np.inf
            else self._rng.choice([-1.0, 1.0], (n_starts, k))
        )
        steps *= (self.length / np.maximum(self.sizes(steps), 1e-300))[:, None] * self._rng.uniform(
            0.3, 1.2, (n_starts, 1)
        )
        order = self._likely(n)
        self.follow(np.repeat(self._around.x + self._clipped(steps), order.size, axis=0), np.tile(order, n_starts))

    def _likely(self, n: int) -> np.ndarray:
        order = np.argsort(-self.margins(self._around.x[None])[0], kind="stable")[:3]
        return np.unique(np.append(order, self.target)) if self.target >= 0 else order[:n]

    def _anywhere(self) -> None:
        """Look at points at random, near and far."""
        k = self._around.x.size
        scale = max(1.0, float(np.abs(self._around.x).max(initial=0.0)))
        far = np.exp2(self._rng.uniform(-6.0, 14.0, (256, 1)))
        Y = [self._around.x + self._clipped(far * scale * self._rng.normal(size=(256, k)))]
        if np.all(np.isfinite(self._around.up)):
            low, high = self._around.x - self._around.down, self._around.x + self._around.up
            Y.append(self._around.x + self._clipped(self._rng.uniform(low, high, (256, k)) - self._around.x))
            Y.append(
                self._around.x
                + self._clipped(np.where(self._rng.uniform(size=(64, k)) < 0.5, low, high) - self._around.x)
            )
        points = np.concatenate(Y)
        self.take(points)
        margins = self.margins(points)
        for j in range(len(self._targets)):
            best = np.argsort(-margins[:, j])[:4]
            self.follow(points[best], np.full(best.size, j))

    def _clipped(self, D: FloatArray) -> FloatArray:
        return np.clip(D, -self._around.down, self._around.up)

    def follow(self, Y: FloatArray, which: np.ndarray) -> None:
        """Follow the maps of targets `which` (N,) from points (N, k)."""
        x, here = self._around.x, np.array(Y)
        for _ in range(_STEPS):
            look()
            at = self._maps(here, which)
            if at is None:
                return
            W, value = at
            steps = np.stack([
                self._around.foot(W[i], float(value[i]) - _SURELY * abs(float(value[i]))) for i in range(len(here))
            ])  # fmt: skip
            made = x + self._clipped(steps * (1.0 + 2.0**-30))
            if not np.all(np.isfinite(made)):
                return
            crossed: FloatArray = self.take(made)
            moved = np.abs(made - here).max() > 1e-9 * (1.0 + np.abs(x).max())
            here = np.where(np.isnan(crossed), made, crossed)
            if not moved:
                return

    def _maps(self, Y: FloatArray, which: np.ndarray) -> tuple[FloatArray, FloatArray] | None:
        """Return weights of margins at points, and the values that their maps have at x."""
        found = values(self._network, Y)
        choice = {}
        for t in self._network.cuts:
            node = self._network.nodes[t]
            assert isinstance(node, Breakpoints | Max)
            choice[t] = pieces(node, found[node.input]).astype(np.int64)
        maps = margin_maps(self._network, self._factors[which], choice, len(Y))
        value = maps.constants + maps.weights @ self._around.x + self._shifts[which]
        if not (np.all(np.isfinite(maps.weights)) and np.all(np.isfinite(value))):
            return None
        return np.asarray(maps.weights), value

    def take(self, Y: FloatArray) -> FloatArray:
        """Look at points of the domain (N, k); return where the ways to them first cross, nearer than the best point.

        NaN where they do not.
        """
        out: FloatArray = np.full(Y.shape, np.nan)
        # where the best distance is reached on the way, or at the end
        sizes = np.maximum(self.sizes(Y - self._around.x), 1e-300)
        with np.errstate(invalid="ignore"):
            shares = np.minimum(1.0, self.length * (1.0 - 2.0**-40) / sizes)[:, None]
        margins = self.margins(np.where(shares < 1.0, self._around.x + shares * (Y - self._around.x), Y))
        across = np.flatnonzero(margins.max(axis=1) >= 0.0)
        near = across[np.argsort(self.sizes(Y[across] - self._around.x), kind="stable")][:_AT_MOST]
        for i in near.tolist():
            out[i] = self._first(Y[i])
        known = near[np.argsort(self.sizes(out[near] - self._around.x), kind="stable")]
        for i in known.tolist():
            if float(self.sizes((out[i] - self._around.x)[None])[0]) < self.length * (1.0 - 2.0**-40):
                self._settle(out[i])
        return out

    def _first(self, y: FloatArray) -> FloatArray:
        """Return the first point on the way from x to y at which a target is reached, nearly."""
        x, low, high = self._around.x, 0.0, 1.0
        while high - low > 2.0**-44:
            shares = np.linspace(low, high, _CUTS)
            line = x + shares[:, None] * (y - x)
            line[shares == 1.0] = y
            hit = np.flatnonzero(self.margins(line).max(axis=1) >= 0.0)
            i = int(hit[0]) if hit.size else len(line) - 1
            if i == 0:
                return line[0]
            low, high = float(shares[i - 1]), float(shares[i])
        return y if high == 1.0 else x + high * (y - x)

    def _settle(self, y: FloatArray) -> None:
        """Take a point if it reaches a target exactly; it or one a little further out."""
        x = self._around.x
        for beyond in (0.0, 2.0**-44, 2.0**-36, 2.0**-28, 2.0**-20):
            u = x + self._clipped((y - x) * (1.0 + beyond))
            u = self.inside(u)
            found = self._exact.outputs(u)
            reached = [j for j, t in enumerate(self._targets) if t.margin(found) >= 0]
            if reached:
                self.accept(Found(self._exact.size(u), tuple(map(Fraction, u.tolist()))), reached[0])
                return

    def inside(self, u: FloatArray) -> FloatArray:
        """Return the point of the domain next to coordinates (k,)."""
        return np.clip(u, self._exact.low, self._exact.high)

    def witness(self) -> FloatArray:
        """Return a float64 point next to the best one that reaches its target, if there is one.

        It lies a little further out, where the target is reached by more than a forward pass in float32 rounds.
        """
        assert self.best is not None
        x = self._around.x
        p = np.array([float(v) for v in self.best.point])
        target, reached = self._targets[self.target], None
        for beyond in (0.0, *(2.0 ** (e - 52) for e in range(0, 44, 2))):
            u = self.inside(x + (p - x) * (1.0 + beyond))
            outputs_at = self._exact.outputs(u)
            margin = target.margin(outputs_at)
            if margin >= 0 and reached is None:
                reached = u
            if margin > Fraction(2.0**-18) * max(map(abs, outputs_at)):
                return u
        return self.inside(p) if reached is None else reached
