"""How far is the nearest point of another class? `nearest_class`: two numbers, equal once the search has ended."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike

from reluatlas.cells.chart import chart_of
from reluatlas.cells.coordinates import coordinates_of
from reluatlas.deadline import NEVER, Deadline, grace, under
from reluatlas.decisions.nearest.answer import NearestClass
from reluatlas.decisions.nearest.ball import Around
from reluatlas.decisions.nearest.crossing import crosses
from reluatlas.decisions.nearest.everywhere import nearest_of_all
from reluatlas.decisions.nearest.exactly import Exactly, Found
from reluatlas.decisions.nearest.points import Points
from reluatlas.decisions.nearest.search import BallSearch, Search
from reluatlas.decisions.nearest.targets import targets_of
from reluatlas.domain import Domain, Slice, Space
from reluatlas.errors import ArgumentError, DimensionError, TimeLimitError
from reluatlas.memory import in_a_sentence
from reluatlas.network.network import Network, require_network
from reluatlas.progress import Progress, tells
from reluatlas.typing import FloatArray

_FIRST_PARTS = 64
_APART = 1.02
_FARTHEST = 2.0**40
_ENUMERABLE = 6


@in_a_sentence
@tells("parts", "share")
def nearest_class(
    net: Network,
    x: ArrayLike,
    *,
    norm: float = 2,
    domain: Domain | None = None,
    against: int | str | Iterable[int | str] | None = None,
    level: tuple[int, float] | None = None,
    max_parts: int | None = None,
    max_seconds: float | None = None,
    progress: Progress = None,
) -> NearestClass:
    """Return how far the nearest point is at which another class is as large as that of x: bounds, and a witness.

    With c the class of x, the distance is that of x to the closed set of points y of the domain at which
    `f_j(y) >= f_c(y)` for some other class j; 0 where x ties itself, `inf` where there is no such point. It is
    measured in the units of the inputs, on slices, too.

    Parameters
    ----------
    net : Network
    x : array_like, of an input's shape or (n_inputs,)
        One point, in input units: before a `mean` and `std` with which the network was loaded. On a slice also (k,),
        its coordinates.
    norm : 1, 2 or inf
    domain : Box, Slice or Space, optional
        Where the point may be: the whole input space when None. Images want `Box(0, 1, dim=n)`.
    against : class, or several, optional
        Look for these only, by number or name.
    level : (int, float), optional
        In place of classes: an output of a regression, and a value. The distance is that of the closed set where the
        output is on the other side of the value than at x, or at it.
    max_parts : int, optional
        The search stops after so many parts of balls, with the bounds it has: the same ones each time.
    max_seconds : float, optional
        The search stops in time, with the bounds it has.
    progress : bool or callable(what, done, share), optional
        True shows a bar; the share is that of the lower bound in the upper one.

    Returns
    -------
    NearestClass

    Raises
    ------
    ArgumentError
        When there is no such norm, class or output, or the outputs are no classes.
    DimensionError, NonFiniteError, DomainError
        When the point does not fit the network, or is outside of the domain.

    Guarantees
    ----------
    At every stop no such point is nearer than `lower_bound`, and one is at `upper_bound`. When `is_exact` both are the
    exact distance, rounded once; `size` holds it as a ratio (its square in the Euclidean norm) and `point` where it is.
    Deterministic but for a limit of time.

    Cost
    ----
    Exponential in the units that can change within the distance, at worst. Networks of some dozens of units take
    seconds; of hundreds, expect bounds that stay apart.

    References
    ----------
    [TjengEtAl2019] for exact distances, [ZhangEtAl2018] for the relaxations, [GoldfarbIdnani1983] for the point.

    Examples
    --------
    >>> import reluatlas as ra
    >>> net = ra.load([([[1.0, 0.0], [0.0, 1.0]], [0.0, 0.0]), ([[1.0, 0.0], [0.0, 1.0]], [1.0, 0.0])])
    >>> near = ra.nearest_class(net, [1.0, 1.0], norm=float("inf"))  # relu(y) = relu(x) + 1
    >>> near.lower_bound, near.upper_bound, near.point
    (0.5, 0.5, (Fraction(1, 2), Fraction(3, 2)))
    """
    require_network(net)
    if isinstance(norm, bool) or norm not in (1, 2, np.inf):
        raise ArgumentError(f"`norm={norm!r}` is not there. Pass 1, 2 or `float('inf')`.")
    if max_parts is not None and (isinstance(max_parts, bool) or not isinstance(max_parts, int) or max_parts < 1):
        raise ArgumentError(f"`max_parts={max_parts!r}` must be a whole number of at least 1, or None for no limit.")
    with under(Deadline.after(max_seconds)):
        return _Run(net, x, float(norm), domain, against, level, max_parts, progress).run()


class _Run:
    def __init__(
        self, net: Network, x: ArrayLike, norm: float, domain: Domain | None, against: object, level: object,
        max_parts: int | None, progress: Progress,
    ) -> None:  # fmt: skip
        self._net, self._norm, self._told = net, norm, progress
        self._chart = chart_of(net, domain)
        self._domain = self._chart.domain
        self._u = _coordinates(net, self._domain, x)
        local = self._chart.local
        k = self._u.size
        basis = self._domain.basis if isinstance(self._domain, Slice) else None
        if isinstance(self._domain, Space):
            low, high = np.full(k, -np.inf), np.full(k, np.inf)
        else:
            low, high = self._domain.box.low, self._domain.box.high
        self._low, self._high = low, high
        up = np.nextafter(high - self._u, np.inf) * (high > self._u)
        down = np.nextafter(self._u - low, np.inf) * (low < self._u)
        up, down = np.where(np.isnan(up), 0.0, up), np.where(np.isnan(down), 0.0, down)
        reach = np.ones(k) if basis is None else _reach(basis, norm)
        self._around = Around(self._u, up, down, norm if basis is None else np.inf, reach)
        self._exact = Exactly(local, self._u, low, high, norm, basis)
        here = self._exact.outputs(self._u)
        self._label, self._targets = targets_of(net, here, against, level)
        self._here = here
        self._points = Points(local, self._around, self._exact, self._targets, basis, norm)
        self._search = Search(local, self._around, self._exact, self._targets, self._points, norm)
        self._lower, self._stopped, self._exactly = 0.0, "", False
        self._max_parts = max_parts

    def run(self) -> NearestClass:
        for j, target in enumerate(self._targets):
            if target.margin(self._here) >= 0:
                self._points.accept(Found(Fraction(0), self._exact.x), j)
                self._exactly = True
                return self._answer()
        try:
            self._points.begin()
            self._bounds()
        except TimeLimitError:
            self._stopped = "max_seconds"
        except _Enough:
            self._stopped = "max_parts"
        with grace(NEVER):
            return self._answer()

    def _bounds(self) -> None:
        points = self._points
        if not np.isfinite(points.length) and not self._grow():
            return
        budget = _FIRST_PARTS
        end = min(points.length, self._farthest())
        self._closer(0)
        whole = self._ball(end)
        while True:
            if self._spend(whole, budget):
                self._exactly = whole.is_settled
                return
            if points.length < 0.9 * whole.radius:
                whole = self._ball(points.length)
                continue
            self._closer(budget)
            points.again(2)
            budget *= 2

    def _closer(self, budget: int) -> None:
        """Raise the lower bound by smaller balls, as long as they end within a budget."""
        while self._lower * _APART < (end := min(self._points.length, self._farthest())):
            low = max(self._lower, end * 2.0**-8)
            ball = self._ball(float(np.sqrt(low * end)) if low < 0.5 * end else 0.5 * (low + end))
            if not self._spend(ball, budget):
                return
            if not ball.is_settled:
                return

    def _ball(self, radius: float) -> BallSearch:
        return BallSearch(self._search, radius)

    def _spend(self, ball: BallSearch, budget: int) -> bool:
        """Go on with a ball; return whether it is done."""
        left = float("inf") if self._max_parts is None else self._max_parts - self._search.n_parts
        if left <= 0:
            raise _Enough
        budget = int(min(budget, left))
        try:
            ball.go_on(budget, self._tell)
        finally:
            self._lower = max(self._lower, min(ball.lower, self._points.length))
        self._tell()
        return ball.is_done

    def _grow(self) -> bool:
        """Look in larger and larger balls while nothing is found; return whether something was, or may be."""
        farthest = self._farthest()
        if np.isfinite(farthest):
            return True
        radius = max(1.0, float(np.abs(self._u).max(initial=0.0))) / 4.0
        if self._u.size <= _ENUMERABLE:
            found = nearest_of_all(self._chart.local, self._exact, self._targets)
            if not isinstance(found, bool):
                self._points.accept(*found)
            if found is not True:
                self._exactly = True
                return False
        while radius < _FARTHEST:
            ball = self._ball(radius)
            budget = _FIRST_PARTS
            while not self._spend(ball, budget):
                self._points.again(2)
                budget *= 2
            if np.isfinite(self._points.length):
                return True
            if not ball.is_settled:
                break
            if ball.lower == np.inf:
                return False
            radius *= 2.0
        self._stopped = "out of reach"
        return False

    def _farthest(self) -> float:
        """How far the domain reaches at most, rounded up."""
        most = np.maximum(self._around.up, self._around.down)
        if not np.all(np.isfinite(most)):
            return float("inf")
        if isinstance(self._domain, Slice):
            far = most @ np.abs(self._domain.basis)
            return float(far.sum()) * (1.0 + 1e-9)
        return float(np.linalg.norm(most, ord=self._norm)) * (1.0 + 1e-9)

    def _tell(self) -> None:
        if self._told is not None:
            share = self._lower / self._points.length if 0.0 < self._points.length < np.inf else 0.0
            self._told(self._search.n_parts, share)  # type: ignore[operator, call-arg, misc]

    def _answer(self) -> NearestClass:
        points, local = self._points, self._chart.local
        witness, rises = None, None
        best = points.best
        if best is not None:
            inner = points.witness()
            target = self._targets[points.target]
            tries = [tuple(map(Fraction, inner.tolist()))]
            with under(Deadline.after(_FOR_CROSSING)):
                try:
                    rises = crosses(local, best.point, target, self._low, self._high, tries)
                except TimeLimitError:
                    rises = None
            witness = inner
        if best is None and self._exactly:
            self._lower = float("inf")
        return NearestClass.of(
            self._net, self._domain, self._u, self._norm, self._label, points, self._targets, witness,
            self._exact, self._lower, self._exactly, rises, self._search.n_parts, self._stopped,
        )  # fmt: skip


_FOR_CROSSING = 2.0


class _Enough(Exception):
    """So many parts were looked at as may be."""


def _coordinates(net: Network, domain: Domain, x: ArrayLike) -> FloatArray:
    if isinstance(domain, Slice):
        array = np.asarray(x, dtype=np.float64)
        flat = array.reshape(1, -1)
        if flat.shape[1] not in (domain.dim, net.n_inputs):
            raise DimensionError(
                f"`x` has {flat.shape[1]} numbers; expected one point of {net.n_inputs} inputs, or of the "
                f"{domain.dim} coordinates of the slice."
            )
        return coordinates_of(domain, flat, "x")[0]
    rows, _ = net.points(x)
    if len(rows) != 1:
        raise DimensionError(f"`x` holds {len(rows)} points; expected one. Ask for each by itself.")
    return coordinates_of(domain, rows, "x")[0]


def _reach(basis: FloatArray, norm: float) -> FloatArray:
    """Return how far each coordinate of a slice moves at most in a step of length 1 in the inputs, rounded up."""
    inverse = np.linalg.pinv(basis)
    off = np.abs(basis @ inverse - np.eye(len(basis))).sum(axis=0).max() + 1e-12
    dual = 2 if norm == 2 else (np.inf if norm == 1 else 1)
    sizes = np.linalg.norm(inverse, ord=dual, axis=0)
    if not off < 0.5:
        raise ArgumentError("`domain` has a basis too close to dependent for distances. Pass a `Slice.through` points.")
    return (sizes + off * sizes.max() / (1.0 - off)) * (1.0 + 1e-9)
