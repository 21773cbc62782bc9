"""Which units read the same up to a factor, and so need to bend only once? `joined`.

Rows are compared as whole numbers: two are proportional when they are the same after each is divided by the greatest
common divisor of its numbers. That quotient is made of float64 numbers, as it has no more bits; so is each unit's
multiple of it. Nothing is rounded, whatever the factor.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reluatlas.arithmetic.floats import mantissas
from reluatlas.deadline import look
from reluatlas.network.operators import Convolution
from reluatlas.network.record import Affine, Breakpoints
from reluatlas.simplification.draft import Draft, Writer, placed, without_zeros
from reluatlas.simplification.removals import Reason, Removal
from reluatlas.simplification.rows import Rows, as_affine, rows_of
from reluatlas.typing import FloatArray, IntArray


class _Own(NamedTuple):
    """How a unit bends and what it reads, up to a factor: `sign * odd * 2**exponent` times the primitive row."""

    key: bytes
    sign: int
    odd: int
    exponent: int


class _Base(NamedTuple):
    """A unit that others are multiples of: where its value is, and of what it is."""

    node: int
    place: int
    own: _Own
    original: int


@dataclass(eq=False)
class _Layer:
    """What becomes of one layer: the units that stay, and for each other one the unit that it is a multiple of."""

    base_of: dict[int, int] = field(default_factory=dict)  # units of this layer
    earlier: dict[int, _Base] = field(default_factory=dict)  # units of another layer
    divided: set[int] = field(default_factory=set)  # units that stay, divided by their odd factor


def joined(draft: Draft, gone: list[Removal]) -> Draft:
    """Return a draft in which units that are equal, opposite or proportional to another are multiples of it.

    `f(-z) = f(z) - (a + b) z` for a unit with slope a below 0 and b above: an opposite one needs no bend of its own.
    """
    writer = Writer()
    seen: dict[bytes, _Base] = {}
    for t, node in enumerate(draft.nodes):
        look()
        read = _read(draft, node)
        if read is None:
            writer.keep(draft, t)
            continue
        assert isinstance(node, Breakpoints)
        rows, is_plain = read
        look()
        owns = _owns(node, rows)
        layer = _matched(node, owns, seen, may_divide=is_plain)
        if layer.base_of or layer.earlier:
            _write(writer, draft, t, node, rows, owns, layer, seen, gone)
            continue
        writer.keep(draft, t)
        for i, own in enumerate(owns):
            seen.setdefault(own.key, _Base(writer.home[t], i, own, int(draft.origins[t][i])))
    return writer.finish(draft.output)


def _read(draft: Draft, node: object) -> tuple[Rows, bool] | None:
    """Return the rows that units read, and whether they are rows of their own: no convolution's."""
    if not isinstance(node, Breakpoints):
        return None
    source = draft.nodes[node.input]
    if not isinstance(source, Affine):
        return None
    is_plain = not any(isinstance(o, Convolution) for o in source.operators)
    if not is_plain:
        written = tuple(without_zeros(o) for o in source.operators)
        source = Affine(source.inputs, written, source.bias, source.shape, source.name)
    rows = rows_of(source)
    return None if rows is None else (rows, is_plain)


def _owns(node: Breakpoints, rows: Rows) -> list[_Own]:
    man, exp = mantissas(rows.value)
    starts = rows.starts
    is_scalable = _scalable(node)
    out = []
    for i in range(rows.n):
        look()
        run = slice(int(starts[i]), int(starts[i + 1]))
        numbers, powers = man[run], exp[run].astype(np.int64)
        bends = node.slopes[i].tobytes() + node.knots[i].tobytes() + node.intercepts[i].tobytes()
        reads = rows.source[run].tobytes() + rows.column[run].tobytes()
        sign, odd, exponent = 1, 1, 0
        if is_scalable[i] and numbers.size:
            sign, odd, exponent = (1 if numbers[0] > 0 else -1), int(np.gcd.reduce(numbers)), int(powers[0])
            numbers, powers = numbers // odd * sign, powers - exponent
        key = b"|".join((bytes([int(is_scalable[i])]), bends, reads, numbers.tobytes(), powers.tobytes()))
        out.append(_Own(key, sign, odd, exponent))
    return out


def _scalable(node: Breakpoints) -> NDArray[np.bool_]:
    """Return which units give c times as much where they read c times as much, for all c > 0."""
    bends = node.knots.shape[1] > 0
    at_zero = np.all((node.knots == 0) | np.isinf(node.knots), axis=1)
    return at_zero & ~node.intercepts.any(axis=1) if bends else np.zeros(node.knots.shape[0], dtype=bool)


def _turned(node: Breakpoints) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Return the sums of both slopes of each unit, and whether they are exact."""
    a, b = node.slopes[:, 0], node.slopes[:, min(1, node.slopes.shape[1] - 1)]
    total = a + b
    part = total - a
    return total, ((a - (total - part)) + (b - part)) == 0


def _matched(node: Breakpoints, owns: list[_Own], seen: dict[bytes, _Base], *, may_divide: bool) -> _Layer:
    layer = _Layer()
    _, can_turn = _turned(node)
    groups: dict[bytes, list[int]] = {}
    for i, own in enumerate(owns):
        first = seen.get(own.key)
        if first is not None and own.odd % first.own.odd == 0 and (own.sign == first.own.sign or can_turn[i]):
            layer.earlier[i] = first
        else:
            groups.setdefault(own.key, []).append(i)
    for members in groups.values():
        base = min(members, key=lambda i: (owns[i].odd, i))
        for i in members:
            if i == base or (owns[i].sign != owns[base].sign and not can_turn[i]):
                continue
            if owns[i].odd % owns[base].odd:
                if not may_divide:
                    continue
                layer.divided.add(base)
            layer.base_of[i] = base
    return layer


def _write(
    writer: Writer,
    draft: Draft,
    t: int,
    node: Breakpoints,
    rows: Rows,
    owns: list[_Own],
    layer: _Layer,
    seen: dict[bytes, _Base],
    gone: list[Removal],
) -> None:
    n, origin, source = rows.n, draft.origins[t], writer.home[node.input]
    here = np.array([i for i in range(n) if i not in layer.base_of and i not in layer.earlier], dtype=np.int64)
    place = {int(i): p for p, i in enumerate(here)}
    owns = [own._replace(odd=1) if i in layer.divided else own for i, own in enumerate(owns)]
    parts: dict[int, list[tuple[int, int, float]]] = {}
    units = -1
    if here.size:
        read = (
            _divided(writer, draft, node, rows, here, layer) if layer.divided else writer.take(source, here, node.name)
        )
        shape = node.shape if here.size == n else (here.size,)
        units = writer.add(
            Breakpoints(read, node.knots[here], node.slopes[here], node.intercepts[here], shape, node.name),
            origin[here],
        )
        original = _read_odd(rows)
        for i, p in place.items():
            parts.setdefault(units, []).append((i, p, float(original[i]) if i in layer.divided else 1.0))
            seen.setdefault(owns[i].key, _Base(units, p, owns[i], int(origin[i])))
    turned, _ = _turned(node)
    for i in range(n):
        if i in place:
            continue
        first = layer.earlier.get(i)
        if first is None:
            base = layer.base_of[i]
            first = _Base(units, place[base], owns[base], int(origin[base]))
        factor = float(np.ldexp(owns[i].odd // first.own.odd, owns[i].exponent - first.own.exponent))
        parts.setdefault(first.node, []).append((i, first.place, factor))
        is_opposite = first.own.sign != owns[i].sign
        if is_opposite and turned[i]:
            parts.setdefault(source, []).append((i, i, float(turned[i])))
        reason: Reason = "opposite" if is_opposite else "equal" if factor == 1.0 else "proportional"
        gone.append(Removal(int(origin[i]), reason, other=first.original))
    inputs, operators = [], []
    for at, entries in parts.items():
        row, column, value = (np.array(x) for x in zip(*sorted(entries), strict=True))
        inputs.append(at)
        operators.append(placed(row, column, n, int(np.prod(writer.nodes[at].shape)), value))
    writer.home[t] = writer.affine(inputs, operators, np.zeros(n), node.shape, node.name)


def _read_odd(rows: Rows) -> IntArray:
    """Return the greatest odd number that divides all numbers of each row."""
    man, _ = mantissas(rows.value)
    out = np.ones(rows.n, dtype=np.int64)
    held = np.flatnonzero(np.diff(rows.starts))
    if held.size:
        out[held] = np.gcd.reduceat(np.abs(man), rows.starts[held])
    return out


def _divided(writer: Writer, draft: Draft, node: Breakpoints, rows: Rows, here: IntArray, layer: _Layer) -> int:
    """Add an affine node with the rows of the units that stay, some divided by their odd factor."""
    odd = _read_odd(rows)
    divisor = np.ones(rows.n)
    divisor[list(layer.divided)] = odd[list(layer.divided)]
    order = np.full(rows.n, -1, dtype=np.int64)
    order[here] = np.arange(here.size)
    held = order[rows.row] >= 0
    part = rows.of(held)
    sources = np.array([-1 if s < 0 else writer.home[int(s)] for s in part.source], dtype=np.int64)
    made = Rows(here.size, order[part.row], sources, part.column, part.value / divisor[part.row])
    sizes = [int(np.prod(known.shape)) for known in writer.nodes]
    like = draft.nodes[node.input]
    assert isinstance(like, Affine)
    shaped = Affine((), (), np.zeros(here.size), (here.size,), like.name)
    return writer.add(as_affine(made, sizes, shaped))
