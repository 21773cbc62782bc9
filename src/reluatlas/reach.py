"""What can a domain reach? Refusals of numbers whose squares, or whose volume, float64 does not hold."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from reluatlas.errors import DomainError
from reluatlas.typing import FloatArray, IntArray

FARTHEST, NARROWEST = 2.0**500, 2.0**-500
_MOST_LOG_VOLUME, _MOST_DIM_WITH_VOLUME = 1000.0, 6
_NEAR_ONE = 40  # exponents whose squares are harmless in a determinant
_FLAT = 1e-12


def finite_vector(value: ArrayLike, name: str) -> FloatArray:
    """Return finite numbers; refuse others."""
    try:
        array = np.array(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise DomainError(f"`{name}` is not an array of numbers. Pass numbers.") from None
    if not np.all(np.isfinite(array)):
        raise DomainError(f"`{name}` holds NaN or an infinite number; a domain needs finite ones.")
    return array


def require_reach(values: FloatArray, what: str) -> None:
    """Refuse numbers that are farther from 0 than a domain may reach.

    Raises
    ------
    DomainError
        When one is; `what` has it as a coordinate.
    """
    far = np.flatnonzero(~(np.abs(values).reshape(-1) <= FARTHEST))
    if far.size:
        raise DomainError(
            f"{what} has a coordinate of {values.reshape(-1)[far[0]]:g}; expected at most 2**500, about 3e+150, in "
            "magnitude, so that squares stay within float64. Measure inputs in larger units."
        )


def require_sizes(sizes: FloatArray, what: str) -> None:
    """Refuse lengths whose squares vanish in float64; `what` is the length with number {i}."""
    small = np.flatnonzero(sizes < NARROWEST)
    if small.size:
        raise DomainError(
            f"{what.format(i=small[0])} is {sizes[small[0]]:g}; expected at least 2**-500, about 3e-151, so that "
            "squares stay within float64. Measure inputs in smaller units."
        )


def require_volume(log_volume: float, dim: int, what: str) -> None:
    """Refuse a volume that float64 does not hold, in the dimensions where volumes are told; given as log2."""
    if dim <= _MOST_DIM_WITH_VOLUME and not abs(log_volume) <= _MOST_LOG_VOLUME:
        raise DomainError(
            f"{what} has a volume of about 2**{log_volume:.0f}; expected 2**-1000 to 2**1000 in up to "
            f"{_MOST_DIM_WITH_VOLUME} dimensions. Measure inputs in other units."
        )


def require_independent(rows: FloatArray, message: str) -> None:
    """Refuse rows that are dependent up to rounding."""
    scale = np.abs(rows).max(axis=1, keepdims=True)
    if np.any(scale == 0):
        raise DomainError(message)
    # divided twice: the squares of a row of tiny numbers vanish
    unit = rows / scale
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    if np.linalg.svd(unit, compute_uv=False)[-1] < _FLAT:
        raise DomainError(message)


def scaled(rows: FloatArray) -> tuple[FloatArray, IntArray]:
    """Return rows, those that are far from 1 divided by a power of two, and the exponents of these powers."""
    exponents = np.frexp(np.abs(rows).max(axis=1))[1].astype(np.int64)
    exponents[np.abs(exponents) < _NEAR_ONE] = 0
    return np.ldexp(rows, -exponents[:, None]), exponents


def log2_of_frame(rows: FloatArray) -> float:
    """Return log2 of the volume of one unit of coordinate volume."""
    unit, exponents = scaled(rows)
    return float(exponents.sum() + np.linalg.slogdet(unit @ unit.T)[1] / np.log(4))


def short(values: FloatArray) -> str:
    """Return numbers in a few words."""
    if values.size <= 4:
        return "[" + ", ".join(f"{v:g}" for v in values) + "]"
    return f"[{values[0]:g}, ..., {values[-1]:g}] ({values.size})"
