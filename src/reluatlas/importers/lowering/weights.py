"""Which float64 numbers are a model's coefficients, and which had to be rounded? Arithmetic with its error."""

from __future__ import annotations

import numbers as numbers_of_python
import sys
from collections.abc import Mapping, Sequence
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reluatlas.errors import ArgumentError, DimensionError, NonFiniteError, ReluAtlasError
from reluatlas.network.parts import Part, check_names

FloatArray = NDArray[np.float64]

# Limits that a model must keep before anything is allocated for it.
MAX_ENTRIES = 2**26  # of one tensor of the model
MAX_MATRIX_ENTRIES = 2**28  # of one dense matrix
MAX_MADE = 12 * 2**20  # numbers that say where entries go, in all nodes together,
MADE_PER_STORED = 16  # or as many as this for each number that the model stores
MAX_NODES = 100_000


def as_float64(values: Any, label: str) -> tuple[FloatArray, bool]:
    """Return `values` in float64, and whether any of them had to be rounded.

    float16, bfloat16, float32 and float64 are taken over exactly; integers above 2^53, fractions, decimal
    numbers and extended precision may be rounded. A tensor of torch is read where it lies, and never changed.

    Raises
    ------
    NonFiniteError
        When a value is NaN or infinite, or beyond the range of float64.
    ArgumentError
        When the values are not real numbers.
    """
    if _is_tensor(values):
        values = _of_tensor(values, label)
    if np.ma.is_masked(values):
        raise ArgumentError(f"`{label}` has masked entries; expected numbers only. Fill them first.")
    given = np.asarray(values)
    if given.dtype.kind == "O":
        return _of_objects(given, label)
    if given.dtype.kind in "cSUmM" or given.dtype.names is not None:
        raise ArgumentError(f"`{label}` holds {given.dtype} values; expected real numbers. Convert it to floats.")
    with np.errstate(over="ignore"):  # extended precision beyond float64's range: found not to be finite
        array = np.array(given, dtype=np.float64)
    require_finite(array, label)
    if given.dtype == np.float64:
        # a list that mixes whole numbers with floats has become floats already
        return array, not hasattr(values, "dtype") and _of_objects(np.asarray(values, dtype=object), label)[1]
    if given.dtype.kind in "iu" and given.dtype.itemsize >= 8:
        large = np.abs(array) >= 2.0**53
        return array, any(int(a) != int(g) for a, g in zip(array[large], given[large], strict=True))
    return array, bool(given.dtype.kind == "f" and given.dtype.itemsize > 8 and np.any(array != given))


def _of_objects(given: NDArray, label: str) -> tuple[FloatArray, bool]:
    numbers = np.empty(given.shape)
    rounded = False
    for i, value in enumerate(given.flat):
        plain = value.item() if isinstance(value, np.generic) else value
        if not isinstance(plain, numbers_of_python.Real | Decimal):
            raise ArgumentError(
                f"`{label}` holds an object of type `{type(value).__name__}`; expected real numbers. "
                "Convert it to floats."
            )
        try:
            numbers.flat[i] = number = float(plain)
        except OverflowError:
            numbers.flat[i] = number = np.inf
        rounded |= number != plain
    require_finite(numbers, label)
    return numbers, bool(rounded)


def _is_tensor(values: Any) -> bool:
    # an object of a class can only exist where its package is imported: nothing is imported here
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(values, torch.Tensor)


def _of_tensor(values: Any, label: str) -> NDArray:
    """Return a tensor of torch as an array of its own type, or of one that holds its numbers exactly."""
    import torch

    t = values.detach()
    if t.is_meta:
        raise ArgumentError(f"`{label}` is a tensor on the meta device, which holds no numbers. Load its values first.")
    if t.is_quantized:
        raise ArgumentError(f"`{label}` is a quantized tensor; expected floats. Call its `dequantize` first.")
    if t.layout != torch.strided:
        t = t.to_dense()
    t = t.cpu().resolve_conj().resolve_neg()
    narrow = t.is_floating_point() and t.dtype not in (torch.float64, torch.float32, torch.float16)
    return (t.float() if narrow else t).numpy()  # bfloat16 and the types of 8 bits are no types of NumPy


def require_finite(array: NDArray, label: str) -> None:
    """Raise `NonFiniteError` when an array holds NaN or an infinite number."""
    if not np.all(np.isfinite(array)):
        bad = int(np.count_nonzero(~np.isfinite(array)))
        raise NonFiniteError(
            f"`{label}` holds {bad} NaN or infinite numbers of {array.size}; expected finite weights. "
            "Check the model's training."
        )


def product(a: ArrayLike, b: ArrayLike) -> tuple[FloatArray, bool]:
    """Return `a * b` in float64 (broadcast), and whether any product had to be rounded."""
    left, right = np.broadcast_arrays(np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64))
    with np.errstate(over="ignore"):
        value = left * right
    m, n = np.frexp(left)[0], np.frexp(right)[0]
    # the error of a float product is a float itself (Dekker, 1971); mantissas cannot overflow
    high_m, high_n = _upper_half(m), _upper_half(n)
    low_m, low_n = m - high_m, n - high_n
    p = m * n
    error = ((high_m * high_n - p) + high_m * low_n + low_m * high_n) + low_m * low_n
    subnormal = (np.abs(value) < np.finfo(np.float64).tiny) & (left != 0) & (right != 0)
    return value, bool(np.any(error != 0) or np.any(subnormal))


def _upper_half(x: FloatArray) -> FloatArray:
    shifted = (2.0**27 + 1) * x
    return shifted - (shifted - x)


def reciprocal(values: ArrayLike, label: str) -> tuple[FloatArray, bool]:
    """Return `1 / values`, correctly rounded, and whether any of them had to be rounded.

    Raises
    ------
    NonFiniteError
        When a value is zero, NaN or infinite, or so small that its reciprocal is infinite.
    """
    array = np.asarray(values, dtype=np.float64)
    require_finite(array, label)
    if np.any(array == 0):
        raise NonFiniteError(f"`{label}` divides by zero; expected divisors other than 0. Check the model.")
    with np.errstate(over="ignore"):
        inverse = 1.0 / array
    require_finite(inverse, f"1 / {label}")
    # exact for powers of two, whose mantissa is 1/2, and for nothing else
    return inverse, bool(np.any(np.abs(np.frexp(array)[0]) != 0.5))


def normalization(
    mean: ArrayLike | None, std: ArrayLike | None, shape: Sequence[int]
) -> tuple[FloatArray, FloatArray, bool]:
    """Return `scale, offset` of `x -> (x - mean) / std` as float64 arrays of `shape`, and whether they are rounded.

    The coefficients are `1 / std` and `-mean / std`, each rounded once. A vector whose length is
    that of the first of several axes holds one number per channel; else NumPy's broadcasting.

    Raises
    ------
    ArgumentError
        When `std` is not positive.
    DimensionError
        When they do not fit the shape of an input.
    """
    center, center_rounded = _per_entry(0.0 if mean is None else mean, shape, "mean")
    spread, spread_rounded = _per_entry(1.0 if std is None else std, shape, "std")
    if not np.all(spread > 0):
        raise ArgumentError(f"`std` has the entry {spread.min():.6g}; expected positive numbers.")
    scale, rounded = reciprocal(spread, "std")
    pairs, where = np.unique(np.stack([center.ravel(), spread.ravel()]), axis=1, return_inverse=True)
    offsets = np.empty(pairs.shape[1])
    for i, (m, s) in enumerate(pairs.T.tolist()):
        exact = -Fraction(m) / Fraction(s)
        offsets[i] = float(exact)
        rounded |= Fraction(offsets[i]) != exact
    rounded |= center_rounded or spread_rounded
    return scale, offsets[where.reshape(-1)].reshape(tuple(shape)), bool(rounded)


def per_part(values: Any, parts: Sequence[Part], label: str) -> tuple[Any, bool]:
    """Return a mean or std of a joint input, and whether it is rounded.

    By name: of each part, which may be a number, one number for each channel, or an array of the part's shape.

    Raises
    ------
    ArgumentError, DimensionError
        When a part is missing or unknown, or an array does not fit.
    """
    if not isinstance(values, Mapping):
        return values, False
    check_names(parts, values, label)
    entries = [_per_entry(values[p.name], p.shape, f"{label}[{p.name!r}]") for p in parts]
    return np.concatenate([array.reshape(-1) for array, _ in entries]), any(rounded for _, rounded in entries)


def _per_entry(values: ArrayLike, shape: Sequence[int], label: str) -> tuple[FloatArray, bool]:
    try:
        array, rounded = as_float64(values, label)
    except (TypeError, ValueError) as problem:
        if isinstance(problem, ReluAtlasError):
            raise
        text = str(problem).rstrip(".")
        raise ArgumentError(f"`{label}` is not an array of numbers: {text}.") from None
    if array.ndim == 1 and len(shape) > 1 and array.size == shape[0]:
        array = array.reshape(-1, *(1,) * (len(shape) - 1))
    try:
        return np.broadcast_to(array, tuple(shape)).copy(), rounded
    except ValueError:
        raise DimensionError(
            f"`{label}` has shape {array.shape}; expected a number, one number per channel, "
            f"or the input's shape {tuple(shape)}."
        ) from None


def batch_norm(
    scale: FloatArray, shift: FloatArray, mean: FloatArray, variance: FloatArray, epsilon: float
) -> tuple[FloatArray, FloatArray, bool]:
    """Return `a, b` with `a x + b` the batch norm in evaluation mode, and whether they are rounded.

    `a = scale / sqrt(variance + epsilon)` is rounded once; `b = shift - a mean`, of that `a`, once.

    Raises
    ------
    NonFiniteError
        When `variance + epsilon` is not positive.
    """
    factors, offsets, rounded = [], [], False
    rows = zip(*(a.reshape(-1).tolist() for a in (scale, shift, mean, variance)), strict=True)
    with localcontext() as context:
        context.prec = 60
        for one_scale, one_shift, one_mean, one_variance in rows:
            spread = Decimal(one_variance) + Decimal(epsilon)
            if spread <= 0:
                raise NonFiniteError(f"batch norm has variance {one_variance}; expected positive numbers.")
            exact = Decimal(one_scale) / spread.sqrt()
            factor = float(exact)
            moved = Fraction(one_shift) - Fraction(factor) * Fraction(one_mean)
            factors.append(factor)
            offsets.append(float(moved))
            rounded |= Decimal(factor) != exact or Fraction(offsets[-1]) != moved
    return np.array(factors), np.array(offsets), rounded
