"""What is a certificate, and is something one at all? Its types, lengths and ranges, before anything is made of them.

A part of the check: shares nothing with the search.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import prod
from numbers import Rational
from operator import index
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reluatlas.domain import Box, Slice, Space
from reluatlas.network.record import Breakpoints, Graph, Max

Key = tuple[int, int, int, int]
"""A row: cut node (by position among the cut nodes), unit, knot or losing candidate, side (1: at most the knot,
-1: at least; 0 for a window). For the domain: -1, coordinate, 0, side."""

_SHOWN = 60
_MOST_PRIME = 2**64


@dataclass
class CellCertificate:
    """What is claimed about a cell, and what proves it.

    Attributes
    ----------
    pattern : ndarray, shape (units,)
    depth : int
        Points z are values of this node of the network (0: the domain's coordinates).
    prime, columns : int, ndarray
        With `depth`: in these input columns the determinant is not zero modulo the prime, so every z is taken.
    inside : list of Fraction
        A point strictly inside.
    facets : list of (list of Key, list of Fraction)
        Rows that are one facet, and a point that violates them alone.
    implied : list of (list of Key, dict)
        Rows that others imply, in the order in which they are left out, and multipliers (Key to Fraction).
    """

    pattern: NDArray[np.integer]
    depth: int
    prime: int
    columns: NDArray[np.int64]
    inside: list[Fraction]
    facets: list[tuple[list[Key], list[Fraction]]]
    implied: list[tuple[list[Key], dict[Key, Fraction]]]


def checked_form(
    net: Graph, domain: Box | Slice | Space, given: CellCertificate, say: Callable[[str], None]
) -> CellCertificate | None:
    """Return a certificate of plain whole numbers and fractions; None, and `say` why, when one cannot be made of it.

    What it claims may be wrong; but it speaks of this network's units and pieces, its points have the coordinates that
    they must have, and no list of rows is empty.
    """
    try:
        return _taken(net, domain, given)
    except _Malformed as problem:
        say(str(problem))
        return None


class _Malformed(Exception):
    pass


def _taken(net: Graph, domain: Box | Slice | Space, given: CellCertificate) -> CellCertificate:
    from flint import fmpz

    if not isinstance(given, CellCertificate):
        raise _Malformed(f"{_shown(given)} is no certificate.")
    if domain.n_inputs != net.n_inputs:
        raise _Malformed(f"the domain has {domain.n_inputs} inputs, the network {net.n_inputs}.")
    pattern = _pattern(net, given.pattern)
    depth = _whole(given.depth, "`depth`", 0, len(net.nodes))
    prime = _whole(given.prime, "`prime`", 2, _MOST_PRIME)
    if not fmpz(prime).is_prime():
        raise _Malformed(f"`prime` is {prime}, which is no prime number.")
    columns = [_whole(c, "a number of `columns`", 0, net.n_inputs) for c in _list(given.columns, "`columns`")]
    k = domain.dim if depth == 0 else prod(net.nodes[depth].shape)
    facets = []
    for keys, beyond in (_pair(entry, "`facets`") for entry in _list(given.facets, "`facets`")):
        facets.append((_keys(keys, "`facets`"), _point(beyond, k, "a point of `facets`")))
    implied = []
    for keys, multipliers in (_pair(entry, "`implied`") for entry in _list(given.implied, "`implied`")):
        if not isinstance(multipliers, Mapping):
            raise _Malformed(f"`implied` has {_shown(multipliers)} where multipliers by rows were expected.")
        factors = {_key(key, "`implied`"): _fraction(v, "a multiplier") for key, v in multipliers.items()}
        implied.append((_keys(keys, "`implied`"), factors))
    return CellCertificate(
        pattern=np.array(pattern, dtype=np.int64),
        depth=depth,
        prime=prime,
        columns=np.array(columns, dtype=np.int64),
        inside=_point(given.inside, k, "`inside`"),
        facets=facets,
        implied=implied,
    )


def _pattern(net: Graph, given: Any) -> list[int]:
    limits = [limit for t in net.cuts for limit in _pieces(net.nodes[t])]
    values = _list(given, "`pattern`")
    if len(values) != len(limits):
        raise _Malformed(f"`pattern` has {len(values)} numbers, the network {len(limits)} units.")
    return [
        _whole(v, f"the piece of unit {i}", 0, limit) for i, (v, limit) in enumerate(zip(values, limits, strict=True))
    ]


def _pieces(node: Any) -> list[int]:
    """Return how many pieces or candidates each unit has."""
    if isinstance(node, Breakpoints):
        return (np.isfinite(node.knots).sum(axis=1) + 1).tolist()
    assert isinstance(node, Max)
    return np.diff(node.offsets).tolist()


def _list(given: Any, what: str) -> Sequence[Any]:
    if isinstance(given, np.ndarray):
        given = given.tolist()
    if not isinstance(given, list | tuple):
        raise _Malformed(f"{what} is {_shown(given)} where a list was expected.")
    return given


def _pair(given: Any, what: str) -> tuple[Any, Any]:
    if not isinstance(given, list | tuple) or len(given) != 2:
        raise _Malformed(f"{what} has {_shown(given)} where rows and what proves them were expected.")
    return given[0], given[1]


def _keys(given: Any, what: str) -> list[Key]:
    keys = [_key(key, what) for key in _list(given, what)]
    if not keys:
        raise _Malformed(f"{what} has an entry without rows.")
    return keys


def _key(given: Any, what: str) -> Key:
    if not isinstance(given, tuple | list) or len(given) != 4:
        raise _Malformed(f"{what} has {_shown(given)} where a row, four whole numbers, was expected.")
    a, b, c, d = (_whole(v, f"a number of a row of {what}", -1, 2**63) for v in given)
    return a, b, c, d


def _point(given: Any, k: int, what: str) -> list[Fraction]:
    values = _list(given, what)
    if len(values) != k:
        raise _Malformed(f"{what} has {len(values)} coordinates, the rows {k}.")
    return [_fraction(v, f"a coordinate of {what}") for v in values]


def _whole(given: Any, what: str, low: int, high: int) -> int:
    """Return a whole number from `low` to `high` - 1."""
    try:
        value = index(given)
    except TypeError:
        raise _Malformed(f"{what} is {_shown(given)}, which is no whole number.") from None
    if not low <= value < high:
        raise _Malformed(f"{what} is {_shown(value)}; it must be from {low} to {high - 1}.")
    return value


def _fraction(given: Any, what: str) -> Fraction:
    if not isinstance(given, Rational):
        raise _Malformed(f"{what} is {_shown(given)}, which is no fraction.")
    return Fraction(int(given.numerator), int(given.denominator))


def _shown(given: Any) -> str:
    """Return a value as a short text, whatever it is."""
    if isinstance(given, int) and abs(given) >= 2**64:
        return f"a whole number of {given.bit_length()} bits"
    if not isinstance(given, int | float | str | None):
        return f"a {type(given).__name__}"
    text = repr(given)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
