"""What is a float64 number exactly? A whole number times a power of two: its bits, for whole arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reluatlas.typing import FloatArray, IntArray

NO_BIT = 4096


def low_bits(array: FloatArray) -> IntArray:
    """Return the exponent of the lowest set bit of each number; 4096 for zero, -4096 for NaN and infinity."""
    mantissa, exponent = np.frexp(array)
    known = np.isfinite(array)
    whole = np.where(known, np.ldexp(mantissa, 53), 0.0).astype(np.int64)
    lowest = np.frexp((whole & -whole).astype(np.float64))[1] - 1
    return np.where(known, np.where(whole == 0, NO_BIT, exponent - 53 + lowest), -NO_BIT).astype(np.int64)


def width(array: FloatArray) -> IntArray:
    """Return the number of bits from the highest to the lowest set one."""
    return np.where(array == 0, 0, np.frexp(array)[1] - low_bits(array))


def mantissas(values: FloatArray) -> tuple[IntArray, NDArray[np.int32]]:
    """Return odd integers and exponents with `values == man * 2.0**exp`; (0, 0) for zeros."""
    flat = np.ascontiguousarray(values, dtype=np.float64).reshape(-1)
    fraction, exponent = np.frexp(flat)
    man = (fraction * 2.0**53).astype(np.int64)
    low = man & -man
    zeros = np.where(man != 0, np.frexp(low.astype(np.float64))[1] - 1, 0)
    man >>= zeros
    exp = np.where(man != 0, exponent - 53 + zeros, 0).astype(np.int32)
    return man, exp


def fraction_bits(values: FloatArray) -> int:
    """Return the least s >= 0 such that every value is an integer times 2**-s."""
    man, exp = mantissas(values)
    return int(max(0, -exp[man != 0].min(initial=0)))
