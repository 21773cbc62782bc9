"""How do kernels take many arrays at once? As one pointer: `pack` for named tuples of arrays.

numba passes a tuple of arrays by value, seven words an array. With a hundred arrays that costs more than the work
of an inner loop, at every call, and most of the time that compiling takes. A pack is a table of addresses and
shapes instead; inside kernels its arrays are attributes, as those of the tuple are in Python.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.typing.templates import AttributeTemplate
from numba.extending import (
    NativeValue,
    infer_getattr,
    intrinsic,
    lower_getattr_generic,
    models,
    register_model,
    typeof_impl,
    unbox,
)
from numba.np import arrayobj
from numba.np.numpy_support import from_dtype

_WORDS = 4  # per array: address and up to three sides
_NO_SIDES = (0,) * (_WORDS - 1)


class Pack:
    """A named tuple of C-contiguous arrays with one to three axes, as kernels take it. Made by `pack`.

    The arrays are shared, not copied, and live as long as the pack.
    """

    __slots__ = ("address", "arrays", "kind", "table")

    def __init__(self, arrays: Any) -> None:
        self.arrays = arrays
        rows: list[tuple[int, ...]] = []
        for name, array in zip(arrays._fields, arrays, strict=True):
            if not array.flags.c_contiguous or array.ndim > _WORDS - 1:
                raise ValueError(f"`{name}` must be C-contiguous with at most three axes.")
            rows.append((_address(array), *array.shape, *_NO_SIDES[array.ndim :]))
        self.table = np.array(rows, dtype=np.int64)
        self.kind = _kind_of(arrays._fields, tuple([(array.dtype, array.ndim) for array in arrays]))
        self.address = _address(self.table)


def _address(array: Any) -> int:
    """Return where an array's first entry lies."""
    if array.size and array.flags.writeable:
        # a twentieth of the time that the other way takes
        return ctypes.addressof(ctypes.c_char.from_buffer(array))
    return array.__array_interface__["data"][0]


def pack(arrays: Any) -> Pack:
    """Return a named tuple of arrays in the form that kernels take."""
    return Pack(arrays)


class PackType(types.Type):
    """The numba type of packs with one layout."""

    def __init__(self, layout: tuple[tuple[str, str, int], ...]) -> None:
        self.layout = layout
        self.place = {name: i for i, (name, _, _) in enumerate(layout)}
        super().__init__(name=f"Pack{layout}")

    def array(self, name: str) -> types.Array:
        """Return the type of one of the arrays."""
        _, dtype, ndim = self.layout[self.place[name]]
        return types.Array(from_dtype(np.dtype(dtype)), ndim, "C")


@typeof_impl.register(Pack)
def _typeof_pack(value: Pack, context: Any) -> PackType:
    return value.kind


@cache
def _kind_of(names: tuple[str, ...], kinds: tuple[tuple[np.dtype, int], ...]) -> PackType:
    return PackType(tuple((name, dtype.str, ndim) for name, (dtype, ndim) in zip(names, kinds, strict=True)))


@register_model(PackType)
class _PackModel(models.PrimitiveModel):
    def __init__(self, manager: Any, fe_type: Any) -> None:
        super().__init__(manager, fe_type, ir.IntType(64))


@unbox(PackType)
def _unbox_pack(kind: Any, value: Any, c: Any) -> NativeValue:
    address = c.pyapi.object_getattr_string(value, "address")
    number = c.pyapi.long_as_longlong(address)
    c.pyapi.decref(address)
    return NativeValue(number, is_error=cgutils.is_not_null(c.builder, c.pyapi.err_occurred()))


@infer_getattr
class _PackAttribute(AttributeTemplate):
    key = PackType

    def generic_resolve(self, kind: PackType, name: str) -> types.Array | None:
        return kind.array(name) if name in kind.place else None


@lower_getattr_generic(PackType)
def _pack_attribute(context: Any, builder: Any, kind: PackType, value: Any, name: str) -> Any:
    word = ir.IntType(64)
    table = builder.inttoptr(value, word.as_pointer())

    def entry(column: int) -> Any:
        place = builder.gep(table, [ir.Constant(word, kind.place[name] * _WORDS + column)])
        loaded = builder.load(place)
        # the table never changes: what it says may be kept over stores
        loaded.set_metadata("invariant.load", builder.module.add_metadata([]))
        return loaded

    array = kind.array(name)
    made = context.make_array(array)(context, builder)
    shape = [entry(1 + axis) for axis in range(array.ndim)]
    size = context.get_constant(types.intp, context.get_abi_sizeof(context.get_data_type(array.dtype)))
    strides = [size]
    for side in shape[:0:-1]:
        strides.insert(0, builder.mul(strides[0], side))
    data = builder.inttoptr(entry(0), context.get_data_type(array.dtype).as_pointer())
    arrayobj.populate_array(made, data=data, shape=shape, strides=strides, itemsize=size, meminfo=None)
    return made._getvalue()


@intrinsic
def _pack_at(typingctx, like, address):

    def codegen(context, builder, signature, args):
        return args[1]

    return like(like, types.int64), codegen


pack_at: Any = _pack_at
"""Returns, inside a kernel, a pack by its address, with the layout of another one: `pack_at(like, address)`."""
