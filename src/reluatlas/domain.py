"""Where we look: `Box`, `Slice`, `Segment`, `Space`.

A bounded domain is a box in k coordinates `u` and an affine embedding `x = origin + u @ basis` into
the n inputs of a network. For a `Box` the coordinates are the inputs themselves.

Squares of lengths, and volumes where they are told, must stay within float64. So no domain and no point of one reaches
farther than 2**500 (about 3e150), no domain is narrower than 2**-500 in a coordinate, and up to six dimensions volumes
are from 2**-1000 to 2**1000. Between these bounds everything is as exact as for numbers near 1; what is beyond is
refused when a domain is made.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reluatlas.errors import DimensionError, DomainError
from reluatlas.reach import (
    finite_vector,
    log2_of_frame,
    require_independent,
    require_reach,
    require_sizes,
    require_volume,
    scaled,
    short,
)
from reluatlas.shown import Shown

_BASIS_QUANTUM = 2.0**-53


@dataclass(frozen=True, eq=False)
class Box(Shown):
    """The axis-parallel box `{x : low <= x <= high}` in input space.

    Parameters
    ----------
    low, high : array_like, shape (n,), or float
        Opposite corners, in input units. Numbers are repeated `dim` times.
    dim : int, optional
        Dimension, needed when `low` and `high` are both numbers.

    Raises
    ------
    DomainError
        When the box is empty or flat in some coordinate, or not finite; when it reaches farther than 2**500 or is
        narrower than 2**-500; in up to six dimensions, when its volume is not from 2**-1000 to 2**1000.
    """

    low: NDArray[np.float64]
    high: NDArray[np.float64]

    def __init__(self, low: ArrayLike, high: ArrayLike, *, dim: int | None = None) -> None:
        lo, hi = finite_vector(low, "low"), finite_vector(high, "high")
        if dim is not None and (isinstance(dim, bool) or dim != int(dim) or dim < 1):
            raise DomainError(f"`dim={dim!r}` is not a positive whole number of dimensions.")
        if lo.ndim == 0 and hi.ndim == 0:
            if dim is None:
                raise DomainError("`Box` got two numbers and no dimension. Pass `dim=`, or one number per input.")
            lo, hi = np.full(dim, lo), np.full(dim, hi)
        elif lo.ndim > 1 or hi.ndim > 1:
            raise DomainError(f"`low` and `high` must be vectors; got shapes {lo.shape} and {hi.shape}.")
        else:
            size = max(lo.size if lo.ndim else 1, hi.size if hi.ndim else 1)
            lo = np.full(size, lo) if lo.ndim == 0 else lo
            hi = np.full(size, hi) if hi.ndim == 0 else hi
        if lo.shape != hi.shape or (dim is not None and lo.size != dim):
            raise DomainError(
                f"`low` has {lo.size} numbers, `high` {hi.size}"
                + (f", `dim` is {dim}" if dim is not None else "")
                + "; they must agree."
            )
        if lo.size == 0:
            raise DomainError("`Box` has no dimension. Pass at least one side.")
        bad = np.flatnonzero(~(lo < hi))
        if bad.size:
            i = int(bad[0])
            raise DomainError(
                f"`Box` is empty or flat in coordinate {i}: low {lo[i]:g}, high {hi[i]:g}. "
                "Each low must be below its high."
            )
        require_reach(np.stack([lo, hi]), "`Box`")
        require_sizes(hi - lo, "the width of `Box` in coordinate {i}")
        require_volume(float(np.log2(hi - lo).sum()), lo.size, "`Box`")
        lo.setflags(write=False)
        hi.setflags(write=False)
        object.__setattr__(self, "low", lo)
        object.__setattr__(self, "high", hi)

    @classmethod
    def around(cls, X: ArrayLike, *, margin: float = 0.1) -> Box:
        """Return the bounding box of points, wider by a margin.

        Parameters
        ----------
        X : array_like, shape (N, n) or (N, *input_shape)
            Points; of numbers (N,), points with one input.
        margin : float
            Share of each side to add at both of its ends. A side in which all points are equal takes that share of the
            longest side; of a single point, the margin itself.

        Raises
        ------
        DomainError
            When there is no point, one is not finite, or the box would be flat: a margin of 0 around equal numbers.
        """
        points = finite_vector(X, "X")
        if not points.ndim or not points.size:
            raise DomainError("`X` has no points. Pass an array with one point in each row.")
        if isinstance(margin, bool) or not np.isfinite(margin) or margin < 0:
            raise DomainError(f"`margin={margin!r}` must be a number of at least 0.")
        rows = points.reshape(len(points), -1)
        require_reach(rows, "a point of `X`")
        low, high = rows.min(axis=0), rows.max(axis=0)
        extent = high - low
        longest = float(extent.max())
        pad = margin * np.where(extent > 0, extent, longest if longest > 0 else 1.0)
        return cls(low - pad, high + pad)

    @property
    def dim(self) -> int:
        """Dimension of the domain itself (k)."""
        return self.low.size

    @property
    def n_inputs(self) -> int:
        """Number of inputs of the networks it fits (n)."""
        return self.low.size

    @property
    def box(self) -> Box:
        """The box of coordinates: the domain itself."""
        return self

    @property
    def unit_volume(self) -> float:
        """Volume in input space of one unit of coordinate volume."""
        return 1.0

    @property
    def volume(self) -> float:
        """Volume in input units; beyond six dimensions it may be `inf` or 0 where float64 does not hold it."""
        with np.errstate(over="ignore", under="ignore"):
            return float(np.prod(self.high - self.low))

    def frame(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return `origin` (n,) and `basis` (k, n) with `x = origin + u @ basis`."""
        return np.zeros(self.dim), np.eye(self.dim)

    def embed(self, U: ArrayLike) -> NDArray[np.float64]:
        """Return the points of input space at coordinates `U` (..., k)."""
        return np.array(U, dtype=np.float64)

    def __repr__(self) -> str:
        return f"Box(low={short(self.low)}, high={short(self.high)})"


@dataclass(frozen=True, eq=False)
class Slice(Shown):
    """A k-dimensional box laid into an n-dimensional input space.

    The set `{origin + u @ basis : box.low <= u <= box.high}`. The stored float64 numbers are its
    definition: everything that is later called exact is exact for them.

    Parameters
    ----------
    origin : array_like, shape (n,) or an input's shape
        The point at coordinates 0.
    basis : array_like, shape (k, n)
        Linearly independent rows, need not be orthonormal.
    box : Box
        Range of the coordinates, k-dimensional.

    Raises
    ------
    DomainError
        When the slice is flat or not finite; when it reaches farther than 2**500 in an input or a row of the basis is
        shorter than 2**-500; in up to six dimensions, when its volume is not from 2**-1000 to 2**1000.
    DimensionError
        When the shapes do not agree.
    """

    origin: NDArray[np.float64]
    basis: NDArray[np.float64]
    box: Box
    input_shape: tuple[int, ...] | None = None  # of the points that it was made from; None where they were flat

    def __init__(self, origin: ArrayLike, basis: ArrayLike, *, box: Box) -> None:
        base = finite_vector(origin, "origin")
        object.__setattr__(self, "input_shape", base.shape if base.ndim > 1 else None)
        base = base.reshape(-1)
        rows = np.atleast_2d(finite_vector(basis, "basis"))
        rows = rows.reshape(rows.shape[0], -1)
        if not isinstance(box, Box):
            raise DomainError(
                f"`box` is a {type(box).__name__}; expected a `Box` of coordinates, such as `Box(-1, 1, dim=2)`."
            )
        if rows.shape[1] != base.size:
            raise DimensionError(
                f"`basis` has rows of {rows.shape[1]} numbers but `origin` has {base.size}; they must agree."
            )
        if rows.shape[0] != box.dim:
            raise DimensionError(
                f"`basis` has {rows.shape[0]} rows but `box` has {box.dim} sides; pass one side per row."
            )
        require_reach(base, "`origin`")
        require_reach(rows, "`basis`")
        require_sizes(np.abs(rows).max(axis=1), "the largest number of row {i} of `basis`")
        require_independent(rows, "`basis` has linearly dependent rows: the slice is flat. Pass independent rows.")
        require_reach(np.abs(base) + np.maximum(np.abs(box.low), np.abs(box.high)) @ np.abs(rows), "the slice")
        log_volume = float(np.log2(box.high - box.low).sum()) + log2_of_frame(rows)
        require_volume(log_volume, rows.shape[0], "the slice")
        base.setflags(write=False)
        rows.setflags(write=False)
        object.__setattr__(self, "origin", base)
        object.__setattr__(self, "basis", rows)
        object.__setattr__(self, "box", box)

    @classmethod
    def through(cls, points: ArrayLike, *, margin: float = 0.2) -> Slice:
        """Return the slice spanned by k + 1 points.

        The basis is orthonormal to float64 rounding (the first axis points from the first point to
        the second), so coordinates are in input units. The box is the bounding box of the points,
        widened on each side by `margin` times its extent.

        Parameters
        ----------
        points : array_like, shape (k + 1, *input_shape)
            Affinely independent points.
        margin : float
            Share of the bounding box, in slice coordinates, to add on each side.

        Raises
        ------
        DomainError
            When the points are affinely dependent, as three collinear ones, or the slice reaches too far.
        """
        try:
            given = [np.asarray(p, dtype=np.float64) for p in points]  # type: ignore[union-attr]
            stack = np.stack([p.reshape(-1) for p in given])
        except (TypeError, ValueError):
            raise DomainError("`points` must be points of one shape, all numbers.") from None
        shapes = {tuple(side for side in p.shape if side != 1): p.shape for p in given if p.ndim > 1}
        if len([long for long in shapes if len(long) > 1]) > 1:
            raise DomainError(f"`points` have the shapes {', '.join(map(str, shapes.values()))}; expected one shape.")
        shape = max(shapes.items(), default=((), stack.shape[1:]), key=lambda item: len(item[0]))[1]
        if not np.all(np.isfinite(stack)):
            raise DomainError("`points` holds NaN or an infinite number; a domain needs finite ones.")
        if stack.shape[0] < 2:
            raise DomainError(
                "`points` has one point; k + 1 points span a k-dimensional slice. Pass three for a plane."
            )
        if not np.isfinite(margin) or margin < 0:
            raise DomainError(f"`margin={margin!r}` must be a number of at least 0.")
        require_reach(stack, "a point of `points`")
        base, edges = stack[0], stack[1:] - stack[0]
        what = "three collinear points" if len(stack) == 3 else "affinely dependent points"
        if edges.shape[0] > edges.shape[1]:
            raise DomainError(
                f"`points` has {len(stack)} points in a space of {edges.shape[1]} inputs; "
                f"at most {edges.shape[1] + 1} can be independent."
            )
        require_independent(edges, f"`points` are {what}: the slice is flat. Pass points in general position.")
        require_sizes(np.abs(edges).max(axis=1), "the largest difference of the first of `points` and one behind it")
        basis = np.linalg.qr(edges.T)[0].T
        basis *= np.sign(np.einsum("ij,ij->i", basis, edges))[:, None]
        basis = np.round(basis / _BASIS_QUANTUM) * _BASIS_QUANTUM + 0.0
        coords = (stack - base) @ basis.T
        low, high = coords.min(axis=0), coords.max(axis=0)
        with np.errstate(over="ignore"):
            pad = margin * (high - low)
        return cls(base.reshape(shape), basis, box=Box(low - pad, high + pad))

    @property
    def dim(self) -> int:
        """Dimension of the slice (k)."""
        return self.basis.shape[0]

    @property
    def n_inputs(self) -> int:
        """Dimension of the input space (n)."""
        return self.basis.shape[1]

    @property
    def unit_volume(self) -> float:
        """k-volume in input space of one unit of coordinate volume."""
        unit, exponents = scaled(self.basis)
        with np.errstate(over="ignore", under="ignore"):
            return float(np.ldexp(np.sqrt(np.linalg.det(unit @ unit.T)), int(exponents.sum())))

    @property
    def volume(self) -> float:
        """k-volume in input units; beyond six dimensions it may be `inf` or 0 where float64 does not hold it."""
        return self.box.volume * self.unit_volume

    def frame(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return `origin` (n,) and `basis` (k, n) with `x = origin + u @ basis`."""
        return self.origin, self.basis

    def embed(self, U: ArrayLike) -> NDArray[np.float64]:
        """Return the points of input space at coordinates `U` (..., k)."""
        return self.origin + np.asarray(U, dtype=np.float64) @ self.basis

    def coordinates(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the coordinates (..., k) of the points of the slice nearest to `X` (..., n)."""
        points = np.asarray(X, dtype=np.float64)
        rows = points.reshape(-1, self.n_inputs)
        nearest = np.zeros((len(rows), self.dim))
        for _ in range(2):  # the second step takes away what the first one rounds
            nearest = nearest + np.linalg.lstsq(self.basis.T, (rows - self.embed(nearest)).T, rcond=None)[0].T
        return nearest.reshape(*points.shape[:-1], self.dim)

    def __repr__(self) -> str:
        return f"Slice(k={self.dim} in n={self.n_inputs}, box={self.box!r})"


@dataclass(frozen=True, eq=False, repr=False)
class Segment(Shown):
    """The line segment from `a` to `b` in input space, with coordinate t in [0, 1].

    Raises
    ------
    DomainError
        When the ends are one point or not finite; when one is farther out than 2**500, or they differ by less than
        2**-500 in each coordinate.
    DimensionError
        When they have different numbers of coordinates.
    """

    a: NDArray[np.float64]
    b: NDArray[np.float64]
    dim: int = field(default=1, init=False)
    input_shape: tuple[int, ...] | None = None  # of its ends; None where they were flat

    def __init__(self, a: ArrayLike, b: ArrayLike) -> None:
        start, end = finite_vector(a, "a"), finite_vector(b, "b")
        object.__setattr__(self, "input_shape", start.shape if start.ndim > 1 else None)
        start, end = start.reshape(-1), end.reshape(-1)
        if start.shape != end.shape:
            raise DimensionError(f"`a` has {start.size} numbers and `b` {end.size}; they must agree.")
        if np.array_equal(start, end):
            raise DomainError("`a` and `b` are the same point: the segment is flat. Pass two different points.")
        require_reach(np.stack([start, end]), "an end of the segment")
        require_sizes(np.abs(end - start).max(keepdims=True), "the largest difference of `a` and `b`")
        object.__setattr__(self, "a", start)
        object.__setattr__(self, "b", end)
        object.__setattr__(self, "dim", 1)

    @property
    def n_inputs(self) -> int:
        """Dimension of the input space (n)."""
        return self.a.size


@dataclass(frozen=True)
class Space(Shown):
    """All of R^n."""

    n_inputs: int

    def __post_init__(self) -> None:
        if self.n_inputs < 1:
            raise DomainError(f"`Space({self.n_inputs})`: the dimension must be at least 1.")

    @property
    def dim(self) -> int:
        """Dimension of the space (n)."""
        return self.n_inputs

    @property
    def unit_volume(self) -> float:
        """Volume of one unit of coordinate volume: the coordinates are the inputs."""
        return 1.0

    @property
    def volume(self) -> float:
        """Infinite."""
        return float("inf")

    def frame(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return `origin` (n,) and `basis` (n, n) with `x = origin + u @ basis`: the coordinates are the inputs."""
        return np.zeros(self.n_inputs), np.eye(self.n_inputs)


Domain = Box | Slice | Space
"""Where a network is looked at."""
