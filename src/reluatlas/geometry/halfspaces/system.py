"""Which side of each row is a point on? Polyhedra {z : A z <= b} whose float64 rows carry bounds on their errors.

Rows that hold one coordinate between two numbers are kept as bounds: a box of 784 sides is two vectors. Constraints
are numbered: rows first, then the lower bounds of coordinates 0, 1, ..., then the upper bounds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from reluatlas.arithmetic.rationals import Coordinates, Ratio, WholeRow, ratio_of, to_floats
from reluatlas.deadline import look

FloatArray = NDArray[np.float64]
_SLACK = 1 + 2.0**-30
_LOST = 2.0**-900  # more than sums of products lose by underflow


@dataclass(frozen=True, eq=False)
class Halfspaces:
    """The polyhedron `{x : A x <= b}`.

    Attributes
    ----------
    A : ndarray, shape (p, k)
    b : ndarray, shape (p,)
    """

    A: FloatArray
    b: FloatArray

    def __len__(self) -> int:
        return self.b.size

    def __repr__(self) -> str:
        return f"Halfspaces({len(self)} rows in dimension {self.A.shape[1]})"


@dataclass(eq=False)
class System:
    """The polyhedron `{z : G z <= h, lower <= z <= upper}`, with a point strictly inside.

    Attributes
    ----------
    G, h : ndarray, shapes (g, k) and (g,)
        Rows in float64, of lengths far from the ends of its range; h is infinite where it is beyond float64.
    error : ndarray, shape (g,)
        Bound on the error of each coefficient of a row, and of its `h`.
    lower, upper : ndarray, shape (k,)
        Exact bounds; -inf and inf where there is none.
    exactly : callable
        `exactly(i)` is row i in whole numbers.
    inside : ndarray or sequence of Fraction
        A point that satisfies everything strictly.
    """

    G: FloatArray
    h: FloatArray
    error: FloatArray
    lower: FloatArray
    upper: FloatArray
    exactly: Callable[[int], WholeRow]
    inside: Coordinates
    n_settled: int = 0
    _rows: dict[int, WholeRow] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.norms = np.linalg.norm(self.G, axis=1)

    @property
    def k(self) -> int:
        """Number of coordinates."""
        return self.lower.size

    @property
    def g(self) -> int:
        """Number of rows that are no bounds."""
        return self.h.size

    def constraints(self) -> list[int]:
        """Return the numbers of all constraints."""
        g, k = self.g, self.k
        low, high = np.flatnonzero(np.isfinite(self.lower)), np.flatnonzero(np.isfinite(self.upper))
        return [*range(g), *(g + low).tolist(), *(g + k + high).tolist()]

    def row(self, c: int) -> WholeRow:
        """Return constraint `c` in whole numbers."""
        if c not in self._rows:
            look()
            if c < self.g:
                self._rows[c] = self.exactly(c)
            else:
                j, is_upper = (c - self.g) % self.k, c >= self.g + self.k
                top, bottom = float((self.upper if is_upper else self.lower)[j]).as_integer_ratio()
                a = [0] * self.k
                a[j] = bottom if is_upper else -bottom
                self._rows[c] = WholeRow(a, top if is_upper else -top, Fraction(bottom))
        return self._rows[c]

    def signs(self, Z: FloatArray) -> NDArray[np.int8]:
        """Return the exact sign of `h - G z` at float64 points Z (T, k): (T, g)."""
        if self.g == 0:
            return np.zeros((Z.shape[0], 0), dtype=np.int8)
        with np.errstate(all="ignore"):
            value = self.h - Z @ self.G.T
            length = np.linalg.norm(Z, axis=1)
            rounding = (self.k + 8.0) * 2.0**-52 * (length[:, None] * self.norms + np.abs(self.h) + np.abs(value))
            bound = (rounding + self.error * (np.abs(Z).sum(axis=1)[:, None] + 1.0)) * _SLACK + _LOST
            doubt = ~(np.abs(value) > bound)
            out = np.where(doubt, 0, np.sign(value)).astype(np.int8)
        for t in np.flatnonzero(doubt.any(axis=1)).tolist():
            z = ratio_of(Z[t])
            for i in np.flatnonzero(doubt[t]).tolist():
                slack = self.row(i).slack(z)
                out[t, i] = (slack > 0) - (slack < 0)
                self.n_settled += 1
        return out

    def signs_at(self, at: Ratio) -> dict[int, int]:
        """Return the exact sign of the slack of every constraint at an exact point."""
        sure = self._sure_signs(at)
        out = dict(enumerate(sure.tolist()))
        for c in np.flatnonzero(sure == 0).tolist():
            out[c] = _sign(self.row(c).slack(at))
            self.n_settled += 1
        return out | {c: _sign(self.row(c).slack(at)) for c in self.constraints()[self.g :]}

    def holds_at(self, at: Ratio) -> bool:
        """Return whether an exact point satisfies every constraint."""
        sure = self._sure_signs(at)
        if np.any(sure < 0):
            return False
        open_ = [*np.flatnonzero(sure == 0).tolist(), *self.constraints()[self.g :]]
        return all(self.row(c).slack(at) >= 0 for c in open_)

    def _sure_signs(self, at: Ratio) -> NDArray[np.int8]:
        """Return the signs of the slacks of all rows at an exact point; 0 where float64 cannot tell."""
        if self.g == 0:
            return np.zeros(0, dtype=np.int8)
        z = to_floats(at.fractions)
        with np.errstate(all="ignore"):
            value, length = self.h - self.G @ z, float(np.linalg.norm(z))
            # as in `signs`, and once more for the rounding of the point
            rounding = (self.k + 9.0) * 2.0**-52 * (length * self.norms + np.abs(self.h) + np.abs(value))
            bound = (rounding + self.error * (np.abs(z).sum() + 1.0)) * _SLACK + _LOST
            return np.where(np.abs(value) > bound, np.sign(value), 0).astype(np.int8)

    def violated(self, Z: FloatArray) -> list[set[int] | None]:
        """Return, for each float64 point, the constraints that it violates; None when it lies on some constraint."""
        signs = self.signs(Z)
        below, above = self.lower > Z, self.upper < Z
        on = (signs == 0).any(axis=1) | ((self.lower == Z) | (self.upper == Z)).any(axis=1)
        out: list[set[int] | None] = [None if lies else set() for lies in on.tolist()]
        g, k = self.g, self.k
        for first, wrong in ((0, signs < 0), (g, below), (g + k, above)):
            for t, i in zip(*(index.tolist() for index in np.nonzero(wrong)), strict=True):
                if (outside := out[t]) is not None:
                    outside.add(first + i)
        return out

    def violated_by(self, z: Ratio, constraints: Iterable[int]) -> set[int] | None:
        """Return what `violated` does, for an exact point and some of the constraints."""
        out = set()
        for c in constraints:
            slack = self.row(c).slack(z)
            if slack == 0:
                return None
            if slack < 0:
                out.add(c)
        return out

    def is_inside(self, z: Coordinates) -> bool:
        """Return whether a point satisfies everything strictly."""
        if isinstance(z, np.ndarray):
            return bool(np.all(np.isfinite(z))) and self.violated(z[None]) == [set()]
        return self.violated_by(ratio_of(z), self.constraints()) == set()

    @property
    def center(self) -> FloatArray:
        """The point inside, in float64."""
        return self.inside if isinstance(self.inside, np.ndarray) else to_floats(self.inside)

    def slacks(self, z: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return float64 `h - G z`, `z - lower` and `upper - z`."""
        return self.h - self.G @ z, z - self.lower, self.upper - z


def _sign(value: Fraction | int) -> int:
    return (value > 0) - (value < 0)
