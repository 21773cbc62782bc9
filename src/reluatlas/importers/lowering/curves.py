"""What is a piecewise-linear function of one variable that may jump? Lines between knots, in ratios of integers.

Models write ReLU as `where(h > 0, h, 0)` or `h * (h > 0)`: a comparison jumps, what is made of it need not. All of
it is computed here without rounding, so that "continuous" is decided, never judged by a tolerance.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

Line = tuple[Fraction, Fraction]  # slope, intercept
ZERO = Fraction(0)


class NotLinearError(Exception):
    """A product of two pieces that both have a slope."""


@dataclass(frozen=True)
class Curve:
    """A piecewise-linear function of one variable.

    Attributes
    ----------
    knots : tuple of Fraction
        Ascending strictly.
    lines : tuple of (slope, intercept)
        Of the piece below the first knot, the first knot itself, the piece behind it, and so on: one more than
        twice the knots. The line of a knot has slope 0.
    """

    knots: tuple[Fraction, ...]
    lines: tuple[Line, ...]

    def __call__(self, z: Fraction) -> Fraction:
        """Return the value at a point."""
        slope, shift = self.lines[self._place(z)]
        return slope * z + shift

    def line(self, z: Fraction) -> Line:
        """Return the line of the piece that holds a point, of which the point is no knot."""
        return self.lines[self._place(z)]

    def _place(self, z: Fraction) -> int:
        i = bisect_left(self.knots, z)
        return 2 * i + 1 if i < len(self.knots) and self.knots[i] == z else 2 * i

    @property
    def is_step(self) -> bool:
        """Whether every piece is constant."""
        return not any(slope for slope, _ in self.lines)

    def jump(self) -> tuple[Fraction, Fraction, Fraction] | None:
        """Return the first knot where the function jumps and the values on either side, or None."""
        for i, k in enumerate(self.knots):
            left, here, right = (s * k + c for s, c in self.lines[2 * i : 2 * i + 3])
            if left != here or right != here:
                return k, left, right if right != left else here
        return None


def linear(slope: Fraction | int = 1, shift: Fraction | int = 0) -> Curve:
    """Return `slope * z + shift`."""
    return Curve((), ((Fraction(slope), Fraction(shift)),))


def step(below: int, at: int, above: int) -> Curve:
    """Return a function that is constant below 0, at 0 and above 0."""
    return Curve((ZERO,), tuple((ZERO, Fraction(v)) for v in (below, at, above)))


def joined(curves: Sequence[Curve], rule: Callable[..., Line]) -> Curve:
    """Return the function whose lines are `rule` of the curves' lines, knots where it does not change dropped."""
    knots = sorted({k for c in curves for k in c.knots})
    return _assembled(
        knots,
        lambda z: rule(*(c.line(z) for c in curves)),
        lambda k: rule(*((ZERO, c(k)) for c in curves))[1],
    )


def composed(outer: Curve, inner: Curve) -> Curve:
    """Return `outer(inner(z))`."""
    knots = set(inner.knots)
    for i, (slope, shift) in enumerate(inner.lines[::2]):
        if slope:
            low = inner.knots[i - 1] if i else None
            high = inner.knots[i] if i < len(inner.knots) else None
            reached = ((k - shift) / slope for k in outer.knots)
            knots.update(z for z in reached if (low is None or z > low) and (high is None or z < high))

    def line(z: Fraction) -> Line:
        slope, shift = inner.line(z)
        if not slope:
            return ZERO, outer(shift)
        s, c = outer.line(slope * z + shift)
        return s * slope, s * shift + c

    return _assembled(sorted(knots), line, lambda k: outer(inner(k)))


def _assembled(knots: list[Fraction], line: Callable[[Fraction], Line], value: Callable[[Fraction], Fraction]) -> Curve:
    if not knots:
        return Curve((), (line(ZERO),))
    between = [knots[0] - 1, *((a + b) / 2 for a, b in pairwise(knots)), knots[-1] + 1]
    kept: list[Fraction] = []
    lines = [line(between[0])]
    for k, z in zip(knots, between[1:], strict=True):
        left, here, right = lines[-1], value(k), line(z)
        if left == right and left[0] * k + left[1] == here:
            continue
        kept.append(k)
        lines += [(ZERO, here), right]
    return Curve(tuple(kept), tuple(lines))


def total(*lines: Line) -> Line:
    """Return the sum of lines."""
    return sum((s for s, _ in lines), ZERO), sum((c for _, c in lines), ZERO)


def product(a: Line, b: Line) -> Line:
    """Return the product of two lines.

    Raises
    ------
    NotLinearError
        When neither is constant.
    """
    if a[0] and b[0]:
        raise NotLinearError
    return (a[1] * b[0], a[1] * b[1]) if not a[0] else (b[1] * a[0], b[1] * a[1])


def selected(condition: Line, a: Line, b: Line) -> Line:
    """Return the first line where a condition, which is constant, is not 0, else the second."""
    if condition[0]:
        raise NotLinearError
    return a if condition[1] else b
