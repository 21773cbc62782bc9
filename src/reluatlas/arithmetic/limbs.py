"""Exact signed integers of any width inside compiled kernels.

A number is a run of 64-bit limbs (least significant first) in a uint64 array together with a signed
length, as GMP has it: the sign of the length is the sign of the number, 0 is zero. Accumulators are
two's complement with a fixed number of limbs, wide enough by construction; `store` turns them into
the first form.

Floats are dyadic, so every decision about them is one about such integers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from reluatlas.compiled.jit import inner

_U0 = np.uint64(0)
_U1 = np.uint64(1)
_U63 = np.uint64(63)
PRIME = np.uint64((1 << 61) - 1)


@intrinsic
def _multiply(typingctx, a, b):
    """Return (high, low) words of the product of two uint64."""
    signature = types.UniTuple(types.uint64, 2)(types.uint64, types.uint64)

    def codegen(context, builder, sig, args):
        wide = ir.IntType(128)
        product = builder.mul(builder.zext(args[0], wide), builder.zext(args[1], wide))
        low = builder.trunc(product, ir.IntType(64))
        high = builder.trunc(builder.lshr(product, ir.Constant(wide, 64)), ir.IntType(64))
        return context.make_tuple(builder, sig.return_type, (high, low))

    return signature, codegen


_mul_wide: Any = _multiply


@inner
def clear(acc, width):
    """Set an accumulator of `width` limbs to zero."""
    for i in range(width):
        acc[i] = _U0


@inner
def _add_at(acc, width, position, word):
    """Add a word at limb `position`, carrying on."""
    i = position
    while i < width and word != _U0:
        total = acc[i] + word
        word = _U1 if total < word else _U0
        acc[i] = total
        i += 1


@inner
def _subtract_at(acc, width, position, word):
    """Subtract a word at limb `position`, borrowing on."""
    i = position
    while i < width and word != _U0:
        before = acc[i]
        acc[i] = before - word
        word = _U1 if before < word else _U0
        i += 1


@inner
def add_product(acc, width, x, x_at, x_len, y, y_at, y_len, negate):
    """Add (or subtract) the product of two numbers to an accumulator."""
    if x_len == 0 or y_len == 0:
        return
    minus = negate
    nx, ny = x_len, y_len
    if nx < 0:
        nx = -nx
        minus = not minus
    if ny < 0:
        ny = -ny
        minus = not minus
    for i in range(nx):
        word = x[x_at + i]
        if word == _U0:
            continue
        carry = _U0
        for j in range(ny):
            if i + j >= width:
                break
            high, low = _mul_wide(word, y[y_at + j])
            low += carry
            if low < carry:
                high += _U1
            before = acc[i + j]
            if minus:
                acc[i + j] = before - low
                if before < low:
                    high += _U1
            else:
                total = before + low
                acc[i + j] = total
                if total < low:
                    high += _U1
            carry = high
        if minus:
            _subtract_at(acc, width, i + ny, carry)
        else:
            _add_at(acc, width, i + ny, carry)


@inner
def add_shifted(acc, width, x, x_at, x_len, mantissa, shift):
    """Add `x * mantissa * 2**shift` to an accumulator; `mantissa` is a signed 64-bit integer."""
    if x_len == 0 or mantissa == 0:
        return
    minus = mantissa < 0
    factor = np.uint64(-mantissa) if minus else np.uint64(mantissa)
    n = x_len
    if n < 0:
        n = -n
        minus = not minus
    limb = shift >> 6
    bits = np.uint64(shift & 63)
    rest = np.uint64(64) - bits
    carry = _U0
    for i in range(n + 1):
        if i < n:
            high, low = _mul_wide(factor, x[x_at + i])
            low += carry
            if low < carry:
                high += _U1
        else:
            high, low = _U0, carry
        carry = high
        if low == _U0:
            continue
        first = low << bits
        second = _U0 if bits == _U0 else low >> rest
        if minus:
            _subtract_at(acc, width, limb + i, first)
            _subtract_at(acc, width, limb + i + 1, second)
        else:
            _add_at(acc, width, limb + i, first)
            _add_at(acc, width, limb + i + 1, second)


@inner
def sign(acc, width):
    """Return the sign of an accumulator: -1, 0 or 1."""
    if acc[width - 1] >> _U63:
        return -1
    for i in range(width):
        if acc[i] != _U0:
            return 1
    return 0


@inner
def store(acc, width, out, out_at):
    """Store an accumulator as a signed-length number at `out[out_at:]`; return its signed length."""
    minus = acc[width - 1] >> _U63
    if minus:
        carry = _U1
        for i in range(width):
            flipped = ~acc[i] + carry
            carry = _U1 if (carry and flipped == _U0) else _U0
            acc[i] = flipped
    n = width
    while n > 0 and acc[n - 1] == _U0:
        n -= 1
    for i in range(n):
        out[out_at + i] = acc[i]
    return -n if minus else n


@inner
def to_float(x, x_at, x_len):
    """Return (m, e) with the number equal to m * 2**e up to a relative error of 2**-52."""
    n = abs(x_len)
    if n == 0:
        return 0.0, 0
    value = float(x[x_at + n - 1])
    exponent = 64 * (n - 1)
    if n > 1:
        value = value * 18446744073709551616.0 + float(x[x_at + n - 2])
        exponent -= 64
    return (-value if x_len < 0 else value), exponent


@inner
def mul_mod(a, b):
    """Return a * b modulo the prime 2**61 - 1, for a, b below it."""
    high, low = _mul_wide(a, b)
    total = (low & PRIME) + ((low >> np.uint64(61)) | (high << np.uint64(3)))
    total = (total & PRIME) + (total >> np.uint64(61))
    return total - PRIME if total >= PRIME else total


@inner
def residue(x, x_at, x_len):
    """Return the number modulo the prime 2**61 - 1."""
    total = _U0
    n = abs(x_len)
    for i in range(n - 1, -1, -1):
        # 2**64 = 8 modulo the prime
        total = mul_mod(total, np.uint64(8)) + (x[x_at + i] & PRIME) + (x[x_at + i] >> np.uint64(61))
        total = (total & PRIME) + (total >> np.uint64(61))
        if total >= PRIME:
            total -= PRIME
    if x_len < 0 and total != _U0:
        total = PRIME - total
    return total


@inner
def inverse_mod(a):
    """Return the inverse of a (not 0) modulo the prime 2**61 - 1."""
    result, power = _U1, a
    exponent = PRIME - np.uint64(2)
    while exponent:
        if exponent & _U1:
            result = mul_mod(result, power)
        power = mul_mod(power, power)
        exponent >>= _U1
    return result
