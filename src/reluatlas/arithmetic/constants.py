"""By how much must a bound exceed what rounding can do? Each constant of the error bounds, with the proof of its use.

The model is that of IEEE 754 in float64, rounded to the nearest (Higham, *Accuracy and Stability of Numerical
Algorithms*, 2nd ed., chapter 2): for each of + - * /

    fl(a op b) = (a op b) (1 + d) + e,   |d| <= U = 2^-53,   |e| <= 2^-1075,

where e is 0 but for products and quotients that underflow. A sum of n products, in any order, is off by at most
gamma(n) = n U / (1 - n U) times the sum of the magnitudes, and by n 2^-1075 (ibid., 3.1).

Three kinds of constants follow, and every bound is `(terms + spare) * unit * magnitudes * slack + floor`:

*Units.* With `EPSILON` = 2 U nothing else is needed for the sum itself: (n + c) 2 U >= gamma(n + c) as long as
(n + c) U <= 1/2. With `UNIT_ROUNDOFF` = U the gap between n U and gamma(n), a factor 1 / (1 - n U), is the slack's.

*Slacks.* The bound is itself computed in float64. It is made of m sums, products and quotients of numbers that are not
negative, each of which may be rounded down, so what is computed is at least (1 - U)^m of what is meant. A slack 1 + s
makes up for that, its own product included, as long as (1 + s) (1 - U)^(m + 1) >= 1, for which s / (1 + s) >= (m + 1) U
is enough. `OPERATIONS` says how many operations each slack covers; `tests/unit/arithmetic/test_constants.py` checks it.

*Floors.* What underflows is at most 2^-1075 a product. A floor f covers n products when f >= n 2^-1075; a floor of
2^-1000 covers 2^75 of them. Floors are added where a bound may be a number that is not 0 and yet underflows.
"""

from __future__ import annotations

UNIT_ROUNDOFF = 2.0**-53
"""U: the largest relative error of one operation."""

EPSILON = 2.0**-52
"""2 U: what a sum of n terms is off by, for each term and magnitude, without further care."""

SMALLEST = 2.0**-1074
"""The least positive number: twice what a product may lose by underflow."""

SLACK = 1 + 2.0**-40
"""For the bounds of values, rows and pieces of a network, whose sums of many terms carry factors of their own."""

SLACK_LONG = 1 + 2.0**-30
"""For bounds with sums over all inputs in them: rows of polytopes, multipliers."""

SLACK_PATH = 1.0 + 1e-9
"""For bounds that kernels compose over all layers, operator by operator."""

SLACK_PLANE = 1.0 + 1e-12
"""For bounds of determinants of two or three rows, and of the solution of up to six equations."""

SLACK_ROW = 1.0000001
"""For the value of one row in up to 24 coordinates."""

SLACK_INVERSE = 1.000001
"""For what follows from an approximate inverse: quotients by 1 minus its distance from the true one."""

SLACK_ONCE = 1.01
"""For a number that was rounded once, by its rounded value: |x| <= |fl(x)| / (1 - U)."""

OPERATIONS = {
    SLACK: 8_000,
    SLACK_LONG: 8_000_000,
    SLACK_PATH: 9_000_000,
    SLACK_PLANE: 9_000,
    SLACK_ROW: 900_000_000,
    SLACK_INVERSE: 9_000_000_000,
    SLACK_ONCE: 80_000_000_000_000,
}
"""How many operations on numbers that are not negative each slack covers."""

LOST = 2.0**-1000
"""More than 2^74 products lose by underflow."""

LOST_IN_SUMS = 2.0**-900
"""More than 2^174 products lose by underflow: where what is lost is multiplied once more, by at most 2^100."""

ROUNDED_VERTEX = 2.0**-49
"""16 U: how far the float64 coordinates of an exact vertex, quotients of leading bits of two integers, are from it."""

NEAREST = 2.0**-700
"""Coordinates of a vertex nearer to 0 than this are not told from 0: products of two of them do not underflow."""

TINY = 2.0**-300
"""A floor of bounds on rows: products of three of them do not underflow."""
