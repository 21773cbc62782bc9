"""Bit sets in compiled kernels: how many bits are set, and which is the lowest."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic


@intrinsic
def _count(typingctx, a):
    """Return the number of bits set in a uint64."""

    def codegen(context, builder, sig, args):
        return builder.ctpop(args[0])

    return types.int64(types.uint64), codegen


@intrinsic
def _lowest(typingctx, a):
    """Return the position of the lowest bit set in a uint64; 64 when there is none."""

    def codegen(context, builder, sig, args):
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.uint64), codegen


popcount: Any = _count
lowest_bit: Any = _lowest
ONE_BIT = np.uint64(1)
EMPTY = np.uint64(0)
FULL = np.uint64(0xFFFFFFFFFFFFFFFF)
WORD = 64
